"""Soft spots that move straight are found again, whatever the start divides their light into."""

import numpy as np
import pytest
import torch

from napari_cellinr.methods.nstm.layers.decomposition import moving_light
from napari_cellinr.methods.nstm.layers.spots import fit_spots

SIZE, FRAMES = 40, 12
PLACES = np.array([[12.0, 12.0], [13.0, 15.0], [26.0, 24.0], [28.0, 10.0]])
VELOCITIES = np.array([[8.0, 0.0], [-6.0, 5.0], [0.0, -9.0], [0.0, 0.0]])
LIGHT = np.array([0.3, 0.2, 0.25, 0.25])


def frames(noise=0.0, places=PLACES, width=1.8):
    """Return frames of moving spots, (shots, Y, X), and their times from −0.5 to 0.5."""
    times = np.linspace(-0.5, 0.5, FRAMES)
    grid = np.mgrid[:SIZE, :SIZE]
    now = places + VELOCITIES * times[:, None, None]
    apart = ((grid[None, None] - now[..., None, None]) ** 2).sum(2)
    light = (LIGHT[:, None, None] * np.exp(-apart / (2 * width**2))).sum(1)
    light += noise * np.random.default_rng(0).normal(size=light.shape)
    return torch.from_numpy(light).float(), torch.from_numpy(times).float()


def divided(generator):
    """Return a start in which the light of each spot is divided between five."""
    places = np.repeat(PLACES, 5, 0) + generator.uniform(-2, 2, (20, 2))
    velocities = np.repeat(VELOCITIES, 5, 0) + generator.uniform(-3, 3, (20, 2))
    return places, velocities, np.repeat(LIGHT / 5, 5)


def matched(found, expected):
    """Return values in the order of the expected ones, each the nearest."""
    return found[np.linalg.norm(found[None] - expected[:, None], axis=2).argmin(1)]


@pytest.mark.parametrize("seed", range(3))
def test_light_that_was_divided_is_one_spot_again(seed):
    light, times = frames(noise=0.003)
    start = divided(np.random.default_rng(seed))
    found = fit_spots(light, torch.ones_like(light), times, *start)
    assert len(found.light) == 4
    both = np.concatenate([found.places, found.velocities], 1)
    truth = np.concatenate([PLACES, VELOCITIES], 1)
    order = matched(both, truth)
    np.testing.assert_allclose(order, truth, atol=0.2)
    assert found.misfit == pytest.approx(0.003, rel=0.1)
    assert found.light.sum() == pytest.approx(1)


def test_pixels_that_do_not_count_change_nothing():
    light, times = frames()
    weight = (torch.rand(light.shape, generator=torch.Generator().manual_seed(0)) < 0.75).float()
    spoilt = torch.where(weight > 0, light, 5.0)
    start = divided(np.random.default_rng(0))
    one = fit_spots(light, weight, times, *start)
    other = fit_spots(spoilt, weight, times, *start)
    np.testing.assert_allclose(one.places, other.places, atol=0.02)


def test_moving_light_has_all_objects_that_cross():
    light, times = frames(noise=0.003)
    found = moving_light(light, torch.ones_like(light, dtype=bool), times + 0.5, [12, 12], 0.003)
    truth = np.concatenate([PLACES, VELOCITIES], 1)
    order = matched(np.concatenate([found.places, found.velocities], 1), truth)
    np.testing.assert_allclose(order, truth, atol=0.8)
