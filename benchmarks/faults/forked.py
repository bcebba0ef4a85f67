"""Runs a function in a copy of this process, which has imported everything already."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def begin(function: Callable[[], int]) -> int:
    """Start a process that ends with what a function returns; return its id."""
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process:
        return process
    status = 70
    try:
        status = function()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        with contextlib.suppress(OSError, AttributeError):
            traceback.print_exc()
    finally:
        os._exit(status)


def end_of(process: int) -> int:
    """Wait for a process; return its exit status, minus the signal if one has killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def kill(process: int) -> int:
    """Kill a process and return how it ended."""
    os.kill(process, signal.SIGKILL)
    return end_of(process)
