"""Workers of Dask that finish no task any more: they get no others until they have time again.

A worker hangs if what it reads never comes, if its process is stopped, or if Dask has paused it
since its memory is nearly full; a scheduler leaves it its tasks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from napari_cellinr.runs.scale.executors.on_workers import idle
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

__all__ = ["Late"]


class Late:
    """Remembers when each worker has last finished a task, and those that finish none."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._keys: dict[str, set[Hashable]] = {}
        self._probes: dict[str, Any] = {}
        self._texts: dict[str, str] = {}

    @property
    def text(self) -> str:
        """A sentence about a worker that finishes none; empty if there is no such worker."""
        return next(iter(self._texts.values()), "")

    def new(self, processing: Mapping[str, Iterable[Hashable]], limit: float) -> list[str]:
        """Return the addresses of workers that have tasks, and have finished none for too long.

        Parameters
        ----------
        processing
            The keys of the tasks that each worker has now, by its address.
        limit
            Seconds that are allowed.
        """
        now = time.monotonic()
        keys = {address: set(own) for address, own in processing.items()}
        everywhere = set[Hashable]().union(*keys.values())
        since = {}
        for address, own in keys.items():
            # A task that another worker has now was taken away, and not finished.
            finished = self._keys.get(address, set()) - everywhere
            if own:
                since[address] = now if finished else self._since.get(address, now)
        self._since, self._keys = since, keys
        return [address for address, first in since.items() if now - first > limit]

    def add(self, address: str, limit: float, facts: Mapping[str, Any], client: Any) -> str:
        """Note that a worker finishes no tasks; return a sentence about it.

        Parameters
        ----------
        address
            Of the worker.
        limit
            Seconds that were allowed.
        facts
            What the scheduler knows about the worker.
        client
            Of the scheduler.
        """
        # It is done as soon as the worker has time, which no call can tell that is answered beside
        # its tasks.
        self._probes[address] = client.submit(
            idle, workers=[address], allow_other_workers=False, pure=False, key=uuid4().hex
        )
        is_paused = facts.get("status") == "paused"
        why = " (Dask has paused it, since its memory is nearly full)" if is_paused else ""
        minutes = n_of(math.ceil(limit / 60), "minute")
        text = f"the worker {address} has finished no part within {minutes}{why}"
        self._texts[address] = f"{text}."
        return f"{text}; its parts are given to others."

    def back(self, known: Container[str]) -> list[str]:
        """Return the addresses of workers that have time again.

        Parameters
        ----------
        known
            The addresses of all workers.
        """
        found = [one for one, probe in self._probes.items() if probe.status == "finished"]
        gone = [one for one in self._probes if one not in known]
        for address in {*found, *gone}:
            del self._probes[address], self._texts[address]
        return [address for address in found if address in known]
