"""The confidence of frames between frames: 1 where they are determined, by held-out frames."""

import numpy as np
import pytest

from napari_cellinr import Image, SpatimeConfig, superresolve
from napari_cellinr.api import render
from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.saved.query import Query
from napari_cellinr.fitting.saved.stored import header_of, stored

QUICK = {"preset": "preview", "refinement": 0.3, "steps": 0, "confidence": True}


@pytest.fixture(scope="module")
def fitted():
    """A blob that moves evenly on the left, and one that is anywhere on the right."""
    y, x = np.indices((32, 72)).astype(float)
    random, frames = np.random.default_rng(0), []
    for t in range(6):
        steady = np.exp(-((y - 16) ** 2 + (x - 8 - 2 * t) ** 2) / 20)
        other = random.uniform((4, 46), (28, 68))
        frames.append(20 + 90 * (steady + np.exp(-((y - other[0]) ** 2 + (x - other[1]) ** 2) / 8)))
    image = Image(np.array(frames, np.float32), "TYX")
    return superresolve(image, scale={"t": 2, "x": 2}, **QUICK)


def test_what_moves_evenly_is_determined_and_what_jumps_about_is_not(fitted):
    result, confidence = fitted.images
    assert fitted.roles == ("result", "confidence")
    assert confidence.shape == result.shape == (11, 32, 144)
    assert (confidence.scale, confidence.translate) == (result.scale, result.translate)
    values = confidence.array()
    assert values[::2].min() == 1  # recorded frames
    middle = values[5]
    assert middle[12:20, 20:44].mean() > 0.9
    assert middle[12:20, 96:132].mean() < 0.5
    assert (values >= 0).all()


def test_a_saved_fit_and_a_lazy_result_have_the_same(fitted):
    fit = stored(header_of(fitted), {k: v.numpy() for k, v in fitted.state.items()})
    again = render(fit)
    np.testing.assert_allclose(again[1].array(), fitted.images[1].array(), atol=1e-6)
    part = render(fit, Query(crop={"Y": slice(8, 20)}, times=(0.25, 0.5, 1.0)))[1].array()
    np.testing.assert_allclose(part[1], fitted.images[1].array()[1, 8:20], atol=1e-6)
    np.testing.assert_allclose(1 - part[0], 0.75 * (1 - part[1]), atol=1e-6)
    assert part[2].min() == 1


@pytest.mark.parametrize("given", [{"motion": "never"}, {"motion": "always"}, {"preset": "paper"}])
def test_without_held_out_frames_there_is_none(given):
    with pytest.raises(ConfigError, match="comes from held-out frames"):
        SpatimeConfig(confidence=True, **given)


def cells(frames, *, jumps):
    """Return textured cells that go on steadily, or stand for two frames and jump."""
    y, x = np.indices((40, 48)).astype(float)
    random = np.random.default_rng(3)
    scene = np.zeros((frames, 40, 48))
    for _ in range(6):
        start, turn = random.uniform((8, 8), (32, 40)), random.uniform(0, 2 * np.pi)
        towards = np.array([np.sin(turn), np.cos(turn)])
        for t in range(frames):
            far = (5 * (t // 2) if jumps else 1.2 * t) * towards
            centre = start + far
            scene[t] += 60 * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / 10)
    return Image(np.float32(20 + scene), "TYX")


@pytest.mark.parametrize("jumps", [True, False])
def test_a_result_that_mostly_blends_says_so(jumps):
    found = superresolve(cells(7, jumps=jumps), "preview", scale={"t": 2}, refinement=0.3)
    texts = [text for text in found.report["warnings"] if "blend both neighbours" in text]
    assert len(texts) == jumps
    assert not jumps or "confidence=true marks where" in texts[0]


@pytest.mark.parametrize("noise", [0, 4])
def test_a_still_series_says_nothing_of_motion(noise):
    still = cells(7, jumps=False).array()[:1].repeat(7, 0)
    still = still + noise * np.random.default_rng(0).normal(size=still.shape).astype(np.float32)
    found = superresolve(Image(still, "TYX"), "preview", scale={"t": 2}, refinement=0.1)
    assert not any("blend both" in text for text in found.report["warnings"])
