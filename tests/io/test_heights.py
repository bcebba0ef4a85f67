"""Planes of a stack that are not equally spaced, as where one is missing, are named."""

import numpy as np
import pytest
import tifffile

from napari_cellinr import Image, denoise, read
from napari_cellinr.errors import FileWarning
from napari_cellinr.io.findings import warnings_of
from napari_cellinr.io.metadata.planes import with_heights


def ome(folder, heights, n_frames=1, unit="µm"):
    path = folder / "stack.ome.tif"
    planes = {
        "PositionZ": [height + 50 * frame for frame in range(n_frames) for height in heights],
        "PositionZUnit": [unit] * len(heights) * n_frames,
    }
    shape = (n_frames, len(heights), 9, 8) if n_frames > 1 else (len(heights), 9, 8)
    metadata = {"axes": "TZYX"[-len(shape) :], "Plane": planes, "PhysicalSizeZ": 2.0}
    values = np.random.default_rng(0).integers(90, 200, shape).astype(np.uint16)
    tifffile.imwrite(path, values, ome=True, metadata=metadata)
    return path


@pytest.mark.parametrize("n_frames", [1, 3])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("unit", "step"), [("µm", 2.0), ("nm", 2000.0)])
def test_a_missing_plane_is_named(tmp_path, n_frames, sign, unit, step):
    heights = [sign * step * place for place in (0, 1, 2, 4, 5, 6)]
    path = ome(tmp_path, heights, n_frames, unit)
    with pytest.warns(FileWarning, match=r"not equally spaced along Z \(2 to 4 µm"):
        image = read(path)
    (text,) = warnings_of(image)
    assert "after plane 3, counted from 1" in text


def test_the_report_of_a_fit_repeats_it(tmp_path):
    with pytest.warns(FileWarning, match="not equally spaced"):
        image = read(ome(tmp_path, [0.0, 2.0, 4.0, 8.0, 10.0]))
    fitted = denoise(image, preset="preview", steps=2)
    assert any("as if planes were missing" in text for text in fitted.report["warnings"])


@pytest.mark.parametrize(
    "heights",
    [[0, 2, 4, 6.1, 8], [8, 6, 4, 2, 0], [5, 5, 5, 5, 5], [0, 2, 4, 3, 8], [0, 2, 4], []],
)
def test_even_planes_and_heights_without_meaning_are_not(heights):
    image = Image(np.zeros((5, 4, 4)), "ZYX")
    assert warnings_of(with_heights(image, heights, "stack.tif")) == ()


def test_many_gaps_are_counted():
    heights = np.cumsum([1, 1, 1, *[3, 1, 1] * 7])
    image = Image(np.zeros((len(heights), 4, 4)), "ZYX")
    (text,) = warnings_of(with_heights(image, heights, "stack.tif"))
    assert "after planes 3, 6, 9, 12, 15 and 2 others" in text
