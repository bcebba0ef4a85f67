"""Conventional answers and differences: on the lattice of the result, whatever its units."""

import numpy as np
import pytest

from napari_cellinr import Image, NSTMConfig, SpatimeConfig, reconstruct
from napari_cellinr.config.optics import DPC
from napari_cellinr.macro.compare import channel_for, compare, difference
from napari_cellinr.methods import METHODS
from napari_cellinr.methods.spatime.output_grid import output_grid

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
    found = METHODS["spatime"].conventional(image, config)
    assert found.shape == output_grid(image, config).shape(image)
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


def test_without_units_on_one_side_both_cover_the_same():
    image = ramp()
    bare = Image(image.array(), "TZYX")
    np.testing.assert_allclose(difference(image, bare).data, 0, atol=1e-5)
    np.testing.assert_allclose(difference(bare, image).data, 0, atol=1e-5)
    twice = Image(image.array().repeat(2, axis=2), "TZYX")
    assert np.abs(difference(image, twice).data).max() < 0.51 * 0.2 * RAMPS["Y"]


FRAME_UNITS = ("second", "micrometer", "micrometer")


def raw_frames(n_frames, start=0.0):
    values = 100 + np.random.default_rng(0).random((n_frames, 16, 16), np.float32)
    return Image(values, "TYX", (1.0, 0.5, 0.5), FRAME_UNITS, translate=(start, 0, 0))


def test_a_conventional_scene_lies_in_the_middle_of_its_frames():
    sets = METHODS["nstm"].conventional(raw_frames(8, 2.0), NSTMConfig(optics=DPC.example()))
    assert (sets.translate[0], sets.scale[0]) == (2 + 1.5, 4.0)
    one = METHODS["nstm"].conventional(raw_frames(5), NSTMConfig())
    assert (one.translate[0], one.shape[0]) == (2.0, 1)


def test_times_of_frames_count_from_the_first_of_them():
    """What is reconstructed lies over its source, wherever the clock of the optics began."""
    frames = raw_frames(5, 10.0)
    optics = {"kind": "time-lapse", "frame_times": (10, 11, 12, 13, 14)}
    fitted = reconstruct(frames, steps=2, restart=False, optics=optics)
    assert fitted.image("result").translate[0] == 10.0
    assert compare(fitted, source=frames)[1].translate[0] == 12.0


def test_one_channel_is_compared_with_the_same_channel():
    fitted = reconstruct(raw_frames(4), steps=2, restart=False, optics=DPC.example())
    scene = fitted.image("result")
    answer = compare(fitted, source=raw_frames(4))[1]
    for place, name in enumerate(scene.channels):
        chosen = channel_for(scene.take("C", place), answer)
        np.testing.assert_array_equal(chosen.array(), answer.array()[:, place])
        assert chosen.name.endswith(name)
    unnamed = scene.take("C", 0).like(scene.array()[:, 0], meta={})
    np.testing.assert_array_equal(channel_for(unnamed, answer).array(), answer.array()[:, 1])
    assert channel_for(scene, answer) is answer
