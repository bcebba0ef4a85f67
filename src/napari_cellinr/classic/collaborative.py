"""Collaborative filtering of similar patches of a plane (second step of BM3D)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.classic.groups import groups_seconds, iter_groups
from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator
    from threading import Event

    from numpy.typing import NDArray

__all__ = ["estimate_seconds", "iter_collaborative", "iter_estimate"]

_SIDE, _REACH, _SPACING = 8, 12, 3  # patch width, search distance, patch spacing, in pixels
_MEMBERS = 16  # patches in a group
_FALL = 2.0  # shape parameter of the Kaiser window that weights the pixels of a patch
_GROUPS = 2048  # groups in memory at a time
_SECONDS = 6e-5  # per group on a core of 2023


def iter_collaborative(
    values: NDArray[Any],
    guide: NDArray[Any],
    *,
    variance: NDArray[Any] | None = None,
    grain: float = 0.0,
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
    job = _Job(values, guide, variance, grain)
    bands = torch.split(job.rows, max(1, _GROUPS // len(job.columns)))
    for number, rows in enumerate(bands):
        job.filter(rows)
        if (yield (number + 1) / len(bands)) == "stop":
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
) -> Generator[float, str | None, NDArray[np.float32]]:
    """Denoise by groups of similar patches: yield progress 0 to 1, return float32.

    Volumes are denoised by `iter_groups`, single planes by the mean of `iter_groups` and
    `iter_collaborative`, whose errors are partly independent.

    Parameters
    ----------
    values, guide, variance, grain, n_workers, running
        As for `iter_groups`; "stop" may be sent as there.
    """
    settings: dict[str, Any] = {"variance": variance, "grain": grain}
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
    other = iter_collaborative(flat[0], flat[1], variance=flat[2], grain=grain)
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
        seconds += _SECONDS * math.prod(math.ceil(size / _SPACING) for size in shape[-2:])
    return seconds


def _is_plane(shape: tuple[int, ...]) -> bool:
    """Return whether there is only one plane, large enough for patches."""
    return math.prod(shape[:-2]) == 1 and min(shape[-2:]) >= _SIDE


class _Job:
    """The constants of all groups, and the weighted sums so far."""

    def __init__(
        self,
        values: NDArray[Any],
        guide: NDArray[Any],
        variance: NDArray[Any] | None,
        grain: float,
    ) -> None:
        self.shape = np.shape(values)
        self.sides = [min(_SIDE, size) for size in self.shape]
        self.reach = [min(_REACH, size - 1) for size in self.shape]
        self.values, self.guide = self._padded(values), self._padded(guide)
        self.variance = None if variance is None else self._padded(variance)
        self.rows, self.columns = (
            torch.tensor(sorted({*range(0, size - side + 1, _SPACING), size - side}))
            for size, side in zip(self.shape, self.sides, strict=True)
        )
        width = self.guide.shape[1]
        down, right = (torch.arange(-far, far + 1) for far in self.reach)
        self.moves = (down[:, None] * width + right[None]).reshape(-1)
        self.inside = (
            torch.arange(self.sides[0])[:, None] * width + torch.arange(self.sides[1])[None]
        ).reshape(-1)
        self.members = min(_MEMBERS, len(self.moves))
        self.plane = torch.kron(_cosines(self.sides[0]), _cosines(self.sides[1]))
        self.along = _cosines(self.members)
        self.noise = self._noise(grain)
        window = [torch.from_numpy(np.kaiser(side, _FALL)).float() for side in self.sides]
        self.window = (window[0][:, None] * window[1][None]).reshape(-1)
        self.total = torch.zeros(self.guide.numel())
        self.weight = torch.zeros(self.guide.numel())

    def _padded(self, array: NDArray[Any]) -> torch.Tensor:
        margin = [(far, far) for far in self.reach]
        return torch.from_numpy(np.pad(np.asarray(array, np.float32), margin, mode="symmetric"))

    def _noise(self, grain: float) -> torch.Tensor:
        """Return the variance of the noise in each cosine coefficient of a patch."""
        if grain == 0:
            return torch.ones(len(self.inside))
        sides = []
        for side in self.sides:
            at, wave = torch.arange(side, dtype=torch.float32), _cosines(side)
            blurred = torch.exp(-((at[:, None] - at[None]) ** 2) / (4 * grain**2))
            sides.append((wave @ blurred @ wave.T).diagonal().clamp(min=1e-4))
        return torch.kron(sides[0], sides[1])

    def filter(self, rows: torch.Tensor) -> None:
        """Filter the groups of all reference patches in some rows, and add them to the sums."""
        width = self.guide.shape[1]
        first = (rows[:, None] + self.reach[0]) * width + self.columns[None] + self.reach[1]
        corners = first.reshape(-1)[:, None] + self.moves[self._most_similar(rows)]
        index = corners[..., None] + self.inside
        guide, noisy = (
            self.along @ (array.reshape(-1)[index] @ self.plane.T)
            for array in (self.guide, self.values)
        )
        noise = self.noise
        if self.variance is not None:
            level = self.variance.reshape(-1)[index[:, :1]].mean((1, 2))
            noise = noise * level[:, None, None]
        factor = guide**2 / (guide**2 + noise)
        better = (self.along.T @ (noisy * factor)) @ self.plane
        left = (noise * factor**2).sum((1, 2), keepdim=True).clamp(min=1e-3)
        weight = (self.window / left).expand_as(better)
        self.total.index_add_(0, index.reshape(-1), (better * weight).reshape(-1))
        self.weight.index_add_(0, index.reshape(-1), weight.reshape(-1))

    def _most_similar(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the indices of the moves to the patches that are most similar in the guide."""
        (up, left), (height, width) = self.reach, self.sides
        start, stop = int(rows[0]), int(rows[-1]) + height
        band = self.guide[start : stop + 2 * up]
        n_rows, n_columns = stop - start, self.shape[1]
        middle = band[up : up + n_rows, left : left + n_columns]
        distances = []
        for down in range(2 * up + 1):
            for right in range(2 * left + 1):
                moved = band[down : down + n_rows, right : right + n_columns]
                sums = torch.nn.functional.pad(
                    (middle - moved).square().cumsum(0, dtype=torch.float64).cumsum(1), (1, 0, 1, 0)
                )
                box = sums[height:] - sums[:-height]
                box = box[:, width:] - box[:, :-width]
                distances.append(box[rows - start][:, self.columns].reshape(-1))
        stacked = torch.stack(distances, dim=1)
        return torch.topk(stacked, self.members, dim=1, largest=False).indices

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
        result: NDArray[np.float32] = whole[inner].contiguous().numpy()
        return result


def _cosines(size: int) -> torch.Tensor:
    """Return the orthonormal discrete cosine transform (DCT-II), (frequencies, pixels), float32."""
    wave, place = torch.arange(size)[:, None].double(), torch.arange(size)[None].double()
    cosines = torch.cos(math.pi * (2 * place + 1) * wave / (2 * size)) * math.sqrt(2 / size)
    cosines[0] /= math.sqrt(2)
    return cosines.float()
