"""The recording itself, aligned: frames of moving material become frames of material at rest."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from napari_cellinr import Image, reconstruct
from napari_cellinr.errors import ConfigError

STEP = 1.5  # pixels along x per frame


@pytest.fixture(scope="module")
def recording():
    spots = (np.random.default_rng(0).random((32, 40)) < 0.04).astype(float)
    still = gaussian_filter(spots, 1.5)
    still *= 100 / still.max()
    frames = np.stack([shift(still, (0, STEP * n), order=3, mode="constant") for n in range(5)])
    frames += np.random.default_rng(1).normal(0, 2, frames.shape)
    return Image(frames.astype(np.float32), "TYX", (2.0, 0.5, 0.5), ("second", *["micrometer"] * 2))


@pytest.fixture(scope="module")
def fitted(recording):
    settings = {"check_motion": False, "restart": False, "reference": 1, "align": True}
    return reconstruct(recording, "time-lapse", steps=120, **settings)


def test_the_aligned_recording_stands_still(recording, fitted):
    found = fitted.image("aligned")
    assert (found.axes, found.scale, found.units) == (
        recording.axes,
        recording.scale,
        recording.units,
    )
    assert found.dtype == np.float32
    frames, raw = found.array(), recording.array()
    np.testing.assert_allclose(frames[1], raw[1], atol=1e-2)  # the reference frame is not moved
    seen = np.s_[:, 4:-4, 8:-8]
    moved, stands = raw.std(0)[seen[1:]].mean(), frames.std(0)[seen[1:]].mean()
    assert stands < 0.4 * moved


def test_what_left_the_image_is_zero(fitted):
    """In the last frame, the last columns of the reference frame are outside."""
    last = fitted.image("aligned").array()[-1]
    assert (last[:, -2:] == 0).mean() > 0.9
    assert (last[:, :20] == 0).mean() < 0.1


def test_bands_of_one_picture_are_not_aligned(tmp_path):
    from napari_cellinr.config.optics import KINDS
    from napari_cellinr.io import write

    psf = np.zeros((15, 15), np.float32)
    psf[7, 7] = 1
    optics = {**KINDS["rolling-shutter"].TYPICAL, "kind": "rolling-shutter", "rows_per_shot": 5}
    optics["psf"] = str(write(tmp_path / "psf.tif", Image(psf)))
    picture = Image(np.random.default_rng(0).random((30, 30)), "YX")
    found = reconstruct(picture, optics, steps=1, restart=False, check_motion=False, align=True)
    assert "aligned" not in found.roles


def test_motion_of_one_channel_is_that_of_all(recording):
    """The second channel is aligned by the motion of the first, and need not show any itself."""
    other = np.zeros_like(recording.array())
    other[:, ::4] = 50 + np.arange(5)[:, None, None]
    both = np.stack([recording.array(), other], axis=1)
    units = ("second", "pixel", "micrometer", "micrometer")
    image = Image(both, "TCYX", (2.0, 1.0, 0.5, 0.5), units)
    settings = {"check_motion": False, "restart": False, "reference": 1, "motion_channel": 0}
    settings["align"] = True
    found = reconstruct(image, "time-lapse", steps=3, **settings).image("aligned")
    assert (found.axes, found.shape) == ("TCYX", both.shape)
    np.testing.assert_allclose(found.array()[1], both[1], atol=1e-2)
    settings["motion_channel"] = 2
    with pytest.raises(ConfigError, match="motion_channel 2 was given; the image has 2 channels"):
        reconstruct(image, "time-lapse", steps=1, **settings)
