"""A result that is rendered when a part of it is read, so that it need not fit into memory."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.methods.spatime.render import rendered_part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.sampling import Sampling
    from napari_cellinr.methods.spatime.model import Series
    from napari_cellinr.methods.spatime.published import PaperSeries

__all__ = ["Blocks"]


class Blocks:
    """An array, float32, whose values are rendered from fitted series when they are read.

    The last block of planes is kept, so that reading plane after plane renders each once.

    Parameters
    ----------
    channels
        Fitted series of each channel.
    axes
        Letters of the axes of the array, of T, C, Z, Y, X.
    maps
        Map by spatial axis letter.
    times
        Position of each frame in frames of the source; one, 0, without T.
    planes
        Planes along Z that are rendered at once.
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self,
        channels: Sequence[Series | PaperSeries],
        axes: str,
        maps: Mapping[str, Sampling],
        times: Sequence[float],
        planes: int,
    ) -> None:
        self._channels = list(channels)
        self._axes = axes
        self._maps = dict(maps)
        self._times = list(times)
        self._planes = planes
        self._kept: tuple[tuple[int, int, int], NDArray[np.float32]] | None = None
        sizes = {"T": len(times), "C": len(self._channels)}
        sizes |= {axis: m.n_out for axis, m in maps.items()}
        self.shape = tuple(sizes[axis] for axis in axes)
        self.ndim = len(axes)

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """Return a part, rendered now."""
        wanted = dict(zip(self._axes, _ranges(key, self.shape), strict=True))
        frames, channels = (wanted.get(axis, range(1)) for axis in "TC")
        made = np.stack(
            [
                np.stack([self._part(frame, channel, wanted) for channel in channels])
                for frame in frames
            ]
        )
        if "C" not in self._axes:
            made = made[:, 0]
        if "T" not in self._axes:
            made = made[0]
        dropped = [i for i, one in enumerate(_parts(key, self.ndim)) if not isinstance(one, slice)]
        return np.ascontiguousarray(np.squeeze(made, tuple(dropped)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all of it."""
        return np.asarray(self[...], dtype)

    def _part(self, frame: int, channel: int, wanted: Mapping[str, range]) -> NDArray[np.float32]:
        """Return a part of one frame of one channel."""
        flat = [np.asarray(wanted[a]) for a in self._maps if a != "Z"]
        if "Z" not in self._maps:
            whole: NDArray[np.float32] = self._block(frame, channel, 0)[np.ix_(*flat)]
            return whole
        found = []
        for plane in wanted["Z"]:
            block = plane // self._planes
            volume = self._block(frame, channel, block)
            found.append(volume[plane - block * self._planes][np.ix_(*flat)])
        return np.stack(found)

    def _block(self, frame: int, channel: int, block: int) -> NDArray[np.float32]:
        """Return some planes of a frame, rendered if they are not those of the last time."""
        name = (frame, channel, block)
        if self._kept is None or self._kept[0] != name:
            self._kept = None  # before the next one is made: not two at once
            wanted = {axis: slice(0, m.n_out) for axis, m in self._maps.items()}
            if "Z" in wanted:
                first = block * self._planes
                wanted["Z"] = slice(first, min(first + self._planes, wanted["Z"].stop))
            series = self._channels[channel]
            self._kept = name, rendered_part(series, self._times[frame], self._maps, wanted)
        return self._kept[1]


def _parts(key: Any, ndim: int) -> list[Any]:
    """Return a slice or a number for every axis; the dots are filled in."""
    parts = list(key) if isinstance(key, tuple) else [key]
    if Ellipsis in parts:
        place = parts.index(Ellipsis)
        parts[place : place + 1] = [slice(None)] * (ndim - len(parts) + 1)
    return parts + [slice(None)] * (ndim - len(parts))


def _ranges(key: Any, shape: Sequence[int]) -> list[range]:
    """Return the indices along every axis."""
    found = []
    for part, size in zip(_parts(key, len(shape)), shape, strict=True):
        if isinstance(part, slice):
            found.append(range(*part.indices(size)))
        else:
            found.append(range(size)[operator.index(part) :][:1])
    return found
