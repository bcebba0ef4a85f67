"""What napari asks of a plugin: reader, writer, sample. Slow imports happen when they are used."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


__all__ = [
    "get_reader",
    "read_fits",
    "read_layers",
    "sample_ball",
    "sample_beads",
    "sample_cell",
    "sample_cells",
    "sample_embryo",
    "sample_nuclei",
    "sample_series",
    "sample_worm",
    "write_channels",
    "write_image",
]


def get_reader(path: str | Sequence[str]) -> Callable[[Any], list[Any]] | None:
    """Return the function that reads images, folders or kept fits; none for anything else."""
    from napari_cellinr.io import FITTED_SUFFIX
    from napari_cellinr.ui.layers.opening import can_open

    paths = [path] if isinstance(path, str) else list(path)
    if paths and all(str(one).endswith(FITTED_SUFFIX) for one in paths):
        return read_fits
    return read_layers if paths and all(can_open(Path(one)) for one in paths) else None


def read_layers(path: str | Sequence[str]) -> list[Any]:
    """Return a full layer data tuple for every image and channel in the files.

    Several files are one series if napari gives them together: it does so for *Open Files as
    Stack*, and for a drop with Shift held down.

    Raises
    ------
    FileError
        If a file is missing or cannot be understood.
    """
    from napari_cellinr.ui.layers.convert import layer_tuples
    from napari_cellinr.ui.layers.opening import images_of

    paths = [path] if isinstance(path, str) else list(path)
    together = not isinstance(path, str)
    images = images_of([Path(one) for one in paths], together=together)
    return [layer for image in images for layer in layer_tuples(image)]


def read_fits(path: str | Sequence[str]) -> list[Any]:
    """Return the results of fits that were kept as layers, rendered anew; the first is visible.

    Raises
    ------
    FileError
        If a file is no kept fit, damaged, or of a newer version.
    """
    from napari_cellinr.ui.layers.saved_fits import fit_tuples

    paths = [path] if isinstance(path, str) else path
    return [layer for one in paths for layer in fit_tuples(Path(one))]


def write_image(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a layer with its calibration and return the path that was written.

    In a viewer whose steps are recorded it is one of them, as `cellinr.save` is.

    Raises
    ------
    FileError
        If the axes of the layer are not known, or the file cannot be written; an existing one is
        then left as it was.
    """
    from napari_cellinr.io import write
    from napari_cellinr.ui.layers.convert import image_from_tuple
    from napari_cellinr.ui.session.recording import note_saved

    with _told_by_napari():
        write(Path(path), image_from_tuple(data, attributes))
    note_saved(path, data, str(attributes.get("name", "")))
    return [path]


def write_channels(path: str, layers: Sequence[Any]) -> list[str]:
    """Write layers of one shape as the channels of one file and return the path.

    Raises
    ------
    FileError
        If the layers differ in shape, type or voxel size, or the file cannot be written.
    """
    from napari_cellinr.io import write
    from napari_cellinr.io.channels import joined
    from napari_cellinr.ui.layers.convert import image_from_tuple

    with _told_by_napari():
        images = [image_from_tuple(data, attributes) for data, attributes, _ in layers]
        write(Path(path), joined(images))
    return [path]


@contextmanager
def _told_by_napari() -> Iterator[None]:
    """Raise what goes wrong within the context as what napari shows.

    It takes a ValueError, which half of our errors are, for a sign that nobody can write the file.
    """
    from napari_cellinr.errors import CellINRError, FileError

    try:
        yield
    except CellINRError as error:
        raise FileError(str(error)) from error


def sample_cells() -> list[Any]:
    """Return a simulated movie of cells and its truth, finer in time and along Z, as layers."""
    return _layers("moving-cells")


def sample_worm() -> list[Any]:
    """Return a worm that undulates in phase contrast, and its true phase, as layers."""
    return _layers("motion-worm")


def sample_beads() -> list[Any]:
    """Return vibrating beads in three-beam structured light, and the truth, as layers."""
    return _layers("motion-beads")


def sample_cell() -> list[Any]:
    """Return a cell that moves while it is scanned along z, and the truth, as layers."""
    return _layers("motion-cell")


def sample_ball() -> list[Any]:
    """Return one picture of a flying ball by a lensless camera, and the truth, as layers."""
    return _layers("motion-ball")


def sample_embryo() -> list[Any]:
    """Return a simulated embryo with labelled membranes, and its truth, as layers."""
    return _layers("embryo-membranes")


def sample_nuclei() -> list[Any]:
    """Return a simulated embryo with labelled nuclei, and its truth, as layers."""
    return _layers("embryo-nuclei")


def sample_series() -> list[Any]:
    """Return a simulated embryo whose cells move while it bleaches, and its truth, as layers."""
    return _layers("embryo-series")


def _layers(key: str) -> list[Any]:
    """Return the layers of a sample: its truth first, so that the raw image is on top."""
    from napari_cellinr.simulate.samples import sample_images
    from napari_cellinr.ui.layers.convert import layer_tuples

    return [layer for image in sample_images(key) for layer in layer_tuples(image)]
