"""Where parts are computed: processes of this computer, or workers of Dask; no one else knows it.

Everything here is an executor of `concurrent.futures`.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final, Protocol

from napari_cellinr import __version__
from napari_cellinr.errors import ConfigError, FitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

__all__ = ["DEVICE", "Workers", "open_workers"]

DEVICE: Final = "NAPARI_CELLINR_DEVICE"
"""Environment variable with the device of a worker, such as `cuda:1`."""

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
"""Environment variable with the GPUs that CUDA shows to a process."""

CONNECT: Final = 10.0
"""Seconds within which a scheduler has to answer."""

SLURM: Final = "slurm"


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

    def check(self, task: Callable[..., str], *arguments: Any) -> list[str]:
        """Return what a task says on each worker that is not empty; such workers are left out.

        Parameters
        ----------
        task
            A function that returns why a worker cannot be used, or an empty text.
        *arguments
            Its arguments.
        """

    def restart(self) -> None:
        """Start or connect again, after the connection or a process was lost."""

    def close(self, *, stop: bool = False) -> None:
        """End the workers that were started here, and what they compute if `stop`."""


def open_workers(
    scheduler: str | None, workers: int, threads: int | None = None, devices: Sequence[str] = ()
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

    Raises
    ------
    ConfigError
        If the extra `cluster` is not installed.
    FitError
        If the scheduler cannot be reached.
    """
    each = threads or max(1, (os.cpu_count() or 1) // workers)
    if scheduler is None:
        return _Processes(workers, each, devices)
    return _Dask(scheduler, workers, each, devices)


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

    def check(self, task: Callable[..., str], *arguments: Any) -> list[str]:
        return []  # the same computer and program

    def restart(self) -> None:
        self.close(stop=True)
        self._pool = self._opened()

    def close(self, *, stop: bool = False) -> None:
        processes = list((getattr(self._pool, "_processes", None) or {}).values())
        self._pool.shutdown(wait=not stop, cancel_futures=True)
        for process in processes if stop else ():
            process.terminate()


class _Dask:
    """Workers of a scheduler of Dask."""

    def __init__(self, scheduler: str, workers: int, threads: int, devices: Sequence[str]) -> None:
        self._scheduler, self._workers = scheduler, workers
        self._threads, self._devices = threads, list(devices)
        self._left_out: set[str] = set()
        self._cluster: Any = None
        self._client: Any = None
        self.restart()

    @property
    def n_workers(self) -> int:
        return max(1, len(self._good()) or self._workers)

    @property
    def link(self) -> str:
        return str(self._client.dashboard_link or "")

    def restart(self) -> None:
        self.close()
        distributed = _distributed()
        try:
            if self._scheduler in {"local", SLURM}:
                self._cluster = self._started(distributed)
                self._client = distributed.Client(self._cluster, timeout=CONNECT)
            else:
                self._client = distributed.Client(self._scheduler, timeout=CONNECT)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise FitError(
                f"the scheduler {self._scheduler} cannot be reached ({_reason(error)}); check its "
                "address, and whether it runs."
            ) from error

    def _started(self, distributed: Any) -> Any:
        if self._scheduler == SLURM:
            cluster = _jobqueue().SLURMCluster(cores=self._threads, processes=1, memory="8GB")
            cluster.scale(jobs=self._workers)
            return cluster
        return distributed.LocalCluster(
            n_workers=self._workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            # On a busy computer, Dask warns that it ends workers which are idle when all is done.
            silence_logs=logging.ERROR,
        )

    def submit(self, task: Callable[..., Any], *arguments: Any) -> Future[Any]:
        chosen = self._good() if self._left_out else None
        if self._left_out and not chosen:
            raise FitError("no worker of the scheduler can compute the plan.")
        executor = self._client.get_executor(
            pure=False, retries=2, workers=chosen, allow_other_workers=False
        )
        found: Future[Any] = executor.submit(_with_threads, self._threads, task, *arguments)
        return found

    def check(self, task: Callable[..., str], *arguments: Any) -> list[str]:
        self._client.wait_for_workers(1, timeout=6 * CONNECT)
        texts = self._client.run(_checked, __version__, task, *arguments, on_error="return")
        wrong = {address: str(text) for address, text in texts.items() if str(text)}
        self._left_out = set(wrong)
        for number, address in enumerate(texts if self._devices else ()):
            device = self._devices[number % len(self._devices)]
            self._client.run(os.environ.update, {DEVICE: device}, workers=[address])
        if len(wrong) == len(texts):
            raise FitError(f"no worker can compute the plan: {next(iter(wrong.values()))}")
        return list(wrong.values())

    def _good(self) -> list[str]:
        with suppress(Exception):
            known = self._client.scheduler_info(n_workers=-1)["workers"]
            return [address for address in known if address not in self._left_out]
        return []

    def close(self, *, stop: bool = False) -> None:
        for one in (self._client, self._cluster):
            if one is not None:
                with suppress(Exception):
                    one.close(timeout=5)
        self._client = self._cluster = None


def _with_threads(threads: int, task: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a task returns that computes with so many threads."""
    import torch

    torch.set_num_threads(threads)
    return _called(task, *arguments)


def _checked(version: str, task: Callable[..., str], *arguments: Any) -> str:
    """Return why a worker cannot compute; the first reason is another version."""
    if version != __version__:
        return (
            f"the worker on {platform.node()} has napari-cellinr {__version__}, not {version}; "
            "install the same version on all workers."
        )
    return str(_called(task, *arguments))


def _called(task: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a task returns; its lazy arrays are read here, and not by other workers."""
    import dask

    with dask.config.set(scheduler="synchronous"):
        return task(*arguments)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise ConfigError(
            "--scheduler needs Dask: pip install 'napari-cellinr[cluster]'."
        ) from error
    return distributed


def _jobqueue() -> Any:
    try:
        import dask_jobqueue
    except ImportError as error:
        raise ConfigError(
            "--scheduler slurm needs dask-jobqueue: pip install 'napari-cellinr[cluster]'."
        ) from error
    return dask_jobqueue


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
