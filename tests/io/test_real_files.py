"""Files from real microscopes and other programs, where they are at hand."""

import numpy as np
import pytest
import tifffile
from packaging.version import Version

from napari_cellinr.errors import FileError
from napari_cellinr.io import read, read_all, write

pytestmark = pytest.mark.filterwarnings("ignore::napari_cellinr.errors.FileWarning")

MICRO, UNKNOWN = "micrometer", "pixel"

EXPECTED = {
    "celegans_membrane/membrane_t025.tif": (
        "ZYX", (70, 256, 356), "uint8", (0.43, 0.18, 0.18), (MICRO,) * 3,
    ),
    "brain_nuclei/brain_nuclei_int32.tif": (
        "QYX", (124, 86, 94), "int32", (1, 1, 1), (UNKNOWN,) * 3,
    ),
    "puncta_time_lapse/puncta_tyx.tif": (
        "TYX", (51, 200, 200), "uint16", (3600, 0.325, 0.325), ("second", MICRO, MICRO),
    ),
    "sim3d_simulated/raw.tif": (
        "ZYX", (135, 64, 64), "float32", (0.125, 0.08, 0.08), (MICRO,) * 3,
    ),
    "mouse_embryo_nuclei/eight_cell_stage.tif": (
        "ZYX", (51, 120, 122), "uint16", (1, 1, 1), (UNKNOWN,) * 3,
    ),
    "diffusercam/psf_sample.tif": ("YX", (1200, 1600), "uint16", (1, 1), (UNKNOWN,) * 2),
    "microtubules_paired/TIRF_100Hz.tif": ("YX", (256, 256), "uint16", (1, 1), (UNKNOWN,) * 2),
    "readers/tiff/CellProfiler__MetamorphImage.tif": (
        "YX", (520, 696), "uint16", (0.645, 0.645), (MICRO,) * 2,
    ),
    "readers/tiff/lattice__multich_multi_time.tif": (
        "TZCYX", (2, 501, 3, 11, 13), "uint16", (1, 1, 1, 1, 1), ("second", *(UNKNOWN,) * 4),
    ),
    "readers/tiff/scikit-tracker__TC_BF_cells.ome.tif": (
        "TZYX", (3, 7, 193, 174), "uint16", (10, 0.3, 0.065, 0.065), ("second", *(MICRO,) * 3),
    ),
    "readers/tiff/training-resources__xyz_8bit__mitotic_plate_badZcalibrated.tif": (
        "ZYX", (6, 263, 263), "uint8", (1, 0.0851964, 0.0851964), (UNKNOWN, MICRO, MICRO),
    ),
    "readers/nifti/nibabel__functional.nii": (
        "TZYX", (20, 3, 21, 17), "float32", (2, 8, 4, 4), ("second", *("millimeter",) * 3),
    ),
    "readers/nifti/nibabel__someones_anatomy.nii.gz": (
        "ZYX", (56, 67, 57), "float32", (2.75, 2.75, 2.75), ("millimeter",) * 3,
    ),
    "readers/nifti/nibabel__standard.nii.gz": (
        "ZYX", (7, 5, 4), "uint8", (1, 1, 1), (UNKNOWN,) * 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_what_a_file_says(data_folder, name):
    axes, shape, dtype, scale, units = EXPECTED[name]
    image = read(data_folder / name)
    assert (image.axes, image.shape, image.dtype) == (axes, shape, dtype)
    assert image.scale == pytest.approx(scale, rel=1e-6)
    assert image.units == units


def test_every_file_is_read_or_refused_clearly(data_folder):
    """Only RGB images and CIFTI are refused, everything else is native real numbers."""
    refused = {}
    for path in sorted((data_folder / "readers").rglob("*.*")):
        try:
            images = read_all(path)
        except FileError as error:
            refused[path.name] = str(error)
            continue
        for image in images:
            assert image.dtype.isnative
            assert image.shape == image.data.shape
    if Version(tifffile.__version__) < Version("2026.3.3"):  # reads no compression of fax machines
        assert "compressed in a way" in refused.pop("image-tiff__big_g4.tif")
    assert len(refused) == 7
    assert "CIFTI" in refused.pop("nibabel__row_major.dconn.nii")
    assert all("colour (RGB) image" in message for message in refused.values())


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".nii"])
@pytest.mark.parametrize(
    "name",
    [
        "celegans_membrane/membrane_t025.tif",
        "puncta_time_lapse/puncta_tyx.tif",
        "readers/tiff/scikit-tracker__TZ_nucleus.ome.tif",
        "readers/tiff/lattice__multich_multi_time.tif",
        "readers/nifti/nibabel__example4d.nii.gz",
        "readers/nifti/nibabel__anatomical.nii",
    ],
)
def test_nothing_is_lost_on_the_way(data_folder, tmp_path, name, suffix):
    image = read(data_folder / name)
    again = read(write(tmp_path / f"again{suffix}", image))
    for key in ("axes", "shape", "dtype", "scale", "units", "channels"):
        assert getattr(again, key) == getattr(image, key), key
    assert np.array_equal(again.data, image.data)
