"""Reads the steps of a macro from the text of a script, which is never executed."""

from __future__ import annotations

import ast
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.errors import CellINRError, FileError
from napari_cellinr.io.names import place_of
from napari_cellinr.macro.actions import ACTIONS
from napari_cellinr.macro.paths import HINT, check_typed, with_local_paths
from napari_cellinr.macro.scripts.bindings import continued, with_results
from napari_cellinr.macro.steps import Macro, Step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike


__all__ = ["load_macro", "parse_script"]

_METHODS: Final = frozenset({"wait", "start", "stop", "clear"})
"""Methods of `cellinr` that a script may call and that are not steps."""

_ONLY_IN_CONSOLE: Final = frozenset({"replay", "save_macro"})
"""Methods that act on the recorded macro."""


def load_macro(path: str | PathLike[str]) -> Macro:
    """Return the macro in a file: a script that was saved for napari, or a recipe as JSON.

    Raises
    ------
    FileError
        If the file is missing, or is neither.
    """
    place = place_of(path)
    try:
        text = place.read_text(encoding="utf-8-sig")  # editors of Windows write a mark first
    except OSError as error:
        raise FileError(f"{place} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # of UTF-16, too, which may start without a mark
        raise FileError(
            f"{place} is not a text file in UTF-8; give a macro (.py) or a recipe (.json). A text "
            "in another encoding, such as the UTF-16 of PowerShell, must be saved as UTF-8."
        )
    if place.suffix.lower() == ".json":
        return Macro(tuple(with_results(with_local_paths(Macro.from_json(text)).steps)))
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
        tree = ast.parse(dedent(text))
    except SyntaxError as error:
        hint = f" {HINT}" if "unicodeescape" in error.msg else ""
        raise FileError(f"{name}, line {error.lineno}, is not Python: {error.msg}.{hint}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise FileError(f"{name} is not Python: {error or 'it is nested too deeply'}.") from None
    steps: list[Step] = []
    for node in tree.body:
        if not _is_preamble(node) and (step := _step(node, name, steps)) is not None:
            steps.append(step)
    return Macro(tuple(with_results(with_local_paths(Macro(tuple(steps))).steps)))


def _is_preamble(node: ast.stmt) -> bool:
    """Return whether a statement does nothing in a replay.

    It imports, assigns `viewer` or `cellinr`, is text, or shows a property such as `cellinr.last`.
    """
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Assign):
        return all(isinstance(t, ast.Name) and t.id in {"viewer", "cellinr"} for t in node.targets)
    if not isinstance(node, ast.Expr):
        return False
    return isinstance(node.value, ast.Constant) or _is_shown(node.value)


def _is_shown(value: ast.expr) -> bool:
    """Return whether an expression is a property of `cellinr` that the console shows."""
    if not isinstance(value, ast.Attribute) or not isinstance(value.value, ast.Name):
        return False
    return value.value.id == "cellinr" and value.attr in {"macro", "last"}


def _step(node: ast.stmt, name: str, before: Sequence[Step]) -> Step | None:
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
        for first in ("layer", "path"):  # the names of the first parameter in the console
            if not positional and first in keywords and function.attr != "use":
                positional = [keywords.pop(first)]
        return _parsed(function.attr, positional, keywords, before)
    except CellINRError as error:
        raise FileError(f"{name}, line {node.lineno}: {error}") from None
    except (ValueError, IndexError, KeyError, TypeError, RecursionError, MemoryError):
        raise _not_a_step(node, name) from None


def _parsed(
    method: str, positional: list[Any], keywords: dict[str, Any], before: Sequence[Step]
) -> Step | None:
    """Return the step of a call of a method of `cellinr`; None for a method that is not a step."""
    if method in _METHODS:
        return None
    if method in _ONLY_IN_CONSOLE:
        raise FileError(
            f"cellinr.{method} belongs in the console, not into a macro; remove the line."
        )
    if method == "continue_fit":
        return continued(with_results(before), **_continuation(positional, keywords))
    actions = {
        name: action for action in ACTIONS.values() for name in action.methods or (action.name,)
    }
    if method not in actions:
        raise FileError(f"cellinr.{method} is not known; allowed are {', '.join(actions)}.")
    action = actions[method]
    found = action.parse(method, positional, keywords)
    beginning: Any = found.beginning
    step = Step(
        action.name,
        found.sources,
        found.arguments,
        found.results,
        seed=found.seed,
        beginning=beginning,
    )
    check_typed(step)
    return step


def _continuation(positional: list[Any], keywords: dict[str, Any]) -> dict[str, Any]:
    given = {**dict(zip(("layer", "steps"), positional, strict=False)), **keywords}
    if set(given) != {"layer", "steps"} or len(positional) > 2:
        raise FileError("cellinr.continue_fit takes a layer and a number of steps.")
    return {"layer": str(given["layer"]), "more": given["steps"]}


def _not_a_step(node: ast.stmt, name: str) -> FileError:
    return FileError(
        f"{name}, line {node.lineno}, is not a step of a macro; only calls like "
        'cellinr.denoise("embryo", seed=0) are allowed. Other Python is not run.'
    )
