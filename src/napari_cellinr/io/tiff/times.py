"""Times of frames and heights of planes in TIFF metadata, as they were measured for each plane."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.io.metadata.units import convert, pint_name
from napari_cellinr.io.tiff.data import open_file
from napari_cellinr.io.tiff.ome_xml import tag_of

if TYPE_CHECKING:
    from xml.etree import ElementTree

    from tifffile import TiffFile, TiffPageSeries

__all__ = ["frame_times", "ome_heights", "ome_times"]

_MOST_PAGES = 20_000
"""Pages whose tags are read to learn the times of their frames."""

_MAY_LACK = ("mmstack", "ndtiff")
"""What tifffile calls recordings of Micro-Manager of which planes may be missing."""


def frame_times(file: TiffFile, series: TiffPageSeries) -> tuple[float, ...]:
    """Return the time of each frame in seconds, NaN for one that is missing; empty if not stated.

    Parameters
    ----------
    file
        An open TIFF that is not OME-TIFF.
    series
        One of its series.
    """
    n_frames = dict(zip(series.axes, series.shape, strict=True)).get("T", 1)
    if n_frames < 2:
        return ()
    try:
        if series.kind == "lsm":
            return tuple(map(float, (file.lsm_metadata or {}).get("TimeStamps", ())))
        if series.kind == "stk":
            return _of_dates((file.stk_metadata or {}).get("DatetimeCreated"))
        if series.kind == "mmstack" or file.is_micromanager:
            return _of_micro_manager(series, n_frames)
    except (TypeError, ValueError, KeyError, AttributeError, IndexError):
        return ()  # metadata that are not as their program writes them
    return ()


def _of_dates(dates: Any) -> tuple[float, ...]:
    if dates is None:
        return ()
    seconds = np.asarray(dates, "datetime64[ms]").astype(np.int64) / 1000
    return tuple(seconds.tolist())


def _of_micro_manager(series: TiffPageSeries, n_frames: int) -> tuple[float, ...]:
    """Return the elapsed time of the first plane of each frame; NaN if the frame is missing."""
    leading = series.shape[: len(series.shape) - 2]
    if np.prod(leading) != len(series.pages):
        return ()
    there = np.ones(len(series.pages), bool)
    if series.kind in _MAY_LACK:
        there[:] = [page is not None for page in series.pages]
    numbers = np.where(there, np.arange(len(there)), len(there)).reshape(leading)
    first = np.moveaxis(numbers, series.axes.index("T"), 0).reshape(n_frames, -1).min(axis=1)
    frames = np.flatnonzero(first < len(there))
    if len(frames) > _MOST_PAGES:
        return ()
    times = [math.nan] * n_frames
    for frame in frames.tolist():
        page: Any = series.pages[int(first[frame])]
        with open_file(page):
            stated = page.aspage().tags.valueof("MicroManagerMetadata") or {}
        times[frame] = float(stated["ElapsedTime-ms"]) / 1000
    return tuple(times)


def ome_times(pixels: ElementTree.Element) -> tuple[float, ...]:
    """Return the time of the earliest plane of each frame in seconds; empty if one lacks it.

    Parameters
    ----------
    pixels
        The element `Pixels` of OME-XML, with a `Plane` for each plane.
    """
    earliest: dict[int, float] = {}
    for plane in pixels:
        if tag_of(plane) != "Plane" or plane.get("DeltaT") is None:
            continue
        try:
            frame, time = int(plane.get("TheT", "")), float(plane.get("DeltaT", ""))
        except ValueError:
            return ()
        seconds = convert(time, pint_name(plane.get("DeltaTUnit", "s")), "second")
        if seconds is None:
            return ()
        earliest[frame] = min(seconds, earliest.get(frame, seconds))
    n_frames = int(pixels.get("SizeT", "1"))
    if sorted(earliest) != list(range(n_frames)):
        return ()
    return tuple(earliest[frame] for frame in range(n_frames))


def ome_heights(pixels: ElementTree.Element) -> tuple[float, ...]:
    """Return the height of each plane in µm, of its first frame and channel; empty if one lacks it.

    Parameters
    ----------
    pixels
        The element `Pixels` of OME-XML, with a `Plane` for each plane.
    """
    found: dict[int, float] = {}
    for plane in pixels:
        if tag_of(plane) != "Plane" or plane.get("PositionZ") is None:
            continue
        if (plane.get("TheT", "0"), plane.get("TheC", "0")) != ("0", "0"):
            continue
        try:
            number, height = int(plane.get("TheZ", "")), float(plane.get("PositionZ", ""))
        except ValueError:
            return ()
        # the unit is that of a reference frame if it is not stated: only ratios are used then
        unit = pint_name(plane.get("PositionZUnit", "µm"))
        microns = convert(height, unit, "micrometer")
        found[number] = height if microns is None else microns
    n_planes = int(pixels.get("SizeZ", "1"))
    if sorted(found) != list(range(n_planes)):
        return ()
    return tuple(found[number] for number in range(n_planes))
