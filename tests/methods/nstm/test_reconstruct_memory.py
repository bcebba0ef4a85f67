"""A reconstruction that does not fit into memory is refused before it starts."""

import numpy as np
import pytest

from napari_cellinr import Image, reconstruct, write
from napari_cellinr.cli import main
from napari_cellinr.config import NSTMConfig
from napari_cellinr.errors import FitError
from napari_cellinr.methods.nstm import costs, job

IMAGE = Image(np.random.default_rng(0).poisson(50, (4, 64, 64)).astype(np.float32), "TYX")
NEEDED = costs.cost(IMAGE, NSTMConfig()).memory - costs.BYTES[0]


@pytest.fixture
def prepared(monkeypatch):
    """The images of which the fit has begun."""
    found, usual = [], job.prepare

    def prepare(image, optics):
        found.append(image)
        return usual(image, optics)

    monkeypatch.setattr(job, "prepare", prepare)
    return found


def leave(monkeypatch, free):
    monkeypatch.setattr(costs, "available_memory", lambda: free)


def test_it_is_refused_with_one_sentence(monkeypatch, prepared):
    leave(monkeypatch, 0.9 * NEEDED)
    with pytest.raises(FitError) as caught:
        reconstruct(IMAGE, "time-lapse", preset="preview", steps=2)
    text = str(caught.value)
    assert text.startswith("the reconstruction of 4 × 64 × 64 pixels needs about 0.01 GB of memory")
    assert ", of which 0.0094 GB are free; choose a crop or fewer frames" in text
    assert "\n" not in text
    assert prepared == []


def test_it_starts_with_a_little_more(monkeypatch, prepared):
    leave(monkeypatch, 1.05 * NEEDED)
    reconstruct(IMAGE, "time-lapse", preset="preview", steps=2, check_motion=False)
    assert len(prepared) == 1


def test_the_command_says_it_and_writes_nothing(monkeypatch, tmp_path, capsys, prepared):
    leave(monkeypatch, 0.95 * NEEDED)
    path, output = write(tmp_path / "in.tif", IMAGE), tmp_path / "out.tif"
    assert main(["reconstruct", str(path), str(output), "--steps", "2"]) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if "choose a crop" in line]
    assert len(said) == 1
    assert prepared == []
    assert not output.exists()


def test_memory_of_a_gpu_is_its_own(monkeypatch, prepared):
    """The free main memory does not limit a fit elsewhere."""
    leave(monkeypatch, 0.0)
    monkeypatch.setattr(job, "choose_device", lambda _: type("Device", (), {"type": "cuda"})())
    fit = job.reconstruct_job(IMAGE, NSTMConfig(), _Ended())
    with pytest.raises(InterruptedError):
        next(fit)


class _Ended:
    """A monitor of a run that ends with its first stage."""

    def __getattr__(self, name):
        raise InterruptedError(name)
