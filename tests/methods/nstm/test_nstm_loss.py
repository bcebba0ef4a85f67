"""The loss of the space-time model on few pixels: known answers, held-out pixels, decisions."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_cellinr import Image, NSTMConfig, reconstruct
from napari_cellinr.acquisition import prepare
from napari_cellinr.config.optics import TimeLapse
from napari_cellinr.methods.nstm.attempts import FLICKERING, attempts_for, with_light_of
from napari_cellinr.methods.nstm.job import _is_better
from napari_cellinr.methods.nstm.penalties import (
    NEGATIVE,
    OBJECTIVE_0_1,
    STILL,
    Objective,
    motion_penalty,
    objective_for,
    scene_penalty,
)
from napari_cellinr.methods.nstm.plan import fading, plan
from napari_cellinr.methods.nstm.problem import NSTMProblem
from napari_cellinr.optics.blur import BlurModel
from napari_cellinr.optics.exposure import ExposureModel
from napari_cellinr.optics.sim import SIMModel


def unblurred():
    """Return the forward model of a time lapse of nine frames."""
    return BlurModel((9, 8, 8), torch.arange(9.0).double())


@pytest.mark.parametrize(
    ("light", "moving", "roughness"),
    [(BlurModel, True, 10), (BlurModel, False, 10), (SIMModel, False, 10), (SIMModel, True, 50)],
)
def test_light_is_smoothed_where_it_moves_under_a_pattern(light, moving, roughness):
    """Else detail of the scene explains what is left of its motion."""
    frames = torch.rand(9, 8, 8)
    model = SIMModel.__new__(SIMModel) if light is SIMModel else unblurred()
    chosen = objective_for(model, frames, 0.1, NSTMConfig(moving=moving))
    assert chosen.roughness == roughness


def test_smoothness_and_stiffness_take_the_place_of_the_usual_weights():
    light, frames = unblurred(), torch.rand(9, 8, 8)
    usual = objective_for(light, frames, 0.1, NSTMConfig())
    chosen = objective_for(light, frames, 0.1, NSTMConfig(smoothness=3.0, stiffness=4.0))
    assert chosen == replace(usual, roughness=3.0, bending=4 * usual.bending)


@pytest.mark.parametrize(("noise", "faint"), [(0.1, False), (0.9, True)])
def test_motion_of_faint_phase_is_fitted_stiffly_as_well(noise, faint):
    """Held-out pixels choose the better one of both, or one as good, in five of six recordings."""
    frames = np.random.default_rng(0).standard_normal((4, 16, 16)).astype(np.float32)
    model = SimpleNamespace(nonnegative=False, patterned=False)
    bad, moments = np.zeros(frames.shape, bool), torch.linspace(0, 1, 4)
    planned = SimpleNamespace(bad=bad, without={}, noise=noise, moments=moments)
    measurement = SimpleNamespace(frames=frames, model=model)
    tried = attempts_for(measurement, NSTMConfig(motion_layers=1), planned)
    stiffness = {name: config.stiffness for name, config, _ in tried}
    assert stiffness.pop("stiffer motion", None) == (20.0 if faint else None)
    assert set(stiffness.values()) == {1.0}


def light_of_frames(factors, times):
    """Return what is tried for frames of one scene, multiplied by some factors."""
    scene = 100 + np.random.default_rng(0).standard_normal((16, 16))
    frames = (scene * np.reshape(factors, (-1, 1, 1))).astype(np.float32)
    model = SimpleNamespace(nonnegative=True, patterned=False)
    bad = np.zeros(frames.shape, bool)
    planned = SimpleNamespace(bad=bad, without={}, noise=1.0, moments=torch.tensor(times))
    measurement = SimpleNamespace(frames=frames, model=model)
    tried = attempts_for(measurement, NSTMConfig(motion_layers=1), planned)
    return {name: extras["brightness"] for name, _, extras in tried}


EVEN, GAP = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), (0.0, 0.1, 0.2, 0.8, 0.9, 1.0)


@pytest.mark.parametrize(
    ("factors", "times", "flickers"),
    [
        ([1, 1.2, 0.9, 1.1, 0.8, 1], EVEN, True),
        ([1, 1, 1, 1.3, 1, 1], EVEN, True),
        (np.exp(-np.arange(6) / 6), EVEN, False),  # bleaching
        (np.linspace(1, 2, 6), EVEN, False),  # what comes into view
        (1 + np.array(GAP), GAP, False),
        ([1, 1.01, 0.99, 1.01, 0.99, 1], EVEN, False),
    ],
)
def test_irregular_light_is_fitted_before_anything_else_is_tried(factors, times, flickers):
    names = light_of_frames(factors, times)
    assert (list(names)[1] == FLICKERING) == flickers
    assert names.get(FLICKERING, True)


def test_changes_of_the_light_that_explain_frames_are_kept():
    plain = dict.fromkeys(("brightness", "bleaching", "unexplained", "out_of_focus"), False)
    kept = SimpleNamespace(extras=SimpleNamespace(chosen=plain | {"brightness": True}))
    assert with_light_of(None, plain) == plain
    assert with_light_of((kept, None), plain) == plain | {"brightness": True}
    assert with_light_of((kept, None), plain | {"bleaching": True})["bleaching"]


def problem(change=0.0):
    """Return a problem and its held-out pixels, in which the frames are changed by `change`."""
    random = np.random.default_rng(0)
    data = 10 + random.standard_normal((3, 24, 24))
    source = Image(data.astype(np.float32), "TYX", (1.0, 1.0, 1.0))
    config = NSTMConfig(steps=10, held_out=0.2)
    measurement = prepare(source, TimeLapse())
    planned = plan(measurement, config)
    made = NSTMProblem(measurement, planned, config, source, torch.device("cpu"))
    made.frames = made.frames + change * made.held
    return made


def data_loss(of):
    return float(of.loss(0, torch.Generator())["data"].detach())


def test_the_data_loss_never_sees_held_out_pixels_and_the_held_out_error_no_others():
    as_it_is, changed = problem(), problem(1000.0)
    assert as_it_is.held.any()
    assert data_loss(changed) == data_loss(as_it_is)
    assert changed.misfit() == as_it_is.misfit()
    assert changed.held_out() > 100 * as_it_is.held_out()


def test_the_data_loss_is_the_mean_square_in_variances_of_the_noise():
    of = problem()
    of.seen = of.seen * (torch.rand(of.seen.shape) < 0.5)
    with torch.no_grad():
        flat = float(of.model.canonical(1.0).mean())
    error = (flat - of.frames) / of.plan.noise
    expected = float((error**2)[of.seen > 0].mean())
    assert data_loss(of) == pytest.approx(expected, rel=0.02)


def test_dark_pixels_count_as_much_as_bright_ones_but_not_in_fits_of_version_0_1():
    """By its own noise, a pixel with half the noise counts four times as much."""
    of = problem()
    of.sigmas = torch.full_like(of.sigmas, of.plan.noise)
    even = data_loss(of)
    of.sigmas = of.sigmas / 2
    assert data_loss(of) == even
    of.remember({})  # what such a fit has saved
    assert of.objective == OBJECTIVE_0_1
    assert data_loss(of) == pytest.approx(4 * even, rel=1e-5)


def test_a_continued_fit_minimises_what_it_did():
    first, later = problem(), problem()
    later.remember(first.memory())
    assert later.objective == first.objective
    first.remember({})
    later.remember(first.memory())
    assert later.objective == OBJECTIVE_0_1


def test_a_scene_is_punished_for_slopes_per_voxel_and_for_negative_values():
    ramp = torch.arange(8.0).expand(1, 4, 8) + 1  # 1 per point, points 2 voxels apart
    found = scene_penalty(ramp, (1, 2), 20.0, NEGATIVE)
    assert float(found) == pytest.approx(20 / 4)
    flat = torch.full((1, 4, 8), -0.5)
    assert float(scene_penalty(flat, (1, 1), 20.0, NEGATIVE)) == pytest.approx(0.5 * NEGATIVE)
    assert float(scene_penalty(-flat, (1, 1), 20.0, NEGATIVE)) == 0


@pytest.mark.parametrize(
    ("blurred", "samples", "negative"), [(False, 1, 0.0), (True, 1, NEGATIVE), (False, 5, NEGATIVE)]
)
def test_negative_values_are_noise_where_each_frame_is_the_scene(blurred, samples, negative):
    """Punished, they make the dark of noisy time lapses too bright, by 1 to 3 % of the mean."""
    psf, times = torch.ones(3, 3) if blurred else None, torch.arange(4.0).double()
    model = BlurModel((4, 16, 16), times, psf)
    if samples > 1:
        model = ExposureModel((4, 16, 16), times, 0.5, samples)
    frames = torch.rand(4, 16, 16)
    assert objective_for(model, frames, 0.1, NSTMConfig()).negative == negative


def test_the_brightness_of_a_noisy_time_lapse_is_kept():
    """Noise of half the peak: with negative values punished, the mean was a third too high."""
    light = np.zeros((24, 24))
    light[8:16, 8:16] = 50
    frames = 100 + light + np.random.default_rng(0).normal(0, 25, (8, 24, 24))
    image = Image(frames.astype(np.float32), "TYX", (1.0, 1.0, 1.0))
    settings = {"steps": 150, "restart": False, "check_motion": False, "moving": False}
    optics = {"kind": "time-lapse", "background": 100.0}
    found = reconstruct(image, optics=optics, **settings).image("result").array()
    assert found.mean() == pytest.approx(frames.mean() - 100, rel=0.01)
    assert found[:, :5].mean() == pytest.approx(frames[:, :5].mean() - 100, abs=0.6)


def test_fading_is_the_decrease_of_the_logarithm():
    moments = torch.linspace(0, 1, 5)
    frames = 7 * torch.exp(-0.4 * moments)[:, None, None].expand(5, 6, 6)
    assert float(fading(frames, moments)) == pytest.approx(0.4, rel=1e-5)


@pytest.mark.parametrize(("sigmas", "moves"), [(-1.0, False), (2.5, False), (3.5, True)])
def test_motion_needs_three_standard_errors(sigmas, moves):
    """The mean gain of 100 held-out pixels is so many times its standard error."""
    gain = torch.tensor([-1.0, 1.0] * 50)
    gain += sigmas * float(gain.std()) / math.sqrt(len(gain))
    static, moving = (
        SimpleNamespace(held_errors=lambda values=values: values)
        for values in (10 + gain, torch.full((100,), 10.0))
    )
    assert _is_better(moving, static) == moves


def test_motion_is_punished_about_its_mean_over_time():
    """A shift of all frames is none; one voxel to either side counts as one voxel."""
    plan = SimpleNamespace(shape=SimpleNamespace(scene=(8, 8)), structure=(2.0, 2.0))
    shifted = torch.full((2, 2, 4, 4), 5.0)
    assert float(motion_penalty(shifted, plan, Objective(moving=0.01), 0.0)) == pytest.approx(
        0, abs=1e-6
    )
    shifted[0, 1] -= 1
    shifted[1, 1] += 1
    expected = 0.01 * (math.sqrt(1 + STILL**2) - STILL)
    assert float(motion_penalty(shifted, plan, Objective(moving=0.01), 0.0)) == pytest.approx(
        expected, rel=1e-4
    )
