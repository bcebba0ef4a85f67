"""The losses of CellINR on images of few voxels: known answers, and what is held out."""

import numpy as np
import pytest
import torch

from napari_cellinr import CellINRConfig, Image
from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.methods.cellinr.initial.background import Separated
from napari_cellinr.methods.cellinr.initial.estimate import InitialEstimate
from napari_cellinr.methods.cellinr.initial.kernels import no_kernels, solve
from napari_cellinr.methods.cellinr.problem import CellINRProblem, Prepared
from napari_cellinr.methods.cellinr.published.problem import (
    PublishedCellINRProblem,
    PublishedPrepared,
)

SHAPE = (12, 16)
CPU = torch.device("cpu")
CAMERA = Noise(1.0, 0.0, 0.0, 0.0)
HELD = np.zeros(SHAPE, bool)
HELD[3, 4:8] = True


def problem(error=0.0, background=30.0, structure=1.0, **settings):
    """Return the problem of an estimate of 20 σ, from which the values differ by `error`."""
    estimate = np.full(SHAPE, 20.0, np.float32)
    nodes = np.full((2, 2), background, np.float32)
    prepared = Prepared(
        Image(np.full(SHAPE, 100.0, np.float32), "YX"),
        (estimate + error).astype(np.float32),
        HELD,
        estimate,
        no_kernels(estimate, 4),
        Separated(nodes, (6, 8), np.full(SHAPE, 255, np.uint8)),
        np.full(SHAPE, structure, np.float32),
        CAMERA,
    )
    return CellINRProblem(prepared, CellINRConfig(total_variation=0, **settings), CPU)


def losses(of):
    found = of.loss(0, torch.Generator().manual_seed(0))
    return {name: float(value.detach()) for name, value in found.items()}


def test_the_data_loss_is_the_squared_distance_of_what_is_not_held_out():
    error = np.where(HELD, 50.0, 2.0)
    assert losses(problem(error))["data"] == pytest.approx(4 * (1 - HELD.mean()), rel=1e-5)


def test_the_held_out_error_is_that_of_the_held_out_voxels_alone():
    assert problem(np.where(HELD, 3.0, 50.0)).held_out() == pytest.approx(3.0, rel=1e-5)


def test_twice_the_noise_that_the_result_follows_is_added():
    """Stein's estimate: |f(y) - y|² + 2 σ² ∂f/∂y, here with σ = 1."""
    of = problem()
    of.sensitivity = torch.full_like(of.sensitivity, 0.25)
    before = losses(of)["data"]
    of.model.kernels.weights.grids[0].data[-1] = 0.5  # adds 0.5 to every value
    assert losses(of)["data"] - before == pytest.approx(
        0.25 * (1 - HELD.mean()) + 2 * 0.5 * 0.25, rel=1e-4
    )


def test_the_background_is_punished_above_the_image_and_not_below_it():
    """On structures, only light above the image counts: 0.1 times its square in variances."""
    image = float(problem()._grey_levels(torch.tensor(20.0)))
    assert losses(problem(background=image - 40))["background"] == pytest.approx(0, abs=1e-6)
    above = problem(background=image + 40)
    expected = 0.1 * (40 / above.grey) ** 2
    assert losses(above)["background"] == pytest.approx(expected, rel=1e-3)


def test_dark_structures_have_their_background_above():
    image = float(problem()._grey_levels(torch.tensor(20.0)))
    above = problem(background=image + 40, dark=True)
    assert losses(above)["background"] == pytest.approx(0, abs=1e-6)


def initial(seed=0):
    """Return an estimate that has lost contrast, its response to noise, and the values."""
    random = np.random.default_rng(seed)
    y, x = np.indices((24, 24))
    truth = (20 + 4 * np.sin(y / 3) * np.cos(x / 3)).astype(np.float32)
    values = (truth + random.standard_normal(truth.shape)).astype(np.float32)
    estimate = (20 + 0.7 * (truth - 20)).astype(np.float32)
    probe = random.choice([-1.0, 1.0], truth.shape).astype(np.float32)
    held = random.random(truth.shape) < 0.1
    return estimate, probe, values, held


def test_kernels_are_solved_without_the_held_out_voxels():
    estimate, probe, values, held = initial()
    found = InitialEstimate(estimate, estimate.copy(), probe, "nlm-2")
    one = solve(found, values, held, 8)
    other = solve(found, np.where(held, values + 30, values).astype(np.float32), held, 8)
    assert one.trust > 0.5
    np.testing.assert_allclose(
        one.weights / one.trust, other.weights / max(other.trust, 1e-9), rtol=1e-3, atol=1e-5
    )


def test_kernels_that_follow_the_noise_get_less_weight():
    """An estimate that moves with the noise of each voxel is trusted less by Stein's estimate."""
    estimate, probe, values, held = initial()
    steady = solve(InitialEstimate(estimate, estimate.copy(), probe, "nlm-2"), values, held, 8)
    moved = (estimate + 0.01 * probe).astype(np.float32)
    following = solve(InitialEstimate(estimate, moved, probe, "nlm-2"), values, held, 8)
    assert following.weights[0].mean() < steady.weights[0].mean() - 0.05


def published(values_of_held=0.0):
    target = np.where(HELD, values_of_held, 0.5).astype(np.float32)
    image = Image(np.full(SHAPE, 100.0, np.float32), "YX")
    prepared = PublishedPrepared(image, target, HELD, 0.0, 200.0, CAMERA)
    config = CellINRConfig(
        preset="paper", batch=512, blind_convolution=False, total_variation=0, neurons=8
    )
    return PublishedCellINRProblem(prepared, config, CPU)


def test_the_published_loss_never_sees_what_is_held_out():
    assert losses(published(0.0)) == losses(published(1000.0))


def test_the_published_held_out_error_is_in_standard_deviations_of_the_noise():
    """1000 off in a target of contrast 200 with noise of √100 grey levels: 20 000 σ."""
    near, far = published(0.0), published(1000.0)
    assert far.held_out() == pytest.approx(1000 * 200 / 10, rel=0.01)
    assert near.held_out() < 0.01 * far.held_out()


def test_a_held_out_voxel_takes_part_as_far_as_its_estimate_is_wrong():
    """Squared error 9 of a prediction of variance 8 and a voxel of variance 1: weight 8 / 9."""
    of = problem(np.where(HELD, 3.0, 0.0))
    of.put_held_out_back()
    np.testing.assert_allclose(of.model.estimate[HELD], 20 + 3 * 8 / 9, rtol=1e-5)
    np.testing.assert_array_equal(of.model.estimate[~HELD], 20)


def test_a_held_out_voxel_whose_estimate_is_right_changes_nothing():
    of = problem(np.where(HELD, 1.1, 0.0))
    of.put_held_out_back()
    np.testing.assert_array_equal(of.model.estimate, 20)


def test_the_residual_is_the_distance_from_the_image():
    assert problem(2.0).facts()["residual"] == pytest.approx(2.0, rel=1e-5)
