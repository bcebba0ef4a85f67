"""Rules of super-resolution with known answers: blending, what is held out, what is kept."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.config import SpatimeConfig
from napari_cellinr.fitting.problem import Outcome
from napari_cellinr.methods.spatime.between.blending import (
    FULL,
    STATIC,
    BlendWeights,
    Predictions,
    blended,
)
from napari_cellinr.methods.spatime.between.choice import (
    random_part,
)
from napari_cellinr.methods.spatime.between.flow import path_coefficients
from napari_cellinr.methods.spatime.between.motion import OUTER, MotionProblem, MotionSettings
from napari_cellinr.methods.spatime.between.places import Places
from napari_cellinr.methods.spatime.between.trust import (
    Evidence,
    Trust,
    evidence_of,
    steadied,
    trust_of,
)
from napari_cellinr.methods.spatime.channel import ChannelFit
from napari_cellinr.methods.spatime.finer.learning import has_gained
from napari_cellinr.methods.spatime.finer.planes import FEWEST, PlanesProblem, TrainingPlanes
from napari_cellinr.methods.spatime.model import MotionModel
from napari_cellinr.methods.spatime.output_grid import OutputGrid
from napari_cellinr.methods.spatime.restored import checked_aspect, loaded
from napari_cellinr.methods.spatime.series import Series
from napari_cellinr.methods.spatime.stages import held_out_frames


def predictions(part):
    random = np.random.default_rng(0)
    values = [random.standard_normal((12, 12)).astype(np.float32) for _ in range(5)]
    return Predictions(values[0], values[1], values[2], (values[3], values[4]), part)


def test_at_a_given_frame_nothing_is_attenuated():
    """The factor t (1 - t) is 0 at both frames, so the blend is the frame itself."""
    weights = BlendWeights(1.0, False, 4.0)
    for part in (0.0, 1.0):
        of = predictions(part)
        expected = of.after if part else of.before
        np.testing.assert_allclose(blended(of, weights, (1.0, 1.0)), expected, atol=1e-5)


def test_a_blend_is_linear_in_time():
    of = predictions(0.25)
    found = blended(of, BlendWeights(0.5, False, 0.0), (1.0, 1.0))
    line = 0.75 * of.before + 0.25 * of.after
    static = 0.75 * of.static[0] + 0.25 * of.static[1]
    np.testing.assert_allclose(found, 0.5 * line + 0.5 * static, atol=1e-6)


def test_planes_are_kept_only_if_held_out_ones_are_better():
    row = {"step": 0, "held_out": 2.0}
    assert has_gained(Outcome("steps", 5, 1.9, (row,)))
    assert not has_gained(Outcome("steps", 5, 2.0, (row,)))


def test_every_fifth_plane_is_held_out_and_never_learnt_from():
    planes = np.arange(10, dtype=np.float32)[:, None, None] * np.ones((1, 24, 24), np.float32)
    examples = TrainingPlanes(planes, 2.0, 0.0)
    of = PlanesProblem(
        examples, 2.0, latent=4, steps=2, rate=1e-3, seed=0, device=torch.device("cpu")
    )
    held = list(range(FEWEST - 1, 10, FEWEST))
    assert of._held[:, 0, 0].tolist() == held
    assert of._training[:, 0, 0].tolist() == [n for n in range(10) if n not in held]


def test_the_interval_itself_counts_fully_and_its_neighbours_less():
    """Frames 0, 1 and 3 of brightness differ; without motion the loss is known."""
    images = torch.stack([torch.full((8, 8), value) for value in (0.0, 1.0, 4.0, 4.0)])
    model = MotionModel((8, 8), 1, (2, 2))
    of = MotionProblem(model, images, (-1.5, -0.5, 0.5, 1.5), MotionSettings(), 0, Places((8, 8)))
    loss = of.loss(0, torch.Generator())
    expected = (OUTER * 1 + 3 + OUTER * 0) / float(images.std())
    assert float(loss["difference"].detach()) == pytest.approx(expected, rel=0.05)
    assert float(loss["roughness"].detach()) == 0


def test_motion_that_changes_its_speed_is_rougher():
    """Twice the mean square of the second coefficient, besides slopes between control points."""
    model = MotionModel((8, 8), 2, (2, 2))
    model.control.data[1] = 0.5
    images = torch.rand((3, 8, 8), generator=torch.Generator().manual_seed(0))
    settings = MotionSettings(smooth=1.0)
    of = MotionProblem(model, images, (-0.5, 0.5, 1.5), settings, 0, Places((8, 8)))
    assert float(of.loss(0, torch.Generator())["roughness"].detach()) == pytest.approx(0.5)


def test_a_held_out_frame_is_the_one_between_its_two_neighbours(monkeypatch):
    """Each frame is predicted from those before and after it, which motion does not see."""
    frames = np.arange(7, dtype=np.float32)[:, None, None] * np.ones((1, 8, 8), np.float32)
    fit = object.__new__(ChannelFit)
    fit.series, fit.config = Series(frames, "YX", (1.0, 1.0)), SpatimeConfig()
    fit.state = SimpleNamespace(over=False, step=0)
    fit.grid, fit._noise = OutputGrid({}, np.array([2.5])), Noise(0.0, 0.0)
    fit.faulty, fit.chosen = [], None
    seen, found = [], []
    fit._follow_motion = lambda series, *_: seen.append(series.frames[:, 0, 0]) or iter(())
    fit._choose_attenuation = lambda tests, _: found.extend(tests)
    for _ in fit._tests():
        pass
    assert [list(pair) for pair in seen] == [[n - 1, n + 1] for n in (1, 2, 3, 4, 5)]
    for predicted, _, truth in found:
        np.testing.assert_allclose(blended(predicted, STATIC, (1.0, 1.0)), truth)


def test_only_frames_near_the_intervals_are_held_out_never_the_first_or_last():
    assert held_out_frames(9, [3]) == [2, 3, 4, 5]
    assert held_out_frames(4, [0, 2]) == [1, 2]
    assert held_out_frames(2, [0]) == []


def test_attenuation_is_chosen_on_whole_planes_and_parts_of_volumes():
    generator = np.random.default_rng(0)
    assert random_part((190, 211), generator) == (slice(0, 190), slice(0, 211))
    part = random_part((30, 190, 211), generator)
    assert [p.stop - p.start for p in part] == [16, 96, 96]


def one(value):
    return np.full((3, 3), value, np.float32)


def evidence(before=0.0, after=0.0, error=0.0, weight=1.0, saturated=0.0, seen=1.0, overlap=0.0):
    values = before, after, error, error, weight, saturated, seen
    return Evidence(*(one(value) for value in values), overlap, 1.0)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (evidence(), evidence(), 1.0),  # motion predicts both ends
        (evidence(error=1.0), evidence(), 0.5),  # not one of them: the mean with a blend
        (evidence(before=1.0, error=1.0), evidence(after=1.0, error=1.0), 0.0),  # a jump
        (evidence(before=1.0), evidence(), 1.0),  # it may begin to move: one side is no jump
        (evidence(after=1.0), evidence(before=1.0), 1.0),  # the jumps are beside the interval
    ],
)
def test_motion_is_trusted_as_far_as_both_ends_say(first, second, expected):
    trust = trust_of(4, {4: first, 5: second})
    assert trust.motion == pytest.approx(expected)
    assert trust_of(7, {4: first, 5: second}) is None


def test_motion_that_was_worse_than_blending_has_no_weight():
    """Its weight on each side is that with which a held-out frame is predicted best."""
    trust = trust_of(4, {4: evidence(weight=0.0), 5: evidence(weight=0.0)})
    assert trust.motion == pytest.approx(0.0)
    trust = trust_of(4, {4: evidence(weight=0.5), 5: evidence(weight=0.0)})
    assert trust.motion == pytest.approx(0.5)


def test_motion_that_goes_on_is_trusted_whatever_was_held_out():
    of = Trust(*(np.zeros((6, 6), np.float32) for _ in range(5)))
    fast = np.stack([np.full((6, 6), v, np.float32) for v in (4.0, -3.0)])
    square = (1.0, 1.0)
    assert steadied(of, fast, [fast, 0.9 * fast], square).motion == pytest.approx(1.0)
    assert steadied(of, fast, [fast, -fast], square).motion == pytest.approx(0.0)
    assert steadied(of, fast, [fast[::-1]], square).motion == pytest.approx(0.0)  # to one side
    assert steadied(of, fast, [0 * fast], square).motion == pytest.approx(0.0)  # a jump
    assert steadied(of, fast / 5, [fast / 5], square).motion == pytest.approx(0.5)  # slow: 1 voxel
    assert steadied(of, fast, [], square) is of  # nothing to compare with
    sure = Trust(*(np.ones((6, 6), np.float32) for _ in range(5)))
    assert steadied(sure, fast, [-fast], square).motion == pytest.approx(1.0)
    assert steadied(sure, fast, [-fast], square).saturated == pytest.approx(1.0)
    assert steadied(sure, fast, [fast], square).saturated == pytest.approx(0.0)


def test_frames_beyond_a_jump_are_not_used():
    of = {3: evidence(after=1.0), 4: evidence(after=1.0), 5: evidence(before=1.0)}
    assert trust_of(4, of).smooth == pytest.approx(0.0)
    assert trust_of(4, {4: evidence(), 5: evidence()}).smooth == pytest.approx(1.0)


def test_motion_that_predicts_most_of_a_series_loses_no_weight_where_it_failed():
    """It failed there since held-out frames are twice as far apart; not where something jumps."""
    bad = {"error": 1.0, "saturated": 1.0}
    sure = trust_of(4, {4: evidence(**bad, overlap=0.9), 5: evidence(**bad, overlap=0.9)})
    assert sure.motion == pytest.approx(1.0)
    assert sure.saturated == pytest.approx(0.0)
    unsure = trust_of(4, {4: evidence(**bad, overlap=0.9), 5: evidence(**bad, overlap=0.3)})
    assert unsure.motion == pytest.approx(0.5)
    assert unsure.saturated == pytest.approx(1.0)
    jump = {4: evidence(before=1.0, overlap=0.9), 5: evidence(after=1.0, overlap=0.9)}
    assert trust_of(4, jump).motion == pytest.approx(0.0)


def test_the_best_weight_of_the_motion_in_a_whole_frame():
    first, second, other = np.random.default_rng(0).standard_normal((3, 40, 40)).astype(np.float32)
    of = Predictions(other, other, other, (first, second), 0.5)
    found = evidence_of(of, 0.7 * other + 0.3 * (first + second) / 2, (1.0, 1.0))
    assert found.overlap / found.power == pytest.approx(0.7, abs=1e-4)


def test_frames_beyond_an_interval_are_not_used_where_only_noise_changes():
    """A polynomial through four frames has 0.64 of the variance of the noise, a mean of two 0.5."""
    assert trust_of(4, {4: evidence(seen=0.25), 5: evidence()}).smooth == pytest.approx(0.25)
    first, second = np.random.default_rng(0).standard_normal((2, 40, 40)).astype(np.float32)
    of = Predictions(first, second, first, (first, second), 0.5)
    assert evidence_of(of, first, (1.0, 1.0), noise=1.0).seen.max() < 0.2
    assert evidence_of(of, first, (1.0, 1.0), noise=1e-3).seen.min() > 0.95
    assert evidence_of(of, first, (1.0, 1.0)).seen.min() == 1


def test_evidence_of_a_frame_like_the_first_of_its_neighbours():
    """Truth equals the frame before it: blending misses by half of the difference."""
    random = np.random.default_rng(0)
    first, second = random.standard_normal((2, 40, 40)).astype(np.float32)
    of = Predictions(first, second, first, (first, second), 0.5)
    found = evidence_of(of, first, (1.0, 1.0))
    assert found.before.min() > 0.85
    assert found.after.max() == 0
    assert found.error.min() > 0.8
    mean = (first + second) / 2
    assert evidence_of(of, mean, (1.0, 1.0)).error.max() < 1e-6
    alike = Predictions(first, first, first, (first, first), 0.5)
    assert evidence_of(alike, first, (1.0, 1.0)).before.max() == 0  # nothing moved


def test_local_trust_replaces_the_weights_of_the_series():
    of = predictions(0.5)
    half = Trust(*(np.full((12, 12), v, np.float32) for v in (0.25, 1.0, 0.0, 1.0, 0.0)))
    found = blended(of, BlendWeights(1.0, False, 4.0), (1.0, 1.0), half)
    expected = 0.25 * of.cubic + 0.75 * (of.static[0] + of.static[1]) / 2
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_errors_are_a_quarter_at_half_of_the_time_unless_they_are_saturated():
    """The error of a blend grows with the square of the time between frames, up to a level."""
    wrong = evidence(error=1.0)
    assert trust_of(4, {4: wrong, 5: wrong}).unsure == pytest.approx(0.25)
    lost = evidence(error=1.0, saturated=1.0)
    assert trust_of(4, {4: wrong, 5: lost}).saturated == pytest.approx(0.5)


def series_without_motion(maps):
    """Return noise whose second interval was not followed, with the trust of the first one."""
    frames = np.random.default_rng(5).standard_normal((4, 24, 24)).astype(np.float32)
    trust = {0: Trust.of_maps(maps)}
    return Series(frames, "YX", (1.0, 1.0), weights=replace(FULL, attenuation=2.0), trust=trust)


def attenuated(series, strength):
    """Return the frame in the middle of the second interval for an attenuation."""
    whole = (slice(None), slice(None))
    weights = replace(FULL, attenuation=strength)
    return blended(series.predictions(1, 0.5, whole), weights, series.aspect)


def test_intervals_without_evidence_are_attenuated_by_a_quarter():
    """The attenuation was chosen on frames between frames that are twice as far apart."""
    series = series_without_motion(np.ones((5, 6, 6), np.float32))
    np.testing.assert_allclose(series.frame(1.5), attenuated(series, 0.5), atol=1e-6)


def test_saved_fits_of_earlier_versions_attenuate_as_before():
    """They have four maps, and the attenuation at half of the distance in time."""
    series = series_without_motion(np.ones((5, 6, 6), np.float32))
    tensors = {name: value.numpy() for name, value in series.tensors("").items()}
    tensors["trust.0"] = 0.5 * tensors["trust.0"][:4]
    found = Series.restored(tensors, series.settings(), "YX", torch.device("cpu"))
    assert found.weights.attenuation * found.trust[0].unsure == pytest.approx(2.0 * 0.5)
    assert found.trust[0].saturated == pytest.approx(0)
    np.testing.assert_allclose(found.frame(1.5), attenuated(series, 2.0), atol=1e-6)
    again = {name: value.numpy() for name, value in found.tensors("").items()}
    twice = Series.restored(again, found.settings(), "YX", torch.device("cpu"))
    assert twice.weights == found.weights
    np.testing.assert_array_equal(twice.trust[0].maps, found.trust[0].maps)


def test_saturated_is_where_frames_differ_as_much_at_one_as_at_two_frames_distance():
    random = np.random.default_rng(0)
    first, second, other = random.standard_normal((3, 40, 40)).astype(np.float32)
    of = Predictions(first, second, first, (first, second), 0.5)
    square = (1.0, 1.0)
    assert evidence_of(of, other, square).saturated.mean() > 0.9  # D(1) = D(2)
    assert evidence_of(of, first, square).saturated.max() < 0.1  # a jump: D(1) = D(2) / 2
    assert evidence_of(of, (first + second) / 2, square).saturated.max() == 0  # D(1) = D(2) / 4


def test_where_errors_are_saturated_motion_and_blend_have_equal_weights():
    """Only if detail is attenuated at all, which held-out frames say."""
    of = predictions(0.5)
    maps = [np.full((12, 12), v, np.float32) for v in (0.25, 1.0, 0.0, 1.0, 1.0)]
    square = (1.0, 1.0)
    found = blended(of, BlendWeights(1.0, False, 2.0), square, Trust(*maps))
    expected = blended(of, BlendWeights(0.5, False, 2.0), square)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    plain = blended(of, BlendWeights(1.0, False, 0.0), square, Trust(*maps))
    before = blended(of, BlendWeights(1.0, False, 0.0), square, Trust.of_maps(np.stack(maps[:4])))
    np.testing.assert_array_equal(plain, before)


@pytest.mark.parametrize("shape", [(40, 44), (8, 40, 44)])
def test_optical_flow_finds_a_shift_of_several_voxels(shape):
    random = np.random.default_rng(0)
    wide = gaussian_filter(random.standard_normal((*shape[:-2], 80, 80)), 2.5)
    wide = (wide / np.abs(wide).max()).astype(np.float32)
    first, second = wide[..., 16:56, 16:60], wide[..., 13:53, 20:64]  # by 3 rows, -4 columns
    inside = path_coefficients(first, second, 4.0)[-2:, ..., 3:-3, 3:-3]
    np.testing.assert_allclose(np.median(inside.reshape(2, -1), 1), (3, -4), atol=0.1)


def test_sizes_of_a_file_that_do_not_fit_its_parameters_take_no_memory():
    control = {"control": np.zeros((2, 2, 3, 3), np.float32)}
    settings = {"shape": [8, 8], "terms": 2, "points": [3, 3]}
    assert loaded(MotionModel, settings, control, torch.device("cpu")).control.shape[2:] == (3, 3)
    with pytest.raises(RuntimeError, match="size mismatch"):
        loaded(MotionModel, {**settings, "points": [10**6, 10**6]}, control, torch.device("cpu"))


@pytest.mark.parametrize("aspect", [(1.0,), (1.0, 1e9), (1.0, -1.0), (1.0, float("nan"))])
def test_ratios_of_voxel_sizes_of_a_file_are_bounded(aspect):
    with pytest.raises(ValueError, match="ratios"):
        checked_aspect(aspect, "YX")
