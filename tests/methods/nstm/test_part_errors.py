"""Error of the motion of parts of a phase: how well the frames tell it, and how far off it is."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from random_phase import TIMES, recording
from scipy.ndimage import gaussian_filter

from napari_cellinr import Image
from napari_cellinr.methods.nstm.checks.parts import THREE_QUARTERS
from napari_cellinr.methods.nstm.checks.texture import lost_part, motion_error, structured
from napari_cellinr.methods.nstm.phases.curvature import FURTHEST, OFF_UNIFORM, covariance
from napari_cellinr.methods.nstm.phases.errors import KnownParts, between
from napari_cellinr.methods.nstm.phases.likelihood import local_motion
from napari_cellinr.methods.nstm.phases.seen import motion_of_seen
from napari_cellinr.methods.nstm.rendering.render import Rendering

MIDDLES = np.array([(y, x) for y in (24.0, 40.0) for x in (24.0, 40.0)])

MOMENTS = np.array([0.0, 0.5, 1.0])


def springs(stiffness, shifts):
    """Return a log-likelihood whose pairs have given (2, 2) stiffnesses, largest at the shifts."""

    def likely(one, other, shift):
        off = shift - (shifts[other] - shifts[one]).reshape(2, *[1] * (shift.ndim - 1))
        return -0.5 * np.einsum("a...,ab,b...->...", off, stiffness[one, other], off)

    return likely


def variance_between(found, one, other):
    """Return the variance of a displacement between two frames."""
    return found[one, one] + found[other, other] - 2 * found[one, other]


def test_two_frames_tell_a_displacement_as_well_as_their_pair_is_stiff():
    stiff = np.array([[4.0, 1.0], [1.0, 2.0]])
    shifts = np.array([[0.0, 0.0], [3.0, -1.0]])
    found = covariance(springs({(0, 1): stiff}, shifts), shifts, np.array([-0.5, 0.5]))
    assert variance_between(found, 0, 1) == pytest.approx(np.trace(np.linalg.inv(stiff)), rel=1e-6)
    np.testing.assert_allclose(found.sum(0), 0, atol=1e-9)  # what all share is left out


def test_more_frames_are_springs_and_a_spring_to_uniform_motion():
    """The same by the precision of the displacements from the first frame."""
    rng = np.random.default_rng(0)
    n, times = 4, np.array([-0.5, -0.1, 0.2, 0.5])
    shifts = rng.standard_normal((n, 2))
    stiff = {pair: np.eye(2) * rng.uniform(1, 5) for pair in combinations(range(n), 2)}
    off = np.eye(n) - np.linalg.pinv(np.stack([np.ones(n), times])) @ np.stack([np.ones(n), times])
    precision = off / OFF_UNIFORM**2
    for (one, other), spring in stiff.items():
        way = np.eye(n)[other] - np.eye(n)[one]
        precision = precision + spring[0, 0] * np.outer(way, way)
    true = 2 * np.linalg.inv(precision[1:, 1:])  # both axes
    found = covariance(springs(stiff, shifts), shifts, times)
    for k in range(1, n):
        assert variance_between(found, 0, k) == pytest.approx(true[k - 1, k - 1], rel=1e-6)


def test_frames_that_tell_nothing_leave_a_part_anywhere():
    none = {(0, 1): np.zeros((2, 2))}
    found = covariance(springs(none, np.zeros((2, 2))), np.zeros((2, 2)), np.array([-0.5, 0.5]))
    assert found[0, 0] == pytest.approx(FURTHEST**2)  # half of it along each axis


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_the_error_of_parts_is_that_of_repeated_recordings(noise):
    """Of squared errors, relative to the stated variance, the mean is 1."""
    parts = []
    for seed in range(8):
        frames, transfer = recording(((2.0, 4.0), (2.0, 4.0)), noise=noise, seed=seed)
        found = local_motion(frames, transfer, (64, 64), TIMES, noise, places=MIDDLES)
        off = np.square(found.shifts[:, -1] - found.shifts[:, 0] - (2.0, 4.0)).sum(1)
        told = [variance_between(one, 0, 3) for one in found.covariances]
        parts.append(off / told)
    assert 0.8 < np.sqrt(np.mean(parts)) < 1.25


def test_a_stop_does_not_wait_for_the_errors_of_all_parts():
    """All four parts are looked at twice; the job is stopped after the error of the first."""
    frames, transfer = recording(((0.0, 4.0), (0.0, 4.0)), noise=0.05)
    asked = iter([False] * 9 + [True])
    found = local_motion(
        frames, transfer, (64, 64), TIMES, 0.05, places=MIDDLES, is_stopped=lambda: next(asked)
    )
    assert found is None


def test_a_frame_without_data_leaves_what_the_others_tell():
    frames, transfer = recording(((0.0, 4.0), (0.0, 4.0)), noise=0.05)
    seen = np.ones(frames.shape, bool)
    seen[1] = False
    found = motion_of_seen(frames, transfer, (64, 64), TIMES, 0.05, seen)
    others = motion_of_seen(
        frames[[0, 2, 3]],
        tuple(part[[0, 2, 3]] for part in transfer),
        (64, 64),
        TIMES[[0, 2, 3]],
        0.05,
        seen[[0, 2, 3]],
    )
    for one, other in zip(found.covariances, others.covariances, strict=True):
        assert variance_between(one, 0, 3) == pytest.approx(variance_between(other, 0, 2))
        # The place in the missing frame is half-way between both others.
        assert one[1, 1] == pytest.approx((one[0, 0] + one[2, 2] + 2 * one[0, 2]) / 4)


def parts_of(speeds, variance, middles):
    """Return parts in three frames that move uniformly; the variance is that of first to last."""
    shifts = np.array([-0.5, 0.0, 0.5])[:, None] * np.reshape(speeds, (-1, 1, 2))
    one = variance / 4 * np.array([[1.0, 0, -1], [0, 0, 0], [-1, 0, 1]])
    return KnownParts(
        np.reshape(middles, (-1, 1, 2)) + shifts, np.stack([one] * len(shifts)), MOMENTS
    )


def field_of(motion, side=32):
    """Return motion that is the same everywhere, for three frames with the first as reference."""
    return MOMENTS[:, None, None, None] * np.reshape(motion, (2, 1, 1)) + np.zeros(
        (3, 2, side, side)
    )


@pytest.mark.parametrize(
    ("motion", "variance", "error"),
    [((0, 0), 0.0, 0.0), ((3, 4), 0.0, 5.0), ((0, 0), 9.0, 3.0), ((3, 4), 144.0, 13.0)],
)
def test_the_error_is_the_distance_from_the_part_and_its_uncertainty(motion, variance, error):
    parts = parts_of([(2.0, -1.0)], variance, [(16.0, 16.0)])
    moved = field_of(np.add((2.0, -1.0), motion))
    found = parts.errors(moved, MOMENTS, 0.0)
    np.testing.assert_allclose(found[0], 0, atol=1e-6)
    np.testing.assert_allclose(found[1], error / 2, atol=1e-5)
    np.testing.assert_allclose(found[2], error, atol=1e-5)
    earlier = parts.errors(moved[::2], (0.0, 0.75), 0.0)[1]
    far = np.hypot(np.linalg.norm(np.add((0.5, -0.25), motion)), 0.75 * variance**0.5)
    np.testing.assert_allclose(earlier, far, atol=1e-5)


def test_colours_of_one_exposure_have_the_same_moment():
    """Three colours at each of two times are six frames."""
    places = np.repeat([[[16.0, 14.0], [16.0, 18.0]]], 3, axis=1)
    parts = KnownParts(places, np.zeros((1, 6, 6)), np.repeat([0.0, 1.0], 3))
    moved = np.stack([np.zeros((2, 32, 32)), np.zeros((2, 32, 32))])
    found = parts.errors(moved, (0.0, 1.0), 0.0)
    np.testing.assert_allclose(found[1], 4.0, atol=1e-5)


def test_colours_of_one_exposure_count_the_same():
    """Once, only the last of them did."""
    found = between([0.0, 0.25, 1.0], np.repeat([0.0, 1.0], 2))
    np.testing.assert_allclose(
        found, [[0.5, 0.5, 0, 0], [3 / 8, 3 / 8, 1 / 8, 1 / 8], [0, 0, 0.5, 0.5]]
    )


def test_a_colour_keeps_the_motion_that_it_tells():
    frames, transfer = recording(((0.0, 4.0), (0.0, 4.0)), noise=0.05)
    moments, seen = np.repeat([0.0, 1.0], 2), np.ones(frames.shape, bool)
    found = motion_of_seen(frames, transfer, (64, 64), moments, 0.05, seen)
    own = local_motion(frames, transfer, (64, 64), moments, 0.05, places=found.places)
    np.testing.assert_allclose(found.shifts, own.shifts)
    np.testing.assert_allclose(found.covariances, own.covariances)


def test_the_parts_beside_a_position_at_the_reference_time_count():
    parts = parts_of([(0.0, 8.0), (0.0, 0.0)], 0.0, [(16.0, 8.0), (16.0, 26.0)])
    moved = field_of((0.0, 8.0))
    found = parts.errors(moved, MOMENTS, 0.0)[2]
    assert found[16, 4] == pytest.approx(0.0, abs=0.1)  # the first part is here in the first frame
    assert found[16, 17] == pytest.approx(8.0, abs=0.1)  # 13 pixels from it, 9 from the other one
    later = parts.errors(moved - moved[2], MOMENTS, 1.0)[0]
    assert later[16, 17] < 1.0  # now they are 5 and 9 pixels from it
    assert later[16, 12] == pytest.approx(0.0, abs=0.1)


def moving_spot(noise, speed=8.0, side=64):
    """Return frames of a spot that moves along X from 20, with noise, and its true motion."""
    rng = np.random.default_rng(0)
    frames = noise * rng.standard_normal((4, side, side))
    for number, time in enumerate(TIMES):
        spot = np.zeros((side, side))
        spot[32, round(20 + speed * time)] = 2 * np.pi * 9
        frames[number] += gaussian_filter(spot, 3.0)
    moved = TIMES[:, None, None, None] * np.reshape((0.0, speed), (2, 1, 1))
    return frames, moved + np.zeros((4, 2, side, side))


def test_structure_is_where_the_material_is_in_the_reference_frame():
    frames, moved = moving_spot(0.2)
    there = structured(frames, np.ones(frames.shape, bool), 0.2, moved)
    assert there[32, 20]
    assert not there[32, 36]  # eight pixels beyond where it is at the end
    assert not there[:, :8].any()
    assert there.mean() < 0.1


def test_noise_is_no_structure():
    frames, moved = moving_spot(0.2)
    noise = 0.2 * np.random.default_rng(1).standard_normal((4, 256, 256))
    still = np.zeros((4, 2, 256, 256))
    assert structured(noise, np.ones(noise.shape, bool), 0.2, still).mean() < 2e-3
    assert structured(noise, np.ones(noise.shape, bool), 0.1, still).mean() > 0.99
    blank = np.zeros(frames.shape, bool)
    assert not structured(frames, blank, 0.2, moved).any()


def test_the_motion_error_is_the_mean_square_of_parts_and_checks():
    """Both fits that check are 5 pixels off, and see three quarters: √3 times that."""
    moved = np.zeros((3, 2, 16, 16), np.float32)
    rendering = SimpleNamespace(
        model=SimpleNamespace(shape=SimpleNamespace(layers=1)),
        settings={"zoom": (1.0, 1.0), "seen": THREE_QUARTERS, "frames": [0.0, 1.0, 2.0]},
        inner=(slice(0, 16), slice(0, 16)),
        halves=(np.reshape((3.0, 4.0), (2, 1, 1)), np.reshape((-4.0, 3.0), (2, 1, 1))),
        displacement=lambda *_: moved,
        parts=SimpleNamespace(errors=lambda *_: np.full((3, 16, 16), 2.0)),
        _moved=lambda half, *_: moved + half,
        _part=lambda times: torch.tensor(times),
    )
    found = Rendering.errors(rendering, [0.0, 1.0, 2.0], 0.0)
    assert found == pytest.approx(np.sqrt((3 * 25 + 4) / 2), rel=1e-5)
    rendering.parts, rendering.settings["error_factor"] = None, 2.0  # as versions before saved it
    assert Rendering.errors(rendering, [0.0, 1.0, 2.0], 0.0) == pytest.approx(2 * 75**0.5, rel=1e-5)


def test_only_what_the_frames_show_is_doubted():
    scene = np.broadcast_to(np.random.default_rng(0).random((20, 20)), (2, 20, 20))
    error = np.full((2, 20, 20), 0.2, np.float32)
    error[1, :15] = 3.0  # three quarters, where nothing is shown but for five rows
    blank = np.zeros((2, 20, 20))
    arrays = [(scene, "TYX"), (np.zeros((2, 2, 20, 20)), "TCYX"), (blank, "TYX"), (blank, "TYX")]
    images = [Image(np.array(one, np.float32), axes) for one, axes in [*arrays, (error, "TYX")]]
    there = np.arange(20)[:, None] + np.zeros((20, 20), int) >= 10
    assert motion_error(images, 0) == pytest.approx(3.0)
    assert lost_part(images, error, 0)[0] == pytest.approx(0.75, abs=0.05)
    error[1, 12:15] = 0.2
    images[4] = Image(error, "TYX")
    assert motion_error(images, 0, there) == pytest.approx(0.2)
    assert lost_part(images, error, 0, there)[0] == pytest.approx(0.2)
    nothing = np.zeros((20, 20), bool)
    assert motion_error(images, 0, nothing) == motion_error(images, 0)
