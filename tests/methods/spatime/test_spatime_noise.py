"""Noise of frames between frames: measured, named, matched or removed first."""

import numpy as np
import pytest

from napari_cellinr import Image, SpatimeConfig, superresolve
from napari_cellinr.api import render
from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.saved.query import Query
from napari_cellinr.methods.spatime.between.noise import (
    AddedNoise,
    flicker_warning,
    measured,
    smoothed,
)
from napari_cellinr.methods.spatime.between.trust import Trust
from napari_cellinr.methods.spatime.model import MotionModel
from napari_cellinr.methods.spatime.series import Series

QUICK = {"preset": "preview", "refinement": 0.15, "steps": 0, "motion": "never"}
SD = 6.0


def clean(n_frames=5):
    y, x = np.indices((48, 48)).astype(float)
    scene = 40 + 60 * np.exp(-((y - 24) ** 2 + (x - 24) ** 2) / 200)
    return np.repeat(scene[None], n_frames, 0).astype(np.float32)


@pytest.fixture(scope="module")
def noisy():
    truth = clean()
    return (truth + np.random.default_rng(0).normal(0, SD, truth.shape)).astype(np.float32)


def errors(found):
    """Mean squared errors of recorded frames, and of those between them."""
    wrong = ((found - clean(1)) ** 2).mean((1, 2))
    return wrong[::2].mean(), wrong[1::2].mean()


def test_the_mean_of_two_frames_keeps_half_of_the_variance(noisy):
    made = (noisy[0] + noisy[1]) / 2
    found = measured(noisy[0], made, Noise(0.0, SD), 60.0, 0, is_added=False)
    assert found.kept == pytest.approx(0.5, abs=0.08)
    assert measured(noisy[0], made, Noise(0.0, SD), 6000.0, 0, is_added=False) is None


@pytest.mark.parametrize("part", [0.1, 0.25, 0.5, 0.9])
def test_added_noise_is_what_a_mean_of_two_frames_has_lost(part):
    of = AddedNoise(Noise(0.0, SD), 0.5, 3, True)
    shape = (200, 200)
    region = (slice(0, 200), slice(50, 200))
    found = of.added(np.zeros((200, 150), np.float32), 2 + part, shape, region)
    assert found.var() == pytest.approx(2 * part * (1 - part) * SD**2, rel=0.05)
    whole = of.added(np.zeros(shape, np.float32), 2 + part, shape, (slice(None),) * 2)
    np.testing.assert_array_equal(found, whole[:, 50:])
    assert AddedNoise.restored(of.settings) == of


def test_recorded_frames_are_kept_and_a_sentence_says_that_the_movie_flickers(noisy):
    fitted = superresolve(Image(noisy, "TYX"), scale={"t": 2}, **QUICK)
    found = fitted.images[0].array()
    np.testing.assert_array_equal(found[::2], noisy)
    texts = [text for text in fitted.report["warnings"] if "flickers" in text]
    assert len(texts) == 1
    assert "noise=match" in texts[0]
    recorded, made = errors(found)
    assert made < 0.65 * recorded


def test_matched_frames_have_the_noise_of_recorded_ones(noisy):
    made = []
    for seed in range(4):
        settings = {"noise": "match", "seed": seed, **QUICK}
        fitted = superresolve(Image(noisy, "TYX"), scale={"t": 2}, **settings)
        found = fitted.images[0].array()
        np.testing.assert_array_equal(found[::2], noisy)
        recorded, one = errors(found)
        made.append(one)
        assert "flickers" not in " ".join(fitted.report["warnings"])
    assert abs(10 * np.log10(np.mean(made) / recorded)) < 0.5


def test_noise_is_removed_from_the_series_first(noisy):
    fitted = superresolve(Image(noisy, "TYX"), scale={"t": 2}, noise="remove", **QUICK)
    recorded, made = errors(fitted.images[0].array())
    assert recorded < 0.05 * SD**2
    assert made < 0.05 * SD**2


def test_of_a_denoised_scene_at_rest_recorded_frames_are_as_good_as_those_between_them(noisy):
    """A mean of two frames has half the variance; a recorded frame once had all of it."""
    fitted = superresolve(Image(noisy, "TYX"), scale={"t": 2}, noise="remove", **QUICK)
    found = fitted.images[0].array()
    recorded, made = errors(found[1:-1])[::-1]
    assert abs(10 * np.log10(made / recorded)) < 0.5
    again = render(fitted, Query(times=(2.0,)))[0].array()
    np.testing.assert_allclose(np.squeeze(again), found[4], atol=1e-4)


def test_a_denoised_frame_is_averaged_only_with_neighbours_that_agree():
    random = np.random.default_rng(1)
    frames = [random.normal(50, 1, (60, 60)).astype(np.float32) for _ in range(3)]
    before, frame, after = frames
    removed = Noise(0.0, 5.0)
    found = smoothed(frame, [before, after], removed, (1.0, 1.0))
    assert found.var() == pytest.approx(0.7**2 + 2 * 0.15**2, rel=0.05)
    at_an_end = smoothed(frame, [after], removed, (1.0, 1.0))
    assert at_an_end.var() == pytest.approx(0.58**2 + 0.42**2, rel=0.05)
    far = after + np.where(np.arange(60) < 30, 5, 0).astype(np.float32)
    found = smoothed(frame, [far], removed, (1.0, 1.0))
    np.testing.assert_array_equal(found[:, :20], frame[:, :20])
    np.testing.assert_allclose(found[:, 40:], at_an_end[:, 40:], atol=1e-5)
    np.testing.assert_array_equal(smoothed(frame, [], removed, (1.0, 1.0)), frame)


def test_what_denoising_warns_of_is_passed_on(noisy):
    saturated = np.clip(noisy * 2, 0, 170).astype(np.uint8)
    saturated[saturated == 170] = 255
    settings = {"scale": {"t": 2}, "noise": "remove", **QUICK}
    texts = superresolve(Image(saturated, "TYX"), **settings).warnings
    assert any(t.startswith("Removal of noise: ") and "are saturated" in t for t in texts)


def test_without_visible_noise_nothing_is_said():
    of = AddedNoise(Noise(0.0, SD), 0.9, 0, False)
    assert flicker_warning(of, clean(1)[0]) == ""
    assert "flickers" in flicker_warning(AddedNoise(Noise(0.0, SD), 0.5, 0, False), clean(1)[0])
    still = Image(clean(), "TYX")
    report = superresolve(still, scale={"t": 2}, **QUICK).report
    assert "flickers" not in " ".join(report["warnings"])


def test_the_published_preset_has_no_noise_setting():
    with pytest.raises(ConfigError, match="noise=match was given with preset paper"):
        SpatimeConfig(preset="paper", noise="match")


def test_frames_beyond_an_interval_count_half_if_the_series_is_denoised():
    """Without motion the polynomial through four frames leaves more of the noise than a line."""
    frames = np.random.default_rng(0).standard_normal((4, 16, 16)).astype(np.float32)
    ones = np.ones((4, 4), np.float32)
    still = {i: MotionModel((16, 16), 1, (4, 4)) for i in range(3)}
    trust = {1: Trust(ones, ones, 0 * ones, ones, 0 * ones)}
    line = (frames[1] + frames[2]) / 2
    cubic = (9 * (frames[1] + frames[2]) - frames[0] - frames[3]) / 16
    for removed, part in ((None, 1.0), (Noise(0.0, SD), 0.5)):
        series = Series(frames, "YX", (1.0, 1.0), still, trust=trust, removed=removed)
        expected = line + part * (cubic - line)
        np.testing.assert_allclose(series.frame(1.5), expected, atol=1e-3)


def stack(noise):
    z, y, x = np.indices((6, 48, 48)).astype(float)
    waves = 50 + 30 * np.sin(0.5 * y + z) * np.cos(0.3 * x - 0.4 * z)
    return (waves + np.random.default_rng(0).normal(0, noise, waves.shape)).astype(np.float32)


def coarser(found, axis):
    """Means of pairs of planes, or of rows and columns."""
    if axis == "z":
        return found.reshape(6, 2, 48, 48).mean(1)
    return found.reshape(6, 48, 2, 48, 2).mean((2, 4))


@pytest.mark.parametrize("axis", ["z", "y"])
def test_noise_that_is_removed_from_planes_and_pixels_is_named_and_can_be_kept(axis):
    image = Image(stack(8.0), "ZYX", (2.0, 1.0, 1.0), ("micrometer",) * 3)
    scale = {"z": 2} if axis == "z" else {"y": 2, "x": 2}
    found = {
        noise: superresolve(image, scale=scale, noise=noise, steps=1) for noise in ("auto", "keep")
    }
    texts = {
        noise: [text for text in fitted.report["warnings"] if "noise=keep" in text]
        for noise, fitted in found.items()
    }
    what = "planes" if axis == "z" else "pixels"
    span = np.ptp(np.percentile(image.data, (0.5, 99.8)))
    assert len(texts["auto"]) == 1
    named = texts["auto"][0]
    assert f"the recorded {what} are not kept as they were recorded" in named
    assert float(named.split("of ")[1].split(" %")[0]) == pytest.approx(800 / span, rel=0.15)
    assert texts["keep"] == []
    means = {k: coarser(fitted.images[0].array(), axis) for k, fitted in found.items()}
    np.testing.assert_allclose(means["keep"], image.data, atol=2e-3)
    assert np.abs(means["auto"] - image.data).max() > 4


def test_without_visible_noise_nothing_is_removed_and_nothing_said():
    image = Image(stack(0.0), "ZYX", (2.0, 1.0, 1.0), ("micrometer",) * 3)
    auto, keep = (
        superresolve(image, scale={"z": 2}, noise=noise, steps=1) for noise in ("auto", "keep")
    )
    np.testing.assert_array_equal(auto.images[0].array(), keep.images[0].array())
    assert not any("noise=keep" in text for text in auto.report["warnings"])
