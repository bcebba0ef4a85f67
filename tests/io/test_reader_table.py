"""Every awkward file that is at hand: its axes, shape, type, and values as others decode them."""

import nibabel
import numpy as np
import PIL.Image
import pytest
import tifffile
from packaging.version import Version

from napari_cellinr.errors import FileError
from napari_cellinr.io import read, read_all

pytestmark = pytest.mark.filterwarnings("ignore::napari_cellinr.errors.FileWarning")

READ = {
    "nibabel__anatomical.nii": ("ZYX", (25, 41, 33), "int16"),
    "nibabel__example4d.nii.gz": ("TZYX", (2, 24, 96, 128), "int16"),
    "nibabel__example_nifti2.nii.gz": ("TZYX", (2, 12, 20, 32), "int16"),
    "nibabel__functional.nii": ("TZYX", (20, 3, 21, 17), "float32"),
    "nibabel__someones_anatomy.nii.gz": ("ZYX", (56, 67, 57), "float32"),
    "nibabel__standard.nii.gz": ("ZYX", (7, 5, 4), "uint8"),
    "CellProfiler__MetamorphImage.tif": ("YX", (520, 696), "uint16"),
    "image-tiff__big_g4.tif": ("YX", (65537, 1), "bool"),
    "image-tiff__extra_bits_gray_8b.tiff": ("YXS", (8, 8, 2), "uint8"),
    "image-tiff__gradient-1c-32b.tiff": ("YX", (1, 256), "uint32"),
    "image-tiff__gradient-1c-64b-float.tiff": ("YX", (1, 256), "float64"),
    "image-tiff__gradient-1c-64b.tiff": ("YX", (1, 256), "uint64"),
    "image-tiff__hpredict-1c-12b.tiff": ("YX", (2, 4), "uint16"),
    "image-tiff__int16.tif": ("YX", (64, 64), "int16"),
    "image-tiff__int16_zstd.tif": ("YX", (64, 64), "int16"),
    "image-tiff__issue_69_lzw.tiff": ("YX", (45, 45), "uint16"),
    "image-tiff__issue_69_packbits.tiff": ("YX", (45, 45), "uint16"),
    "image-tiff__minisblack-1c-16b.tiff": ("YX", (151, 157), "uint16"),
    "image-tiff__minisblack-1c-i16b.tiff": ("YX", (151, 157), "int16"),
    "image-tiff__minisblack-2c-8b-alpha.tiff": ("SYX", (2, 64, 64), "uint8"),
    "image-tiff__miniswhite-1c-12b.tiff": ("YX", (2, 4), "uint16"),
    "image-tiff__palette-1c-8b.tiff": ("YX", (151, 157), "uint8"),
    "image-tiff__predictor-3-gray-f32.tif": ("YX", (200, 200), "float32"),
    "image-tiff__random-fp16-pred3.tiff": ("YX", (16, 16), "float16"),
    "image-tiff__random-fp16.tiff": ("YX", (16, 16), "float16"),
    "image-tiff__seq-1c-12b-hpredict-47c39b31.tiff": ("YX", (16, 16), "uint16"),
    "image-tiff__seq-1c-16b-bigendian-68f373a0.tiff": ("YX", (16, 16), "uint16"),
    "image-tiff__seq-1c-16b-deflate-68f373a0.tiff": ("YX", (16, 16), "uint16"),
    "image-tiff__seq-1c-16b-multistrip-68f373a0.tiff": ("YX", (16, 16), "uint16"),
    "image-tiff__seq-1c-16b-tiled-68f373a0.tiff": ("YX", (16, 16), "uint16"),
    "image-tiff__seq-1c-24b-072a9dc9.tiff": ("YX", (16, 16), "uint32"),
    "image-tiff__seq-1c-32f-deflate-fpredict-390fe673.tiff": ("YX", (16, 16), "float32"),
    "image-tiff__seq-1c-8b-bigtiff-20f3db0c.tiff": ("YX", (16, 16), "uint8"),
    "image-tiff__seq-1c-8b-multipage-adeefdcc.tiff": ("IYX", (3, 16, 16), "uint8"),
    "image-tiff__seq-1c-i32-99fddec2.tiff": ("YX", (16, 16), "int32"),
    "image-tiff__white-fp16.tiff": ("YX", (256, 256), "float16"),
    "lattice__multich_multi_time.tif": ("TZCYX", (2, 501, 3, 11, 13), "uint16"),
    "pyimagej__test_image.tif": ("YX", (250, 250), "uint16"),
    "pyimagej__test_still.tif": ("YX", (300, 300), "uint16"),
    "pyimagej__test_still_stack.tif": ("CYX", (3, 300, 300), "uint16"),
    "scikit-tracker__TC_BF_cells.ome.tif": ("TZYX", (3, 7, 193, 174), "uint16"),
    "scikit-tracker__TZ_nucleus.ome.tif": ("TZYX", (4, 5, 51, 73), "uint8"),
    "training-resources__xy_12bit__saturated_plant.tif": ("YX", (512, 512), "uint16"),
    "training-resources__xy_float__h2b_bg_corr.tif": ("YX", (42, 60), "float32"),
    "training-resources__xyc_16bit__cell_dna_mts_actin.tif": ("CYX", (3, 350, 350), "uint16"),
    "training-resources__xyz_8bit__mitotic_plate_badZcalibrated.tif": (
        "ZYX",
        (6, 263, 263),
        "uint8",
    ),
    "training-resources__xyz_8bit__mitotic_plate_calibrated.tif": ("ZYX", (6, 263, 263), "uint8"),
}

REFUSED = {
    "nibabel__row_major.dconn.nii": "CIFTI",
    "image-tiff__BigTIFFLong.tif": "colour",
    "image-tiff__BigTIFFMotorola.tif": "colour",
    "image-tiff__planar-rgb-u8.tif": "colour",
    "image-tiff__quad-tile.jpg.tiff": "colour",
    "image-tiff__rgb-3c-16b.tiff": "colour",
    "training-resources__xy_rgb__cells.tif": "colour",
}
"""What the one sentence says, and what to do instead is in it, too."""

if Version(tifffile.__version__) < Version("2026.3.3"):  # reads no compression of fax machines
    READ.pop("image-tiff__big_g4.tif")
    REFUSED["image-tiff__big_g4.tif"] = "compressed in a way"


def found(data_folder, name):
    kind = "nifti" if ".nii" in name else "tiff"
    path = data_folder / "readers" / kind / name
    if not path.exists():
        pytest.skip(f"{name} is not among the real files")
    return path


def independent(path):
    """Return the array by tifffile page by page, or by nibabel, without any of our code."""
    if ".nii" in path.name:
        return np.asanyarray(nibabel.load(path).dataobj).transpose()
    with tifffile.TiffFile(path) as file:
        n_pages = len(file.pages)
        pages = [file.pages[i].asarray() for i in range(n_pages)]
        series = file.series[0]
        planes = np.stack(pages) if n_pages > 1 else pages[0]
        return planes if planes.size == np.prod(series.shape) else series.asarray()


@pytest.mark.parametrize("lazy_above", [None, 0], ids=["eager", "lazy"])
@pytest.mark.parametrize("name", READ)
def test_read(data_folder, name, lazy_above):
    axes, shape, dtype = READ[name]
    path = found(data_folder, name)
    (image,) = read_all(path, lazy_above=lazy_above)
    assert (image.axes, image.shape, image.dtype) == (axes, shape, dtype)
    assert isinstance(image.data, np.ndarray) == (lazy_above is None)
    values = image.array()
    assert values.shape == shape
    assert values.dtype == image.dtype
    expected = independent(path).reshape(shape)
    assert np.array_equal(values, expected.astype(dtype), equal_nan=values.dtype.kind == "f")


@pytest.mark.parametrize("name", [name for name in READ if ".nii" not in name])
def test_pillow_agrees(data_folder, name):
    """A decoder that shares no code with tifffile, where it knows the kind of picture."""
    path = found(data_folder, name)
    image = read(path)
    try:
        with PIL.Image.open(path) as picture:
            picture.load()
            plain = picture.mode in {"L", "I;16", "I;16B", "F", "1"} and picture.n_frames == 1
            inverted = picture.tag_v2.get(262) == 0
            predicted = picture.tag_v2.get(317, 1) != 1  # Pillow leaves differences as they are
            signed = picture.tag_v2.get(339, (1,))[0] == 2
            other = np.asarray(picture)
    except (OSError, ValueError, SyntaxError) as error:
        pytest.skip(f"Pillow cannot read it: {error}")
    bits = image.dtype.itemsize * 8 if image.dtype != bool else 1
    same_width = bits == {"L": 8, "F": 32, "1": 1}.get(picture.mode, 16)
    if not plain or inverted or predicted or signed or not same_width or image.axes != "YX":
        pytest.skip(f"Pillow shows it as {picture.mode}, which is not what is stored")
    assert np.array_equal(image.array(), other)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(data_folder, name):
    with pytest.raises(FileError, match=REFUSED[name]) as error:
        read(found(data_folder, name))
    assert str(error.value).count("\n") == 0
    assert "Convert" in str(error.value)


def test_the_table_is_complete(data_folder):
    names = {path.name for path in (data_folder / "readers").rglob("*.*")}
    assert names == set(READ) | set(REFUSED)
