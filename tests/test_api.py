"""Bad input is refused in one sentence; failures of torch arrive as FitError."""

import numpy as np
import pytest
import torch

from napari_cellinr import CellINRConfig, FitError, Image, denoise
from napari_cellinr.api import iter_denoise
from napari_cellinr.errors import AxesError, ConfigError, DataError
from napari_cellinr.fitting.problem import finish


def noisy(shape=(6, 24, 24), axes="ZYX"):
    return Image(np.random.default_rng(0).poisson(30, shape).astype(np.float32), axes)


@pytest.mark.parametrize(
    ("data", "axes", "error", "said"),
    [
        (np.full((4, 8, 8), 7.0), "ZYX", DataError, "nothing to restore"),
        (1e-8 * np.eye(8), "YX", DataError, "span 1e-08; a span of 0.001 to 1e\\+18"),
        (1e20 * np.eye(8), "YX", DataError, "span 1e\\+20"),
        (np.zeros((0, 8, 8)), "ZYX", DataError, "at least one voxel"),
        (np.where(np.eye(8) > 0, np.nan, 1.0), "YX", DataError, "8 of 64"),
        (np.ones((4, 1, 8)), "ZYX", DataError, "1 rows"),
        (np.ones((3, 8, 8)), "QYX", AxesError, "--axes"),
        (np.ones((3, 8)), "ZX", AxesError, "at least Y and X"),
    ],
)
def test_input_that_cannot_be_denoised_is_refused(data, axes, error, said):
    with pytest.raises(error, match=said):
        denoise(Image(data, axes), steps=2)


def test_complex_numbers_are_refused():
    with pytest.raises(AxesError, match="complex"):
        denoise(np.zeros((4, 4), complex))


def test_an_unknown_setting_is_named():
    with pytest.raises(ConfigError, match="sharpness"):
        denoise(noisy(), sharpness=3)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float64, np.uint16, bool])
def test_every_real_dtype_works(dtype):
    values = np.random.default_rng(1).poisson(30, (4, 24, 24)).astype(np.float64)
    data = values > 30 if dtype is bool else values.astype(dtype)
    result = denoise(data, steps=2, estimate="gaussian").images[0]
    assert result.dtype == np.float32


def test_a_device_that_is_not_there_is_explained():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError, match="usable here: cpu"):
        denoise(noisy(), device="cuda", steps=2)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (RuntimeError("shapes do not fit"), "shapes do not fit"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GB"), "crop"),
        (MemoryError(), "memory"),
    ],
)
def test_failures_inside_arrive_as_fit_error(monkeypatch, failure, said):
    def fail(*arguments):
        raise failure

    monkeypatch.setattr("napari_cellinr.methods.cellinr.problem.CellINRProblem.loss", fail)
    with pytest.raises(FitError, match=said):
        denoise(noisy(), steps=2, estimate="gaussian")


def test_a_time_limit_is_kept_and_said():
    job = iter_denoise(noisy((16, 64, 64)), CellINRConfig(max_seconds=0.5, steps=100_000))
    fitted = finish(job)
    assert fitted.stopped in {"time", "converged"}
    assert fitted.config.steps == max(1, fitted.report["steps"])
    assert {"seconds", "steps", "device", "held_out", "noise", "converged"} <= set(fitted.report)


def test_given_noise_is_used():
    report = denoise(noisy(), gain=1.5, read_noise=4.0, steps=2, estimate="gaussian").report
    assert report["noise"]["gain"] == 1.5
    assert report["noise"]["read_noise"] == 4.0


def test_an_image_in_another_order_comes_back_in_the_standard_order():
    image = noisy((24, 22, 5), "YXZ")
    assert denoise(image, steps=2, estimate="gaussian").images[0].axes == "ZYX"
