"""A time series: frames help each other, intensities stay, odd inputs work or say why not."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellinr import Image, denoise
from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import CellINRError
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.methods.cellinr.job import _bleaching_factors, _left_of_signal, denoise_job
from napari_cellinr.metrics import psnr
from napari_cellinr.simulate.embryo import embryo, embryo_series

FAST = {"steps": 2, "device": "cpu"}


@pytest.fixture(scope="module")
def series():
    return embryo_series("membranes", (4, 64, 64), 0, bleaching=0.1)


@pytest.fixture(scope="module")
def coupled(series):
    return denoise(series.raw, background="keep", **FAST)


def quality(fitted, series):
    truth = series.truth_with_background.array()
    return np.mean(
        [psnr(*pair, 255.0) for pair in zip(fitted.images[0].array(), truth, strict=True)]
    )


def test_frames_help_each_other(series, coupled):
    alone = denoise(series.raw, background="keep", coupling=False, **FAST)
    assert quality(coupled, series) > quality(alone, series) + 0.3
    assert coupled.images[0].shape == series.raw.shape
    assert coupled.images[0].scale == series.raw.scale


def test_all_frames_have_one_noise_and_one_scale_of_brightness(series, coupled):
    noises = coupled.report["noise"]
    assert len(noises) == 4
    assert all(noise == noises[0] for noise in noises)
    doubled = series.raw.like(2 * series.raw.array())
    twice = denoise(doubled, background="keep", **FAST).images[0].array() / 2
    np.testing.assert_allclose(twice, coupled.images[0].array(), atol=1)


def test_signal_background_and_both_of_every_frame(series, coupled):
    subtracted = denoise(series.raw, **FAST)
    pairs = {"signal": "result", "background": "background", "result": "kept"}
    for kept, other in pairs.items():
        one, two = coupled.image(kept).array(), subtracted.image(other).array()
        assert one.shape == series.raw.shape
        np.testing.assert_array_equal(one, two)


def test_bleaching_is_kept_and_reported(series, coupled):
    means = coupled.images[0].array().mean(axis=(1, 2))
    truth = series.truth_with_background.array().mean(axis=(1, 2))
    np.testing.assert_allclose(means, truth, rtol=0.02)
    assert coupled.report["bleaching"] == pytest.approx([1, 0.9, 0.81, 0.729], abs=0.06)


def test_bleaching_is_corrected_when_asked(series):
    fitted = denoise(series.raw, bleaching="correct", **FAST)
    means = fitted.images[0].array().mean(axis=(1, 2))
    np.testing.assert_allclose(means, means[0], rtol=0.01)


def test_a_volume_series_in_two_channels():
    movie = embryo_series("nuclei", (2, 12, 24, 24), 1).raw.array()
    image = Image(np.stack([movie, movie[..., ::-1]], axis=1), axes="TCZYX")
    fitted = denoise(image, background="keep", **FAST)
    first, second = np.moveaxis(fitted.images[0].array(), 1, 0)
    assert fitted.images[0].shape == image.shape
    assert np.abs(first - second[..., ::-1]).mean() < 0.05 * movie.std()
    assert np.corrcoef(first.ravel(), movie.ravel())[0, 1] > 0.7


def test_stop_returns_every_frame(series):
    job = denoise_job(series.raw, CellINRConfig(**FAST), Monitor())
    message = None
    while True:
        try:
            job.send(message)
        except StopIteration as done:
            fitted = done.value
            break
        message = "stop"
    assert fitted.stopped == "user"
    assert fitted.images[0].shape == series.raw.shape
    assert np.isfinite(fitted.images[0].array()).all()


def hot(image):
    changed = image.array().copy()
    changed[7, 20], changed[40, 33] = 4000, -500
    return changed


def test_hot_and_dead_pixels_leave_no_trace():
    sample = embryo("membranes", (64, 64), 0)
    usual = denoise(sample.raw, background="keep", **FAST).images[0].array()
    fitted = denoise(hot(sample.raw), background="keep", **FAST)
    changed = fitted.images[0].array()
    assert np.abs(changed - usual).max() < 25
    assert any("2 hot or dead pixels" in text for text in fitted.report["warnings"])


def test_dark_structures_are_what_is_darker_than_around():
    sample = embryo("nuclei", (64, 64), 0)
    dark = 400 - sample.raw.array()
    bright = denoise(sample.raw, **FAST).images[0].array()
    found = denoise(dark, dark=True, gain=1e-6, read_noise=10, **FAST).images[0].array()
    assert np.corrcoef(found.ravel(), bright.ravel())[0, 1] > 0.95
    assert found.min() >= 0


def made(name):
    """Return an image that is out of the ordinary, small."""
    random = np.random.default_rng(0)
    plane = 40 + 30 * np.sin(np.arange(40) / 4)[:, None] + random.normal(0, 5, (40, 40))
    stack = np.stack([plane + random.normal(0, 5, plane.shape) for _ in range(6)])
    return {
        "frames of different brightness": lambda: (
            stack * np.array([1, 5, 0.2, 2, 1, 9]).reshape(-1, 1, 1)
        ),
        "a stack with an empty frame": lambda: (
            stack * np.array([1, 1, 0, 1, 1, 1]).reshape(-1, 1, 1)
        ),
        "two planes": lambda: stack[:2],
        "saturated 8 bit": lambda: np.clip(stack * 5, 0, 255).astype(np.uint8),
        "32-bit integers": lambda: (stack * 1000).astype(np.int32),
        "64-bit floats with negatives": lambda: stack.astype(np.float64) - 60,
        "one pixel wide": lambda: stack[:, :, :1],
    }[name]()


@pytest.mark.parametrize("axes", ["TYX", "ZYX"])
@pytest.mark.parametrize(
    "name",
    [
        "frames of different brightness",
        "a stack with an empty frame",
        "two planes",
        "saturated 8 bit",
        "32-bit integers",
        "64-bit floats with negatives",
        "one pixel wide",
    ],
)
def test_odd_input_works_or_says_in_one_sentence_why_not(name, axes):
    data = made(name)
    image = Image(data, axes=axes, scale=(10.0, 1.0, 1.0))  # planes ten times as far apart
    if name == "one pixel wide":
        with pytest.raises(CellINRError, match="1 column;") as refused:
            denoise(image, **FAST)
        assert "\n" not in str(refused.value)
        return
    fitted = denoise(image, background="keep", **FAST)
    result = fitted.images[0].array()
    assert np.isfinite(result).all()
    assert result.shape == data.shape
    assert result.mean() == pytest.approx(float(data.mean()), rel=0.05, abs=1)
    told = any("saturated" in text for text in fitted.report["warnings"])
    assert told == (name == "saturated 8 bit")


def test_nothing_is_left_unfinished():
    """A job that is not stopped returns by itself."""
    sample = embryo_series("membranes", (2, 24, 24), 3)
    assert finish(denoise_job(sample.raw, CellINRConfig(**FAST), Monitor())).stopped == "converged"


def test_bleaching_of_channels_is_a_list_for_each():
    indices = [(t, c) for t in range(3) for c in range(2)]
    factors = [1.0, 1.0, 1.25, 2.0, 2.5, 4.0]
    assert _left_of_signal(factors, indices, ["T", "C"]) == [[1, 0.8, 0.4], [1, 0.5, 0.25]]
    assert _left_of_signal(factors[:3], indices[:3], ["T", "C"]) == [[1, 0.8], [1]]
    assert _left_of_signal([1.0, 2.0], [(0,), (1,)], ["T"]) == [1, 0.5]


@pytest.mark.parametrize(("level", "factor"), [(0.05, 20), (0.01, 1)])
def test_frames_with_hardly_any_signal_are_not_scaled_up(level, factor):
    config = CellINRConfig(background="subtract")
    images = [
        (Image(np.full((4, 4), mean)), Image(np.zeros((4, 4)))) for mean in (100, 100 * level)
    ]
    frames = [SimpleNamespace(images=pair, config=config) for pair in images]
    found = _bleaching_factors(frames, [(0,), (1,)], ["T"])
    assert found == pytest.approx([1, factor])


def test_bleaching_is_measured_without_the_background():
    config = CellINRConfig(background="keep")
    images = [(Image(np.full((4, 4), 10.0 + s)), Image(np.full((4, 4), 10.0))) for s in (8, 4)]
    frames = [SimpleNamespace(images=pair, config=config) for pair in images]
    assert _bleaching_factors(frames, [(0,), (1,)], ["T"]) == pytest.approx([1, 2])
