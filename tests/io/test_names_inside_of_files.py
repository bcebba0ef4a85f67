"""Names that stand in a file itself hold newlines and codes for terminals: none gets a line."""

import json

import numpy as np
import pytest
import tifffile
import zarr

from napari_cellinr.cli import main
from napari_cellinr.io import read, read_all, write
from napari_cellinr.macro import Macro, Source, Step, script

PLANTED = "nuclei\nimport os; os.abort()\r\x1b[2J\x1b]0;owned\x07\u2028rm -rf planted #"
DATA = np.arange(2 * 3 * 8 * 8, dtype=np.uint16).reshape(2, 3, 8, 8)


def ome_zarr(folder):
    """Return an OME-Zarr whose label, name of the image and names of the channels are planted."""
    path = folder / "image.ome.zarr"
    group = zarr.create_group(path, zarr_format=3)
    group.create_array("0", data=DATA, dimension_names=["c", "z", "y", "x"])
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    scaled = [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1, 1]}]}
    ]
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [{"name": PLANTED, "axes": axes, "datasets": scaled}],
        "omero": {
            "name": PLANTED,
            "channels": [
                {
                    "label": f"{PLANTED}{n}",
                    "color": "00FF00",
                    "window": {"start": 0, "end": 9, "min": 0, "max": 9},
                }
                for n in range(2)
            ],
        },
    }
    return path


def ome_tiff(folder):
    """Return an OME-TIFF whose XML names image and channels so."""
    path = folder / "image.ome.tif"
    tifffile.imwrite(
        path,
        DATA,
        ome=True,
        metadata={"axes": "CZYX", "Name": "IMAGE", "Channel": {"Name": ["CHANNEL0", "CHANNEL1"]}},
    )
    text = tifffile.tiffcomment(path)
    # XML itself forbids ESC and BEL; readers that are not strict pass them on
    planted = PLANTED.replace("\x1b", "").replace("\x07", "")
    for number in range(2):
        text = text.replace(f"CHANNEL{number}", f"{xml(planted)}{number}")
    tifffile.tiffcomment(path, text.replace("IMAGE", xml(planted)).encode())
    return path


def xml(text):
    """Return a text for an attribute, in which references keep what is no plain space."""
    return "".join(one if one.isalnum() or one == " " else f"&#{ord(one)};" for one in text)


def imagej(folder):
    path = folder / "image.tif"
    tifffile.imwrite(
        path,
        np.moveaxis(DATA, 0, 1),
        imagej=True,
        metadata={"axes": "ZCYX", "Labels": [f"{PLANTED}{n}" for n in range(6)], "Info": PLANTED},
    )
    return path


@pytest.fixture(params=[ome_zarr, ome_tiff, imagej], ids=lambda make: make.__name__)
def path(request, tmp_path):
    return request.param(tmp_path)


def is_one_line(text):
    return len(text.splitlines()) <= 1 and text.isprintable()


def test_names_are_lines_without_codes(path):
    image = read(path)
    assert all(map(is_one_line, (image.name, *image.channels)))
    if "ome" in path.name:
        assert len(image.channels) == 2
        assert all("import os; os.abort()" in name for name in image.channels)


def test_what_is_printed_of_it_has_no_line_of_its_own(path, capsys):
    assert main(["info", str(path)]) == 0
    printed = capsys.readouterr()
    lines = (printed.out + printed.err).splitlines()
    assert all(line.isprintable() for line in lines)
    assert not any(line.lstrip(" #").startswith(("import os", "rm ")) for line in lines)
    assert main(["info", str(path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert isinstance(answer, dict | list)


def test_scripts_have_it_as_text(path, tmp_path):
    image = read(path)
    source = Source(image.name, str(path), channel=1)
    macro = Macro((Step("denoise", (source,), {"steps": 2}, (f"{image.name} denoised",), seed=0),))
    for style in ("console", "headless", "cli"):
        text = script(macro, style)
        assert all(line.isprintable() for line in text.splitlines())
        starts = [line.lstrip(" #").split(" ")[0] for line in text.splitlines()]
        assert "rm" not in starts
        assert not any(line.startswith("import os") for line in text.splitlines())


def test_it_does_not_come_back_in_what_is_written(path, tmp_path):
    for name in ("again.ome.zarr", "again.ome.tif", "again.tif", "again.nii"):
        image = read(path).take("C", 0) if name.endswith("nii") else read(path)
        again = read(write(tmp_path / name, image))
        assert all(map(is_one_line, (again.name, *again.channels)))


def test_images_that_share_planes_have_their_own_voxel_sizes(tmp_path):
    images = "".join(
        f'<Image ID="Image:{number}" Name="{number}"><Pixels ID="Pixels:{number}" Type="uint8" '
        f'DimensionOrder="XYZCT" SizeX="5" SizeY="4" SizeZ="1" SizeC="1" SizeT="2" '
        f'PhysicalSizeX="{size}" PhysicalSizeY="{size}"><TiffData IFD="0" PlaneCount="2"/>'
        "</Pixels></Image>"
        for number, size in enumerate((0.1, 0.5))
    )
    text = f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{images}</OME>'
    path, values = tmp_path / "two.ome.tif", np.zeros((2, 4, 5), np.uint8)
    tifffile.imwrite(path, values, description=text, metadata=None, photometric="minisblack")
    assert [image.scale[-1] for image in read_all(path)] == [0.1, 0.5]
