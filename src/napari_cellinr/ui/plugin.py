"""What napari asks of a plugin: reader, writer, sample. Slow imports happen when they are used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


__all__ = ["get_reader", "read_layers", "sample_cells", "sample_embryo", "write_image"]

_SUFFIXES = (".tif", ".tiff", ".nii", ".nii.gz")


def get_reader(path: str | Sequence[str]) -> Callable[[Any], list[Any]] | None:
    """Return the function that reads TIFF and NIfTI files; none for anything else."""
    paths = [path] if isinstance(path, str) else list(path)
    known = all(str(one).lower().endswith(_SUFFIXES) for one in paths)
    return read_layers if known and paths else None


def read_layers(path: str | Sequence[str]) -> list[Any]:
    """Return a full layer data tuple for every image and channel in the files.

    Raises
    ------
    FileError
        If a file is missing or cannot be understood.
    """
    from napari_cellinr.io import read_all
    from napari_cellinr.ui.layers import layer_tuples

    paths = [path] if isinstance(path, str) else list(path)
    images = [image for one in paths for image in read_all(Path(one))]
    return [layer for image in images for layer in layer_tuples(image)]


def write_image(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a layer with its calibration and return the path that was written.

    Raises
    ------
    FileError
        If the file cannot be written; an existing one is then left as it was.
    """
    from napari_cellinr.io import write
    from napari_cellinr.ui.layers import image_from_tuple

    write(Path(path), image_from_tuple(data, attributes))
    return [path]


def sample_cells() -> list[Any]:
    """Return a simulated movie of cells and its truth, finer in time and along Z, as layers."""
    from napari_cellinr.simulate_cells import cells
    from napari_cellinr.ui.layers import layer_tuples

    sample = cells((5, 12, 64, 64), gain=1.0, read_noise=2.0)
    return layer_tuples(sample.truth) + layer_tuples(sample.raw)


def sample_embryo() -> list[Any]:
    """Return a simulated embryo with labelled membranes, and its truth, as layers."""
    from napari_cellinr.simulate import embryo
    from napari_cellinr.ui.layers import layer_tuples

    sample = embryo("membranes")
    return layer_tuples(sample.truth) + layer_tuples(sample.raw)
