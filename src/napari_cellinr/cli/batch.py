"""`napari-cellinr batch RECIPE INPUTS…`: apply the same steps to many files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.options import add_folder
from napari_cellinr.cli.shared.overwrite import add_overwrite
from napari_cellinr.cli.shared.parser import Commands, add_command
from napari_cellinr.cli.shared.progress import Interruption, follow, say, say_error, say_warning
from napari_cellinr.cli.shared.scale import add_worker_options
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_cellinr.macro.batch.run import Row

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    help_text = "apply the same steps to many files; a file that fails does not stop the others"
    parser = add_command(commands, "batch", help_text, run)
    parser.add_argument("recipe", metavar="RECIPE", help="macro (.py) or recipe (.json)")
    parser.add_argument(
        "inputs", metavar="INPUT", nargs="+", help="image files, or folders of image files"
    )
    text = (
        "summary.csv is there, too, and nothing is written elsewhere; images whose results are "
        "there already are skipped"
    )
    add_folder(parser, text, required=True)
    add_worker_options(parser)
    parser.add_argument(
        "--every-series",
        action="store_true",
        help="process every image (position) of each file, not only the first",
    )
    parser.add_argument(
        "--every-time",
        action="store_true",
        help="process every time point separately, not the time series as a whole",
    )
    parser.add_argument(
        "--redo",
        dest="again",
        action="store_true",
        help="process images again whose results exist already",
    )
    add_overwrite(parser)


def run(options: Namespace) -> int:
    """Process all files; return 0 if all are done, 1 if one failed, 128 + n after signal n."""
    from napari_cellinr.macro import load_macro
    from napari_cellinr.macro.batch.run import iter_batch
    from napari_cellinr.macro.plan import plan_lines

    macro = load_macro(options.recipe)
    for line in plan_lines(macro, (), options.folder):
        say(line)
    interruption = Interruption()
    printed: dict[str, str] = {}

    def print_changes(rows: tuple[Row, ...]) -> None:
        for row in rows:
            if printed.get(row.title, "waiting") != row.state:
                printed[row.title] = row.state
                say(f"{row.state}: {row.title}")

    with interruption.caught():
        job = iter_batch(
            macro,
            options.inputs,
            options.folder,
            workers=options.workers,
            scheduler=options.scheduler,
            every_series=options.every_series,
            every_time=options.every_time,
            again=options.again,
            overwrite=options.overwrite,
            tell=print_changes,
            say=say,
        )
        rows = follow(job, interruption)
    failed = [row for row in rows if row.state == "failed"]
    for row in failed:
        say_error(f"{row.title}: {row.error}")
    done = sum(row.state in {"done", "skipped"} for row in rows)
    are = n_of(done, f"of {len(rows)} images is", f"of {len(rows)} images are")
    say(f"{are} done; see {options.folder}/summary.csv")
    if interruption.happened:
        again = "run the same command again for the images that are not done."
        say_warning(f"stopped by {interruption.name}; {again}")
        return interruption.status
    return 1 if failed else 0
