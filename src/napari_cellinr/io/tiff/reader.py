"""Reading TIFF: plain, shaped, ImageJ, OME, MetaMorph; any byte order, size and codec."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_cellinr.errors import CellINRError, FileError
from napari_cellinr.image import AXES, UNCALIBRATED, Image
from napari_cellinr.image.rules import suggestion
from napari_cellinr.io.findings import first_of_several, with_warnings
from napari_cellinr.io.lazy import is_lazy_size, lazy_above
from napari_cellinr.io.metadata.colours import COLOURS
from napari_cellinr.io.metadata.planes import with_heights
from napari_cellinr.io.metadata.plausible import unused
from napari_cellinr.io.metadata.record import restore
from napari_cellinr.io.metadata.times import TIMES, with_times
from napari_cellinr.io.safety.failures import explained_reading
from napari_cellinr.io.tiff.check import check_ome, check_series
from napari_cellinr.io.tiff.data import OpenTiff, damage_refused, explain, lazy_series
from napari_cellinr.io.tiff.grey_levels import calibration_of, signed
from napari_cellinr.io.tiff.planes import present_planes, series_of, with_present
from napari_cellinr.io.tiff.tags import Facts, facts_about
from napari_cellinr.io.tiff.unassigned import DOUBT
from napari_cellinr.text import clean_name

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["read"]

_ORIENTATIONS = {
    2: "mirrored left to right",
    3: "turned by 180°",
    4: "mirrored top to bottom",
    5: "with rows and columns exchanged",
    6: "turned by 90° to the left",
    7: "with rows and columns exchanged and mirrored",
    8: "turned by 90° to the right",
}
"""What the tag Orientation says about the stored rows and columns (TIFF 6.0, page 36)."""

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
    stacked: str = "",
) -> list[Image | CellINRError]:
    """Return the images in a TIFF file, one per series, axes in the order of the file.

    In the place of one of several that cannot be read, there is the error.

    Parameters
    ----------
    path
        An existing file.
    name
        Name of the image; if there are several, the name of the series is appended.
    axes
        Axes, one letter per dimension, instead of those that the file states.
    first
        Whether to read the first series only.
    level
        Level of a resolution pyramid; 0 is the full resolution.
    limit
        Bytes above which an array is lazy; `lazy_above()` if not given.
    colours
        Whether RGB images are returned, with an axis `S`, instead of refused.
    stacked
        Axes that an image gets with length 1 if it lacks them, with the step that the file states.

    Raises
    ------
    FileError
        If the file is not a TIFF of real numbers, is damaged, or holds an RGB image.
    AxesError
        If `axes` do not fit.
    """
    with explained_reading(path, partial(explain, path)), damage_refused(path):
        limit = lazy_above() if limit is None else limit
        request = _Request(name, axes, first, level, limit, colours, stacked)
        images = _read_checked(path, request)
    if not images:
        raise FileError(f"{path} holds no image; give a TIFF file with at least one.")
    return images


@dataclass(frozen=True)
class _Request:
    """The parameters of `read`."""

    name: str
    axes: str | None
    first: bool
    level: int
    limit: int
    colours: bool
    stacked: str


def _read_checked(path: Path, request: _Request) -> list[Image | CellINRError]:
    opened = OpenTiff(path)
    file = opened.file
    check_ome(file.ome_metadata, opened.n_directories)
    every, warnings = series_of(opened)
    names = _names(request.name, every)
    chosen = every[:1] if request.first else every
    images = [
        _read_one(opened, series, request, name, warnings)
        for series, name in zip(chosen, names, strict=False)
    ]
    if len(images) == 1 and isinstance(images[0], CellINRError):
        raise images[0]
    if len(images) < len(every) and isinstance(images[0], Image):
        images[0] = first_of_several(images[0])
    arrays = [image.data for image in images if isinstance(image, Image)]
    if all(isinstance(array, np.ndarray) for array in arrays):
        file.close()  # also closes the other files of a multi-file series
        opened.close()
    return images


def _read_one(
    opened: OpenTiff,
    series: tifffile.TiffPageSeries,
    request: _Request,
    name: str,
    warnings: tuple[str, ...],
) -> Image | CellINRError:
    """Return one image, or why it cannot be read."""
    try:
        return with_warnings(_read_series(opened, series, request, name), warnings)
    except CellINRError as error:
        return error
    except MemoryError:
        raise
    except Exception as error:  # codecs raise errors of many kinds
        return FileError(explain(opened.path, error))


def _names(stem: str, every: list[tifffile.TiffPageSeries]) -> list[str]:
    """Return a name for each image: that of the file, and of the image or its number from 0."""
    if len(every) == 1:
        return [stem]
    stated = [clean_name(series.name or "").strip() for series in every]
    repeated = {name for name in stated if stated.count(name) > 1}
    numbered = [
        f"{name} {place}" if name in repeated else name or str(place)
        for place, name in enumerate(stated)
    ]
    if len({*numbered}) < len(numbered):  # a name with a number of its own, such as "well 1"
        numbered = [f"{name} {place}".strip() for place, name in enumerate(stated)]
    return [f"{stem} {name}".replace("  ", " ") for name in numbered]


def _read_series(
    opened: OpenTiff, series: tifffile.TiffPageSeries, request: _Request, name: str
) -> Image:
    facts = facts_about(opened.file, series)
    chosen = _level(opened.path, series, request.level)
    _check_content(opened.path, chosen, request)
    values = _values(opened, chosen, request.limit)
    stated = (opened.file.imagej_metadata or {}) if series.kind == "imagej" else {}
    is_signed, calibration = calibration_of(stated, opened.path)
    values = signed(values) if is_signed else values
    letters, data = _drop_unknown_singletons(_distinct(chosen.axes), values)
    present = present_planes(opened.path, chosen, _distinct(chosen.axes))
    n_channels = dict(zip(letters, data.shape, strict=True)).get("C", 1)
    colours = {COLOURS: list(facts.colours)} if len(facts.colours) == n_channels else {}
    image = Image(
        data,
        axes=letters,
        **_calibration(letters, facts),
        name=name,
        channels=facts.channels if len(facts.channels) == n_channels else (),
        meta={"source": str(opened.path), **colours},
    )
    image = with_times(restore(image, facts.note), facts.times, opened.path)
    image = with_heights(image, facts.heights, opened.path)
    image = with_present(_coarser(image, series, chosen), present)
    if any(map(math.isnan, facts.times)):
        image = with_times(image, present.of_frames(facts.times), opened.path)
    texts = (
        unused(opened.path, key, value)
        for axis, key, value in facts.unused
        if axis in letters and not (axis == "T" and facts.times)
    )
    image = with_warnings(image, (*_warnings(opened.path, chosen, present.warning), *texts))
    image = with_warnings(image, (calibration,) if calibration else ())
    image = image if request.axes is None else _relabelled(image, request.axes, facts)
    return _with_axes(image, request.stacked, facts)


def _with_axes(image: Image, axes: str, facts: Facts) -> Image:
    """Return the image with these axes, those that it lacks first and with length 1."""
    for axis in reversed([axis for axis in axes if axis not in image.axes]):
        step, unit = facts.steps.get(axis, (1.0, UNCALIBRATED))
        alone = axis == "T" and len(facts.times) == 1
        times = {TIMES: [facts.began + facts.times[0]]} if alone else {}
        image = image.like(
            image.data[None],
            axes=axis + image.axes,
            scale=(step, *image.scale),
            units=(unit, *image.units),
            translate=(0.0, *image.translate),
            meta={**image.meta, **times},
        )
    return image


def _coarser(
    image: Image, series: tifffile.TiffPageSeries, chosen: tifffile.TiffPageSeries
) -> Image:
    """Return the image with the steps of a coarser level; its outer edges stay in place."""
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
            f"level {level} of {path} was requested; it has levels 0 to {len(series.levels) - 1}."
        )
    return series.levels[level]


def _values(opened: OpenTiff, series: tifffile.TiffPageSeries, limit: int) -> Any:
    """Return the array of a series: NumPy, or dask if it is large."""
    # Looking at all pages of a long series takes seconds: only for multi-file series.
    pages = series.pages if series.is_multifile else ()
    n_files = len({page.parent for page in pages if page is not None}) or 1
    lazy = is_lazy_size(series.nbytes, opened.file_bytes * n_files, limit)
    check_series(series, opened.file_bytes, thorough=not lazy)
    if lazy:
        return lazy_series(opened, series)
    data = series.asarray()
    return np.asarray(data, dtype=data.dtype.newbyteorder("="))


def _check_content(path: Path, series: tifffile.TiffPageSeries, request: _Request) -> None:
    if request.stacked and series.is_multifile:
        raise FileError(
            f"{path} is one of several files of a recording, and names the others; open this file "
            "alone instead of a folder of files, and all of them are read."
        )
    if 0 in series.shape:
        raise FileError(
            f"{path} holds an empty array of shape {series.shape}; give an image with at least "
            f"one pixel."
        )
    if np.dtype(series.dtype).kind not in "buif":
        raise FileError(
            f"{path} holds numbers of type {series.dtype}; real numbers are needed. Save the "
            f"magnitude, or real and imaginary part as two files."
        )
    colours = dict(zip(series.axes, series.shape, strict=True)).get("S", 1) in {3, 4}
    if colours and request.axes is None and not request.colours:
        as_channels = suggestion(_distinct(series.axes).replace("S", "C", 1))
        planes = suggestion(as_channels.replace("C", "Q", 1))
        apart = series.axes.find("S") < series.axes.find("Y")
        as_planes = f"; if they are no colours, but planes, with --axes {planes}" if apart else ""
        raise FileError(
            f"{path} is a colour (RGB) image of axes {series.axes!r}, shape {series.shape}; "
            f"intensities are needed. Convert it to grey levels, save one colour, or read the "
            f"colours as channels with --axes {as_channels}{as_planes}."
        )


def _warnings(path: Path, series: tifffile.TiffPageSeries, missing: str) -> tuple[str, ...]:
    """Return sentences about a readable file: inverted display, orientation, missing planes."""
    is_inverted = series.keyframe.photometric == tifffile.PHOTOMETRIC.MINISWHITE
    inverted = f"{path} is marked as inverted (0 is white); its values are kept."
    orientation = int(series.keyframe.tags.valueof("Orientation", 1))
    turned = (
        f"{path} is marked as stored {_ORIENTATIONS.get(orientation)} (TIFF orientation "
        f"{orientation}); its pixels are read in the order in which they are stored, as in ImageJ "
        "and napari. Programs that heed the mark show it differently."
    )
    texts = (
        series.attr.get(DOUBT, ""),
        inverted if is_inverted else "",
        turned if orientation in _ORIENTATIONS else "",
        missing,
    )
    return tuple(filter(None, texts))


def _distinct(axes: str) -> str:
    """Return axis letters without repetitions: repeated ones become unused, unknown letters."""
    letters: list[str] = []
    for axis in axes.upper():
        spare = (s for s in _SPARE_LETTERS if s not in letters and s not in axes.upper())
        letters.append(axis if axis.isalpha() and axis not in letters else next(spare))
    return "".join(letters)


def _drop_unknown_singletons(axes: str, data: NDArray[Any]) -> tuple[str, NDArray[Any]]:
    """Return axes and array without unknown axes of length 1."""
    drop = [i for i, axis in enumerate(axes) if axis not in AXES and data.shape[i] == 1]
    kept = "".join(axis for i, axis in enumerate(axes) if i not in drop)
    return kept, data.squeeze(tuple(drop))


def _calibration(axes: str, facts: Facts) -> dict[str, tuple[Any, ...]]:
    steps = [facts.steps.get(axis, (1.0, UNCALIBRATED)) for axis in axes]
    return {"scale": tuple(s for s, _ in steps), "units": tuple(u for _, u in steps)}


def _relabelled(image: Image, axes: str, facts: Facts) -> Image:
    """Return the image with other axes; a new axis gets its step if the file states one.

    For example, a time lapse that was saved as a z-stack may still state its frame interval.
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
