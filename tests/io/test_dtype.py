"""Integers are the nearest ones within the limits; what is lost is counted in a warning."""

import warnings

import numpy as np
import pytest

from napari_cellinr.errors import FileError, FileWarning
from napari_cellinr.image import Image
from napari_cellinr.io.dtype import with_dtype


def converted(values, dtype):
    return with_dtype(Image(np.array([values], np.float32)), dtype).array()[0].tolist()


def test_integers_are_rounded_and_clipped():
    with pytest.warns(FileWarning, match="3 of 6 values were rounded, 2 clipped to 0 … 255"):
        assert converted([-3, 0.4, 1.6, 2, 254.7, 300], "uint8") == [0, 0, 2, 2, 255, 255]
    with pytest.warns(FileWarning, match="1 clipped to -128"):
        assert converted([-200, -127.6, 127.2], "int8") == [-128, -128, 127]


@pytest.mark.filterwarnings("ignore:.*clipped:napari_cellinr.errors.FileWarning")
def test_limits_of_large_integers_are_exact():
    assert converted([-1e20, 1e20], "int32") == [-(2**31), 2**31 - 1]
    assert converted([-1, 1e20], "uint32") == [0, 2**32 - 1]


def test_what_fits_is_not_reported():
    assert converted([0, 7, 65535], "uint16") == [0, 7, 65535]  # a warning would be an error


def test_what_has_no_integer_is_refused():
    with pytest.raises(FileError, match=r"1 value of image is not a number .*write float32"):
        converted([1, np.nan], "uint8")
    with pytest.raises(FileError, match="allowed are uint8"):
        converted([1], "complex64")


@pytest.mark.parametrize(("offset", "told"), [(0.0, False), (1e3, False), (1e8, True)])
def test_an_offset_that_float32_cannot_hold_is_told(offset, told):
    image = Image(offset + np.arange(100.0).reshape(10, 10))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        with_dtype(image, "float32")
    assert ["offset is too large" in str(one.message) for one in found] == [True] * told


def test_values_are_rescaled_to_the_whole_range():
    image = Image(np.array([[-1.0, 0.0, 3.0]]))
    with pytest.warns(FileWarning, match=r"original = -1 \+ \(stored - 0\) / 63\.75"):
        assert with_dtype(image, "uint8", rescale=True).array().tolist() == [[0, 64, 255]]
    with pytest.warns(FileWarning, match="rescaled"):
        assert with_dtype(image, "int16", rescale=True).array().max() == 32767
