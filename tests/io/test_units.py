"""Units as files spell them."""

import numpy as np
import pint
import pytest

from napari_cellinr.image import Image
from napari_cellinr.io.metadata.units import (
    LENGTHS,
    TIMES,
    convert,
    in_units_of,
    known_step,
    pint_name,
    print_step,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("um", "micrometer"),
        ("µm", "micrometer"),
        ("μm", "micrometer"),
        (r"\u00B5m", "micrometer"),
        ("micron", "micrometer"),
        ("Microns", "micrometer"),
        ("micrometre", "micrometer"),
        ("micrometers", "micrometer"),
        (" nm ", "nanometer"),
        ("Å", "angstrom"),
        ("mm", "millimeter"),
        ("s", "second"),
        ("sec", "second"),
        ("ms", "millisecond"),
        ("min", "minute"),
        ("hours", "hour"),
        ("pixel", "pixel"),
        ("pixels", "pixel"),
        ("", "pixel"),
        ("reference frame", "pixel"),
    ],
)
def test_spellings(text, name):
    assert pint_name(text) == name


@pytest.mark.parametrize("name", [*LENGTHS, *TIMES])
def test_names_are_those_of_pint(name):
    assert pint_name(name) == name
    base = "meter" if name in LENGTHS else "second"
    expected = pint.UnitRegistry().Quantity(2.5, name).to(base).magnitude
    assert convert(2.5, name, base) == pytest.approx(expected, rel=1e-12)


def test_conversions():
    assert convert(0.1, "micrometer", "micrometer") == 0.1
    assert convert(430, "nanometer", "micrometer") == 0.43
    assert convert(1, "second", "micrometer") is None
    assert convert(1, "pixel", "micrometer") is None


def test_an_image_in_the_units_of_another():
    data = np.zeros((2, 3, 4))
    given = Image(data, "TYX", units=("minute", "nanometer", "pixel"))
    units = ("second", "micrometer", "micrometer")
    found = in_units_of(Image(data, "TYX", (60, 0.1, 0.1), units, translate=(30, 1, 1)), given)
    assert found.units == ("minute", "nanometer", "micrometer")
    assert found.scale == pytest.approx((1, 100, 0.1))
    assert found.translate == pytest.approx((0.5, 1000, 1))


@pytest.mark.parametrize("value", [None, "", "many", 0, -1, float("nan"), float("inf")])
def test_no_step(value):
    assert known_step(value, "micrometer") is None


def test_steps():
    assert known_step("0.5", "micrometer") == (0.5, "micrometer")
    assert known_step(0.5, "pixel") is None


def test_print_resolutions_are_no_calibration():
    assert print_step(1 / 72, "inch") is None
    assert print_step(1 / 300, "inch") is None
    assert print_step(1.0, "centimeter") is None
    assert print_step(0.65e-4, "centimeter") == (pytest.approx(0.65), "micrometer")


def test_pixels_of_more_than_five_micrometres_are_for_printing():
    assert print_step(1 / 5100, "inch") == (pytest.approx(25400 / 5100), "micrometer")
    assert print_step(1 / 5000, "inch") is None
    assert print_step(1 / 1900, "centimeter") is None
