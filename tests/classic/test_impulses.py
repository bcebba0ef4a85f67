"""Impulse noise is found; photons, small objects and noise are none."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic.camera.impulses import impulses, without_impulses

SHAPE = (4, 64, 64)
SD = 8.0  # about that of the noise


def specimen(sigma=1.0, seed=0):
    generator = np.random.default_rng(seed)
    values = np.zeros(SHAPE)
    for place in generator.uniform(0, 1, (80, 3)) * SHAPE:
        values[tuple(place.astype(int))] += 1500
    return 100 + gaussian_filter(values, (0, sigma, sigma))


def recorded(truth, seed=1):
    return (60 + np.random.default_rng(seed).poisson(truth - 60)).astype(np.uint16)


def with_impulses(values, part, kind):
    """Return values of which a part is replaced, and which."""
    generator = np.random.default_rng(5)
    mask = generator.random(values.shape) < part
    new = {
        "random": generator.integers(0, 4096, values.shape),
        "salt": np.full(values.shape, 4095),
        "dead": np.zeros(values.shape),
        "both": generator.choice([0, 4095], values.shape),
    }[kind]
    return np.where(mask, new, values).astype(values.dtype), mask


@pytest.mark.parametrize("kind", ["random", "salt", "dead", "both"])
@pytest.mark.parametrize("part", [0.005, 0.03])
def test_impulses_are_found_and_hardly_anything_else(kind, part):
    truth = specimen()
    values, mask = with_impulses(recorded(truth), part, kind)
    found = np.array(impulses(values))
    far = mask & (np.abs(values - truth) > 10 * SD) if kind == "random" else mask
    # a dark pixel on the flank of a dot may be a gap between dots
    least = 0.9 if kind in ("dead", "both") else 0.97
    assert (found & far).sum() > least * far.sum()
    assert (found & ~mask).sum() <= 1e-3 * mask.size


def test_they_are_found_in_floats_of_any_scale():
    values, _ = with_impulses(recorded(specimen()), 0.03, "both")
    expected = np.array(impulses(values))
    assert np.array_equal(impulses((values / 4095).astype(np.float32)), expected)


def test_they_are_found_in_8_bits():
    dim = np.clip(recorded(specimen()) / 2, 0, 255).astype(np.uint8)
    mask = np.random.default_rng(2).random(SHAPE) < 0.03
    values = np.where(mask, 255, dim).astype(np.uint8)
    found = np.array(impulses(values))
    assert (found & mask).sum() > 0.95 * mask.sum()
    assert (found & ~mask).sum() <= 1e-3 * mask.size


@pytest.mark.parametrize("sigma", [0.6, 0.8, 1.2])
def test_an_image_of_small_objects_has_none(sigma):
    assert impulses(recorded(specimen(sigma))) is None


@pytest.mark.parametrize("level", [0.05, 0.1, 0.2, 0.4])
def test_single_photons_are_none(level):
    truth = (specimen() - 60) / (specimen() - 60).mean() * level
    counts = np.random.default_rng(3).poisson(truth)
    assert impulses(counts.astype(np.uint16)) is None
    noise = np.random.default_rng(4).standard_normal(SHAPE)
    assert impulses((100 + 60 * counts + 5 * noise).round().astype(np.uint16)) is None


@pytest.mark.parametrize("level", [0.05, 0.2])
def test_photons_of_random_gain_are_none(level):
    generator = np.random.default_rng(3)
    counts = generator.poisson((specimen() - 60) / (specimen() - 60).mean() * level)
    bright = np.where(counts > 0, generator.gamma(np.maximum(counts, 1), 100), 0)
    values = (500 + bright + 5 * generator.standard_normal(SHAPE)).round().astype(np.uint16)
    assert impulses(values) is None


def test_one_plane_of_many_may_have_them():
    clean = recorded(np.concatenate([specimen(seed=n) for n in range(12)]))
    values = clean.copy()
    values[7] = with_impulses(clean, 0.03, "both")[0][7]
    found = impulses(values)
    assert [bool(mask.any()) for mask in found] == [n == 7 for n in range(len(values))]


def test_they_are_replaced_by_the_median_around_them():
    plane = np.full((16, 16), 10.0)
    plane[5, 5] = plane[5, 6] = 900
    plane[0, 0] = 0
    missing = plane != 10
    assert (without_impulses(plane, missing) == 10).all()
