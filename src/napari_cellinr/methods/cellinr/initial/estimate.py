"""The initial estimate of a fit by classical denoising, and how strongly it follows the noise."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from napari_cellinr.classic.collaborative import estimate_seconds, iter_estimate
from napari_cellinr.classic.estimate import gaussian, iter_nlm, nlm_seconds
from napari_cellinr.classic.groups import FRAMES_APART, iter_groups
from napari_cellinr.classic.smoothing import CPU
from napari_cellinr.methods.cellinr.initial.half import Half

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Progress

__all__ = [
    "SHARED",
    "EstimateBudget",
    "Guides",
    "InitialEstimate",
    "choose_estimate",
    "first_shared",
    "frames_at_once",
    "group",
    "group_series",
    "initial_estimate",
    "search_distance",
]

ESTIMATE_SHARE = 0.5
"""Largest part of the time limit for the initial estimate."""

PROBE = 0.5
"""Size of the change by which the sensitivity is measured, in standard deviations.

Smaller changes would miss that the choice of similar patches follows the noise, in jumps.
"""

THIN = 4
"""Voxels along an axis up to which a volume counts as a plane."""

_DISTANCES = {"nlm-5": 5, "nlm-4": 4, "nlm-3": 3, "nlm-2": 2}
SERIES_VOXELS = 40_000_000
"""Voxels of a series that are held at a time."""

SHARED = 2
"""Frames that a part of a series shares with the next one."""

_CHOICES = ("groups", "nlm-3", "nlm-2", "gaussian")
_GROUPS = "initial estimate, patch matching"


@dataclass(frozen=True)
class InitialEstimate:
    """A classical estimate of stabilised values, and its response to a small change of them.

    Parameters
    ----------
    estimate
        Axes ZYX or YX, float32, in standard deviations of the noise.
    shifted
        The estimate of `values + PROBE * probe`.
    probe
        A random pattern with the statistics of the noise, sd 1; zeros if none was requested.
    name
        Which estimate it is, such as `nlm-4`; a cheaper one than planned if time was short.
    complete
        False if the user stopped it; then `shifted` is `estimate`.
    """

    estimate: NDArray[np.float32]
    shifted: NDArray[np.float32]
    probe: NDArray[np.float32]
    name: str
    complete: bool = True


@dataclass(frozen=True)
class EstimateBudget:
    """Threads, time and device for the initial estimate.

    Parameters
    ----------
    grain
        Standard deviation of the blur in the noise, in voxels.
    n_workers
        Number of threads.
    seconds
        Time for all estimates; no limit if not given. On a slower machine a cheaper estimate takes
        the place of the chosen one; the result names it, so that it can be repeated.
    device
        Where to compute.
    """

    grain: float = 0.0
    n_workers: int = 1
    seconds: float | None = None
    device: torch.device = CPU

    @classmethod
    def until(cls, deadline: float | None, noise: Noise, device: torch.device) -> Self:
        """Return the budget of a frame that is to be finished at some time.

        Parameters
        ----------
        deadline
            A time of `time.monotonic`; no limit if None.
        noise
            The noise of the frame.
        device
            Where to compute.
        """
        left = None if deadline is None else ESTIMATE_SHARE * (deadline - time.monotonic())
        return cls(noise.grain, torch.get_num_threads(), left, device)


@dataclass(frozen=True)
class Guides:
    """Estimates in which groups of similar patches are searched for.

    Parameters
    ----------
    first, second
        Of the values without and with the small change, axes ZYX or YX, float32.
    variance
        Variance of the noise at each voxel, axes ZYX or YX; 1 if not given.
    """

    first: NDArray[np.float32]
    second: NDArray[np.float32]
    variance: NDArray[np.float32] | None = None


def choose_estimate(shape: tuple[int, ...], seconds: float | None, n_workers: int) -> str:
    """Return the name of the best estimate that takes no longer than `seconds`.

    Parameters
    ----------
    shape, n_workers
        Voxels along each axis, and number of threads.
    seconds
        Time for both estimates, as predicted by a fixed model; no limit if None.
    """
    for name in _CHOICES[:-1]:
        needed = 2 * nlm_seconds(shape, search_distance(name, shape), n_workers=n_workers)
        if name == "groups":
            needed += 2 * estimate_seconds(shape, n_workers)
        if seconds is None or needed <= seconds:
            return name
    return _CHOICES[-1]


def initial_estimate(
    values: NDArray[np.float32],
    estimate: str,
    probe: NDArray[np.float32] | None,
    budget: EstimateBudget,
    monitor: Monitor,
) -> Generator[Progress, Message, InitialEstimate]:
    """Estimate twice, with and without a small change: yield `Progress`, return both.

    The second estimate shows how strongly the first one follows the noise of each voxel. From
    this, the error of anything made of it can be computed without the truth (Ramani, Blu and
    Unser 2008, "Monte-Carlo SURE", IEEE Transactions on Image Processing 17).

    Parameters
    ----------
    values
        Stabilised values, axes ZYX or YX, float32, in standard deviations of the noise.
    estimate
        `groups`, of which this is the first half, `nlm-5` … `nlm-2`, `gaussian`, or `auto` for
        the best that there is time for.
    probe
        The direction of the change, of `probe_of`; None if no second estimate is needed, and
        `shifted` is the first one.
    budget
        Threads and time.
    monitor
        Of the job.

    Returns
    -------
    InitialEstimate
        Not complete if the user stopped it.
    """
    seconds, n_workers = budget.seconds, budget.n_workers
    name = choose_estimate(values.shape, seconds, n_workers) if estimate == "auto" else estimate
    end = None if seconds is None else time.monotonic() + seconds
    probed, probe = probe is not None, np.zeros_like(values) if probe is None else probe
    changed = values + np.float32(PROBE) * probe
    while name != "gaussian":
        distance = search_distance(name, values.shape)
        settings: dict[str, Any] = {
            "distance": distance,
            "grain": budget.grain,
            "n_workers": n_workers,
            "running": monitor.running,
            "device": budget.device,
        }
        half = None if end is None else (time.monotonic() + end) / 2
        first = Half(iter_nlm(values, **settings), monitor, limit=half)
        while first.advance():
            yield from first.report()
        if first.stopped:
            return InitialEstimate(first.values, first.values, probe, name, complete=False)
        if not first.late:
            break
        name = _cheaper(name, values.shape)
    else:
        return InitialEstimate(
            gaussian(values, device=budget.device),
            gaussian(changed, device=budget.device),
            probe,
            name,
        )
    if not probed:
        return InitialEstimate(first.values, first.values, probe, name)
    second = Half(iter_nlm(changed, **settings), monitor, 0.5)
    while second.advance():
        yield from second.report()
    if second.stopped:
        return InitialEstimate(first.values, first.values, probe, name, complete=False)
    return InitialEstimate(first.values, second.values, probe, name)


def group(
    values: NDArray[np.float32],
    found: InitialEstimate,
    guides: Guides,
    budget: EstimateBudget,
    monitor: Monitor,
    *,
    probed: bool = True,
) -> Generator[Progress, Message, InitialEstimate]:
    """Estimate twice by groups of similar patches: yield `Progress`, return both estimates.

    Parameters
    ----------
    values
        Stabilised values, axes ZYX or YX, float32, in standard deviations of the noise.
    found
        The estimate by non-local means, which is returned if the time is too short for groups.
    guides
        Estimates in which the groups are searched for.
    budget
        Threads and time.
    monitor
        Of the job.
    probed
        Whether to make the second estimate; if not, `shifted` is the first one.

    Returns
    -------
    InitialEstimate
        Not complete if the user stopped it.
    """
    settings: dict[str, Any] = {
        "variance": guides.variance,
        "grain": budget.grain,
        "n_workers": budget.n_workers,
        "running": monitor.running,
        "device": budget.device,
    }
    limit = None if budget.seconds is None else monitor.started + budget.seconds
    half = None if limit is None else (time.monotonic() + limit) / 2
    job = iter_estimate(values, guides.first, **settings)
    first = Half(job, monitor, stage=_GROUPS, limit=half)
    while first.advance():
        yield from first.report()
    if first.late:
        return replace(found, name=f"nlm-{search_distance(found.name, values.shape)}")
    if first.stopped:
        return replace(found, estimate=first.values, shifted=first.values, complete=False)
    if not probed:
        return replace(found, estimate=first.values, shifted=first.values)
    changed = values + np.float32(PROBE) * found.probe
    job = iter_estimate(changed, guides.second, **settings)
    second = Half(job, monitor, 0.5, stage=_GROUPS)
    while second.advance():
        yield from second.report()
    if second.stopped:
        return replace(found, estimate=first.values, shifted=first.values, complete=False)
    return replace(found, estimate=first.values, shifted=second.values)


def group_series(
    values: NDArray[np.float32],
    guides: NDArray[np.float32],
    budget: EstimateBudget,
    monitor: Monitor,
    own: range | None = None,
) -> Generator[Progress, Message, tuple[NDArray[np.float32], bool]]:
    """Estimate all frames of a series by groups that hold patches of neighbouring frames, too.

    Parameters
    ----------
    values, guides
        Stabilised values, and the estimates in which groups are searched for, axes TZYX or TYX,
        float32.
    budget
        Threads; the time is not limited.
    monitor
        Of the job.
    own
        The frames to estimate, at most as many as are estimated at a time; all if not given.

    Returns
    -------
    tuple
        The estimates, axes of `values`, float32, and whether all are done. If the user stopped
        before, the rest are `guides`, as are frames that were not to be estimated.
    """
    result = guides.copy() if own else np.empty_like(values)
    length = len(own) if own else frames_at_once(values[0].size)
    firsts = range(own.start, own.stop, length) if own else range(0, len(values), length)
    for number, first in enumerate(firsts):
        wide = slice(first_shared(first), first + length + SHARED)
        job = iter_groups(
            values[wide],
            guides[wide],
            series=True,
            grain=budget.grain,
            n_workers=budget.n_workers,
            running=monitor.running,
            device=budget.device,
        )
        done = Half(job, monitor, number / len(firsts), stage=_GROUPS)
        while done.advance():
            yield from done.report()
        inner = slice(first - wide.start, first - wide.start + length)
        result[first : first + length] = done.values[inner]
        if done.stopped:
            result[first + length :] = guides[first + length :]
            return result, False
    return result, True


def first_shared(frame: int) -> int:
    """Return the first frame that a part of a series needs, so that its patches are the same.

    Parameters
    ----------
    frame
        The first frame that the part returns.
    """
    return max(0, frame - SHARED) // FRAMES_APART * FRAMES_APART


def frames_at_once(n_voxels: int) -> int:
    """Return how many frames of a series are estimated at a time.

    Parameters
    ----------
    n_voxels
        Voxels of a frame.
    """
    return max(4, SERIES_VOXELS // n_voxels)


def search_distance(name: str, shape: tuple[int, ...]) -> int:
    """Return the search distance of the non-local means of an estimate, in voxels.

    Parameters
    ----------
    name
        Name of the estimate, such as `nlm-4`.
    shape
        Voxels along each axis.
    """
    if name != "groups":
        return _DISTANCES[name]
    return 3 if sum(size > THIN for size in shape) > 2 else 5


def _cheaper(name: str, shape: tuple[int, ...]) -> str:
    """Return the next cheaper estimate: non-local means that search less far."""
    distance = search_distance(name, shape)
    nearer = (other for other in _CHOICES[1:-1] if _DISTANCES[other] < distance)
    return next(nearer, _CHOICES[-1])
