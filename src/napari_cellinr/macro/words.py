"""Words and names that every text of a macro is made of."""

from __future__ import annotations

import keyword
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from napari_cellinr.macro import lines
from napari_cellinr.text import one_line

if TYPE_CHECKING:
    from napari_cellinr.macro.lines import Code, Line
    from napari_cellinr.macro.steps import Source, Step

__all__ = [
    "CELLINR",
    "FITTED_SUFFIX",
    "SAMPLE",
    "call",
    "failed",
    "file_name",
    "first",
    "use_call",
    "variable",
    "why_unread",
]

SAMPLE: Final = "sample:"
"""What the path of a sample of this plugin begins with."""

FITTED_SUFFIX: Final = ".cellinr"
"""The end of the names of kept fits, as in `io`, which is not needed for text."""

CELLINR: Final = lines.name("cellinr")
"""The object whose methods a script for napari calls."""


def call(step: Step) -> Code:
    """Return the step as a call of a method of `cellinr`."""
    layers = [lines.value(source.layer) for source in step.sources]
    if step.action == "open":
        return use_call(first(step.results), step.source)
    if step.action == "save":
        path = lines.value(step.arguments["path"])
        return lines.call("save", layers[0], path, of=CELLINR)
    settings = {**step.arguments, **({} if step.seed is None else {"seed": step.seed})}
    if step.beginning:
        settings = {step.beginning: step.sources[1].layer, **settings}
        del layers[1:]
    return lines.call(step.action, *layers, of=CELLINR, keywords=settings)


def use_call(layer: str, source: Source) -> Code:
    """Return the call that opens what a layer came from, unless the layer is there."""
    arguments = (lines.value(layer), lines.value(source.path))
    return lines.call("use", *arguments, of=CELLINR, keywords=source.how)


def why_unread(layer: str, source: Source) -> str:
    """Return why no file of a source can be read without napari, and what to do; else nothing."""
    if source.reader:
        opened = f"{source.path} was opened by the reader {source.reader!r} of napari"
        return f"{opened}; save layer {layer!r} as TIFF and give that file"
    if not source.path or source.path.startswith(SAMPLE):
        return f"give the file of layer {layer!r}"
    return ""


def failed(step: Step) -> Line:
    """Return a comment on a step that has failed, which a replay passes over."""
    return lines.failure(call(step), step.note)


def file_name(layer: str) -> str:
    """Return a name for the file of a layer that every system allows."""
    name = PurePath(re.sub(r'[\\/:*?"<>|]+', "-", one_line(layer))).name
    return re.sub(r"^~+", "-", name) or "image"  # a path that begins with ~ is in a home folder


def variable(name: str, taken: set[str]) -> Code:
    """Return a variable whose name is like that of a layer, and note it as taken."""
    word = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or "image"
    word = f"image_{word}" if word[0].isdigit() or keyword.iskeyword(word) else word
    found, number = word, 2
    while found in taken:
        found, number = f"{word}_{number}", number + 1
    taken.add(found)
    return lines.name(found)


def first(names: tuple[str, ...]) -> str:
    """Return the first of some names, or an empty one."""
    return names[0] if names else ""
