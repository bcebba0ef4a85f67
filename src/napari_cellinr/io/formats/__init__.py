"""Files of microscopes: which module reads which extension, and which library it needs."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final

from napari_cellinr.errors import FileError
from napari_cellinr.io.safety.failures import explained_reading

if TYPE_CHECKING:
    from pathlib import Path

    from napari_cellinr.image import Image

__all__ = ["FORMATS", "Format", "read"]


@dataclass(frozen=True)
class Format:
    """A file format of a microscope.

    Parameters
    ----------
    title
        What a message calls it.
    module
        Module of this folder with `read(path, name, limit)`.
    library
        Package that the module needs, of the extra `formats`; empty for none.
    """

    title: str
    module: str
    library: str = ""


FORMATS: Final = {
    ".czi": Format("Zeiss CZI", "czi_file", "czifile"),
    ".nd2": Format("Nikon ND2", "nd2_file", "nd2"),
    ".lif": Format("Leica LIF", "lif_file", "liffile"),
    ".ims": Format("Imaris", "ims_file", "h5py"),
    ".mrc": Format("MRC", "mrc_file"),
    ".map": Format("MRC", "mrc_file"),
    ".rec": Format("MRC", "mrc_file"),
    ".dv": Format("DeltaVision", "mrc_file"),
    ".r3d": Format("DeltaVision", "mrc_file"),
}
"""The formats by extension, besides TIFF, NIfTI and OME-Zarr."""


def read(path: Path, suffix: str, name: str, limit: int) -> list[Image]:
    """Return the images in a file, one per position, with axes, voxel size, time and channels.

    Parameters
    ----------
    path
        An existing file.
    suffix
        Its extension, one of `FORMATS`.
    name
        Name of the image; if there are several, the number of the position is appended.
    limit
        Bytes above which an array is lazy.

    Raises
    ------
    FileError
        If the file is damaged, or the library that reads it is not installed.
    """
    kind = FORMATS[suffix]
    try:
        if kind.library:
            import_module(kind.library)
    except ImportError as error:
        raise FileError(
            f"{path} is a file of {kind.title}; to read it, install the extra formats: pip install "
            f"'napari-cellinr[formats]' (it needs {kind.library}). In napari, a reader plugin for "
            "this format works as well; its layers can be processed."
        ) from error
    module = import_module(f"{__name__}.{kind.module}")
    with explained_reading(path, lambda error: _damage(path, kind, error)):
        images: list[Image] = module.read(path, name, limit)
    return images


def _damage(path: Path, kind: Format, error: Exception) -> str:
    return (
        f"{path} is not a file of {kind.title}, or it is damaged ({error!r:.200}); copy it again "
        "from its source, or save it as OME-TIFF with the program that made it."
    )
