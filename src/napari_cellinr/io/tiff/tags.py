"""Voxel size, units, channel names and colours in TIFF metadata; nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.image import UNCALIBRATED
from napari_cellinr.io.metadata.colours import of_signed
from napari_cellinr.io.metadata.plausible import is_strange
from napari_cellinr.io.metadata.record import KEY
from napari_cellinr.io.metadata.units import (
    Step,
    known_length,
    known_step,
    pint_name,
    print_step,
)
from napari_cellinr.io.tiff.described import description_of
from napari_cellinr.io.tiff.ome_xml import root_of, tag_of
from napari_cellinr.io.tiff.times import frame_times, ome_heights, ome_times
from napari_cellinr.io.tiff.unassigned import IMAGE, PLAIN
from napari_cellinr.io.tiff.vendors import vendor_facts

if TYPE_CHECKING:
    from xml.etree import ElementTree

    from tifffile import TiffFile, TiffPage, TiffPageSeries

__all__ = ["Facts", "facts_about"]

_RESOLUTION_UNITS = {2: "inch", 3: "centimeter", 4: "millimeter", 5: "micrometer"}
"""The tag ResolutionUnit: TIFF 6.0, page 38; millimetres and micrometres are a later extension."""

_PRINT_UNITS = ("inch", "centimeter")

_PLANE_NUMBER = re.compile(r"^(?:[cztCZT]:\d+/\d+\s*)+(?:-\s*)?")
"""The prefix that ImageJ adds to the label of a plane, such as `c:1/3 z:5/20 - `."""


@dataclass(frozen=True)
class Facts:
    """The metadata of one image in a file.

    Parameters
    ----------
    steps
        Step and unit by axis letter, also for axes that the image lacks; an axis whose step is
        unknown is missing.
    channels
        Names of the channels; empty if not stated.
    colours
        Display colours of the channels, as `#rrggbb`; empty if not stated.
    note
        Text in the place where our own writer puts its note, see `record`.
    times
        Time of each frame in s; empty if not stated.
    heights
        Height of each plane in µm; empty if not stated.
    began
        When the recording began, in s of any common clock; 0 if not stated.
    unused
        Axis, name in the file, and value of what the file states and nothing can be made of.
    """

    steps: Mapping[str, Step] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    note: str | None = None
    times: tuple[float, ...] = ()
    heights: tuple[float, ...] = ()
    began: float = 0.0
    unused: tuple[tuple[str, str, str], ...] = ()


def facts_about(file: TiffFile, series: TiffPageSeries) -> Facts:
    """Return the metadata of one series.

    Parameters
    ----------
    file
        An open TIFF.
    series
        One of its series.
    """
    if series.kind == "ome":
        return _from_ome(file, series)
    if series.kind in PLAIN and file.is_ome and (found := _from_ome(file, series)) != Facts():
        return replace(found, times=())
    if series.kind == "imagej":
        return _from_imagej(file.imagej_metadata or {}, series)
    if series.kind == "mmstack":
        return _from_micro_manager(file, series)
    if series.kind == "stk":
        steps = _from_metamorph(file.stk_metadata or {})
        return Facts(steps=steps, times=frame_times(file, series))
    if series.kind == "shaped" and (stated := description_of(series.keyframe)):
        return _from_imagej(stated, series)
    vendor = vendor_facts(file)
    return Facts(
        steps={**_print_steps(series.keyframe), **vendor.steps},
        channels=vendor.channels,
        colours=vendor.colours,
        times=frame_times(file, series),
    )


def _from_imagej(stated: Mapping[str, Any], series: TiffPageSeries) -> Facts:
    """Return the metadata of an ImageJ description; tifffile's own uses the same keys."""
    spatial = pint_name(str(stated.get("unit", "")))
    if spatial in _PRINT_UNITS:
        steps = _print_steps(series.keyframe)  # ImageJ copies the unit from a print resolution
        depth = print_step(abs(_number(stated.get("spacing"))), spatial)
    else:
        steps = {
            axis: step
            for axis, name in (("Y", "YResolution"), ("X", "XResolution"))
            if (step := known_step(_inverse(series.keyframe, name), spatial))
        }
        units = {axis: _unit_along(stated, axis, spatial) for axis in "YZ"}
        if "Y" in steps:
            steps["Y"] = (steps["Y"][0], units["Y"])
        steps = steps if steps or "unit" in stated else _print_steps(series.keyframe)
        depth = known_length(stated.get("spacing"), units["Z"])
    time_unit = pint_name(str(stated.get("tunit", "sec")))
    time = known_step(stated.get("finterval"), time_unit)
    found = {"T": time, "Z": depth, **steps}
    in_space = spatial != UNCALIBRATED
    keys = {
        **{axis: "unit" for axis in "YX" if is_strange(str(stated.get("unit", "")))},
        **({"Z": "spacing"} if in_space or is_strange(str(stated.get("unit", ""))) else {}),
        "T": "finterval" if time_unit != UNCALIBRATED else "tunit",
    }
    return Facts(
        steps={axis: step for axis, step in found.items() if step},
        unused=_unused(stated, {a: k for a, k in keys.items() if not found.get(a)}),
        channels=_label_channels(stated.get("Labels"), series),
        colours=_table_colours(stated.get("LUTs")),
        note=stated.get(KEY),
    )


def _unused(stated: Any, keys: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    """Return what is stated under some keys: axis, key and value; they are given by axis."""
    found = ((axis, key, str(stated.get(key, ""))) for axis, key in keys.items())
    return tuple(entry for entry in found if entry[2].strip())


def _unit_along(stated: Mapping[str, Any], axis: str, spatial: str) -> str:
    """Return the unit along an axis: ImageJ writes `yunit` and `zunit` where they differ from x."""
    text = str(stated.get(f"{axis.lower()}unit", ""))
    return pint_name(text) if text else spatial


def _label_channels(labels: Any, series: TiffPageSeries) -> tuple[str, ...]:
    """Return the plane labels if they name channels: the same in each channel, all different."""
    sizes = dict(zip(series.axes, series.shape, strict=True))
    n_channels = sizes.get("C", 1)
    if n_channels < 2 or not isinstance(labels, Sequence) or isinstance(labels, str):
        return ()
    names = [_PLANE_NUMBER.sub("", str(label)) for label in labels]
    first = names[:n_channels]  # the channel is the fastest axis over the planes of ImageJ
    regular = len(names) % n_channels == 0 and names == first * (len(names) // n_channels)
    return tuple(first) if regular and all(first) and len(set(first)) == n_channels else ()


def _table_colours(tables: Any) -> tuple[str, ...]:
    """Return the brightest colour of each of ImageJ's lookup tables."""
    if not isinstance(tables, Sequence):
        return ()
    brightest = [np.asarray(table)[..., -1].tolist() for table in tables]
    return tuple("#{:02x}{:02x}{:02x}".format(*map(int, rgb[:3])) for rgb in brightest)


def _from_micro_manager(file: TiffFile, series: TiffPageSeries) -> Facts:
    """Return the metadata of Micro-Manager's summary, completed by its ImageJ description."""
    other = _from_imagej(file.imagej_metadata or {}, series)
    stated = (file.micromanager_metadata or {}).get("Summary") or {}
    page = series.keyframe.tags.valueof("MicroManagerMetadata") or {}
    pixel = stated.get("PixelSize_um") or page.get("PixelSizeUm")
    named = {
        "T": known_step(stated.get("Interval_ms"), "millisecond"),
        "Z": known_length(stated.get("z-step_um"), "micrometer"),
        "Y": known_step(pixel, "micrometer"),
        "X": known_step(pixel, "micrometer"),
    }
    names, colours = stated.get("ChNames"), stated.get("ChColors")
    return Facts(
        steps={**other.steps, **{axis: step for axis, step in named.items() if step}},
        channels=tuple(map(str, names)) if isinstance(names, list) else other.channels,
        colours=_integer_colours(colours) or other.colours,
        note=other.note,
        times=frame_times(file, series),
    )


def _integer_colours(numbers: Any) -> tuple[str, ...]:
    """Return colours from integers whose low three bytes are red, green and blue."""
    if not isinstance(numbers, list) or not all(isinstance(n, int) for n in numbers):
        return ()
    return tuple(f"#{number & 0xFFFFFF:06x}" for number in numbers)


def _from_metamorph(stated: Mapping[str, Any]) -> dict[str, Step]:
    """Return the steps of a MetaMorph stack if its calibration is switched on."""
    if not stated.get("SpatialCalibration"):
        return {}
    unit = pint_name(str(stated.get("CalibrationUnits", "")))
    distances = np.unique(np.atleast_1d(stated.get("ZDistance", ())))
    named = {
        "Z": distances[0] if distances.size == 1 else None,  # only for equally spaced planes
        "Y": stated.get("YCalibration"),
        "X": stated.get("XCalibration"),
    }
    return {axis: step for axis, value in named.items() if (step := known_step(value, unit))}


def _print_steps(page: TiffPage) -> dict[str, Step]:
    """Return the steps from the resolution tags alone, unless they are print resolutions."""
    unit = _RESOLUTION_UNITS.get(int(page.tags.valueof("ResolutionUnit", 1)), UNCALIBRATED)
    named = {"Y": "YResolution", "X": "XResolution"}
    return {
        axis: step
        for axis, name in named.items()
        if (step := print_step(_inverse(page, name), unit))
    }


def _inverse(page: TiffPage, name: str) -> float:
    """Return the size of a pixel by a resolution tag, in its unit; 0 if it is not stated."""
    try:
        numerator, denominator = page.tags.valueof(name)
        return float(denominator / numerator)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _from_ome(file: TiffFile, series: TiffPageSeries) -> Facts:
    """Return the metadata in the OME-XML about the image of a series."""
    image = _ome_image(file, series)
    pixels = None if image is None else _child(image, "Pixels")
    if image is None or pixels is None:
        return Facts()
    named = {axis: f"PhysicalSize{axis}" for axis in "ZYX"}
    found = {
        axis: known_length(pixels.get(name), pint_name(pixels.get(f"{name}Unit", "µm")))
        for axis, name in named.items()
    }
    time_unit = pint_name(pixels.get("TimeIncrementUnit", "s"))
    found["T"] = known_step(pixels.get("TimeIncrement"), time_unit)
    if not (found["Y"] or found["X"]):
        found |= _print_steps(series.keyframe)
    keys = {**named, "T": "TimeIncrement"}
    for axis, name in tuple(keys.items()):
        text = pixels.get(f"{name}Unit", "")
        if is_strange(text):
            keys[axis] = f"{name}Unit"
        elif text and pint_name(text) == UNCALIBRATED:
            del keys[axis]  # a size in pixels
    channels = [element for element in pixels if tag_of(element) == "Channel"]
    names = [channel.get("Name", "") for channel in channels]
    colours = [of_signed(channel.get("Color", "")) for channel in channels]
    description, date = _child(image, "Description"), _child(image, "AcquisitionDate")
    return Facts(
        steps={axis: step for axis, step in found.items() if step},
        unused=_unused(pixels, {a: k for a, k in keys.items() if not found.get(a)}),
        channels=tuple(names) if all(names) else (),
        colours=tuple(colours) if all(colours) else (),
        note=None if description is None else description.text,
        times=ome_times(pixels),
        heights=ome_heights(pixels),
        began=0.0 if date is None else _seconds(date.text or ""),
    )


def _seconds(date: str) -> float:
    """Return the seconds from 1970 to a date of ISO 8601; 0 if it is none."""
    try:
        found = datetime.fromisoformat(date.strip())
    except ValueError:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _ome_image(file: TiffFile, series: TiffPageSeries) -> ElementTree.Element | None:
    """Return the `Image` element of a series: by position, or by name if some are missing."""
    images = [element for element in root_of(file.ome_metadata) if tag_of(element) == "Image"]
    place: int | None = series.attr.get(IMAGE)
    if place is not None:
        return images[place]
    if len(images) == 1 and series.kind in PLAIN:
        others = any(_may_show(images[0], one) for one in file.series)
        return images[0] if _may_show(images[0], series) or not others else None
    if len(images) == len(file.series):
        exact = [e for e, one in zip(images, file.series, strict=True) if one is series]
        if exact:
            return exact[0]
        pages = {id(page) for page in series.pages if page is not None}
        same_pages = (pages & {*map(id, other.pages)} for other in file.series)
        return next((e for e, same in zip(images, same_pages, strict=True) if same), None)
    same = [element for element in images if element.get("Name") == series.name]
    return same[0] if len(same) == 1 else None


def _may_show(image: ElementTree.Element, series: TiffPageSeries) -> bool:
    """Return whether an `Image` element states the width and height of the pages of a series."""
    pixels, page = _child(image, "Pixels"), series.keyframe
    stated = None if pixels is None else (pixels.get("SizeX"), pixels.get("SizeY"))
    return stated == (str(page.imagewidth), str(page.imagelength))


def _child(element: ElementTree.Element, tag: str) -> ElementTree.Element | None:
    return next((child for child in element if tag_of(child) == tag), None)
