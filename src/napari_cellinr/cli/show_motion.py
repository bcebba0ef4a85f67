"""`napari-cellinr show-motion MODEL OUTPUT`: arrows, or paths of points, of a kept fit."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellinr.cli.shared.options import Commands, add_command, add_device
from napari_cellinr.cli.shared.progress import say
from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    help_text = "write the motion that a kept reconstruction has found, as a table"
    parser = add_command(commands, "show-motion", help_text, run)
    parser.add_argument("model", metavar="MODEL", help="file of a fit, such as worm.cellinr")
    parser.add_argument("output", metavar="OUTPUT", help="table, such as motion.csv")
    parser.add_argument(
        "--every",
        metavar="N",
        type=int,
        help="voxels from one arrow to the next (default: as many as can be looked at)",
    )
    parser.add_argument(
        "--shortest",
        metavar="D",
        type=float,
        help="leave shorter arrows out, in the unit of the motion (default: 0.3 voxels)",
    )
    parser.add_argument(
        "--points",
        metavar="N|[[y,x],…]",
        type=_parse_points,
        help="instead of arrows, the paths of N×N points, or of points at places in voxels",
    )
    add_device(parser)


def run(options: Namespace) -> int:
    """Return 0 after the table was written."""
    from napari_cellinr.fitting.stored import load_fit
    from napari_cellinr.macro.motion import write_motion

    if Path(options.output).suffix != ".csv":
        raise FileError(f"{options.output} was given; the table has to end with .csv.")
    write_motion(
        options.output,
        load_fit(options.model),
        every=options.every,
        shortest=options.shortest,
        points=options.points,
        device=options.device,
    )
    say(f"wrote {options.output}")
    return 0


def _parse_points(text: str) -> Any:
    """Return a number, or places as lists, from text such as `8` or `[[40,60]]`."""
    try:
        found = json.loads(text)
        if isinstance(found, int) or all(isinstance(place, list) for place in found):
            return found
    except (ValueError, TypeError):
        pass
    raise argparse.ArgumentTypeError(f"{text!r} was given; a number or [[y,x],…] is needed")
