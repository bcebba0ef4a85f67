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
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["gaussian", "is_stopped", "iter_nlm", "nlm", "nlm_seconds"]

Floats: TypeAlias = "NDArray[np.float32]"
Shift: TypeAlias = tuple[int, ...]
Slices: TypeAlias = tuple[slice, ...]

_GUIDE = 0.9  # standard deviation in voxels of the smoothing before patches are compared
_CUT = 5.0  # excess difference, in units of h², at which the weight becomes 0
_SLAB = 300_000  # voxels of one task, so that its arrays stay in the cache
_POLL = 0.1  # seconds between two progress reports
_SECONDS = 8e-9  # per voxel and shift on one core of 2023, with patches of 3 voxels
_SHARING = 0.8  # speed-up by each further core: they share the memory bus


def gaussian(values: NDArray[Any], sigma: float = 0.7) -> NDArray[np.float32]:
    """Return Gaussian-smoothed values, float32.

    Parameters
    ----------
    values
        Stabilised values, axes ZYX or YX, real.
    sigma
        Standard deviation of the Gaussian in voxels, along every axis.
    """
    return np.asarray(gaussian_filter(np.asarray(values, np.float32), sigma), np.float32)


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
        Number of threads, at least 1.
    running
        Threads wait while it is cleared; they never wait if not given.

    Raises
    ------
    ConfigError
        If a setting is out of bounds; on the first `next`.
    """
    array = np.asarray(values, np.float32)
    rule = _rule(array.shape, distance, strength, patch, grain)
    tasks = _tasks(array, rule, max(1, n_workers))
    n_steps = max(1, len(tasks) * len(rule.shifts))
    stop = Event()
    pool = ThreadPoolExecutor(max(1, n_workers), thread_name_prefix="nlm")
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
    result = gaussian(array)
    for task in tasks:
        task.write(result)
    return result


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
    flat
        Sum of squared differences of two patches that is due to noise.
    steepness
        Decrease of the fourth root of the weight per unit above `flat`.
    """

    reach: Shift
    shifts: tuple[Shift, ...]
    patch: int
    flat: float
    steepness: float


@dataclass(eq=False)
class _Task:
    """One slab of the volume, whose voxels are compared with all others within reach.

    Both voxels of a pair are updated at once, so the sums include a margin around the slab.

    Parameters
    ----------
    rule
        How similarity is measured.
    slab
        Position of the slab in the volume.
    values, guide
        The slab with a margin of one reach and half a patch; unchanged, and slightly smoothed.
    n_done
        Number of shifts that are done.
    total, weights
        Weighted sum of values and sum of weights, slab with a margin of one reach.
    """

    rule: _Rule
    slab: Slices
    values: Floats
    guide: Floats
    n_done: int = 0
    total: Floats = field(init=False)
    weights: Floats = field(init=False)

    def run(self, stop: Event, running: Event | None) -> None:
        """Process the shifts until all are done or `stop` is set."""
        half = self.rule.patch // 2
        self.total = self.values[(slice(half, -half or None),) * self.values.ndim].copy()
        self.weights = np.ones_like(self.total)  # each voxel has weight 1 in its own mean
        buffers = (np.empty(self.values.size, np.float32), np.empty(self.values.size, np.float32))
        for shift in self.rule.shifts:
            if is_stopped(stop, running):
                return
            self._add(shift, *buffers)
            self.n_done += 1

    def write(self, result: Floats) -> None:
        """Write the weighted means into `result`, unless hardly any neighbours were compared."""
        if self.n_done >= min(len(self.rule.shifts), 3**result.ndim // 2):
            inner = tuple(slice(far, -far or None) for far in self.rule.reach)
            result[self.slab] = self.total[inner] / self.weights[inner]

    def _add(self, shift: Shift, first: Floats, second: Floats) -> None:
        """Add the contributions of all pairs of voxels that are `shift` apart to both voxels."""
        half = self.rule.patch // 2
        here, there = self._pair(shift, half, half)
        weight, spare = self._weights(self.guide[here], self.guide[there], first, second)
        product = spare[: weight.size].reshape(weight.shape)
        here, there = self._pair(shift, half, 0)
        own, other = self._pair(shift, 0, 0)
        self.weights[own] += weight
        self.weights[other] += weight
        self.total[own] += np.multiply(weight, self.values[there], out=product)
        self.total[other] += np.multiply(weight, self.values[here], out=product)

    def _pair(self, shift: Shift, margin: int, extra: int) -> tuple[Slices, Slices]:
        """Return the slices of all pairs `shift` apart of which one voxel is in the slab.

        They refer to an array with a margin of one reach plus `margin`, and include `extra` more
        voxels on each side.
        """
        here, there = [], []
        for far, step, part in zip(self.rule.reach, shift, self.slab, strict=True):
            start = far + margin - extra + min(0, -step)
            stop = far + margin + extra + max(0, -step) + part.stop - part.start
            here.append(slice(start, stop))
            there.append(slice(start + step, stop + step))
        return tuple(here), tuple(there)

    def _weights(
        self, here: Floats, there: Floats, first: Floats, second: Floats
    ) -> tuple[Floats, Floats]:
        """Return the weights of all pairs, in one of two flat buffers, and the other buffer."""
        squares = first[: here.size].reshape(here.shape)
        np.subtract(here, there, out=squares)
        np.multiply(squares, squares, out=squares)
        for axis in range(squares.ndim):
            squares = _box_sum(squares, axis, self.rule.patch, second)
            first, second = second, first
        squares -= np.float32(self.rule.flat)
        squares *= np.float32(-self.rule.steepness)
        squares += np.float32(1)
        np.clip(squares, 0, 1, out=squares)
        np.multiply(squares, squares, out=squares)
        np.multiply(squares, squares, out=squares)
        return squares, second


def _box_sum(array: Floats, axis: int, width: int, buffer: Floats) -> Floats:
    """Return the sums of `width` neighbours along an axis, stored in the flat `buffer`."""
    length = array.shape[axis] - width + 1
    before = (slice(None),) * axis
    parts = [array[(*before, slice(start, start + length))] for start in range(width)]
    sums = buffer[: parts[0].size].reshape(parts[0].shape)
    np.copyto(sums, parts[0]) if width == 1 else np.add(parts[0], parts[1], out=sums)
    for part in parts[2:]:
        np.add(sums, part, out=sums)
    return sums


def _tasks(array: Floats, rule: _Rule, n_workers: int) -> list[_Task]:
    """Return slabs along the longest axis: one per worker, or more if they get too large."""
    margins = [far + rule.patch // 2 for far in rule.reach]
    pad = [(margin, margin) for margin in margins]
    values = np.pad(array, pad, mode="reflect")
    guide = np.pad(gaussian(array, _GUIDE), pad, mode="reflect")
    axis = int(np.argmax(array.shape[:-1])) if array.ndim > 1 else 0
    length = array.shape[axis]
    n_slabs = n_workers * math.ceil(array.size / _SLAB / n_workers)
    edges = np.unique(np.linspace(0, length, max(n_slabs, 1) + 1).astype(int))
    tasks = []
    for start, stop in itertools.pairwise(map(int, edges)):
        slab = tuple(slice(0, size) for size in array.shape)
        place = (*slab[:axis], slice(start, stop), *slab[axis + 1 :])
        wide = (*(slice(None),) * axis, slice(start, stop + 2 * margins[axis]))
        tasks.append(_Task(rule, place, values[wide], guide[wide]))
    return tasks


def _rule(
    shape: Shift, distance: int | Sequence[int], strength: float, patch: int, grain: float
) -> _Rule:
    """Return the rule for an array of `shape`."""
    if patch < 1 or patch % 2 == 0 or strength <= 0 or grain < 0:
        raise ConfigError(
            f"patch {patch}, strength {strength} and grain {grain} were given; patch must be an "
            "odd number of voxels, strength positive and grain not negative."
        )
    reach = _reach(shape, distance)
    cube = itertools.product(*(range(-far, far + 1) for far in reach))
    half = [shift for shift in cube if shift > (0,) * len(shape)]
    n_voxels = patch ** len(shape)
    noise = 2 * _remaining_variance(grain) ** len(shape)
    return _Rule(
        reach=reach,
        shifts=tuple(sorted(half, key=lambda shift: sum(step**2 for step in shift))),
        patch=patch,
        flat=noise * n_voxels,
        steepness=1 / (_CUT * (strength**2 + 2 * noise) * n_voxels),
    )


def _remaining_variance(grain: float) -> float:
    """Return the fraction of the noise variance left by the smoothing of the guide, per axis."""
    impulse = np.zeros(65)
    impulse[32] = 1
    noise = gaussian_filter1d(impulse, grain) if grain > 0 else impulse
    return float(np.sum(gaussian_filter1d(noise, _GUIDE) ** 2) / np.sum(noise**2))


def _reach(shape: Shift, distance: int | Sequence[int]) -> Shift:
    """Return the largest shift along each axis, limited by the size of the array."""
    given = tuple(distance) if isinstance(distance, Sequence) else (distance,) * len(shape)
    if len(given) != len(shape) or min(given) < 0:
        raise ConfigError(
            f"distance {given} was given for an array of shape {shape}; one number of voxels, 0 "
            "or more, is needed, or one per axis."
        )
    return tuple(min(far, size - 1) for far, size in zip(given, shape, strict=True))
