"""Several GPUs: one worker for each, which sees no other."""

import os
import time
from argparse import Namespace
from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellinr import Image, write
from napari_cellinr.cli.shared import scale
from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.fitting.resources import devices
from napari_cellinr.runs.scale.executors import DEVICE, VISIBLE, _only, open_workers
from napari_cellinr.runs.scale.make import make_plan
from napari_cellinr.runs.scale.methods import denoise
from napari_cellinr.runs.scale.parts import part_job
from napari_cellinr.runs.scale.source import Source


def environment(folder, number, n_workers):
    """Return the GPU of a worker, once all of them are busy, for which each leaves a file."""
    (folder / str(number)).touch()
    end = time.monotonic() + 60
    while len(list(folder.iterdir())) < n_workers and time.monotonic() < end:
        time.sleep(0.02)
    return os.environ.get(VISIBLE, ""), os.environ.get(DEVICE, "")


@pytest.mark.parametrize("visible", ["", "4,7"])
def test_each_process_sees_its_own_gpu_as_the_first_one(visible, monkeypatch, tmp_path):
    monkeypatch.setenv(VISIBLE, visible)
    workers = open_workers(None, 2, threads=1, devices=["cuda:0", "cuda:1"])
    try:
        futures = [workers.submit(environment, tmp_path, number, 2) for number in range(2)]
        found = {future.result(timeout=120) for future in futures}
    finally:
        workers.close()
    names = visible.split(",") if visible else ["0", "1"]
    assert found == {(names[0], "cuda:0"), (names[1], "cuda:0")}


@pytest.mark.parametrize("device", ["cpu", "mps", "cuda"])
def test_devices_without_a_number_hide_nothing(device):
    assert _only(device, "") == {DEVICE: device}


def test_a_gpu_that_is_not_visible_is_left_for_the_part_to_name():
    assert _only("cuda:2", "4,7") == {DEVICE: "cuda:2"}


def test_a_process_that_has_loaded_torch_keeps_the_number():
    import torch

    assert torch is not None
    assert _only("cuda:1", "") == {DEVICE: "cuda:1"}


def test_a_part_is_computed_on_the_device_of_its_worker(tmp_path, monkeypatch):
    write(tmp_path / "in.zarr", Image(np.full((1, 32, 32), 7, np.uint16), "TYX"))
    source, outputs = Source(str(tmp_path / "in.zarr")), {"result": str(tmp_path / "out.zarr")}
    config = CellINRConfig(gain=1.0, read_noise=1.0)
    plan, seen = make_plan("denoise", source, config, outputs, 1e12), []

    def job(image, plan, part, monitor):
        seen.append(plan.config.device)
        values = np.zeros((1, 32, 32), np.float32)
        image = SimpleNamespace(array=lambda: values)
        return SimpleNamespace(
            stopped="steps", roles=("result",), report={}, image=lambda role: image
        )
        yield

    monkeypatch.setattr(denoise.METHOD, "job", job)
    monkeypatch.setenv(DEVICE, "cuda:1")
    finish(part_job(plan, 0, Monitor()))
    assert seen == ["cuda:1"]


def options(device, **others):
    return Namespace(setting_device=device, parts=False, workers=1, **others)


def test_two_devices_make_two_workers():
    given = options("cuda:0, cuda:1")
    assert scale._devices(given) == ["cuda:0", "cuda:1"]
    assert (given.parts, given.workers, given.setting_device) == (True, 2, "cuda")


def test_one_device_is_a_setting_like_any_other():
    given = options("cuda:1")
    assert scale._devices(given) == []
    assert (given.parts, given.workers, given.setting_device) == (False, 1, "cuda:1")


def test_gpus_have_names_if_there_are_several(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    for count, names in ((1, []), (2, ["cuda:0", "cuda:1"])):
        monkeypatch.setattr("torch.cuda.device_count", lambda count=count: count)
        assert devices.numbered_devices() == names


def test_a_gpu_that_is_not_there_is_named_before_workers_start(monkeypatch):
    monkeypatch.setattr(devices, "available_devices", lambda: {"cpu": "", "cuda": ""})
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("napari_cellinr.runs.scale.make.check_space", lambda plan: "")
    given = Namespace(
        devices=["cuda:0", "cuda:1"], scheduler=None, workers=2, overwrite=False, resume=None
    )
    with pytest.raises(ConfigError, match="there is 1 device of this kind"):
        scale.run_parts(given, SimpleNamespace())
