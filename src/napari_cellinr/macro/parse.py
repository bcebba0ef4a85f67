"""Reads the steps of a macro from the text of a script, which is never executed."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.errors import CellINRError, FileError
from napari_cellinr.io.names import place_of
from napari_cellinr.macro.actions import ACTIONS, action_of
from napari_cellinr.macro.steps import Macro, Step

if TYPE_CHECKING:
    from os import PathLike

    from napari_cellinr.macro.actions import Action

__all__ = ["load_macro", "parse_script"]

_METHODS: Final = frozenset({"wait"})
"""Methods of `cellinr` that a script may call and that are not steps."""


def load_macro(path: str | PathLike[str]) -> Macro:
    """Return the macro in a file: a script that was saved for napari, or a recipe as JSON.

    Raises
    ------
    FileError
        If the file is missing, or is neither.
    """
    place = place_of(path)
    try:
        text = place.read_text(encoding="utf-8")
    except OSError as error:
        raise FileError(f"{place} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise FileError(
            f"{place} is not a text file; give a macro (.py) or a recipe (.json)."
        ) from None
    if place.suffix.lower() == ".json":
        return Macro.from_json(text)
    return parse_script(text, str(place))


def parse_script(text: str, name: str = "macro") -> Macro:
    """Return the steps of a script for napari; it is not executed.

    Only what a recorded script contains is understood: imports, `viewer`, `cellinr`, and calls
    of its methods with plain values.

    Parameters
    ----------
    text
        The script.
    name
        What messages call it, such as its file.

    Raises
    ------
    FileError
        If the text contains anything else; the message says in which line.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise FileError(f"{name}, line {error.lineno}, is not Python: {error.msg}.") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise FileError(f"{name} is not Python: {error or 'it is nested too deeply'}.") from None
    steps = [_step(node, name) for node in tree.body if not _is_preamble(node)]
    return Macro(tuple(_with_results([step for step in steps if step is not None])))


def _is_preamble(node: ast.stmt) -> bool:
    """Return whether a statement only imports, or assigns `viewer` or `cellinr`, or is text."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Assign):
        return all(isinstance(t, ast.Name) and t.id in {"viewer", "cellinr"} for t in node.targets)
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _step(node: ast.stmt, name: str) -> Step | None:
    value = node.value if isinstance(node, ast.Expr) else None
    function = value.func if isinstance(value, ast.Call) else None
    if (
        not isinstance(value, ast.Call)
        or not isinstance(function, ast.Attribute)
        or not isinstance(function.value, ast.Name)
        or function.value.id != "cellinr"
    ):
        raise _not_a_step(node, name)
    if any(word.arg is None for word in value.keywords):
        raise FileError(
            f"{name}, line {node.lineno}, has ** in a call; write each argument as name=value."
        )
    try:
        positional = [ast.literal_eval(argument) for argument in value.args]
        keywords = {str(word.arg): ast.literal_eval(word.value) for word in value.keywords}
        return _parsed(function.attr, positional, keywords)
    except CellINRError as error:
        raise FileError(f"{name}, line {node.lineno}: {error}") from None
    except (ValueError, IndexError, KeyError, TypeError, RecursionError, MemoryError):
        raise _not_a_step(node, name) from None


def _parsed(method: str, positional: list[Any], keywords: dict[str, Any]) -> Step | None:
    """Return the step of a call of a method of `cellinr`; None for a method that is not a step."""
    if method in _METHODS:
        return None
    actions = {name: action for action in ACTIONS.values() for name in _methods_of(action)}
    if method not in actions:
        raise FileError(f"cellinr.{method} is not known; allowed are {', '.join(actions)}.")
    action = actions[method]
    found = action.parse(method, positional, keywords)
    beginning: Any = found.beginning
    return Step(
        action.name,
        found.sources,
        found.arguments,
        found.results,
        seed=found.seed,
        beginning=beginning,
    )


def _methods_of(action: Action) -> tuple[str, ...]:
    return action.methods or (action.name,)


def _with_results(steps: list[Step]) -> list[Step]:
    """Return the steps with the results that later steps use, which a script does not name.

    A layer that no step names is a result of the last step whose source its name starts with,
    otherwise of the last step that makes layers.
    """
    known: set[str] = set()
    makers: list[int] = []
    found = list(steps)
    for index, step in enumerate(steps):
        for source in step.sources:
            if source.layer and source.layer not in known and makers:
                named = [i for i in makers if source.layer.startswith(found[i].source.layer)]
                maker = (named or makers)[-1]
                results = (*found[maker].results, source.layer)
                found[maker] = replace(found[maker], results=results)
            known.add(source.layer)
        known.update(step.results)
        if action_of(step).makes_layers:
            makers.append(index)
    return found


def _not_a_step(node: ast.stmt, name: str) -> FileError:
    return FileError(
        f"{name}, line {node.lineno}, is not a step of a macro; only calls like "
        'cellinr.denoise("embryo", seed=0) are allowed. Other Python is not run.'
    )
