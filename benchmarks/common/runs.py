"""Finished runs on disk, and the time and memory that they took."""

from __future__ import annotations

import hashlib
import json
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Run:
    """What one method made of one image or series.

    Parameters
    ----------
    arrays
        File of the results by name.
    record
        Settings, seconds, memory and whatever else the method reports.
    """

    arrays: Path
    record: dict[str, Any]

    def load(self, name: str = "result") -> np.ndarray | None:
        """Return one result as float32, or None if the method does not make it."""
        with np.load(self.arrays) as stored:
            return stored[name].astype(np.float32) if name in stored else None


@dataclass(frozen=True, eq=False)
class Entry:
    """One finished run and its scores; `current` if it was made by the present code."""

    run: Run
    scores: dict[str, Any]
    current: bool = True

    def value(self, name: str) -> float:
        """Return a score or a cost by its name; NaN if there is none."""
        return float(self.scores.get(name, self.run.record.get(name, np.nan)))


def stored_run(path: Path) -> Run | None:
    """Return the run that is kept at a path without suffix, or None."""
    record = path.with_suffix(".json")
    if not record.exists():
        return None
    return Run(path.with_suffix(".npz"), json.loads(record.read_text()))


def digest(*contents: bytes) -> str:
    """Return twelve hexadecimal digits that identify some contents."""
    found = hashlib.sha1(usedforsecurity=False)
    for content in contents:
        found.update(content)
    return found.hexdigest()[:12]


def digest_of(files: Iterable[Path]) -> str:
    """Return a digest of the contents of files."""
    return digest(*(file.read_bytes() for file in files))


def code_files(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """Return the files on which kept results depend; an error if a pattern finds none."""
    found: set[Path] = set()
    for pattern in patterns:
        files = set(folder.glob(pattern))
        if not files:
            raise FileNotFoundError(f"no {pattern} in {folder}: correct the list of this benchmark")
        found |= files
    return sorted(found)


def cpu_seconds() -> float:
    """Return CPU seconds of this process and its finished children."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, kinds))


def peak_mb() -> float:
    """Return the largest memory of this process so far in MB (Linux).

    `ru_maxrss` also counts the process that started it, before the program was loaded.
    """
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def failure(log: Path) -> str:
    """Return the last line of the log of a process that failed."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no message"
