"""Steps in different units, or known along some axes only, give the right shape of a voxel."""

import numpy as np
import pytest

from napari_cellinr import Image, denoise, reconstruct, superresolve
from napari_cellinr.fitting.comparable import comparable

MICRO = "micrometer"


def volume(scale, units, **changes):
    data = np.random.default_rng(0).poisson(50, (5, 16, 16)).astype(np.uint16)
    return Image(data, "ZYX", scale=scale, units=units, **changes)


def test_lengths_in_different_units_are_converted():
    image = volume((500, 0.1, 0.1), ("nanometer", MICRO, MICRO), translate=(1000, 0, 0))
    changed, assumed = comparable(image)
    assert changed.scale == pytest.approx((0.5, 0.1, 0.1))
    assert changed.units == (MICRO,) * 3
    assert changed.translate[0] == pytest.approx(1.0)
    assert assumed == {}


@pytest.mark.parametrize(
    ("scale", "units"),
    [
        ((0.5, 0.1, 0.1), (MICRO,) * 3),
        ((1.0, 1.0, 1.0), ("pixel",) * 3),
        ((2, 1, 1), ("pixel",) * 3),
    ],
)
def test_steps_that_can_be_compared_stay(scale, units):
    image = volume(scale, units)
    assert comparable(image) == (image, {})


def test_an_unknown_step_is_that_of_a_cube():
    changed, assumed = comparable(volume((1.0, 0.1, 0.1), ("pixel", MICRO, MICRO)))
    assert changed.scale == pytest.approx((0.1, 0.1, 0.1))
    assert changed.units == ("pixel", MICRO, MICRO)
    assert assumed == pytest.approx({"Z": 0.1})


def test_a_fit_is_that_of_the_same_voxels_in_one_unit():
    settings = {"preset": "preview", "steps": 2}
    mixed = denoise(volume((300, 0.1, 0.1), ("nanometer", MICRO, MICRO)), **settings)
    same = denoise(volume((0.3, 0.1, 0.1), (MICRO,) * 3), **settings)
    assert np.array_equal(mixed.images[0].array(), same.images[0].array())


def test_a_fit_says_what_it_assumes_and_the_result_does_not_claim_it():
    image = volume((1.0, 0.1, 0.1), ("pixel", MICRO, MICRO))
    fitted = denoise(image, preset="preview", steps=2)
    assert fitted.images[0].scale == pytest.approx(image.scale)
    assert fitted.images[0].units == image.units
    assert "known along Y and X, but not along Z" in fitted.report["warnings"][0]
    cubes = denoise(volume((0.1, 0.1, 0.1), (MICRO,) * 3), preset="preview", steps=2)
    assert np.array_equal(fitted.images[0].array(), cubes.images[0].array())


def test_finer_planes_of_unknown_step():
    image = volume((1.0, 0.1, 0.1), ("pixel", MICRO, MICRO))
    result = superresolve(image, preset="preview", steps=2, scale={"z": 2}).images[0]
    assert result.steps["Z"] == pytest.approx(0.5)


def test_a_reconstruction_in_pixels_keeps_cubes():
    """Motion is in pixels where a step is unknown: no step is taken out that was not put in."""
    scale, units = (1.0, 1.0, 5.0, 5.0), ("pixel", "pixel", MICRO, MICRO)
    frames = np.random.default_rng(0).poisson(50, (4, 1, 16, 16)).astype(np.uint16)
    image = Image(frames, "TZYX", scale=scale, units=units, translate=(0, 9, 250, 250))
    fitted = reconstruct(image, "time-lapse", preset="preview", steps=2, check_motion=False)
    assert fitted.images[0].units == ("pixel",) * 4
    assert fitted.images[0].scale == pytest.approx((1, 1, 1, 1))
    assert fitted.images[0].translate == pytest.approx((0, 9, 50, 50))
