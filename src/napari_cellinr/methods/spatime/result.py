"""The result of a super-resolution: an array that fills frame by frame, or rendered when read."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.resources.available import available_memory
from napari_cellinr.methods.spatime.costs import memory_needed, planes_at_once
from napari_cellinr.methods.spatime.render import rendered_part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.sampling import Sampling
    from napari_cellinr.image import Image
    from napari_cellinr.methods.spatime.output_grid import OutputGrid
    from napari_cellinr.methods.spatime.render import Renderable
    from napari_cellinr.methods.spatime.series import Series

__all__ = ["LazyOutput", "OutputArray", "check_memory", "lazy_result", "times_of"]


def times_of(grid: OutputGrid) -> list[float]:
    """Return the position of every frame of the result in frames of the source."""
    return [0.0] if grid.times is None else [float(when) for when in grid.times]


@dataclass(frozen=True)
class OutputArray:
    """A result in memory, which can be viewed while it fills.

    Parameters
    ----------
    source
        What is super-resolved.
    grid
        Where the samples of the result lie.
    data
        (T, C, *space), float32, grey levels.
    """

    source: Image
    grid: OutputGrid
    data: NDArray[np.float32]

    @classmethod
    def empty(cls, source: Image, grid: OutputGrid) -> OutputArray:
        """Return a result of zeros.

        Parameters
        ----------
        source
            What is super-resolved.
        grid
            Where the samples of the result lie.
        """
        sizes = [m.n_out for m in grid.maps.values()]
        shape = (len(times_of(grid)), source.sizes.get("C", 1), *sizes)
        return cls(source, grid, np.zeros(shape, np.float32))

    def begin(self, series: Series, channel: int) -> None:
        """Fill a channel with the nearest voxels of the source, for the first preview.

        Parameters
        ----------
        series
            The channel of the source.
        channel
            Its number.
        """
        near = [
            np.clip(np.rint(m.positions), 0, m.n_in - 1).astype(int)
            for m in self.grid.maps.values()
        ]
        for place, when in enumerate(times_of(self.grid)):
            self.data[place, channel] = series.frames[round(when)][np.ix_(*near)]

    def image(self) -> Image:
        """Return the result as it is now, with the axes of its source; the same memory."""
        data = self.data if "C" in self.source.axes else self.data[:, 0]
        if "T" not in self.source.axes:
            data = data[0]
        return self.grid.placed(self.source, data, f"{self.source.name} super-resolved")


def lazy_result(
    source: Image,
    grid: OutputGrid,
    channels: Sequence[Renderable],
    name: str = "super-resolved",
) -> Image:
    """Return the result as an image whose values are rendered when they are read.

    Parameters
    ----------
    source
        What was super-resolved.
    grid
        Where the samples of the result lie.
    channels
        What was fitted.
    name
        What the name of the result ends with.
    """
    planes = planes_at_once([m.n_out for m in grid.maps.values()])
    data: Any = LazyOutput(channels, source.axes, grid.maps, times_of(grid), planes)
    return grid.placed(source, data, f"{source.name} {name}")


def check_memory(source: Image, grid: OutputGrid, *, lazily: bool = False) -> None:
    """Refuse a result that does not fit into memory; say how to write it piece by piece.

    Parameters
    ----------
    source
        What is super-resolved.
    grid
        Where the samples of the result lie.
    lazily
        Whether the result is rendered only when parts of it are read.

    Raises
    ------
    ConfigError
        If more is needed than is free.
    """
    needed, available = memory_needed(source, grid, lazily=lazily), available_memory()
    if needed > 0.9 * available:
        size = " × ".join(map(str, grid.shape(source)))
        advice = (
            "choose a crop, or larger steps in the plane."
            if lazily
            else "choose smaller factors or a crop, or write it to OME-Zarr piece by piece: "
            "napari-cellinr superresolve INPUT OUTPUT.ome.zarr, or lazily=True in Python."
        )
        raise ConfigError(
            f"the result of {size} voxels needs about {needed / 1e9:.1f} GB of memory, of which "
            f"{available / 1e9:.1f} GB are free; {advice}"
        )


class LazyOutput:
    """An array, float32, whose values are rendered from fitted series when they are read.

    The last block of planes is cached, so that reading plane after plane renders each once.

    Parameters
    ----------
    channels
        Fitted series of each channel.
    axes
        Letters of the axes of the array, of T, C, Z, Y, X.
    maps
        Sampling by spatial axis letter.
    times
        Position of each frame in frames of the source; one, 0, without T.
    planes
        Planes along Z that are rendered at once.
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self,
        channels: Sequence[Renderable],
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
        self._cached: tuple[tuple[int, int, int], NDArray[np.float32]] | None = None
        sizes = {"T": len(times), "C": len(self._channels)}
        sizes |= {axis: m.n_out for axis, m in maps.items()}
        self.shape = tuple(sizes[axis] for axis in axes)
        self.ndim = len(axes)

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """Return a part, rendered now."""
        needed = dict(zip(self._axes, _ranges(key, self.shape), strict=True))
        frames, channels = (needed.get(axis, range(1)) for axis in "TC")
        made = np.stack(
            [
                np.stack([self._part(frame, channel, needed) for channel in channels])
                for frame in frames
            ]
        )
        if "C" not in self._axes:
            made = made[:, 0]
        if "T" not in self._axes:
            made = made[0]
        dropped = [i for i, p in enumerate(_parts(key, self.ndim)) if not isinstance(p, slice)]
        return np.ascontiguousarray(np.squeeze(made, tuple(dropped)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all of it."""
        return np.asarray(self[...], dtype)

    def _part(self, frame: int, channel: int, needed: Mapping[str, range]) -> NDArray[np.float32]:
        """Return a part of one frame of one channel."""
        flat = [np.asarray(needed[a]) for a in self._maps if a != "Z"]
        if "Z" not in self._maps:
            whole: NDArray[np.float32] = self._block(frame, channel, 0)[np.ix_(*flat)]
            return whole
        found = []
        for plane in needed["Z"]:
            block = plane // self._planes
            volume = self._block(frame, channel, block)
            found.append(volume[plane - block * self._planes][np.ix_(*flat)])
        return np.stack(found)

    def _block(self, frame: int, channel: int, block: int) -> NDArray[np.float32]:
        """Return some planes of a frame, rendered if they are not those of the last call."""
        name = (frame, channel, block)
        if self._cached is None or self._cached[0] != name:
            self._cached = None  # before the next one is made: not two at once
            needed = {axis: slice(0, m.n_out) for axis, m in self._maps.items()}
            if "Z" in needed:
                first = block * self._planes
                needed["Z"] = slice(first, min(first + self._planes, needed["Z"].stop))
            series = self._channels[channel]
            self._cached = name, rendered_part(series, self._times[frame], self._maps, needed)
        return self._cached[1]


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
