"""`napari-cellinr batch RECIPE INPUTS…`: the same steps with many files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.options import Commands, add_command
from napari_cellinr.cli.shared.progress import INTERRUPTED, Interruption, follow, say, say_error

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_cellinr.macro.batch.run import Row

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    help_text = "do the same with many files; one that fails does not stop the rest"
    parser = add_command(commands, "batch", help_text, run)
    parser.add_argument("recipe", metavar="RECIPE", help="macro (.py) or recipe (.json)")
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="image files")
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        required=True,
        help="folder for the results and summary.csv, and the only one that is written to; what "
        "is done there is passed over",
    )
    parser.add_argument(
        "--workers", metavar="N", type=int, default=1, help="images at the same time (default: 1)"
    )
    parser.add_argument(
        "--every-series", action="store_true", help="every image, or position, of each file"
    )
    parser.add_argument(
        "--every-time", action="store_true", help="every time point of each file for itself"
    )
    parser.add_argument("--again", action="store_true", help="also do again what is done")


def run(options: Namespace) -> int:
    """Return 0 if every file is done, 1 if one has failed, 130 after Ctrl-C."""
    from napari_cellinr.macro import load_macro
    from napari_cellinr.macro.batch.run import iter_batch
    from napari_cellinr.macro.plan import plan_lines

    macro = load_macro(options.recipe)
    for line in plan_lines(macro, (), options.output):
        say(line)
    interruption = Interruption()
    told: dict[str, str] = {}

    def tell(rows: tuple[Row, ...]) -> None:
        for row in rows:
            if told.get(row.title, "waiting") != row.state:
                told[row.title] = row.state
                say(f"{row.state}: {row.title}")

    with interruption.caught():
        job = iter_batch(
            macro,
            options.inputs,
            options.output,
            workers=options.workers,
            every_series=options.every_series,
            every_time=options.every_time,
            again=options.again,
            tell=tell,
        )
        rows = follow(job, interruption)
    failed = [row for row in rows if row.state == "failed"]
    for row in failed:
        say_error(f"{row.title}: {row.error}")
    done = sum(row.state in {"done", "skipped"} for row in rows)
    say(f"{done} of {len(rows)} images are done; see {options.output}/summary.csv")
    if interruption.happened:
        return INTERRUPTED
    return 1 if failed else 0
