"""Gaussian filters on any device: the same as those of SciPy."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_cellinr.classic.smoothing import CPU, as_array, as_tensor, gaussian_filter, mirrored


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(5, 12, 20)).astype(np.float32)


@pytest.mark.parametrize("sigmas", [0.9, (0.0, 0.7, 3.1)])
@pytest.mark.parametrize("orders", [None, (0, 1, 1), (0, 0, 2)])
def test_the_same_as_scipy(image, sigmas, orders):
    found = as_array(gaussian_filter(as_tensor(image, CPU), sigmas, orders))
    np.testing.assert_allclose(
        found, ndimage.gaussian_filter(image, sigmas, order=orders or 0), atol=2e-6
    )


@pytest.mark.parametrize(("at_voxels", "mode"), [(False, "symmetric"), (True, "reflect")])
@pytest.mark.parametrize("shape", [(2, 3), (1, 4)])
def test_margin_is_mirrored_even_where_it_is_wider_than_the_image(at_voxels, mode, shape):
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = as_array(mirrored(torch.from_numpy(image), (5, 1), at_voxels=at_voxels))
    np.testing.assert_array_equal(found, np.pad(image, ((5, 5), (1, 1)), mode=mode))
