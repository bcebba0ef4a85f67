"""Readers, writers and samples that the manifest names; slow imports happen inside functions."""

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
    """Return the function that reads images, folders or saved fits; None for other files."""
    from napari_cellinr.io import FITTED_SUFFIX
    from napari_cellinr.ui.layers.opening import can_open

    paths = [path] if isinstance(path, str) else list(path)
    if paths and all(str(one).endswith(FITTED_SUFFIX) for one in paths):
        return read_fits
    return read_layers if paths and all(can_open(Path(one)) for one in paths) else None


def read_layers(path: str | Sequence[str]) -> list[Any]:
    """Return one layer data tuple per image and channel in the files.

    Files that napari passes as a list become one series: it does so for *Open Files as Stack*, and
    for files dropped with Shift held down.

    Raises
    ------
    FileError
        If a file is missing or cannot be read.
    """
    from napari_cellinr.ui.layers.convert import layer_tuples
    from napari_cellinr.ui.layers.numbered import OpeningCancelledError
    from napari_cellinr.ui.layers.opening import images_of

    paths = [path] if isinstance(path, str) else list(path)
    together = not isinstance(path, str)
    try:
        images = images_of([Path(one) for one in paths], together=together)
    except OpeningCancelledError:
        return [(None,)]  # which means to napari that there is no layer, and no error
    return [layer for image in images for layer in layer_tuples(image)]


def read_fits(path: str | Sequence[str]) -> list[Any]:
    """Return layer data tuples rendered from saved fits: the result of each.

    Raises
    ------
    FileError
        If a file is not a saved fit, damaged, or of a newer version.
    """
    from napari_cellinr.ui.layers.saved_fits import fit_tuples

    paths = [path] if isinstance(path, str) else path
    return [layer for name in paths for layer in fit_tuples(Path(name))]


def write_image(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write an image layer with its calibration; recorded as a step of the viewer.

    Parameters
    ----------
    path
        The file.
    data
        Array of the layer.
    attributes
        Attributes of the layer, as napari passes them to writers.

    Returns
    -------
    list of str
        The path.

    Raises
    ------
    FileError
        If the axes of the layer are not known, or the file cannot be written; an existing file is
        left unchanged.
    """
    from napari_cellinr.io import write
    from napari_cellinr.ui.layers.convert import image_from_tuple
    from napari_cellinr.ui.session.recording import note_saved

    with _errors_shown_by_napari():
        write(Path(path), image_from_tuple(data, attributes))
    note_saved(path, data, str(attributes.get("name", "")))
    return [path]


def write_channels(path: str, layers: Sequence[Any]) -> list[str]:
    """Write layers of one shape as the channels of one file.

    Parameters
    ----------
    path
        The file.
    layers
        Layer data tuples.

    Returns
    -------
    list of str
        The path.

    Raises
    ------
    FileError
        If the layers differ in shape, type or voxel size, or the file cannot be written.
    """
    from napari_cellinr.io import write
    from napari_cellinr.io.series.channels import joined
    from napari_cellinr.ui.layers.convert import image_from_tuple

    with _errors_shown_by_napari():
        images = [image_from_tuple(data, attributes) for data, attributes, _ in layers]
        write(Path(path), joined(images))
    return [path]


@contextmanager
def _errors_shown_by_napari() -> Iterator[None]:
    """Turn errors into `FileError`.

    napari would take a ValueError, which many of our errors are, to mean that this writer cannot
    write the file, and would try the next one.
    """
    from napari_cellinr.errors import CellINRError, FileError

    try:
        yield
    except CellINRError as error:
        raise FileError(str(error)) from error


def sample_cells() -> list[Any]:
    """Return simulated moving cells and their ground truth, finer in time and Z, as layers."""
    return _layers("moving-cells")


def sample_worm() -> list[Any]:
    """Return a moving worm recorded by differential phase contrast, and its phase, as layers."""
    return _layers("motion-worm")


def sample_beads() -> list[Any]:
    """Return vibrating beads in 3-D structured illumination, and the ground truth, as layers."""
    return _layers("motion-beads")


def sample_cell() -> list[Any]:
    """Return a cell that moves during z-scans, and the ground truth, as layers."""
    return _layers("motion-cell")


def sample_ball() -> list[Any]:
    """Return a rolling-shutter image of a flying ball, and the ground truth, as layers."""
    return _layers("motion-ball")


def sample_embryo() -> list[Any]:
    """Return a simulated embryo with labelled membranes, and the ground truth, as layers."""
    return _layers("embryo-membranes")


def sample_nuclei() -> list[Any]:
    """Return a simulated embryo with labelled nuclei, and the ground truth, as layers."""
    return _layers("embryo-nuclei")


def sample_series() -> list[Any]:
    """Return a time series of an embryo that bleaches, and the ground truth, as layers."""
    return _layers("embryo-series")


def _layers(key: str) -> list[Any]:
    """Return the layers of a sample: the ground truth first, so that the raw image is on top."""
    from napari_cellinr.simulate.samples import TRUTH, sample_images
    from napari_cellinr.ui.layers.convert import layer_tuples
    from napari_cellinr.ui.layers.provenance import SAMPLE_PART

    truth, raw = sample_images(key)
    noted = truth.like(truth.data, meta={**truth.meta, SAMPLE_PART: TRUTH})
    return [layer for image in (noted, raw) for layer in layer_tuples(image)]
