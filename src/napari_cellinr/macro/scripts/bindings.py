"""Which step of a script a layer comes from, where the script does not say it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_cellinr.errors import FileError
from napari_cellinr.macro.actions import FITS, action_of
from napari_cellinr.macro.naming import (
    SAMPLE,
    is_fit,
    is_made_of,
    layer_stem,
    name_before,
    sample_part,
    what_of,
    without_number,
)
from napari_cellinr.macro.source import Source
from napari_cellinr.macro.steps import Step
from napari_cellinr.simulate.samples import truth_name

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["continued", "with_results"]

_REPEATED = re.compile(r"(.+) \[(\d+)\]")
"""How napari names a layer whose name is taken: `embryo [1]`."""


def with_results(steps: Sequence[Step]) -> list[Step]:
    """Return the steps with results that later steps use, where a script or recipe has no names.

    A layer that no step names is, in this order: a result of the last computation that gives
    such a name to what it made from its source; a layer of the opened file whose name it starts
    with; before any computation, a layer of the only opened file. A name of no result of a layer
    that was computed with, such as `embryo denoized`, stays unknown.
    """
    known: set[str] = set()
    found = list(steps)
    for index, step in enumerate(steps):
        for source in step.sources:
            if source.layer and not source.path and source.layer not in known:
                maker = _maker(source.layer, found[:index])
                if maker is not None:
                    results = (*found[maker].results, source.layer)
                    found[maker] = replace(found[maker], results=results)
            known.add(source.layer)
        known.update(step.results)
    return [
        one if one is step else action_of(one).with_names(one)
        for one, step in zip(found, steps, strict=True)
    ]


def _maker(layer: str, steps: Sequence[Step]) -> int | None:
    """Return which of the steps made a layer; None for one that was there before."""
    made = [i for i, step in enumerate(steps) if action_of(step).makes_layers]
    sources = {i: _source_of(layer, steps, i) for i in made}
    of_source = [i for i in made if sources[i]]
    used = max((len(sources[i]) for i in of_source), default=0)
    # `cells denoised [2]` is another `cells denoised`, made from `cells` or from the first one.
    again = without_number(layer) in {sources[i] for i in of_source}
    named = [
        i
        for i in of_source
        if (again or len(sources[i]) == used) and _is_result(layer, sources[i], steps[i])
    ]
    if named:
        return named[-1]
    opened = [i for i, step in enumerate(steps) if _is_open(step)]
    stems = [(i, layer_stem(steps[i].source.path)) for i in opened]
    of_file = _opened_as(layer, [(i, stem) for i, stem in stems if len(stem) > used])
    of_file = _same_name(layer, stems) if of_file is None else of_file
    of_file = _of_sample(layer, steps) if of_file is None else of_file
    if of_file is not None:
        return of_file
    if made:  # a script of version 0.1 may call a layer what it is: `background`
        called = [i for i in made if _is_result(layer, "", steps[i])]
        return called[-1] if called and not of_source else None
    free = [i for i in opened if is_fit(steps[i].source.path)] or opened
    return free[0] if len(free) == 1 else None


def _source_of(layer: str, steps: Sequence[Step], number: int) -> str:
    """Return the source in the name of a layer, if a step may have made the layer; else nothing.

    Arrows, tracks and conventional results are named after the image, not after the result that
    they belong to.
    """
    source = steps[number].source.layer
    if is_made_of(layer, source):
        return source
    if not action_of(steps[number]).named_after_image:
        return ""
    fits = [one.source.layer for one in steps[:number] if one.action in FITS]
    return next((s for s in fits[::-1] if is_made_of(layer, s) and is_made_of(source, s)), "")


def _is_result(layer: str, source: str, step: Step) -> bool:
    """Return whether a layer has the name of a result of a step, beside that of its source."""
    what, action = what_of(layer, source), action_of(step)
    if action.only_numbered and without_number(layer) == source != layer:
        return True
    words = action.layers
    return any(what == word or what.startswith(f"{word} ") for word in words)


def _same_name(layer: str, stems: Sequence[tuple[int, str]]) -> int | None:
    """Return the step that opened the second, third … file of a name: `embryo [1]` and on."""
    repeated = _REPEATED.fullmatch(layer)
    same = [i for i, stem in stems if repeated and stem == repeated[1]]
    return same[int(repeated[2])] if repeated and int(repeated[2]) < len(same) else None


def _of_sample(layer: str, steps: Sequence[Step]) -> int | None:
    """Return the step that opened the sample whose ground truth has the name of a layer."""
    for i, step in enumerate(steps):
        path = step.source.path
        if _is_open(step) and path.startswith(SAMPLE) and truth_name(sample_part(path)[0]) == layer:
            return i
    return None


def _is_open(step: Step) -> bool:
    return action_of(step).opens and not step.source.layer


def _opened_as(layer: str, opened: Sequence[tuple[int, str]]) -> int | None:
    """Return the step that opened the file of a layer, by the beginning of its name."""
    layer = name_before(layer)
    repeated = _REPEATED.fullmatch(layer)
    choices = [(repeated[1], int(repeated[2]))] if repeated else []
    for word, place in (*choices, (layer, 0)):
        fitting = [stem for _, stem in opened if word == stem or word.startswith(f"{stem} ")]
        longest = max(fitting, key=len, default=None)
        same = [i for i, stem in opened if stem == longest]
        if place < len(same):
            return same[place]
    return None


def continued(steps: Sequence[Step], layer: str, more: int) -> Step:
    """Return the step of `cellinr.continue_fit(layer, steps)`.

    Parameters
    ----------
    steps
        The steps before.
    layer
        A result of one of them.
    more
        Number of additional steps of the fit.

    Raises
    ------
    FileError
        If none of them has made this layer by a fit.
    """
    fits = [step for step in steps if step.action in FITS]
    made = [step for step in fits if layer in step.results]
    made = made or [step for step in fits if is_made_of(layer, step.source.layer)]
    if not made:
        raise FileError(
            f"cellinr.continue_fit was given {layer!r}, which no step before has fitted; give the "
            "result of a fit in this macro."
        )
    source = Source(made[-1].source.layer)
    arguments = {"steps": more}
    return Step(made[-1].action, (source, Source(layer)), arguments, beginning="continue_from")
