"""Numbered files as one image, stacked along time or z."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import AxesError, FileError
from napari_cellinr.image.frame_times import PLACES
from napari_cellinr.io.findings import FIRST, WARNINGS, is_first_of_several, told, warnings_of
from napari_cellinr.io.lazy import is_lazy_size
from napari_cellinr.io.metadata.plausible import with_plausible_steps
from napari_cellinr.io.metadata.times import with_times
from napari_cellinr.io.names import stem_of
from napari_cellinr.io.series.agreement import (
    channel_names,
    common_step,
    frame_times,
    unlike,
    without_axes,
)
from napari_cellinr.io.series.counters import Grid, grid_of, same_suffix, with_stars

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_cellinr.image import Image

__all__ = [
    "SERIES",
    "is_numbered",
    "is_pattern",
    "matching_files",
    "numbered_files",
    "read_files",
    "read_folder",
]

SERIES = "series"
"""Key in `Image.meta` of the files that an image was read from, and of their stack axis."""

_FILES = (".tif", ".tiff")
_DIGITS = re.compile(r"(\d+)")


def numbered_files(folder: Path) -> list[Path]:
    """Return the TIFF files of a folder in the order of the numbers in their names."""
    files = [p for p in folder.iterdir() if p.suffix.lower() in _FILES and p.name[0] != "."]
    return in_order(files)


def is_pattern(path: Path) -> bool:
    """Return whether a path is a pattern for numbered files, such as `t*.tif`."""
    return "*" in path.name and not path.exists()


def matching_files(pattern: Path) -> list[Path]:
    """Return the files that match a pattern with a number for each `*`, in numerical order.

    Raises
    ------
    FileError
        If there are none.
    """
    name = re.compile(r"\d+".join(map(re.escape, pattern.name.split("*"))))
    folder = pattern.parent
    found = [p for p in folder.iterdir() if name.fullmatch(p.name)] if folder.is_dir() else []
    if not found:
        raise FileError(
            f"no file matches {pattern} with a number for each *; check the name and the folder."
        )
    return in_order(found)


def in_order(paths: Sequence[Path]) -> list[Path]:
    """Return paths sorted by the numbers in their names: 2 comes before 10."""
    return sorted(paths, key=lambda path: (_sort_key(path), path.name))


def is_numbered(paths: Sequence[Path]) -> bool:
    """Return whether these are two or more files whose names differ only in numbers."""
    patterns = {_DIGITS.sub("#", same_suffix(path.name)) for path in paths}
    return len(paths) > 1 and len(patterns) == 1 and "#" in patterns.pop()


def _sort_key(path: Path) -> list[tuple[int, int, str]]:
    parts = _DIGITS.split(same_suffix(path.name.lower()))
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


def read_folder(folder: Path, stack_axis: str, axes: str | None, limit: int) -> Image:
    """Return the TIFF files of a folder as one image with the name of the folder.

    Parameters
    ----------
    folder
        Folder of numbered TIFF files; other files are ignored.
    stack_axis, axes, limit
        As for `read_files`.

    Raises
    ------
    FileError
        If there are none, their names differ in more than numbers, or their shapes differ.
    """
    paths = numbered_files(folder)
    if not paths:
        raise FileError(f"{folder} holds no TIFF file; give a folder of numbered TIFF files.")
    if len(paths) > 1 and not is_numbered(paths):
        names = sorted({_DIGITS.sub("…", path.name) for path in paths})
        raise FileError(
            f"the files in {folder} are not one series: their names differ in more than numbers "
            f"({', '.join(names[:3])}). Move the files of each series into a folder of its own."
        )
    return read_files(paths, stack_axis, axes, limit, name=folder.name)


def read_files(
    paths: Sequence[Path], stack_axis: str, axes: str | None, limit: int, name: str | None = None
) -> Image:
    """Return several files as one image, stacked along a new first axis, in numerical order.

    `meta[SERIES]` holds what is needed to read the image again.

    Parameters
    ----------
    paths
        TIFF files with arrays of the same shape and data type.
    stack_axis
        `T` or `Z`; a file may have this axis only with length 1.
    axes
        Axes of each file, one letter per dimension, instead of those that the file states.
    limit
        Bytes above which the image is lazy: each file is read when it is needed.
    name
        Name of the image; default: the name of the first file without its numbers.

    Raises
    ------
    FileError
        If a file cannot be read, or its axes, shape or data type differ from the first file's.
    AxesError
        If `axes` do not fit, or the files have the stack axis already.
    """
    from napari_cellinr.io.tiff import reader as tiff

    if stack_axis not in {"T", "Z"}:
        raise AxesError(f"stack axis {stack_axis!r} was given; T and Z are allowed.")
    grid = grid_of(in_order(paths), stack_axis)
    ordered = grid.paths
    files = [_read_file(tiff, ordered[0], grid.axes, axes, limit)]
    first = without_axes(files[0], grid.axes)
    n_bytes = len(ordered) * first.dtype.itemsize * int(np.prod(first.shape))
    if is_lazy_size(n_bytes, sum(path.stat().st_size for path in ordered), limit):
        data = _lazy(tiff, ordered, first, grid.axes, axes)
    else:
        arrays = [first.array()]
        for path in ordered[1:]:
            files.append(_read_file(tiff, path, grid.axes, axes, limit))
            arrays.append(_checked(first, without_axes(files[-1], grid.axes)).array())
        data = np.stack(arrays)
    again = _how_to_read_again(grid, stack_axis, name)
    return told(_stacked(files, data, grid, name or _common_name(grid), again))


def _read_file(tiff: Any, path: Path, stack_axes: str, axes: str | None, limit: int) -> Image:
    """Return the image in a file, with the axes along which files are stacked, of length 1."""
    found = tiff.read(path, stem_of(path), axes, first=True, limit=limit, stacked=stack_axes)
    image: Image = found[0]
    for axis in stack_axes:
        if image.sizes[axis] != 1:
            raise AxesError(
                f"{path} already has an axis {axis} (axes {image.axes}, shape {image.shape}); "
                f"stack the files along the other axis, or correct the axes with --axes."
            )
    return image


def _checked(first: Image, image: Image) -> Image:
    if (image.axes, image.shape, image.dtype) != (first.axes, first.shape, first.dtype):
        raise FileError(
            f"{image.meta['source']} has axes {image.axes}, shape {image.shape}, data type "
            f"{image.dtype}, but the first file {first.axes}, {first.shape}, {first.dtype}; all "
            f"files of a series need the same. Remove or correct the file."
        )
    return image


def _lazy(tiff: Any, paths: Sequence[Path], first: Image, stacked: str, axes: str | None) -> Any:
    import dask.array
    from dask.delayed import delayed

    def load(path: Path) -> Any:
        file = _read_file(tiff, path, stacked, axes, 2**62)
        return _checked(first, without_axes(file, stacked)).array()

    loaded: Any = delayed(load)
    from_delayed: Any = dask.array.from_delayed
    stack: Any = dask.array.stack
    return stack([from_delayed(loaded(path), first.shape, first.dtype) for path in paths])


def _stacked(files: Sequence[Image], data: Any, grid: Grid, name: str, again: Any) -> Image:
    """Return the stack, with what all files state about the new axes.

    The files are all images that were read, or the first of a lazy stack.
    """
    first = without_axes(files[0], grid.axes)
    steps = [common_step(files, axis, grid.numbers()) for axis in grid.axes]
    found = [text for image in files for text in warnings_of(image)]
    meta = {key: value for key, value in first.meta.items() if key not in {WARNINGS, FIRST}}
    if is_first_of_several(first):
        found.append(f"{first.meta['source']} holds several images; the first one is stacked.")
    texts = (*grid.warnings, *_summary(found, len(grid.paths)), *unlike(files, grid.axes))
    noted = {PLACES: list(grid.places)} if grid.places else {}
    stack = first.like(
        data.reshape(*grid.shape, *first.shape),
        axes=grid.axes + first.axes,
        scale=(*(step for step, _ in steps), *first.scale),
        units=(*(unit for _, unit in steps), *first.units),
        translate=(*(0.0,) * len(steps), *first.translate),
        channels=channel_names(files, grid.axes, grid.shape) or grid.channels or first.channels,
        name=name,
        meta={**meta, SERIES: again, **noted, **({WARNINGS: texts} if texts else {})},
    )
    step = dict(zip(grid.axes, steps, strict=True)).get("T", steps[0])
    times = frame_times(files, grid.axes, grid.shape, step)
    stack = with_plausible_steps(stack, grid.paths[0].parent)
    return with_times(stack, times, grid.paths[0].parent)


def _summary(found: Sequence[str], n_files: int) -> list[str]:
    """Return the first warning about a file, with the number of others that also have one."""
    if len(found) < 2:
        return list(found)
    return [f"{found[0]} (There are {len(found)} such warnings about the {n_files} files.)"]


def _common_name(grid: Grid) -> str:
    """Return the name of the first file without the numbers that differ between the files."""
    path = grid.paths[0]
    return _DIGITS.sub("", stem_of(path)).strip(" -_.") or stem_of(path)


def _how_to_read_again(grid: Grid, stack_axis: str, name: str | None) -> dict[str, Any]:
    """Return what is needed to read a series again: a folder, a pattern, or a list of files."""
    paths = in_order(grid.paths)
    folder = paths[0].parent
    patterns = [
        folder / with_stars(paths[0].name, grid.varying),
        folder / _DIGITS.sub("*", paths[0].name),
    ]
    if name == folder.name and list(paths) == numbered_files(folder):
        return {"path": str(folder), "along": stack_axis}
    for pattern in patterns:
        if is_pattern(pattern) and list(paths) == matching_files(pattern):
            return {"path": str(pattern), "along": stack_axis}
    names = [path.name if path.parent == folder else str(path) for path in paths]
    return {"path": str(folder), "along": stack_axis, "files": names}
