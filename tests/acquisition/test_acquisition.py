"""Image and optics become raw frames with a model, or one clear sentence."""

import numpy as np
import pytest
import torch
from kinds import microscope

from napari_cellinr.acquisition import prepare
from napari_cellinr.acquisition.otf_file import read_otf
from napari_cellinr.config.optics import optics_from_dict
from napari_cellinr.errors import CellINRError
from napari_cellinr.image import Image
from napari_cellinr.io import write
from napari_cellinr.simulate.recordings import moving

PLAIN = microscope({"kind": "time-lapse"})


def image(shape, axes, *, pixel=0.2, interval=None, seed=0):
    """Return random light with a pixel size and, perhaps, a frame interval."""
    values = 100 + 50 * np.random.default_rng(seed).random(shape)
    scale = [interval or 1.0 if axis == "T" else pixel or 1.0 for axis in axes]
    units = [
        ("second" if interval else "pixel") if axis == "T" else ("micrometer" if pixel else "pixel")
        for axis in axes
    ]
    return Image(values, axes=axes, scale=tuple(scale), units=tuple(units))


def test_time_lapse_takes_all_from_the_image():
    measured = prepare(image((4, 8, 9), "TYX", interval=2.0), microscope({"kind": "time-lapse"}))
    assert measured.frames.shape == measured.model.data_shape == (4, 8, 9)
    assert measured.model.shot_times().tolist() == [0, 2, 4, 6]
    assert measured.voxel == (0.2, 0.2)
    assert measured.timed
    assert measured.frames.dtype == np.float32
    assert np.percentile(measured.frames, 99.9) == pytest.approx(1)


def test_time_lapse_without_calibration_counts_frames():
    measured = prepare(image((4, 8, 9), "TYX", pixel=None), microscope({"kind": "time-lapse"}))
    assert measured.model.shot_times().tolist() == [0, 1, 2, 3]
    assert measured.voxel is None
    assert not measured.timed


def test_unit_and_background():
    source = image((3, 8, 8), "TYX")
    measured = prepare(source, microscope({"kind": "time-lapse", "background": 90}))
    back = measured.frames * measured.unit + 90
    np.testing.assert_allclose(back, source.array(), rtol=1e-5)


def test_blur_from_widths_and_from_a_file(tmp_path):
    source = image((3, 7, 20, 22), "TZYX")
    wide = {"kind": "time-lapse", "psf_fwhm": [0.4, 0.4, 0.4]}
    model = prepare(source, microscope(wide)).model
    assert model.padding == (3, 3, 3)
    psf = np.zeros((4, 6, 7), np.float32)
    psf[1, 2, 3], psf[2, 2, 3] = 2, 1
    path = tmp_path / "psf.tif"
    write(path, Image(psf, axes="ZYX"))
    model = prepare(source, microscope({"kind": "time-lapse", "psf": str(path)})).model
    assert model.padding == (1, 2, 3)
    scene = torch.rand(1, 1, *model.scene_shape)
    frame = model(scene, torch.tensor([0]))[0]
    inner = scene[0, 0, :, 2:-2, 3:-3]
    torch.testing.assert_close(frame, (2 * inner[1:-1] + inner[:-2]) / 3, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("optics", "shape", "axes", "times"),
    [
        ({"kind": "line-scan", "row_time": 0.1}, (3, 8, 6), "TYX", (3, 8, 1)),
        ({"kind": "point-scan"}, (3, 8, 6), "TYX", (3, 8, 6)),
        ({"kind": "z-scan"}, (3, 5, 8, 6), "TZYX", (3, 5, 1, 1)),
        ({"kind": "z-scan", "row_time": 0.001}, (3, 5, 8, 6), "TZYX", (3, 5, 8, 1)),
    ],
)
def test_scans_have_times_for_every_place(optics, shape, axes, times):
    measured = prepare(image(shape, axes, interval=1.0), microscope(optics))
    assert measured.model.shot_times().shape == times
    assert measured.warnings == ()


def test_dpc_becomes_contrast():
    source = image((8, 30, 32), "TYX", pixel=0.454)
    measured = prepare(source, microscope({"kind": "dpc"}))
    assert abs(float(measured.frames.mean())) < 1e-6
    assert measured.model.channel_names == ("absorption", "phase")
    already = microscope({"kind": "dpc", "normalise": False})
    np.testing.assert_allclose(prepare(source, already).frames, source.array(), rtol=1e-6)


@pytest.mark.parametrize("axes", ["TYX", "ZYX"])
def test_raw_frames_may_be_called_anything(axes):
    optics = microscope({"kind": "dpc", "pixel_size": 0.454})
    assert prepare(image((4, 20, 20), axes), optics).model.n_shots == 4


PLANES = ((4, 20, 20), "TYX")
REFUSED = [
    (
        {"kind": "dpc", "pixel_size": 0.4},
        ((5, 20, 20), "TYX"),
        "5 frames were given for 4",
    ),
    ({"kind": "dpc", "pixel_size": 0.6}, PLANES, "alias"),
    ({"kind": "dpc", "frame_times": [0, 1], "pixel_size": 0.4}, PLANES, "2 times was given for 4"),
    ({"kind": "line-scan", "frame_time": 1}, ((1, 20, 20), "TYX"), "shape and motion"),
    ({"kind": "point-scan", "frame_time": 1}, ((20, 20), "YX"), "shape and motion"),
    ({"kind": "z-scan", "stack_time": 9}, ((5, 20, 20), "ZYX"), "at least 2 repeats"),
    ({"kind": "z-scan", "stack_time": 9}, PLANES, "needs TZYX"),
    ({"kind": "line-scan"}, PLANES, r"line-scan needs constants .* frame_time \(s\)"),
    ({"kind": "line-scan", "frame_time": 0.1}, PLANES, "cannot overlap"),
    ({"kind": "z-scan", "stack_time": 0.1}, ((4, 5, 20, 20), "TZYX"), "repeats cannot overlap"),
    ({"kind": "point-scan", "row_time": 1e-6, "frame_time": 1}, PLANES, "rows cannot overlap"),
    ({"kind": "z-scan", "row_time": 1, "stack_time": 1}, ((4, 5, 20, 20), "TZYX"), "planes cannot"),
    ({"kind": "time-lapse", "psf_fwhm": [9, 9]}, PLANES, "larger than the image"),
    ({"kind": "time-lapse", "psf_fwhm": [1, 1, 1]}, PLANES, "2 are needed"),
    ({"kind": "time-lapse", "voxel_size": [1, 1, 1]}, PLANES, "2 are needed"),
    ({"kind": "time-lapse", "background": 999}, PLANES, "without light"),
    ({"kind": "time-lapse", "psf": "nothing.tif"}, PLANES, "psf: .*nothing.tif"),
    ({"kind": "time-lapse"}, ((4, 2, 20, 20), "TCYX"), "choose a channel"),
]


@pytest.mark.parametrize(("optics", "source", "message"), REFUSED)
def test_refusals(optics, source, message):
    with pytest.raises(CellINRError, match=message) as caught:
        prepare(image(*source), microscope(optics))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("optics", "message"),
    [
        ({"kind": "dpc"}, r"dpc needs constants .*: pixel_size \(µm\)"),
        ({"kind": "time-lapse", "psf_fwhm": [1, 1]}, "pixel size is not known"),
    ],
)
def test_missing_calibration(optics, message):
    with pytest.raises(CellINRError, match=message):
        prepare(image(*PLANES, pixel=None), microscope(optics))


def test_phase_contrast_does_not_run_on_any_movie():
    """Calibrated frames of fluorescence have neither wavelength nor aperture: none is invented."""
    movie = image((8, 20, 20), "TYX", interval=1.0)
    with pytest.raises(
        CellINRError, match=r"wavelength \(µm\), na, .* --optics '{\"kind\": \"dpc\""
    ):
        prepare(movie, optics_from_dict({"kind": "dpc"}))


def test_missing_values_are_refused():
    source = image(*PLANES)
    source.array()[1, 2, 3] = np.nan
    with pytest.raises(CellINRError, match="1 of 1600 values is not finite"):
        prepare(source, microscope({"kind": "time-lapse"}))


TIMES = [0.0, 1.0, 3.5, 4.5]


@pytest.mark.parametrize(
    ("optics", "shape", "axes"),
    [
        ({"kind": "line-scan", "row_time": 0.1}, (4, 8, 6), "TYX"),
        ({"kind": "point-scan"}, (4, 8, 6), "TYX"),
        ({"kind": "z-scan", "plane_time": 0.1}, (4, 5, 8, 6), "TZYX"),
    ],
)
def test_repeats_begin_when_they_began(optics, shape, axes):
    """Given times are taken as they are; scans that would overlap are refused."""
    given = microscope({**optics, "frame_times": TIMES})
    times = prepare(image(shape, axes), given).model.shot_times()
    np.testing.assert_allclose(times.flatten(1)[:, 0], TIMES)
    soon = microscope({**optics, "frame_times": [0.0, 0.001, 1.0, 2.0]})
    with pytest.raises(CellINRError, match="repeats cannot overlap"):
        prepare(image(shape, axes), soon)


def test_single_lights_stand_for_half_discs():
    """Many LEDs inside a half circle give what its angle gives: sources by angles or by places."""
    source = image((2, 40, 40), "TYX", pixel=0.454)
    grid = np.arange(-0.24, 0.25, 0.02)
    leds = [(y, x) for y in grid for x in grid if np.hypot(y, x) <= 0.25]
    patterns = [[led for led in leds if sign * led[0] >= -1e-9] for sign in (1, -1)]
    by_place = prepare(source, microscope({"kind": "dpc", "led_positions": patterns}))
    by_angle = prepare(source, microscope({"kind": "dpc", "rotations": [0, 180]}))
    one, two = (m.model.phase.numpy().imag.ravel() for m in (by_place, by_angle))
    assert np.corrcoef(one, two)[0, 1] > 0.98
    assert np.linalg.norm(one - two) < 0.2 * np.linalg.norm(two)


def test_two_repeats_are_warned_about():
    optics = microscope({"kind": "line-scan", "frame_time": 1})
    assert "two repeats" in prepare(image((2, 20, 20), "TYX"), optics).warnings[0]


STRUCTURED = {"kind": "sim3d", "periods": [0.4], "angles": [0], "refine": False}
KNOWN = {**STRUCTURED, "modulations": [[0.8, 0.6]]}


def test_planes_of_structured_light_come_in_any_order():
    """Frames and times follow the loops; defaults count frames."""
    source = image((20, 16, 16), "ZYX", pixel=0.06)
    optics = {**KNOWN, "voxel_size": [0.1, 0.06, 0.06], "frame_time": 1.0}
    for order, places in (
        ("direction-z-phase", lambda z, j: 5 * z + j),
        ("direction-phase-z", lambda z, j: 4 * j + z),
    ):
        measured = prepare(source, microscope({**optics, "frame_order": order}))
        assert measured.model.data_shape == (5, 4, 16, 16)
        assert measured.voxel == pytest.approx((0.1, 0.03, 0.03))
        times = measured.model.shot_times()[:, 2:-2, 0, 0]
        back = measured.frames * measured.unit
        for z in range(4):
            for j in range(5):
                assert times[j, z] == places(z, j)
                np.testing.assert_allclose(
                    back[j, z], source.array()[places(z, j)], rtol=1e-5, atol=1e-3
                )


def test_time_lapse_of_stacks_of_structured_light():
    source = image((3, 10, 16, 16), "TZYX", pixel=0.06)
    measured = prepare(source, microscope({**KNOWN, "voxel_size": [0.1, 0.06, 0.06]}))
    assert measured.model.data_shape == (15, 2, 16, 16)


def test_times_of_every_plane_may_be_given():
    source = image((10, 16, 16), "ZYX", pixel=0.06)
    given = [0.5 * i + 0.01 * i**2 for i in range(10)]
    optics = {**KNOWN, "voxel_size": [0.1, 0.06, 0.06], "frame_times": given}
    measured = prepare(source, microscope(optics))
    assert measured.timed
    times = measured.model.shot_times()[:, 2:-2, 0, 0]
    np.testing.assert_allclose(times, np.reshape(given, (2, 5)).T, rtol=1e-6)
    with pytest.raises(CellINRError, match="10 planes"):
        prepare(source, microscope({**optics, "frame_times": given[:-1]}))


@pytest.mark.parametrize("seed", [0, 1])
def test_light_found_on_a_specimen_that_moves_is_doubted(seed):
    """Carriers stay within two steps of the truth, orders agree, and what is unsure is said."""
    sample = moving("beads", seed)
    true = prepare(sample.raw, sample.optics).model.carriers
    rough = {
        "refine": True, "modulations": None, "start_phases": None,
        "periods": (0.424, 0.417, 0.421), "angles": (5.5, 64.5, 125.4),
    }  # fmt: skip
    measured = prepare(sample.raw, microscope({**sample.optics.as_dict(), **rough}))
    found = measured.model.carriers
    signs = torch.sign((found * true).sum(1, keepdim=True))
    assert float((64 * (signs * found - true)).norm(dim=1).max()) < 2.1
    torch.testing.assert_close(found[1::2], 2 * found[0::2])
    assert "disagree on the pattern" in measured.warnings[0]


def test_transfer_functions_are_read_from_a_file(tmp_path):
    """Pages are bands, rows radii; real and imaginary parts alternate; band 0 begins with 1."""
    table = np.zeros((3, 5, 8), np.float32)
    table[0, 0, 0], table[1, 2, 2:4], table[2, 4, 6] = 4, (1, -2), 8
    path = write(tmp_path / "otf.tif", Image(table, axes="ZYX"))
    found, (radial, axial) = read_otf(str(path), None, (0.125, 0.08))
    assert found.shape == (3, 5, 4)
    assert found[0, 0, 0] == 1
    assert found[1, 2, 1] == 0.25 - 0.5j
    assert found[2, 4, 3] == 2
    assert (radial, axial) == pytest.approx((1 / (2 * 4 * 0.08), 1 / (4 * 0.125)))
    table[0, 0, 0] = 0
    dark = write(tmp_path / "dark.tif", Image(table, axes="ZYX"))
    with pytest.raises(CellINRError, match="is 0 at its origin"):
        read_otf(str(dark), None, (0.125, 0.08))


def test_start_phases():
    source = image((5, 16, 16), "TYX", pixel=0.06)
    measured = prepare(source, microscope({**KNOWN, "start_phases": [[10, 20]]}))
    found = np.degrees(measured.model.phases.numpy())
    np.testing.assert_allclose(found[1], [10 + 72, 20 + 144], rtol=1e-5)


@pytest.mark.parametrize(
    ("optics", "source", "message"),
    [
        (KNOWN, ((7, 16, 16), "TYX"), "7 frames were given for 1 direction times 5 phases"),
        (KNOWN, ((5, 16, 16), "TYX"), "alias: pixels of at most"),
        ({**KNOWN, "voxel_size": [0.06, 0.07]}, ((5, 16, 16), "TYX"), "square"),
        (
            {"kind": "sim2d", "pixel_size": 0.06},
            ((10, 16, 16), "TYX"),
            "10 frames were given for 9",
        ),
        ({"kind": "sim2d", "pixel_size": 0.2}, ((9, 16, 16), "TYX"), "alias"),
        (
            {"kind": "sim2d", "pixel_size": 0.06, "orders": [[0.3, 0]], "phases": [[0], [0], [0]]},
            ((9, 16, 16), "TYX"),
            "do not tell the orders apart",
        ),
        ({**KNOWN, "otf": "none.tif"}, ((5, 16, 16), "TYX", 0.06), "otf: .*none.tif"),
        ({"kind": "rolling-shutter"}, ((3, 16, 16), "TYX"), "one picture"),
        ({"kind": "rolling-shutter", "psf": "no.tif"}, ((60, 60), "YX"), "psf: .*no.tif"),
        ({"kind": "rolling-shutter", "rows_per_shot": 9}, ((16, 16), "YX"), "at least two times"),
    ],
)
def test_refusals_of_coded_light(optics, source, message):
    shape, axes, *pixel = source
    with pytest.raises(CellINRError, match=message) as caught:
        prepare(image(shape, axes, pixel=pixel[0] if pixel else 0.2), microscope(optics))
    assert "\n" not in str(caught.value)


def test_a_coloured_picture_of_a_lensless_camera(tmp_path):
    psf = np.zeros((3, 15, 15), np.float32)
    psf[:, 7, 7] = 1, 2, 4
    path = write(tmp_path / "psf.tif", Image(psf, axes="CYX"))
    optics = {"kind": "rolling-shutter", "psf": str(path), "rows_per_shot": 5}
    source = image((3, 30, 30), "CYX", pixel=None)
    measured = prepare(source, microscope(optics))
    assert measured.model.channel_names == ("colour 1", "colour 2", "colour 3")
    assert measured.frames.shape == measured.model.data_shape == (9, 10, 30)
    np.testing.assert_allclose(
        measured.frames[4] * measured.unit, source.array()[1][[*range(5, 10), *range(24, 19, -1)]],
        rtol=1e-5,
    )  # fmt: skip


def test_psf_of_a_lensless_camera(tmp_path):
    psf = np.full((30, 30), 7.0, np.float32)
    psf[15, 15] = 50
    path = write(tmp_path / "psf.tif", Image(psf, axes="YX"))
    optics = microscope({"kind": "rolling-shutter", "psf": str(path), "rows_per_shot": 5})
    measured = prepare(image((30, 30), "YX", pixel=None), optics)
    assert measured.model.data_shape == (3, 10, 30)
    scene = torch.zeros(2, 1, *measured.model.scene_shape)
    scene[..., 7, 7] = 1
    band = measured.model(scene, torch.tensor([2]))
    assert float(band.max()) == pytest.approx(1, abs=1e-4)
    with pytest.raises(CellINRError, match="larger than the picture"):
        prepare(image((20, 20), "YX", pixel=None), optics)
