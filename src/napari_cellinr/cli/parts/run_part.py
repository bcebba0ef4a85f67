"""`napari-cellinr run-part PLAN.json K`: compute one part of a plan."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.parser import Commands, add_command
from napari_cellinr.cli.shared.progress import Interruption, follow, say, say_warning

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    text = "compute one part of a plan, in any order and on any computer"
    parser = add_command(commands, "run-part", text, run)
    parser.add_argument("plan", metavar="PLAN.json", help="from napari-cellinr plan")
    parser.add_argument(
        "numbers",
        metavar="K",
        type=_parse_numbers,
        help="number of the part, from 0, or a range such as 0-9; a finished part is left alone",
    )


def run(options: Namespace) -> int:
    """Compute the parts and return 0; 128 + its number if a signal stopped it."""
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.runs.scale.parts import finish_plan, part_job
    from napari_cellinr.runs.scale.plan import load_plan
    from napari_cellinr.runs.scale.state import State

    plan = load_plan(options.plan)
    state, interruption = State(plan), Interruption()
    first, last = options.numbers
    for number in range(first, last + 1):
        with interruption.caught():
            follow(part_job(plan, number, Monitor()), interruption)
        for text in state.warnings_of(number):
            say_warning(text)
        say(f"part {number} of {plan.n_parts} is finished")
    if state.is_complete:
        finish_plan(plan)
        say(f"wrote {', '.join(plan.outputs.values())}: all parts are finished")
    return 0


def _parse_numbers(text: str) -> tuple[int, int]:
    """Return the first and the last number of `3` or `0-9`."""
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise argparse.ArgumentTypeError(
            f"{text!r} was given; a number from 0, or a range such as 0-9 is needed"
        )
    return int(first), int(last) if dash else int(first)
