"""Thresholding of local cosine transforms: laws, and noise that it removes."""

import numpy as np
import pytest

from napari_cellinr.classic import local_cosines
from napari_cellinr.classic.local_cosines import sparse_estimate

SHAPES = [(20, 30), (1, 20, 30), (6, 12, 14), (3, 12, 14)]


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_without_a_threshold_nothing_changes(shape):
    values = noise(shape)
    np.testing.assert_allclose(sparse_estimate(values, threshold=0), values, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_noise_alone_becomes_its_local_mean(shape):
    left = sparse_estimate(100 + noise(shape))
    assert left.std() < 0.35
    assert left.mean() == pytest.approx(100, abs=0.3)


def test_a_wave_far_above_the_noise_stays():
    y, x = np.indices((48, 48))
    wave = (20 * np.cos(np.pi * (2 * x + 1) / 8) * np.cos(np.pi * (2 * y + 1) / 16)).astype("f4")
    left = sparse_estimate(wave + noise(wave.shape)) - wave
    assert left.std() < 0.5


@pytest.mark.parametrize("shape", [(24, 31), (7, 12, 14)])
def test_block_by_block_is_the_same_as_at_once(shape, monkeypatch):
    values = 10 * noise(shape)
    whole = sparse_estimate(values)
    monkeypatch.setattr(local_cosines, "_VOXELS", 60)
    np.testing.assert_allclose(sparse_estimate(values), whole, atol=1e-4)


def test_the_mean_is_never_removed():
    dim = np.full((12, 12), 0.1, np.float32)
    np.testing.assert_allclose(sparse_estimate(dim), dim, atol=1e-6)
