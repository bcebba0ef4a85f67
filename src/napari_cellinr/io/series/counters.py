"""What the numbers in the names of files count: time points, planes, channels."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from napari_cellinr.errors import FileError
from napari_cellinr.io.series.dates import seconds_in_names, seconds_of_day
from napari_cellinr.io.series.gaps import UNEVEN, gap_warning, gaps_in, places_in, shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["THINGS", "Counter", "Grid", "grid_of", "same_suffix", "with_stars"]

_UNITS = "um|µm|nm|mm|ms|s|min|h"
_NUMBER: Final = re.compile(rf"(\d+\.\d+(?=[ _]?(?:{_UNITS})(?![a-z]))|\d+)")
"""A whole number; a decimal one only before a unit, because a point also separates counters."""

_LETTERS: Final = re.compile(r"([a-z]+)[ _.=-]*$", re.IGNORECASE)
_SUFFIX: Final = re.compile(r"\.tiff?$", re.IGNORECASE)
_LAST_WORD: Final = re.compile(r"[A-Z]?[a-z]*$")

_LABELS: Final = {
    **dict.fromkeys(("t", "tp", "time", "timepoint", "frame"), "T"),
    **dict.fromkeys(("c", "ch", "chan", "channel", "w", "wave", "wavelength"), "C"),
    **dict.fromkeys(("z", "slice", "plane"), "Z"),
}
"""Axis by what is written before a number."""

_PLACES: Final = {"fov", "field", "pos", "position", "roi", "site", "tile", "well", "xy"}
"""What is written before a number that counts places on the stage, and not times."""

THINGS: Final = {"T": "time points", "Z": "z planes", "C": "channels"}
"""What is counted along an axis."""

_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth")


@dataclass(frozen=True)
class Counter:
    """A number that differs between the names of files.

    Parameters
    ----------
    place
        Which of the numbers in a name it is, from 0.
    label
        Letters before it, in lower case; empty if there are none.
    texts
        The number in each name, as it is written.
    """

    place: int
    label: str
    texts: tuple[str, ...]

    @property
    def numbers(self) -> tuple[float, ...]:
        """The number in each name."""
        return tuple(map(_number, self.texts))

    @property
    def levels(self) -> list[float]:
        """The numbers in ascending order, each once."""
        return sorted(set(self.numbers))

    @property
    def axis(self) -> str:
        """The axis that the letters before the number mean; empty if unknown."""
        return _LABELS.get(self.label, "")

    @property
    def title(self) -> str:
        """What a message calls it, with its range."""
        place = _ORDINALS[self.place] if self.place < len(_ORDINALS) else f"{self.place + 1}th"
        name = f"{self.label!r}" if self.label else f"the {place} number"
        return f"{name} ({shown(self.levels[0])} to {shown(self.levels[-1])})"


@dataclass(frozen=True)
class Grid:
    """Files in the order in which they fill one or more axes.

    Parameters
    ----------
    paths
        The files; the last axis varies fastest.
    axes
        The axes along which they are stacked, in the order T, C, Z.
    shape
        Number of files along each.
    channels
        Names of the channels if they are stacked along C.
    varying
        Which numbers in a name differ between the files, from 0.
    warnings
        Sentences about numbers that are missing, or mean another axis.
    gaps
        What `warnings` say about numbers or dates that are missing, without what follows from
        it: sentences without a capital letter and a full stop.
    axis_in_names
        The axis that the letters before a single number mean; empty if unknown.
    places
        Where the frames are in time, in steps from the first, if frames are missing.
    """

    paths: tuple[Path, ...]
    axes: str
    shape: tuple[int, ...]
    channels: tuple[str, ...] = ()
    varying: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    axis_in_names: str = ""
    places: tuple[float, ...] = ()

    def numbers(self) -> tuple[float, ...]:
        """Return the numbers in the names of the files; empty if they count more than one thing."""
        if len(self.varying) != 1 or len(self.axes) != 1:
            return ()
        return tuple(_number(_NUMBER.findall(path.name)[self.varying[0]]) for path in self.paths)


def grid_of(paths: Sequence[Path], stack_axis: str) -> Grid:
    """Return how files are stacked: along one axis, or along all that their names count.

    Names that count two or more things, such as `img_t001_z002.tif`, are stacked along all of
    them if the letters before the numbers say which axes they are and no file is missing.

    Parameters
    ----------
    paths
        Files in the order of the numbers in their names.
    stack_axis
        `T` or `Z`, the axis that the user gave.

    Raises
    ------
    FileError
        If the names count several things that cannot be told apart, or two files have the same
        number.
    """
    names = _relative(paths)
    parts = [_NUMBER.split(name) for name in names]
    if len({tuple(part[::2]) for part in parts}) > 1:
        _check_unlike(paths, parts)
        return Grid(tuple(paths), stack_axis, (len(paths),))
    varying = _varying(parts)
    counters = _needed(varying)
    seconds = seconds_in_names(names) if len(counters) > 1 else []
    if seconds:
        return _dated(paths, seconds, stack_axis)
    if len(counters) > 1:
        return _over_axes(paths, counters, stack_axis, tuple(c.place for c in varying))
    counter = counters[0] if counters else Counter(0, "", ("0",) * len(paths))
    order = sorted(range(len(paths)), key=lambda i: counter.numbers[i])
    _check_distinct(paths, counter)
    ordered = tuple(paths[i] for i in order)
    places = tuple(found.place for found in varying)
    gaps = gaps_in(counter.levels)
    seconds = (seconds_in_names(names) or seconds_of_day(counter.texts)) if gaps else []
    if seconds:  # 5 s lie between 095955 and 100000
        dated = _dated(paths, seconds, stack_axis)
        return replace(dated, warnings=(*_other_axis(counter, stack_axis), *dated.warnings))
    counts_time = counter.axis in {"", "T"} and counter.label not in _PLACES
    in_time = places_in(counter.levels) if stack_axis == "T" and counts_time else ()
    warnings = tuple(gap_warning(gap, THINGS[stack_axis], stack_axis, in_time) for gap in gaps)
    return Grid(
        ordered,
        stack_axis,
        (len(paths),),
        varying=places,
        warnings=(*_other_axis(counter, stack_axis), *warnings),
        gaps=gaps,
        axis_in_names=counter.axis,
        places=in_time,
    )


def _dated(paths: Sequence[Path], seconds: Sequence[int], stack_axis: str) -> Grid:
    """Return files in the order of the dates or times in their names."""
    order = sorted(range(len(paths)), key=lambda i: seconds[i])
    ordered = tuple(paths[i] for i in order)
    steps = [seconds[b] - seconds[a] for a, b in pairwise(order)]
    usual = min(steps)
    long = [i for i, step in enumerate(steps) if step >= UNEVEN * usual]
    gaps = tuple(
        "the dates or times in the names of the files are not equally spaced: "
        f"{ordered[i].name} is followed by {ordered[i + 1].name} after {steps[i]} s, others after "
        f"{usual} s"
        for i in long[:1]
    )
    warnings = tuple(
        f"{gap}. A constant step along {stack_axis}, and what is computed between them, are wrong "
        "there."
        for gap in gaps
    )
    return Grid(ordered, stack_axis, (len(paths),), warnings=warnings, gaps=gaps)


def with_stars(name: str, places: Sequence[int]) -> str:
    """Return a file name as a pattern, with `*` for some of the numbers in it.

    Parameters
    ----------
    name
        Name of a file.
    places
        Which of its numbers are replaced, from 0.
    """
    parts = _NUMBER.split(name)
    odd = {2 * place + 1 for place in places}
    return "".join("*" if i in odd else part for i, part in enumerate(parts))


def _relative(paths: Sequence[Path]) -> list[str]:
    """Return the names below the folder that all files have in common, suffixes spelt alike."""
    alike = [path.with_name(same_suffix(path.name)) for path in paths]
    folders = {str(path.parent) for path in paths}
    if len(folders) == 1:
        return [path.name for path in alike]
    try:
        common = os.path.commonpath([str(path.parent.absolute()) for path in paths])
    except ValueError:  # on different drives
        return [str(path) for path in alike]
    return [path.absolute().relative_to(common).as_posix() for path in alike]


def same_suffix(name: str) -> str:
    """Return the name of a TIFF with the usual spelling of its suffix: `t1.TIFF` as `t1.tif`."""
    return _SUFFIX.sub(".tif", name)


def _check_unlike(paths: Sequence[Path], parts: Sequence[Sequence[str]]) -> None:
    """Raise `FileError` if names differ in text, and the numbers in them repeat."""
    seen: dict[tuple[str, ...], int] = {}
    for index, part in enumerate(parts):
        numbers = tuple(part[1::2])
        if numbers and numbers in seen:
            raise FileError(
                f"{paths[seen[numbers]].name} and {paths[index].name} have the same number; these "
                "files are more than one series. Give the files of one series only, for example "
                "by a pattern."
            )
        seen[numbers] = index


def _varying(parts: Sequence[Sequence[str]]) -> list[Counter]:
    found = []
    for place in range(len(parts[0]) // 2):
        texts = tuple(part[2 * place + 1] for part in parts)
        counter = Counter(place, _label(parts[0][2 * place]), texts)
        if len(counter.levels) > 1:
            found.append(counter)
    return found


def _label(before: str) -> str:
    """Return the word before a number; of several in camel case, the last if it is an axis."""
    found = _LETTERS.search(before)
    if found is None:
        return ""
    word = found.group(1)
    last = _LAST_WORD.search(word)
    tail = last.group(0).lower() if last else ""
    return tail if word.lower() not in _LABELS and tail in _LABELS else word.lower()


def _needed(varying: Sequence[Counter]) -> list[Counter]:
    """Return the counters without those that say nothing more than the others.

    These are counters that grow together, and a running number of files that others identify.
    """
    kept: list[Counter] = []
    for counter in varying:
        same = next((i for i, other in enumerate(kept) if _grow_together(counter, other)), None)
        if same is None:
            kept.append(counter)
        elif not kept[same].axis:
            kept[same] = counter
    if len(kept) < 2:
        return kept
    for counter in kept:
        others = [other for other in kept if other is not counter]
        is_running = len(counter.levels) == len(counter.texts) and not counter.axis
        if is_running and len(others) > 1 and _identify(others) and all(o.axis for o in others):
            return others
    return kept


def _grow_together(counter: Counter, other: Counter) -> bool:
    """Return whether two counters are in the same order, one to one."""
    if counter.axis and other.axis and counter.axis != other.axis:
        return False
    pairs = sorted(set(zip(counter.numbers, other.numbers, strict=True)))
    rising = all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(pairs))
    return rising and len(pairs) == len(counter.levels)


def _identify(counters: Sequence[Counter]) -> bool:
    places = list(zip(*(counter.numbers for counter in counters), strict=True))
    return len(set(places)) == len(places)


def _over_axes(
    paths: Sequence[Path], counters: Sequence[Counter], stack_axis: str, varying: tuple[int, ...]
) -> Grid:
    """Return the files along several axes.

    Raises
    ------
    FileError
        If the axes are not known, or files are missing.
    """
    axes = [counter.axis for counter in counters]
    if not all(axes) or len(set(axes)) < len(axes) or stack_axis not in axes:
        raise FileError(_ambiguous(paths, counters, stack_axis))
    ordered = sorted(counters, key=lambda counter: "TCZ".index(counter.axis))
    places = list(zip(*(counter.numbers for counter in ordered), strict=True))
    shape = tuple(len(counter.levels) for counter in ordered)
    if len(set(places)) != len(places) or len(places) != math.prod(shape):
        raise FileError(_incomplete(paths, ordered, shape))
    order = sorted(range(len(paths)), key=lambda i: places[i])
    channels = next((c for c in ordered if c.axis == "C"), None)
    gaps = [(gap, c) for c in ordered if c.axis != "C" for gap in gaps_in(c.levels)]
    in_time = {c.axis: places_in(c.levels) for c in ordered if c.axis == "T"}
    return Grid(
        tuple(paths[i] for i in order),
        "".join(counter.axis for counter in ordered),
        shape,
        tuple(f"{channels.label}{shown(n)}" for n in channels.levels) if channels else (),
        varying,
        tuple(gap_warning(g, THINGS[c.axis], c.axis, in_time.get(c.axis, ())) for g, c in gaps),
        tuple(gap for gap, _ in gaps),
        places=in_time.get("T", ()),
    )


def _ambiguous(paths: Sequence[Path], counters: Sequence[Counter], stack_axis: str) -> str:
    titles = " and ".join(counter.title for counter in counters)
    along = next((c for c in counters if c.axis == stack_axis), counters[0])
    pattern = with_stars(paths[0].name, (along.place,))
    return (
        f"the names of the {len(paths)} files count {len(counters)} things: {titles}; along one "
        f"axis {stack_axis} they would be mixed. Give a pattern that leaves only one of them open, "
        f"such as {pattern}. Names with t, z and c before the numbers, such as "
        "img_t001_z02_c1.tif, are read as one image with these axes."
    )


def _incomplete(paths: Sequence[Path], counters: Sequence[Counter], shape: Sequence[int]) -> str:
    titles = " and ".join(counter.title for counter in counters)
    return (
        f"the names of the files count {titles}, but there are {len(paths)} files instead of "
        f"{' x '.join(map(str, shape))} = {math.prod(shape)}. Add the missing files, remove those "
        f"of incomplete time points, or give a pattern that leaves only one number open, such as "
        f"{with_stars(paths[0].name, (counters[0].place,))}."
    )


def _check_distinct(paths: Sequence[Path], counter: Counter) -> None:
    seen: dict[float, Path] = {}
    for path, number in zip(paths, counter.numbers, strict=True):
        if number in seen:
            raise FileError(
                f"{seen[number].name} and {path.name} have the same number; give only one of them."
            )
        seen[number] = path


def _other_axis(counter: Counter, axis: str) -> tuple[str, ...]:
    """Return a warning if the letters before the number mean another axis; empty if not."""
    if counter.axis in {"", axis}:
        return ()
    return (
        f"the names of the files count {counter.title}, which usually means "
        f"{THINGS[counter.axis]}; they are read as {THINGS[axis]}, as requested.",
    )


def _number(text: str) -> float:
    """Return a number; whole ones exactly, because dates with a time have up to 17 digits."""
    return int(text) if text.isdecimal() else float(text)
