"""The shift of every second row is measured; slanted and noisy images have none."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.ndimage import shift as shifted

from napari_cellinr import denoise, superresolve
from napari_cellinr.classic.camera.scan import scan_shift, scan_warnings


def planes(seed=0, n_planes=4, size=96, photons=30.0):
    generator = np.random.default_rng(seed)
    spots = (generator.random((n_planes, size, size)) < 0.02).astype(float)
    spots = gaussian_filter(spots, (0.5, 1.5, 1.5))
    return photons * (0.2 + spots / spots.max())


def scanned(light, by):
    """Return what a scan with a wrong phase records."""
    light = light.copy()
    light[:, 1::2] = shifted(light[:, 1::2], (0, 0, by), order=3, mode="nearest")
    return np.random.default_rng(1).poisson(light.clip(0)).astype(np.float32)


@pytest.mark.parametrize("by", [-3, -1, 1, 1.5, 2, 3])
def test_a_shift_is_measured(by):
    for seed in range(3):
        assert scan_shift(scanned(planes(seed), by)) == pytest.approx(by, abs=0.25)


def test_one_plane_is_enough():
    assert scan_shift(scanned(planes(n_planes=1), 2)) == pytest.approx(2, abs=0.25)


@pytest.mark.parametrize("photons", [1.0, 30.0, 3000.0])
def test_other_images_have_none(photons):
    generator = np.random.default_rng(2)
    y, x = np.indices((96, 96))
    slanted = photons * (1 + np.sin((x + y) / 3.0))
    images = {
        "spots": planes(photons=photons),
        "slanted lines": slanted[None].repeat(4, 0),
        "upright lines": photons * (1 + np.sin(x / 3.0))[None].repeat(4, 0),
        "stripes of a camera": planes(photons=photons) + photons * generator.random((1, 96, 1)),
        "nothing": np.full((4, 96, 96), photons),
    }
    for name, light in images.items():
        assert scan_shift(generator.poisson(light).astype(np.float32)) is None, name
    assert scan_warnings(np.zeros((0, 96, 96))) == []


def test_it_is_named_with_any_method():
    pytest.importorskip("torch")
    from napari_cellinr.acquisition import prepare
    from napari_cellinr.config.optics import TimeLapse
    from napari_cellinr.image import Image

    bad = scanned(planes(), 2)
    fits = [
        denoise(bad, "preview", axes="ZYX", background="keep", steps=2),
        superresolve(bad, "preview", axes="TYX", scale={"t": 2}, steps=0, motion="never"),
        prepare(Image(bad, "TYX"), TimeLapse()),
    ]
    for fit in fits:
        assert any("shifted by 2.0 pixels to the right" in text for text in fit.warnings)
