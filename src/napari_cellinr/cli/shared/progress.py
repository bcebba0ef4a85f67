"""Prints progress, results, warnings and errors, and stops a fit when a signal asks for it."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
import warnings
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final, TextIO, TypeVar

from napari_cellinr.cli.shared.streams import (
    print_answer,
    print_error,
    print_message,
    write_part,
)
from napari_cellinr.errors import CellINRWarning
from napari_cellinr.text import one_line, shortened_text

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from types import FrameType
    from typing import Any

    from napari_cellinr.fitting.problem import Message, Progress

__all__ = [
    "Bar",
    "Interruption",
    "StoppedError",
    "answer",
    "follow",
    "name_of_signal",
    "say",
    "say_error",
    "say_warning",
    "seconds_in_words",
    "until_signal",
    "warnings_printed",
]

Result = TypeVar("Result")

_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals that stop a command: Ctrl-C, the end of a job or of the computer, a closed terminal."""

_UNAWAITED: Final = "coroutine .* was never awaited"
"""How the warning begins that Python gives of a library that was interrupted."""

BAR_WIDTH = 24  # characters

SECONDS_BETWEEN_LINES: Final = 30.0
"""Where there is no terminal, such as in a job of a cluster."""

LONGEST = 2000
"""Characters of an error or a warning; the system quotes names of any length."""

LINE_WIDTH = 79  # a longer line would wrap, and could not be drawn over


def say(text: str) -> None:
    """Print text on standard output, without control characters other than line breaks."""
    print_message(_plain(text))


def answer(text: str) -> None:
    """Print the result of a command on standard output, without control characters.

    Raises
    ------
    AnswerLostError
        If it cannot be written.
    """
    print_answer(_plain(text))


def say_error(error: object) -> None:
    """Print an error on standard error, as one line."""
    print_error(f"error: {_sentence(error) or type(error).__name__}")


def say_warning(text: str) -> None:
    """Print a warning on standard error, as one line."""
    print_error(f"warning: {_sentence(text)}")


@contextmanager
def warnings_printed() -> Iterator[None]:
    """Print warnings of this package as `say_warning` does, within this context."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", CellINRWarning)
        show = warnings.showwarning

        def printed(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, CellINRWarning):
                say_warning(str(message))
            else:
                show(message, category, *where, **more)

        warnings.showwarning = printed
        yield


def _plain(text: str) -> str:
    return "\n".join(map(one_line, text.split("\n")))


def _sentence(text: object) -> str:
    """Return text as one line with single spaces, without control characters."""
    return shortened_text(" ".join(one_line(str(text)).split()), LONGEST)


def seconds_in_words(seconds: float) -> str:
    """Return a duration such as `8 s` or `2 min 05 s`."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


class Bar:
    """A progress bar with one line on a terminal; elsewhere, a line now and then.

    tqdm would not be shorter: stages change, the estimate of the time left is the fit's own, and
    stages without steps have no bar.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.is_shown = stream.isatty()
        self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES

    def update(self, progress: Progress) -> None:
        """Redraw the line; write one into a log file only if the last was long ago."""
        if not self.is_shown and time.monotonic() > self._next_line:
            self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
            write_part(self.stream, f"{describe(progress)}\n")
        self._draw(f"\r{describe(progress):<{LINE_WIDTH}}"[: LINE_WIDTH + 1])

    def close(self) -> None:
        """Clear the line."""
        self._draw("\r" + " " * LINE_WIDTH + "\r")

    def _draw(self, text: str) -> None:
        """Write on the terminal; once it is gone, nothing more is written."""
        self.is_shown = self.is_shown and write_part(self.stream, text)


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


class StoppedError(KeyboardInterrupt):
    """A signal ends the command at once.

    Parameters
    ----------
    number
        The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(name_of_signal(number))
        self.number = number


class Interruption:
    """Remembers whether Ctrl-C was pressed, or another signal asked the command to stop.

    Attributes
    ----------
    number
        The first signal; 0 as long as there was none.
    """

    def __init__(self) -> None:
        self.number = 0
        self._outer: Any = None

    @property
    def happened(self) -> bool:
        """Whether there was a signal."""
        return self.number > 0

    @property
    def status(self) -> int:
        """Exit status: 128 + the number of the signal, as shells have it; 0 without one."""
        return 128 + self.number if self.happened else 0

    @property
    def name(self) -> str:
        """What stopped the command, for a message."""
        return name_of_signal(self.number)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Remember the first signal; end the program at a second Ctrl-C.

        Other signals may come twice without anyone's impatience: a terminal that is closed sends
        SIGHUP itself, and so does its shell.
        """
        if self.happened and number == signal.SIGINT:
            if callable(self._outer):  # it knows then why the command ends
                self._outer(number, frame)
            raise StoppedError(number)
        self.number = self.number or number

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Remember signals instead of ending the program, within this context."""
        self._outer = signal.getsignal(signal.SIGINT)
        with _handled(self, _SIGNALS):
            yield


def until_signal(
    command: Callable[[], int],
    explained: Callable[[BaseException], int],
    before: Callable[[], None] = lambda: None,
) -> int:
    """Run a command that signals stop by `StoppedError`; return its exit status.

    Only Ctrl-C does so more than once. What libraries complain about when their objects are left
    half made is not shown.

    Parameters
    ----------
    command
        Returns the exit status.
    explained
        Prints a line for an exception of the command, and returns the exit status. After a signal
        it gets `StoppedError`, whatever the exception: libraries replace those that they do not
        know, and what is tidied up may fail, too.
    before
        Called first. A signal that comes meanwhile does not interrupt it, and stops the command
        when it is done.

    Returns
    -------
    int
        What either of them returned.
    """
    came: list[int] = []
    is_running = False
    hook = sys.unraisablehook

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        sys.unraisablehook = lambda _: None
        warnings.filterwarnings("ignore", _UNAWAITED, RuntimeWarning)
        # Others than Ctrl-C let unfinished files be removed. While handlers are set and put back,
        # and while an error is printed, nothing would catch the exception.
        if is_running and (len(came) == 1 or number == signal.SIGINT):
            raise StoppedError(number)

    status: int | None = None
    try:
        with warnings.catch_warnings(), _handled(stop, _SIGNALS):
            try:
                try:
                    before()
                    is_running = True
                    if came:
                        raise StoppedError(came[0])
                    status = command()
                finally:
                    is_running = False
            except BaseException as error:
                status = explained(StoppedError(came[0]) if came else error)
            finally:
                if came:
                    gc.collect()
                sys.unraisablehook = hook
    except KeyboardInterrupt as error:  # Python's own, where its handler was not replaced
        status = explained(error) if status is None else status
    return status


@contextmanager
def _handled(handler: Any, numbers: Sequence[int]) -> Iterator[None]:
    """Handle signals within this context; one that the caller ignores stays ignored (nohup)."""
    if threading.current_thread() is not threading.main_thread():  # Python sends none there
        yield
        return
    before = {number: signal.getsignal(number) for number in numbers}
    mine = [n for n, old in before.items() if n == signal.SIGINT or old != signal.SIG_IGN]
    for number in mine:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, before[number] or signal.SIG_DFL)


def name_of_signal(number: int) -> str:
    """Return what users call a signal: `Ctrl-C`, or a name such as `SIGTERM`."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


def follow(
    job: Generator[Progress, Message, Result],
    interruption: Interruption,
    warned: set[str] | None = None,
) -> Result:
    """Run a job, showing its progress; the job is closed however this ends.

    Parameters
    ----------
    job
        The job, as a generator.
    interruption
        Whether a signal asked the command to stop, which stops the job.
    warned
        Warnings that need not be printed; those that are printed are added.

    Returns
    -------
    Result
        What the job returns; its partial result after a signal.
    """
    message: Message = None
    warned = set() if warned is None else warned
    with closing(job), closing(Bar(sys.stderr)) as bar:
        while True:
            try:
                progress = job.send(message)
            except StopIteration as end:
                result: Result = end.value
                return result
            if progress.warning and progress.warning not in warned:
                warned.add(progress.warning)
                bar.close()
                say_warning(progress.warning)
            bar.update(progress)
            message = "stop" if interruption.happened else None
