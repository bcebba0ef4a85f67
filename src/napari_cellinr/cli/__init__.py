"""The command line: files in, files out, one line of text for every error.

Each command is one module with `add`, which declares its options, and `run`, which does
its job. What takes long to import is imported inside `run`, so that `--help` is instant.
"""

from __future__ import annotations

import io
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.cli.shared.options import Parser

__all__ = ["main", "make_parser"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status of one command: 0, 2 wrong input, 1 failed fit, 130 Ctrl-C.

    Parameters
    ----------
    arguments
        The words after the program's name; those of the process if not given.
    """
    started = time.monotonic()  # --max-seconds counts the imports below, too
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every terminal knows µ and σ
    from napari_cellinr.cli.shared.progress import INTERRUPTED, say_error
    from napari_cellinr.errors import CellINRError, FitError

    try:
        options = make_parser().parse_args(arguments)
        options.started = started
        status: int = options.run(options)
    except KeyboardInterrupt:
        say_error("stopped by Ctrl-C; nothing more was written.")
        return INTERRUPTED
    except (FitError, MemoryError) as error:
        say_error(error)
        return 1
    except (CellINRError, OSError) as error:
        say_error(error)
        return 2
    return status


def make_parser() -> Parser:
    """Return the parser of all commands; `run` of what it parses is the function to call."""
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
    from napari_cellinr.cli.shared.options import Parser
    from napari_cellinr.methods import METHODS

    parser = Parser(
        prog="napari-cellinr",
        description="Remove noise and photo-induced haze from microscopy images, "
        "without training data.",
    )
    parser.add_argument("--version", action="version", version=f"napari-cellinr {__version__}")
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", dest="command"
    )
    modules = (
        *(import_module(f"napari_cellinr.cli.{one.action}") for one in METHODS.values()),
        render,
        show_motion,
        replay,
        batch,
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
