"""A gap in the times of a recording is named in the report, and spoils no frame beside it."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from napari_cellinr import Image, reconstruct

BEFORE, AFTER = 3, 4  # the frames beside the gap
TIMES = (0.0, 1.0, 2.0, 3.0, 8.0, 9.0, 10.0, 11.0)
SIZE, MARGIN, SPEED = 32, 20, 0.6


@pytest.fixture(scope="module")
def light():
    """A texture that moves to the right at a constant speed."""
    scene = gaussian_filter(np.random.default_rng(0).random((SIZE + 2 * MARGIN,) * 2), 2)
    scene = (scene - scene.min()) / np.ptp(scene)
    inner = (slice(MARGIN, MARGIN + SIZE),) * 2
    return 120 + 600 * np.stack([shift(scene, (0, SPEED * t), mode="wrap")[inner] for t in TIMES])


def test_a_gap_is_named_and_the_frames_beside_it_are_as_good_as_the_others(light):
    raw = np.random.default_rng(1).poisson(light).astype(np.float32)
    optics = {"kind": "time-lapse", "frame_times": TIMES}
    fit = reconstruct(Image(raw, "TYX"), optics=optics, check_motion=False)
    (text,) = [text for text in fit.report["warnings"] if "gap" in text]
    assert text.startswith("There is a gap before frame 5, 5 times as long as usual")
    errors = np.sqrt(np.mean((fit.images[0].array() - light) ** 2, axis=(1, 2)))
    noise = np.sqrt(np.mean((raw - light) ** 2))
    others = np.delete(errors, [BEFORE, AFTER])
    assert errors[[BEFORE, AFTER]].max() < 1.25 * np.median(others)
    assert errors.max() < 0.5 * noise
    moved = fit.image("motion").array()[:, -1].mean(axis=(1, 2))
    assert moved[AFTER] - moved[BEFORE] == pytest.approx(SPEED * 5, abs=0.2)
