"""Single hot and dead rows and columns: found with their ends and height; filaments are none."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic.camera.hot_lines import (
    hot_lines,
    lines_text,
    may_have_lines,
    without_lines,
)

SIZE = 64


def specimen(planes, seed=0):
    """Return blurred dots on a floor of 30 photons, the same number in all planes."""
    generator = np.random.default_rng(seed)
    values = np.zeros((planes, SIZE, SIZE))
    for place in generator.uniform(0, 1, (planes * 25, 3)) * values.shape:
        values[tuple(place.astype(int))] += 1500
    return 30 + gaussian_filter(values, (0, 1.0, 1.0))


def recorded(truth, seed=1):
    return np.random.default_rng(seed).poisson(truth).astype(np.float32)


@pytest.mark.parametrize("planes", [1, 6])
@pytest.mark.parametrize("height", [20, 60, 600, -25])
@pytest.mark.parametrize(("axis", "number"), [(1, 20), (1, 1), (1, SIZE - 1), (0, 33)])
def test_a_line_is_found_with_its_height(planes, height, axis, number):
    values = recorded(specimen(planes))
    clean = values.copy()
    values[(slice(None), *((number,) if axis == 0 else (slice(None), number)))] += height
    (line,) = hot_lines(values)
    assert (line.axis, line.number, line.start, line.stop) == (axis, number, 0, SIZE)
    assert line.height == pytest.approx(height, abs=5)
    assert np.abs(without_lines(values, [line]) - clean).max() < 5


@pytest.mark.parametrize("part", [slice(0, 32), slice(32, None), slice(0, 20)])
def test_a_part_of_a_line_from_an_edge_on_is_found_with_its_end(part):
    values = recorded(specimen(4))
    values[:, part, 40] += 60
    (line,) = hot_lines(values)
    start, stop, _ = part.indices(SIZE)
    assert (line.axis, line.number) == (1, 40)
    assert abs(line.start - start) <= 1
    assert abs(line.stop - stop) <= 1


def test_several_lines_are_found():
    values = recorded(specimen(4))
    for column in (5, 30, 50):
        values[:, :, column] += 40
    values[:, 12] -= 20
    places = {(line.axis, line.number) for line in hot_lines(values)}
    assert places == {(1, 5), (1, 30), (1, 50), (0, 12)}


@pytest.mark.parametrize("sigma", [0.7, 0.9, 1.5])
@pytest.mark.parametrize("centre", [30.0, 30.25, 30.5])
@pytest.mark.parametrize("planes", [1, 6])
def test_a_filament_along_the_whole_image_is_none(sigma, centre, planes):
    profile = np.exp(-((np.arange(SIZE) - centre) ** 2) / 2 / sigma**2)
    for height in (15, 60, 600):
        assert hot_lines(recorded(specimen(planes) + height * profile)) == []


@pytest.mark.parametrize("seed", range(5))
def test_images_without_a_line_have_none(seed):
    assert hot_lines(recorded(specimen(3, seed), seed)) == []
    assert hot_lines(recorded(specimen(1, seed), seed)) == []


def test_offsets_of_all_columns_are_a_pattern_and_no_lines():
    values = recorded(specimen(6))
    assert hot_lines(values + 15 * np.random.default_rng(3).standard_normal(SIZE)) == []


def test_small_and_blank_images_have_none():
    assert hot_lines(np.zeros((2, 8, 8), np.float32)) == []
    assert hot_lines(np.zeros((2, SIZE, SIZE), np.float32)) == []


def test_the_sentence_names_the_line():
    values = recorded(specimen(2))
    values[:, :, 20] += 60
    text = lines_text(hot_lines(values), " in channel 2")
    assert "1 hot or dead column of the camera in channel 2 (column 20, pixels 0 to 63)" in text


def test_no_plane_with_a_line_is_passed_over():
    """The look at many planes at a time leaves out none in which a line is found."""
    planes = np.concatenate([recorded(specimen(1, seed), seed) for seed in range(6)])
    planes[1, 20] += 60
    planes[3, :, 30] -= 60
    planes[4, 12, planes.shape[2] // 2 :] += 90
    found = [number for number in range(6) if hot_lines(planes[[number]])]
    assert found == [1, 3, 4]
    assert set(found) <= set(np.flatnonzero(may_have_lines(planes)).tolist())
    assert not may_have_lines(planes[[0, 2, 5]]).all()
