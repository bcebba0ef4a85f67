"""Noise that is drawn has the mean, the variance and the grain of its model."""

import numpy as np
import pytest

from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.classic.camera.noise import estimate_noise
from napari_cellinr.classic.camera.sampled_noise import sample_noise

LEVELS = (90.0, 100.0, 100.6, 160.0, 5000.0, 1e7)


def drawn(level, noise, shape=(64, 64, 64)):
    return sample_noise(np.full(shape, level), noise, np.random.default_rng(3)).astype(np.float64)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("grain", [0.0, 0.7])
def test_mean_and_variance_are_those_of_the_model(level, grain):
    noise = Noise(2.0, 3.0, 100.0, grain)
    values = drawn(level, noise)
    expected = float(noise.sd(level))
    assert values.std() == pytest.approx(expected, rel=0.02)
    assert values.mean() == pytest.approx(level, abs=0.03 * expected + 1e-7 * level)


def test_photons_come_in_whole_numbers():
    values = drawn(101.0, Noise(2.0, 0.0, 100.0))
    photons = (values - 100) / 2
    assert np.abs(photons - np.round(photons)).max() < 1e-3
    assert (photons == 0).mean() == pytest.approx(np.exp(-0.5), abs=0.01)


def test_the_estimate_finds_the_model_that_was_drawn():
    clean = np.broadcast_to(np.linspace(100, 300, 96), (24, 96, 96))
    for noise in (Noise(2.0, 3.0, 100.0), Noise(0.0, 5.0), Noise(2.0, 3.0, 100.0, 0.8)):
        found = estimate_noise(sample_noise(clean, noise, np.random.default_rng(0)))
        assert found.sd([150, 250]) == pytest.approx(noise.sd([150, 250]), rel=0.1)
        assert found.grain == pytest.approx(noise.grain, abs=0.12)


def test_the_same_random_numbers_give_the_same_image():
    noise = Noise(2.0, 3.0)
    assert np.array_equal(drawn(50.0, noise, (8, 8)), drawn(50.0, noise, (8, 8)))


def test_a_plane_of_a_volume_with_grain():
    assert drawn(50.0, Noise(0.0, 3.0, 0.0, 0.7), (1, 64, 64)).std() == pytest.approx(3, rel=0.05)
