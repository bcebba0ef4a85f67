"""A cluster of hot pixels leaves the rest as good as without it, and is named."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr import Image, denoise, superresolve

torch = pytest.importorskip("torch")

from napari_cellinr.methods.nstm.recording.usable import unusable_pixels  # noqa: E402

SETTINGS = {"background": "keep", "preset": "preview", "steps": 2}


def recording(n_planes=8):
    generator = np.random.default_rng(0)
    spots = gaussian_filter((generator.random((n_planes, 48, 48)) < 0.01).astype(float), 1.5)
    truth = 30 + 150 * spots / spots.max()
    raw = generator.poisson(truth).astype(np.float32)
    hot = np.zeros((48, 48), bool)
    hot[20:22, 30:32] = hot[40:43, 8:11] = True
    bad = raw.copy()
    bad[:, hot] += generator.poisson(600, (n_planes, hot.sum()))
    return truth, raw, bad, hot


@pytest.mark.parametrize("axes", ["ZYX", "TYX"])
def test_clusters_are_replaced_and_named(axes):
    truth, raw, bad, hot = recording()
    fit, usual = (denoise(Image(v, axes=axes), **SETTINGS) for v in (bad, raw))
    (text,) = [text for text in fit.warnings if "hot pixels" in text]
    assert text.startswith("2 clusters of hot pixels (13 pixels, the first at row 20, column 30)")
    assert not any("clusters" in text for text in usual.warnings)
    found, expected = (f.images[0].array() for f in (fit, usual))
    wrong, error = (((v - truth) ** 2)[:, ~hot].mean() for v in (found, expected))
    assert wrong < 1.1 * error
    assert np.abs(found - truth)[:, hot].mean() < 30


def test_so_does_super_resolution_and_reconstruction_leaves_them_out():
    _, raw, bad, hot = recording()
    fit = superresolve(Image(bad, "TYX"), "preview", scale={"t": 2}, steps=0, motion="never")
    assert any("hot pixels" in text for text in fit.warnings)
    found = fit.images[0].array()[::2]
    assert np.array_equal(found[:, ~hot], bad[:, ~hot])
    assert found[:, hot].max() < raw.max()
    assert np.array_equal(unusable_pixels(bad, {}), np.broadcast_to(hot, bad.shape))
    assert not unusable_pixels(raw, {}).any()
