"""`napari-cellinr show-motion FIT OUTPUT`: motion of a saved reconstruction as a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellinr.cli.shared.options import add_device, add_seeds
from napari_cellinr.cli.shared.overwrite import add_overwrite, check_overwrite
from napari_cellinr.cli.shared.parser import Commands, add_command
from napari_cellinr.cli.shared.progress import say
from napari_cellinr.errors import FileError
from napari_cellinr.motion import ARROWS

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_cellinr.fitting.saved.stored import Stored

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    help_text = (
        "write the motion in a saved reconstruction as a table of arrows, or of tracks of --seeds"
    )
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
        help="length of the shortest arrow, in the unit of the motion (default: 0.3 voxels; "
        "0.1 voxels with --arrows next)",
    )
    add_seeds(parser)
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
    table = options.seeds if isinstance(options.seeds, str) else None
    check_overwrite(options, [options.output], [options.fit, table])
    fit = load_fit(options.fit)
    write_motion(
        options.output,
        fit,
        every=options.every,
        shortest=options.shortest,
        points=_points(options.seeds, fit),
        arrows=options.arrows,
        device=options.device,
    )
    say(f"wrote {options.output}")
    return 0


def _points(seeds: int | list[Any] | str | None, fit: Stored) -> Any:
    """Return the number or the positions of points, which may be in a table."""
    if not isinstance(seeds, str):
        return seeds
    from napari_cellinr.io.tracks import read_seeds

    sizes = dict(zip(fit.source["axes"], fit.source["shape"], strict=True))
    return read_seeds(seeds, [sizes[axis] for axis in "ZYX" if axis in sizes]).tolist()
