"""What was lost in readout is replaced; masked objects and moved frames stay as they are."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr.methods.spatime.between.faults import faulty_frames, without_lost_parts


def cells(radii, columns, size=96):
    """Return a series of a round cell outside of which all values are 0."""
    random, (y, x) = np.random.default_rng(0), np.indices((size, size))
    texture = 200 + 50 * gaussian_filter(random.normal(size=(size, size)), 2)
    frames = [
        np.where((y - 48) ** 2 + (x - c) ** 2 < r * r, random.normal(texture, 3), 0)
        for r, c in zip(radii, columns, strict=True)
    ]
    return np.array(frames, np.float32)


@pytest.mark.parametrize(
    ("radii", "columns"),
    [
        ([20, 23, 24, 25, 26, 27, 28, 29], [48] * 8),  # it grows
        ([26] * 8, [48] * 7 + [54]),  # it has moved in the last frame
        ([26] * 8, range(30, 62, 4)),
        ([28, 28, 28, 20, 28, 28, 28, 28], [48] * 8),  # it shrinks for a moment
    ],
)
def test_a_masked_cell_is_never_incomplete(radii, columns):
    assert faulty_frames(cells(radii, columns)) == {}


@pytest.mark.parametrize(
    "widths", [(0, 0, 1, 2, 3, 4, 6, 10), (0, 2, 4, 8, 4, 2, 0, 0), (3, 2, 3, 9, 3, 2, 3, 3)]
)
def test_borders_of_a_registered_series_are_no_fault(widths):
    points = np.random.default_rng(0).random((96, 96)) < 0.02
    light = np.broadcast_to(20 + 2000 * gaussian_filter(points.astype(float), 2), (8, 96, 96))
    frames = np.random.default_rng(0).poisson(light).astype(np.float32)
    for frame, width in zip(frames, widths, strict=True):
        frame[:, :width], frame[:width] = 0, 0
    assert faulty_frames(frames) == {}
    assert faulty_frames(frames[[0, 5, 7]]) == {}


@pytest.mark.parametrize("radius", [4.2, 5.0, 5.9])
def test_a_masked_volume_stays_as_it_is(radius):
    """Planes above and below the specimen were once filled with copies of it."""
    z, y, x = np.indices((12, 64, 64))
    texture = np.random.default_rng(0).normal(200, 30, z.shape)
    inside = ((z - 5.5) / radius) ** 2 + ((y - 32) ** 2 + (x - 32) ** 2) / 28**2 < 1
    volume = np.where(inside, texture, 0).astype(np.float32)[None]
    two = np.concatenate([volume, volume], axis=1)  # one above the other, with empty planes between
    for whole in (volume, two):
        assert without_lost_parts(whole, ())[0] is whole


@pytest.mark.parametrize("place", [0, 5, 11])
def test_planes_at_the_ends_of_a_stack_stay_if_they_are_dark(place):
    bad = np.random.default_rng(0).poisson(50, (1, 12, 32, 32)).astype(np.float32)
    bad[0, place] = 0
    assert (without_lost_parts(bad, ())[0] is bad) == (place != 5)
    bad[0, place] = 65535
    assert without_lost_parts(bad, ())[0].max() < 200


@pytest.mark.parametrize("border", [0, 4])
@pytest.mark.parametrize(
    "lost", [np.s_[3, :, 16:], np.s_[3, :, :, :12], np.s_[3, 2:], np.s_[3, :, 10:20]]
)
def test_rows_columns_and_planes_of_one_frame_are_lost(border, lost):
    frames = np.random.default_rng(0).poisson(50, (8, 6, 32, 32)).astype(np.float32)
    frames[:, :, :border], frames[:, :, :, :border] = 0, 0  # as beside a registered series
    assert faulty_frames(frames) == {}
    frames[lost] = 0
    assert faulty_frames(frames) == {3: "incomplete"}


def test_half_a_plane_is_lost():
    volume = np.random.default_rng(0).poisson(50, (1, 12, 32, 32)).astype(np.float32)
    volume[0, 4, 16:] = 0
    repaired, (text,) = without_lost_parts(volume, ())
    assert np.array_equal(repaired[0, 4], (volume[0, 3] + volume[0, 5]) / 2)
    assert "has a plane without data, or with a part without data (plane 5); a plane" in text


@pytest.mark.parametrize(("place", "number"), [(0, 1), (11, 12)])
def test_black_planes_at_the_ends_of_a_stack_are_named(place, number):
    volume = np.random.default_rng(0).poisson(50, (1, 12, 32, 32)).astype(np.float32)
    assert without_lost_parts(volume, ())[1] == []
    volume[0, place] = 0
    same, (text,) = without_lost_parts(volume, ())
    assert same is volume
    assert f"a plane without data at an end of the stack (plane {number}); it stays" in text


def test_a_plane_that_was_stored_twice_is_interpolated_and_named():
    volume = np.random.default_rng(0).poisson(50, (1, 12, 32, 32)).astype(np.float32)
    usual = volume.copy()
    volume[0, 4] = volume[0, 3]
    repaired, (text,) = without_lost_parts(volume, ())
    assert np.array_equal(repaired[0, 4], (usual[0, 3] + usual[0, 5]) / 2)
    assert np.array_equal(np.delete(repaired[0], 4, 0), np.delete(usual[0], 4, 0))
    assert text == (
        "The image has a plane that is the same as the plane before it to the bit, as if stored "
        "twice (plane 5); a plane interpolated along Z takes its place."
    )
    volume[0, 8] = volume[0, 7]
    _, (text,) = without_lost_parts(volume, ())
    assert text == (
        "The image has planes that are the same as the plane before them to the bit, as if stored "
        "twice (planes 5, 9); planes interpolated along Z take their place."
    )


def test_planes_without_noise_may_be_the_same():
    volume = np.repeat(cells([26], [48]), 4, 0)[None]
    volume[0] = gaussian_filter(volume[0], (0, 3, 3))
    assert without_lost_parts(volume, ())[0] is volume
