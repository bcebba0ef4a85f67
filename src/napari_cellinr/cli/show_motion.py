"""`napari-cellinr show-motion FIT OUTPUT`: motion of a saved reconstruction as a table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellinr.cli.shared.options import Commands, add_command, add_device
from napari_cellinr.cli.shared.overwrite import add_overwrite, check_overwrite
from napari_cellinr.cli.shared.progress import say
from napari_cellinr.errors import FileError
from napari_cellinr.motion import ARROWS
from napari_cellinr.text import parsed_json

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    help_text = "write the motion in a saved reconstruction as a table of arrows or tracks"
    parser = add_command(commands, "show-motion", help_text, run)
    parser.add_argument("fit", metavar="FIT", help="saved fit, such as worm.cellinr")
    parser.add_argument("output", metavar="OUTPUT", help="table, such as motion.csv")
    parser.add_argument(
        "--every",
        metavar="N",
        type=int,
        help="distance between arrows in voxels (default: chosen so that arrows do not overlap)",
    )
    parser.add_argument(
        "--shortest",
        metavar="D",
        type=float,
        help="length of the shortest arrow, in the unit of the motion (default: 0.3 voxels)",
    )
    parser.add_argument(
        "--points",
        metavar="N|[[y,x],…]",
        type=_parse_points,
        help="tracks instead of arrows: of N×N points, or of points at [y,x] in voxels",
    )
    parser.add_argument(
        "--arrows",
        choices=tuple(ARROWS),
        default="reference",
        help="; ".join(f"{kind}: {text}" for kind, text in ARROWS.items())
        + " (default: reference)",
    )
    add_overwrite(parser)
    add_device(parser)


def run(options: Namespace) -> int:
    """Write the table and return 0."""
    from napari_cellinr.fitting.saved.stored import load_fit
    from napari_cellinr.macro.motion import write_motion

    if Path(options.output).suffix != ".csv":
        raise FileError(f"{options.output} was given; the name of the table must end with .csv.")
    check_overwrite(options, [options.output], [options.fit])
    write_motion(
        options.output,
        load_fit(options.fit),
        every=options.every,
        shortest=options.shortest,
        points=options.points,
        arrows=options.arrows,
        device=options.device,
    )
    say(f"wrote {options.output}")
    return 0


def _parse_points(text: str) -> Any:
    """Return a number, or positions as lists, from text such as `8` or `[[40,60]]`."""
    try:
        found = parsed_json(text)
        if isinstance(found, int) or all(isinstance(point, list) for point in found):
            return found
    except (ValueError, TypeError):
        pass
    raise argparse.ArgumentTypeError(
        f"{text!r} was given; write a number such as 8, or positions such as [[40,60]]"
    )
