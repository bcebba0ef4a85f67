"""Calls of which the answer is waited for with a limit: a process that is stopped never answers."""

from __future__ import annotations

import time
from concurrent.futures import Future, wait
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NoAnswerError", "Question"]


class NoAnswerError(TimeoutError):
    """A call has not ended in time, unlike a `TimeoutError` that it has ended with."""


class Question:
    """A call that is made in a thread of its own, which no one has to wait for.

    Parameters
    ----------
    call, *arguments
        What is called; it may go on without end.
    """

    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self._begun = time.monotonic()
        self._found: Future[Any] = Future()
        # Threads of a pool are joined when Python ends; this one is not.
        Thread(target=self._ask, args=(call, arguments), daemon=True).start()

    def _ask(self, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        try:
            self._found.set_result(call(*arguments))
        except BaseException as error:  # whoever asked gets it
            self._found.set_exception(error)

    @property
    def seconds(self) -> float:
        """Seconds since the call began."""
        return time.monotonic() - self._begun

    @property
    def is_answered(self) -> bool:
        """Whether the call has ended."""
        return self._found.done()

    def answer(self, seconds: float) -> Any:
        """Return what the call returns, or raise what it raises.

        Parameters
        ----------
        seconds
            For which the answer is waited for.

        Raises
        ------
        NoAnswerError
            If there is none.
        """
        if not wait([self._found], seconds).done:
            raise NoAnswerError(f"no answer within {seconds:.0f} s")
        return self._found.result()
