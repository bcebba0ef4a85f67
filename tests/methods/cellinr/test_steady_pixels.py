"""Single hot and dead pixels of a series: they leave no trace around them, and beads stay."""

import warnings

import numpy as np
import pytest

from napari_cellinr import denoise
from napari_cellinr.image import Image
from napari_cellinr.methods.cellinr.recording.camera import find_offsets
from napari_cellinr.methods.cellinr.recording.steady_pixels import steady_pixels

SIZE, FRAMES = 48, 8


def moving():
    """Return blurred dots that move by one pixel per frame on a floor of 30 grey levels."""
    generator = np.random.default_rng(3)
    rows, columns = np.indices((SIZE, SIZE))
    frame = np.full((SIZE, SIZE), 30.0)
    for row, column in generator.uniform(0, SIZE, (18, 2)):
        frame += 150 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 24.5)
    return np.stack([np.roll(frame, step, axis=1) for step in range(FRAMES)])


def beads(sigma):
    rows, columns = np.indices((SIZE, SIZE))
    frame = np.full((SIZE, SIZE), 30.0)
    for row, column in ((10, 10), (30, 30), (20, 40)):
        frame += 400 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 2 / sigma**2)
    return np.broadcast_to(frame, (FRAMES, SIZE, SIZE))


def recorded(truth):
    return np.random.default_rng(0).poisson(truth).astype(np.uint16)


@pytest.mark.parametrize("height", [300, 1500, None])
def test_what_is_around_a_hot_pixel_is_as_without_it(height):
    truth = moving()
    clean = recorded(truth)
    values = clean.copy()
    values[:, 5, 7] = 60_000 if height is None else clean[:, 5, 7] + height
    errors = []
    for array in (clean, values):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = denoise(Image(array, axes="TYX"), preset="preview", background="keep")
        errors.append(fitted.images[0].array() - truth)
    usual, found = (float(np.sqrt(np.mean(error**2))) for error in errors)
    assert found < 1.05 * usual
    assert np.abs(errors[1][:, 3:8, 5:10] - errors[0][:, 3:8, 5:10]).max() < 15
    assert any("(at row 5, column 7)" in text for text in fitted.report["warnings"])


def test_offsets_are_those_of_the_hot_pixels_alone():
    values = recorded(moving())
    values[:, 5, 7] += 300
    values[:, 40, 20] += 500
    found = find_offsets(values)
    assert np.argwhere(found.offsets).tolist() == [[5, 7], [40, 20]]
    assert found.offsets[5, 7] == pytest.approx(300, abs=30)
    assert found.kinds == ()


@pytest.mark.parametrize("sigma", [0.6, 0.8, 1.0, 2.0])
def test_small_beads_that_do_not_move_are_no_hot_pixels(sigma):
    assert steady_pixels(recorded(beads(sigma)).astype(np.float32)) is None


def test_no_pixel_is_odd_in_noise_alone():
    noise = np.random.default_rng(5).normal(100, 4, (12, 64, 64)).astype(np.float32)
    assert steady_pixels(noise) is None
    assert steady_pixels(np.zeros((12, 64, 64), np.float32)) is None
    assert steady_pixels(noise[:1]) is None
    assert steady_pixels(noise[:2]) is None


@pytest.mark.parametrize("mean", [0.02, 0.3, 1, 5])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_single_photons_are_no_hot_pixels(mean, count):
    values = np.random.default_rng(6).poisson(mean, (count, 64, 64)).astype(np.float32)
    assert steady_pixels(values) is None


@pytest.mark.parametrize("mean", [0.05, 0.1, 0.2, 0.4])
def test_single_photons_of_many_grey_levels_are_no_hot_pixels(mean):
    """With noise of readout, chance made pixels hot that had a photon in half of the images."""
    light = mean * moving()[:1] / moving()[0].mean()
    for seed in range(10):
        generator = np.random.default_rng(seed)
        photons = generator.poisson(light, (FRAMES, SIZE, SIZE))
        values = (50 * photons + generator.normal(100, 3, photons.shape)).astype(np.float32)
        assert steady_pixels(values) is None
        values[:, 5, 7] += 200
        assert np.argwhere(steady_pixels(values)).tolist() == [[5, 7]]


def test_a_hot_pixel_of_two_planes():
    """It is no single voxel: the next plane has it, too."""
    values = recorded(moving())[:2]
    values[:, 5, 7] = 9000
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = denoise(Image(values, axes="ZYX"), preset="preview", background="keep")
    assert fitted.images[0].array()[:, 4:7, 6:9].max() < 200
    assert any("(at row 5, column 7)" in text for text in fitted.report["warnings"])


def test_a_cluster_of_hot_pixels_leaves_no_trace_around_it():
    truth = moving()
    clean = recorded(truth)
    values = clean.copy()
    values[:, 10, 10:13] = 5000
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, usual = (
            denoise(Image(v, axes="TYX"), preset="preview", background="keep").images[0].array()
            for v in (values, clean)
        )
    assert np.sqrt(np.mean((found - truth) ** 2)) < 1.05 * np.sqrt(np.mean((usual - truth) ** 2))
