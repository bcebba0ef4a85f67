"""`napari-cellinr info FILE`: what an image file says about itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_cellinr.cli.options import Commands, add_command
from napari_cellinr.cli.progress import say

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_cellinr.image import Image

__all__ = ["add", "facts", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    parser = add_command(commands, "info", "show axes, size and voxel size of an image file", run)
    parser.add_argument("file", metavar="FILE", help="image file: TIFF, OME-TIFF or NIfTI")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(options: Namespace) -> int:
    """Print what the file says and return 0."""
    from napari_cellinr.io import read

    image = read(options.file)
    say(json.dumps(facts(image), indent=2) if options.json else _text(image))
    return 0


def facts(image: Image) -> dict[str, Any]:
    """Return axes, shape, dtype, scale, units, channels and name, ready for JSON."""
    return {
        "axes": image.axes,
        "shape": list(image.shape),
        "dtype": str(image.dtype),
        "scale": list(image.scale),
        "units": list(image.units),
        "channels": list(image.channels),
        "name": image.name,
    }


def _text(image: Image) -> str:
    """Return one line per axis, below the name and the data type."""
    lines = [f"{image.name} ({image.dtype})"]
    rows = zip(image.axes, image.shape, image.scale, image.units, strict=True)
    for axis, size, step, unit in rows:
        known = "of unknown size" if unit == "pixel" else f"of {step:.6g} {unit}"
        lines.append(f"  {axis} {size:>7}  {'' if axis == 'C' else known}".rstrip())
    if image.channels:
        lines.append(f"  channels: {', '.join(image.channels)}")
    if image.unknown_axes:
        lines.append(f"  meaning of axis {image.unknown_axes} unknown; denoise needs --axes")
    return "\n".join(lines)
