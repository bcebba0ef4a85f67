"""Bad input is refused in one sentence; failures of torch arrive as FitError."""

import numpy as np
import pytest
import torch

from napari_cellinr import (
    CellINRConfig,
    FitError,
    FitWarning,
    Image,
    denoise,
    iter_denoise,
    reconstruct,
    superresolve,
)
from napari_cellinr.errors import AxesError, ConfigError, DataError
from napari_cellinr.fitting.problem import Fitted, Progress, finish


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
        (np.ones((4, 1, 8)), "ZYX", DataError, "1 row and"),
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
    result = denoise(data, axes="ZYX", steps=2, estimate="gaussian").images[0]
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
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GB"), "crop"),
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


FAST = {"steps": 2, "preset": "preview"}


@pytest.mark.parametrize("function", [denoise, superresolve, reconstruct])
@pytest.mark.parametrize("shape", [(4, 16, 16), (2, 4, 16, 16)])
def test_arrays_of_three_or_four_dimensions_need_axes(function, shape):
    with pytest.raises(AxesError, match=r'axes="T.?YX"'):
        function(np.ones(shape))


@pytest.mark.parametrize(
    ("given", "scale", "units"),
    [
        ({}, (1, 1, 1), ("pixel",) * 3),
        ({"scale": 0.1}, (1, 0.1, 0.1), ("pixel", "micrometer", "micrometer")),
        ({"scale": (2, 0.1, 0.2)}, (2, 0.1, 0.2), ("second", "micrometer", "micrometer")),
        (
            {"scale": {"t": 2, "x": 50, "y": 40}, "units": {"x": "nanometer", "y": "nanometer"}},
            (2, 40, 50),
            ("second", "nanometer", "nanometer"),
        ),
        ({"scale": 50, "units": "nanometer"}, (1, 50, 50), ("pixel", "nanometer", "nanometer")),
    ],
)
def test_arrays_say_their_axes_and_voxel_size(given, scale, units):
    values = noisy((4, 16, 16)).data
    image = denoise(values, axes="TYX", **FAST, **given).images[0]
    assert (image.axes, image.scale, image.units) == ("TYX", scale, units)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scale": (0.1, 0.1)}, "one value for each axis, one number"),
        ({"scale": {"Z": 1}}, "this image has axes 'TYX'"),
        ({"scale": 0}, "must be a positive number"),
    ],
)
def test_voxel_sizes_that_do_not_fit(given, said):
    with pytest.raises(AxesError, match=said):
        denoise(np.ones((4, 16, 16)), axes="TYX", **given)


def test_a_number_as_scale_is_finer_along_all_spatial_axes():
    values = noisy((3, 8, 9)).data
    settings = {"preset": "preview", "axes": "ZYX"}
    assert superresolve(values, scale=2, **settings).images[0].shape == (6, 16, 18)
    same = superresolve(values, scale={"z": 2, "y": 2, "x": 2}, **settings)
    assert same.images[0].shape == (6, 16, 18)


@pytest.mark.parametrize("voxel", [(0.4, 0.1, 0.1), {"Z": 0.4, "Y": 0.1, "X": 0.1}])
def test_the_voxel_size_is_not_a_factor(voxel):
    values = noisy((3, 8, 9)).data
    settings = {"axes": "ZYX", "preset": "preview"}
    image = superresolve(values, voxel=voxel, isotropic=True, **settings).images[0]
    assert image.shape == (12, 8, 9)
    assert image.scale == pytest.approx((0.1, 0.1, 0.1))
    finer = superresolve(values, voxel=voxel, scale={"z": 2}, **settings).images[0]
    assert finer.shape == (6, 8, 9)
    assert finer.scale == pytest.approx((0.2, 0.1, 0.1))


def test_a_sequence_as_scale_is_still_the_voxel_size_with_a_warning():
    values = noisy((3, 8, 9)).data
    steps = {"axes": "ZYX", "scale": (0.4, 0.1, 0.1), "preset": "preview"}
    with pytest.warns(FutureWarning, match=r"write voxel=\(0.4, 0.1, 0.1\)"):
        image = superresolve(values, isotropic=True, **steps).images[0]
    assert image.scale == pytest.approx((0.1, 0.1, 0.1))


@pytest.mark.parametrize("scale", [(2, 2, 2), np.array([1, 2, 2]), [0.4, 0.1, 0.1]])
def test_a_sequence_that_may_mean_factors_is_refused(scale):
    with pytest.raises(ConfigError, match="write factors by axis"):
        superresolve(noisy((3, 8, 9)).data, axes="ZYX", scale=scale)
    with pytest.raises(ConfigError, match="write factors by axis"):
        superresolve(noisy((3, 8, 9)).data, axes="ZYX", scale=scale, voxel=1, isotropic=True)


def test_the_voxel_size_has_two_names_in_denoise_of_which_one_is_given():
    values = noisy((1, 8, 9)).data[0]
    assert denoise(values, voxel=0.1, **FAST).images[0].scale == (0.1, 0.1)
    with pytest.raises(ConfigError, match="the same here"):
        denoise(values, voxel=0.1, scale=0.1)


def fake(image, config, monitor):
    yield Progress("one", 1, 2)
    yield Progress("one", 2, 2, held_out=1.1, warning="the disk is full")
    message = yield Progress("two", 1, 0)
    report = {"warnings": ["the disk is full", "look at it"], "message": message}
    return Fitted((image,), config, {}, (), "steps", report, roles=("result",))


def test_warnings_reach_the_user(put_job, caplog):
    put_job("denoise", fake)
    with pytest.warns(FitWarning) as told:
        fitted = denoise(noisy())
    assert [str(one.message) for one in told] == ["the disk is full", "look at it"]
    assert {one.filename for one in told} == {__file__}
    assert fitted.warnings == ("the disk is full", "look at it")
    assert "look at it" in caplog.text


def test_progress_by_a_function(put_job):
    put_job("denoise", fake)
    seen = []
    fitted = denoise(noisy(), progress=seen.append)
    assert [(one.stage, one.step) for one in seen] == [("one", 1), ("one", 2), ("two", 1)]
    assert fitted.report["message"] is None
    assert denoise(noisy(), progress=lambda one: "stop").report["message"] == "stop"


def test_progress_as_a_bar(put_job, capsys):
    put_job("denoise", fake)
    denoise(noisy(), progress=True)
    told = capsys.readouterr().err
    assert "one" in told
    assert "2/2" in told
    denoise(noisy())
    assert capsys.readouterr().err == ""


def test_a_bar_that_ends_early_is_full(put_job, monkeypatch):
    closed = []

    class Bar:
        def __init__(self, total, **looks):
            self.total, self.n = total, 0

        def set_postfix_str(self, *text, **how):
            pass

        def refresh(self):
            pass

        def close(self):
            closed.append((self.n, self.total))

    def early(image, config, monitor):
        yield Progress("one", 1, 4)
        yield Progress("two", 2, 4)
        return (yield from fake(image, config, monitor))

    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    put_job("denoise", early)
    denoise(noisy(), progress=True)
    assert [n == total for n, total in closed] == [True] * len(closed)
    assert closed[:2] == [(1, 1), (2, 2)]


def test_progress_of_another_kind(put_job):
    put_job("denoise", fake)
    with pytest.raises(ConfigError, match="True for a bar"):
        denoise(noisy(), progress="yes")


@pytest.mark.parametrize("device", ["cuda:1", torch.device("cuda", 1)])
def test_one_of_several_gpus(device):
    assert CellINRConfig(device=device).device == "cuda:1"


@pytest.mark.parametrize("device", ["cuda:x", "gpu", 3])
def test_devices_that_are_not_known(device):
    with pytest.raises(ConfigError, match="device"):
        CellINRConfig(device=device)


def test_a_gpu_that_is_not_there(monkeypatch):
    there = {"cpu": "", "cuda": ""}
    place = "napari_cellinr.fitting.resources.devices"
    monkeypatch.setattr(f"{place}.available_devices", lambda: there)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    from napari_cellinr.fitting.resources.devices import choose_device

    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ConfigError, match="there are 2 devices of this kind, counted from 0"):
        choose_device("cuda:2")


def test_a_result_is_short_and_easy_to_look_at(put_job, tmp_path):
    put_job("denoise", fake)
    fitted = denoise(noisy())
    assert repr(fitted) == "<Fitted cellinr, result: ZYX (6, 24, 24), steps, 2 warnings>"
    page = fitted._repr_html_()
    assert "<img" in page
    assert "look at it" in page


def test_a_result_saves_itself(tmp_path):
    fitted = denoise(noisy(), steps=2, estimate="gaussian")
    fitted.save(tmp_path / "a.cellinr")
    from napari_cellinr import load_fit

    assert load_fit(tmp_path / "a.cellinr").method == "cellinr"
    assert fitted.image("background").axes == "ZYX"
