"""Private tags of manufacturers give the size of a pixel; marks that are not applied are told."""

import numpy as np
import pytest
import tifffile

from napari_cellinr import read
from napari_cellinr.errors import FileWarning
from napari_cellinr.io.tiff.tags import facts_about
from napari_cellinr.io.tiff.vendors import vendor_facts

MICRO = "micrometer"


def written(folder, *tags, description=None, **options):
    """Write an image with extra tags (code, type, count, value)."""
    path = folder / "image.tif"
    tifffile.imwrite(
        path,
        np.zeros((4, 5), np.uint16),
        extratags=[(*tag, True) for tag in tags],
        metadata=None,
        description=description,
        **options,
    )
    return path


def test_fei(tmp_path):
    text = "[User]\r\nDate=1\r\n[Scan]\r\nPixelWidth=2.5e-009\r\nPixelHeight=2.5e-009\r\n"
    image = read(written(tmp_path, (34682, 2, len(text) + 1, text)))
    assert image.scale == pytest.approx((0.0025, 0.0025))
    assert image.units == (MICRO, MICRO)


def test_zeiss_sem(tmp_path):
    text = "1\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 12.5 nm\r\n"
    image = read(written(tmp_path, (34118, 2, len(text) + 1, text)))
    assert image.scale == (12.5, 12.5)
    assert image.units == ("nanometer", "nanometer")


@pytest.mark.parametrize(
    ("description", "step"),
    [
        ("Aperio Image Library v12\r\n46000x32914|AppMag = 40|MPP = 0.2520", 0.252),
        (
            "[Improvision Data]\r\nXCalibrationMicrons=0.16\r\nYCalibrationMicrons=0.16\r\n",
            0.16,
        ),
    ],
)
def test_descriptions(tmp_path, description, step):
    image = read(written(tmp_path, description=description))
    assert image.scale == (step, step)
    assert image.units == (MICRO, MICRO)


class File:
    """What tifffile has read from the tags of a file."""

    def __init__(self, **facts):
        self.facts = facts

    def __getattr__(self, name):
        return self.facts.get(name)


@pytest.mark.parametrize(
    ("facts", "steps"),
    [
        (
            {"lsm_metadata": {"VoxelSizeX": 1e-7, "VoxelSizeY": 1e-7, "VoxelSizeZ": 5e-7}},
            {"X": 0.1, "Y": 0.1, "Z": 0.5},
        ),
        ({"sis_metadata": {"pixelsizex": 3e-7, "pixelsizey": 4e-7}}, {"X": 0.3, "Y": 0.4}),
        (
            {
                "metaseries_metadata": {
                    "PlaneInfo": {
                        "spatial-calibration-x": 0.645,
                        "spatial-calibration-y": 0.645,
                        "spatial-calibration-units": "um",
                        "spatial-calibration-state": True,
                    }
                }
            },
            {"X": 0.645, "Y": 0.645},
        ),
        (
            {
                "fluoview_metadata": {
                    "Dimensions": [
                        ("x", 9, 0.0, 0.2, "um"),
                        ("y", 9, 0.0, 0.3, "um"),
                        ("Ch", 2, 0, 0, ""),
                    ]
                }
            },
            {"X": 0.2, "Y": 0.3},
        ),
        (
            {
                "scanimage_metadata": {
                    "FrameData": {
                        "SI.hRoiManager.imagingFovUm": [[-50, -40], [50, -40], [50, 40], [-50, 40]],
                        "SI.hRoiManager.linesPerFrame": 400,
                        "SI.hRoiManager.pixelsPerLine": 200,
                        "SI.hStackManager.stackZStepSize": 2,
                    }
                }
            },
            {"X": 0.5, "Y": 0.2, "Z": 2.0},
        ),
    ],
)
def test_what_tifffile_understands(facts, steps):
    found = {axis: value for axis, (value, unit) in vendor_facts(File(**facts)).steps.items()}
    assert found == pytest.approx(steps)


def test_channels_of_lsm():
    shown = {"ColorNames": ["Ch1", "Ch2"], "Colors": [[255, 0, 0, 0], [0, 255, 0, 0]]}
    found = vendor_facts(File(lsm_metadata={"ChannelColors": shown, "TimeIntervall": 1.5}))
    assert found.channels == ("Ch1", "Ch2")
    assert found.colours == ("#ff0000", "#00ff00")
    assert found.steps == {"T": (1.5, "second")}


@pytest.mark.parametrize(
    "facts", [{}, {"sem_metadata": {"ap_pixel_size": "?"}}, {"lsm_metadata": 3}]
)
def test_tags_that_say_nothing(facts):
    assert vendor_facts(File(**facts)).steps == {}


def test_units_of_imagej_that_differ_between_axes(tmp_path):
    path = tmp_path / "image.tif"
    metadata = {"axes": "ZYX", "unit": "um", "zunit": "nm", "yunit": "um", "spacing": 300}
    tifffile.imwrite(
        path, np.zeros((3, 4, 5), np.uint16), imagej=True, resolution=(5, 5), metadata=metadata
    )
    image = read(path)
    assert image.units == ("nanometer", MICRO, MICRO)
    assert image.scale == (300, 0.2, 0.2)


@pytest.mark.parametrize(("number", "said"), [(2, "mirrored left to right"), (6, "turned by 90")])
def test_orientation_is_told_and_pixels_stay(tmp_path, number, said):
    path = tmp_path / "image.tif"
    data = np.arange(20, dtype=np.uint16).reshape(4, 5)
    tifffile.imwrite(path, data, metadata=None, extratags=[(274, 3, 1, number, True)])
    with pytest.warns(FileWarning, match=f"{said}.*orientation {number}"):
        assert np.array_equal(read(path).array(), data)


def test_the_usual_orientation_is_not_told(tmp_path):
    assert read(written(tmp_path, (274, 3, 1, 1))).shape == (4, 5)


def test_facts_of_a_plain_file_are_those_of_its_tags(tmp_path):
    text = "[Scan]\r\nPixelWidth=1e-9\r\nPixelHeight=1e-9\r\n"
    path = written(tmp_path, (34682, 2, len(text) + 1, text))
    with tifffile.TiffFile(path) as file:
        assert facts_about(file, file.series[0]).steps["X"] == (pytest.approx(0.001), MICRO)
