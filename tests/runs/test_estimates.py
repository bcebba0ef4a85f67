"""What a run needs is said before it begins, and about holds; torch is not loaded for it."""

import time

import numpy as np
import pytest
import torch

from napari_cellinr import Image, denoise
from napari_cellinr.config import CellINRConfig, NSTMConfig, SpatimeConfig
from napari_cellinr.methods import METHODS, Cost
from napari_cellinr.runs.estimates import cost, shortage
from napari_cellinr.simulate.embryo import embryo


@pytest.fixture
def one_thread():
    """One thread of torch: several that wait for each other on a busy machine use time, too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def image(shape, axes):
    return Image(np.broadcast_to(np.float32(0), shape), axes)


def test_larger_images_need_more_and_a_limit_holds():
    small, large = (image((2, n, 256, 256), "TZYX") for n in (8, 80))
    for name, config in (("cellinr", CellINRConfig()), ("nstm", NSTMConfig())):
        needs = [cost(METHODS[name], one, config) for one in (small, large)]
        assert needs[0].seconds < needs[1].seconds
        assert needs[0].memory < needs[1].memory
        assert cost(METHODS[name], large, config.replace(max_seconds=1)).seconds == 1
    method = METHODS["spatime"]
    finer = [cost(method, small, SpatimeConfig(scale={"Z": n})) for n in (1, 4)]
    assert finer[0].memory < finer[1].memory
    assert cost(method, small.take("T", 0), SpatimeConfig(scale={"T": 2})) is None


def test_denoising_takes_about_as_long_as_was_said(one_thread):
    raw = embryo("membranes", (16, 64, 64), seed=0).raw
    config = CellINRConfig()
    denoise(raw.crop(Z=slice(0, 4)), steps=1, estimate="gaussian")  # imports
    before = time.process_time()
    denoise(raw)
    spent = time.process_time() - before
    assert 0.25 < cost(METHODS["cellinr"], raw, config).seconds / spent < 4  # machines differ


def test_a_want_of_memory_is_said_in_words(capsys, tmp_path, monkeypatch):
    assert shortage(Cost(1, 2e9), 3e9) == shortage(None, 0) == ""
    assert "about 4 GB are needed, 3 GB are free" in shortage(Cost(1, 4e9), 3e9)
    from napari_cellinr import write
    from napari_cellinr.cli import main

    class Poor:
        available = 1e6

    monkeypatch.setattr("psutil.virtual_memory", Poor)
    path = write(tmp_path / "in.tif", embryo("nuclei", (4, 16, 16), seed=0).raw)
    words = [str(path), str(tmp_path / "out.tif"), "--steps", "1", "--set", "estimate=gaussian"]
    assert main(["denoise", *words]) == 0
    assert "0.001 GB are free" in capsys.readouterr().err
