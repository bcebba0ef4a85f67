"""The actions of a macro: one class for each, found in the modules of this folder.

A new action is a module here with a subclass of `Action` and an instance of it in `ACTIONS`.
Scripts, command lines, replays, batches and the console ask the class.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, Final

from napari_cellinr.macro.actions.base import Action, Parsed
from napari_cellinr.macro.scripts import lines
from napari_cellinr.methods import METHODS

if TYPE_CHECKING:
    from napari_cellinr.macro.scripts.lines import Code, Line
    from napari_cellinr.macro.steps import Step

__all__ = [
    "ACTIONS",
    "FITS",
    "Action",
    "Parsed",
    "action_of",
    "find_actions",
    "skipped",
    "to_console",
]

FITS: Final[tuple[str, ...]] = tuple(method.action for method in METHODS.values())
"""The actions that fit, one for each method."""


def find_actions() -> dict[str, Action]:
    """Return the actions of all modules in this folder by name, and allow them in scripts."""
    found: dict[str, Action] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        module = import_module(f"{__name__}.{info.name}")
        for action in getattr(module, "ACTIONS", ()):
            lines.allow([action.name, *action.functions], action.commands)
            found[action.name] = action
    return found


ACTIONS: Final = find_actions()
"""What can be recorded, by name; each is also a method of `cellinr` in the console."""


def action_of(step: Step) -> Action:
    """Return the action of a step."""
    return ACTIONS[step.action]


def skipped(step: Step) -> Line | None:
    """Return the comment in place of a step that failed or is disabled; None for other steps."""
    if step.status == "failed":
        return lines.failure(to_console(step), step.note)
    if step.disabled:
        return lines.disabled(to_console(step))
    return None


def to_console(step: Step) -> Code:
    """Return a step as a call of a method of `cellinr`."""
    return action_of(step).to_console(step)
