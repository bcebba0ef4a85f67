"""How long workers may take for a part, before another one computes it."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from napari_cellinr.runs.scale.plan import Plan
    from napari_cellinr.runs.scale.state import State

__all__ = ["Patience"]

FLOOR: Final = 600.0
"""Seconds that a worker may always take: it may load torch and the recording from far away."""

TIMES: Final = 10.0
"""Times the expected seconds that a worker may take: others may use its cores."""

TRIES: Final = 2
"""Workers that may hang with a part; it would take all others, too, if it were the reason."""


class Patience:
    """The time that a worker may take for a part.

    Parameters
    ----------
    plan
        The plan.
    state
        Of its parts.
    """

    def __init__(self, plan: Plan, state: State) -> None:
        self._state, self._longest = state, plan.seconds
        self._hung: Counter[int] = Counter()

    @property
    def limit(self) -> float:
        """Seconds within which a worker has to finish a part."""
        return max(FLOOR, TIMES * self._longest)

    def note(self, number: int) -> None:
        """Note how long a part has taken that is finished.

        Parameters
        ----------
        number
            Of the part.
        """
        seconds = self._state.facts(number).get("seconds")
        if isinstance(seconds, int | float) and math.isfinite(seconds):
            self._longest = max(self._longest, float(seconds))

    def is_over(self, number: int) -> bool:
        """Note that a worker hangs with a part; return whether no other one tries it.

        Parameters
        ----------
        number
            Of the part.
        """
        self._hung[number] += 1
        return self._hung[number] >= TRIES

    def text(self, number: int) -> str:
        """Return why a part has failed that no other worker tries.

        Parameters
        ----------
        number
            Of the part.
        """
        return (
            f"part {number}: {n_of(self._hung[number], 'worker')} had not finished it within "
            f"{n_of(math.ceil(self.limit / 60), 'minute')}; see whether what it reads can be read, "
            "and whether there is memory enough."
        )
