"""Steps and positions from the coordinate transformations of OME-Zarr."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.image import UNCALIBRATED
from napari_cellinr.io.metadata.plausible import unused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["placed"]


def placed(
    path: Path | str,
    axes: str,
    units: list[str],
    scales: Mapping[str, Any],
    dataset: Mapping[str, Any],
) -> tuple[tuple[float, ...], tuple[float, ...], list[str], tuple[str, ...]]:
    """Return steps, position of the first element, units, and sentences about what is not used.

    Parameters
    ----------
    path
        The folder, for the sentences.
    axes
        One letter per dimension.
    units
        The unit along each axis, as the metadata state it.
    scales, dataset
        The metadata of the image and of the level.
    """
    stated, translate, faults = _transformed(path, scales, dataset, axes)
    if stated is None:
        known = any(unit != UNCALIBRATED for unit in units)
        text = f"{path} states units, but no steps (scale); they are read as unknown."
        faults = faults or ([text] if known else [])
        stated, units = (1.0,) * len(axes), [UNCALIBRATED] * len(axes)
    scale, units, odd = _usable(path, axes, stated, units)
    wrong = [place for place in translate if not math.isfinite(place)]
    faults += [unused(path, "a translation", place) for place in wrong]
    translate = tuple(place + 0.0 if math.isfinite(place) else 0.0 for place in translate)
    return scale, translate, units, (*faults, *odd, *_ignored(path, scales, dataset))


def _transformed(
    path: Path | str, scales: Mapping[str, Any], dataset: Mapping[str, Any], axes: str
) -> tuple[tuple[float, ...] | None, tuple[float, ...], list[str]]:
    """Return step and position of the first element, from the transforms of level and group.

    Parameters
    ----------
    path
        The folder, for the warnings.
    scales, dataset
        The metadata of the image and of the level.
    axes
        One letter per dimension.

    Returns
    -------
    scale
        Steps; `None` if the level states none.
    place
        Position of the first element.
    warnings
        Sentences about transforms that cannot be used.
    """
    n = len(axes)
    scale, place, stated = np.ones(n), np.zeros(n), False
    changes, strange = _changes(scales, dataset)
    texts = [unused(path, "coordinateTransformations", entry) for entry in strange]
    for change in changes:
        kind = str(change.get("type"))
        if kind not in {"scale", "translation"}:
            continue
        numbers = _numbers(change.get(kind), n)
        if numbers is None:
            texts.append(unused(path, f"the {kind}", change.get(kind)))
        elif kind == "scale":
            stated = True
            usable = np.isfinite(numbers) & (numbers != 0)
            scale, place = scale * numbers, place * np.where(usable, numbers, 1)
        else:
            place = place + numbers
    return tuple(scale.tolist()) if stated else None, tuple(place.tolist()), texts


def _numbers(stated: Any, n: int) -> NDArray[np.float64] | None:
    """Return a list of as many numbers as there are axes, `None` for anything else."""
    try:
        numbers = np.asarray(stated, float)
    except (TypeError, ValueError):
        return None
    return numbers if numbers.shape == (n,) else None


def _usable(
    path: Path | str, axes: str, scale: tuple[float, ...], units: list[str]
) -> tuple[tuple[float, ...], list[str], tuple[str, ...]]:
    """Return steps and units with unknown ones for steps of 0, positive ones for negative steps.

    Parameters
    ----------
    path
        The folder, for the warnings.
    axes
        One letter per dimension.
    scale, units
        Steps and units as the metadata state them.

    Returns
    -------
    scale, units
        Those that an image can have.
    warnings
        Sentences about the others.
    """
    steps, names, texts = list(scale), list(units), []
    for place, (axis, step) in enumerate(zip(axes, scale, strict=True)):
        if math.isfinite(step) and step > 0:
            continue
        if math.isfinite(step) and step < 0:
            steps[place] = -step
            texts.append(
                f"{path} states a step of {step:g} along {axis}, which counts against the "
                f"direction of the axis; it is read as {-step:g}, and the values as they are."
            )
            continue
        steps[place], names[place] = 1.0, UNCALIBRATED
        if axis != "C":  # channels have no distance
            texts.append(f"{path} states a step of {step:g} along {axis}; it is read as unknown.")
    return tuple(steps), names, tuple(texts)


def _ignored(
    path: Path | str, scales: Mapping[str, Any], dataset: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return a sentence about transforms that an `Image` cannot have; empty if there are none."""
    changes, _ = _changes(scales, dataset)
    others = {str(change.get("type")) for change in changes} - {"scale", "translation", "identity"}
    if not others:
        return ()
    return (
        f"{path} states a transformation of type {', '.join(sorted(others))}, which is not "
        "applied: the axes of the image may be turned against the stage.",
    )


def _changes(
    scales: Mapping[str, Any], dataset: Mapping[str, Any]
) -> tuple[list[Mapping[str, Any]], list[Any]]:
    """Return the transformations of a level, one after the other, and what is none.

    From version 0.6 on, those of the image lead to other coordinate systems.
    """
    parts = (dataset,) if "coordinateSystems" in scales else (dataset, scales)
    found = [one for part in parts for one in _flat(part.get("coordinateTransformations"))]
    changes: list[Mapping[str, Any]] = [one for one in found if isinstance(one, dict)]
    return changes, [one for one in found if not isinstance(one, dict)]


def _flat(stated: Any) -> Iterator[Any]:
    """Yield transformations, and those of a sequence in its place; some write one alone."""
    if stated is None:
        return
    for change in stated if isinstance(stated, list) else [stated]:
        if isinstance(change, dict) and change.get("type") == "sequence":
            inner = change.get("transformations")
            yield from inner if isinstance(inner, list) else [inner]
        else:
            yield change
