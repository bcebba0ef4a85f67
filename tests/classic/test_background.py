"""What is smooth stays in the background, what is narrow does not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.measure import block_reduce

from napari_cellinr.classic.background import background, opening, physical_widths, wbns
from napari_cellinr.errors import ConfigError
from napari_cellinr.metrics import psnr
from napari_cellinr.simulate.embryo import VOXEL_SIZE, embryo


def test_widths_follow_the_voxel_size():
    assert physical_widths(11, (0.5, 0.25, 0.25)) == (6, 11, 11)
    assert physical_widths(11, (100, 1, 1)) == (1, 11, 11)
    assert physical_widths(21, (1, 1)) == (21, 21)
    with pytest.raises(ConfigError, match="positive"):
        physical_widths(0, (1, 1))


@pytest.mark.parametrize("find", [opening, background])
@pytest.mark.parametrize("shape", [(20, 40, 40), (50, 60)])
def test_narrow_things_are_not_background(find, shape):
    flat = np.full(shape, 7.0)
    bright = flat.copy()
    bright[(slice(8, 12),) * len(shape)] = 100
    assert np.allclose(find(flat, 9), 7)
    assert np.allclose(find(bright, 9), 7, atol=0.01)
    assert find(bright, 9).dtype == np.float32


def test_wide_things_are_background():
    wide = np.zeros((60, 60))
    wide[15:45, 15:45] = 50
    assert opening(wide, 9)[30, 30] == pytest.approx(50, abs=0.5)
    ramp = np.broadcast_to(np.linspace(0, 100, 80), (60, 80))
    assert np.allclose(opening(ramp, 9)[:, 15:65], ramp[:, 15:65], atol=1)


def test_an_axis_of_width_one_is_left_alone():
    steps = np.zeros((5, 30, 30))
    steps[2] = 40
    assert np.allclose(background(steps, (1, 7, 7)), steps)
    assert np.allclose(opening(steps, (3, 7, 7))[2].max(), 0)


@pytest.mark.parametrize("kind", ["membranes", "nuclei"])
def test_the_haze_of_an_embryo_is_found(kind):
    sample = embryo(kind)
    haze = sample.truth_with_background.data - sample.truth.data
    found = background(sample.truth_with_background.data, physical_widths(21, VOXEL_SIZE))
    assert psnr(found, haze, 255) > 38
    plain = opening(gaussian_filter(sample.raw.data, 0.7))
    assert psnr(found, haze, 255) > 3 + psnr(plain, haze, 255)


def test_wbns_removes_background_and_some_noise():
    sample = embryo()
    truth = sample.truth.data
    raw = sample.raw.data
    signal = wbns(raw, 8)
    assert signal.shape == raw.shape
    assert signal.min() >= 0
    assert abs(float(signal[:, :3].mean())) < 3  # outside of the embryo
    assert wbns(np.full((2, 9, 11), 5.0), 4).max() < 1e-5
    assert psnr(wbns(sample.truth_with_background.data, 16), truth, 255) > 22


@pytest.mark.parametrize(
    "refused",
    [
        lambda: opening(np.zeros((9, 9)), (3, 3, 3)),
        lambda: background(np.zeros((9, 9)), 0),
        lambda: wbns(np.zeros((9, 9)), 1),
    ],
)
def test_refusals(refused):
    with pytest.raises(ConfigError):
        refused()


def test_boxes_longer_than_the_image():
    assert np.allclose(background(np.full((3, 5, 5), 2.0), 31), 2)


def test_the_box_is_exactly_as_wide_as_given():
    bars = np.zeros((2, 60, 60))
    bars[0, :, 20:28], bars[1, :, 20:29] = 50, 50
    assert opening(bars[0], 9).max() == 0
    assert opening(bars[1], 9).max() > 40


def test_wbns_follows_its_equations():
    plane = np.random.default_rng(0).random((32, 48)).astype(np.float32)
    plane[10:13, 20:23] += 5

    def mean_of_blocks(n):
        return np.kron(block_reduce(plane, (n, n), np.mean), np.ones((n, n)))

    noise = np.maximum(plane - mean_of_blocks(2), 0)
    noise = np.minimum(noise, noise.mean() + 2 * noise.std())
    above = np.maximum(plane - gaussian_filter(mean_of_blocks(8), 8), 0)
    expected = np.maximum(above - noise, 0)
    for width in (5, 8):  # three levels for more than 4 and up to 8 pixels
        np.testing.assert_allclose(wbns(plane, width), expected, atol=1e-4)
