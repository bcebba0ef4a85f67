"""Motion between frames, trust in it, finer planes: what the parts of SpatimeINR promise."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates, spline_filter

from napari_cellinr.classic.sampling import sampling
from napari_cellinr.fields.trajectory import at_time, displacement, spline_values
from napari_cellinr.methods.spatime.blending import Recipe, Views, careful, mixed
from napari_cellinr.methods.spatime.fit import choose_recipe, fit_motion
from napari_cellinr.methods.spatime.model import Series
from napari_cellinr.methods.spatime.motion import MotionSettings, lagrange
from napari_cellinr.methods.spatime.planes import teacher_of, train_planes
from napari_cellinr.methods.spatime.sections import MEANS, Samples

QUICK = MotionSettings(steps=(30, 20, 15))


@pytest.mark.parametrize("shape", [(9, 11), (5, 9, 11)])
def test_spline_lookup_is_that_of_scipy(shape):
    generator = np.random.default_rng(0)
    image = generator.random(shape).astype(np.float32)
    places = generator.random((50, len(shape))) * (np.array(shape) - 1)
    coefficients = spline_filter(image, 3, output=np.float32, mode="mirror")
    found = spline_values(torch.from_numpy(coefficients), torch.from_numpy(places).float())
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
        for _ in fit_motion(made, interval, QUICK, 0):
            pass
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


def test_a_kept_series_renders_the_same(series):
    arrays = {k: v.numpy() for k, v in series.tensors("0.").items()}
    again = Series.from_tensors(arrays, "0.", "YX", torch.device("cpu"))
    np.testing.assert_array_equal(again.frame(1.4), series.frame(1.4))


def test_held_out_frames_choose_motion_where_it_helps_and_blending_where_not():
    *_, errors = choose_recipe(Series(blobs(range(5)), "YX", (1.0, 1.0)), QUICK, 0)
    assert next(iter(errors)).motion > 0
    noise = np.random.default_rng(0).random((6, 24, 24)).astype(np.float32)
    *_, errors = choose_recipe(Series(noise, "YX", (1.0, 1.0)), QUICK, 0)
    assert next(iter(errors)).doubt > 0


def test_detail_is_kept_where_neighbours_agree_and_not_where_they_do_not():
    generator = np.random.default_rng(1)
    same, one, two = generator.random((3, 40, 40)).astype(np.float32)
    views = Views(same, same, same, (same, same), 0.5)
    kept = mixed(views, Recipe(1.0, False, 3.0), (1.0, 1.0))
    np.testing.assert_allclose(kept, same, atol=1e-5)
    views = Views(one, two, one, (one, two), 0.5)
    doubted = mixed(views, Recipe(1.0, False, 3.0), (1.0, 1.0))
    assert doubted.std() < 0.35 * ((one + two) / 2).std()


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
    z, y, x = np.indices((32, 48, 48)).astype(float)
    fine = np.zeros((32, 48, 48))
    for _ in range(14):
        place = generator.random(3) * (32, 48, 48)
        distance = np.sqrt(sum((g - p) ** 2 for g, p in zip((z, y, x), place, strict=True)))
        fine = np.maximum(fine, np.exp(-0.5 * ((distance - 7) / 1.3) ** 2))
    fine = fine.astype(np.float32)
    coarse = sections.rows(fine.reshape(32, -1), 4.0, 8).reshape(8, 48, 48)
    device = torch.device("cpu")
    *_, (_, learnt_field, _) = train_planes(
        teacher_of([coarse], 4.0, sections),
        4.0,
        latent=8,
        steps=60,
        rate=4e-3,
        seed=0,
        device=device,
    )
    made = Series(coarse[None], "ZYX", (0.25, 1.0, 1.0), sections=sections)
    maps = {"Z": sampling(8, 4, "Z"), "Y": sampling(48, 1, "Y"), "X": sampling(48, 1, "X")}
    plain = made.finer(coarse, maps, {})
    made.planes = learnt_field
    learnt = made.finer(coarse, maps, {})
    inside = np.s_[4:28]
    errors = [np.mean((v[inside] - fine[inside]) ** 2) for v in (learnt, plain)]
    assert errors[0] < 0.8 * errors[1]


def errors_of(full=1.0, half=1.0, still=1.0, blurred=2.0):
    """Mean squared errors of some recipes; those with doubt are given for all alike."""
    errors = {Recipe(1.0, True, 0.0): full, Recipe(1.0, False, 0.0): full}
    errors |= {Recipe(0.5, False, 0.0): half, Recipe(0.0, False, 0.0): still}
    return errors | {Recipe(part, False, 2.0): blurred for part in (1.0, 0.5, 0.0)}


def test_with_few_held_out_frames_motion_and_blend_are_averaged():
    half, full, still = Recipe(0.5, False, 0.0), Recipe(1.0, True, 0.0), Recipe(0.0, False, 0.0)
    assert careful(errors_of(full=0.85), 1) == half
    assert careful(errors_of(full=0.85), 4) == full
    assert careful(errors_of(full=0.75), 1) == full
    assert careful(errors_of(still=0.85), 1) == half
    assert careful(errors_of(still=0.85), 4) == still
    assert careful(errors_of(), 100) == half


def test_blurred_detail_says_how_much_to_doubt_not_whether_to_follow_motion():
    assert careful(errors_of(blurred=0.5), 4) == Recipe(0.5, False, 0.5)


def test_of_a_long_series_only_the_frames_near_an_interval_are_looked_at():
    made = Series(blobs(np.linspace(0, 3, 240)), "YX", (1.0, 1.0))
    few = Series(made.frames[99:103], "YX", (1.0, 1.0))
    few.low, few.span = made.low, made.span
    for series, interval in ((made, 100), (few, 1)):
        for _ in fit_motion(series, interval, MotionSettings(steps=(4, 4, 4)), 0):
            pass
    np.testing.assert_array_equal(made.paths[100].control, few.paths[1].control)
    np.testing.assert_array_equal(made.frame(100.5), few.frame(1.5))
    assert len(made._splines) == 4
