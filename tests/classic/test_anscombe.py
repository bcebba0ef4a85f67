"""The transform makes noise even, and its inverse is right in the mean."""

import numpy as np
import pytest

from napari_cellinr.classic.camera.anscombe import Noise, stabilise, unstabilise
from napari_cellinr.simulate.embryo import add_noise

CAMERAS = [(2, 8, 0), (2, 8, 100), (1, 1, 0), (2, 0, 0), (10, 3, 0), (2, 20, 0), (1e-6, 5, 0)]
N_DRAWS = 200_000


@pytest.mark.parametrize(("gain", "read_noise", "offset"), [*CAMERAS, (0, 5, 3)])
def test_mean_and_spread_of_many_exposures(gain, read_noise, offset):
    noise = Noise(gain, read_noise, offset)
    generator = np.random.default_rng(0)
    for mean in (20, 60, 200):
        raw = add_noise(np.full(N_DRAWS, float(mean)), gain, read_noise, generator) + offset
        values = stabilise(raw, noise)
        assert values.std() == pytest.approx(1, abs=0.04)
        back = unstabilise(np.array([values.mean(dtype=np.float64)]), noise)[0] - offset
        assert back == pytest.approx(mean, abs=0.015 * noise.sd(mean + offset))


@pytest.mark.parametrize(("gain", "read_noise"), [(2, 8), (2, 20), (2, 0), (1, 0.3)])
def test_dark_places_are_right_in_the_mean(gain, read_noise):
    noise = Noise(gain, read_noise)
    for mean in (1, 5):
        exposures = np.full(N_DRAWS, float(mean))
        raw = add_noise(exposures, gain, read_noise, np.random.default_rng(1))
        values = stabilise(raw, noise).mean(dtype=np.float64)
        assert unstabilise(np.array([values]), noise)[0] == pytest.approx(
            mean, abs=0.04 * noise.sd(mean)
        )


def test_without_photon_noise_it_is_a_division():
    values = np.linspace(-50, 300, 71, dtype=np.float32)
    plain = (values - 3) / 5
    assert np.allclose(stabilise(values, Noise(0, 5, 3)), plain)
    assert np.allclose(unstabilise(plain, Noise(0, 5, 3)), values, atol=1e-4)
    assert np.allclose(stabilise(values, Noise(1e-7, 5, 3)), plain, atol=1e-4)
    assert np.allclose(unstabilise(plain, Noise(1e-7, 5, 3)), values, atol=1e-3)


@pytest.mark.parametrize(("gain", "read_noise", "offset"), CAMERAS)
def test_both_ways_rise_and_keep_the_offset_near_zero(gain, read_noise, offset):
    noise = Noise(gain, read_noise, offset)
    values = stabilise(np.linspace(-200, 500, 2001), noise)
    assert values.dtype == np.float32
    assert np.all(np.diff(values) > 0)
    back = unstabilise(np.linspace(values[0], values[-1], 2001), noise)
    assert back.dtype == np.float32
    assert np.all(np.diff(back) >= 0)
    assert stabilise(np.array([offset]), noise)[0] == 0


def test_shapes_and_integers_are_kept():
    raw = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    noise = Noise(1, 2, 100)
    values = stabilise(raw, noise)
    assert values.shape == raw.shape
    # The plain inverse differs by no more than the bias of a quarter of a photon.
    assert np.abs(unstabilise(values, noise) - raw).max() < 0.3


def test_no_noise_at_all_is_survived():
    raw = np.linspace(0, 1, 9, dtype=np.float32)
    noise = Noise(0, 0)
    assert np.allclose(unstabilise(stabilise(raw, noise), noise), raw)


@pytest.mark.parametrize("noise", [Noise(2, 8), Noise(1, 0.3, 100), Noise(10, 3)])
def test_very_dark_values_go_on_along_the_tangent(noise):
    root = np.sqrt(noise.read_noise**2 + 0.375 * noise.gain**2)
    darkest = noise.offset - 0.75 * root**2 / noise.gain  # where the square root is halved
    steps = np.array([-2.0, -0.1, -0.05, 0.05, 0.1]) * root + darkest
    slopes = np.diff(stabilise(steps, noise).astype(float)) / np.diff(steps) * root
    assert slopes[:2] == pytest.approx([2, 2], rel=1e-3)
    beyond = 1 / np.sqrt(0.25 + 0.075 * noise.gain / root)
    assert slopes[-1] == pytest.approx(beyond, rel=5e-3)
