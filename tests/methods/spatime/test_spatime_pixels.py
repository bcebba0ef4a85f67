"""Finer pixels along Y and X: better than cubic, means kept, texture and noise told apart."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_cellinr import Image, superresolve
from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.classic.interpolate import resample
from napari_cellinr.classic.sampling import sampling
from napari_cellinr.fields.plane import PixelField, cell_weights
from napari_cellinr.methods.spatime.between.noise import is_plausible
from napari_cellinr.methods.spatime.finer.blur import coarser, measured_blur
from napari_cellinr.methods.spatime.finer.pixels import (
    PixelsProblem,
    pixel_examples,
    stein_weight,
    training_factors,
)


def spots(size=96, seed=0, blur=0.9):
    random = np.random.default_rng(seed)
    values = np.zeros((size, size), np.float32)
    places = random.integers(0, size, (size * size // 60, 2))
    values[tuple(places.T)] = random.uniform(0.5, 2, len(places))
    return 100 * gaussian_filter(values, blur)


def cubic(planes, factor=2):
    for axis in (0, 1):
        one = sampling(planes.shape[axis], factor, "Y")
        planes = resample(planes, one.positions, axis, "cubic")
    return planes


def error(found, truth):
    return float(np.mean((np.asarray(found) - truth) ** 2))


def test_finer_pixels_are_better_than_cubic_interpolation_and_keep_means():
    truth = spots()
    given = coarser(truth[None], (2, 2))[0]
    found = superresolve(Image(given, "YX"), scale={"y": 2, "x": 2}, steps=40)
    result = np.asarray(found.images[0].data)
    assert found.report["fits"]["channel_0"]["pixels"] == "learnt"
    assert error(result, truth) < 10**-0.2 * error(cubic(given), truth)  # 2 dB
    np.testing.assert_allclose(coarser(result[None], (2, 2))[0], given, atol=2e-3 * given.max())


@pytest.mark.parametrize("sigma", [0.35, 0.5])
def test_the_blur_is_measured_in_the_image(sigma):
    planes = coarser(spots(192, blur=2 * sigma)[None], (2, 2))
    assert measured_blur(planes, (2, 2)) == pytest.approx(sigma, abs=0.1)


def test_a_known_blur_is_used():
    frames = coarser(spots()[None], (2, 2))
    examples = pixel_examples(frames, (2, 2), 0.0, 30.0, blur=0.7)
    assert examples.blur == 0.7


def test_small_planes_are_interpolated():
    assert pixel_examples(np.ones((1, 20, 64), np.float32), (2, 2), 0.0, 1.0) is None


def test_nothing_is_learnt_from_noise_with_a_grain():
    random = np.random.default_rng(0)
    white = gaussian_filter(random.standard_normal((64, 64)), 0.6)
    noisy = coarser(spots(128)[None], (2, 2)) + 4 * np.float32(white / white.std())
    assert pixel_examples(noisy, (2, 2), 0.0, 30.0, Noise(0.0, 4.0, grain=0.6)) is None


@pytest.mark.parametrize(
    ("steps", "factors"), [((0.5, 0.5), (2, 2)), ((0.4, 1.0), (3, 1)), ((0.1, 1.01), (4, 1))]
)
def test_factors_that_are_learnt_are_whole(steps, factors):
    assert training_factors(steps) == factors


@pytest.mark.parametrize("factor", [2, 2.5, 3])
def test_polynomials_of_positive_degree_have_the_mean_zero_in_each_given_pixel(factor):
    one = sampling(10, factor, "Y")
    weights = cell_weights(one.positions, one.step, 10)
    sums = np.zeros((4, 10))
    for side in weights:
        for degree in range(4):
            np.add.at(sums[degree], side[-1].astype(int), side[degree] * one.step)
    np.testing.assert_allclose(sums[0], 1, atol=1e-6)
    np.testing.assert_allclose(sums[1:], 0, atol=1e-6)


def test_a_part_of_a_plane_is_as_in_the_whole():
    torch.manual_seed(0)
    net = PixelField(width=4)
    torch.nn.init.normal_(net.layers[-1].weight)
    given, one = torch.rand(1, 20, 12), sampling(20, 2, "Y")
    other = sampling(12, 2, "X")
    columns = torch.from_numpy(cell_weights(other.positions, 0.5, 12))
    rows = torch.from_numpy(cell_weights(one.positions, 0.5, 20))
    part = torch.from_numpy(cell_weights(one.positions[10:30] - 1, 0.5, 18))
    whole = net(given, torch.zeros(1, 40, 24), rows, columns)
    inside = net(given[:, 1:19], torch.zeros(1, 20, 24), part, columns)
    torch.testing.assert_close(inside[:, :4], whole[:, 10:14])


def test_noise_of_an_image_is_not_sharpened():
    truth = spots()
    random = np.random.default_rng(1)
    given = coarser(truth[None], (2, 2))[0]
    noisy = given + np.float32(4) * random.standard_normal(given.shape, dtype=np.float32)
    found = superresolve(Image(noisy, "YX"), scale={"y": 2, "x": 2}, steps=40)
    assert error(found.images[0].data, truth) < error(cubic(noisy), truth)


def test_texture_is_not_taken_for_noise():
    random = np.random.default_rng(0)
    white = random.standard_normal((64, 64)).astype(np.float32)
    texture = 10 * np.where(spots(64) > 8, gaussian_filter(white, 1.0), 0).astype(np.float32)
    noise = Noise(0.0, float(texture.std()))
    assert not is_plausible(noise, texture, np.zeros_like(texture))
    assert is_plausible(Noise(0.0, 1.0), white, np.zeros_like(white))


def test_a_correction_that_adds_error_to_a_noisy_image_gets_no_weight():
    random = np.random.default_rng(0)
    given = coarser(spots()[None], (2, 2))
    noise = Noise(0.0, 4.0)
    noisy = given + np.float32(4) * random.standard_normal(given.shape, dtype=np.float32)
    examples = pixel_examples(noisy, (2, 2), 0.0, 30.0, noise)
    problem = PixelsProblem(examples, steps=1, rate=1e-3, seed=0, device=torch.device("cpu"))
    torch.nn.init.constant_(problem.model.layers[-1].bias, 3.0)
    assert stein_weight(problem.model, examples) < 0.1
