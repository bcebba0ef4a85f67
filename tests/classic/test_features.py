"""What filters make of parabolas is known: derivatives, and the variance of each Gaussian."""

import numpy as np
import pytest

from napari_cellinr.classic.features import features


def test_features_of_parabolas():
    z, y, x = (place.astype(float) for place in np.indices((21, 21, 21)) - 10)
    found = features(3 * z**2 + 2 * y**2 + x**2 + 5 * y * x)[:, 10, 10, 10]
    # A Gaussian of variance s adds s times half the Laplacian, which is 12 / 2 here.
    expected = [0, -6 * 0.7**2, 6 * (0.7**2 - 1.5**2), 6, 4, 2, 0, 0, 5]
    assert found == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("shape", "n"), [((9, 9), 6), ((1, 9, 9), 6), ((4, 9, 9), 9), ((1, 9), 4)])
def test_an_axis_of_one_voxel_has_no_derivatives(shape, n):
    found = features(np.full(shape, 3, np.uint16))
    assert found.shape == (n, *shape)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], 3)
    np.testing.assert_allclose(found[1:], 0, atol=1e-3)  # scipy cuts its Gaussians off
