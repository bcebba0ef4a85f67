"""Recordings of Micro-Manager in several files: planes at the places that their index states."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tifffile

from napari_cellinr.errors import FileError
from napari_cellinr.io.tiff.unassigned import series_from
from napari_cellinr.text import n_of, number_list, shortened_text

if TYPE_CHECKING:
    from napari_cellinr.io.tiff.data import OpenTiff

__all__ = ["check_files", "in_place"]

_COLUMNS = {"C": 0, "Z": 1, "T": 2, "R": 3}
"""The columns of an index, one row for each plane, by axis."""

_COUNTS = {"C": "Channels", "Z": "Slices", "T": "Frames", "R": "Positions"}
"""How many there are along each axis, in the summary."""

_MOST_PLANES = 10_000_000
"""Planes of an announced recording up to which those that are missing are counted."""


_INDEX = "NDTiff.index"
"""The file that says where the planes of newer recordings are."""


def check_files(opened: OpenTiff) -> tuple[str, ...]:
    """Return a sentence if the index of a recording of several files (NDTiff) is not there.

    Parameters
    ----------
    opened
        Any TIFF.

    Raises
    ------
    FileError
        If the index names files that are not in the folder.
    """
    if (opened.file.micromanager_metadata or {}).get("MajorVersion", 0) < 2:
        return ()
    index = opened.path.with_name(_INDEX)
    if not index.is_file():
        return (
            f"{_INDEX}, which says where the planes of {opened.path} belong, is not in its folder; "
            "its pages are read as they are. Add it to read all files of the recording.",
        )
    names = dict.fromkeys(entry[1] for entry in tifffile.read_ndtiff_index(index))
    absent = [
        name for name in names if Path(name).name != name or not index.with_name(name).is_file()
    ]
    if absent:
        raise FileError(
            f"{opened.path} is a part of a recording of {n_of(len(names), 'file')}, of which "
            f"{shortened_text(', '.join(absent))} {'is' if len(absent) == 1 else 'are'} not in the "
            "folder. Add what is missing; without the others, and without "
            f"{_INDEX}, the pages of this file can be read as they are."
        )
    return ()


def in_place(
    opened: OpenTiff, series: tifffile.TiffPageSeries
) -> tuple[tifffile.TiffPageSeries, tuple[str, ...]]:
    """Return a stack with its planes where the recording has them; others are missing.

    tifffile moves the planes of a file to the beginning if the other files are not there.

    Parameters
    ----------
    opened
        A file of the recording.
    series
        What tifffile made of it.

    Returns
    -------
    series
        The whole recording.
    warnings
        Sentences about positions that are not there, or a recording too large for that.

    Raises
    ------
    FileError
        If several files have the same planes.
    """
    stated = opened.file.micromanager_metadata or {}
    summary, index = stated.get("Summary"), stated.get("IndexMap")
    if summary is None or index is None:
        return series, ()
    if series.is_multifile:
        _check_no_plane_twice(opened, series)
        return series, ()
    axes, shape = series.get_axes(squeeze=False), series.get_shape(squeeze=False)
    axes = "".join(axis for axis in axes if axis in _COLUMNS)
    first = [int(index[:, _COLUMNS[axis]].min()) for axis in axes]
    ends = [start + size for start, size in zip(first, shape, strict=False)]
    sizes = [
        max(int(summary.get(_COUNTS[axis], 1)), end) for axis, end in zip(axes, ends, strict=True)
    ]
    texts: tuple[str, ...] = ()
    if "R" in axes:  # each position is an image of its own
        r = axes.index("R")
        texts = _of_positions(opened, range(first[r], ends[r]), sizes[r])
        first[r], ends[r], sizes[r] = 0, shape[r], shape[r]
    if sizes == list(shape[: len(axes)]):
        return series, texts
    if math.prod(sizes) > _MOST_PLANES:
        return series, (
            *texts,
            f"{opened.path} has {len(index)} of the {math.prod(sizes)} planes that it announces; "
            "its first plane is taken for the beginning of the recording.",
        )
    pages = np.full(sizes, None, object)
    own = np.empty(len(series.pages), object)
    own[:] = list(series.pages)
    places = tuple(slice(start, end) for start, end in zip(first, ends, strict=True))
    pages[places] = own.reshape(shape[: len(axes)])
    whole = series_from(
        pages.ravel().tolist(),
        dict(zip(axes, sizes, strict=True)),
        series.kind,
        parent=series.parent,
    )
    return whole, texts


def _of_positions(opened: OpenTiff, there: range, n_positions: int) -> tuple[str, ...]:
    """Return a sentence if a file has some of the positions of its recording."""
    if len(there) == n_positions:
        return ()
    return (
        f"{opened.path} has {'position' if len(there) == 1 else 'positions'} {number_list(there)} "
        f"of the {n_positions} of its recording, counted from 0; the files of the others are not "
        "in its folder under their names.",
    )


def _check_no_plane_twice(opened: OpenTiff, series: tifffile.TiffPageSeries) -> None:
    """Refuse files of which one takes the place of planes of another.

    tifffile takes all files with the beginning of this name for files of the recording.
    """
    used = Counter(page.parent.filehandle.path for page in series.pages if page is not None)
    used.setdefault(opened.file.filehandle.path, 0)
    for path, n_used in used.items():
        with Path(path).open("rb") as stream:
            index = tifffile.read_micromanager_metadata(stream, {"IndexMap"})["IndexMap"]
        if len(np.unique(index[:, :4], axis=0)) != n_used:
            raise FileError(
                f"{path} is not the only file with some of its planes: all files in its folder "
                "whose names have the same beginning before _MMStack are taken for one "
                "recording. Move the copies, or the files of other recordings, to other folders."
            )
