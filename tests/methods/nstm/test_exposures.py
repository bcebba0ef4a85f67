"""How wrong the motion may be between two exposures of the same material."""

import numpy as np
import pytest
import torch

from napari_cellinr.methods.nstm.checks.exposures import delays_of, error_between
from napari_cellinr.optics.blur import BlurModel, line_times

FRAMES = (0.0, 1.0, 2.0, 3.0)
ACCELERATION = 4.0


def moving(frames=FRAMES, sizes=(3, 1)):
    """Return the displacement y = a t² / 2 of all material at each frame."""
    when = np.asarray(frames, np.float32)
    moved = np.zeros((len(when), 2, *sizes), np.float32)
    moved[:, 1] = (ACCELERATION * when**2 / 2)[:, None, None]
    return moved


@pytest.mark.parametrize("time", [0.25, 1.5, 2.9])
def test_it_is_the_error_of_a_linear_interpolation(time):
    before, after = int(time), int(time) + 1
    ends = [ACCELERATION * t**2 / 2 for t in (before, after)]
    linear = ends[0] + (time - before) * (ends[1] - ends[0])
    found = error_between(moving(), FRAMES, None, [time])
    np.testing.assert_allclose(found, abs(linear - ACCELERATION * time**2 / 2), rtol=1e-5)


def test_at_the_time_of_an_exposure_it_is_zero():
    assert not error_between(moving(), FRAMES, None, FRAMES).any()
    delays = np.full((4, 1, 1), 0.25, np.float32)
    assert not error_between(moving(), FRAMES, delays, [1.25]).any()


def test_beyond_the_last_exposure_it_is_that_of_a_linear_extrapolation():
    delays = np.full((4, 1, 1), -0.5, np.float32)  # the last exposure is at 2.5
    (found,) = error_between(moving(), FRAMES, delays, [3.0])
    ends = [ACCELERATION * t**2 / 2 for t in (1.5, 2.5)]
    linear = ends[1] + 0.5 * (ends[1] - ends[0])
    np.testing.assert_allclose(found, abs(linear - ACCELERATION * 9 / 2), rtol=1e-5)


def test_each_row_counts_from_its_own_exposure():
    delays = np.array([-0.5, 0.0, 0.25], np.float32).reshape(1, 3, 1).repeat(4, 0)
    still_in_y = moving()
    (found,) = error_between(still_in_y, FRAMES, delays, [2.0])
    rows = [ACCELERATION / 2 * gap for gap in (0.5 * 0.5, 0.0, 0.75 * 0.25)]
    np.testing.assert_allclose(found[:, 0], rows, rtol=1e-5)


def test_the_row_is_that_of_the_material_in_each_frame():
    """What is in the first row at the reference time is in the last one in these frames."""
    moved = moving()
    moved[:, 0] = 2
    delays = np.array([-0.5, 0.0, 0.25], np.float32).reshape(1, 3, 1).repeat(4, 0)
    found = error_between(moved, FRAMES, delays, [2.0])[0, 0, 0]
    assert found == pytest.approx(ACCELERATION / 2 * 0.75 * 0.25, rel=1e-5)


def test_steady_motion_and_few_frames_leave_nothing_open():
    steady = moving()
    steady[:, 1] = np.arange(4, dtype=np.float32)[:, None, None]
    np.testing.assert_allclose(error_between(steady, FRAMES, None, [0.5, 2.5]), 0, atol=1e-6)
    assert not error_between(moving()[:2], FRAMES[:2], None, [0.5]).any()
    assert not error_between(moving(), (0.0, 1.0, 1.0, 2.0), None, [0.5]).any()


def test_the_delays_are_those_of_the_rows_without_padding():
    starts = torch.tensor([0.0, 1.0])
    scan = BlurModel((2, 5, 4), line_times(starts, 5, 0.1), torch.ones(3, 3) / 9)
    assert any(scan.padding)
    delays = delays_of(scan)
    assert delays.shape == (2, 5, 1)
    np.testing.assert_allclose(delays[0, :, 0], [-0.2, -0.1, 0, 0.1, 0.2], atol=1e-6)
    assert delays_of(BlurModel((2, 5, 4), starts)) is None
