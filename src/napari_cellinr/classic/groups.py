"""Joint Wiener filtering of groups of similar patches (non-local Bayes)."""

from __future__ import annotations

import itertools
import math
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from napari_cellinr.classic.estimate import is_stopped
from napari_cellinr.classic.patches import distances, flat_places, flat_steps, values_at
from napari_cellinr.classic.smoothing import CPU, as_array, as_tensor, mirrored
from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

__all__ = ["FRAMES_APART", "groups_seconds", "iter_groups"]

Floats: TypeAlias = "NDArray[np.float32]"
Shape: TypeAlias = tuple[int, ...]

_SHAPES = {1: (9, 10, 2), 2: (9, 10, 4), 3: (5, 4, 4)}  # axes: patch, distance, spacing; voxels
_SERIES = {1: (9, 10, 2), 2: (7, 10, 4), 3: (4, 4, 4)}  # the same for patches of two frames
FRAMES_APART = 2
"""Frames from one reference patch to the next, counted from the first frame of a series."""

_TIME = (2, 1, FRAMES_APART)  # along time: patch, search distance, spacing; frames
_MOTION = 2  # search distance in other frames, in voxels
_THIN = 4  # voxels along an axis up to which patches are not moved along it
_MEMBERS = 90  # patches in a group
_TILE = 1024  # groups of one task on the CPU
_CHUNK = 24  # groups that a thread filters at a time, so that they stay in the cache
_CHUNK_ON_GPU = 1024  # the same on a GPU, which computes them all at once
_ON_GPU = 16  # times as many groups of one task on a GPU
_PRECISION = 3e-7  # smallest part of the trace of a matrix that its factorisation can tell from 0
_POLL = 0.1  # seconds between two progress reports
_SECONDS = {1: 2e-5, 2: 1.5e-4, 3: 3e-4}  # per group on one core of 2023
_SHARING = 0.7  # speed-up by each further core


def iter_groups(
    values: NDArray[Any],
    guide: NDArray[Any],
    *,
    variance: NDArray[Any] | None = None,
    grain: float = 0.0,
    members: int = _MEMBERS,
    series: bool = False,
    n_workers: int = 1,
    running: Event | None = None,
    device: torch.device = CPU,
) -> Generator[float, str | None, NDArray[np.float32]]:
    """Denoise by groups of similar patches: yield progress 0 to 1, return float32.

    For reference patches on a regular grid, the patches most similar in `guide` form a group.
    The group's patches in the guide give the covariance of the structure; with it, each noisy
    patch gets its linear minimum-mean-square-error (Wiener) estimate. Voxels become the mean
    over all patches that contain them. This is the second step of non-local Bayes (Lebrun,
    Buades and Morel 2013, SIAM Journal on Imaging Sciences 6, 1665), with any estimate as guide.

    The result does not depend on the number of workers. Sending "stop" ends the job; voxels that
    are not done have the value of the guide.

    Parameters
    ----------
    values
        Values with noise of standard deviation 1, axes ZYX or YX, real.
    guide
        An estimate of their means, same shape.
    variance
        Variance of the noise at each voxel if it is not 1, same shape.
    grain
        Standard deviation in voxels of the blur of the noise, as in `Noise.grain`.
    members
        Number of patches in a group.
    series
        Whether the first axis is time: then patches span two frames, and groups include patches
        of neighbouring frames.
    n_workers
        Number of threads, at least 1; a GPU needs only one.
    running
        Threads wait while it is cleared; they never wait if not given.
    device
        Where to compute.

    Raises
    ------
    ConfigError
        If the arrays differ in shape; on the first `next`.
    """
    if np.shape(values) != np.shape(guide):
        raise ConfigError(
            f"values of shape {np.shape(values)} and a guide of shape {np.shape(guide)} were "
            "given; both need the same shape."
        )
    job = _Job.of(values, guide, variance, grain, members, series, device)
    tiles = job.tiles()
    n_threads = max(1, n_workers) if device.type == "cpu" else 1
    stop = Event()
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="groups")
    try:
        waiting = iter(tiles)
        pending: deque[Future[_Done]] = deque()
        n_done = 0
        while n_done < len(tiles):
            for tile in itertools.islice(waiting, 2 * n_threads - len(pending)):
                pending.append(pool.submit(job.filtered, tile, stop, running))
            try:
                job.add(pending[0].result(timeout=_POLL))
                pending.popleft()
                n_done += 1
            except NotYet:
                pass
            if (yield n_done / len(tiles)) == "stop":
                break
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
    return job.result()


def groups_seconds(shape: Sequence[int], n_workers: int = 1) -> float:
    """Return the estimated duration of `iter_groups` in seconds, on cores of 2023.

    Parameters
    ----------
    shape
        Number of voxels along each axis.
    n_workers
        Number of threads.
    """
    n_axes = _n_axes(shape)
    spacing = _SHAPES[n_axes][2]
    n_groups = math.prod(math.ceil(size / spacing) for size in shape)
    return _SECONDS[n_axes] * n_groups / (1 + _SHARING * (n_workers - 1))


@dataclass(frozen=True, eq=False)
class _Done:
    """Sum and number of the filtered patches at each voxel of one tile."""

    place: tuple[slice, ...]
    total: torch.Tensor
    weight: torch.Tensor


@dataclass(frozen=True, eq=False)
class _Job:
    """The constants of all tiles; arrays have a margin of `reach` on each side.

    Parameters
    ----------
    values, guide, variance
        Float32; `variance` is `None` if it is 1 everywhere.
    patch, reach, members
        Width of a patch and largest shift along each axis, in voxels; patches in a group.
    corners
        First voxels of the reference patches along each axis, without margin.
    shifts
        Shifts from a reference patch to the candidates for its group.
    whitening, colouring
        What patches are multiplied by to make their noise white, and its inverse, shape (voxels,
        voxels); `None` for white noise.
    total, weight
        Sum and number of filtered patches at each voxel so far.
    """

    values: torch.Tensor
    guide: torch.Tensor
    variance: torch.Tensor | None
    patch: Shape
    reach: Shape
    members: int
    corners: tuple[tuple[int, ...], ...]
    shifts: tuple[Shape, ...]
    whitening: torch.Tensor | None
    colouring: torch.Tensor | None
    total: torch.Tensor
    weight: torch.Tensor

    @classmethod
    def of(
        cls,
        values: NDArray[Any],
        guide: NDArray[Any],
        variance: NDArray[Any] | None,
        grain: float,
        members: int,
        series: bool,
        device: torch.device = CPU,
    ) -> _Job:
        shape = np.shape(values)
        n_axes = _n_axes(shape[1:] if series else shape)
        sizes = [(_SHAPES if not series else _SERIES)[n_axes]] * len(shape)
        if series:
            sizes[0] = _TIME
        patch = tuple(min(wide, size) for (wide, _, _), size in zip(sizes, shape, strict=True))
        reach = tuple(min(far, size - 1) for (_, far, _), size in zip(sizes, shape, strict=True))
        arrays = [
            None if array is None else mirrored(as_tensor(array, device), reach)
            for array in (values, guide, variance)
        ]
        assert arrays[0] is not None
        assert arrays[1] is not None
        white, colour = _whitening(_covariance(patch, grain, series)) if grain > 0 else (None, None)
        return cls(
            values=arrays[0],
            guide=arrays[1],
            variance=arrays[2],
            patch=patch,
            reach=reach,
            members=members,
            corners=tuple(
                tuple(sorted({*range(0, size - wide + 1, spacing), size - wide}))
                for size, wide, (_, _, spacing) in zip(shape, patch, sizes, strict=True)
            ),
            shifts=_shifts(reach, series),
            whitening=None if white is None else white.to(device),
            colouring=None if colour is None else colour.to(device),
            total=torch.zeros_like(arrays[0]),
            weight=torch.zeros_like(arrays[0]),
        )

    @property
    def device(self) -> torch.device:
        """Where the arrays are."""
        return self.values.device

    @property
    def factor(self) -> int:
        """How many times as many groups are in memory as on the CPU."""
        return 1 if self.device.type == "cpu" else _ON_GPU

    def tiles(self) -> list[tuple[tuple[int, ...], ...]]:
        """Return, for each tile, the corners of its reference patches along each axis."""
        counts = [len(corner) for corner in self.corners]
        lengths = [0] * len(counts)
        left = float(_TILE * self.factor)
        for rank, axis in enumerate(sorted(range(len(counts)), key=counts.__getitem__)):
            lengths[axis] = max(1, min(counts[axis], round(left ** (1 / (len(counts) - rank)))))
            left /= lengths[axis]
        parts = [
            _parts(corner, length) for corner, length in zip(self.corners, lengths, strict=True)
        ]
        return list(itertools.product(*parts))

    def filtered(
        self, tile: tuple[tuple[int, ...], ...], stop: Event, running: Event | None
    ) -> _Done:
        """Return the sums of the filtered patches of all groups of a tile."""
        place = tuple(
            slice(corner[0], corner[-1] + wide + 2 * far)
            for corner, wide, far in zip(tile, self.patch, self.reach, strict=True)
        )
        values, guide = self.values[place].reshape(-1), self.guide[place].contiguous()
        variance = None if self.variance is None else self.variance[place].reshape(-1)
        corners = [[first - corner[0] for first in corner] for corner in tile]
        found = self._most_similar(guide, corners, stop, running)
        firsts = [
            [first + far for first in corner]
            for corner, far in zip(corners, self.reach, strict=True)
        ]
        origin = flat_places(firsts, guide.shape).to(self.device)
        inside = flat_places([range(wide) for wide in self.patch], guide.shape).to(self.device)
        steps = flat_steps(guide.shape)
        shifts = [sum(map(int.__mul__, shift, steps)) for shift in self.shifts]
        move = torch.tensor(shifts, dtype=torch.int32).to(self.device)
        whole = guide.reshape(-1)
        total, number = torch.zeros_like(whole), torch.zeros_like(whole)
        size = _CHUNK if self.device.type == "cpu" else _CHUNK_ON_GPU
        for chosen, first in zip(torch.split(found, size), torch.split(origin, size), strict=True):
            if is_stopped(stop, running):
                break
            members = first[:, None] + move[chosen]
            index = members[..., None] + inside
            level = None if variance is None else values_at(variance, index[:, :1]).mean((1, 2))
            better = self._wiener(values_at(values, index), values_at(whole, index), level)
            total.index_add_(0, index.reshape(-1), better.reshape(-1))
            members = members.reshape(-1)
            number.index_add_(0, members, torch.ones_like(members, dtype=torch.float32))
        return _Done(place, total, self._spread(number.reshape(guide.shape)))

    def _spread(self, number: torch.Tensor) -> torch.Tensor:
        """Return the number of patches that hold each voxel, from that which begin there."""
        for axis, wide in enumerate(self.patch):
            first = number
            number = first.clone()
            length = first.shape[axis]
            for step in range(1, wide):
                number.narrow(axis, step, length - step).add_(first.narrow(axis, 0, length - step))
        return number.reshape(-1)

    def _most_similar(
        self,
        guide: torch.Tensor,
        corners: Sequence[Sequence[int]],
        stop: Event,
        running: Event | None,
    ) -> torch.Tensor:
        """Return the indices of the shifts to the most similar patches, (groups, members)."""
        distance = guide.new_full((len(self.shifts), math.prod(map(len, corners))), math.inf)
        n_done = 0
        for found in distances(guide, self.reach, self.shifts, corners, self.patch):
            distance[n_done : n_done + len(found)] = found
            n_done += len(found)
            if is_stopped(stop, running):
                break
        count = min(self.members, len(self.shifts))
        nearest = torch.topk(distance.T.contiguous(), count, dim=1, largest=False, sorted=False)
        return nearest.indices

    def _wiener(
        self, noisy: torch.Tensor, guide: torch.Tensor, level: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the filtered patches of groups, shape (groups, members, voxels).

        With C the covariance of the structure and N that of the noise, the best linear estimate
        of a patch y with mean m is m + C (C + N)⁻¹ (y − m). For white noise of variance v, and X
        the n patches of the guide less their mean, one per row, C (C + N)⁻¹ is
        Xᵀ (X Xᵀ + (n − 1) v)⁻¹ X, whose matrix is smaller. Other noise is made white before.
        """
        mean = noisy.mean(1, keepdim=True)
        around, centred = noisy - mean, guide - guide.mean(1, keepdim=True)
        if self.whitening is not None:
            around, centred = around @ self.whitening, centred @ self.whitening
        products = centred @ centred.transpose(1, 2)
        diagonal = products.diagonal(dim1=1, dim2=2)
        least = _PRECISION * diagonal.sum(1)
        noise = torch.ones_like(least) if level is None else level
        noise = max(guide.shape[1] - 1, 1) * noise
        diagonal += torch.maximum(noise, least)[:, None]
        factor = torch.linalg.cholesky_ex(products, upper=True)  # the faster triangle
        basis = torch.linalg.solve_triangular(factor.L.mT, centred, upper=False, out=centred)
        better: torch.Tensor = (around @ basis.transpose(1, 2)) @ basis
        if self.colouring is not None:
            better = better @ self.colouring
        # Noise below the float32 precision of the structure is left as it is, and so is a group
        # whose matrix has no factor, which rounding may cause.
        better.add_(mean)
        is_above = (noise > least) & (factor.info == 0)
        if is_above.device.type == "cpu" and bool(is_above.all()):
            return better
        return torch.where(is_above[:, None, None], better, noisy, out=better)

    def add(self, done: _Done) -> None:
        """Add the sums of a tile to those of the whole."""
        shape = self.total[done.place].shape
        self.total[done.place] += done.total.view(shape)
        self.weight[done.place] += done.weight.view(shape)

    def result(self) -> Floats:
        """Return the means; the guide where no patch was filtered."""
        means = torch.where(self.weight > 0, self.total / self.weight.clamp(min=1), self.guide)
        inner = tuple(slice(far, -far or None) for far in self.reach)
        return as_array(means[inner])


def _n_axes(shape: Sequence[int]) -> int:
    """Return the number of axes that are long enough for patches, 1 to 3."""
    return min(max(sum(size > _THIN for size in shape), 1), 3)


def _parts(corners: tuple[int, ...], length: int) -> list[tuple[int, ...]]:
    """Return pieces of at most `length`."""
    return [corners[start : start + length] for start in range(0, len(corners), length)]


def _shifts(reach: Shape, series: bool) -> tuple[Shape, ...]:
    """Return all shifts within reach; in other frames only short ones, since cells move slowly."""
    every = itertools.product(*(range(-far, far + 1) for far in reach))
    if not series:
        return tuple(every)
    return tuple(shift for shift in every if shift[0] == 0 or max(map(abs, shift[1:])) <= _MOTION)


def _covariance(patch: Shape, grain: float, series: bool) -> torch.Tensor:
    """Return the covariance within a patch of Gaussian-blurred noise of variance 1."""
    whole = torch.eye(patch[0]) if series else torch.ones(1, 1)
    for size in patch[1:] if series else patch:
        at = torch.arange(size, dtype=torch.float32)
        along = torch.exp(-((at[:, None] - at[None]) ** 2) / (4 * grain**2))
        whole = torch.kron(whole, along + 1e-4 * torch.eye(size))
    return whole


def _whitening(covariance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the matrices that make noise of a covariance white, and undo that, float32."""
    root = torch.linalg.cholesky(covariance.double()).T.contiguous()
    return torch.linalg.inv(root).float(), root.float()
