"""Where parts are computed: processes of this computer, or workers of Dask; no one else knows it.

Tasks have futures of `concurrent.futures`.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final, Protocol

from napari_cellinr.errors import FitError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from concurrent.futures import Future

__all__ = ["DEVICE", "MEMORY", "Workers", "WorkersLostError", "open_workers"]

DEVICE: Final = "NAPARI_CELLINR_DEVICE"
"""Environment variable with the device of a worker, such as `cuda:1`."""

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
"""Environment variable with the GPUs that CUDA shows to a process."""

MEMORY: Final = 6e9
"""Bytes that a task is taken to need if nothing is known."""


class WorkersLostError(FitError):
    """The workers or their scheduler do not answer any more; `Workers.restart` may help."""


class Workers(Protocol):
    """Computes tasks at the same time."""

    @property
    def n_workers(self) -> int:
        """The number of workers."""

    @property
    def link(self) -> str:
        """Address of a page with their progress; empty if there is none."""

    def submit(self, task: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Return the future of a task, whose arguments can be pickled.

        Parameters
        ----------
        task
            A function of a module.
        *arguments
            Its arguments.
        """

    def ready(self, task: Callable[..., str], *arguments: Any) -> Generator[str, None, list[str]]:
        """Yield what is waited for until a worker can be used; return sentences about workers.

        Whoever waits sleeps in between.

        Parameters
        ----------
        task
            A function that returns why a worker cannot be used, or an empty text.
        *arguments
            Its arguments.

        Raises
        ------
        FitError
            If no worker has come that can be used; `WorkersLostError` if the scheduler is gone.
        """

    def check(self, task: Callable[..., str], *arguments: Any) -> list[str]:
        """Return sentences about workers that are new, of which some may be left out.

        Parameters
        ----------
        task, *arguments
            As for `ready`.
        """

    def overdue(self, limit: float) -> list[tuple[Future[Any], str]]:
        """Return the tasks of workers that have finished none for too long, and why.

        Those workers get no other tasks until they have time again. Whoever asks computes the
        tasks again elsewhere.

        Parameters
        ----------
        limit
            Seconds within which a worker has to finish a task.

        Returns
        -------
        list of tuple
            The futures of each such worker. With that of the task which it has had longest, a
            sentence about the worker; with the others, which wait behind it, an empty text.
        """

    @property
    def are_lost(self) -> bool:
        """Whether nobody is left who could compute what was submitted."""

    def restart(self) -> None:
        """Start or connect again, after the connection or a process was lost."""

    def close(self, *, stop: bool = False) -> None:
        """End the workers that were started here, and what they compute if `stop`."""


def open_workers(
    scheduler: str | None,
    workers: int,
    threads: int | None = None,
    devices: Sequence[str] = (),
    memory: float = MEMORY,
) -> Workers:
    """Return workers.

    Parameters
    ----------
    scheduler
        None for processes of this computer, `local` for a cluster of Dask on it, `slurm` for jobs
        of SLURM, or the address of a scheduler of Dask.
    workers
        Their number; a scheduler at an address has its own.
    threads
        Threads of each worker; the cores are divided evenly if not given.
    devices
        Devices such as `cuda:0`, one for each worker.
    memory
        Bytes that a task needs, for jobs of SLURM.

    Raises
    ------
    ConfigError
        If the extra `cluster`, or SLURM, is not installed.
    FitError
        If the scheduler cannot be reached.
    """
    each = threads or max(1, (os.cpu_count() or 1) // workers)
    if scheduler is None:
        return _Processes(workers, each, devices)
    from napari_cellinr.runs.scale.executors.of_dask import DaskWorkers

    return DaskWorkers(scheduler, workers, each, devices, memory)


def prepare(threads: int, devices: Any) -> None:
    """Prepare a process that computes parts: its threads, and its GPU.

    Parameters
    ----------
    threads
        Number of threads of torch.
    devices
        A queue with a device for each process, or None.
    """
    os.environ["OMP_NUM_THREADS"] = str(threads)
    device = None if devices is None else devices.get()
    if device:
        os.environ.update(_only(device, os.environ.get(VISIBLE, "")))
    import torch

    torch.set_num_threads(threads)


def _only(device: str, visible: str) -> dict[str, str]:
    """Return the variables by which a process sees no other GPU than its own.

    On the others, it would take memory that their processes need.

    Parameters
    ----------
    device
        Such as `cuda:1`: the second of the GPUs that are visible now.
    visible
        These GPUs, as `CUDA_VISIBLE_DEVICES` states them; empty for all.
    """
    kind, _, number = device.partition(":")
    listed = [name.strip() for name in visible.split(",") if name.strip()]
    if kind != "cuda" or not number.isdecimal() or "torch" in sys.modules:
        return {DEVICE: device}
    if listed and int(number) >= len(listed):
        return {DEVICE: device}  # the part will say that there is no such GPU
    return {DEVICE: "cuda:0", VISIBLE: listed[int(number)] if listed else number}


class _Processes:
    """Processes of this computer."""

    def __init__(self, workers: int, threads: int, devices: Sequence[str]) -> None:
        self.n_workers, self.link = workers, ""
        self._threads, self._devices = threads, list(devices)
        self._pool = self._opened()

    def _opened(self) -> ProcessPoolExecutor:
        context = get_context("spawn")
        queue: Any = None
        if self._devices:
            queue = context.Queue()
            for number in range(self.n_workers):
                queue.put(self._devices[number % len(self._devices)])
        return ProcessPoolExecutor(self.n_workers, context, prepare, (self._threads, queue))

    def submit(self, task: Callable[..., Any], *arguments: Any) -> Future[Any]:
        return self._pool.submit(task, *arguments)

    def ready(self, task: Callable[..., str], *arguments: Any) -> Generator[str, None, list[str]]:
        yield from ()
        return []  # the same computer and program

    def check(self, task: Callable[..., str], *arguments: Any) -> list[str]:
        return []

    def overdue(self, limit: float) -> list[tuple[Future[Any], str]]:
        return []  # nobody else knows which process has which task

    @property
    def are_lost(self) -> bool:
        return False  # their futures say so

    def restart(self) -> None:
        self.close(stop=True)
        self._pool = self._opened()

    def close(self, *, stop: bool = False) -> None:
        processes = list((getattr(self._pool, "_processes", None) or {}).values())
        self._pool.shutdown(wait=not stop, cancel_futures=True)
        for process in processes if stop else ():
            process.terminate()
