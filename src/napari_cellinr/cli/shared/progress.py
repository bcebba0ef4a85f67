"""What a command says while it works: a bar on a terminal, warnings, one line per error."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
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
    """Print a result on standard output; its lines are kept, other control characters are not."""
    print("\n".join(map(one_line, text.split("\n"))), flush=True)


def say_error(error: object) -> None:
    """Print one line about `error` on standard error, whatever the number of its own lines."""
    print(f"error: {_sentence(error) or type(error).__name__}", file=sys.stderr, flush=True)


def say_warning(text: str) -> None:
    """Print one line about what the user should know on standard error."""
    print(f"warning: {_sentence(text)}", file=sys.stderr, flush=True)


def _sentence(text: object) -> str:
    """Return text as one line with single spaces, whatever names it holds."""
    return " ".join(one_line(str(text)).split())


def seconds_in_words(seconds: float) -> str:
    """Return a duration such as `8 s` or `2 min 05 s`."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


class Bar:
    """A line that shows how far a job is; nothing at all if `stream` is no terminal."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.is_shown = stream.isatty()

    def update(self, progress: Progress) -> None:
        """Draw the line anew."""
        if self.is_shown:
            self.stream.write(f"\r{describe(progress):<{LINE_WIDTH}}"[: LINE_WIDTH + 1])
            self.stream.flush()

    def close(self) -> None:
        """Wipe the line, so that what is printed next starts on a clean one."""
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
        parts.append(f"held-out {progress.held_out:.3f}")
    if progress.eta is not None:
        parts.append(f"{seconds_in_words(progress.eta)} left")
    return "  ".join(parts)


class Interruption:
    """Whether Ctrl-C was pressed."""

    def __init__(self) -> None:
        self.happened = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Note the first Ctrl-C; let the second one end the program at once."""
        if self.happened:
            raise KeyboardInterrupt
        self.happened = True

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Note Ctrl-C instead of ending the program, for as long as the context lasts."""
        before = signal.signal(signal.SIGINT, self)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def follow(job: Generator[Progress, Message, Result], interruption: Interruption) -> Result:
    """Return what `job` returns, showing its progress; Ctrl-C asks it for its partial result."""
    bar = Bar(sys.stderr)
    message: Message = None
    try:
        while True:
            bar.update(job.send(message))
            message = "stop" if interruption.happened else None
    except StopIteration as end:
        result: Result = end.value
        return result
    finally:
        bar.close()
