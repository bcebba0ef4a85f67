"""The JSON of every kind of microscope is complete, explained, and refuses what cannot be."""

import pytest

from napari_cellinr.config.base import Config
from napari_cellinr.config.optics import (
    KINDS,
    AnyOptics,
    optics_from_dict,
    optics_from_json,
)
from napari_cellinr.config.optics.repeated import TimeLapse
from napari_cellinr.errors import ConfigError


class Holder(Config):
    PRESETS = {"": {}}  # noqa: RUF012
    optics: AnyOptics = TimeLapse()


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_method_holds_any_kind(kind):
    config = Holder(optics={"kind": kind})
    assert type(config.optics) is KINDS[kind]
    assert Holder.from_json(config.as_json()) == config


def test_the_example_of_the_guide():
    optics = optics_from_dict(
        {
            "kind": "dpc",
            "wavelength": 0.525,
            "na": 0.25,
            "na_illumination": 0.25,
            "pixel_size": 0.454,
            "rotations": [0, 180, 90, 270],
            "frame_times": None,
        }
    )
    assert optics.rotations == (0, 180, 90, 270)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "no kind was given; allowed are time-lapse"),
        ({"kind": "confocal"}, "'confocal' was given; allowed are time-lapse"),
        ({"kind": "dpc", "numerical_aperture": 1}, "no setting 'numerical_aperture'"),
        ({"kind": "dpc", "na": 1.4}, "cannot exceed the index"),
        ({"kind": "dpc", "na_illumination": 1.4}, "na_illumination 1.4"),
        ({"kind": "dpc", "na_inner": 0.3}, "no light is left"),
        ({"kind": "dpc", "rotations": []}, "at least 1"),
        ({"kind": "dpc", "led_positions": [[[0.1, 0]], []]}, "needs an LED"),
        ({"kind": "dpc", "led_positions": [[[1.1, 0]]]}, "led_positions 1.1"),
        ({"kind": "dpc", "frame_times": [0, 1, 1]}, "times must increase"),
        ({"kind": "time-lapse", "frame_times": [0, 2, 1]}, "1 s after 2 s"),
        ({"kind": "time-lapse", "voxel_size": [0.1]}, "2 or 3 are needed"),
        ({"kind": "time-lapse", "psf_fwhm": [0.1, -1]}, "positive"),
        ({"kind": "time-lapse", "psf": "a.tif", "psf_fwhm": [1, 1]}, "one of them"),
        ({"kind": "z-scan", "voxel_size": [0.1, 0.2]}, "3 are needed"),
        ({"kind": "line-scan", "row_time": 0}, "row_time = 0"),
        ({"kind": "sim3d", "na": 1.6}, "na 1.6"),
        ({"kind": "sim3d", "periods": [0.4, 0.4]}, "angles with 3 values"),
        ({"kind": "sim3d", "modulations": [[1, 1]]}, "one pair for each direction"),
        ({"kind": "sim2d", "phases": [[0, 0]]}, "3 orders"),
        ({"kind": "sim2d", "phases": [[0, None, 0]]}, "must be on once"),
        ({"kind": "sim2d", "orders": [[-1, 0]]}, "positive period"),
        ({"kind": "sim2d", "modulations": [1, 1, 2]}, "up to 1"),
        ({"kind": "rolling-shutter", "exposure": 0}, "exposure = 0"),
        ({"kind": "exposure", "exposure_fraction": 1.1}, "less than or equal to 1"),
        ({"kind": "exposure", "blur_sigma": [0.1]}, "2 or 3 are needed"),
        ({"kind": "exposure", "blur_sigma": [0.1, 0]}, "positive numbers"),
    ],
)
def test_refusals(values, message):
    cls = KINDS.get(values.get("kind"))
    with pytest.raises(ConfigError, match=message) as caught:
        optics_from_dict({**(cls.TYPICAL if cls else {}), **values})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        ("time-lapse", ""),
        ("line-scan", "row_time"),
        ("point-scan", "pixel_time, row_time"),
        ("z-scan", "plane_time"),
        ("exposure", "exposure_fraction or exposure_time"),
        ("dpc", "wavelength, na, na_illumination or led_positions, rotations or led_positions"),
        ("sim2d", "wavelength, na, orders, phases"),
        (
            "sim3d",
            "wavelength, na, refractive_index or otf, wavelength_excitation or otf, periods, "
            "angles, frame_order",
        ),
        ("rolling-shutter", "psf, row_time, exposure, shutter"),
    ],
)
def test_no_constant_of_a_microscope_has_a_default(kind, needed):
    """A calibrated image with a frame interval tells the steps, and nothing else is guessed."""
    assert ", ".join(KINDS[kind]().missing("TZYX")) == needed
    assert KINDS[kind].example().missing("TZYX") == ()
    for entry in KINDS[kind]().missing(""):
        assert all(getattr(KINDS[kind](), name) is None for name in entry.split(" or "))


def test_what_is_missing_is_named_at_once_with_json_to_copy():
    message = KINDS["dpc"](na=0.4).explain_missing("T")
    assert "wavelength (µm), na_illumination or led_positions, pixel_size (µm), rot" in message
    text = message.partition("--optics '")[2].partition("'")[0]
    copied = optics_from_json(text)
    assert copied.na == 0.4
    assert copied.explain_missing("T") == ""
    assert KINDS["dpc"].example().explain_missing("YX") == ""


def test_files_of_transfer_functions_replace_what_they_hold():
    given = {**KINDS["sim3d"].TYPICAL, "refractive_index": None, "wavelength_excitation": None}
    assert len(KINDS["sim3d"](**given).missing("TZYX")) == 2
    assert KINDS["sim3d"](**given, otf="otf.tif").missing("TZYX") == ()


@pytest.mark.parametrize(("text", "message"), [("{", "not valid JSON"), ("[]", "not an object")])
def test_no_json(text, message):
    with pytest.raises(ConfigError, match=message):
        optics_from_json(text)


def test_settings_are_imported_by_their_names():
    """As scripts for version 0.1 do."""
    from napari_cellinr.config.optics import DPC, ZScan

    assert (KINDS["dpc"], KINDS["z-scan"]) == (DPC, ZScan)
    with pytest.raises(ImportError, match="Confocal"):
        from napari_cellinr.config.optics import Confocal  # noqa: F401
