"""Interpolation keeps what it is given, and the map says where its samples lie."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from napari_cellinr.classic.interpolate import interpolate, resample
from napari_cellinr.classic.sampling import sampling, samplings
from napari_cellinr.classic.warping import between_frames
from napari_cellinr.errors import AxesError, ConfigError
from napari_cellinr.image import Image

KINDS = ("linear", "cubic", "spline")


@pytest.fixture
def generator():
    return np.random.default_rng(3)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_kept(kind, generator):
    data = generator.random((6, 4, 5))
    found = resample(data, np.arange(6.0), 0, kind)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, data, atol=1e-6)


@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_straight_lines_are_kept_up_to_the_ends(kind):
    found = resample(3.0 * np.arange(7), np.linspace(0, 6, 31), 0, kind)
    np.testing.assert_allclose(found, np.linspace(0, 18, 31), atol=1e-5)


def test_cubic_reproduces_parabolas_inside():
    places = np.linspace(1, 5, 17)
    np.testing.assert_allclose(resample(np.arange(7.0) ** 2, places, 0, "cubic"), places**2, 1e-5)


@pytest.mark.parametrize(
    ("kind", "order", "mode"), [("linear", 1, "nearest"), ("spline", 3, "mirror")]
)
def test_same_as_scipy(kind, order, mode, generator):
    data, places = generator.random(11), np.linspace(-0.6, 10.6, 40)
    expected = map_coordinates(data, [places], order=order, mode=mode)
    np.testing.assert_allclose(resample(data, places, 0, kind), expected, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 2])
def test_very_short_axes(kind, size):
    found = resample(np.full((size, 3), 7.0), np.linspace(-0.4, size - 0.6, 5), 0, kind)
    np.testing.assert_allclose(found, 7, rtol=1e-6)


@pytest.mark.parametrize("factor", [0.5, 1, 1.5, 2, 2.5, 16])
@pytest.mark.parametrize("size", [1, 5, 24])
def test_edges_agree_in_space_and_frames_stay_in_time(factor, size):
    space, time = sampling(size, factor, "Z"), sampling(size, factor, "T")
    assert space.positions[0] - space.step / 2 == pytest.approx(-0.5)
    assert space.positions[-1] + space.step / 2 == pytest.approx(size - 0.5)
    assert time.start == 0
    assert time.n_out == int((size - 1) * factor + 1e-9) + 1
    assert time.positions[-1] <= size - 1 + 1e-9


def test_place_and_steps_of_the_result(generator):
    image = Image(
        generator.random((5, 7, 8, 9)), "TZYX", (2, 0.4, 0.1, 0.1), translate=(6, 1, 0, 0)
    )
    result = interpolate(image, {"t": 2, "z": 2.5}, "cubic")
    assert result.shape == (9, 18, 8, 9)
    assert result.scale == pytest.approx((1, 0.4 * 7 / 18, 0.1, 0.1))
    edge = [i.translate[1] - i.scale[1] / 2 for i in (image, result)]
    assert edge[0] == pytest.approx(edge[1])
    np.testing.assert_allclose(
        result.array()[::2].mean(axis=1), image.array().mean(axis=1), atol=0.05
    )


@pytest.mark.parametrize(
    ("factors", "said"),
    [({"z": 0}, "at most 16"), ({"z": 17}, "at most 16"), ({"z": float("nan")}, "at most 16")],
)
def test_factors_that_are_refused(factors, said, generator):
    with pytest.raises(ConfigError, match=said):
        interpolate(Image(generator.random((3, 4, 4))), factors, "linear")


def test_axes_and_frames_that_are_refused(generator):
    with pytest.raises(AxesError, match="axis 'T'"):
        samplings(Image(generator.random((3, 4, 4))), {"t": 2})
    with pytest.raises(ConfigError, match="only one frame"):
        samplings(Image(generator.random((1, 3, 4, 4))), {"t": 2})
    with pytest.raises(ConfigError, match="linear, cubic, spline"):
        resample(np.zeros(3), np.zeros(1), 0, "lanczos")


def moving_blob(times, n_axes):
    """A blob that moves 3 voxels per frame along the last axis."""
    grid = np.indices((20,) * (n_axes - 1) + (32,)).astype(float)
    middle = np.array([9.5] * (n_axes - 1) + [12.0]).reshape(-1, *[1] * n_axes)
    frames = []
    for t in times:
        move = np.zeros_like(middle)
        move[-1] = 3 * t
        frames.append(np.exp(-np.sum((grid - middle - move) ** 2, axis=0) / 30))
    return np.stack(frames).astype(np.float32)


@pytest.mark.parametrize("kind", ["ilk", "tvl1", "shift"])
@pytest.mark.parametrize("n_axes", [2, 3])
def test_warping_follows_motion_that_blending_does_not(kind, n_axes):
    settings = {"num_warp": 3, "num_iter": 5} if (kind, n_axes) == ("tvl1", 3) else {}
    frames, truth = moving_blob([0, 1], n_axes), moving_blob([0, 0.5, 1], n_axes)
    found = between_frames(frames, np.array([0, 0.5, 1]), kind, **settings)
    np.testing.assert_allclose(found[[0, 2]], frames, atol=1e-6)
    blended = resample(frames, np.array([0.5]), 0, "linear")[0]
    errors = [float(np.abs(f - truth[1]).mean()) for f in (found[1], blended)]
    assert errors[0] < 0.5 * errors[1]


def test_a_shift_of_the_whole_frame_is_found(generator):
    frame = generator.random((40, 40))
    moved = np.roll(frame, 4, axis=1)
    found = between_frames(np.stack([frame, moved]), np.array([0.5]), "shift")[0]
    np.testing.assert_allclose(found[:, 8:-8], np.roll(frame, 2, axis=1)[:, 8:-8], atol=1e-5)


def test_warping_refuses():
    with pytest.raises(AxesError, match="T, Z, Y, X"):
        between_frames(np.zeros((3, 3)), np.zeros(1))
    with pytest.raises(ConfigError, match="between 0 and 1"):
        between_frames(np.zeros((2, 3, 3)), np.array([1.5]))
