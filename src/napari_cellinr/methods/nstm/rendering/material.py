"""Where the material of a fitted scene goes, whichever of its layers it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from napari_cellinr.fields.material import at_points, follow
from napari_cellinr.methods.nstm.model import ALL_LEVELS

if TYPE_CHECKING:
    from napari_cellinr.methods.nstm.model import SpaceTimeModel

__all__ = ["Material"]

AROUND = 5
"""Side in voxels of the neighbourhood whose mean brightness decides which layer is seen."""


class Material:
    """The material that is at some points at one time.

    Where layers overlap, that of the layer which is brighter there, above its own background.

    Parameters
    ----------
    model
        The fitted model.
    moment
        The time as a fraction of the recording, in the form that `model.motion` takes, for one.
    points
        Positions in voxels of the scene, (axes, *any).
    alpha
        Progress of the coarse-to-fine.
    """

    def __init__(
        self,
        model: SpaceTimeModel,
        moment: torch.Tensor,
        points: torch.Tensor,
        alpha: float = ALL_LEVELS,
    ) -> None:
        self._model, self._points, self._alpha = model, points, alpha
        with torch.no_grad():
            self._start = model.motion(moment, alpha)[0]
            self._layer = self._brightest(self._start[None]) if model.shape.layers > 1 else None

    def at(self, moment: torch.Tensor) -> torch.Tensor:
        """Return where it is at another time, voxels of the scene, the shape of the points.

        Parameters
        ----------
        moment
            As for the first time.
        """
        model, axes = self._model, len(self._model.shape.scene)
        with torch.no_grad():
            end = model.motion(moment, self._alpha)[0]
            found = self._points
            for layer, (since, until) in enumerate(
                zip(torch.split(self._start, axes), torch.split(end, axes), strict=True)
            ):
                places = follow(since, until, self._points, model.shape.scene)
                if self._layer is None:
                    return places
                found = torch.where(self._layer == layer, places, found)
        return found

    def _brightest(self, displacement: torch.Tensor) -> torch.Tensor:
        """Return which layer is seen at each point, (*any)."""
        model = self._model
        shape = model.shape
        axes = len(shape.scene)
        stills = torch.split(model.canonical(self._alpha), shape.channels)
        moves = torch.split(displacement, axes, dim=1)
        pool = functional.avg_pool2d if axes == 2 else functional.avg_pool3d
        around = []
        for still, moved in zip(stills, moves, strict=True):
            light = model.scene(still, moved)[:, -1:]
            light = pool(light, AROUND, 1, AROUND // 2, count_include_pad=False)[0]
            darkest = light.flatten()[:: max(1, light.numel() // 1_000_000)].quantile(0.1)
            around.append(light - darkest)
        found = at_points(torch.cat(around), self._points, shape.scene)
        return found.argmax(0)
