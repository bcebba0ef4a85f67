"""Known answers of the comparisons."""

import math

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from napari_cellinr.errors import AxesError, ConfigError
from napari_cellinr.metrics import dice, psnr, ssim


def test_psnr_of_a_constant_error_has_a_closed_form():
    truth = np.linspace(0, 100, 64).reshape(4, 4, 4)
    assert psnr(truth + 1, truth) == pytest.approx(40)
    assert psnr(truth + 1, truth, data_range=10) == pytest.approx(20)
    assert psnr(truth, truth) == math.inf


def test_psnr_does_not_lose_precision_in_integers_or_float32():
    truth = np.array([0, 200], np.uint8)
    assert psnr(np.array([255, 200], np.uint8), truth, 255) == pytest.approx(10 * math.log10(2))
    large = np.full(1_000_000, 1e4, np.float32)
    assert psnr(large + 1, large, data_range=10) == pytest.approx(20)


def test_ssim_is_the_mean_over_planes_and_one_for_equal_arrays():
    generator = np.random.default_rng(0)
    truth = generator.random((3, 16, 20))
    result = truth + 0.1 * generator.standard_normal(truth.shape)
    planes = [
        structural_similarity(a, b, data_range=1.0) for a, b in zip(result, truth, strict=True)
    ]
    assert ssim(result, truth, data_range=1.0) == pytest.approx(np.mean(planes))
    assert ssim(truth, truth) == pytest.approx(1)
    assert ssim(truth[None], truth[None]) == pytest.approx(1)


@pytest.mark.parametrize("size", [3, 4, 5, 6])
def test_ssim_of_small_planes(size):
    truth = np.random.default_rng(1).random((2, size, 9))
    assert ssim(truth, truth) == pytest.approx(1)
    assert ssim(1 - truth, truth) < 0.5


def test_dice():
    a = np.array([1, 1, 0, 0])
    assert dice(a, [0, 1, 1, 0]) == pytest.approx(0.5)
    assert dice(a, a) == 1
    assert dice(a, 1 - a) == 0
    assert dice([0, 0], [0, 0]) == 1


@pytest.mark.parametrize("measure", [psnr, ssim, dice])
def test_shapes_must_agree(measure):
    with pytest.raises(AxesError, match=r"\(4, 4\) and \(4, 5\)"):
        measure(np.zeros((4, 4)), np.zeros((4, 5)))
    with pytest.raises(AxesError, match="nothing"):
        measure(np.zeros((0, 4)), np.zeros((0, 4)))


def test_a_constant_truth_needs_a_range():
    with pytest.raises(ConfigError, match="range"):
        psnr(np.ones((4, 4)), np.zeros((4, 4)))
    with pytest.raises(AxesError, match="3 × 3"):
        ssim(np.ones((2, 9)), np.zeros((2, 9)))
