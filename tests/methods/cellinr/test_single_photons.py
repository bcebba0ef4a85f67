"""A plane in which a detector with read noise has counted single photons is denoised."""

import numpy as np

from napari_cellinr import denoise


def test_single_photons_beside_read_noise_are_denoised():
    """The result was once no better than the recording: 0.190 instead of 0.227 photons of error."""
    generator = np.random.default_rng(3)
    rows, columns = np.indices((96, 96))
    places = generator.uniform(0, 96, (18, 2))
    photons = sum(np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 24.5) for y, x in places)
    photons *= 0.05 / photons.mean()
    raw = 100 + 50 * generator.poisson(photons) + 2 * generator.standard_normal(photons.shape)
    fit = denoise(np.round(raw).astype(np.uint16), background="keep")
    result = (fit.image("result").array() - 100) / 50
    before, after = (np.square(values - photons).mean() for values in ((raw - 100) / 50, result))
    assert after < 0.2**2 * before
