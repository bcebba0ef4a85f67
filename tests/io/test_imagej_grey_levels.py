"""Signed and calibrated grey levels of ImageJ: the values are right, or it is said."""

import numpy as np
import pytest
import tifffile

from napari_cellinr import read
from napari_cellinr.errors import FileWarning

VALUES = np.random.default_rng(0).integers(-300, 900, (3, 6, 7)).astype(np.int16)


def imagej(path, planes, more, **options):
    text = f"ImageJ=1.53c\nimages={len(planes)}\nslices={len(planes)}\n{more}"
    with tifffile.TiffWriter(path, byteorder=">") as file:
        for number, plane in enumerate(planes):
            described = {} if number else {"description": text}
            file.write(plane, contiguous=True, metadata=None, **described)
    return read(path, **options)


@pytest.mark.parametrize("limit", [None, 0])
def test_signed_values_are_not_32768_too_high(tmp_path, limit):
    stored = (VALUES.astype(int) + 32768).astype(np.uint16)
    more = "cf=0\nc0=-32768.0\nc1=1.0\nvunit=gray value\n"
    found = imagej(tmp_path / "a.tif", stored, more, lazy_above=limit)
    assert (found.axes, found.dtype) == ("ZYX", np.int16)
    np.testing.assert_array_equal(found.array(), VALUES)


def test_another_calibration_is_named(tmp_path):
    stored = (VALUES + 300).astype(np.uint16)
    with pytest.warns(FileWarning, match=r"calibration of its grey levels.*c0=10, c1=0.5, in OD"):
        found = imagej(tmp_path / "a.tif", stored, "cf=0\nc0=10\nc1=0.5\nvunit=OD\n")
    np.testing.assert_array_equal(found.array(), stored)


@pytest.mark.parametrize("more", ["", "cf=0\nc0=0.0\nc1=1.0\n"])
def test_values_without_a_calibration_are_read_in_silence(tmp_path, more, recwarn):
    stored = (VALUES + 300).astype(np.uint16)
    np.testing.assert_array_equal(imagej(tmp_path / "a.tif", stored, more).array(), stored)
    assert not [warning for warning in recwarn if issubclass(warning.category, FileWarning)]
