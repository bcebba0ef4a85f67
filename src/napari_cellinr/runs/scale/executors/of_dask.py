"""Workers of Dask: of this computer, jobs of SLURM, or those of a scheduler at an address."""

from __future__ import annotations

import logging
import math
import os
import shutil
import time
from contextlib import suppress
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from napari_cellinr import __version__
from napari_cellinr.errors import CellINRError, ConfigError, FitError
from napari_cellinr.runs.scale.executors import DEVICE, WorkersLostError
from napari_cellinr.runs.scale.executors.late import Late
from napari_cellinr.runs.scale.executors.on_workers import checked, libraries, with_threads
from napari_cellinr.runs.scale.executors.questions import Question
from napari_cellinr.runs.scale.executors.roster import Roster, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
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

ANSWER: Final = 30.0
"""Seconds within which a scheduler answers: it may be busy."""

LOOK: Final = 3.0
"""Seconds between two looks which workers still finish tasks."""

SLURM: Final = "slurm"

CORES: Final = 4
"""Cores of a job of SLURM, unless dask-jobqueue is configured otherwise."""

HEADROOM: Final = 1.5
"""Memory of a job relative to what a part needs: Dask pauses workers that use 80 % of theirs."""


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
        self._numbers = count()
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
        self._roster, self._late, self._is_silent = Roster(), Late(), False
        self._submitted: list[tuple[Future[Any], str, set[str]]] = []
        self._seen = self._looked = time.monotonic()
        distributed = _distributed()
        _silence()
        try:
            if self._scheduler in {"local", SLURM}:
                self._cluster = self._started(distributed)
                self._client = distributed.Client(self._cluster, timeout=CONNECT)
            else:
                # A scheduler that is stopped accepts the connection, and then never answers.
                connect = partial(distributed.Client, self._scheduler, timeout=CONNECT)
                self._client = Question(connect).answer(2 * CONNECT)
        except CellINRError:
            raise
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise FitError(
                f"the scheduler {self._scheduler} cannot be reached ({reason(error)}); check its "
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
            if self._scheduler != "local" and (text := self._late.text):
                raise FitError(f"no worker is left that computes parts: {text}")
            raise WorkersLostError("no worker of the scheduler is left.")
        # Workers that were started here are all alike, so that one that is replaced goes on.
        only = None if self._scheduler == "local" and not self._roster.left_out else chosen
        executor = self._client.get_executor(
            pure=False, retries=2, workers=only, allow_other_workers=False
        )
        key = f"cellinr-{uuid4().hex}"
        found: Future[Any] = executor.submit(with_threads, self._threads, task, *arguments, key=key)
        self._submitted.append((found, key, set(chosen if only else ())))
        return found

    def overdue(self, limit: float) -> list[tuple[Future[Any], str]]:
        """Return the tasks of workers that have finished none for too long, and why.

        Parameters
        ----------
        limit
            As for `Workers.overdue`.
        """
        if time.monotonic() < self._looked + LOOK:
            return []
        self._looked = time.monotonic()
        try:
            known = self._known()
            processing = self._asked(lambda client: client.processing())
        except WorkersLostError:
            return []  # whoever submits the next task notices it
        for address in self._late.back(known):
            self._roster.take_back(address)
        found: list[tuple[Future[Any], str]] = []
        for address in self._late.new(processing, limit):
            own = [one for one, key, _ in self._submitted if key in set(processing[address])]
            if own and address in self._roster.good:
                text = self._late.add(address, limit, known[address], self._client)
                self._roster.leave_out(address, text)
                found += [(own[0], text), *((one, "") for one in own[1:])]
        return found

    @property
    def are_lost(self) -> bool:
        """Whether nobody is left who could compute what was submitted."""
        try:
            known = set(self._known())
        except WorkersLostError:
            return self._is_silent or bool(self._client.status == "closed")
        self._submitted = [one for one in self._submitted if not one[0].done()]
        if any(chosen and not chosen & known for _, _, chosen in self._submitted):
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
            left_out, is_asking = self._roster.left_out, self._roster.is_asking
            if left_out and waited > OTHERS and not is_asking:
                raise FitError(f"no worker can compute the plan: {next(iter(left_out.values()))}")
            if self._scheduler == SLURM and waited > OTHERS and not self._has_jobs:
                raise FitError(
                    "SLURM has taken none of the jobs; check what the configuration of "
                    "dask-jobqueue asks for, such as queue, account, memory and walltime."
                )
            if self._scheduler != SLURM and not left_out and waited > PATIENCE and not is_asking:
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
        try:
            return self._roster.check(
                list(self._known()), lambda address: self._said(address, task, *arguments)
            )
        except WorkersLostError:
            raise
        except Exception as error:  # a lost connection raises errors of many kinds
            raise self._lost(error) from error

    def _said(self, address: str, task: Callable[..., str], *arguments: Any) -> tuple[Any, Any]:
        """Ask a worker whether it can be used, and its libraries; give it its device."""
        said = self._on(address, checked, __version__, task, *arguments)
        if said:
            return said, None
        if self._devices:
            device = self._devices[next(self._numbers) % len(self._devices)]
            self._on(address, os.environ.update, {DEVICE: device})
        return said, self._on(address, libraries)

    def _on(self, address: str, task: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a task returns on a worker, or how it failed there."""
        found = self._client.run(task, *arguments, workers=[address], on_error="return")
        return found[address]

    def _asked(self, call: Callable[[Any], Any]) -> Any:
        """Return what the scheduler answers to a call of the client."""
        try:
            if self._is_silent:
                raise TimeoutError(f"no answer within {ANSWER:.0f} s")
            return Question(call, self._client).answer(ANSWER)
        except Exception as error:  # a lost connection raises errors of many kinds
            self._is_silent = isinstance(error, TimeoutError)
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> WorkersLostError:
        return WorkersLostError(
            f"the scheduler {self._scheduler} does not answer ({reason(error)})."
        )

    def _known(self) -> dict[str, Any]:
        """Return what the scheduler knows about each worker, by its address."""
        found = self._asked(lambda client: client.scheduler_info(n_workers=-1))["workers"]
        if self._client.status != "running":
            raise self._lost(OSError("it was lost"))
        return dict(found)

    @property
    def _has_jobs(self) -> bool:
        """Whether SLURM has taken a job; Dask does not say when it takes none."""
        jobs = dict(getattr(self._cluster, "workers", {}))
        return any(getattr(one, "job_id", None) for one in jobs.values())

    def _usable(self) -> list[str]:
        return [address for address in self._known() if address in self._roster.good]

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
