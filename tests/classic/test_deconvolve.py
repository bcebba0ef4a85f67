"""Conventional reconstructions: right without noise, and what real data look like."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_cellinr.acquisition import prepare
from napari_cellinr.classic.deconvolve import (
    moving_window,
    tikhonov,
    total_variation,
    wiener,
    windows,
)
from napari_cellinr.config.optics import optics_from_dict
from napari_cellinr.image import Image
from napari_cellinr.io import read, write
from napari_cellinr.optics.blur import BlurModel
from napari_cellinr.optics.dpc import DPCModel, half_discs, transfer_functions
from napari_cellinr.optics.fourier import gaussian_psf
from napari_cellinr.optics.sim_calibration import upsample

sys.path.append(str(Path(__file__).parents[1] / "optics"))
from test_sim import three_beam


def correlation(a, b):
    return float(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1])


def test_tikhonov_finds_absorption_and_phase_in_radians():
    sources = half_discs(DPCModel.grid((60, 60)), 0.454, 0.525, (0, 180, 90, 270), 0.25)
    functions = transfer_functions(sources, 0.454, 0.525, 0.25)
    model = DPCModel((4, 60, 60), torch.arange(4), *functions)
    generator = np.random.default_rng(0)
    scene = gaussian_filter(generator.standard_normal((2, 60, 60)), (0, 2, 2), mode="wrap")
    scene = 0.2 * torch.tensor(scene)
    frames = model(scene.expand(4, 2, 60, 60), torch.arange(4))
    found = tikhonov(model, frames, 1e-6)
    centred = scene - scene.mean(dim=(1, 2), keepdim=True)
    for channel in range(2):
        part = found[channel] - found[channel].mean()
        assert correlation(part, centred[channel]) > 0.99
        assert float(part.std() / centred[channel].std()) == pytest.approx(1, abs=0.05)


def test_wiener_is_sharper_than_wide_field():
    model = three_beam((5, 64, 64), planes=0)
    generator = np.random.default_rng(1)
    points = (generator.random(model.scene_shape) > 0.997).astype(float)
    scene = torch.tensor(gaussian_filter(points, (0.7, 1, 1), mode="wrap"))
    frames = model(scene.expand(15, 1, *scene.shape), torch.arange(15))
    inner = (slice(None), slice(16, -16), slice(16, -16))
    sharp = correlation(wiener(model, frames, 0.02)[inner], scene[inner])
    widefield = upsample(frames.mean(0).to(torch.complex128), scene.shape[-2:]).real
    wide = correlation(widefield[inner], scene[inner])
    assert sharp > wide + 0.2
    assert sharp > 0.85
    bright = wiener(model, frames, 0.02)[inner].mean() / scene[inner].mean()
    assert float(bright) == pytest.approx(1, abs=0.05)


def test_windows_take_the_newest_frame_of_each_pattern():
    assert windows(9, 6, 3) == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 3, 4, 5]]
    assert windows(5, 6, 3) == []


def test_moving_window_of_a_still_scene_does_not_move():
    model = three_beam((1, 40, 40), planes=0)
    scene = torch.tensor(np.random.default_rng(2).random(model.scene_shape))
    frames = model(scene.expand(30, 1, *scene.shape), torch.arange(30))
    found = list(moving_window(model, frames, 5))
    assert len(found) == 4
    for other in found[1:]:
        torch.testing.assert_close(other, found[0])


def test_total_variation_deconvolves():
    psf = gaussian_psf((1.5, 1.5), (6, 6))
    model = BlurModel((1, 40, 40), torch.zeros(1), psf)
    scene = torch.zeros(1, 1, *model.scene_shape)
    scene[..., 15:30, 20:23] = 1
    noise = 0.02 * torch.randn(40, 40, generator=torch.Generator().manual_seed(0))
    frame = model(scene, torch.tensor([0]))[0] + noise
    *_, found = total_variation(model, frame[None], 2e-3, steps=150)
    inner = (slice(6, -6), slice(6, -6))
    assert correlation(found[0][inner], scene[0, 0][inner]) > correlation(frame, scene[0, 0][inner])
    assert correlation(found[0][inner], scene[0, 0][inner]) > 0.97
    assert float(found.min()) >= 0


DPC_TARGET = {
    "kind": "dpc",
    "wavelength": 0.532,
    "na": 0.75,
    "na_illumination": 0.75,
    "pixel_size": 0.1465,
    "rotations": [180, 0, 90, 270],
}


def test_bars_of_a_real_phase_target(data_folder):
    """The inner bars of a group stand out of the gaps in phase, all three of them."""
    source = read(data_folder / "dpc_phase_target" / "dpc_usaf_left_half.tif")
    measured = prepare(source, optics_from_dict(DPC_TARGET))
    phase = tikhonov(measured.model, torch.from_numpy(measured.frames), 3e-3)[1].numpy()
    profile = phase[820:950, 560:600].mean(1)
    profile = profile - gaussian_filter(profile, 20)
    bars = [profile[start - 820 : stop - 820].mean() for start, stop in BARS]
    gaps = [profile[start - 820 : stop - 820].mean() for start, stop in GAPS]
    assert min(bars) > max(gaps)


BARS = ((862, 872), (897, 907), (930, 940))
GAPS = ((878, 890), (913, 923))


def test_carriers_of_a_simulation_of_others(data_folder):
    """Line spacing and angles of three directions are found as its parameters say."""
    source = Image(read(data_folder / "sim3d_simulated" / "raw.tif").array(), axes="ZYX")
    angles = np.array([0.8043, 1.8555, -0.2388])
    settings = {
        "kind": "sim3d",
        "na": 1.42,
        "wavelength": 0.525,
        "wavelength_excitation": 0.488,
        "frame_order": "direction-z-phase",
        "refractive_index": 1.515,
        "voxel_size": [0.125, 0.08, 0.08],
        "periods": [0.41, 0.40, 0.41],
        "angles": np.degrees(angles + np.array([0.02, -0.02, 0.01])).tolist(),
    }
    measured = prepare(source, optics_from_dict(settings))
    assert measured.warnings == ()
    second = measured.model.carriers[1::2].numpy()
    spacing = 0.08 / np.hypot(*second.T)
    np.testing.assert_allclose(spacing, 0.2035, rtol=0.005)
    found = np.arctan2(second[:, 0], second[:, 1])
    np.testing.assert_allclose(np.cos(found - angles), 1, atol=2e-3)


def test_carriers_of_a_real_lattice(data_folder):
    """The Wiener filter brings frequencies that the wide-field image has not."""
    source = read(data_folder / "lattice_sim_actin" / "lattice_sim_5_phases.tif")
    settings = {
        "kind": "sim2d",
        "wavelength": 0.61,
        "na": 1.42,
        "pixel_size": 0.0975,
        "orders": [[0.47, -19.8], [0.47, 71.2]],
        "phases": [[0, 0], [120, 0], [240, 0], [0, 120], [120, 240]],
        "background": 100,
    }
    measured = prepare(source, optics_from_dict(settings))
    assert measured.warnings == ()
    assert float(measured.model.contrasts.min()) > 0.2


def binned(path, factor):
    values = read(path).array().astype(np.float32)
    rows, columns = (n // factor for n in values.shape)
    return values.reshape(rows, factor, columns, factor).mean((1, 3))


def test_a_hand_before_a_real_lensless_camera(data_folder, tmp_path):
    """The light that fills the sensor comes together into a small part of the scene."""
    folder = data_folder / "diffusercam"
    psf, raw = (binned(folder / f"{n}_sample.tif", 20) for n in ("psf", "rawdata_hand"))
    settings = {
        "kind": "rolling-shutter",
        "psf": str(write(tmp_path / "psf.tif", Image(psf, axes="YX"))),
        "field": 1.0,
        "rows_per_shot": 30,
        "samples": 1,
        "shutter": "single",
        "row_time": 27.52e-6,
        "exposure": 1.32e-3,
        "background": float(psf[:10, :10].mean()),
    }
    measured = prepare(Image(raw, axes="YX"), optics_from_dict(settings))
    *_, scene = total_variation(measured.model, torch.from_numpy(measured.frames), 1e-5, steps=100)

    def share(values):
        ordered = np.sort(np.clip(values, 0, None).ravel())[::-1]
        return ordered[: len(ordered) // 10].sum() / ordered.sum()

    assert share(scene.numpy()) > 0.6
    assert share(measured.frames) < 0.3


def test_tikhonov_minimises_its_own_loss_without_symmetric_light():
    """Patterns that do not come in opposite pairs mix absorption and phase."""
    sources = half_discs((60, 60), 0.454, 0.525, (0, 40), 0.25)
    functions = transfer_functions(sources, 0.454, 0.525, 0.25)
    model = DPCModel((2, 60, 60), torch.arange(2.0), *functions)
    frames = torch.rand(2, 60, 60, generator=torch.Generator().manual_seed(0))
    weight = 1e-2
    scene = tikhonov(model, frames, weight).requires_grad_()
    misfit = model(scene.expand(2, 2, 60, 60), torch.arange(2)) - frames
    loss = (misfit**2).sum() + weight * (scene**2).sum()
    (slope,) = torch.autograd.grad(loss, scene)
    assert float(slope.abs().max()) < 1e-3 * float(misfit.detach().norm())
