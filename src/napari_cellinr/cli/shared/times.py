"""Times that are given to a command, in the unit of the file or in one that follows them."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Final

from napari_cellinr.cli.shared.progress import say_warning
from napari_cellinr.errors import ConfigError
from napari_cellinr.io.metadata.units import TIMES

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Moments", "in_unit", "moments_of", "parse_moments"]

_SHORT: Final = {
    "ns": "nanosecond",
    "us": "microsecond",
    "\u00b5s": "microsecond",  # the sign micro, and the Greek letter
    "\u03bcs": "microsecond",
    "ms": "millisecond",
    "s": "second",
    "min": "minute",
    "h": "hour",
    "d": "day",
}
"""Units that may follow times, as in `0,20,40ms`."""


class Moments(tuple[float, ...]):
    """Times with the unit in which they were given.

    Attributes
    ----------
    unit
        The unit; empty for that of the file.
    """

    unit: str = ""


def parse_moments(text: str) -> Moments:
    """Return the times of an option, as `moments_of`; errors are those of argparse."""
    try:
        return moments_of(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def moments_of(text: str) -> Moments:
    """Return times from text such as `0,2.5,5` or `0:10:0.5ms`.

    Parameters
    ----------
    text
        A list, or first:last:step (both ends included), and perhaps a unit for all of them.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    from napari_cellinr.fitting.saved.query import times_of

    text = text.strip()
    found = re.search(rf"(?<=[\d.\s])({'|'.join(_SHORT)})$", text)
    moments = Moments(times_of(text if found is None else text[: found.start()]))
    moments.unit = "" if found is None else _SHORT[found[1]]
    return moments


def in_unit(
    times: Sequence[float], axes: str, units: Sequence[str], wanted: str = ""
) -> tuple[float, ...]:
    """Return times in the unit in which a fit counts, and say in which they are taken.

    Parameters
    ----------
    times
        The times, in the unit of the file if they are no `Moments` with a unit.
    axes, units
        Axes of the file, and their units.
    wanted
        The unit in which the fit counts; empty for that of the file.
    """
    unit = getattr(times, "unit", "")
    own = units[axes.index("T")] if "T" in axes else wanted
    if own not in TIMES:  # times are counted in frames
        if unit:
            say_warning("--times are taken in frames, since the file states no frame time.")
        return tuple(times)
    given, wanted = unit or own, wanted or own
    if given == wanted:
        return tuple(times)
    if not unit:
        say_warning(f"--times are taken in the unit of the file, which is {own}.")
    return tuple(time * TIMES[given] / TIMES[wanted] for time in times)
