"""Files that are named by the date, and often the time, at which they were recorded."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["seconds_in_names", "seconds_of_day"]

_DATE: Final = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])"
    r"(?:[-_T. ]?([01]\d|2[0-3])([-_.h]?)([0-5]\d)(?:[-_.m]?([0-5]\d)s?)?)?(?!\d)"
)
"""A date such as 2024-03-30 or 20240330, and a time such as 23-59-50, 235950 or 23-59."""

_TIME: Final = re.compile(r"([01]\d|2[0-3])([0-5]\d)([0-5]\d)")
"""A time such as 235950."""


def seconds_in_names(names: Sequence[str]) -> list[int]:
    """Return the seconds from 1970 to the date in each name; none if names differ in more.

    A recording across midnight, or the end of a month, counts two numbers in its names, which
    grow together only in this way.
    """
    found = [list(_DATE.finditer(name)) for name in names]
    if any(len(dates) != 1 for dates in found):
        return []
    places = [dates[0] for dates in found]
    if any(date[6] == "" and date[8] is None for date in places):
        return []  # four digits such as 0012 are rather the number of a frame
    rests = {
        (name[: date.start()], name[date.end() :], *(group is None for group in date.groups()))
        for name, date in zip(names, places, strict=True)
    }
    if len(rests) > 1:
        return []
    seconds = [_seconds(date) for date in places]
    return [] if -1 in seconds or len(set(seconds)) < len(seconds) else seconds


def seconds_of_day(texts: Sequence[str]) -> list[int]:
    """Return the seconds from midnight to times such as 095958; none if they may be numbers.

    Before one o'clock, times such as 000012 are rather the numbers of frames.
    """
    found = [_TIME.fullmatch(text) for text in texts]
    times = [tuple(map(int, one.groups())) for one in found if one is not None]
    seconds = [3600 * hour + 60 * minute + second for hour, minute, second in times]
    return seconds if len(seconds) == len(texts) and max(seconds) >= 3600 else []


def _seconds(date: re.Match[str]) -> int:
    """Return the seconds to a date; -1 for one that the calendar does not have."""
    year, _, month, day, hour, _, minute, second = date.groups()
    numbers = (int(part or 0) for part in (year, month, day, hour, minute, second))
    try:
        return int(datetime(*numbers, tzinfo=UTC).timestamp())  # type: ignore[misc,arg-type]
    except ValueError:
        return -1
