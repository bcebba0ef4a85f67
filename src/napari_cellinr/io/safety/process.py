"""Which process wrote something: its number, when it started, and on which computer."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import psutil

__all__ = ["SAME_START", "Writer", "is_alive", "this_process"]

SAME_START: Final = 60.0
"""Seconds by which two readings of the start time of one process may differ: it is counted from the
start of the computer, which shifts when the clock is set. A process that gets the number of an
interrupted one has nearly always started much later."""

_MARK: Final = re.compile(r"p([0-9]{1,10})s([0-9]{1,12})h([0-9a-f]{8})")


@dataclass(frozen=True)
class Writer:
    """The process that wrote a temporary file, as the name of the file gives it.

    Parameters
    ----------
    pid
        Its number.
    started
        When it started, in whole seconds as `time.time` counts them.
    host
        Eight hexadecimal digits for the computer, and for the container if it runs in one.
    """

    pid: int
    started: int
    host: str

    @property
    def mark(self) -> str:
        """The text that names it, such as `p4021s1764370652h0f3a9c11`."""
        return f"p{self.pid}s{self.started}h{self.host}"

    @property
    def is_gone(self) -> bool:
        """Whether it ran on this computer and has ended; False where that cannot be known."""
        return self.host == _host() and not is_alive(self.pid, self.started)

    @classmethod
    def of_mark(cls, text: str) -> Writer | None:
        """Return the writer that a mark names, or None if it is no mark."""
        found = _MARK.fullmatch(text)
        return None if found is None else cls(int(found[1]), int(found[2]), found[3])


def this_process() -> Writer:
    """Return the process that asks."""
    return _writer(os.getpid())


def is_alive(pid: int, started: float) -> bool:
    """Return whether a process is the one that began at a time, and has not ended.

    Parameters
    ----------
    pid
        Number of the process.
    started
        Seconds as `time.time` counts them.
    """
    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - started) <= SAME_START
        return is_same and bool(process.status() != psutil.STATUS_ZOMBIE)
    except (psutil.Error, OSError, ValueError, OverflowError):
        return False  # it has ended, or there was never one of this number


@lru_cache(maxsize=1)
def _writer(pid: int) -> Writer:
    """Return this process; asked again in a copy of it, which has another number."""
    return Writer(pid, int(psutil.Process(pid).create_time()), _host())


@lru_cache(maxsize=1)
def _host() -> str:
    """Return eight digits for this computer; those of its containers count processes apart."""
    try:
        container = str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:  # no Linux
        container = ""
    return hashlib.sha256(f"{platform.node()} {container}".encode()).hexdigest()[:8]
