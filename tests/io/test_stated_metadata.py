"""Voxel size and time step: what files state in unusual ways, and what they state in part."""

import nibabel
import numpy as np
import pytest
import tifffile
import zarr

from napari_cellinr.errors import FileWarning
from napari_cellinr.io import read
from napari_cellinr.io.metadata.units import known_length

STACK = np.zeros((4, 5, 6), np.uint16)


def imagej(folder, description, *, n_pages=4, dots=10, unit="NONE"):
    path = folder / "stack.tif"
    with tifffile.TiffWriter(path, byteorder=">") as file:
        for number in range(n_pages):
            text = f"ImageJ=1.53c\n{description}\n" if number == 0 else None
            options = {"resolution": (dots, dots), "resolutionunit": unit, "metadata": None}
            plane = np.full((5, 6), number, np.uint16)
            file.write(plane, contiguous=True, description=text, **options)
    return path


def steps(image):
    return dict(zip(image.axes, zip(image.scale, image.units, strict=True), strict=True))


def test_stacks_recorded_downwards(tmp_path):
    text = "images=4\nslices=4\nunit=um\nspacing=-0.5"
    assert steps(read(imagej(tmp_path, text)))["Z"] == (0.5, "micrometer")
    path = tmp_path / "stack.ome.tif"
    tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "ZYX", "PhysicalSizeZ": -0.4})
    assert steps(read(path))["Z"] == (0.4, "micrometer")
    assert known_length("-0.3", "micrometer") == (0.3, "micrometer")
    assert known_length(0, "micrometer") is None
    assert known_length(None, "micrometer") is None


@pytest.mark.parametrize(
    ("unit", "dots", "step"),
    [
        ("CENTIMETER", 1e5, (0.1, "micrometer")),
        ("MICROMETER", 5, (0.2, "micrometer")),
        ("INCH", 300, (1.0, "pixel")),
    ],
)
@pytest.mark.parametrize("kind", ["shaped", "imagej", "ome"])
def test_resolution_tags_count_where_the_description_has_no_unit(tmp_path, kind, unit, dots, step):
    path = tmp_path / ("image.ome.tif" if kind == "ome" else "image.tif")
    if kind == "imagej":
        imagej(tmp_path, "images=4\nslices=4", dots=dots, unit=unit).rename(path)
    else:
        options = {"resolution": (dots, dots), "resolutionunit": unit, "ome": kind == "ome"}
        options["photometric"] = "minisblack"
        tifffile.imwrite(path, STACK, metadata={"axes": "ZYX"}, **options)
    found = steps(read(path))
    assert found["X"] == (pytest.approx(step[0]), step[1])
    assert found["Z"] == (1.0, "pixel")


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_one_plane_of_an_imagej_stack(tmp_path, compression):
    path = tmp_path / "first.tif"
    text = "ImageJ=1.53c\nimages=20\nframes=20\nunit=um\n"
    options = {"resolution": (10, 10), "resolutionunit": "NONE", "compression": compression}
    tifffile.imwrite(path, STACK[0] + 7, metadata=None, description=text, **options)
    with pytest.warns(FileWarning, match=r"has 1 plane, but .* announces 20 \(frames 20"):
        image = read(path)
    assert (image.axes, image.scale, image.array().min()) == ("YX", (0.1, 0.1), 7)


def ome_zarr(folder, scale, units, *, version="0.4", axes="zyx", shape=STACK.shape):
    group = zarr.open_group(folder / "a.zarr", mode="w", zarr_format=2)
    group.create_array("0", shape=shape, dtype="u2")
    described = [
        {"name": axis, "type": "space", **({"unit": unit} if unit else {})}
        for axis, unit in zip(axes, units, strict=True)
    ]
    change = {"type": "scale", "scale": scale}
    level = {"path": "0", "coordinateTransformations": [change]}
    stated = {"axes": described} if axes else {}
    group.attrs["multiscales"] = [{"version": version, **stated, "datasets": [level]}]
    return folder / "a.zarr"


def test_a_unit_for_one_axis_only(tmp_path):
    path = ome_zarr(tmp_path, [0.5, 1, 0.1], [None, None, "micrometer"])
    with pytest.warns(FileWarning) as told:
        image = read(path)
    assert steps(image) == {
        "Z": (0.5, "micrometer"),
        "Y": (1.0, "pixel"),  # 1 may stand for no step
        "X": (0.1, "micrometer"),
    }
    texts = [str(warning.message) for warning in told]
    assert any("a step along Z without a unit; it is read in micrometer" in text for text in texts)
    assert any("along X, but not along Y" in text for text in texts)


def test_different_units_are_not_shared(tmp_path):
    path = ome_zarr(tmp_path, [0.5, 100, 0.1], [None, "nanometer", "micrometer"])
    assert steps(read(path))["Z"] == (0.5, "pixel")


def test_a_unit_that_is_not_known_is_none_of_the_others(tmp_path):
    path = ome_zarr(tmp_path, [2, 0.1, 0.1], ["decimeter", "micrometer", "micrometer"])
    with pytest.warns(FileWarning, match="states a unit=decimeter, which cannot be used"):
        assert steps(read(path))["Z"] == (2, "pixel")


def test_zarr_before_axes_had_names(tmp_path):
    path = ome_zarr(tmp_path, [1] * 5, [], version="0.2", axes="", shape=(2, 1, 4, 5, 6))
    assert read(path).axes == "TCZYX"


def nifti(folder, pixdim, units, affine=None):
    path = folder / "image.nii"
    header = nibabel.Nifti1Header()
    header.set_data_shape(STACK.T.shape)
    header.set_data_dtype(np.uint16)
    header["pixdim"][1:4] = pixdim
    header["xyzt_units"] = {"micron": 3, "unknown": 0}[units]
    header["vox_offset"], header["magic"] = 352, b"n+1"
    if affine is not None:
        header["sform_code"] = 1
        header["srow_x"], header["srow_y"], header["srow_z"] = np.diag(affine)[:3]
    path.write_bytes(header.binaryblock + bytes(4) + STACK.tobytes())
    return path


def test_nifti_steps_without_a_unit(tmp_path):
    with pytest.warns(FileWarning, match=r"without a unit \(x=0.1, y=0.1, z=0.5\)"):
        image = read(nifti(tmp_path, (0.1, 0.1, 0.5), "unknown"))
    assert image.units == ("pixel",) * 3
    assert read(nifti(tmp_path, (1, 1, 1), "unknown")).units == ("pixel",) * 3


def test_nifti_steps_that_contradict_the_affine(tmp_path):
    with pytest.warns(FileWarning, match=r"contradict those of its affine \(x=0.1, y=0.2, z=0.5"):
        read(nifti(tmp_path, (1, 1, 1), "micron", (0.1, 0.2, 0.5, 1)))
    image = read(nifti(tmp_path, (0.1, 0.2, 0.5), "micron", (-0.1, 0.2, 0.5, 1)))
    assert image.scale == (0.5, 0.2, 0.1)
