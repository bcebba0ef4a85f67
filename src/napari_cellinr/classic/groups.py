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
from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

__all__ = ["groups_seconds", "iter_groups"]

Floats: TypeAlias = "NDArray[np.float32]"
Shape: TypeAlias = tuple[int, ...]

_SHAPES = {1: (9, 10, 2), 2: (9, 10, 4), 3: (5, 4, 4)}  # axes: patch, distance, spacing; voxels
_SERIES = {1: (9, 10, 2), 2: (7, 10, 4), 3: (4, 4, 4)}  # the same for patches of two frames
_TIME = (2, 1, 2)  # along time: patch, search distance, spacing; frames
_MOTION = 2  # search distance in other frames, in voxels
_THIN = 4  # voxels along an axis up to which patches are not moved along it
_MEMBERS = 90  # patches in a group
_TILE = 4096  # groups of one task
_CHUNK = 512  # groups in memory at a time, so that they stay in the cache
_POLL = 0.1  # seconds between two progress reports
_SECONDS = {1: 4e-5, 2: 3e-4, 3: 6e-4}  # per group on one core of 2023
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
        Number of threads, at least 1.
    running
        Threads wait while it is cleared; they never wait if not given.

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
    job = _Job.of(values, guide, variance, grain, members, series)
    tiles = job.tiles()
    stop = Event()
    pool = ThreadPoolExecutor(max(1, n_workers), thread_name_prefix="groups")
    try:
        waiting = iter(tiles)
        pending: deque[Future[_Done]] = deque()
        n_done = 0
        while n_done < len(tiles):
            for tile in itertools.islice(waiting, 2 * n_workers - len(pending)):
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
    noise
        Covariance of the noise within a patch, shape (voxels, voxels); `None` for white noise.
    total, weight
        Sum and number of filtered patches at each voxel so far.
    """

    values: torch.Tensor
    guide: torch.Tensor
    variance: torch.Tensor | None
    patch: Shape
    reach: Shape
    members: int
    corners: tuple[torch.Tensor, ...]
    shifts: tuple[Shape, ...]
    noise: torch.Tensor | None
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
    ) -> _Job:
        shape = np.shape(values)
        n_axes = _n_axes(shape[1:] if series else shape)
        sizes = [(_SHAPES if not series else _SERIES)[n_axes]] * len(shape)
        if series:
            sizes[0] = _TIME
        patch = tuple(min(wide, size) for (wide, _, _), size in zip(sizes, shape, strict=True))
        reach = tuple(min(far, size - 1) for (_, far, _), size in zip(sizes, shape, strict=True))
        arrays = [_padded(array, reach) for array in (values, guide)]
        return cls(
            values=arrays[0],
            guide=arrays[1],
            variance=None if variance is None else _padded(variance, reach),
            patch=patch,
            reach=reach,
            members=members,
            corners=tuple(
                torch.tensor(sorted({*range(0, size - wide + 1, spacing), size - wide}))
                for size, wide, (_, _, spacing) in zip(shape, patch, sizes, strict=True)
            ),
            shifts=_shifts(reach, series),
            noise=_covariance(patch, grain, series) if grain > 0 else None,
            total=torch.zeros_like(arrays[0]),
            weight=torch.zeros_like(arrays[0]),
        )

    def tiles(self) -> list[tuple[torch.Tensor, ...]]:
        """Return, for each tile, the corners of its reference patches along each axis."""
        counts = [len(corner) for corner in self.corners]
        lengths = [0] * len(counts)
        left = float(_TILE)
        for rank, axis in enumerate(sorted(range(len(counts)), key=counts.__getitem__)):
            lengths[axis] = max(1, min(counts[axis], round(left ** (1 / (len(counts) - rank)))))
            left /= lengths[axis]
        parts = [
            _parts(corner, length) for corner, length in zip(self.corners, lengths, strict=True)
        ]
        return list(itertools.product(*parts))

    def filtered(self, tile: tuple[torch.Tensor, ...], stop: Event, running: Event | None) -> _Done:
        """Return the sums of the filtered patches of all groups of a tile."""
        place = tuple(
            slice(int(corner[0]), int(corner[-1]) + wide + 2 * far)
            for corner, wide, far in zip(tile, self.patch, self.reach, strict=True)
        )
        values, guide = self.values[place].contiguous(), self.guide[place].contiguous()
        corners = [corner - corner[0] for corner in tile]
        found, shifts = self._most_similar(guide, corners, stop, running)
        steps = [math.prod(guide.shape[axis + 1 :]) for axis in range(guide.ndim)]
        origin = _sums([c + far for c, far in zip(corners, self.reach, strict=True)], steps)
        inside = _sums([torch.arange(wide) for wide in self.patch], steps)
        move = (shifts * torch.tensor(steps)).sum(1)
        done = _Done(place, torch.zeros(guide.numel()), torch.zeros(guide.numel()))
        variance = None if self.variance is None else self.variance[place].reshape(-1)
        for chosen, first in zip(
            torch.split(found, _CHUNK), torch.split(origin, _CHUNK), strict=True
        ):
            if is_stopped(stop, running):
                break
            index = (first[:, None] + move[chosen])[..., None] + inside
            level = None if variance is None else variance[first[:, None] + inside].mean(1)
            better = self._wiener(values.reshape(-1)[index], guide.reshape(-1)[index], level)
            done.total.index_add_(0, index.reshape(-1), better.reshape(-1))
            done.weight.index_add_(0, index.reshape(-1), torch.ones(better.numel()))
        return done

    def _most_similar(
        self,
        guide: torch.Tensor,
        corners: Sequence[torch.Tensor],
        stop: Event,
        running: Event | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the indices of the most similar patches, (groups, members), and all shifts."""
        inner = tuple(
            slice(far, size - far) for far, size in zip(self.reach, guide.shape, strict=True)
        )
        middle = guide[inner]
        windows = [
            ((at := torch.arange(size))[None] >= corner[:, None]).float()
            * (at[None] < corner[:, None] + wide)
            for size, corner, wide in zip(middle.shape, corners, self.patch, strict=True)
        ]
        n_groups = math.prod(map(len, corners))
        distance = torch.full((len(self.shifts), n_groups), math.inf)
        for number, shift in enumerate(self.shifts):
            if is_stopped(stop, running):
                break
            moved = guide[
                tuple(
                    slice(part.start + step, part.stop + step)
                    for part, step in zip(inner, shift, strict=True)
                )
            ]
            squares = (middle - moved).square_()
            for axis in reversed(range(guide.ndim)):
                squares = torch.tensordot(squares, windows[axis], ([axis], [1])).movedim(-1, axis)
            distance[number] = squares.reshape(-1)
        count = min(self.members, len(self.shifts))
        nearest = torch.topk(distance.T.contiguous(), count, dim=1, largest=False, sorted=False)
        return nearest.indices, torch.tensor(self.shifts)

    def _wiener(
        self, noisy: torch.Tensor, guide: torch.Tensor, level: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the filtered patches of groups, shape (groups, members, voxels).

        With C the covariance of the structure and N that of the noise, the best linear estimate
        of a patch y with mean m is m + C (C + N)⁻¹ (y − m) = y − N (C + N)⁻¹ (y − m).
        """
        n_members, n_voxels = guide.shape[1:]
        centred = guide - guide.mean(1, keepdim=True)
        structure = centred.transpose(1, 2) @ centred / max(n_members - 1, 1)
        noise = torch.eye(n_voxels) if self.noise is None else self.noise
        noise = noise[None] if level is None else noise * level[:, None, None]
        around = noisy - noisy.mean(1, keepdim=True)
        root, failed = torch.linalg.cholesky_ex(structure + noise)
        taken = torch.cholesky_solve(around.transpose(1, 2), root)
        if self.noise is not None or level is not None:
            taken = noise @ taken
        # The Cholesky factorisation fails if the noise is below the float32 precision of C.
        return torch.where(failed[:, None, None] > 0, noisy, noisy - taken.transpose(1, 2))

    def add(self, done: _Done) -> None:
        """Add the sums of a tile to those of the whole."""
        shape = self.total[done.place].shape
        self.total[done.place] += done.total.view(shape)
        self.weight[done.place] += done.weight.view(shape)

    def result(self) -> Floats:
        """Return the means; the guide where no patch was filtered."""
        means = torch.where(self.weight > 0, self.total / self.weight.clamp(min=1), self.guide)
        inner = tuple(slice(far, -far or None) for far in self.reach)
        return means[inner].contiguous().numpy()


def _n_axes(shape: Sequence[int]) -> int:
    """Return the number of axes that are long enough for patches, 1 to 3."""
    return min(max(sum(size > _THIN for size in shape), 1), 3)


def _parts(tensor: torch.Tensor, length: int) -> list[torch.Tensor]:
    """Return pieces of at most `length` along the first axis."""
    return [tensor[start : start + length] for start in range(0, len(tensor), length)]


def _padded(array: NDArray[Any], reach: Shape) -> torch.Tensor:
    """Return the array with a mirrored margin."""
    margin = [(far, far) for far in reach]
    return torch.from_numpy(np.pad(np.asarray(array, np.float32), margin, mode="symmetric"))


def _sums(parts: Sequence[torch.Tensor], steps: Sequence[int]) -> torch.Tensor:
    """Return flat indices of the grid of positions along each axis."""
    flat = torch.zeros(1, dtype=torch.int64)
    for part, step in zip(parts, steps, strict=True):
        flat = (flat[:, None] + part * step).reshape(-1)
    return flat


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
