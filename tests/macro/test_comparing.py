"""Conventional answers and differences: on the lattice of the result, whatever its units."""

import numpy as np
import pytest

from napari_cellinr import Image, SpatimeConfig
from napari_cellinr.jobs.lattice import lattice_of
from napari_cellinr.macro.compare import conventional, difference

UNITS = ("second", "micrometer", "micrometer", "micrometer")
RAMPS = {"T": 3.0, "Z": 5.0, "Y": 7.0}


def ramp():
    """Grey levels that rise evenly along T, Z and Y, in the units of these axes."""
    t, z, y, _ = np.indices((4, 5, 8, 3), np.float32)
    values = RAMPS["T"] * 2 * t + RAMPS["Z"] * 0.6 * z + RAMPS["Y"] * 0.2 * y
    return Image(values, "TZYX", (2, 0.6, 0.2, 0.2), UNITS, name="ramp")


@pytest.mark.parametrize(
    "asked",
    [
        {"scale": {"t": 2, "z": 1.5}},
        {"target_voxel": {"z": 0.2}},
        {"isotropic": True},
        {"times": (0.5, 1.5, 2.5)},
    ],
)
def test_the_cubic_answer_lies_where_the_result_lies(asked):
    image, config = ramp(), SpatimeConfig(**asked)
    found = conventional("superresolve", image, config)
    assert found.shape == lattice_of(image, config).shape(image)
    places = dict(zip("TZYX", np.indices(found.shape, sparse=True), strict=True))
    expected = sum(
        slope * (found.translate["TZYX".index(a)] + found.steps[a] * places[a])
        for a, slope in RAMPS.items()
    )
    inside = np.s_[:, 2:-2]  # beyond the outermost planes, nothing rises
    np.testing.assert_allclose(
        found.data[inside], np.broadcast_to(expected, found.shape)[inside], atol=1e-3
    )


def test_a_difference_is_taken_at_places_not_at_numbers():
    image = ramp()
    units = ("millisecond", "nanometer", "nanometer", "nanometer")
    scale = (2000.0, 600.0, 200.0, 200.0)
    same = image.like(image.data, scale=scale, units=units)
    np.testing.assert_allclose(difference(image, same).data, 0, atol=1e-5)
    part = same.crop(Y=slice(2, 6))
    np.testing.assert_allclose(difference(image.crop(Y=slice(2, 6)), part).data, 0, atol=1e-5)
