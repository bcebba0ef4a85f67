"""Frames are compared at the same places in the whole and in parts, evenly and everywhere."""

import numpy as np
import pytest

from napari_cellinr.methods.spatime.between.places import Places

MANY = 1000


def places(frame, *asked):
    """All places of a lattice, in the part of the frame that is asked for, (places, axes)."""
    return np.stack(np.meshgrid(*frame.axes(*asked), indexing="ij"), -1).reshape(
        -1, len(frame.shape)
    )


@pytest.mark.parametrize(
    ("shape", "corner", "part"),
    [((200, 300), (96, 32), (60, 100)), ((12, 90, 80), (0, 48, 16), (12, 42, 30))],
)
@pytest.mark.parametrize("step", [0, 7])
def test_a_part_has_the_places_of_the_whole_that_lie_in_it(shape, corner, part, step):
    whole = places(Places(shape, 3), step, MANY, shape)
    found = places(Places(shape, 3, corner), step, MANY, part)
    inside = whole - corner
    inside = inside[((inside >= 0) & (inside <= np.array(part) - 1)).all(1)]
    np.testing.assert_allclose(found, inside, atol=1e-4)


@pytest.mark.parametrize("shape", [(200, 200), (12, 60, 60), (3, 120, 120), (1, 400), (2, 5000)])
def test_a_frame_has_about_as_many_places_as_are_asked_for(shape):
    asked = min(MANY, int(np.prod(shape)))
    counts = [len(places(Places(shape), step, MANY, shape)) for step in range(20)]
    assert np.mean(counts) == pytest.approx(asked, rel=0.2)


def test_large_frames_have_more_places_and_coarse_ones_fewer():
    def count(shape, level):
        return len(places(Places(shape), 0, MANY, shape, level))

    assert count((1000, 1000), 1) == pytest.approx(20_000, rel=0.05)
    assert count((64, 64), 4) == pytest.approx(256, rel=0.1)


@pytest.mark.parametrize("part", [(64, 64), (65, 67), (33, 90)])
@pytest.mark.parametrize("level", [2, 4])
def test_coarse_parts_have_the_places_of_the_whole(level, part):
    """However the size of a coarse part is rounded: as many places are asked for as can be."""
    shape, corner = (200, 300), (50, 70)
    whole = places(Places(shape, 3), 5, 30_000, shape, level) - corner
    found = places(Places(shape, 3, corner), 5, 30_000, part, level)
    inside = whole[((whole >= 0) & (whole <= np.array(part) - 1)).all(1)]
    np.testing.assert_allclose(found, inside, atol=1e-4)


def test_all_parts_of_a_frame_are_looked_at_in_some_steps():
    found = np.concatenate([places(Places((40, 40)), n, 16, (40, 40)) for n in range(50)])
    counts, _, _ = np.histogram2d(*found.T, bins=8, range=[[0, 39], [0, 39]])
    assert counts.min() > 0.5 * counts.mean()


def test_no_place_lies_outside():
    for shape in ((2, 7), (1, 30, 30), (5, 1, 9), (1, 1)):
        for step in range(10):
            found = places(Places(shape, step), step, 5, shape)
            assert len(found) > 0
            assert (found >= 0).all()
            assert (found <= np.array(shape) - 1 + 1e-5).all()
