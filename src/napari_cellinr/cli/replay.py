"""`napari-cellinr replay MACRO`: repeat the steps of a recorded macro without napari."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.options import add_folder, add_stack
from napari_cellinr.cli.shared.overwrite import add_overwrite
from napari_cellinr.cli.shared.parser import Commands, add_command
from napari_cellinr.cli.shared.progress import (
    Interruption,
    answer,
    follow,
    say,
    say_warning,
)
from napari_cellinr.text import one_line

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    help_text = "repeat the steps of a recorded macro, with its own images or another one"
    parser = add_command(commands, "replay", help_text, run)
    parser.add_argument("macro", metavar="MACRO", help="macro (.py) or recipe (.json)")
    parser.add_argument("--input", metavar="FILE", help="image to use instead of the recorded one")
    add_stack(parser)
    text = (
        "files have the names that the macro gives them, if it saves any "
        "(default: the current folder)"
    )
    add_folder(parser, text)
    parser.add_argument(
        "--allow-outside",
        action="store_true",
        help="allow the macro to write outside that folder, for macros with absolute paths",
    )
    add_overwrite(parser)
    parser.add_argument(
        "--plan", action="store_true", help="only list the steps and the files that they write"
    )


def run(options: Namespace) -> int:
    """Repeat all steps and return 0; 128 + its number if a signal made a result partial."""
    from napari_cellinr.macro import iter_replay, load_macro
    from napari_cellinr.macro.plan import plan_lines, saved_files

    macro = load_macro(options.macro)
    writes = saved_files(macro, options.folder)
    for line in plan_lines(macro, writes, options.folder or "."):
        (answer if options.plan else say)(line)
    if options.plan:
        return 0
    interruption = Interruption()
    with interruption.caught():
        job = iter_replay(
            macro,
            source=options.input,
            output=options.folder,
            stack_axis=options.stack,
            allow_outside=options.allow_outside,
            overwrite=options.overwrite,
            tell=say_warning,
        )
        written = follow(job, interruption)
    for path in written:
        say(one_line(f"wrote {path}"))
    if interruption.happened:
        say_warning(f"stopped by {interruption.name}; the results are partial.")
    return interruption.status
