"""Steps, units and counts that cannot be: they are read as unknown, and named."""

import re
import warnings

import nibabel
import numpy as np
import pytest
import tifffile
import zarr

from napari_cellinr.errors import FileError, FileWarning
from napari_cellinr.io import read

STACK = np.arange(4 * 5 * 6, dtype=np.uint16).reshape(4, 5, 6)


def imagej(folder, description, dots=10):
    path = folder / "stack.tif"
    with tifffile.TiffWriter(path, byteorder=">") as file:
        for number, plane in enumerate(STACK):
            text = f"ImageJ=1.53c\n{description}\n" if number == 0 else None
            file.write(
                plane, contiguous=True, description=text, resolution=(dots, dots), metadata=None
            )
    return path


def ome_tiff(folder, **stated):
    path = folder / "stack.ome.tif"
    tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "ZYX", **stated})
    return path


def ome_zarr(folder, changes, unit="micrometer", version="0.4"):
    group = zarr.open_group(folder / "a.zarr", mode="w", zarr_format=2 if version == "0.4" else 3)
    group.create_array("0", data=STACK)
    axes = [{"name": name, "type": "space", "unit": unit} for name in "zyx"]
    dataset = {"path": "0"} if changes is None else {"path": "0", **changes}
    image = {"axes": axes, "datasets": [dataset]}
    if version == "0.4":
        group.attrs["multiscales"] = [{"version": version, **image}]
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [image]}
    return folder / "a.zarr"


def scaled(*numbers):
    return {"coordinateTransformations": [{"type": "scale", "scale": list(numbers)}]}


def steps(image):
    return dict(zip(image.axes, zip(image.scale, image.units, strict=True), strict=True))


def read_with(path, said):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        image = read(path)
    assert all(one.category is FileWarning for one in told)
    assert any(re.search(said, str(one.message)) for one in told), [str(o.message) for o in told]
    assert np.array_equal(image.array(), STACK)
    return image


@pytest.mark.parametrize("spacing", ["0", "nan", "inf", "0,5", "abc"])
def test_a_spacing_of_imagej_that_is_no_number(tmp_path, spacing):
    image = read_with(
        imagej(tmp_path, f"images=4\nslices=4\nunit=um\nspacing={spacing}"),
        f"states spacing={spacing}, which cannot be used; it is read as unknown",
    )
    assert steps(image) == {"Z": (1.0, "pixel"), "Y": (0.1, "micrometer"), "X": (0.1, "micrometer")}


def test_a_unit_of_imagej_that_is_not_known(tmp_path):
    image = read_with(imagej(tmp_path, "images=4\nslices=4\nunit=furlong"), "states unit=furlong")
    assert image.units == ("pixel",) * 3
    assert image.scale == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("finterval=0", "finterval=0"),
        ("finterval=-2", "finterval=-2"),
        ("finterval=2\ntunit=furlong", "tunit=furlong"),
        ("finterval=2\ntunit=um", "a time step of 2 micrometer, which is not a time"),
    ],
)
def test_a_frame_interval_of_imagej_that_cannot_be(tmp_path, stated, said):
    image = read_with(imagej(tmp_path, f"images=4\nframes=4\nunit=um\n{stated}"), said)
    assert steps(image)["T"] == (1.0, "pixel")
    assert steps(image)["Y"] == (0.1, "micrometer")


@pytest.mark.parametrize(
    ("counts", "axes", "said"),
    [
        ("images=4\nslices=4\nframes=0", "ZYX", "frames=0"),
        ("images=4.0\nframes=4.0", "TYX", "images=4.0, frames=4.0"),
        ("images=abc\nslices=4", "ZYX", "images=abc"),
        ("images=-4\nframes=-4", "IYX", "images=-4, frames=-4"),
    ],
)
def test_counts_of_imagej_that_cannot_be(tmp_path, counts, axes, said):
    """What else the description states, such as the unit, is used all the same."""
    image = read_with(imagej(tmp_path, f"{counts}\nunit=um\nspacing=0.5"), said)
    assert image.axes == axes
    assert steps(image)["X"] == (0.1, "micrometer")
    assert steps(image).get("Z", (0.5, "micrometer")) == (0.5, "micrometer")


def test_a_time_along_an_axis_of_space_is_no_length(tmp_path):
    image = read_with(
        imagej(tmp_path, "images=4\nslices=4\nunit=sec\nspacing=0.5"),
        "a step of 0.5 second along Z, which is not a length",
    )
    assert image.units == ("pixel",) * 3
    image = read_with(ome_zarr(tmp_path, scaled(2, 1.5, 1.5), unit="second"), "1.5 second along X")
    assert image.units == ("pixel",) * 3


@pytest.mark.parametrize("size", [1e20, 1e-12])
def test_a_size_that_no_microscope_has(tmp_path, size):
    said = re.escape(f"a step of {size:g} micrometer along Z, which no microscope can have")
    known = {"PhysicalSizeX": 0.1, "PhysicalSizeY": 0.2}
    for path in (
        imagej(tmp_path, f"images=4\nslices=4\nunit=um\nspacing={size}"),
        ome_tiff(tmp_path, PhysicalSizeZ=size, **known),
        ome_zarr(tmp_path, scaled(size, 0.2, 0.1)),
    ):
        image = read_with(path, said)
        assert steps(image)["Z"] == (1.0, "pixel")
        assert steps(image)["X"] == (0.1, "micrometer")


@pytest.mark.parametrize("size", [0, "nan"])
def test_a_size_of_ome_that_is_no_number(tmp_path, size):
    path = ome_tiff(tmp_path, PhysicalSizeX=0.1, PhysicalSizeY=0.1, PhysicalSizeZ=size)
    image = read_with(path, f"states PhysicalSizeZ={size}, which cannot be used")
    assert steps(image)["Z"] == (1.0, "pixel")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("unit", ["pixel", "reference frame"])
def test_sizes_in_pixels_are_no_fault(tmp_path, unit):
    sizes = {f"PhysicalSize{axis}{end}": v for axis in "XY" for end, v in (("", 1), ("Unit", unit))}
    assert read(ome_tiff(tmp_path, **sizes)).units == ("pixel",) * 3


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("changes", [None, {"coordinateTransformations": [{"type": "identity"}]}])
def test_units_of_a_zarr_without_steps(tmp_path, changes, version):
    """A step of 1 µm would be made up: the folder states none."""
    image = read_with(ome_zarr(tmp_path, changes, version=version), "states units, but no steps")
    assert image.units == ("pixel",) * 3


def test_a_zarr_with_one_transformation_that_is_no_list(tmp_path):
    """It could not be opened at all, as with none (null)."""
    alone = {"coordinateTransformations": {"type": "scale", "scale": [0.5, 0.1, 0.1]}}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(ome_zarr(tmp_path, alone)).scale == (0.5, 0.1, 0.1)
    none = {"coordinateTransformations": None}
    image = read_with(ome_zarr(tmp_path, none), "states units, but no steps")
    assert image.units == ("pixel",) * 3


@pytest.mark.parametrize("stated", ["scale", 3, [None], [1, 2], [{"type": "sequence"}]])
def test_transformations_of_a_zarr_that_are_none(tmp_path, stated):
    """The error was "'str' object has no attribute 'get'"."""
    path = ome_zarr(tmp_path, {"coordinateTransformations": stated})
    image = read_with(path, "states coordinateTransformations=.*, which cannot be used")
    assert (image.scale, image.units) == ((1, 1, 1), ("pixel",) * 3)
    assert np.array_equal(image.array(), STACK)


def test_channels_of_a_zarr_have_no_distance(tmp_path):
    path = ome_zarr(tmp_path, scaled(0, 0.1, 0.1))
    group = zarr.open_group(path, mode="r+")
    images = group.attrs["multiscales"]
    images[0]["axes"][0] = {"name": "c", "type": "channel"}
    group.attrs["multiscales"] = images
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(path).scale == (1.0, 0.1, 0.1)


@pytest.mark.parametrize("change", [{"scale": [0.5, 0.1]}, {"path": "elsewhere"}, {"scale": None}])
def test_a_scale_of_a_zarr_that_does_not_fit(tmp_path, change):
    changes = {"coordinateTransformations": [{"type": "scale", **change}]}
    image = read_with(ome_zarr(tmp_path, changes), "states the scale=.*, which cannot be used")
    assert image.units == ("pixel",) * 3


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_position_of_a_zarr_that_is_no_number(tmp_path):
    changes = scaled(0.5, 0.1, 0.1)
    changes["coordinateTransformations"].append(
        {"type": "translation", "translation": [float("inf"), 2, 3]}
    )
    image = read_with(ome_zarr(tmp_path, changes), "a translation=inf, which cannot be used")
    assert (image.scale, image.translate) == ((0.5, 0.1, 0.1), (0.0, 2.0, 3.0))
    image = read_with(ome_zarr(tmp_path, scaled(float("inf"), 0.1, 0.1)), "a step of inf along Z")
    assert steps(image)["Z"] == (1.0, "pixel")


def nifti(folder, pixdim, *, code, shape=(6, 5, 4), units=("micron", "sec")):
    path = folder / "image.nii"
    data = STACK.T.reshape(shape).astype(np.int16)
    image = nibabel.Nifti1Image(data, np.diag([0.1, 0.1, 0.5, 1]))
    image.header.set_xyzt_units(*units)
    nibabel.save(image, path)
    content = bytearray(path.read_bytes())
    header = nibabel.Nifti1Header(bytes(content[:348]), check=False)
    header["pixdim"][1 : 1 + len(pixdim)] = pixdim
    header["qform_code"], header["sform_code"] = code, 0
    content[:348] = header.binaryblock
    path.write_bytes(content)
    return path


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("step", [0.0, np.nan, np.inf])
def test_a_step_of_a_nifti_that_cannot_be(tmp_path, step, code):
    """The library that reads the header makes 1 of a step of 0, which would be 1 µm."""
    path = nifti(tmp_path, (0.1, 0.1, step), code=code)
    image = read_with(path, f"states a step of {step:g} along Z; it is read as unknown")
    assert steps(image) == {"Z": (1.0, "pixel"), "Y": (0.1, "micrometer"), "X": (0.1, "micrometer")}


def test_a_time_step_of_a_nifti_without_a_unit(tmp_path):
    path = nifti(tmp_path, (0.1, 0.1, 1, 5), code=0, shape=(6, 5, 1, 4), units=("micron", "hz"))
    with pytest.warns(FileWarning, match="a step of 5 along T without a unit of time"):
        assert steps(read(path))["T"] == (1.0, "pixel")


@pytest.mark.parametrize("images", [[], [{"version": "0.4", "datasets": []}]])
def test_metadata_of_a_zarr_that_name_no_array(tmp_path, images):
    zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2).attrs["multiscales"] = images
    with pytest.raises(FileError, match="that name no array"):
        read(tmp_path / "a.zarr")


@pytest.mark.parametrize("name", ["SizeC", "SizeX", "DimensionOrder"])
def test_an_attribute_that_ome_xml_must_have(tmp_path, name):
    """The error was only its name, and the advice to copy the file again."""
    path = ome_tiff(tmp_path)
    data = path.read_bytes()
    assert data.count(f" {name}=".encode()) == 1
    path.write_bytes(data.replace(f" {name}=".encode(), f" {name[::-1]}=".encode()))
    with pytest.raises(FileError, match=f"lacks {name}, which OME-TIFF requires") as told:
        read(path)
    assert "copy it again" not in str(told.value)
