"""A frame that was fitted in tiles, as one function of position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.tiles import Blend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["TILES", "Evaluate", "Tiled", "joined_tiles", "tensors_of_tile"]

TILES: Final = "tiles"
"""The `kind` of the settings of a frame that was fitted in tiles."""

Evaluate: TypeAlias = "Callable[[Sequence[NDArray[np.float64]]], tuple[NDArray[np.float32], ...]]"
"""One frame of one channel: takes voxel coordinates along each axis, returns its images."""


class Tiled:
    """The model of a frame that was fitted in tiles, blended at any positions.

    Parameters
    ----------
    settings
        `shape` and `overlap` in voxels, and of each of the `tiles` its `place`, first voxel and
        end along each axis, and the settings of its `model`.
    make
        Returns the model of the tile with a given number. It is called when the tile is needed,
        since a device may not hold all of them.
    """

    def __init__(self, settings: Mapping[str, Any], make: Callable[[int], Evaluate]) -> None:
        self._shape, self._overlap = tuple(settings["shape"]), int(settings["overlap"])
        self._blocks = [tuple(slice(*ends) for ends in tile["place"]) for tile in settings["tiles"]]
        self._make = make

    def __call__(self, positions: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float32], ...]:
        """Return the images on the grid of voxel coordinates, in grey levels.

        Raises
        ------
        ConfigError
            If the fit was stopped before it reached these positions.
        """
        blends = [Blend(self._shape, self._overlap, positions)]
        for number, block in enumerate(self._blocks):
            here = blends[0].inside(block)
            if any(some.start >= some.stop for some in here):
                continue
            axes = zip(positions, here, block, strict=True)
            inside = [places[some] - part.start for places, some, part in axes]
            values = self._make(number)(inside)
            while len(blends) < len(values):
                blends.append(Blend(self._shape, self._overlap, positions))
            for blend, one in zip(blends, values, strict=True):
                blend.add(block, one)
        if not blends[0].is_complete:
            raise ConfigError(
                "the image was fitted in tiles, and the fit was stopped before it reached all of "
                "this part. Fit again, or choose a part at the start of the image."
            )
        return tuple(blend.result() for blend in blends)


def joined_tiles(
    shape: Sequence[int],
    blocks: Sequence[tuple[slice, ...]],
    settings: Sequence[Mapping[str, Any]],
    states: Sequence[Mapping[str, Any]],
    overlap: int,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings and the arrays of a frame from those of its tiles.

    Parameters
    ----------
    shape
        Voxels of the frame along each axis.
    blocks
        Position of each tile: one slice per axis.
    settings, states
        Settings of the model of each tile, and its arrays by name.
    overlap
        Voxels over which neighbouring tiles are blended.
    """
    places = [[[part.start, part.stop] for part in block] for block in blocks]
    tiles = [
        {"place": place, "model": dict(one)} for place, one in zip(places, settings, strict=True)
    ]
    model = {"kind": TILES, "shape": list(shape), "overlap": overlap, "tiles": tiles}
    state = {
        f"tiles.{number}.{name}": tensor
        for number, own in enumerate(states)
        for name, tensor in own.items()
    }
    return model, state


def tensors_of_tile(tensors: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return the arrays of one tile.

    Parameters
    ----------
    tensors
        Those of the frame by name.
    number
        Number of the tile, from 0.
    """
    prefix = f"tiles.{number}."
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
