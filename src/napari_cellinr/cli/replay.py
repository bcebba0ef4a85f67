"""`napari-cellinr replay MACRO`: what was recorded in napari, done again without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.options import Commands, add_command
from napari_cellinr.cli.shared.progress import INTERRUPTED, Interruption, follow, say, say_warning
from napari_cellinr.text import one_line

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    help_text = "do a recorded macro again, on its own files or on another one"
    parser = add_command(commands, "replay", help_text, run)
    parser.add_argument("macro", metavar="MACRO", help="macro (.py) or recipe (.json)")
    parser.add_argument("--input", metavar="FILE", help="image to work on instead")
    parser.add_argument(
        "--stack",
        choices=("T", "Z"),
        help="what the numbered files of a folder are along, where the macro does not say",
    )
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        help="folder for the files that the macro saves, or for its results if it saves none; "
        "the present one if not given",
    )
    parser.add_argument(
        "--allow-outside",
        action="store_true",
        help="let the macro write outside of that folder, as one does that was recorded with "
        "absolute paths",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files that exist; never the inputs"
    )
    parser.add_argument(
        "--plan", action="store_true", help="only show the steps and the files, and do nothing"
    )


def run(options: Namespace) -> int:
    """Return 0 after every step was done, 130 if one is partial because of Ctrl-C."""
    from napari_cellinr.macro import iter_replay, load_macro
    from napari_cellinr.macro.plan import plan_lines, saved_files

    macro = load_macro(options.macro)
    writes = saved_files(macro, options.output)
    for line in plan_lines(macro, writes, options.output or "."):
        say(line)
    if options.plan:
        return 0
    interruption = Interruption()
    with interruption.caught():
        job = iter_replay(
            macro,
            source=options.input,
            output=options.output,
            stack_axis=options.stack,
            allow_outside=options.allow_outside,
            overwrite=options.overwrite,
            tell=say_warning,
        )
        written = follow(job, interruption)
    for path in written:
        say(one_line(f"wrote {path}"))
    if interruption.happened:
        say_warning("stopped by Ctrl-C; the results are partial.")
        return INTERRUPTED
    return 0
