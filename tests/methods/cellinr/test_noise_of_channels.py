"""Noise that is given, and what is estimated all the same."""

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_cellinr import CellINRConfig, Image
from napari_cellinr.methods.cellinr.initial.noise import noise_of_channels


def test_noise_that_is_given_keeps_the_grain_that_is_seen():
    values = np.random.default_rng(0).normal(100, 10, (2, 64, 64))
    image = Image(np.stack([values[0], gaussian_filter(values[1], 0.7)]), "CYX")
    white, blurred = noise_of_channels(image, CellINRConfig(gain=0.1, read_noise=5))
    assert (white.gain, white.read_noise, white.offset, white.grain) == (0.1, 5, 0, 0)
    assert (blurred.gain, blurred.read_noise) == (0.1, 5)
    assert blurred.grain == noise_of_channels(image, CellINRConfig())[1].grain > 0.4
