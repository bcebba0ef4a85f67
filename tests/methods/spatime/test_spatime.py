"""Motion between frames, blend weights, finer planes: known answers of the parts of SpatimeINR."""

import threading

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

from napari_cellinr.classic.sampling import sampling
from napari_cellinr.config import SpatimeConfig
from napari_cellinr.fields.trajectory import at_time, displacement, mirrored, spline_values
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.fitting.problem import finish
from napari_cellinr.methods.spatime import chosen
from napari_cellinr.methods.spatime.between.along import Moments, lagrange
from napari_cellinr.methods.spatime.between.blending import (
    BlendWeights,
    Predictions,
    blended,
    choose_attenuation,
)
from napari_cellinr.methods.spatime.between.flow import path_coefficients
from napari_cellinr.methods.spatime.between.motion import (
    MotionSettings,
    motion_problems,
)
from napari_cellinr.methods.spatime.between.places import Places
from napari_cellinr.methods.spatime.channel import ChannelFit
from napari_cellinr.methods.spatime.finer.planes import PlanesProblem, training_planes
from napari_cellinr.methods.spatime.finer.sections import MEANS, Samples
from napari_cellinr.methods.spatime.output_grid import OutputGrid
from napari_cellinr.methods.spatime.series import Series
from napari_cellinr.methods.spatime.state import SuperresolutionState

QUICK = MotionSettings(steps=(15, 15))


def follow(series, interval, settings=QUICK):
    """Fit the motion of one interval into a series, as a job does."""
    near = Moments().near(interval, len(series.frames))
    frames = series.scaled(series.frames[near])
    here = near.index(interval)
    start = path_coefficients(frames[here], frames[here + 1], settings.spacing)
    given = torch.from_numpy(frames), near, interval, torch.from_numpy(start)
    for problem in motion_problems(*given, settings, Places(series.frames.shape[1:])):
        finish(optimise(problem, SpatimeConfig(), Monitor()))
        series.motion[interval] = problem.model


@pytest.mark.parametrize("shape", [(9, 11), (5, 9, 11)])
def test_spline_lookup_is_that_of_scipy(shape):
    generator = np.random.default_rng(0)
    image = generator.random(shape).astype(np.float32)
    places = generator.random((50, len(shape))) * (np.array(shape) - 1)
    coefficients = torch.from_numpy(spline_filter(image, 3, output=np.float32, mode="mirror"))
    found = spline_values(mirrored(coefficients), torch.from_numpy(places).float())
    expected = map_coordinates(image, places.T, order=3, mode="mirror")
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_paths_are_followed_back():
    generator = torch.Generator().manual_seed(0)
    control = 0.5 * torch.randn(2, 2, 4, 4, generator=generator)
    shape = (20, 24)
    origins = torch.rand(30, 2, generator=generator) * 15 + 2
    there = origins + displacement(control, origins, torch.tensor([0.4]), shape)[0]
    torch.testing.assert_close(at_time(control, there, 0.4, shape), origins, atol=2e-2, rtol=0)


def test_lagrange_weights_reproduce_cubic_motion_in_time():
    frames = [0, 1, 2, 3]
    weights = lagrange(frames, 1.3)
    assert sum(w * f**3 for w, f in zip(weights, frames, strict=True)) == pytest.approx(1.3**3)


def blobs(times, curve=0.0):
    """Two blobs that move by 4 pixels per frame in opposite directions, faster and faster."""
    y, x = np.indices((32, 48)).astype(float)
    frames = []
    for t in times:
        move = 4 * (t - 1.5) + curve * (t - 1.5) ** 2
        one = np.exp(-((y - 10) ** 2 + (x - 22 - move) ** 2) / 12)
        two = np.exp(-((y - 22) ** 2 + (x - 26 + move) ** 2) / 12)
        frames.append(100 * (one + two) + 10)
    return np.stack(frames).astype(np.float32)


@pytest.fixture(scope="module")
def series():
    made = Series(blobs([0, 1, 2, 3], 0.4), "YX", (1.0, 1.0))
    for interval in range(3):
        follow(made, interval)
    return made


@pytest.mark.parametrize("time", [0.5, 1.25, 1.5, 2.7])
def test_frames_between_frames_follow_accelerating_motion(series, time):
    truth = blobs([time], 0.4)[0]
    found = series.frame(time)
    blend = Series(series.frames, "YX", (1.0, 1.0)).frame(time)
    assert np.mean((found - truth) ** 2) < 0.15 * np.mean((blend - truth) ** 2)


def test_given_frames_stay_as_they_are(series):
    for t in range(4):
        np.testing.assert_array_equal(series.frame(t), series.frames[t])


def test_a_part_is_rendered_as_in_the_whole(series):
    whole = series.frame(1.4)
    part = series.frame(1.4, [slice(8, 24), slice(15, 40)])
    np.testing.assert_allclose(part, whole[8:24, 15:40], atol=0.05)


def test_a_restored_series_renders_the_same(series):
    arrays = {k: v.numpy() for k, v in series.tensors("").items()}
    series.held_out_power = 0.25
    again = Series.restored(arrays, series.settings(), "YX", torch.device("cpu"))
    np.testing.assert_array_equal(again.frame(1.4), series.frame(1.4))
    assert again.settings() == series.settings()


def fitted(frames):
    """A series whose first interval was fitted as in a job."""
    series = Series(frames, "YX", (1.0, 1.0))
    grid = OutputGrid({}, np.array([0, 1.5, 2]))
    config = SpatimeConfig(refinement=0.45)
    channel = ChannelFit(series, grid, config, SuperresolutionState(Monitor()), 0)
    for work in channel.work():
        finish(work)
    return series


def test_held_out_frames_choose_motion_where_it_helps_and_less_where_not():
    steady = fitted(blobs(range(5)))
    assert steady.trust[1].motion.mean() > 0.85
    assert steady.weights.attenuation == 0
    random = np.random.default_rng(0).standard_normal((6, 32, 32))
    unrelated = fitted(gaussian_filter(random, (0, 2, 2)).astype(np.float32))
    assert unrelated.trust[1].motion.mean() < 0.7
    assert unrelated.trust[1].confidence.mean() < 0.4
    assert unrelated.trust[1].confidence.mean() < 0.5 * steady.trust[1].confidence.mean()
    assert unrelated.weights.attenuation > 0
    assert unrelated.trust[1].saturated.mean() > 0.8
    assert steady.trust[1].saturated.mean() < 0.2


def test_a_frame_between_unrelated_ones_is_nearer_to_their_mean_level_than_a_blend():
    """Then the best estimate is the mean; a blend of two keeps half of their variance."""
    random = np.random.default_rng(3).standard_normal((7, 48, 48))
    frames = gaussian_filter(random, (0, 2, 2)).astype(np.float32)
    frames /= frames.std()
    series = fitted(frames)
    blend = (frames[1] + frames[2]) / 2
    assert np.mean(series.frame(1.5) ** 2) < 0.75 * np.mean(blend**2)


def test_the_attenuation_is_chosen_in_the_background(monkeypatch):
    """It takes a second in planes of 256 pixels, in which a window must not be frozen."""
    threads = []

    def watched(*given):
        threads.append(threading.current_thread())
        return blended(*given)

    monkeypatch.setattr(chosen, "blended", watched)
    frames = np.random.default_rng(3).standard_normal((5, 32, 32)).astype(np.float32)
    fitted(frames)
    assert threads
    assert threading.main_thread() not in threads


def test_an_object_that_stands_and_jumps_is_blended_in_place():
    """Blobs stand in frames 0 and 1, and 2 to 3; when they jump is not known."""
    frames = blobs([0, 0, 1, 1])
    made = fitted(frames).frame(1.5)
    blend = (frames[1] + frames[2]) / 2
    best = min(np.mean((frame - blend) ** 2) for frame in frames[1:3])
    assert np.mean((made - blend) ** 2) < 0.02 * best


def test_detail_is_attenuated_only_where_neighbours_disagree():
    generator = np.random.default_rng(1)
    same, one, two = generator.random((3, 40, 40)).astype(np.float32)
    agreeing = Predictions(same, same, same, (same, same), 0.5)
    found = blended(agreeing, BlendWeights(1.0, False, 3.0), (1.0, 1.0))
    np.testing.assert_allclose(found, same, atol=1e-5)
    disagreeing = Predictions(one, two, one, (one, two), 0.5)
    smooth = blended(disagreeing, BlendWeights(1.0, False, 3.0), (1.0, 1.0))
    assert smooth.std() < 0.35 * ((one + two) / 2).std()


def test_means_of_finer_voxels_are_the_given_ones():
    volume = np.random.default_rng(0).random((6, 8, 9)).astype(np.float32)
    made = Series(volume[None], "ZYX", (0.5, 1.0, 1.0))
    for factor in (2, 2.5, 3):
        maps = {"Z": sampling(6, factor, "Z"), "Y": sampling(8, 1, "Y"), "X": sampling(9, 1, "X")}
        finer = made.finer(volume, maps, {})
        assert finer.shape[0] == round(6 * factor)
        if factor != 2.5:
            means = finer.reshape(6, factor, 8, 9).mean(axis=1)
            rough = volume.std()
            assert np.abs(means - volume).max() < 0.1 * rough


@pytest.mark.parametrize("sections", [MEANS, Samples("cubic")])
def test_planes_are_learnt_within_planes(sections):
    generator = np.random.default_rng(0)
    z, y, x = np.indices((32, 32, 32)).astype(float)
    fine = np.zeros((32, 32, 32))
    for _ in range(7):
        place = generator.random(3) * (32, 32, 32)
        distance = np.sqrt(sum((g - p) ** 2 for g, p in zip((z, y, x), place, strict=True)))
        fine = np.maximum(fine, np.exp(-0.5 * ((distance - 7) / 1.3) ** 2))
    fine = fine.astype(np.float32)
    coarse = sections.rows(fine.reshape(32, -1), 4.0, 8).reshape(8, 32, 32)
    problem = PlanesProblem(
        training_planes([coarse], 4.0, sections),
        4.0,
        latent=8,
        steps=60,
        rate=4e-3,
        seed=0,
        device=torch.device("cpu"),
    )
    finish(optimise(problem, SpatimeConfig(), Monitor()))
    made = Series(coarse[None], "ZYX", (0.25, 1.0, 1.0), sections=sections)
    maps = {"Z": sampling(8, 4, "Z"), "Y": sampling(32, 1, "Y"), "X": sampling(32, 1, "X")}
    plain = made.finer(coarse, maps, {})
    made.planes = problem.model
    learnt = made.finer(coarse, maps, {})
    inside = np.s_[4:28]
    errors = [np.mean((v[inside] - fine[inside]) ** 2) for v in (learnt, plain)]
    assert errors[0] < 0.8 * errors[1]


def test_the_attenuation_is_the_best_and_needs_most_frames_to_agree():
    better = {0.0: [4.0] * 4, 1.0: [3.0, 3.0, 3.0, 4.5], 2.0: [3.9] * 4}
    assert choose_attenuation(better) == 1.0
    half = {0.0: [4.0] * 4, 1.0: [1.0, 1.0, 4.5, 4.5]}
    assert choose_attenuation(half) == 0.0
    assert choose_attenuation({**half, 0.5: [3.9] * 4}) == 0.5  # the best that most agree on
    assert choose_attenuation({0.0: [1.0], 4.0: [2.0]}) == 0.0


def test_of_a_long_series_only_the_frames_near_an_interval_are_looked_at():
    made = Series(blobs(np.linspace(0, 3, 240)), "YX", (1.0, 1.0))
    few = Series(made.frames[99:103], "YX", (1.0, 1.0))
    few.low, few.span = made.low, made.span
    for series, interval in ((made, 100), (few, 1)):
        follow(series, interval, MotionSettings(steps=(4, 4)))
    assert torch.equal(made.motion[100].control, few.motion[1].control)
    np.testing.assert_array_equal(made.frame(100.5), few.frame(1.5))
    assert len(made._splines) == 4


def test_times_of_a_clock_leave_frames_midway():
    """Divided by the time step, measured times are whole numbers only up to rounding."""
    moments = Moments(tuple(time / 0.1 for time in (0, 0.1, 0.2, 0.1 + 0.2, 0.41, 0.7)))
    assert moments.part(2, 3, 4) != 0.5
    assert [moments.is_midway(frame) for frame in (1, 2, 3, 4)] == [True, True, True, False]
    assert all(Moments().is_midway(frame) for frame in (1, 2))
