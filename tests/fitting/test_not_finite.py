"""The error about NaN and infinite values says where they are."""

import numpy as np
import pytest

from napari_cellinr.errors import DataError
from napari_cellinr.fitting.check import check_values
from napari_cellinr.image import Image


def image(axes, *bad):
    sizes = {"T": 4, "C": 2, "Z": 3, "Y": 5, "X": 6}
    shape = tuple(sizes[axis] for axis in axes)
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    for place in bad:
        values[place] = np.nan
    return Image(values, axes=axes)


@pytest.mark.parametrize(
    ("axes", "bad", "said"),
    [
        ("TYX", [1], r"30 of 120 values .*\(NaN or infinite\), in frame 2;"),
        ("TYX", [0, 3], "60 of 120 values .*, in frames 1, 4;"),
        ("TYX", [(slice(None), 0, 0)], r"4 of 120 values are not finite \(NaN or infinite\);"),
        ("TCZYX", [(2, 1, 0)], "in frame 3, channel 2, plane 1;"),
        ("ZYX", [1], "in plane 2;"),
        ("YX", [(0, 0)], r"1 of 30 values is not finite \(NaN or infinite\);"),
    ],
)
def test_where_values_are_not_finite(axes, bad, said):
    with pytest.raises(DataError, match=said):
        check_values(image(axes, *bad))
    check_values(image(axes))
