"""A frame that was fitted in tiles, as one function of position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import torch

from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.tiles import Blend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["OLD_MARK", "PLACES", "Field", "Tiled", "state_of_tiles", "tile_of"]

OLD_MARK: Final = "tiles"
"""All that older versions kept of a fit in tiles."""

PLACES: Final = "tiles.places"

_OVERLAP: Final = "tiles.overlap"


class Field(Protocol):
    """One frame of one channel as a function of position."""

    def at(self, positions: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float32], ...]:
        """Return the images of a fit at all crossings of voxel coordinates, grey levels."""


class Tiled:
    """Tiles that fade into each other as their images did, at any positions.

    Parameters
    ----------
    shape
        Voxels of the frame along each axis.
    tensors
        What `state_of_tiles` has made.
    make
        Returns the field of the tile of a number, with its shape; a tile is made when it is needed,
        since a device may not hold all of them.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        tensors: Mapping[str, torch.Tensor],
        make: Callable[[int, tuple[int, ...]], Field],
    ) -> None:
        self._shape, self._make = shape, make
        self._overlap = int(tensors[_OVERLAP])
        places = tensors[PLACES].reshape(-1, len(shape), 2).tolist()
        self._blocks = [tuple(slice(*ends) for ends in block) for block in places]

    def at(self, positions: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float32], ...]:
        """Return the images at all crossings of voxel coordinates.

        Raises
        ------
        ConfigError
            If the fit was stopped before it reached them.
        """
        blends = [Blend(self._shape, self._overlap, positions)]
        for number, block in enumerate(self._blocks):
            here = blends[0].inside(block)
            if any(some.start >= some.stop for some in here):
                continue
            lengths = tuple(part.stop - part.start for part in block)
            axes = zip(positions, here, block, strict=True)
            inside = [places[some] - part.start for places, some, part in axes]
            values = self._make(number, lengths).at(inside)
            while len(blends) < len(values):
                blends.append(Blend(self._shape, self._overlap, positions))
            for blend, one in zip(blends, values, strict=True):
                blend.add(block, one)
        if not blends[0].is_complete:
            raise ConfigError(
                "the fit was made in tiles, and stopped before all of this part was reached. Fit "
                "again, or ask for a part at the beginning of the image."
            )
        return tuple(blend.result() for blend in blends)


def state_of_tiles(
    blocks: Sequence[tuple[slice, ...]], states: Sequence[Mapping[str, Any]], overlap: int
) -> dict[str, torch.Tensor]:
    """Return one state of the states of tiles, in the memory of the computer.

    Parameters
    ----------
    blocks
        Where each tile lies.
    states
        Their tensors.
    overlap
        Voxels over which they fade.
    """
    places = [[[part.start, part.stop] for part in block] for block in blocks]
    found = {PLACES: torch.tensor(places), _OVERLAP: torch.tensor(overlap)}
    for number, state in enumerate(states):
        found |= {f"tiles.{number}.{name}": tensor for name, tensor in state.items()}
    return found


def tile_of(tensors: Mapping[str, torch.Tensor], number: int) -> dict[str, torch.Tensor]:
    """Return the tensors of one tile, with those that all of them share."""
    prefix = f"tiles.{number}."
    shared = {name: one for name, one in tensors.items() if not name.startswith("tiles.")}
    own = {name: one for name, one in tensors.items() if name.startswith(prefix)}
    return {**shared, **{name.removeprefix(prefix): one for name, one in own.items()}}
