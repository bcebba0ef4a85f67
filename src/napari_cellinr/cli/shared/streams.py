"""Standard output and standard error, which may be closed, full, or a pipe without a reader.

A command continues without them: its files are worth more than its messages. Only a command whose
result is the text itself fails with it.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TextIO

__all__ = [
    "AnswerLostError",
    "prepare_streams",
    "print_answer",
    "print_error",
    "print_message",
    "settle_streams",
    "write_part",
]


class AnswerLostError(Exception):
    """The text that a command prints as its result could not be written.

    Parameters
    ----------
    fault
        Why.
    """

    def __init__(self, fault: Exception) -> None:
        super().__init__(f"standard output cannot be written ({_reason(fault)}).")
        self.is_broken_pipe = isinstance(fault, BrokenPipeError)


def prepare_streams() -> None:
    """Make the streams safe to write to, whatever the caller of the program did with them.

    A closed stream is put on the null device, opened for reading so that writing still fails:
    otherwise the first file that is opened would take its place, and messages would end up in it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        with suppress(OSError):
            _occupy(number)
        if number > 0 and getattr(sys, name) is None:
            raw = io.BufferedWriter(io.FileIO(number, "w", closefd=False))
            setattr(sys, name, io.TextIOWrapper(raw, encoding="utf-8", line_buffering=True))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every terminal knows µ and σ


def settle_streams() -> None:
    """Drop what could not be written, so that the interpreter does not try again at its end."""
    for stream in (sys.stdout, sys.stderr):
        _fault_of(stream, "")


def print_message(text: str) -> None:
    """Print a line on standard output; if that fails, say so once on standard error."""
    if (fault := _fault_of(sys.stdout, f"{text}\n")) is not None:
        print_error(
            f"warning: standard output cannot be written ({_reason(fault)}); the command continues "
            "without messages."
        )


def print_answer(text: str) -> None:
    """Print the text that is the result of a command on standard output.

    Raises
    ------
    AnswerLostError
        If it cannot be written.
    """
    if (fault := _fault_of(sys.stdout, f"{text}\n")) is not None:
        raise AnswerLostError(fault)


def print_error(text: str) -> None:
    """Print a line on standard error, or nowhere if that cannot be written."""
    _fault_of(sys.stderr, f"{text}\n")


def write_part(stream: TextIO, text: str) -> bool:
    """Write a part of a line, and return whether that was possible.

    Parameters
    ----------
    stream
        The stream.
    text
        The text.
    """
    return _fault_of(stream, text) is None


def _fault_of(stream: TextIO | None, text: str) -> Exception | None:
    """Write to a stream; return what went wrong, after which the stream leads nowhere."""
    if stream is None:
        return None
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError) as fault:  # ValueError: the stream was closed
        _silence(stream)
        return fault
    return None


def _silence(stream: TextIO) -> None:
    """Let a stream end in the null device, together with what is still in its buffer."""
    with suppress(OSError, ValueError, AttributeError):
        number = stream.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)


def _occupy(number: int) -> None:
    """Open the null device for reading in place of a closed standard stream."""
    try:
        os.fstat(number)
    except OSError:
        null = os.open(os.devnull, os.O_RDONLY)
        if null != number:
            os.dup2(null, number)
            os.close(null)


def _reason(fault: Exception) -> str:
    return str(getattr(fault, "strerror", "") or fault)
