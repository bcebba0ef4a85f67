"""The command line: reads and writes files, prints one line for each error.

Each command is one module with `add`, which declares its options, and `run`, which executes it.
Slow imports happen inside `run`, so that `--help` is instant.
"""

from __future__ import annotations

import errno
import signal
import time
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.cli.shared.parser import Parser

__all__ = ["main", "make_parser"]

_BROKEN_PIPE: Final = 128 + 13
"""Exit status of a program that SIGPIPE has ended, which shells expect after a broken pipe."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Parameters
    ----------
    arguments
        Command line without the name of the program; `sys.argv[1:]` by default.

    Returns
    -------
    int
        0 on success, 1 after a failed fit or a lost answer, 2 for invalid input or a file that
        cannot be read or written, 128 + its number after a signal.
    """
    started = time.monotonic()  # --max-seconds counts the imports below, too
    from napari_cellinr.cli.shared.progress import until_signal, warnings_printed
    from napari_cellinr.cli.shared.streams import prepare_streams, settle_streams

    def command() -> int:
        options = make_parser().parse_args(arguments)
        options.started = started
        status: int = options.run(options)
        return status

    try:
        with warnings_printed():
            return until_signal(command, _explained, before=prepare_streams)
    finally:
        settle_streams()


def _explained(error: BaseException) -> int:
    """Print one line for an error and return the exit status; raise it if it has no sentence."""
    from napari_cellinr.cli.shared.progress import name_of_signal, say_error
    from napari_cellinr.cli.shared.streams import AnswerLostError
    from napari_cellinr.errors import CellINRError, FitError
    from napari_cellinr.io.names import too_long

    if isinstance(error, KeyboardInterrupt):
        number = int(getattr(error, "number", signal.SIGINT))
        name = name_of_signal(number)
        say_error(f"stopped by {name} before the end; unfinished files were not written.")
        return 128 + number
    if isinstance(error, AnswerLostError) and error.is_broken_pipe:
        return _BROKEN_PIPE  # whoever reads it, such as head, has seen enough
    if isinstance(error, (AnswerLostError, FitError, MemoryError)):
        say_error(error)
        return 1
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        error = too_long(str(error.filename or ""))
    if isinstance(error, (CellINRError, OSError)):
        say_error(error)
        return 2
    raise error


def make_parser() -> Parser:
    """Return the parser of all commands; the parsed options hold the function to call as `run`."""
    from napari_cellinr import __version__
    from napari_cellinr.cli import (
        batch,
        compare,
        convert,
        demo,
        info,
        optics,
        render,
        replay,
        sample,
        show_motion,
    )
    from napari_cellinr.cli.parts import plan, run_part
    from napari_cellinr.cli.shared.parser import Parser
    from napari_cellinr.methods import METHODS

    parser = Parser(
        prog="napari-cellinr",
        description="Restore microscopy images without training data: remove noise and "
        "out-of-focus background, super-resolve in time and space, reconstruct moving specimens.",
        epilog="`napari-cellinr COMMAND --help` explains a command and its usual options, "
        "`--help-all` all of its options.",
    )
    parser.add_argument("--version", action="version", version=f"napari-cellinr {__version__}")
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", dest="command"
    )
    modules = (
        *(import_module(f"napari_cellinr.cli.{method.action}") for method in METHODS.values()),
        render,
        show_motion,
        replay,
        batch,
        plan,
        run_part,
        info,
        convert,
        optics,
        sample,
        compare,
        demo,
    )
    for module in modules:
        module.add(commands)
    return parser
