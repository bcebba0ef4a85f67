"""Blank frames and impossible pixels are left out of a reconstruction, and named."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr import Image, reconstruct, superresolve

torch = pytest.importorskip("torch")

from napari_cellinr.methods.nstm.plan import fading  # noqa: E402
from napari_cellinr.methods.nstm.usable import unusable_pixels, unusable_warnings  # noqa: E402


def movie(n_frames=6, shape=(32, 32)):
    generator = np.random.default_rng(0)
    spots = gaussian_filter((generator.random(shape) < 0.03).astype(float), 2)
    truth = np.stack([np.roll(30 + 150 * spots / spots.max(), n, -1) for n in range(n_frames)])
    return generator.poisson(truth).astype(np.float32)


def test_what_is_no_data():
    frames = movie()
    assert not unusable_pixels(frames).any()
    assert unusable_warnings(unusable_pixels(frames)) == []
    frames[2], frames[4, 10, 10] = 0, 1e9
    bad = unusable_pixels(frames)
    assert bad[2].all()
    assert np.argwhere(bad[[0, 1, 3, 4, 5]]).tolist() == [[3, 10, 10]]
    first, second = unusable_warnings(bad)
    assert "Frame 3 of 6 is blank" in first
    assert "1 of 6 frames" in second


def test_a_blank_frame_is_no_bleaching():
    frames = torch.ones(5, 4, 4) * torch.exp(-torch.linspace(0, 0.4, 5))[:, None, None]
    bad = torch.zeros_like(frames, dtype=torch.bool)
    frames[4], bad[4] = 0, True
    assert float(fading(frames, torch.linspace(0, 1, 5), bad)) == pytest.approx(0.4, abs=1e-3)


def test_the_others_are_reconstructed_as_well_as_without_it():
    usual, frames = movie(), movie()
    frames[2] = 0
    settings = {"preset": "preview", "steps": 20}
    whole, left = (reconstruct(Image(f, "TYX"), "time-lapse", **settings) for f in (usual, frames))
    assert any("Frame 3 of 6 is blank" in text for text in left.report["warnings"])
    assert left.report["held_out"] < 1.3 * whole.report["held_out"]
    difference = left.images[0].array() - whole.images[0].array()
    assert np.abs(difference[[0, 1, 3, 4, 5]]).mean() < 0.1 * np.ptp(usual)


def test_super_resolution_names_a_blank_frame():
    frames = movie(4)
    frames[1] = 0
    report = superresolve(Image(frames, "TYX"), scale={"t": 2}, preset="preview").report
    assert any("Frame 2 of 4 is blank" in text for text in report["warnings"])
