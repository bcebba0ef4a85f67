"""Offsets of rows, columns and pixels are found where they are, and nowhere else."""

import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic.camera.camera_pattern import find_pattern
from napari_cellinr.classic.camera.pixel_offsets import find_pixel_offsets

SHAPE = (16, 64, 64)


def recorded(seed=0, photons=30.0, shape=SHAPE):
    generator = np.random.default_rng(seed)
    points = (generator.random(shape) < 1 / 100) * generator.lognormal(0, 0.5, shape)
    specimen = gaussian_filter(points, 1.0)
    light = photons * (specimen / np.percentile(specimen, 99.9) + 0.05)
    return 100 + 2 * generator.poisson(light) + generator.normal(0, 3, shape)


def left(found, offsets):
    return (found.offsets - offsets + offsets.mean()).std()


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [SHAPE, (1, 128, 128)])
def test_stripes(axis, shape):
    lines = np.random.default_rng(5).normal(0, 8, shape[-1])
    offsets = np.broadcast_to(lines[:, None] if axis == 0 else lines, shape[1:])
    found = find_pattern(recorded(shape=shape) + offsets)
    assert found.kinds == (("rows", "columns")[axis],)
    assert left(found, offsets) < 0.07 * offsets.std()
    assert found.uncertainty == pytest.approx(offsets.std() / np.sqrt(shape[-1]), rel=0.1)


def test_a_slope_of_the_background_is_no_pattern():
    """It is larger than random offsets would have it."""
    lines = np.random.default_rng(5).normal(0, 4, SHAPE[1])
    slope = np.linspace(-60, 60, SHAPE[1])
    found = find_pattern(recorded() + (lines + slope)[:, None]).offsets[:, 0]
    assert abs(np.polyfit(slope, found, 1)[0]) < 0.15


def test_pixels_of_a_stack():
    offsets = np.random.default_rng(6).normal(0, 6, SHAPE[1:])
    found = find_pattern(recorded() + offsets)
    assert found.kinds == ("pixels",)
    assert left(found, offsets) < 0.36 * offsets.std()
    assert 0.4 * left(found, offsets) < found.pixel_error < left(found, offsets)
    assert find_pattern((recorded() + offsets)[:4]) is None  # too few images to tell


def test_pixels_of_large_planes_need_little_memory():
    planes = np.float32(recorded(shape=(12, 256, 256)))
    planes += np.float32(np.random.default_rng(6).normal(0, 6, planes.shape[1:]))
    tracemalloc.start()
    assert find_pixel_offsets(planes) is not None
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 38 * planes.size


def test_both_together():
    generator = np.random.default_rng(7)
    offsets = generator.normal(0, 6, SHAPE[1:]) + generator.normal(0, 8, (SHAPE[1], 1))
    found = find_pattern(recorded() + offsets)
    assert found.kinds == ("rows", "pixels")
    assert left(found, offsets) < 0.4 * offsets.std()


@pytest.mark.parametrize("photons", [3, 30, 3000])
@pytest.mark.parametrize("seed", range(3))
def test_a_specimen_is_no_pattern(photons, seed):
    assert find_pattern(recorded(seed, photons)) is None
    same = np.broadcast_to(recorded(seed, 1e6, (1, 64, 64)), (16, 64, 64))
    still = np.random.default_rng(seed).poisson(same * photons / 1e6).astype(float)
    assert find_pattern(still) is None


def test_a_straight_fibre_is_no_row():
    images = recorded()
    images[:, 30] += 100
    images = gaussian_filter(images, (0, 1, 0))
    assert find_pattern(images) is None


@pytest.mark.parametrize("size", [40, 64, 128])
@pytest.mark.parametrize("kind", ["edge", "wall", "line", "hot", "dead"])
def test_straight_edges_and_single_bad_lines_are_no_pattern(size, kind):
    """A hot column once raised all others by its mean, and an edge was subtracted."""
    light = np.full((size, size), 50.0)
    columns = {"edge": slice(size // 2, None), "wall": slice(20, 24)}.get(kind, slice(20, 21))
    light[:, columns] = {"edge": 5000, "hot": 65535, "dead": 0}.get(kind, 150)
    images = np.random.default_rng(0).poisson([light] * 2).astype(float)
    assert find_pattern(images) is None


def test_a_hot_column_does_not_change_the_offsets_of_the_others():
    columns = np.random.default_rng(5).normal(0, 8, SHAPE[-1])
    images = recorded() + columns
    usual = find_pattern(images).offsets
    images[:, :, 20] = 65535
    others = np.arange(SHAPE[-1]) != 20
    assert np.abs(find_pattern(images).offsets - usual)[:, others].max() < 4


def test_small_images_have_no_pattern():
    assert find_pattern(recorded(shape=(16, 20, 20))) is None
    assert find_pattern(np.zeros((16, 64, 64))) is None
