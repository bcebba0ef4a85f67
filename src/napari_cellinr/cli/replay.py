"""`napari-cellinr replay MACRO`: what was recorded in napari, done again without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.cli.options import Commands, add_command
from napari_cellinr.cli.progress import INTERRUPTED, Interruption, follow, say, say_warning

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
        help="folder for the files that the macro saves, or for its results if it saves none",
    )


def run(options: Namespace) -> int:
    """Return 0 after every step was done, 130 if one is partial because of Ctrl-C."""
    from napari_cellinr.macro import iter_replay, load_macro

    macro = load_macro(options.macro)
    interruption = Interruption()
    with interruption.caught():
        job = iter_replay(
            macro,
            source=options.input,
            output=options.output,
            stack_axis=options.stack,
            tell=say_warning,
        )
        written = follow(job, interruption)
    for path in written:
        say(f"wrote {path}")
    if interruption.happened:
        say_warning("stopped by Ctrl-C; the results are partial.")
        return INTERRUPTED
    return 0
