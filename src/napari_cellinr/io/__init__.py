"""Reading and writing images: TIFF, NIfTI and OME-Zarr, chosen by the file name extension."""

from napari_cellinr.io.names import READ_ONLY, SUFFIXES
from napari_cellinr.io.reading import StackAxis, read, read_all
from napari_cellinr.io.saved_fit import FITTED_SUFFIX, load_fitted, save_fitted
from napari_cellinr.io.writing import check_writable, write, write_in_steps

__all__ = [
    "FITTED_SUFFIX",
    "READ_ONLY",
    "SUFFIXES",
    "StackAxis",
    "check_writable",
    "load_fitted",
    "read",
    "read_all",
    "save_fitted",
    "write",
    "write_in_steps",
]
