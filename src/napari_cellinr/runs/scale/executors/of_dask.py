"""Workers of Dask: of this computer, jobs of SLURM, or those of a scheduler at an address."""

from __future__ import annotations

import logging
import math
import os
import platform
import shutil
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr import __version__
from napari_cellinr.errors import CellINRError, ConfigError, FitError
from napari_cellinr.runs.scale.executors import DEVICE, WorkersLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from concurrent.futures import Future

__all__ = ["DaskWorkers"]

CONNECT: Final = 10.0
"""Seconds within which a scheduler has to answer."""

PATIENCE: Final = 60.0
"""Seconds within which the first worker has to come to a scheduler at an address."""

OTHERS: Final = 15.0
"""Seconds for which others are waited for if no worker that is there can be used."""

GONE: Final = 15.0
"""Seconds without a worker after which all count as lost; a worker is replaced sooner."""

TRIES: Final = 5
"""Times that a worker which cannot be asked is asked again."""

SLURM: Final = "slurm"

CORES: Final = 4
"""Cores of a job of SLURM, unless dask-jobqueue is configured otherwise."""

HEADROOM: Final = 1.5
"""Memory of a job relative to what a part needs: Dask pauses workers that use 80 % of theirs."""

LIBRARIES: Final = ("torch", "numpy")
"""Packages of which another version may change the last digits of a result."""


class DaskWorkers:
    """Workers of a scheduler of Dask.

    Parameters
    ----------
    scheduler, workers, threads, devices, memory
        As for `open_workers`.
    """

    def __init__(
        self, scheduler: str, workers: int, threads: int, devices: Sequence[str], memory: float
    ) -> None:
        self._scheduler, self._workers = scheduler, workers
        self._threads, self._devices, self._memory = threads, list(devices), memory
        self._cluster: Any = None
        self._client: Any = None
        self.restart()

    @property
    def n_workers(self) -> int:
        """The number of workers."""
        with suppress(WorkersLostError):
            return max(1, len(self._usable()) or self._workers)
        return max(1, self._workers)

    @property
    def link(self) -> str:
        """Address of a page with their progress."""
        return str(self._client.dashboard_link or "")

    def restart(self) -> None:
        """Start or connect again; who was left out is forgotten, since addresses change."""
        self.close()
        self._left_out: dict[str, str] = {}
        self._good: set[str] = set()
        self._tries: dict[str, int] = {}
        self._submitted: list[tuple[Future[Any], set[str]]] = []
        self._seen = time.monotonic()
        distributed = _distributed()
        _silence()
        try:
            if self._scheduler in {"local", SLURM}:
                self._cluster = self._started(distributed)
                self._client = distributed.Client(self._cluster, timeout=CONNECT)
            else:
                self._client = distributed.Client(self._scheduler, timeout=CONNECT)
        except CellINRError:
            raise
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise FitError(
                f"the scheduler {self._scheduler} cannot be reached ({_reason(error)}); check its "
                "address, and whether it runs."
            ) from error

    def _started(self, distributed: Any) -> Any:
        if self._scheduler == SLURM:
            jobqueue = _jobqueue()
            options, self._threads = job_options(self._memory)
            return jobqueue.SLURMCluster(n_workers=self._workers, **options)
        return distributed.LocalCluster(
            n_workers=self._workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            # On a busy computer, Dask warns that it ends workers which are idle when all is done.
            silence_logs=logging.ERROR,
        )

    def submit(self, task: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Return the future of a task.

        Parameters
        ----------
        task, *arguments
            As for `Workers.submit`.

        Raises
        ------
        WorkersLostError
            If there is no worker that can be used.
        """
        chosen = self._usable()
        if not chosen:
            raise WorkersLostError("no worker of the scheduler is left.")
        # Workers that were started here are all alike, so that one that is replaced goes on.
        only = None if self._scheduler == "local" and not self._left_out else chosen
        executor = self._client.get_executor(
            pure=False, retries=2, workers=only, allow_other_workers=False
        )
        found: Future[Any] = executor.submit(_with_threads, self._threads, task, *arguments)
        if only is not None:
            self._submitted.append((found, set(only)))
        return found

    @property
    def are_lost(self) -> bool:
        """Whether nobody is left who could compute what was submitted."""
        try:
            known = set(self._known())
        except WorkersLostError:
            return bool(self._client.status == "closed")
        self._submitted = [one for one in self._submitted if not one[0].done()]
        if any(not chosen & known for _, chosen in self._submitted):
            return True
        if known:
            self._seen = time.monotonic()
        return time.monotonic() > self._seen + GONE

    def ready(self, task: Callable[..., str], *arguments: Any) -> Generator[str, None, list[str]]:
        """Yield what is waited for until a worker can be used; return sentences about workers.

        Parameters
        ----------
        task, *arguments
            As for `Workers.ready`.

        Raises
        ------
        FitError
            If no worker has come in time that can be used; jobs of SLURM may wait in the queue.
        """
        texts, begun = list[str](), time.monotonic()
        while True:
            texts += self.check(task, *arguments)
            if self._usable():
                self._seen = time.monotonic()
                return texts
            waited = time.monotonic() - begun
            if self._left_out and waited > OTHERS:
                raise FitError(
                    f"no worker can compute the plan: {next(iter(self._left_out.values()))}"
                )
            if self._scheduler == SLURM and waited > OTHERS and not self._has_jobs:
                raise FitError(
                    "SLURM has taken none of the jobs; check what the configuration of "
                    "dask-jobqueue asks for, such as queue, account, memory and walltime."
                )
            if self._scheduler != SLURM and not self._left_out and waited > PATIENCE:
                raise FitError(
                    f"no worker has come to the scheduler {self._scheduler} within "
                    f"{PATIENCE:.0f} s; start some with `dask worker {self._scheduler} --nthreads "
                    "1`, or give --scheduler local."
                )
            where = "" if self._scheduler == "local" else f" of {self._scheduler}"
            yield f"waiting for the first worker{where}"

    def check(self, task: Callable[..., str], *arguments: Any) -> list[str]:
        """Return sentences about workers that are new, of which some may be left out.

        Parameters
        ----------
        task, *arguments
            As for `Workers.check`.

        Raises
        ------
        WorkersLostError
            If the scheduler is gone.
        """
        new = [one for one in self._known() if one not in self._good | set(self._left_out)]
        if not new:
            return []
        found = self._run(_checked, __version__, task, *arguments, on=new)
        for one in [one for one, said in found.items() if isinstance(said, OSError)]:
            self._tries[one] = self._tries.get(one, 0) + 1
            if self._tries[one] < TRIES:  # it may have gone: neither good nor wrong
                del found[one]
        wrong = {address: _said(address, one) for address, one in found.items() if one}
        good = [address for address in found if address not in wrong]
        texts = list(wrong.values())
        if good:
            others = self._run(_libraries, on=good)
            texts += [text for one in others.values() if (text := _other_libraries(one))]
        for number, address in enumerate(good if self._devices else (), len(self._good)):
            device = self._devices[number % len(self._devices)]
            self._run(os.environ.update, {DEVICE: device}, on=[address])
        self._left_out |= wrong
        self._good |= set(good)
        return texts

    def _run(self, task: Callable[..., Any], *arguments: Any, on: list[str]) -> dict[str, Any]:
        """Return what a task returns on some workers, or how it failed there."""
        try:
            found: dict[str, Any] = self._client.run(
                task, *arguments, workers=on, on_error="return"
            )
        except Exception as error:  # a lost connection raises errors of many kinds
            raise WorkersLostError(
                f"the scheduler {self._scheduler} does not answer ({_reason(error)})."
            ) from error
        return found

    def _known(self) -> list[str]:
        """Return the addresses of all workers."""
        try:
            found = self._client.scheduler_info(n_workers=-1)["workers"]
            if self._client.status != "running":
                raise OSError("it was lost")
        except Exception as error:
            raise WorkersLostError(
                f"the scheduler {self._scheduler} does not answer ({_reason(error)})."
            ) from error
        return list(found)

    @property
    def _has_jobs(self) -> bool:
        """Whether SLURM has taken a job; Dask does not say when it takes none."""
        jobs = dict(getattr(self._cluster, "workers", {}))
        return any(getattr(one, "job_id", None) for one in jobs.values())

    def _usable(self) -> list[str]:
        return [address for address in self._known() if address in self._good]

    def close(self, *, stop: bool = False) -> None:
        """End the workers that were started here.

        Parameters
        ----------
        stop
            Is not needed: they end.
        """
        for one in (self._client, self._cluster):
            if one is not None:
                with suppress(Exception):
                    one.close(timeout=5)
        self._client = self._cluster = None


def job_options(memory: float) -> tuple[dict[str, Any], int]:
    """Return options of a cluster of SLURM jobs, each with one worker, and the cores of a job.

    What the configuration of dask-jobqueue states is taken from there.

    Parameters
    ----------
    memory
        Bytes that a task needs.
    """
    from dask import config

    def stated(name: str) -> Any:
        return config.get(f"jobqueue.slurm.{name}", None)

    cores = int(stated("job-cpu") or stated("cores") or CORES)
    # One thread of Dask, so that a worker computes one part at a time; torch uses all cores.
    options: dict[str, Any] = {"cores": 1, "processes": 1, "job_cpu": cores}
    options["memory"] = stated("memory") or f"{math.ceil(HEADROOM * memory / 1e6)}MB"
    return options, cores


def _with_threads(threads: int, task: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a task returns that computes with so many threads."""
    import torch

    torch.set_num_threads(threads)
    return _called(task, *arguments)


def _checked(expected: str, task: Callable[..., str], *arguments: Any) -> str:
    """Return why a worker cannot compute; the first reason is another version."""
    if expected != __version__:
        return (
            f"the worker on {platform.node()} has napari-cellinr {__version__}, not {expected}; "
            "install the same version on all workers."
        )
    return str(_called(task, *arguments))


def _said(address: str, said: Any) -> str:
    """Return why a worker is left out; one without this module cannot say so."""
    if not isinstance(said, BaseException):
        return str(said)
    return (
        f"the worker {address} cannot be checked ({_reason(said)}); install napari-cellinr "
        f"{__version__} on all workers."
    )


def _libraries() -> dict[str, str]:
    """Return the versions of packages on which results depend, and the name of this computer."""
    found = {"computer": platform.node()}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _other_libraries(there: Mapping[str, str] | BaseException) -> str:
    """Return a warning if a worker has other versions of packages; otherwise an empty text."""
    if isinstance(there, BaseException):
        return ""
    here = _libraries()
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
    if shutil.which("sbatch") is None:
        raise ConfigError(
            "--scheduler slurm needs the command sbatch of SLURM, which is not on the PATH; run "
            "this on a login node of the cluster, or give --scheduler local."
        )
    return dask_jobqueue


def _silence() -> None:
    """Show no logs of Dask about lost connections: what matters is said in a sentence."""
    names: Iterable[str] = list(logging.root.manager.loggerDict)
    for name in {"asyncio", "distributed", "tornado", *names}:
        if name.partition(".")[0] in {"asyncio", "distributed", "tornado"}:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _reason(error: BaseException) -> str:
    """Return one line for an error."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
