"""Words and names that every text of a macro is made of."""

from __future__ import annotations

import keyword
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.macro.steps import Source, Step

__all__ = [
    "FITTED_SUFFIX",
    "SAMPLE",
    "call",
    "failed",
    "file_name",
    "first",
    "keywords",
    "use_call",
    "variable",
    "why_unread",
]

SAMPLE: Final = "sample:"
"""What the path of a sample of this plugin begins with."""

FITTED_SUFFIX: Final = ".cellinr"
"""The end of the names of kept fits, as in `io`, which is not needed for text."""

_COMMENT: Final = 160
"""Characters of a comment on what has failed."""


def call(step: Step) -> str:
    """Return the step as a call of a method of `cellinr`."""
    names = [repr(source.layer) for source in step.sources]
    if step.action == "open":
        return use_call(first(step.results), step.source)
    if step.action == "save":
        return f"cellinr.save({names[0]}, {step.arguments['path']!r})"
    settings = {**step.arguments, **({} if step.seed is None else {"seed": step.seed})}
    if step.beginning:
        settings = {step.beginning: step.sources[1].layer, **settings}
        del names[1:]
    return f"cellinr.{step.action}({', '.join([*names, *keywords(settings)])})"


def use_call(layer: str, source: Source) -> str:
    """Return the call that opens what a layer came from, unless the layer is there."""
    arguments = [repr(layer), repr(source.path), *keywords(source.how)]
    return f"cellinr.use({', '.join(arguments)})"


def why_unread(layer: str, source: Source) -> str:
    """Return why no file of a source can be read without napari, and what to do; else nothing."""
    if source.reader:
        opened = f"{source.path} was opened by the reader {source.reader!r} of napari"
        return f"{opened}; save layer {layer!r} as TIFF and give that file"
    if not source.path or source.path.startswith(SAMPLE):
        return f"give the file of layer {layer!r}"
    return ""


def failed(step: Step) -> str:
    """Return a comment on a step that has failed, which a replay passes over."""
    text = f"# failed: {call(step)}: {' '.join(step.note.split())}"
    return text if len(text) <= _COMMENT else f"{text[: _COMMENT - 1]}…"


def file_name(layer: str) -> str:
    """Return a name for the file of a layer that every system allows."""
    return PurePath(re.sub(r'[\\/:*?"<>|]+', "-", layer)).name or "image"


def variable(name: str, taken: set[str]) -> str:
    """Return a name for a variable that is like the name of a layer, and note it as taken."""
    word = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or "image"
    word = f"image_{word}" if word[0].isdigit() or keyword.iskeyword(word) else word
    found, number = word, 2
    while found in taken:
        found, number = f"{word}_{number}", number + 1
    taken.add(found)
    return found


def keywords(values: Mapping[str, Any]) -> list[str]:
    """Return named arguments as Python has them."""
    return [f"{name}={value!r}" for name, value in values.items()]


def first(names: tuple[str, ...]) -> str:
    """Return the first of some names, or an empty one."""
    return names[0] if names else ""
