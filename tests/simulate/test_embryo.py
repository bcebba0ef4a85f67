"""The simulated embryo is what the benchmarks say it is."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, grey_opening

from napari_cellinr.errors import ConfigError
from napari_cellinr.metrics import psnr
from napari_cellinr.simulate.embryo import VOXEL_SIZE, add_noise, embryo, embryo_series


def arrays(sample):
    return (
        i.array().astype(float) for i in (sample.raw, sample.truth, sample.truth_with_background)
    )


@pytest.mark.parametrize("seed", range(4))
def test_default_recipe(seed):
    """Raw, Gaussian and Gaussian minus opening score as in the published recipe."""
    raw, clean, hazy = arrays(embryo(seed=seed))
    smooth = gaussian_filter(raw, 0.7)
    haze = gaussian_filter(grey_opening(smooth, (11,) * 3), 11 / 4)
    assert psnr(raw, hazy, 255) == pytest.approx(27.6, abs=0.7)
    assert psnr(smooth, hazy, 255) == pytest.approx(35.5, abs=0.7)
    assert psnr(smooth - haze, clean, 255) == pytest.approx(33.3, abs=0.7)
    assert psnr(raw, clean, 255) == pytest.approx(22.2, abs=1.2)
    assert (hazy - clean).min() == pytest.approx(4, abs=0.01)
    assert (hazy - clean).max() == pytest.approx(39, abs=0.01)
    assert clean.min() >= 0


def test_cells_lie_between_the_membranes():
    sample = embryo(seed=0)
    labels, walls = sample.labels.array(), sample.truth.array()
    assert labels.dtype == np.int32
    assert set(np.unique(labels)) == set(range(22))
    border = (labels[..., 1:] != labels[..., :-1]) & (labels[..., 1:] > 0)
    inside = (labels[..., 1:] > 0) & ~border
    assert walls[..., 1:][border].mean() > 2 * walls[..., 1:][inside].mean()


def test_noise_is_what_was_asked_for():
    generator = np.random.default_rng(0)
    mean = np.full((100, 100), 30.0)
    noisy = add_noise(mean, 2.0, 8.0, generator)
    assert noisy.dtype == np.float32
    assert noisy.mean() == pytest.approx(30, abs=0.5)
    assert noisy.var() == pytest.approx(2 * 30 + 64, rel=0.05)
    assert np.array_equal(add_noise(mean, 0, 0, generator), mean.astype(np.float32))


@pytest.mark.parametrize("kind", ["membranes", "nuclei"])
@pytest.mark.parametrize("size", [(12, 24, 28), (40, 44), (4, 4, 4)])
def test_images_are_calibrated_and_deterministic(kind, size):
    first, same, other = (embryo(kind, size, seed) for seed in (3, 3, 4))
    for name in ("raw", "truth", "truth_with_background"):
        image = getattr(first, name)
        assert image.shape == size
        assert image.dtype == np.float32
        assert image.axes == "ZYX"[-len(size) :]
        assert image.scale == VOXEL_SIZE[-len(size) :]
        assert image.is_calibrated
        assert np.isfinite(image.data).all()
        assert np.array_equal(image.data, getattr(same, name).data)
        assert not np.array_equal(image.data, getattr(other, name).data)


def test_nuclei_are_eight_bit_like():
    _, clean, _ = arrays(embryo("nuclei"))
    assert 80 < np.percentile(clean, 99.5) < 255
    assert 0.02 < np.mean(clean > 20) < 0.4


def test_without_noise_the_camera_gives_its_mean():
    sample = embryo(gain=0, read_noise=0)
    assert np.array_equal(sample.raw.data, sample.truth_with_background.data)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "fish"}, "fish"),
        ({"size": (3, 9, 9)}, "size"),
        ({"size": (9,)}, "size"),
        ({"gain": -1}, "gain"),
        ({"background": (9, 4)}, "background"),
        ({"n_cells": 1}, "cells"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(ConfigError, match=message):
        embryo(**settings)


def test_a_series_moves_bleaches_and_repeats():
    series = embryo_series("nuclei", (3, 12, 24, 24), 0, bleaching=0.2)
    truth = series.truth.array()
    assert series.raw.axes == "TZYX"
    assert series.labels.shape == truth.shape
    assert np.abs(truth[1] / 0.8 - truth[0]).max() > 5
    haze = series.truth_with_background.array() - truth
    np.testing.assert_allclose(haze[2], 0.64 * haze[0], atol=1e-3)
    again = embryo_series("nuclei", (3, 12, 24, 24), 0, bleaching=0.2)
    assert np.array_equal(again.raw.array(), series.raw.array())
    assert embryo_series("membranes", (2, 24, 24), 0).raw.axes == "TYX"
