"""NIfTI files as other programs write them."""

import struct

import nibabel
import numpy as np
import pytest

from napari_cellinr.errors import AxesError, FileError, FileWarning
from napari_cellinr.image import Image
from napari_cellinr.io import read, read_all, write

OBLIQUE = np.array([[-2, 0.5, 0, 30], [0.5, 2, 0.25, -40], [0, -0.25, 3, 5], [0, 0, 0, 1.0]])


def save(folder, data, affine=None, units=("micron", "sec"), zooms=None, kind="Nifti1Image"):
    """Return the path of a NIfTI file that nibabel wrote; `data` is X, Y, Z, T."""
    image = getattr(nibabel, kind)(data, affine)
    image.header.set_xyzt_units(*units)
    if zooms:
        image.header.set_zooms(zooms)
    path = folder / "image.nii"
    nibabel.save(image, path)
    return path


@pytest.fixture
def data():
    return np.arange(2 * 3 * 4 * 5, dtype=np.int16).reshape(5, 4, 3, 2)


@pytest.mark.parametrize("kind", ["Nifti1Image", "Nifti2Image"])
def test_order_steps_and_units(tmp_path, data, kind):
    image = read(save(tmp_path, data, zooms=(0.18, 0.2, 0.43, 1.5), kind=kind))
    assert (image.axes, image.shape) == ("TZYX", (2, 3, 4, 5))
    assert image.scale == (1.5, 0.43, 0.2, 0.18)
    assert image.units == ("second", "micrometer", "micrometer", "micrometer")
    assert np.array_equal(image.data, data.transpose())
    assert "affine" not in image.meta  # the file states none


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        (("mm", "msec"), ("millisecond", "millimeter")),
        (("micron", "unknown"), ("pixel", "micrometer")),
        (("micron", "hz"), ("pixel", "micrometer")),
        (("unknown", "usec"), ("microsecond", "pixel")),
        (("meter", "unknown"), ("pixel", "meter")),
    ],
)
@pytest.mark.filterwarnings("ignore:.*states steps without a unit")
@pytest.mark.filterwarnings("ignore:.*along T without a unit of time")
def test_units(tmp_path, data, units, expected):
    image = read(save(tmp_path, data, units=units, zooms=(2, 2, 3, 4)))
    assert (image.units[0], image.units[1]) == expected
    assert image.steps["T"] == (1.0 if expected[0] == "pixel" else 4.0)
    assert image.steps["Z"] == (1.0 if expected[1] == "pixel" else 3.0)
    again = read(write(tmp_path / "again.nii", image))
    assert (again.scale, again.units) == (image.scale, image.units)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((4, 3), "YX"),
        ((4, 3, 2), "ZYX"),
        ((4, 3, 1, 2), "TZYX"),
        ((4, 3, 2, 1, 5), "CTZYX"),
        ((4, 3, 2, 1, 5, 2), "QCTZYX"),
    ],
)
def test_dimensions(tmp_path, shape, axes):
    image = read(save(tmp_path, np.zeros(shape, np.uint8)))
    assert (image.axes, image.shape) == (axes, shape[::-1])


def test_axes_given(tmp_path, data):
    path = save(tmp_path, data[..., 0])
    assert read(path, axes="TYX").axes == "TYX"
    with pytest.raises(AxesError, match="one letter for each of its 3 dimensions"):
        read(path, axes="TZYX")
    assert len(read_all(path)) == 1


def test_slope_and_intercept(tmp_path, data):
    image = nibabel.Nifti1Image(data, None)
    image.header.set_slope_inter(0.5, 10)
    nibabel.save(image, tmp_path / "image.nii")
    stored = nibabel.load(tmp_path / "image.nii")
    assert (stored.dataobj.slope, stored.dataobj.inter) == (0.5, 10)
    values = read(tmp_path / "image.nii")
    assert values.dtype == np.float32
    assert np.allclose(values.data, np.asarray(stored.dataobj).transpose())


def test_big_endian(tmp_path, data):
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4), header), tmp_path / "image.nii")
    image = read(tmp_path / "image.nii")
    assert image.dtype.isnative
    assert np.array_equal(image.data, data.transpose())


@pytest.mark.filterwarnings("ignore:.*states steps without a unit")
@pytest.mark.parametrize("units", [("mm", "sec"), ("unknown", "unknown")])
def test_affine_is_written_back_unchanged(tmp_path, data, units):
    path = save(tmp_path, data, OBLIQUE, units=units)
    image = read(path)
    assert image.meta["affine"] == OBLIQUE.tolist()
    write(tmp_path / "again.nii", image.like(image.data.astype(np.float32)))
    old, new = nibabel.load(path), nibabel.load(tmp_path / "again.nii")
    assert np.array_equal(new.affine, old.affine)
    assert new.header["sform_code"] == old.header["sform_code"]
    assert new.header.get_xyzt_units() == old.header.get_xyzt_units()
    assert np.array_equal(np.asarray(new.dataobj), data)


@pytest.mark.filterwarnings("ignore:.*states steps without a unit")
@pytest.mark.parametrize("units", [("mm", "sec"), ("unknown", "unknown")])
def test_affine_follows_a_crop(tmp_path, data, units):
    """What lay at voxel 2, 1, 1 is voxel 0, 0, 0 now, at the same place in the world."""
    image = read(save(tmp_path, data, OBLIQUE, units=units))
    part = image.crop(X=slice(2, 5), Y=slice(1, 3), Z=slice(1, 3))
    affine = nibabel.load(write(tmp_path / "part.nii", part)).affine
    assert np.allclose(affine[:3, 3], (OBLIQUE @ [2, 1, 1, 1])[:3], atol=1e-4)
    assert np.allclose(affine[:3, :3], OBLIQUE[:3, :3])


def test_affine_follows_a_new_voxel_size(tmp_path, data):
    image = read(save(tmp_path, data, OBLIQUE, units=("mm", "sec")))
    doubled = image.with_voxel_size("millimeter", Z=2 * image.steps["Z"])
    file = nibabel.load(write(tmp_path / "doubled.nii", doubled))
    assert np.allclose(file.affine[:3, 2], 2 * OBLIQUE[:3, 2])
    assert np.allclose(file.affine[:3, :2], OBLIQUE[:3, :2])


def test_affine_in_another_unit_is_left_out(tmp_path, data):
    image = read(save(tmp_path, data, OBLIQUE, units=("mm", "sec")))
    other = image.with_voxel_size("micrometer", Z=3, Y=2, X=1)
    with pytest.warns(FileWarning, match="affine is not written"):
        file = nibabel.load(write(tmp_path / "other.nii", other))
    assert np.allclose(file.affine, np.diag([1, 2, 3, 1]))


def test_header_that_others_read(tmp_path):
    image = Image(
        np.zeros((2, 3, 4, 5), np.float32),
        scale=(2, 500, 0.2, 0.1),
        units=("minute", "nanometer", "micrometer", "micrometer"),
        translate=(0, 0, 2, 1),
    )
    file = nibabel.load(write(tmp_path / "image.nii.gz", image))
    assert file.shape == (5, 4, 3, 2)
    assert np.allclose(file.header.get_zooms(), (0.1, 0.2, 0.5, 120))
    assert file.header.get_xyzt_units() == ("micron", "sec")
    assert np.allclose(file.affine[:3, 3], (1, 2, 0))


def test_long_axes_need_the_second_version(tmp_path):
    image = Image(np.zeros((1, 40_000), np.uint8))
    path = write(tmp_path / "image.nii", image)
    assert isinstance(nibabel.load(path), nibabel.Nifti2Image)
    assert read(path).shape == image.shape


def test_pairs_and_other_kinds_are_refused(tmp_path, data):
    pair = nibabel.Nifti1Pair(data, np.eye(4))
    nibabel.save(pair, tmp_path / "image.img")
    for name in ("image.img", "image.hdr"):
        with pytest.raises(FileError, match=r"allowed are .*\.nii"):
            read(tmp_path / name)
    # Only half of such a pair, under a name that promises a whole file.
    (tmp_path / "renamed.nii").write_bytes((tmp_path / "image.hdr").read_bytes())
    with pytest.raises(FileError, match="header of a pair of files"):
        read(tmp_path / "renamed.nii")


@pytest.mark.parametrize("dtype", ["complex64", [("R", "u1"), ("G", "u1"), ("B", "u1")]])
def test_no_real_numbers(tmp_path, dtype):
    with pytest.raises(FileError, match="real numbers are needed"):
        read(save(tmp_path, np.zeros((4, 3, 2), dtype)))


def test_empty_array(tmp_path):
    with pytest.raises(FileError, match="empty array"):
        read(save(tmp_path, np.zeros((4, 0, 2), np.uint8)))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("part", [0, 0.02, 0.5, 0.95])
def test_truncated(tmp_path, suffix, part):
    data = np.random.default_rng(0).integers(0, 255, (20, 20, 20), dtype=np.uint8)
    path = write(tmp_path / f"image{suffix}", Image(data))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(FileError, match="damaged"):
        read(path)


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"),
    [(2.0, 3.0, "float32"), (0.001, 0.0, "float32"), (0.001, 1e6, "float64")],
)
def test_scaled_integers_stay_apart_whatever_their_offset(tmp_path, slope, intercept, dtype):
    stored = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    path = save(tmp_path, stored, np.eye(4))
    raw = bytearray(path.read_bytes())
    raw[112:120] = struct.pack("<ff", slope, intercept)
    path.write_bytes(raw)
    values = read(path).array()
    assert values.dtype == dtype
    assert np.allclose(np.diff(np.unique(values)), slope, rtol=0.02)


def test_names_and_colours_of_channels_come_back(tmp_path):
    image = Image(
        np.zeros((2, 3, 4, 5), np.uint8),
        "CZYX",
        channels=("DAPI", "GFP"),
        meta={"channel_colours": ["#0000ff", "#00ff00"]},
    )
    again = read(write(tmp_path / "a.nii.gz", image))
    assert again.channels == image.channels
    assert again.meta["channel_colours"] == ["#0000ff", "#00ff00"]
