"""All files of a recording, of which a path names one, a folder or a pattern."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import FileError
from napari_cellinr.io.names import place_of
from napari_cellinr.io.safety.atomic import is_zarr
from napari_cellinr.io.series.sequences import SERIES, is_pattern, matching_files, numbered_files
from napari_cellinr.io.zarr.parts import CHUNK, ZARR_FILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["files_of"]


def files_of(path: str, meta: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Yield each file of a recording, with a name that is the same on all computers.

    Parameters
    ----------
    path
        The file, folder or pattern that is read; no address.
    meta
        Metadata of the image that was read from it.
    """
    series = meta.get(SERIES, {})
    place = place_of(str(series.get("path", path)))
    if names := series.get("files"):
        yield from _numbered([place / str(name) for name in names])
    elif is_zarr(place):
        yield from _of_zarr(place)
    elif place.is_dir() or is_pattern(place):
        yield from _numbered(_of_series(place))
    else:
        yield place.name, place
        if place.suffix.lower() in {".tif", ".tiff"}:
            yield from ((file.name, file) for file in _others(place))


def _numbered(files: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    yield from ((f"{number} {file.name}", file) for number, file in enumerate(files))


def _of_series(place: Path) -> list[Path]:
    """Return the numbered files of a folder or a pattern; none if they are gone."""
    try:
        return matching_files(place) if is_pattern(place) else numbered_files(place)
    except (FileError, OSError):
        return []


def _of_zarr(place: Path) -> Iterator[tuple[str, Path]]:
    """Yield chunks and metadata; folders that lead out of the hierarchy by a link are not read."""
    for folder, _, files in os.walk(place):
        within = os.path.relpath(folder, place)
        for name in files:
            if name in ZARR_FILES or CHUNK.fullmatch(name):
                yield f"{within}/{name}", place / within / name


def _others(place: Path) -> list[Path]:
    """Return the other files that the OME description of a TIFF names."""
    from napari_cellinr.io.tiff.renamed import named_files

    try:
        names = named_files(place)
    except (OSError, ValueError):  # it is being written
        return []
    return [place.with_name(name) for name in names if name != place.name]
