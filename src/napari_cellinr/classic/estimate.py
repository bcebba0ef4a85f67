"""Initial estimates of a fit: Gaussian smoothing and non-local means of stabilised values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from napari_cellinr.classic.smoothing import (
    CPU,
    as_array,
    as_tensor,
    gaussian_filter,
    mirrored,
)
from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["gaussian", "is_stopped", "iter_nlm", "nlm", "nlm_seconds"]

Shift: TypeAlias = tuple[int, ...]

_LITTLE = 0.7  # standard deviation in voxels of the smoothing in place of non-local means
_GUIDE = 0.9  # standard deviation in voxels of the smoothing before patches are compared
_CUT = 5.0  # excess difference, in units of h², at which the weight becomes 0
_SLAB = 300_000  # voxels of one task on the CPU, so that its arrays stay in the cache
_POLL = 0.1  # seconds between two progress reports
_SECONDS = 8e-9  # per voxel and shift on one core of 2023, with patches of 3 voxels
_SHARING = 0.8  # speed-up by each further core: they share the memory bus


def gaussian(
    values: NDArray[Any], sigma: float = _LITTLE, device: torch.device = CPU
) -> NDArray[np.float32]:
    """Return Gaussian-smoothed values, float32.

    Parameters
    ----------
    values
        Stabilised values, axes ZYX or YX, real.
    sigma
        Standard deviation of the Gaussian in voxels, along every axis.
    device
        Where to compute.
    """
    return as_array(gaussian_filter(as_tensor(values, device), sigma))


def nlm(
    values: NDArray[Any],
    *,
    distance: int | Sequence[int] = 5,
    strength: float = 0.42,
    patch: int = 3,
    grain: float = 0.0,
    n_workers: int = 1,
) -> NDArray[np.float32]:
    """Denoise by non-local means; the same as `iter_nlm` without progress, float32.

    Parameters
    ----------
    values, distance, strength, patch, grain, n_workers
        As for `iter_nlm`.
    """
    job = iter_nlm(
        values,
        distance=distance,
        strength=strength,
        patch=patch,
        grain=grain,
        n_workers=n_workers,
    )
    while True:
        try:
            next(job)
        except StopIteration as done:
            result: NDArray[np.float32] = done.value
            return result


def iter_nlm(
    values: NDArray[Any],
    *,
    distance: int | Sequence[int] = 5,
    strength: float = 0.42,
    patch: int = 3,
    grain: float = 0.0,
    n_workers: int = 1,
    running: Event | None = None,
    device: torch.device = CPU,
) -> Generator[float, str | None, NDArray[np.float32]]:
    """Denoise by non-local means: yield progress 0 to 1, return float32.

    Every voxel becomes the mean of the voxels around it, weighted by the similarity of their
    patches (Buades, Coll and Morel 2005; one pass per shift with box sums as in Darbon et al.
    2008). Patches are compared after a slight smoothing, which separates structure from noise
    better than larger patches do. With D the mean squared difference of two patches, D₀ the part
    due to noise, and h² = strength² + 2 D₀, the weight is (1 − (D − D₀) / 5 h²)⁴, and 1 for
    D < D₀: like exp(−(D − D₀) / h²), but exactly 0 for very different patches.

    Shifts are processed from near to far, so that a stopped job has searched a smaller
    neighbourhood. The result does not depend on the number of workers. Sending "stop" ends the
    job and returns the result so far, with `gaussian` where almost nothing was done; closing the
    generator ends all threads. Both take a fraction of a second.

    Parameters
    ----------
    values
        Values with noise of standard deviation 1, axes ZYX or YX, real.
    distance
        Largest shift in voxels, one for all axes or one per axis.
    strength
        Allowed difference of patches, in standard deviations of the noise; more is smoother.
    patch
        Width of the patches in voxels, odd.
    grain
        Standard deviation in voxels of the blur of the noise, as in `Noise.grain`.
    n_workers
        Number of threads, at least 1; a GPU needs only one.
    running
        Threads wait while it is cleared; they never wait if not given.
    device
        Where to compute.

    Raises
    ------
    ConfigError
        If a setting is out of bounds; on the first `next`.
    """
    array = as_tensor(values, device)
    reach = _reach(tuple(array.shape), distance)
    longest = int(np.argmax(array.shape[:-1])) if array.ndim > 1 else 0
    array, reach = array.movedim(longest, 0).contiguous(), _moved(reach, longest)
    rule = _rule(reach, strength, patch, grain)
    n_threads = max(1, n_workers) if device.type == "cpu" else 1
    tasks = _tasks(array, rule, n_threads)
    n_steps = max(1, len(tasks) * len(rule.shifts))
    stop = Event()
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="nlm")
    try:
        pending: set[Future[None]] = {pool.submit(task.run, stop, running) for task in tasks}
        while pending:
            finished, pending = wait(pending, timeout=_POLL, return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
            if (yield sum(task.n_done for task in tasks) / n_steps) == "stop":
                break
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
    result = gaussian_filter(array, _LITTLE)
    for task in tasks:
        task.write(result)
    return as_array(result.movedim(0, longest))


def is_stopped(stop: Event, running: Event | None) -> bool:
    """Return whether a thread has to end, after waiting for as long as the work is paused.

    Parameters
    ----------
    stop
        Set when the thread has to end.
    running
        Cleared while the work is paused; it never is if not given.
    """
    while running is not None and not stop.is_set() and not running.wait(_POLL):
        pass
    return stop.is_set()


def nlm_seconds(
    shape: Sequence[int], distance: int | Sequence[int] = 5, patch: int = 3, n_workers: int = 1
) -> float:
    """Return the estimated duration of `nlm` in seconds, on cores of 2023.

    It depends only on its arguments, so that choices based on it are reproducible.

    Parameters
    ----------
    shape
        Number of voxels along each axis.
    distance, patch, n_workers
        As for `nlm`.
    """
    reach = _reach(tuple(shape), distance)
    n_shifts = math.prod(2 * far + 1 for far in reach) / 2
    halo = math.prod(1 + far / (2 * size) for size, far in zip(shape, reach, strict=True))
    work = (15 + len(shape) * (patch - 1)) / 21  # array operations relative to a 3-D patch of 3
    cores = 1 + _SHARING * (n_workers - 1)
    return _SECONDS * math.prod(shape) * halo * n_shifts * work / cores


@dataclass(frozen=True)
class _Rule:
    """How the similarity of two voxels is measured.

    Parameters
    ----------
    reach
        Largest shift along each axis.
    shifts
        Half of all shifts, near ones first; the other half are their opposites.
    patch
        Width of a patch in voxels.
    steepness
        Decrease of the fourth root of the weight per unit of the sum of squared differences.
    most
        Fourth root of the weight of equal patches, before it is limited to 1: more than 1, since
        noise alone makes patches differ.
    """

    reach: Shift
    shifts: tuple[Shift, ...]
    patch: int
    steepness: float
    most: float


@dataclass(eq=False)
class _Task:
    """One slab of the volume, whose voxels are compared with all others within reach.

    Both voxels of a pair are updated at once, so the sums include a margin around the slab. All
    arrays are flat, so that a pair is a voxel and another one at a fixed distance. Pairs of which
    the shift leaves the array on one side and enters it on the other only change the margin.

    Parameters
    ----------
    rule
        How similarity is measured.
    first, shape
        Position of the slab along the first axis, and its shape without margin, in voxels.
    values, guide
        The slab with a margin of one reach and half a patch; unchanged, and slightly smoothed and
        scaled so that the weight falls by 1 per unit of the squared difference.
    n_done
        Number of shifts that are done.
    total, weights
        Weighted sum of values and sum of weights, flat, with the same margin.
    """

    rule: _Rule
    first: int
    shape: Shift
    values: torch.Tensor
    guide: torch.Tensor
    n_done: int = 0
    total: torch.Tensor = field(init=False)
    weights: torch.Tensor = field(init=False)

    def run(self, stop: Event, running: Event | None) -> None:
        """Process the shifts until all are done or `stop` is set."""
        values, guide = self.values.reshape(-1), self.guide.reshape(-1)
        self.total = values.clone()
        self.weights = torch.ones_like(values)  # each voxel has weight 1 in its own mean
        spare = torch.empty_like(values), torch.empty_like(values)
        for shift in self.rule.shifts:
            if is_stopped(stop, running):
                return
            self._add(sum(map(int.__mul__, shift, self._steps)), values, guide, spare)
            self.n_done += 1

    def write(self, result: torch.Tensor) -> None:
        """Write the weighted means into `result`, unless hardly any neighbours were compared."""
        if self.n_done >= min(len(self.rule.shifts), 3**result.ndim // 2):
            margins = [far + self.rule.patch // 2 for far in self.rule.reach]
            inner = tuple(
                slice(edge, edge + size) for edge, size in zip(margins, self.shape, strict=True)
            )
            means = (self.total / self.weights).reshape(self.values.shape)
            result[self.first : self.first + self.shape[0]] = means[inner]

    @property
    def _steps(self) -> list[int]:
        """Distance of neighbours along each axis in the flat arrays."""
        shape = self.values.shape
        return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]

    def _add(
        self,
        offset: int,
        values: torch.Tensor,
        guide: torch.Tensor,
        spare: tuple[torch.Tensor, torch.Tensor],
    ) -> None:
        """Add the contributions of all pairs of voxels that are `offset` apart to both voxels."""
        squares, other = (part[: len(guide) - offset] for part in spare)
        torch.sub(guide[: len(squares)], guide[offset:], out=squares).square_()
        wide = self.rule.patch
        for step in self._steps if wide > 1 else ():
            n = len(squares) - (wide - 1) * step
            sums = other[:n]
            torch.add(squares[:n], squares[step : step + n], out=sums)
            for place in range(2 * step, wide * step, step):
                sums.add_(squares[place : place + n])
            squares, other = sums, squares
        weight = squares.sub_(self.rule.most).clamp_(-1, 0).square_().square_()
        middle = wide // 2 * sum(self._steps)
        own = slice(middle, middle + len(weight))
        far = slice(middle + offset, middle + offset + len(weight))
        self.weights[own].add_(weight)
        self.weights[far].add_(weight)
        self.total[own].addcmul_(weight, values[far])
        self.total[far].addcmul_(weight, values[own])


def _tasks(array: torch.Tensor, rule: _Rule, n_threads: int) -> list[_Task]:
    """Return slabs along the first axis: one per thread, or more if they get too large."""
    margins = [far + rule.patch // 2 for far in rule.reach]
    values = mirrored(array, margins, at_voxels=True)
    smooth = gaussian_filter(array, _GUIDE) * math.sqrt(rule.steepness)
    guide = mirrored(smooth, margins, at_voxels=True)
    length, n_slabs = array.shape[0], 1
    if array.device.type == "cpu":
        n_slabs = n_threads * math.ceil(array.numel() / _SLAB / n_threads)
    edges = np.unique(np.linspace(0, length, n_slabs + 1).astype(int))
    tasks = []
    for start, stop in itertools.pairwise(map(int, edges)):
        wide = slice(start, stop + 2 * margins[0])
        shape = (stop - start, *array.shape[1:])
        tasks.append(_Task(rule, start, shape, values[wide], guide[wide]))
    return tasks


def _rule(reach: Shift, strength: float, patch: int, grain: float) -> _Rule:
    """Return the rule for shifts within `reach`."""
    if patch < 1 or patch % 2 == 0 or strength <= 0 or grain < 0:
        raise ConfigError(
            f"patch {patch}, strength {strength} and grain {grain} were given; patch must be an "
            "odd number of voxels, strength positive and grain not negative."
        )
    cube = itertools.product(*(range(-far, far + 1) for far in reach))
    half = [shift for shift in cube if shift > (0,) * len(reach)]
    n_voxels = patch ** len(reach)
    noise = 2 * _remaining_variance(grain) ** len(reach)
    steepness = 1 / (_CUT * (strength**2 + 2 * noise) * n_voxels)
    return _Rule(
        reach=reach,
        shifts=tuple(sorted(half, key=lambda shift: sum(step**2 for step in shift))),
        patch=patch,
        steepness=steepness,
        most=1 + steepness * noise * n_voxels,
    )


def _moved(reach: Shift, axis: int) -> Shift:
    """Return the reach with that of an axis first."""
    return (reach[axis], *reach[:axis], *reach[axis + 1 :])


def _remaining_variance(grain: float) -> float:
    """Return the fraction of the noise variance left by the smoothing of the guide, per axis."""
    impulse = torch.zeros(65)
    impulse[32] = 1
    noise = gaussian_filter(impulse, grain)
    return float(gaussian_filter(noise, _GUIDE).square().sum() / noise.square().sum())


def _reach(shape: Shift, distance: int | Sequence[int]) -> Shift:
    """Return the largest shift along each axis, limited by the size of the array."""
    given = tuple(distance) if isinstance(distance, Sequence) else (distance,) * len(shape)
    if len(given) != len(shape) or min(given) < 0:
        raise ConfigError(
            f"distance {given} was given for an array of shape {shape}; one number of voxels, 0 "
            "or more, is needed, or one per axis."
        )
    return tuple(min(far, size - 1) for far, size in zip(given, shape, strict=True))
