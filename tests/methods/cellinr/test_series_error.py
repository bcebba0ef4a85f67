"""Standard errors of a series that is denoised together hold, and cost little."""

import numpy as np
import pytest

from napari_cellinr import Image, denoise
from napari_cellinr.api import iter_denoise, render
from napari_cellinr.config import CellINRConfig
from napari_cellinr.fitting.saved.stored import load_fit, save_fit
from napari_cellinr.methods.cellinr.initial import series, series_error
from napari_cellinr.methods.cellinr.initial.kernels import Kernels
from napari_cellinr.simulate.embryo import embryo_series

SERIES = {"membranes": (4, 12, 48, 48), "nuclei": (5, 96, 96)}


@pytest.fixture(scope="module", params=SERIES, ids=str)
def made(request):
    sample = embryo_series(request.param, SERIES[request.param], seed=11, gain=4, read_noise=8)
    return sample, denoise(sample.raw, background="keep")


def test_nine_tenths_of_the_errors_are_inside(made):
    sample, fitted = made
    result, error = (fitted.image(role).array() for role in ("result", "error"))
    missed = np.abs(result - sample.truth_with_background.array())
    third = np.digitize(result, np.quantile(result, (1 / 3, 2 / 3)))
    for number in range(3):
        assert 0.83 < (missed < 1.645 * error)[third == number].mean() < 0.98


def test_voxels_with_large_standard_errors_err_more(made):
    """Also among voxels of the same brightness: slopes and changes tell it."""
    sample, fitted = made
    result, error = (fitted.image(role).array() for role in ("result", "error"))
    missed = np.abs(result - sample.truth_with_background.array())
    middle = (result > np.quantile(result, 0.5)) & (result < np.quantile(result, 0.8))
    own, ranked = missed[middle], np.argsort(error[middle])
    lower, upper = own[ranked[: len(own) // 3]], own[ranked[-len(own) // 3 :]]
    assert upper.mean() > 1.2 * lower.mean()


def test_a_saved_fit_gives_them_again(made, tmp_path):
    _, fitted = made
    save_fit(tmp_path / "series.cellinr", fitted)
    again = render(load_fit(tmp_path / "series.cellinr"))[3].array()
    assert fitted.roles[3] == "error"
    np.testing.assert_allclose(again, fitted.image("error").array(), rtol=1e-3, atol=0.02)


def test_kernels_of_a_part_are_those_of_the_whole_there():
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(2, 3, 5)).astype(np.float32)
    nothing = np.zeros(0, np.float32)
    whole = Kernels(nothing, np.ones(2, np.float32), 3.0, nothing, weights, (8, 8))
    image = generator.normal(3, 1, (24, 40)).astype(np.float32)
    box = slice(5, 19), slice(11, 34)
    expected = whole.applied(image)[box]
    np.testing.assert_allclose(whole.cropped(box).applied(image[box]), expected, rtol=1e-4)


def finish(job, stop_at):
    message = None
    while True:
        try:
            progress = job.send(message)
        except StopIteration as done:
            return done.value
        message = "stop" if stop_at in str(progress.stage) else None


def test_a_job_that_is_stopped_while_they_are_learnt_has_none(monkeypatch):
    raw = embryo_series("membranes", (3, 64, 64), seed=0).raw
    fitted = finish(iter_denoise(raw, CellINRConfig()), "standard errors")
    assert fitted.roles == ("result", "background", "kept")


def test_the_time_that_is_left_is_kept(monkeypatch):
    """Without the time for synthetic frames, the series has a result and no errors."""
    monkeypatch.setattr(series, "learning_seconds", lambda *_: 1000.0)
    fitted = denoise(embryo_series("membranes", (3, 64, 64), seed=0).raw, max_seconds=500)
    assert fitted.roles == ("result", "background", "kept")


def test_channels_have_all_of_them_or_none(monkeypatch):
    """The first channel has them when the time of the second one has ended."""
    left = iter([0.0, 1000.0])
    monkeypatch.setattr(series, "learning_seconds", lambda *_: next(left))
    frames = embryo_series("membranes", (3, 64, 64), seed=0).raw.array()
    both = Image(np.stack([frames, frames[:, ::-1]], axis=1), axes="TCYX")
    fitted = denoise(both, max_seconds=500)
    assert fitted.roles == ("result", "background", "kept")
    assert len(render(fitted)) == 3
    assert not any("error" in name for name in fitted.state)


def test_a_synthetic_frame_has_the_size_of_a_part(monkeypatch):
    """So that the cost does not grow with the frames."""
    shapes = []
    group_series = series_error.group_series

    def noted(values, *arguments):
        shapes.append(values.shape)
        return group_series(values, *arguments)

    monkeypatch.setattr(series_error, "group_series", noted)
    denoise(embryo_series("membranes", (8, 120, 130), seed=0).raw)
    assert shapes == [(5, 96, 96)]
