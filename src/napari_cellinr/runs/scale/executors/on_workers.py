"""What workers of Dask do: compute with their threads, and say whether they can."""

from __future__ import annotations

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["checked", "idle", "libraries", "other_libraries", "with_threads"]

LIBRARIES: Final = ("torch", "numpy")
"""Packages of which another version may change the last digits of a result."""


def with_threads(threads: int, task: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a task returns that computes with so many threads.

    Parameters
    ----------
    threads
        Of torch.
    task, *arguments
        As for `Workers.submit`.
    """
    import torch

    torch.set_num_threads(threads)
    return _called(task, *arguments)


def idle() -> None:
    """Do nothing, once the worker has time for it."""


def checked(expected: str, task: Callable[..., str], *arguments: Any) -> str:
    """Return why a worker cannot compute; the first reason is another version.

    Parameters
    ----------
    expected
        The version of this package.
    task, *arguments
        As for `Workers.ready`.
    """
    if expected != __version__:
        return (
            f"the worker on {platform.node()} has napari-cellinr {__version__}, not {expected}; "
            "install the same version on all workers."
        )
    return str(_called(task, *arguments))


def libraries() -> dict[str, str]:
    """Return the versions of packages on which results depend, and the name of this computer."""
    found = {"computer": platform.node()}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def other_libraries(there: Mapping[str, str] | BaseException) -> str:
    """Return a warning if a worker has other versions of packages; otherwise an empty text.

    Parameters
    ----------
    there
        What `libraries` returns on the worker, or how it failed.
    """
    if isinstance(there, BaseException):
        return ""
    here = libraries()
    others = [
        f"{name} {there.get(name, 'of no version')} instead of {here[name]}"
        for name in LIBRARIES
        if name in here and there.get(name) != here[name]
    ]
    if not others:
        return ""
    return (
        f"a worker on {there['computer']} has {' and '.join(others)}: its parts may differ from "
        "others in the last digits. Install the same versions for results that are equal."
    )


def _called(task: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a task returns; its lazy arrays are read here, and not by other workers."""
    import dask

    with dask.config.set(scheduler="synchronous"):
        return task(*arguments)
