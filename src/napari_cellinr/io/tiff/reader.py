"""Reading TIFF: plain, shaped, ImageJ, OME, MetaMorph; any byte order, size and codec."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_cellinr.errors import CellINRError, FileError
from napari_cellinr.image import AXES, UNCALIBRATED, Image
from napari_cellinr.io.colours import COLOURS
from napari_cellinr.io.lazy import is_lazy_size, lazy_above
from napari_cellinr.io.record import restore
from napari_cellinr.io.tiff.check import check_ome, check_series
from napari_cellinr.io.tiff.data import OpenTiff, damage_refused, explain, lazy_series
from napari_cellinr.io.tiff.tags import Facts, facts_about

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["read"]

_logger = logging.getLogger(__name__)

_SPARE_LETTERS = "QIRSUVWPONMLKJHGFEDBA"


def read(
    path: Path,
    name: str,
    axes: str | None = None,
    *,
    first: bool = False,
    level: int = 0,
    limit: int | None = None,
    colours: bool = False,
) -> list[Image]:
    """Return the images in a TIFF file in its axis order, one for each of its series.

    Parameters
    ----------
    path
        An existing file.
    name
        What the first image is called; more get the names of their series added.
    axes
        What the dimensions are called, instead of what the file says.
    first
        Whether to read the first series only.
    level
        Of a pyramid: 0 is the full resolution.
    limit
        Bytes above which an array stays in the file; what `lazy_above` says if not given.
    colours
        Whether colour pictures are returned, too, with an axis `S`.

    Raises
    ------
    FileError
        If the file is no TIFF, damaged, of colours, or without real numbers.
    AxesError
        If `axes` do not fit.
    """
    try:
        with damage_refused(path):
            limit = lazy_above() if limit is None else limit
            wanted = _Wanted(name, axes, first, level, limit, colours)
            images = _read_checked(path, wanted)
    except CellINRError:
        raise
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error
    except MemoryError as error:
        raise FileError(
            f"{path} does not fit into memory; save a part of it as a file of its own, and give "
            f"that."
        ) from error
    except Exception as error:  # codecs raise errors of many kinds
        raise FileError(explain(path, error)) from error
    if not images:
        raise FileError(f"{path} holds no image; give a TIFF file with at least one.")
    return images


@dataclass(frozen=True)
class _Wanted:
    """What is wanted of a file: see `read`."""

    name: str
    axes: str | None
    first: bool
    level: int
    limit: int
    colours: bool


def _read_checked(path: Path, wanted: _Wanted) -> list[Image]:
    opened = OpenTiff(path)
    file = opened.file
    check_ome(file.ome_metadata, opened.n_directories)
    chosen = file.series[:1] if wanted.first else file.series
    images = [_read_series(opened, one, wanted) for one in chosen]
    if all(isinstance(image.data, np.ndarray) for image in images):
        file.close()  # also the other files of a series that is spread over several
        opened.close()
    return images


def _read_series(opened: OpenTiff, series: tifffile.TiffPageSeries, wanted: _Wanted) -> Image:
    facts = facts_about(opened.file, series)
    chosen = _level(opened.path, series, wanted.level)
    _check_content(opened.path, chosen, wanted)
    values = _values(opened, chosen, wanted.limit)
    letters, data = _drop_unknown_singletons(_distinct(chosen.axes), values)
    _warn(opened.path, chosen)
    n_channels = _size(letters, data, "C")
    several = len(opened.file.series) > 1
    colours = {COLOURS: list(facts.colours)} if len(facts.colours) == n_channels else {}
    image = Image(
        data,
        axes=letters,
        **_calibration(letters, facts),
        name=f"{wanted.name} {series.name or series.index}" if several else wanted.name,
        channels=facts.channels if len(facts.channels) == n_channels else (),
        meta={"source": str(opened.path), **colours},
    )
    image = _coarser(restore(image, facts.note), series, chosen)
    return image if wanted.axes is None else _relabelled(image, wanted.axes, facts)


def _coarser(
    image: Image, series: tifffile.TiffPageSeries, chosen: tifffile.TiffPageSeries
) -> Image:
    """Return the image of a coarser level with larger steps; its outer edges stay in place."""
    if chosen is series:
        return image
    full = dict(zip(_distinct(series.axes), series.shape, strict=True))
    ratio = [full.get(axis, size) / size for axis, size in image.sizes.items()]
    scale = tuple(step * r for step, r in zip(image.scale, ratio, strict=True))
    moved = zip(image.translate, image.scale, ratio, strict=True)
    return image.like(
        image.data, scale=scale, translate=tuple(p + s * (r - 1) / 2 for p, s, r in moved)
    )


def _level(path: Path, series: tifffile.TiffPageSeries, level: int) -> tifffile.TiffPageSeries:
    if not 0 <= level < len(series.levels):
        raise FileError(
            f"level {level} of {path} was asked for; it has {len(series.levels)}, from 0."
        )
    return series.levels[level]


def _values(opened: OpenTiff, series: tifffile.TiffPageSeries, limit: int) -> Any:
    """Return the array of a series: NumPy, or dask if it is better left in the file."""
    # Walking over the pages of a long series takes seconds: only where they may differ.
    pages = series.pages if series.is_multifile else ()
    n_files = len({page.parent for page in pages if page is not None}) or 1
    lazy = is_lazy_size(series.nbytes, opened.file_bytes * n_files, limit)
    check_series(series, opened.file_bytes, thorough=not lazy)
    if lazy:
        return lazy_series(opened, series)
    data = series.asarray()
    return np.asarray(data, dtype=data.dtype.newbyteorder("="))


def _check_content(path: Path, series: tifffile.TiffPageSeries, wanted: _Wanted) -> None:
    if 0 in series.shape:
        raise FileError(
            f"{path} holds an empty array of shape {series.shape}; give an image with at least "
            f"one element."
        )
    if np.dtype(series.dtype).kind not in "buif":
        raise FileError(
            f"{path} holds numbers of type {series.dtype}; real numbers are needed. Save the "
            f"magnitude, or real and imaginary part as two files."
        )
    colours = dict(zip(series.axes, series.shape, strict=True)).get("S", 1) in {3, 4}
    if colours and wanted.axes is None and not wanted.colours:
        as_channels = _distinct(series.axes).replace("S", "C", 1)
        raise FileError(
            f"{path} is a colour (RGB) picture of axes {series.axes!r}, shape {series.shape}; "
            f"intensities are needed. Convert it to grey levels or save one colour, or read its "
            f"colours as channels with --axes {as_channels}."
        )


def _warn(path: Path, series: tifffile.TiffPageSeries) -> None:
    """Say in the log what is odd about a file, although it can be read."""
    if series.keyframe.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        _logger.warning("%s is meant to be shown with 0 as white; its values are kept.", path)
    may_lack = series.kind in {"ome", "mmstack"} and series.dataoffset is None
    n_missing = sum(page is None for page in series.pages) if may_lack else 0
    if n_missing:
        _logger.warning(
            "%s lacks %d of its %d planes; they are 0 here. Are files missing beside it?",
            path, n_missing, len(series.pages),
        )  # fmt: skip


def _distinct(axes: str) -> str:
    """Return the letters, repeated ones replaced by spare letters of no known meaning."""
    letters: list[str] = []
    for axis in axes.upper():
        spare = (s for s in _SPARE_LETTERS if s not in letters and s not in axes.upper())
        letters.append(axis if axis.isalpha() and axis not in letters else next(spare))
    return "".join(letters)


def _drop_unknown_singletons(axes: str, data: NDArray[Any]) -> tuple[str, NDArray[Any]]:
    """Return axes and array without the dimensions of length 1 and of no known meaning."""
    drop = [i for i, axis in enumerate(axes) if axis not in AXES and data.shape[i] == 1]
    kept = "".join(axis for i, axis in enumerate(axes) if i not in drop)
    return kept, data.squeeze(tuple(drop))


def _size(axes: str, data: NDArray[Any], axis: str) -> int:
    """Return the size along an axis; an image without it has 1 of it."""
    return data.shape[axes.index(axis)] if axis in axes else 1


def _calibration(axes: str, facts: Facts) -> dict[str, tuple[Any, ...]]:
    steps = [facts.steps.get(axis, (1.0, UNCALIBRATED)) for axis in axes]
    return {"scale": tuple(s for s, _ in steps), "units": tuple(u for _, u in steps)}


def _relabelled(image: Image, axes: str, facts: Facts) -> Image:
    """Return the image with other axes; a new axis gets its step if the file states one.

    A time lapse that was saved as a z-stack states the time between frames all the same.
    """
    old = image.axes
    image = image.with_axes(axes)
    for axis in image.axes:
        if axis not in old and axis in facts.steps:
            step, unit = facts.steps[axis]
            place = image.axes.index(axis)
            scale, units = list(image.scale), list(image.units)
            scale[place], units[place] = step, unit
            image = image.like(image.data, scale=scale, units=units)
    return image
