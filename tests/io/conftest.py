"""One calibrated image for the tests of files."""

import numpy as np
import pytest

from napari_cellinr.image import Image


@pytest.fixture
def stack():
    """Return a calibrated 8-bit ZYX image."""
    data = np.random.default_rng(0).integers(0, 255, (5, 6, 7), dtype=np.uint8)
    return Image(
        data, axes="ZYX", scale=(0.43, 0.18, 0.18), units=("micrometer",) * 3, name="stack"
    )
