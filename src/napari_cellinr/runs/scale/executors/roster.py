"""Which workers of Dask can be used: each is asked once, and those that cannot are left out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr import __version__
from napari_cellinr.runs.scale.executors.on_workers import other_libraries
from napari_cellinr.runs.scale.executors.questions import NoAnswerError, Question

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Roster", "reason"]

TRIES: Final = 5
"""Times that a worker which cannot be asked is asked again."""

AT_ONCE: Final = 1.0
"""Seconds for which the answers of new workers are waited for at once; later ones count, too."""

ANSWER: Final = 300.0
"""Seconds after which a worker that has not answered is left out: it may load torch meanwhile."""


class Roster:
    """Workers by their address: those that can be used, and why others are left out."""

    def __init__(self) -> None:
        self.good: set[str] = set()
        self.left_out: dict[str, str] = {}
        self._tries: dict[str, int] = {}
        self._open: dict[str, Question] = {}

    @property
    def is_asking(self) -> bool:
        """Whether the answer of a worker is waited for that may be used."""
        return any(address not in self.left_out for address in self._open)

    def check(self, known: Sequence[str], ask: Callable[[str], tuple[Any, Any]]) -> list[str]:
        """Ask workers that are new; return sentences about those that have answered.

        Parameters
        ----------
        known
            The addresses of all workers.
        ask
            Returns for an address why this worker cannot be used, or an empty text, and its
            versions of libraries; errors of the worker are returned, not raised.

        Raises
        ------
        Exception
            What `ask` raises.
        """
        self._open = {one: asked for one, asked in self._open.items() if one in known}
        new = [one for one in known if one not in self.good | {*self.left_out, *self._open}]
        self._open |= {one: Question(ask, one) for one in new}
        end = time.monotonic() + (AT_ONCE if new else 0)
        texts = list[str]()
        for address, question in list(self._open.items()):
            try:
                said, libraries = question.answer(max(0.0, end - time.monotonic()))
            except NoAnswerError:
                texts += self._silent(address, question.seconds)
                continue
            del self._open[address]
            self.left_out.pop(address, None)
            texts += self._noted(address, said, libraries)
        return [text for text in texts if text]

    def leave_out(self, address: str, text: str) -> None:
        """Use a worker no longer.

        Parameters
        ----------
        address
            Of the worker.
        text
            Why, in a sentence.
        """
        self.good.discard(address)
        self.left_out[address] = text

    def take_back(self, address: str) -> None:
        """Use a worker again.

        Parameters
        ----------
        address
            Of the worker.
        """
        self.left_out.pop(address, None)
        self.good.add(address)

    def _silent(self, address: str, seconds: float) -> list[str]:
        """Leave a worker out that has not answered; it is used if it does so later."""
        if seconds < ANSWER or address in self.left_out:
            return []
        text = (
            f"the worker {address} has not answered within {ANSWER:.0f} s, and gets no parts "
            "until it does; see whether its computer hangs."
        )
        self.leave_out(address, text)
        return [text]

    def _noted(self, address: str, said: Any, libraries: Any) -> list[str]:
        """Note what a worker has said; return a sentence if it is left out, or differs."""
        if isinstance(said, OSError):
            self._tries[address] = self._tries.get(address, 0) + 1
            if self._tries[address] < TRIES:  # it may have gone: neither good nor wrong
                return []
        if said:
            self.leave_out(address, _said(address, said))
            return [self.left_out[address]]
        self.good.add(address)
        return [other_libraries(libraries)]


def _said(address: str, said: Any) -> str:
    """Return why a worker is left out; one without this package cannot say so."""
    if not isinstance(said, BaseException):
        return str(said)
    return (
        f"the worker {address} cannot be checked ({reason(said)}); install napari-cellinr "
        f"{__version__} on all workers."
    )


def reason(error: BaseException) -> str:
    """Return one line for an error.

    Parameters
    ----------
    error
        The error.
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
