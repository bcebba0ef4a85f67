"""The planes that a TIFF really has, where its description announces others."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import FileError
from napari_cellinr.io.metadata.times import TIMES, times_of
from napari_cellinr.io.tiff.data import LACKING
from napari_cellinr.io.tiff.described import partly_described
from napari_cellinr.io.tiff.micro_manager import check_files, in_place
from napari_cellinr.io.tiff.renamed import identified, images_elsewhere, without_other_files
from napari_cellinr.io.tiff.unassigned import (
    PLAIN,
    as_pages,
    fitted,
    not_assigned,
    read_as,
    series_from,
)
from napari_cellinr.text import n_of, number_list, shortened_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import tifffile
    from numpy.typing import NDArray

    from napari_cellinr.image import Image
    from napari_cellinr.io.tiff.data import OpenTiff

__all__ = ["Present", "present_planes", "series_of", "with_present"]

_MOST_MISSING = 8
"""Indices that a warning lists."""

ABSENT = "absent"
"""Attribute of a series: the files of its recording that are not in the folder."""


def series_of(opened: OpenTiff) -> tuple[list[tifffile.TiffPageSeries], tuple[str, ...]]:
    """Return the images in a file, and sentences about planes that its description denies.

    An ImageJ description that announces another number of planes than the file has is corrected,
    as ImageJ does.

    Raises
    ------
    ValueError
        If the file is too short for the planes that it announces.
    """
    file = opened.file
    plain = file.is_imagej and not (file.is_ome or file.is_mmstack or file.is_shaped)
    changed = _corrected_counts(opened) if plain else ()
    no_index = check_files(opened)
    if no_index or getattr(file, "is_ndtiff", False):
        return list(file.series), no_index
    identity = identified(opened)
    series = _by_tifffile(opened, identity.absent)
    if len(series) == 1 and series[0].kind == "mmstack":
        whole, texts = in_place(opened, series[0])
        return [whole], texts
    if plain and series:
        found, texts = _of_imagej(opened, series)
        return found, (*changed, *texts)
    by_ome = file.is_ome and all(one.kind in {"ome", *PLAIN} for one in series)
    if by_ome and (not identity.known or not_assigned(opened, series)):
        series, texts = as_pages(opened, series, known=identity.known)
        if texts:
            return series, texts
    if not file.is_ome:
        return partly_described(opened, series)
    series, others = without_other_files(opened, series, identity.meant)
    for one in series:
        one.attr[ABSENT] = identity.absent
    others = (*identity.doubts, *others, *images_elsewhere(opened, identity.absent))
    read = {page.index for s in series for page in s.pages if page and page.parent is file}
    if len(read) < opened.n_directories and all(len(s.levels) == 1 for s in series):
        n_left = opened.n_directories - len(read)
        are = n_of(
            n_left,
            "plane that its OME description does not mention; it is",
            "planes that its OME description does not mention; they are",
        )
        return series, (
            f"{opened.path} has {are} not read.",
            *others,
        )
    return series, others


def _by_tifffile(opened: OpenTiff, absent: Sequence[str]) -> list[tifffile.TiffPageSeries]:
    """Return what tifffile makes of a file.

    Raises
    ------
    FileError
        If places of planes cannot be found without them, or if other files are taken for files of
        a recording of Micro-Manager.
    ValueError
        If its OME description lacks an attribute.
    """
    try:
        return list(opened.file.series)
    except ValueError as error:
        if not absent or "PlaneCount" not in str(error):
            raise
        raise FileError(
            f"{opened.path} is a part of a recording in several files, of which "
            f"{shortened_text(', '.join(absent))} {'is' if len(absent) == 1 else 'are'} not in the "
            "folder; its OME description does not say how many planes a file has. Add what is "
            "missing."
        ) from error
    except KeyError as error:
        if opened.file.is_mmstack and error.args == ("IndexMap",):
            raise FileError(
                f"{opened.path} has fewer planes than its recording announces. Files in its folder "
                "whose names have the same beginning before _MMStack are taken for the others, and "
                "some are no stacks of Micro-Manager, such as results; move these to another "
                "folder."
            ) from error
        if not opened.file.is_ome:
            raise
        raise ValueError(f"{LACKING} {error.args[0]}") from error


def _corrected_counts(opened: OpenTiff) -> tuple[str, ...]:
    """Correct counts of an ImageJ description that are no whole numbers above 0, and say so.

    tifffile reads the description when its series are asked for, and fails over such counts.
    """
    stated = opened.file.imagej_metadata or {}
    wrong = []
    for key in ("images", *_KEYS.values()):
        number = stated.get(key, 1)
        if isinstance(number, int) and number > 0:
            continue
        wrong.append(f"{key}={str(number)[:20]}")
        whole = isinstance(number, float) and number.is_integer() and number > 0
        stated[key] = int(number) if whole else 1
    if "images" in stated and stated["images"] != opened.n_directories and wrong:
        stated["images"] = opened.n_directories
    if not wrong:
        return ()
    return (
        f"the ImageJ description of {opened.path} states {', '.join(wrong)}, which is no "
        f"number of planes; {n_of(opened.n_directories, 'plane is', 'planes are')} read without "
        "it.",
    )


def _of_imagej(
    opened: OpenTiff, series: list[tifffile.TiffPageSeries]
) -> tuple[list[tifffile.TiffPageSeries], tuple[str, ...]]:
    file, n_pages = opened.file, opened.n_directories
    stated = file.imagej_metadata or {}
    sizes = {axis: _count(stated, key) for axis, key in _KEYS.items()}
    announced = math.prod(sizes.values())
    first: Any = file.pages.first
    if n_pages == 1:
        end = first.dataoffsets[0] + first.nbytes
        n_there = 1 + (opened.file_bytes - end) // first.nbytes
        if announced == 1 or first.samplesperpixel > 1 or (first.is_final and n_there >= announced):
            return series, ()
        if first.is_final and end != opened.file_bytes and first.offset < end:
            raise ValueError(
                f"corrupted: its ImageJ description announces {n_of(announced, 'plane')}"
            )
        alone = series_from([first], {}, "imagej")
        return [alone], (
            f"{opened.path} has 1 plane, but its ImageJ description announces {announced} "
            f"({_stated(stated)}); it is read as that plane.",
        )
    if announced in {1, n_pages} or first.shaped[0] > 1 or first.samplesperpixel > 1:
        return series, ()
    pages = list(file.pages)
    if any(page.hash != first.hash for page in pages):
        return series, ()
    order = str(stated.get("order", "czt")).upper()[::-1]
    axes = order if set(order) == set("TZC") and len(order) == 3 else "TZC"
    found = fitted(axes, tuple(sizes[axis] for axis in axes), n_pages)
    repaired = series_from(pages[: math.prod(found.values())], found, "imagej")
    return [repaired], (
        f"{opened.path} has {n_of(n_pages, 'plane')}, but its ImageJ description announces "
        f"{announced} ({_stated(stated)}); they are read as {read_as(found, n_pages)}",
    )


def _stated(stated: Mapping[str, Any]) -> str:
    return " x ".join(f"{key} {_count(stated, key)}" for key in _KEYS.values())


_KEYS = {"T": "frames", "Z": "slices", "C": "channels"}


def _count(stated: Mapping[str, Any], key: str) -> int:
    number = stated.get(key, 1)
    return max(1, number) if isinstance(number, int) else 1


@dataclass(frozen=True)
class Present:
    """Which planes of a series the files have.

    Parameters
    ----------
    indices
        The indices along each axis whose planes are there, for axes along which some are missing.
    warning
        What is missing, as a sentence; empty if nothing is.
    """

    indices: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    warning: str = ""

    def of_frames(self, values: Sequence[float]) -> tuple[float, ...]:
        """Return those of one value for each frame whose frames are there."""
        return tuple(values[i] for i in self.indices.get("T", range(len(values))))


def present_planes(path: Path, series: tifffile.TiffPageSeries, axes: str) -> Present:
    """Return which planes of a series are there; the others would be read as 0.

    If what is there is no full array, only complete time points are kept, or channels or planes
    if that keeps more.

    Parameters
    ----------
    path
        The file.
    series
        One of its series.
    axes
        One distinct letter for each of its dimensions.

    Raises
    ------
    FileError
        If no plane is there, or no complete time point, channel or z plane.
    """
    may_lack = series.kind in {"ome", "mmstack", "ndtiff"} and series.dataoffset is None
    if not may_lack or all(page is not None for page in series.pages):
        return Present()
    there = np.array([page is not None for page in series.pages])
    n_leading = next(n for n in range(series.ndim + 1) if math.prod(series.shape[:n]) == len(there))
    there = there.reshape(series.shape[:n_leading])
    kept = _complete(there, axes)
    n_kept = math.prod(map(len, kept))
    if not n_kept:
        raise FileError(
            f"{path} has {there.sum()} of the {there.size} planes that it announces, and no time "
            "point, channel or z plane is complete. Give all files of the recording, in one "
            "folder and under their original names."
        )
    found = {
        axis: tuple(map(int, chosen))
        for axis, chosen, size in zip(axes, kept, there.shape, strict=False)
        if len(chosen) < size
    }
    absent = series.attr.get(ABSENT, ())
    return Present(found, _what_is_missing(path, there, n_kept, found, absent))


def _complete(there: NDArray[np.bool_], axes: str) -> list[NDArray[Any]]:
    """Return the indices along each axis of the largest full array of present planes."""
    used = [np.unique(places) for places in np.nonzero(there)]
    part = there[np.ix_(*used)]
    if part.all():
        return used
    choices = []
    for axis in sorted(range(there.ndim), key=lambda i: "TCZ".find(axes[i]) % 4):
        others = tuple(i for i in range(there.ndim) if i != axis)
        whole = used[axis][part.all(axis=others)]
        choices.append([*used[:axis], whole, *used[axis + 1 :]])
    return max(choices, key=lambda kept: math.prod(map(len, kept)))


def _what_is_missing(
    path: Path,
    there: NDArray[np.bool_],
    n_kept: int,
    found: Mapping[str, tuple[int, ...]],
    absent: Sequence[str],
) -> str:
    parts = ", ".join(
        f"{axis} {number_list(indices, _MOST_MISSING)}" for axis, indices in found.items()
    )
    n_there = int(there.sum())
    n_left = n_there - n_kept
    are = n_of(n_left, "plane of incomplete parts is", "planes of incomplete parts are")
    left = f" {are} left out." if n_left else ""
    uneven = [axis for axis, indices in found.items() if axis in "TZ" and not _step(indices)]
    gaps = f" The planes along {uneven[0]} are not equally spaced." if uneven else ""
    files = f" Not in the folder: {shortened_text(', '.join(absent))}." if absent else ""
    return (
        f"{path} lacks {there.size - n_there} of its {there.size} planes; read are only {parts}, "
        f"counted from 0.{left}{gaps}{files} If the other files of the recording exist, give them "
        "in the same folder and under their original names."
    )


def _step(indices: tuple[int, ...]) -> int:
    """Return the constant difference between indices, 1 for a single one, 0 if it varies."""
    steps = {b - a for a, b in itertools.pairwise(indices)} or {1}
    return steps.pop() if len(steps) == 1 else 0


def with_present(image: Image, present: Present) -> Image:
    """Return the image without missing planes, at the position of those that are there.

    Parameters
    ----------
    image
        The image with all planes that the file announces.
    present
        Which of them are there.
    """
    for axis, indices in present.indices.items():
        if axis not in image.axes:
            continue
        place = image.axes.index(axis)
        scale, translate = list(image.scale), list(image.translate)
        translate[place] += indices[0] * scale[place]
        scale[place] *= _step(indices) or 1
        names = image.channels
        times = times_of(image) if axis == "T" else ()
        meta = {**image.meta, TIMES: [times[i] for i in indices]} if times else image.meta
        image = image.like(
            image.data[(slice(None),) * place + (list(indices),)],
            scale=scale,
            translate=translate,
            channels=tuple(names[i] for i in indices) if axis == "C" and names else names,
            meta=meta,
        )
    return image
