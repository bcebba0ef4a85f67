"""Known answers of the comparisons."""

import math

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from napari_cellinr.errors import AxesError, CellINRError, ConfigError
from napari_cellinr.metrics import bsa, dice, lpips, psnr, sphericity, ssim


def test_psnr_of_a_constant_error_has_a_closed_form():
    truth = np.linspace(0, 100, 64).reshape(4, 4, 4)
    assert psnr(truth + 1, truth) == pytest.approx(40)
    assert psnr(truth + 1, truth, data_range=10) == pytest.approx(20)
    assert psnr(truth, truth) == math.inf


def test_the_range_is_that_of_the_truth_not_of_the_result():
    """A truth from 0 to 1 and a result from 0 to 2: the mean squared error is 1 / 2."""
    assert psnr([0, 2], [0, 1]) == pytest.approx(10 * math.log10(1 / 0.5))
    assert psnr([0, 1], [0, 2]) == pytest.approx(10 * math.log10(4 / 0.5))


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
    with pytest.raises(AxesError, match="at least one element"):
        measure(np.zeros((0, 4)), np.zeros((0, 4)))


def test_a_constant_truth_needs_a_range():
    with pytest.raises(ConfigError, match="range"):
        psnr(np.ones((4, 4)), np.zeros((4, 4)))
    with pytest.raises(AxesError, match="3 × 3"):
        ssim(np.ones((2, 9)), np.zeros((2, 9)))


def ellipsoid(lengths, step, size=24.0):
    """A mask of an ellipsoid with these semi-axes, on voxels of these sizes."""
    grids = [(np.arange(round(size / h)) + 0.5) * h - size / 2 for h in step]
    places = np.meshgrid(*grids, indexing="ij")
    return sum((p / a) ** 2 for p, a in zip(places, lengths, strict=True)) < 1


@pytest.mark.parametrize(
    ("step", "least"), [((1, 1, 1), 0.98), ((1, 0.5, 0.5), 0.97), ((2, 0.5, 0.5), 0.94)]
)
def test_a_ball_has_sphericity_1(step, least):
    assert least < sphericity(ellipsoid((9, 9, 9), step), step) < 1.01


def test_sphericity_of_a_spheroid():
    a, c = 5.0, 10.0
    e = math.sqrt(1 - a**2 / c**2)
    surface = 2 * math.pi * a**2 * (1 + c / (a * e) * math.asin(e))
    expected = (36 * math.pi * (4 / 3 * math.pi * a * a * c) ** 2) ** (1 / 3) / surface
    found = sphericity(ellipsoid((c, a, a), (0.5,) * 3), (0.5,) * 3)
    assert found == pytest.approx(expected, abs=0.01)


def test_bsa_is_the_squared_difference_of_sphericities():
    ball, long = ellipsoid((6, 6, 6), (1,) * 3), ellipsoid((11, 4, 4), (1,) * 3)
    truth = np.stack([ball, ball]).astype(int)
    result = np.stack([ball, long]).astype(int)
    difference = sphericity(ball, (1,) * 3) - sphericity(long, (1,) * 3)
    assert bsa(truth, truth, (1,) * 3) == 0
    assert bsa(result, truth, (1,) * 3) == pytest.approx(difference**2 / 2, rel=1e-3)
    lost = bsa(np.zeros_like(truth), truth, (1,) * 3)
    assert lost == pytest.approx(sphericity(ball, (1,) * 3) ** 2, rel=1e-3)


def test_shapes_that_cannot_be_measured():
    with pytest.raises(AxesError, match="ZYX"):
        sphericity(np.ones((3, 3)), (1, 1))
    with pytest.raises(ConfigError, match="no shape"):
        bsa(np.zeros((3, 3, 3), int), np.zeros((3, 3, 3), int), (1, 1, 1))


def test_lpips_says_what_is_missing(monkeypatch, tmp_path):
    planes = np.random.default_rng(0).random((2, 64, 64))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(CellINRError, match="once with a network"):
        lpips(planes, planes)
