"""Collaborative filtering of similar patches of a plane (second step of BM3D)."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from napari_cellinr.classic.groups import groups_seconds, iter_groups
from napari_cellinr.classic.patches import distances, flat_places, values_at
from napari_cellinr.classic.smoothing import CPU, as_array, as_tensor, cosines, mirrored
from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from threading import Event

    from numpy.typing import NDArray

__all__ = ["collaborative_seconds", "estimate_seconds", "iter_collaborative", "iter_estimate"]

_REACH = 12  # search distance in pixels
_FALL = 2.0  # shape parameter of the Kaiser window that weights the pixels of a patch
_GROUPS = 1024  # groups in memory at a time on the CPU
_COLUMNS = 256  # most of them side by side: a tile of a single row would be mostly margin
_ON_GPU = 16  # times as many on a GPU
_SECONDS = 6e-5  # per group on a core of 2023


class _Sizes(NamedTuple):
    """Width of a patch and distance to the next one in pixels, and patches in a group."""

    side: int
    spacing: int
    members: int


_USUAL, _LARGE = _Sizes(8, 3, 16), _Sizes(16, 8, 32)  # which take about the same time


def iter_collaborative(
    values: NDArray[Any],
    guide: NDArray[Any],
    *,
    variance: NDArray[Any] | None = None,
    grain: float = 0.0,
    device: torch.device = CPU,
    threshold: float | None = None,
    large: bool = False,
) -> Generator[float, str | None, NDArray[np.float32]]:
    """Denoise a plane by Wiener filtering of patch groups: yield progress 0 to 1, return float32.

    For reference patches on a regular grid, the patches most similar in `guide` are stacked, and
    the stack is transformed by a 3-D discrete cosine transform. Each coefficient of the noisy
    stack is multiplied by g² / (g² + n), with g the coefficient of the guide and n the variance
    of the noise. Pixels become the weighted mean over all patches that contain them; patches
    with less remaining noise have more weight. This is the second step of BM3D (Dabov et al.
    2007, IEEE Transactions on Image Processing 16, 2080), with any estimate as the guide and a
    cosine transform along the third axis, too.

    Sending "stop" ends the job; pixels that are not done have the value of the guide.

    Parameters
    ----------
    values
        Values with noise of standard deviation 1, axes YX, real.
    guide
        An estimate of their means, same shape.
    variance
        Variance of the noise at each pixel if it is not 1, same shape.
    grain
        Standard deviation in pixels of the blur of the noise, as in `Noise.grain`.
    device
        Where to compute.
    threshold
        If given, coefficients of the noisy stack are kept that are above so many standard
        deviations of the noise, and others are 0, as in the first step of BM3D; the guide then
        only decides which patches are similar.
    large
        Whether patches are 16 instead of 8 pixels wide, in groups of 32 instead of 16: better with
        a guide that has little noise left.

    Raises
    ------
    ConfigError
        If the arrays are not planes of the same shape; on the first `next`.
    """
    if np.ndim(values) != 2 or np.shape(values) != np.shape(guide):
        raise ConfigError(
            f"values of shape {np.shape(values)} and a guide of shape {np.shape(guide)} were "
            "given; both must be planes of the same shape."
        )
    sizes = _LARGE if large else _USUAL
    job = _Job(values, guide, variance, grain, device, threshold, sizes)
    fewer = _values_of(sizes) // _values_of(_USUAL)
    tiles = job.tiles(_GROUPS * (1 if device.type == "cpu" else _ON_GPU) // fewer)
    for number, (rows, columns) in enumerate(tiles):
        job.filter(rows, columns)
        if (yield (number + 1) / len(tiles)) == "stop":
            break
    return job.result()


def iter_estimate(
    values: NDArray[Any],
    guide: NDArray[Any],
    *,
    variance: NDArray[Any] | None = None,
    grain: float = 0.0,
    n_workers: int = 1,
    running: Event | None = None,
    device: torch.device = CPU,
) -> Generator[float, str | None, NDArray[np.float32]]:
    """Denoise by groups of similar patches: yield progress 0 to 1, return float32.

    Volumes are denoised by `iter_groups`, single planes by the mean of `iter_groups` and
    `iter_collaborative`, whose errors are partly independent.

    Parameters
    ----------
    values, guide, variance, grain, n_workers, running, device
        As for `iter_groups`; "stop" may be sent as there.
    """
    settings: dict[str, Any] = {"variance": variance, "grain": grain, "device": device}
    threads: dict[str, Any] = {"n_workers": n_workers, "running": running}
    shape = np.shape(values)
    if not _is_plane(shape):
        return (yield from iter_groups(values, guide, **settings, **threads))
    first_part = groups_seconds(shape, n_workers) / estimate_seconds(shape, n_workers)
    message: str | None = None
    job = iter_groups(values, guide, **settings, **threads)
    while True:
        try:
            done = job.send(message)
        except StopIteration as finished:
            first: NDArray[np.float32] = finished.value
            break
        message = yield first_part * done
    if message == "stop":
        return first
    flat = [None if a is None else np.reshape(a, shape[-2:]) for a in (values, guide, variance)]
    assert flat[0] is not None
    assert flat[1] is not None
    other = iter_collaborative(flat[0], flat[1], **{**settings, "variance": flat[2]})
    message = None
    while True:
        try:
            done = other.send(message)
        except StopIteration as finished:
            second: NDArray[np.float32] = finished.value
            return first if message == "stop" else (first + second.reshape(shape)) / np.float32(2)
        message = yield first_part + (1 - first_part) * done


def estimate_seconds(shape: tuple[int, ...], n_workers: int = 1) -> float:
    """Return the estimated duration of `iter_estimate` in seconds, on cores of 2023.

    Parameters
    ----------
    shape
        Number of voxels along each axis.
    n_workers
        Number of threads.
    """
    seconds = groups_seconds(shape, n_workers)
    if _is_plane(shape):
        seconds += collaborative_seconds(shape)
    return seconds


def collaborative_seconds(shape: tuple[int, ...]) -> float:
    """Return the estimated duration of `iter_collaborative` in seconds, on a core of 2023.

    Parameters
    ----------
    shape
        Number of voxels along each axis, those of the plane last.

    Returns
    -------
    float
        It does not depend on the number of threads.
    """
    return _SECONDS * math.prod(math.ceil(size / _USUAL.spacing) for size in shape[-2:])


def _values_of(sizes: _Sizes) -> int:
    """Return the number of values in a group."""
    return sizes.members * sizes.side**2


def _is_plane(shape: tuple[int, ...]) -> bool:
    """Return whether there is only one plane, large enough for patches."""
    return math.prod(shape[:-2]) == 1 and min(shape[-2:]) >= _USUAL.side


class _Job:
    """The constants of all groups, and the weighted sums so far."""

    def __init__(
        self,
        values: NDArray[Any],
        guide: NDArray[Any],
        variance: NDArray[Any] | None,
        grain: float,
        device: torch.device = CPU,
        threshold: float | None = None,
        sizes: _Sizes = _USUAL,
    ) -> None:
        self.shape, self.device, self.threshold = np.shape(values), device, threshold
        self.sides = [min(sizes.side, size) for size in self.shape]
        self.reach = [min(_REACH, size - 1) for size in self.shape]
        self.values, self.guide = self._padded(values), self._padded(guide)
        self.variance = None if variance is None else self._padded(variance).reshape(-1)
        self.rows, self.columns = (
            sorted({*range(0, size - side + 1, sizes.spacing), size - side})
            for size, side in zip(self.shape, self.sides, strict=True)
        )
        wide = self.guide.shape
        down, right = (range(-far, far + 1) for far in self.reach)
        self.shifts = list(itertools.product(down, right))
        self.moves = flat_places([down, right], wide).to(device)
        self.inside = flat_places([range(side) for side in self.sides], wide).to(device)
        self.members = min(sizes.members, len(self.shifts))
        self.plane = torch.kron(cosines(self.sides[0]), cosines(self.sides[1])).to(device)
        self.along = cosines(self.members).to(device)
        self.noise = self._noise(grain).to(device)
        window = [torch.from_numpy(np.kaiser(side, _FALL)).float() for side in self.sides]
        self.window = (window[0][:, None] * window[1][None]).reshape(-1).to(device)
        self.total = torch.zeros_like(self.guide.reshape(-1))
        self.weight = torch.zeros_like(self.total)

    def _padded(self, array: NDArray[Any]) -> torch.Tensor:
        return mirrored(as_tensor(array, self.device), self.reach)

    def _noise(self, grain: float) -> torch.Tensor:
        """Return the variance of the noise in each cosine coefficient of a patch."""
        if grain == 0:
            return torch.ones(len(self.inside))
        sides = []
        for side in self.sides:
            at, wave = torch.arange(side, dtype=torch.float32), cosines(side)
            blurred = torch.exp(-((at[:, None] - at[None]) ** 2) / (4 * grain**2))
            sides.append((wave @ blurred @ wave.T).diagonal().clamp(min=1e-4))
        return torch.kron(sides[0], sides[1])

    def tiles(self, most: int) -> list[tuple[Sequence[int], Sequence[int]]]:
        """Return rows and columns of reference patches, in tiles of at most so many patches."""
        n_columns = min(len(self.columns), _COLUMNS)
        parts = [
            [corners[first : first + count] for first in range(0, len(corners), count)]
            for corners, count in (
                (self.rows, max(1, most // n_columns)),
                (self.columns, n_columns),
            )
        ]
        return list(itertools.product(*parts))

    def filter(self, rows: Sequence[int], columns: Sequence[int]) -> None:
        """Filter the groups of the reference patches of a tile, and add them to the sums."""
        places = [
            [first + far for first in corners]
            for corners, far in zip((rows, columns), self.reach, strict=True)
        ]
        first = flat_places(places, self.guide.shape).to(self.device)
        corners = first[:, None] + self.moves[self._most_similar(rows, columns)]
        index = corners[..., None] + self.inside
        guide, noisy = (
            self.along @ (values_at(array.reshape(-1), index) @ self.plane.T)
            for array in (self.guide, self.values)
        )
        noise = self.noise
        if self.variance is not None:
            level = values_at(self.variance, index[:, :1]).mean((1, 2))
            noise = noise * level[:, None, None]
        if self.threshold is None:
            factor = guide**2 / (guide**2 + noise)
        else:
            factor = (noisy**2 > self.threshold**2 * noise).to(noisy.dtype)
        better = (self.along.T @ (noisy * factor)) @ self.plane
        left = (noise * factor**2).sum((1, 2), keepdim=True).clamp(min=1e-3)
        weight = (self.window / left).expand_as(better)
        self.total.index_add_(0, index.reshape(-1), (better * weight).reshape(-1))
        self.weight.index_add_(0, index.reshape(-1), weight.reshape(-1))

    def _most_similar(self, rows: Sequence[int], columns: Sequence[int]) -> torch.Tensor:
        """Return the indices of the moves to the patches that are most similar in the guide."""
        place = tuple(
            slice(corners[0], corners[-1] + side + 2 * far)
            for corners, side, far in zip((rows, columns), self.sides, self.reach, strict=True)
        )
        tile = self.guide[place].contiguous()
        corners = [[first - part[0] for first in part] for part in (rows, columns)]
        every = distances(tile, self.reach, self.shifts, corners, self.sides)
        found = torch.cat(list(every)).T.contiguous()
        return torch.topk(found, self.members, dim=1, largest=False).indices

    def result(self) -> NDArray[np.float32]:
        """Return the weighted means; the guide where no patch was filtered."""
        whole = torch.where(
            self.weight > 0,
            self.total / self.weight.clamp(min=1e-12),
            self.guide.reshape(-1),
        ).reshape(self.guide.shape)
        inner = tuple(
            slice(far, far + size) for far, size in zip(self.reach, self.shape, strict=True)
        )
        return as_array(whole[inner])
