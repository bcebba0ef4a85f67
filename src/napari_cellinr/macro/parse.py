"""From the text of a macro back to its steps: read, never executed."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from napari_cellinr.errors import CellINRError, FileError
from napari_cellinr.macro.steps import ACTIONS, FITS, Macro, Source, Step
from napari_cellinr.runs.warm_start import Beginning

if TYPE_CHECKING:
    from os import PathLike


__all__ = ["load_macro", "parse_script"]


_OPENED: Final = {
    "open": "a path, along and reader",
    "use": "the name of a layer, a path, along, files and reader",
}


def load_macro(path: str | PathLike[str]) -> Macro:
    """Return the macro in a file: a script that was saved for napari, or a recipe as JSON.

    Raises
    ------
    FileError
        If the file is missing, or holds neither.
    """
    place = Path(path).expanduser()
    try:
        text = place.read_text(encoding="utf-8")
    except OSError as error:
        raise FileError(f"{place} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise FileError(f"{place} is no text; give a macro (.py) or a recipe (.json).") from None
    if place.suffix.lower() == ".json":
        return Macro.from_json(text)
    return parse_script(text, str(place))


def parse_script(text: str, name: str = "macro") -> Macro:
    """Return the steps of a script for napari; it is not executed.

    Only what a recorded script has is understood: imports, `viewer`, `cellinr`, and calls of
    its methods with plain values.

    Raises
    ------
    FileError
        If the text has anything else, with its line.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise FileError(f"{name}, line {error.lineno}, is not Python: {error.msg}.") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise FileError(f"{name} is not Python: {error or 'it is nested too deeply'}.") from None
    steps = [_step(node, name) for node in tree.body if not _is_frame(node)]
    return Macro(tuple(_with_results([step for step in steps if step is not None])))


def _is_frame(node: ast.stmt) -> bool:
    """Return whether a statement is only there to get at `cellinr`."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Assign):
        return all(isinstance(t, ast.Name) and t.id in {"viewer", "cellinr"} for t in node.targets)
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_text


def _step(node: ast.stmt, name: str) -> Step | None:
    value = node.value if isinstance(node, ast.Expr) else None
    function = value.func if isinstance(value, ast.Call) else None
    if (
        not isinstance(value, ast.Call)
        or not isinstance(function, ast.Attribute)
        or not isinstance(function.value, ast.Name)
        or function.value.id != "cellinr"
    ):
        raise _other(node, name)
    try:
        given = [ast.literal_eval(argument) for argument in value.args]
        named = {str(word.arg): ast.literal_eval(word.value) for word in value.keywords}
        return _make(function.attr, given, named)
    except CellINRError as error:
        raise FileError(f"{name}, line {node.lineno}: {error}") from None
    except (ValueError, IndexError, KeyError, TypeError, RecursionError, MemoryError):
        raise _other(node, name) from None


def _make(action: str, given: list[Any], named: dict[str, Any]) -> Step | None:
    if action == "wait":
        return None
    if action in {"use", "open"}:
        known = {key: named[key] for key in ("along", "files", "reader") if key in named}
        if len(known) < len(named) or len(given) != 1 + (action == "use"):
            raise FileError(f"cellinr.{action} takes {_OPENED[action]}; write it like that.")
        source = Source(path=given[-1], **known)
        return Step("open", (source,), results=(given[0],) if action == "use" else ())
    if action not in ACTIONS:
        raise FileError(f"cellinr.{action} is not known; valid are {', '.join(ACTIONS)}.")
    if action == "save":
        (path,) = [*given[1:], *named.values()]
        if set(named) - {"path"}:
            raise FileError("cellinr.save takes the name of a layer, and a path.")
        return Step("save", (Source(given[0]),), {"path": path})
    seed = named.pop("seed", None) if action in FITS else None
    beginning: Any = ""
    for word in get_args(Beginning) if action in FITS else ():
        if word in named:
            beginning = word
            given.append(named.pop(word))
    sources = tuple(Source(layer) for layer in given)
    return Step(action, sources, named, seed=seed, beginning=beginning)


def _with_results(steps: list[Step]) -> list[Step]:
    """Return the steps with the results that later ones use: a script does not name them."""
    known: set[str] = set()
    makers: list[int] = []
    found = list(steps)
    for place, step in enumerate(steps):
        for source in step.sources:
            if source.layer and source.layer not in known and makers:
                named = [i for i in makers if source.layer.startswith(found[i].source.layer)]
                maker = (named or makers)[-1]
                results = (*found[maker].results, source.layer)
                found[maker] = replace(found[maker], results=results)
            known.add(source.layer)
        known.update(step.results)
        if step.action not in {"open", "calibrate", "save"}:
            makers.append(place)
    return found


def _other(node: ast.stmt, name: str) -> FileError:
    return FileError(
        f"{name}, line {node.lineno}, is not a step of a macro; only calls like "
        'cellinr.denoise("embryo", seed=0) are. Other Python is not run.'
    )
