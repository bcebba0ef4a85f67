"""Opens files and folders as Images, and asks what numbered files are."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from napari import settings

from napari_cellinr.io import READ_ONLY, SUFFIXES, read_all
from napari_cellinr.io.lazy import lazy_above
from napari_cellinr.io.names import place_of
from napari_cellinr.io.safety.atomic import is_zarr
from napari_cellinr.io.series import sequences
from napari_cellinr.io.series.channels import PART
from napari_cellinr.io.series.folders import images_in
from napari_cellinr.ui.layers.numbered import choice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_cellinr.image import Image
    from napari_cellinr.macro import Source

__all__ = ["can_open", "files_of", "images_again", "images_of", "is_series"]

logger = logging.getLogger(__name__)

_AXES = {"time": "T", "z": "Z"}
"""Axis for each value of the preference `numbered_files`; `separate` is one image per file."""


def can_open(path: Path) -> bool:
    """Return whether a file or folder can probably be read, mostly by its name."""
    if path.is_dir():
        return is_zarr(path) or sequences.is_numbered(sequences.numbered_files(path))
    return path.name.lower().endswith((*SUFFIXES, *READ_ONLY))


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Return files, with folders replaced by the readable files in them.

    A folder with an OME-Zarr image is one file.

    Raises
    ------
    FileError
        If a folder contains no readable files, or cannot be listed.
    """
    found: list[Path] = []
    for path in paths:
        found += images_in(path) if path.is_dir() and not is_zarr(path) else [path]
    return found


def is_series(paths: Sequence[Path]) -> bool:
    """Return whether files are a numbered series, or a folder of one."""
    folder = any(path.is_dir() and not is_zarr(path) for path in paths)
    return folder or (sequences.is_numbered(paths) and not any(path.is_dir() for path in paths))


def images_of(paths: Sequence[Path], *, together: bool) -> list[Image]:
    """Return the images in files and folders.

    Parameters
    ----------
    paths
        Files and folders.
    together
        Whether numbered files become one series: time points or z planes, as the user chooses.

    Raises
    ------
    FileError
        If a file cannot be read, the user cancels, or there is no window to ask in.
    """
    limit = _limit()
    if together and is_series(paths) and not any(path.is_dir() for path in paths):
        return _series(paths, limit)
    images = []
    for path in paths:
        if path.is_dir() and not is_zarr(path):
            images += _series(sequences.numbered_files(path), limit, name=path.name)
        else:
            images += _images(path, limit)
    return images


def images_again(source: Source) -> list[Image]:
    """Read the images of a recorded source again in the same way.

    Raises
    ------
    FileError
        If a file is missing, or cannot be read.
    """
    if not source.along:
        return images_of([place_of(source.path)], together=False)
    axis: Any = source.along
    return read_all(source.place, lazy_above=_limit(), stack_axis=axis, colours=True)


def _series(paths: Sequence[Path], limit: int, name: str | None = None) -> list[Image]:
    answer = choice(paths)
    if answer in _AXES:
        return [sequences.read_files(paths, _AXES[answer], None, limit, name)]
    ordered = sequences.in_order(paths)
    return [one for path in ordered for one in _images(path, limit)]


def _images(path: Path, limit: int) -> list[Image]:
    """Return the images of a file, with their number in its series in their metadata."""
    images = read_all(path, lazy_above=limit, colours=True)
    if len(images) == 1:
        return images
    return [
        one.like(one.data, meta={**one.meta, PART: {"series": place}})
        for place, one in enumerate(images)
    ]


def _limit() -> int:
    """Return the size in bytes above which images stay on disk.

    The environment variable takes precedence over the preferences.
    """
    if "NAPARI_CELLINR_LAZY_MB" in os.environ:
        return lazy_above()
    try:
        return int(settings.get_plugin_settings("napari-cellinr").files.lazy_above_mb * 2**20)
    except Exception as error:  # whatever the settings of another program raise
        logger.info("no preferences: %s", error)
        return lazy_above()
