"""Files of an OME-TIFF recording that bear each other's names: no plane is another one's."""

import warnings

import numpy as np
import pytest
import tifffile

from napari_cellinr.errors import FileWarning
from napari_cellinr.io import read


def recording(folder, name_of, *, n=3, first=0):
    """Write time points of one plane each, with the value 100 per time, and return the folder.

    Parameters
    ----------
    folder
        Where to write.
    name_of
        The name under which the file of each time is found today; they were written as `t0` to
        `t2`.
    n
        Number of time points.
    first
        Number of the first identifier; another one is another recording.
    """
    folder.mkdir(exist_ok=True)

    def uuid(t):
        return f"urn:uuid:{first + t:08d}-0000-0000-0000-000000000000"

    parts = "".join(
        f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="t{t}.ome.tif">{uuid(t)}</UUID></TiffData>'
        for t in range(n)
    )
    for t in range(n):
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{uuid(t)}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" '
            f'Type="uint16" SizeX="5" SizeY="4" SizeC="1" SizeZ="1" SizeT="{n}" TimeIncrement="2">'
            f'<Channel ID="Channel:0:0" Name="GFP" SamplesPerPixel="1"/>{parts}'
            "</Pixels></Image></OME>"
        )
        plane = np.full((4, 5), first + 100 * t, np.uint16)
        tifffile.imwrite(folder / name_of(t), plane, metadata=None, description=text.encode())
    return folder


def values(image):
    return image.array()[..., 0, 0].ravel().tolist()


def test_files_under_their_own_names(tmp_path):
    folder = recording(tmp_path, "t{}.ome.tif".format)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read(folder / "t1.ome.tif")
    assert (values(image), image.scale[0]) == ([0, 100, 200], 2.0)


def test_files_that_have_exchanged_their_names(tmp_path):
    """The first time point would appear as the second, and the last one twice."""
    folder = recording(tmp_path, lambda t: f"t{(t + 1) % 3}.ome.tif")
    with pytest.warns(FileWarning) as told:
        image = read(folder / "t0.ome.tif")
    assert "t0.ome.tif, t1.ome.tif in the folder" in "".join(str(one.message) for one in told)
    assert (values(image), image.translate[0], image.channels) == ([200], 4.0, ("GFP",))


def test_files_of_another_recording_with_the_same_names(tmp_path):
    folder = recording(tmp_path, "t{}.ome.tif".format)
    other = recording(tmp_path / "other", "t{}.ome.tif".format, first=7)
    (folder / "t1.ome.tif").write_bytes((other / "t1.ome.tif").read_bytes())
    with pytest.warns(FileWarning) as told:
        image = read(folder / "t0.ome.tif")
    assert any(str(one.message).startswith("t1.ome.tif in the folder") for one in told)
    assert (values(image), image.scale[0]) == ([0, 200], 4.0)
