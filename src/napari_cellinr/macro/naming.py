"""Names in scripts and results: files, variables, samples."""

from __future__ import annotations

import keyword
import re
from itertools import count
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from napari_cellinr.errors import FileError
from napari_cellinr.io.names import READ_ONLY, SUFFIXES
from napari_cellinr.macro.scripts import lines
from napari_cellinr.methods import METHODS
from napari_cellinr.simulate.samples import TRUTH
from napari_cellinr.text import clean_name, one_line

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari_cellinr.macro.scripts.lines import Code
    from napari_cellinr.macro.source import Source

__all__ = [
    "CELLINR",
    "DOT",
    "FITTED_SUFFIX",
    "SAMPLE",
    "file_name",
    "first",
    "is_figure",
    "is_fit",
    "is_made_of",
    "is_other_image",
    "layer_stem",
    "name_before",
    "result_name",
    "sample_part",
    "unreadable",
    "unused",
    "variable",
    "what_of",
    "without_number",
]

SAMPLE: Final = "sample:"
"""How the path of a sample image of this plugin starts."""

FITTED_SUFFIX: Final = ".cellinr"
"""Suffix of saved fits, as in `io`, which would load more than a script needs."""

_RESULTS: Final = (
    *(word for method in METHODS.values() for word in (*method.layers, *method.baselines)),
    *("rendered", "region", "preview", "at time", "minus", "difference", "compared", "doubt"),
)
"""What results are called before the name of their source; users call layers `a · b`, too."""

CELLINR: Final = lines.name("cellinr")
"""The object whose methods a script for napari calls."""


DOT: Final = "·"
"""Between what a layer is and the name of its source, as in `denoised · embryo`."""


def is_made_of(layer: str, source: str) -> bool:
    """Return whether the name of a layer is that of a result of a source.

    Parameters
    ----------
    layer
        Name of the layer, such as `denoised · embryo` (`embryo denoised` until version 0.1).
    source
        Name of the source.
    """
    return source in {layer, without_number(layer)} or what_of(layer, source) != layer


def result_name(what: str, source: str) -> str:
    """Return the name of the layer of a result: what it is, then its source.

    A narrow list of layers cuts the end of names, so what differs comes first.

    Parameters
    ----------
    what
        What it is, such as `denoised`; also the name of an image, such as `embryo denoised`.
    source
        Name of the layer that it was made from.

    Examples
    --------
    >>> result_name("embryo denoised", "embryo")
    'denoised · embryo'
    """
    return f"{what.removeprefix(f'{source} ') or what} {DOT} {source}"


def name_before(layer: str) -> str:
    """Return the name that version 0.1 gave to the layer of a result: its source came first.

    Images still have such names, and so have files.

    Examples
    --------
    >>> name_before("rendered · denoised · embryo [1]")
    'embryo denoised rendered [1]'
    >>> name_before("embryo"), name_before("denoised · embryo · day 1")
    ('embryo', 'embryo · day 1 denoised')
    """
    name = without_number(layer)
    number = layer.removeprefix(name)
    what, dot, source = name.partition(f" {DOT} ")
    is_result = dot and any(what == word or what.startswith(f"{word} ") for word in _RESULTS)
    return f"{name_before(source)} {what}{number}" if is_result else layer


def what_of(layer: str, source: str) -> str:
    """Return what a layer is beside the name of its source; its whole name if it is of another.

    Parameters
    ----------
    layer
        Name of the layer.
    source
        Name of the source; nothing for a layer that is called what it is.

    Examples
    --------
    >>> what_of("background · embryo [1]", "embryo"), what_of("embryo [1] denoised", "embryo [1]")
    ('background', 'denoised')
    """
    for name in (layer, without_number(layer)):
        if source and name.endswith(f" {DOT} {source}"):
            return name.removesuffix(f" {DOT} {source}")
        if source and name.startswith(f"{source} "):
            return without_number(name.removeprefix(f"{source} "))
    return layer if source else without_number(layer)


def without_number(layer: str) -> str:
    """Return the name of a layer without the number that napari adds if it is taken: ` [1]`."""
    return re.sub(r" \[\d+\]$", "", layer)


def unused(name: str, taken: Collection[str]) -> str:
    """Return the name that napari gives to a layer: `embryo`, or `embryo [1]` if that is taken.

    Parameters
    ----------
    name
        The wanted name.
    taken
        Names of other layers.
    """
    numbered = (f"{name} [{number}]" for number in count(1))
    return name if name not in taken else next(one for one in numbered if one not in taken)


def sample_part(path: str) -> tuple[str, str]:
    """Return the key of a sample in a path, and `truth` if its ground truth is meant, else nothing.

    Parameters
    ----------
    path
        The path, such as `sample:embryo-nuclei/truth`.

    Raises
    ------
    FileError
        If the sample has no such part.
    """
    key, slash, part = path.removeprefix(SAMPLE).partition("/")
    if slash and part != TRUTH:
        raise FileError(
            f"{path} was given; {SAMPLE}{key} is the raw image, {SAMPLE}{key}/{TRUTH} its ground "
            "truth."
        )
    return key, part


def is_fit(path: str) -> bool:
    """Return whether a file is a saved fit, by its suffix."""
    return path.endswith(FITTED_SUFFIX)


def is_other_image(layer: str) -> bool:
    """Return whether a layer has the name of another image of a fit, such as its background."""
    what, dot, _ = layer.partition(f" {DOT} ")
    words = [word for method in METHODS.values() for word in method.layers[1:]]
    return bool(dot) and any(what == word or what.startswith(f"{word} ") for word in words)


def is_figure(path: str) -> bool:
    """Return whether a file is a figure or a movie, by its suffix."""
    return path.lower().endswith((".png", ".svg", ".pdf", ".mp4", ".gif"))


def unreadable(layer: str, source: Source) -> str:
    """Return why a source cannot be read without napari, and what to do; empty if it can.

    Parameters
    ----------
    layer
        Name of the layer.
    source
        What the layer was read from.
    """
    if source.reader:
        opened = f"{source.path} was opened by the reader {source.reader!r} of napari"
        return f"{opened}; save layer {layer!r} as TIFF and give that file"
    if not source.path or source.path.startswith(SAMPLE):
        return f"give the file of layer {layer!r}"
    return ""


def file_name(layer: str) -> str:
    """Return a file name for a layer that every operating system allows; its source is first."""
    plain = name_before(one_line(layer))
    name = PurePath(re.sub(r'[\\/:*?"<>|]+', "-", plain)).name
    return re.sub(r"^~+", "-", name) or "image"  # a path that starts with ~ is in a home folder


def layer_stem(path: str) -> str:
    """Return the beginning of the names of the layers of a file: its name without extension.

    Numbered files are called after their folder, or after what their names have in common.

    Parameters
    ----------
    path
        A file, a folder, or a pattern such as `movie/t*.tif`.
    """
    name = PurePath(path).name
    for suffix in (*SUFFIXES, *READ_ONLY, FITTED_SUFFIX):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
            break
    if "*" in name:
        name = re.sub(r"\*|\d+", "", name).strip(" -_.") or name
    return clean_name(name)


def variable(name: str, taken: set[str]) -> Code:
    """Return a variable named after a layer.

    Parameters
    ----------
    name
        Name of the layer.
    taken
        Names that are in use; the new one is added.
    """
    stem = re.sub(r"\W+", "_", name_before(name), flags=re.ASCII).strip("_").lower() or "image"
    stem = f"image_{stem}" if stem[0].isdigit() or keyword.iskeyword(stem) else stem
    found, number = stem, 2
    while found in taken:
        found, number = f"{stem}_{number}", number + 1
    taken.add(found)
    return lines.name(found)


def first(names: tuple[str, ...]) -> str:
    """Return the first name, or an empty one if there is none."""
    return names[0] if names else ""
