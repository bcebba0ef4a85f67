"""Numbers that are missing between those in the names of files."""

from __future__ import annotations

import math
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Final

from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["UNEVEN", "gap_warning", "gaps_in", "places_in", "shown"]

UNEVEN: Final = 1.5
"""Ratio of two differences between successive numbers above which one of them is a gap."""

_MOST_NAMED: Final = 8


def gaps_in(levels: Sequence[float]) -> tuple[str, ...]:
    """Return which numbers are missing between others, in one sentence; empty if none are.

    Parameters
    ----------
    levels
        The numbers in ascending order, each once.

    Returns
    -------
    tuple of str
        At most one sentence, without a capital letter and a full stop.
    """
    if len(levels) < 2:
        return ()
    steps = [b - a for a, b in pairwise(levels)]
    usual = min(steps)
    gaps = [i for i, step in enumerate(steps) if step >= UNEVEN * usual]
    if not gaps:
        return ()
    regular = all(math.isclose(step, usual * round(step / usual)) for step in steps)
    missing = f" ({_missing(levels, gaps, usual)})" if regular else ""
    before, after = shown(levels[gaps[0]]), shown(levels[gaps[0] + 1])
    return (
        f"numbers are missing in the names of the files{missing}: {before} is followed by {after}",
    )


def places_in(levels: Sequence[float]) -> tuple[float, ...]:
    """Return the place of each number in steps from the first; empty without a gap.

    A step is the smallest difference between successive numbers.

    Parameters
    ----------
    levels
        The numbers in ascending order, each once.
    """
    if not gaps_in(levels):
        return ()
    usual = min(b - a for a, b in pairwise(levels))
    places = [(level - levels[0]) / usual for level in levels]
    whole = [float(round(place)) for place in places]
    is_whole = all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(places, whole, strict=True))
    return tuple(whole if is_whole else places)


def gap_warning(gap: str, what: str, axis: str, places: Sequence[float] = ()) -> str:
    """Return a warning about a gap, with what it means for the image.

    Parameters
    ----------
    gap
        The gap, as `gaps_in` says it.
    what
        What the numbers count, such as `time points`.
    axis
        Its axis.
    places
        Where frames are in time, in steps, as `places_in` says it; empty along other axes.
    """
    if len(places):
        lacking = round(places[-1]) + 1 - len(places)
        missing = f", {n_of(lacking, 'frame is', 'frames are')} missing" if lacking else ""
        return (
            f"{gap}. That is a gap in time{missing}: the frames "
            "keep the times that their numbers say."
        )
    return (
        f"{gap}. The {what} are therefore not equally spaced; a constant step along {axis}, and "
        "what is computed between them, are wrong there. Add the missing files, or use the files "
        "on one side of the gap."
    )


def _missing(levels: Sequence[float], gaps: Sequence[int], step: float) -> str:
    """Return the first missing numbers, separated by commas."""
    found = (
        shown(levels[i] + step * n)
        for i in gaps
        for n in range(1, round((levels[i + 1] - levels[i]) / step))
    )
    first = list(islice(found, _MOST_NAMED + 1))
    return ", ".join(first if len(first) <= _MOST_NAMED else [*first[:-1], "…"])


def shown(number: float) -> str:
    """Return a number as text, a whole one without a point."""
    return str(int(number)) if number == int(number) else f"{number:g}"
