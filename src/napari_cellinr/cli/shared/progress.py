"""Prints progress, results, warnings and errors, and stops a fit at Ctrl-C."""

from __future__ import annotations

import signal
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, TextIO, TypeVar

from napari_cellinr.text import one_line

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import FrameType

    from napari_cellinr.fitting.problem import Message, Progress

__all__ = [
    "INTERRUPTED",
    "Bar",
    "Interruption",
    "follow",
    "say",
    "say_error",
    "say_warning",
    "seconds_in_words",
]

Result = TypeVar("Result")

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 + the number of the signal, as shells have it."""

BAR_WIDTH = 24  # characters
LINE_WIDTH = 79  # a longer line would wrap, and could not be drawn over


def say(text: str) -> None:
    """Print text on standard output, without control characters other than line breaks."""
    print("\n".join(map(one_line, text.split("\n"))), flush=True)


def say_error(error: object) -> None:
    """Print an error on standard error, as one line."""
    print(f"error: {_sentence(error) or type(error).__name__}", file=sys.stderr, flush=True)


def say_warning(text: str) -> None:
    """Print a warning on standard error, as one line."""
    print(f"warning: {_sentence(text)}", file=sys.stderr, flush=True)


def _sentence(text: object) -> str:
    """Return text as one line with single spaces, without control characters."""
    return " ".join(one_line(str(text)).split())


def seconds_in_words(seconds: float) -> str:
    """Return a duration such as `8 s` or `2 min 05 s`."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


class Bar:
    """A progress bar with one line on a terminal; prints nothing elsewhere.

    tqdm would not be shorter: stages change, the estimate of the time left is the fit's own, and
    stages without steps have no bar.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.is_shown = stream.isatty()

    def update(self, progress: Progress) -> None:
        """Redraw the line."""
        if self.is_shown:
            self.stream.write(f"\r{describe(progress):<{LINE_WIDTH}}"[: LINE_WIDTH + 1])
            self.stream.flush()

    def close(self) -> None:
        """Clear the line."""
        if self.is_shown:
            self.stream.write("\r" + " " * LINE_WIDTH + "\r")
            self.stream.flush()


def describe(progress: Progress) -> str:
    """Return `progress` as one line of text."""
    parts = [one_line(progress.stage)]
    if progress.steps:
        done = min(progress.step / progress.steps, 1.0)
        filled = round(BAR_WIDTH * done)
        parts.append(f"[{'#' * filled}{'-' * (BAR_WIDTH - filled)}]")
        parts.append(f"{progress.step}/{progress.steps}")
    if progress.held_out is not None:
        parts.append(f"held-out error {progress.held_out:.3f} σ")
    if progress.eta is not None:
        parts.append(f"{seconds_in_words(progress.eta)} left")
    return "  ".join(parts)


class Interruption:
    """Remembers whether Ctrl-C was pressed."""

    def __init__(self) -> None:
        self.happened = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Remember the first Ctrl-C; end the program at the second one."""
        if self.happened:
            raise KeyboardInterrupt
        self.happened = True

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Remember Ctrl-C instead of ending the program, within this context."""
        before = signal.signal(signal.SIGINT, self)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def follow(job: Generator[Progress, Message, Result], interruption: Interruption) -> Result:
    """Run a job, showing its progress; the job is closed however this ends.

    Parameters
    ----------
    job
        The job, as a generator.
    interruption
        Whether Ctrl-C was pressed, which stops the job.

    Returns
    -------
    Result
        What the job returns; its partial result after Ctrl-C.
    """
    message: Message = None
    with closing(job), closing(Bar(sys.stderr)) as bar:
        while True:
            try:
                progress = job.send(message)
            except StopIteration as end:
                result: Result = end.value
                return result
            bar.update(progress)
            message = "stop" if interruption.happened else None
