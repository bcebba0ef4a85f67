"""The memory that this process may still take: of the machine, its control group and its limits.

Loads no torch, so that estimates can be shown before the first run.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import psutil

from napari_cellinr.errors import FitError

__all__ = [
    "available_memory",
    "check_room_for_libraries",
    "group_memory",
    "limit_memory",
    "n_threads",
]

LIBRARIES = 0.26e9
"""Address space in bytes that the libraries of a method and the smallest fit take."""

PER_THREAD = 20e6
"""Address space in bytes that they take in addition for each thread."""

GROUPS = Path("/sys/fs/cgroup")
"""Where Linux shows control groups."""

MEMBERSHIP = Path("/proc/self/cgroup")
"""The control groups of this process."""

_ARENA_MAX = -8
"""Number of the option of the GNU C library's allocator."""


def available_memory() -> float:
    """Return how many bytes this process can still take before it is refused or killed.

    The least of what the machine, the control groups (containers, batch systems) and the limit of
    the address space (`ulimit -v`) leave.
    """
    return max(0.0, min(float(psutil.virtual_memory().available), group_memory(), limit_memory()))


def limit_memory() -> float:
    """Return what the limit of the address space leaves, in bytes; infinity without a limit."""
    try:
        import resource
    except ImportError:  # Windows
        return float("inf")
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return float("inf")
    return float(limit - psutil.Process().memory_info().vms)


def check_room_for_libraries() -> None:
    """Check that a limit of the address space leaves room for the libraries of a method.

    A library that gets no memory for its threads ends the process or waits for ever; nothing can
    be caught then. If there is a limit, threads share one arena of the allocator from then on,
    since each arena would reserve 64 MB.

    Raises
    ------
    FitError
        If there is less.
    """
    if limit_memory() == float("inf"):
        return
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_ARENA_MAX, 1)
    needed = LIBRARIES + PER_THREAD * n_threads()
    left = limit_memory()
    if left < needed:
        raise FitError(
            f"The memory of this process is limited (ulimit -v), and {max(left, 0.0) / 1e9:.2f} GB "
            f"are left. The smallest fit needs {needed / 1e9:.2f} GB: raise the limit."
        )


def n_threads() -> int:
    """Return the number of threads of torch, as far as it can be known without loading it."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else os.cpu_count() or 1


def group_memory(groups: Path = GROUPS, membership: Path = MEMBERSHIP) -> float:
    """Return what the control groups of this process leave, in bytes; infinity without a limit.

    Pages of files that the system can drop count as free. A group is limited by those above it,
    too.

    Parameters
    ----------
    groups
        Folder of the control groups.
    membership
        File with a line `number:controllers:path` for each hierarchy.
    """
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return float("inf")
    left = [float("inf")]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            left += _along(groups, path, ("memory.max", "memory.current", "inactive_file"))
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            left += _along(groups / "memory", path, names)
    return min(left)


def _along(root: Path, path: str, names: tuple[str, str, str]) -> list[float]:
    """Return what a group and each one above it leave; a container may see only the root."""
    place = root / path.lstrip("/")
    above = [place, *place.parents]
    return [_left(one, *names) for one in above if one == root or root in one.parents]


def _left(group: Path, limit: str, used: str, droppable: str) -> float:
    try:
        most = float((group / limit).read_text(encoding="ascii").replace("max", "inf"))
        taken = float((group / used).read_text(encoding="ascii"))
        rows = (group / "memory.stat").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return float("inf")
    stat = dict(row.split() for row in rows if len(row.split()) == 2)
    return most - taken + float(stat.get(droppable, 0))
