"""Restored images keep the mean of the recorded light, whatever kind of noise it has."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic.camera.anscombe import Noise, stabilise, unstabilise
from napari_cellinr.classic.camera.mean_bias import mean_bias
from napari_cellinr.config import CellINRConfig
from napari_cellinr.image import Image
from napari_cellinr.methods.cellinr.initial.estimate import InitialEstimate
from napari_cellinr.methods.cellinr.initial.part import Part

SHAPE = (16, 64, 64)


def noise(seed=0, shape=SHAPE):
    return np.random.default_rng(seed).normal(0, 2, shape).astype(np.float32)


@pytest.mark.parametrize("shape", [SHAPE, (128, 128), (3, 200, 5)])
def test_a_bias_is_found_to_its_standard_error(shape):
    found = mean_bias([noise(shape=shape) + np.float32(0.5)])
    assert found == pytest.approx(0.5, abs=4 * 2 / np.prod(shape) ** 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_is_no_bias(seed):
    assert mean_bias([noise(seed)]) == 0


def test_the_frames_of_a_series_count_together():
    frames = [noise(seed, (32, 32)) + np.float32(0.3) for seed in range(40)]
    assert mean_bias(frames[:2]) < mean_bias(frames) == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("size", [32, 64])
def test_similar_images_get_similar_values(size):
    """A threshold once switched the bias of the frames of a series on and off."""
    still = noise(shape=(size, size))
    found = [
        mean_bias([still - still.mean() + np.float32(level)]) for level in np.linspace(0, 1, 101)
    ]
    assert found[0] == 0
    assert 0 < max(np.diff(found)) < 0.03
    assert min(np.diff(found)) >= 0


def test_a_lost_structure_is_no_bias():
    """What was smoothed away at few places must not be spread over the image."""
    residual = noise()
    residual[4:6, 20:24, 20:24] += 500
    assert abs(residual.mean()) > 0.1
    assert mean_bias([residual]) == 0


def test_values_that_do_not_count():
    residual = noise() + np.float32(0.5)
    residual[:, 10:40, 7] = np.nan
    assert mean_bias([residual]) == pytest.approx(0.5, abs=0.04)
    nothing = np.full(SHAPE, np.nan, np.float32)
    assert mean_bias([nothing]) == 0
    assert mean_bias([residual, nothing]) == mean_bias([residual])


def test_the_inverse_adds_the_bias():
    values = np.linspace(-3, 30, 50, dtype=np.float32)
    for gain in (0.0, 2.0):
        usual, biased = Noise(gain, 3.0, 100.0), Noise(gain, 3.0, 100.0, bias=0.25)
        difference = unstabilise(values, biased) - unstabilise(values, usual)
        np.testing.assert_allclose(difference, 0.25, atol=1e-5)
        np.testing.assert_array_equal(stabilise(values, biased), stabilise(values, usual))


def test_an_electron_multiplying_camera_keeps_its_mean():
    """Its gain is random for each photon; the inverse alone is too dark by 0.1 grey levels."""
    generator = np.random.default_rng(3)
    light = 5 * (gaussian_filter(generator.random(SHAPE) < 0.01, 1.0) * 20 + 0.05)
    counts = generator.poisson(light)
    signal = np.where(counts > 0, generator.gamma(np.maximum(counts, 1e-9), 2.0), 0)
    raw = (signal + 100 + generator.normal(size=SHAPE)).astype(np.float32)
    truth, model = 2 * light + 100, Noise(4.0, 1.0, 100.0)
    stabilised = stabilise(raw, model)
    estimate = gaussian_filter(stabilised, 1.0)
    found = InitialEstimate(estimate, estimate, estimate, "groups")
    part = Part(Image(raw, "ZYX"), CellINRConfig(), model, stabilised, np.zeros(SHAPE, bool), found)
    before = unstabilise(estimate, model).mean() - truth.mean()
    after = unstabilise(estimate, part.with_mean().noise).mean() - truth.mean()
    assert before < -0.1
    assert abs(after) < 0.03
