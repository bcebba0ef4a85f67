"""Structured illumination against an independent simulator of all fifteen images."""

import math

import numpy as np
import pytest
import torch

from napari_cellinr.errors import ConfigError
from napari_cellinr.optics.otf import check_pixel, from_table, ideal_bands, ideal_plane
from napari_cellinr.optics.sim import SIMModel

PIXEL, STEP, NA, WAVELENGTH, INDEX = 0.08, 0.125, 1.2, 0.525, 1.33
PERIODS, ANGLES = (0.42, 0.41, 0.43), (0.1, 1.2, 2.2)
CONTRASTS = ((0.7, 0.5), (0.6, 0.4), (0.8, 0.6))
STARTS = ((0.3, 1.1), (-0.5, 0.2), (2.0, -1.0))
AXIAL = 1.1


def three_beam(size=(4, 20, 24), zoom=2.0, planes=1):
    """Return a model of 3 directions times 5 phases with independent start phases."""
    carriers, groups = [], []
    for period, angle in zip(PERIODS, ANGLES, strict=True):
        for order in (1, 2):
            vector = np.array([math.sin(angle), math.cos(angle)]) / period * order
            carriers.append(vector * PIXEL)
            groups.append(order)
    phases, contrasts = np.zeros((15, 6)), np.zeros((15, 6))
    for direction in range(3):
        for phase in range(5):
            for order in (1, 2):
                place = direction * 5 + phase, direction * 2 + order - 1
                start = STARTS[direction][order - 1]
                phases[place] = start + order * 2 * math.pi * phase / 5
                contrasts[place] = CONTRASTS[direction][order - 1]
    grid = SIMModel.grid(size, planes)
    transfers = ideal_bands(grid, (STEP, PIXEL, PIXEL), (NA, WAVELENGTH, INDEX), AXIAL)
    tensors = (torch.tensor(np.array(carriers)), torch.tensor(phases), torch.tensor(contrasts))
    return SIMModel(
        (15, *size),
        torch.arange(15.0),
        *tensors,
        transfers,
        torch.tensor(groups),
        zoom=zoom,
        planes=planes,
    )


def fifteen_images(scene, size, planes):
    """Return the images from first principles: light in three dimensions times scene, blurred.

    The point spread function is summed directly, plane by plane, in complex waves.
    """
    depth, n_y, n_x = scene.shape
    fine = PIXEL * size[1] / n_y
    k = np.meshgrid(np.fft.fftfreq(n_y, fine), np.fft.fftfreq(n_x, fine), indexing="ij")
    radius = np.hypot(*k)
    axial = np.sqrt(np.maximum((INDEX / WAVELENGTH) ** 2 - radius**2, 0))
    pupil = radius <= NA / WAVELENGTH
    offsets = (np.arange(depth) + depth // 2) % depth - depth // 2
    psf = np.array(
        [np.abs(np.fft.ifft2(pupil * np.exp(2j * np.pi * axial * STEP * d))) ** 2 for d in offsets]
    )
    psf /= psf.sum()
    y, x = np.indices((n_y, n_x)) * fine
    images = []
    for direction in range(3):
        angle, period = ANGLES[direction], PERIODS[direction]
        along = (math.sin(angle) * y + math.cos(angle) * x) / period
        for phase in range(5):
            total = np.zeros(scene.shape)
            for order in (0, 1, 2):
                light, blur = np.ones_like(y), psf
                if order:
                    start = STARTS[direction][order - 1] + order * 2 * np.pi * phase / 5
                    contrast = CONTRASTS[direction][order - 1]
                    light = contrast * np.cos(2 * np.pi * order * along + start)
                if order == 1:
                    fringe = np.cos(2 * np.pi * AXIAL * STEP * offsets)
                    blur = psf * fringe[:, None, None]
                spectrum = np.fft.fftn(light * scene) * np.fft.fftn(blur)
                total += np.fft.ifftn(spectrum).real
            images.append(total[planes : planes + size[0], ::2, ::2])
    return np.array(images)


def test_fifteen_images():
    """T4: the forward model is the independent simulator, contrast and sign of phases included."""
    size, planes = (4, 20, 24), 1
    model = three_beam(size, planes=planes)
    scene = np.random.default_rng(0).random(model.scene_shape)
    expected = fifteen_images(scene, size, planes)
    shots = torch.arange(15)
    batch = torch.tensor(scene).expand(15, 1, *scene.shape)
    frames = model(batch, shots).numpy()
    assert np.abs(frames - expected).max() < 1e-3 * np.abs(expected).max()
    modulated = expected - expected.reshape(3, 5, *size).mean(1).repeat(5, 0)
    found = frames - frames.reshape(3, 5, *size).mean(1).repeat(5, 0)
    assert (found * modulated).sum() / (modulated**2).sum() == pytest.approx(1, abs=1e-3)


def test_plane_is_the_convolution_with_an_airy_disc():
    transfer = ideal_plane((64, 64), PIXEL, NA, WAVELENGTH)
    psf = torch.fft.irfft2(transfer, s=(64, 64))
    row = psf[0, :32] / psf[0, 0]
    first_zero = 0.61 * WAVELENGTH / NA / PIXEL
    assert float(row[round(first_zero)]) < 0.02
    assert float(transfer[0, 0]) == 1


def test_table_is_interpolated():
    radii = torch.arange(9.0)
    table = (10 - radii)[None, :, None] * torch.tensor([1.0, 0.5, 0, 0, 0.5])
    table = table.to(torch.complex128)
    grid = from_table(table, (0.5, 1.0), (5, 8, 8), (0.2, 0.125, 0.125), 3.0)
    assert grid.shape == (1, 5, 8, 5)
    assert float(grid[0, 0, 0, 0].real) == 10
    assert float(grid[0, 0, 0, 1].real) == pytest.approx(8)
    assert float(grid[0, 1, 0, 1].real) == pytest.approx(4)
    assert float(grid[0, -1, 1, 0].real) == pytest.approx(4)
    assert float(grid[0, 2].abs().max()) == 0
    assert float(grid[0, 0, 0, 4].abs()) == 0


def test_aliasing_is_refused():
    with pytest.raises(ConfigError, match=r"at most 0\.09375"):
        check_pixel(0.1, 1.4, 0.525)
