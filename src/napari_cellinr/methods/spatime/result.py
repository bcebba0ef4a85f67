"""What a super-resolution makes: an array that fills frame by frame, or blocks read when needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import ConfigError
from napari_cellinr.methods.spatime.blocks import Blocks
from napari_cellinr.methods.spatime.output_grid import memory_needed, planes_at_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.image import Image
    from napari_cellinr.methods.spatime.model import Series
    from napari_cellinr.methods.spatime.output_grid import Lattice
    from napari_cellinr.methods.spatime.published import PaperSeries

__all__ = ["Result", "check_memory", "lazy_result", "times_of"]


def times_of(lattice: Lattice) -> list[float]:
    """Return the position of every frame of the result in frames of the source."""
    return [0.0] if lattice.times is None else [float(when) for when in lattice.times]


@dataclass(frozen=True)
class Result:
    """A result in memory, that can be looked at while it fills.

    Parameters
    ----------
    source
        What is super-resolved.
    lattice
        Where the samples of the result lie.
    data
        (T, C, *space), grey levels.
    """

    source: Image
    lattice: Lattice
    data: NDArray[np.float32]

    @classmethod
    def empty(cls, source: Image, lattice: Lattice) -> Result:
        """Return a result of zeros."""
        sizes = [m.n_out for m in lattice.maps.values()]
        shape = (len(times_of(lattice)), source.sizes.get("C", 1), *sizes)
        return cls(source, lattice, np.zeros(shape, np.float32))

    def begin(self, series: Series, channel: int) -> None:
        """Fill a channel with the nearest voxels that are given: something to look at."""
        near = [
            np.clip(np.rint(m.positions), 0, m.n_in - 1).astype(int)
            for m in self.lattice.maps.values()
        ]
        for place, when in enumerate(times_of(self.lattice)):
            self.data[place, channel] = series.frames[round(when)][np.ix_(*near)]

    def image(self) -> Image:
        """Return the result as it is now, with the axes of its source; the same memory."""
        data = self.data if "C" in self.source.axes else self.data[:, 0]
        if "T" not in self.source.axes:
            data = data[0]
        return self.lattice.placed(self.source, data, f"{self.source.name} super-resolved")


def lazy_result(source: Image, lattice: Lattice, channels: Sequence[Series | PaperSeries]) -> Image:
    """Return the result as an image whose values are rendered when they are read."""
    planes = planes_at_once([m.n_out for m in lattice.maps.values()])
    blocks: Any = Blocks(channels, source.axes, lattice.maps, times_of(lattice), planes)
    return lattice.placed(source, blocks, f"{source.name} super-resolved")


def check_memory(source: Image, lattice: Lattice, *, lazily: bool = False) -> None:
    """Refuse a result that would not fit into memory; say how to write it piece by piece.

    Raises
    ------
    ConfigError
        If more is needed than is free.
    """
    needed, there = memory_needed(source, lattice, lazily=lazily), _memory()
    if there and needed > 0.9 * there:
        size = " × ".join(map(str, lattice.shape(source)))
        advice = (
            "choose a crop, or larger steps in the plane."
            if lazily
            else "choose smaller factors or a crop, or write it to OME-Zarr piece by piece: "
            "napari-cellinr superresolve INPUT OUTPUT.ome.zarr, or lazily=True in Python."
        )
        raise ConfigError(
            f"the result of {size} voxels needs about {needed / 1e9:.1f} GB of memory, of which "
            f"{there / 1e9:.1f} GB are free; {advice}"
        )


def _memory() -> float:
    """Return the free memory of this computer in bytes; 0 where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123
            for line in file:
                if line.startswith("MemAvailable:"):
                    return float(line.split()[1]) * 1024
    except OSError:
        return 0.0
    return 0.0
