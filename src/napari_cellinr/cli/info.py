"""`napari-cellinr info FILE`: axes, size, data type and calibration of an image file."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from napari_cellinr.cli.shared.options import INPUTS, add_stack
from napari_cellinr.cli.shared.parser import Commands, add_command
from napari_cellinr.cli.shared.progress import answer
from napari_cellinr.io.findings import warnings_of
from napari_cellinr.io.metadata.colours import COLOURS
from napari_cellinr.io.metadata.times import times_of

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_cellinr.image import Image

__all__ = ["add", "facts", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    help_text = (
        "show axes, size, voxel size, channels and times of an image file, and what it lacks"
    )
    parser = add_command(commands, "info", help_text, run)
    parser.add_argument("file", metavar="FILE", help=INPUTS)
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    add_stack(parser)


def run(options: Namespace) -> int:
    """Print the facts and return 0; only the headers of the file are read."""
    from napari_cellinr.io import read_all

    images = read_all(options.file, lazy_above=0, stack_axis=options.stack, colours=True)
    if options.json:
        series = [facts(image) for image in images]
        answer(json.dumps({**series[0], "series": series}, indent=2))
    else:
        several = len(images) > 1  # their numbers are those of the option --series
        numbered = [f"image {number}: " if several else "" for number in range(len(images))]
        texts = map(_text, images)
        answer("\n".join(f"{one}{text}" for one, text in zip(numbered, texts, strict=True)))
    return 0


def facts(image: Image) -> dict[str, Any]:
    """Return axes, shape, data type and calibration of an image, ready for JSON.

    `scale`, `units` and `position` (of the first element) have one entry per axis; `voxel_size`
    and `time_step` are texts with a unit, or null where unknown. `times` are the seconds of the
    frames from the first, `colours` are `#rrggbb`; both are empty if not stated. `memory` is in
    bytes.
    """
    return {
        "axes": image.axes,
        "shape": list(image.shape),
        "dtype": str(image.dtype),
        "scale": list(image.scale),
        "units": list(image.units),
        "channels": list(image.channels),
        "name": image.name,
        "colours": list(image.meta.get(COLOURS, ())),
        "position": list(image.translate),
        "times": list(times_of(image)),
        "voxel_size": {axis: _known(image, axis) for axis in "ZYX" if axis in image.axes},
        "time_step": _known(image, "T"),
        "memory": math.prod(image.shape) * image.dtype.itemsize,
        "unknown_axes": image.unknown_axes,
        "not_stated": not_stated(image),
        "warnings": list(warnings_of(image)),
    }


def not_stated(image: Image) -> list[str]:
    """Return what the file does not say about an image, in words."""
    missing = [f"voxel size along {axis}" for axis in "ZYX" if _is_missing(image, axis)]
    if _is_missing(image, "T"):
        missing.append("time step")
    if image.sizes.get("C", 1) > 1:
        missing += [] if image.channels else ["names of the channels"]
        missing += [] if image.meta.get(COLOURS) else ["colours of the channels"]
    if image.unknown_axes:
        missing.append(f"meaning of axis {', '.join(image.unknown_axes)}")
    return missing


def _is_missing(image: Image, axis: str) -> bool:
    return axis in image.axes and _known(image, axis) is None


def _known(image: Image, axis: str) -> str | None:
    """Return a step with its unit, if the image has the axis and it is known."""
    unit = image.units[image.axes.index(axis)] if axis in image.axes else "pixel"
    return None if unit == "pixel" else f"{image.steps[axis]:.10g} {unit}"


def _text(image: Image) -> str:
    """Return one line per axis, below the name, the data type and the memory that it needs."""
    n_bytes = math.prod(image.shape) * image.dtype.itemsize
    lines = [f"{image.name} ({image.dtype}, {_size(n_bytes)})"]
    rows = zip(image.axes, image.shape, image.scale, image.units, image.translate, strict=True)
    for axis, size, step, unit, start in rows:
        known = "step unknown" if unit == "pixel" else f"step {step:.6g} {unit}"
        place = f", from {start:.6g} {unit}" if start else ""
        lines.append(f"  {axis} {size:>7}  {'' if axis in 'CS' else known + place}".rstrip())
    if image.channels or image.meta.get(COLOURS):
        lines.append(f"  channels: {', '.join(_channels(image))}")
    if times := times_of(image):
        steps = [b - a for a, b in pairwise(times)]
        lines.append(
            f"  frames recorded from 0 to {times[-1]:.6g} s, {min(steps):.4g} to "
            f"{max(steps):.4g} s apart"
        )
    if missing := not_stated(image):
        lines.append(f"  not stated: {', '.join(missing)}")
    if image.sizes.get("S", 1) in {3, 4}:
        lines.append("  colour image; to denoise it, name the colour axis C with --axes")
    elif image.unknown_axes:
        lines.append(f"  axis {image.unknown_axes} is unknown; to denoise the image, give --axes")
    return "\n".join(lines)


def _channels(image: Image) -> list[str]:
    """Return name and colour of each channel, as far as they are stated."""
    colours = list(image.meta.get(COLOURS, ()))
    names = image.channels or tuple(f"channel {n + 1}" for n in range(len(colours)))
    if len(colours) != len(names):
        return list(names)
    return [f"{name} ({colour})" for name, colour in zip(names, colours, strict=True)]


def _size(n_bytes: int) -> str:
    """Return a number of bytes such as `6.4 MB`."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.3g} {unit}"
    return f"{n_bytes} bytes"
