"""One voxel of 1e9: super-resolution and reconstruction are as good as without it, and name it."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr import Image, reconstruct, superresolve
from napari_cellinr.errors import DataError


def movie(shape, n_frames=5):
    """Return the light and a recording of spots that move to the right."""
    generator = np.random.default_rng(0)
    spots = gaussian_filter((generator.random(shape) < 0.03).astype(float), 2)
    light = np.stack([np.roll(30 + 150 * spots / spots.max(), n, -1) for n in range(n_frames)])
    return light, generator.poisson(light).astype(np.float32)


def error(found, light):
    return float(np.sqrt(np.mean((found - light) ** 2)))


@pytest.mark.parametrize(
    ("shape", "axes", "scale"), [((32, 32), "TYX", {"t": 2}), ((5, 24, 24), "TZYX", {"t": 2})]
)
@pytest.mark.parametrize("value", [1e9, -1e9])
def test_super_resolution(shape, axes, scale, value):
    light, frames = movie(shape)
    bad = frames.copy()
    bad[(2, *(size // 3 for size in shape))] = value
    settings = {"scale": scale, "preset": "preview"}
    usual, found = (superresolve(Image(f, axes), **settings) for f in (frames, bad))
    (text,) = [text for text in found.report["warnings"] if "impossible" in text]
    assert text.startswith(
        "Frame 3 has one voxel of an impossible value, far outside of all others; it"
    )
    assert not any("impossible" in text for text in usual.report["warnings"])
    a, b = (fit.images[0].array() for fit in (usual, found))
    assert np.abs(b - a).max() < 0.5 * np.ptp(frames)  # at that voxel, the noise of one frame
    assert np.abs(b - a).mean() < 0.1
    assert error(b[::2], light) < 1.01 * error(a[::2], light)  # the recorded times
    assert error(b[1::2], a[1::2]) < 0.5  # those between them


def test_reconstruction():
    light, frames = movie((32, 32), n_frames=6)
    bad = frames.copy()
    bad[2, 10, 10] = 1e9
    settings = {"preset": "preview", "steps": 20, "check_motion": False}
    usual, found = (reconstruct(Image(f, "TYX"), "time-lapse", **settings) for f in (frames, bad))
    assert any(
        "1 of 6 frames has pixels without data or with" in t for t in found.report["warnings"]
    )
    a, b = (fit.images[0].array() for fit in (usual, found))
    assert error(b, light) < 1.05 * error(a, light)
    assert found.report["held_out"] < 1.1 * usual.report["held_out"]


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
@pytest.mark.parametrize("noise", ["keep", "remove"])
def test_an_offset_of_1e15_is_refused_by_super_resolution(dtype, noise):
    """In single precision, all its grey levels would be the same."""
    _, frames = movie((16, 16), n_frames=3)
    image = Image(frames.astype(dtype) + dtype(1e15), "TYX")
    with pytest.raises(DataError, match="Subtract the offset"):
        superresolve(image, scale={"t": 2}, preset="preview", noise=noise)
