"""Reading TIFF: plain, shaped, ImageJ, OME, MetaMorph; any byte order, size and codec."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_cellinr.errors import CellINRError, FileError
from napari_cellinr.image import AXES, UNCALIBRATED, Image
from napari_cellinr.io.record import restore
from napari_cellinr.io.tiff_tags import Facts, facts_about

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["read"]

_logger = logging.getLogger(__name__)

_SIGNS_OF_DAMAGE = (
    "corrupted",
    "invalid offset",
    "invalid page offset",
    "invalid value offset",
    "failed to reshape",
)
"""What tifffile only logs, then going on with the part of the file that it still understands."""

_SPARE_LETTERS = "QIRSUVWPONMLKJHGFEDBA"


def read(path: Path, name: str, axes: str | None = None, *, first: bool = False) -> list[Image]:
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

    Raises
    ------
    FileError
        If the file is no TIFF, damaged, of colours, or without real numbers.
    AxesError
        If `axes` do not fit.
    """
    try:
        with _damage_refused(path), tifffile.TiffFile(path) as file:
            chosen = file.series[:1] if first else file.series
            images = [_read_series(file, series, path, name, axes) for series in chosen]
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
        raise FileError(_explain(path, error)) from error
    if not images:
        raise FileError(f"{path} holds no image; give a TIFF file with at least one.")
    return images


def _explain(path: Path, error: Exception) -> str:
    if str(error).startswith("not a TIFF file"):
        return f"{path} is not a TIFF file, whatever its name says; give the right one."
    return (
        f"{path} is damaged or not complete ({error}); copy it again from its source, or open "
        f"and save it with the program that made it."
    )


@contextmanager
def _damage_refused(path: Path) -> Iterator[None]:
    """Raise a `FileError` at the end if tifffile logged a damage that it had read over."""
    messages: list[str] = []
    thread = threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                messages.append(record.getMessage())

    listener = Listener(logging.WARNING)
    logger = logging.getLogger("tifffile")
    logger.addHandler(listener)
    try:
        yield
    finally:
        logger.removeHandler(listener)
    for message in messages:
        if any(sign in message for sign in _SIGNS_OF_DAMAGE):
            raise FileError(_explain(path, ValueError(message)))


def _read_series(
    file: tifffile.TiffFile,
    series: tifffile.TiffPageSeries,
    path: Path,
    name: str,
    axes: str | None,
) -> Image:
    _check_content(path, series, axes)
    facts = facts_about(file, series)
    letters, data = _drop_unknown_singletons(_distinct(series.axes), series.asarray())
    _warn(path, series)
    several = len(file.series) > 1
    image = Image(
        np.asarray(data, dtype=data.dtype.newbyteorder("=")),
        axes=letters,
        **_calibration(letters, facts),
        name=f"{name} {series.name or series.index}" if several else name,
        channels=facts.channels if len(facts.channels) == _size(letters, data, "C") else (),
        meta={"source": str(path)},
    )
    image = restore(image, facts.note)
    return image if axes is None else _relabelled(image, axes, facts)


def _check_content(path: Path, series: tifffile.TiffPageSeries, axes: str | None) -> None:
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
    if colours and axes is None:
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
    n_missing = sum(page is None for page in series.pages)
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
