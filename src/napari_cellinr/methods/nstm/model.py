"""The neural space-time model: a canonical scene that does not change, and its motion.

Cao et al. 2024, "Neural space-time model for dynamic multi-shot imaging", Nature Methods. The
scene at a place x and a time t is the canonical scene at x + δ(x, t). Here the canonical scene is
decoded once per step on a grid of points and then moved to every time, and the motion is decoded
on a coarser grid, since both are smooth between their points. What differs from the paper, and why,
is in docs/decisions/motion-engine.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from napari_cellinr.fields.pointwise import PointwiseNet
from napari_cellinr.fields.pyramid import GridPyramid, Lattice, window
from napari_cellinr.fields.warp import grid_points, upsample, warp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ALL_LEVELS", "SpaceTimeModel", "SpaceTimeShape", "coarse_stride", "coarser"]

ALL_LEVELS: Final = 1e5
"""Progress of the coarse-to-fine at which every level counts fully."""

POINTS_OF_A_CELL = {2: 4.0, 3: 2.5}
"""Points per cell along an axis, by the number of axes, from which on every second one is enough:
in volumes, steps with all points take most of the time."""


@dataclass(frozen=True)
class SpaceTimeShape:
    """The sizes of a space-time model. Positions are in voxels of the scene, the first is at 0.

    Parameters
    ----------
    scene
        Number of voxels of the rendered scene along each axis.
    low, high
        Ends of the box of the canonical scene along each axis: the scene and a margin.
    canonical
        Points along each axis at which the canonical scene is decoded.
    scene_cells, motion_cells
        Cells of each level, coarse to fine; those of the motion begin with time.
    motion_lattice
        Points along each spatial axis at which the motion is decoded.
    displacement
        Largest expected displacement along each axis from the middle, in voxels.
    channels
        Channels of the scene, such as absorption and phase.
    layers
        Canonical scenes, each with a motion of its own, whose light adds up: 1, or more where
        objects cross.
    """

    scene: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    canonical: tuple[int, ...]
    scene_cells: tuple[tuple[int, ...], ...]
    motion_cells: tuple[tuple[int, ...], ...]
    motion_lattice: tuple[int, ...]
    displacement: tuple[float, ...]
    channels: int = 1
    layers: int = 1


class SpaceTimeModel(nn.Module):
    """The canonical scene and its motion.

    Parameters
    ----------
    shape
        All sizes.
    width
        Hidden neurons of the scene network.
    motion_width
        Hidden neurons of the motion network.
    features
        Numbers at each vertex of a level.
    seed
        Random seed of the initial parameters.
    """

    displacement: torch.Tensor

    def __init__(
        self,
        shape: SpaceTimeShape,
        *,
        width: int = 32,
        motion_width: int = 32,
        features: int = 2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.shape = shape
        generator = torch.Generator().manual_seed(seed)
        self.scene_grids = GridPyramid(shape.scene_cells, features, generator)
        self.motion_grids = GridPyramid(shape.motion_cells, features, generator)
        self.scene_net = PointwiseNet(
            self.scene_grids.n_features, shape.layers * shape.channels, width, generator
        )
        self.motion_net = PointwiseNet(
            self.motion_grids.n_features, shape.layers * len(shape.scene), motion_width, generator
        )
        scale = torch.tensor(shape.displacement * shape.layers, dtype=torch.float32)
        self.register_buffer("displacement", scale, persistent=False)
        self._kept: Lattice | None = None

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> SpaceTimeModel:
        """Return the model that a saved fit describes, with parameters yet to be loaded.

        Parameters
        ----------
        settings
            `shape`, the fields of `SpaceTimeShape`, and `neurons` of the scene network.
        """
        shape = {key: _tuples(value) for key, value in settings["shape"].items()}
        return cls(SpaceTimeShape(**shape), width=settings["neurons"])

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the parameters by name, as copies on the CPU."""
        return {name: value.detach().cpu().clone() for name, value in self.named_parameters()}

    @torch.no_grad()
    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take the parameters that `tensors` returned; others are ignored.

        Raises
        ------
        KeyError, RuntimeError
            If one is missing, or of another shape.
        """
        for name, parameter in self.named_parameters():
            parameter.copy_(tensors[name])

    def take_motion(self, other: SpaceTimeModel) -> None:
        """Copy the motion of another model of the same shape; the scene stays as it is."""
        self.motion_grids.load_state_dict(other.motion_grids.state_dict())
        self.motion_net.load_state_dict(other.motion_net.state_dict())

    def forward(
        self, times: torch.Tensor, alpha: float = ALL_LEVELS, canonical: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the scene at each time, shape (times, channels, *scene), in units of the frames.

        It is moved to one time after the other, in the memory of one.

        Parameters
        ----------
        times
            0 at the first, 1 at the last time, shape (times, 1, …) with one element along each
            spatial axis, float32.
        alpha
            Progress of the coarse-to-fine; 1 and above is all.
        canonical
            What `canonical` returns for this `alpha`, if it is at hand.
        """
        still = self.canonical(alpha) if canonical is None else canonical
        return torch.cat([self.scene(still, self.motion(time[None], alpha)) for time in times])

    def canonical(self, alpha: float, points: Sequence[int] | None = None) -> torch.Tensor:
        """Return the canonical scene, shape (channels, *points), in the unit of the frames.

        With several layers, their channels follow each other.

        Parameters
        ----------
        alpha
            Progress of the coarse-to-fine; 1 and above is all.
        points
            Number of points along each axis; those of the shape if not given.
        """
        count = tuple(points or self.shape.canonical)
        weights = window(alpha, len(self.scene_grids.cells))
        features = self.scene_grids.on_grid(count, weights)
        scene: torch.Tensor = self.scene_net(features.flatten(1)).view(-1, *count)
        return scene

    def motion(
        self, times: torch.Tensor, alpha: float, points: Sequence[int] | None = None
    ) -> torch.Tensor:
        """Return the displacement into the canonical scene, voxels, shape (times, axes, *points).

        With several layers, their axes follow each other.

        Parameters
        ----------
        times
            0 at the first, 1 at the last time, shape (times, …): one element along each axis of
            space, or as many as there are points.
        alpha
            Progress of the coarse-to-fine.
        points
            Number of points along each spatial axis; those of the shape if not given. They span
            the rendered scene.
        """
        count = tuple(points or self.shape.motion_lattice)
        weights = window(alpha, len(self.motion_grids.cells))
        features = self.motion_grids.on_lattice(self._lattice(times, count), weights)
        moved = self.motion_net(features.flatten(1)).view(-1, len(times), *count).movedim(0, 1)
        displacement: torch.Tensor = moved * self.displacement.view(1, -1, *[1] * len(count))
        return displacement

    def largest_motion(self, times: torch.Tensor) -> float:
        """Return the largest displacement in voxels of the scene, of the layer that moves most.

        The median over positions, since motion is arbitrary where there is nothing to see.

        Parameters
        ----------
        times
            As for `motion`.
        """
        with torch.no_grad():
            displacement = self.motion(times, ALL_LEVELS)
        spans = displacement.amax(0) - displacement.amin(0)
        spans = spans.reshape(self.shape.layers, -1, *spans.shape[1:])
        return float(spans.norm(dim=1).flatten(1).median(1).values.max())

    def _lattice(self, times: torch.Tensor, count: tuple[int, ...]) -> Lattice:
        """Return the lattice on which the motion is decoded; the same times get the same one."""
        kept = self._kept
        if kept is None or kept.times is not times or kept.shape[1:] != count:
            axes = [grid_points(0, 1, n, times.device) for n in count]
            kept = self._kept = Lattice(self.motion_grids.cells, axes, times)
        return kept

    def scene(
        self,
        canonical: torch.Tensor,
        displacement: torch.Tensor,
        points: Sequence[torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Return the scene at each time, shape (times, channels, *points): the sum of its layers.

        Parameters
        ----------
        canonical
            What `canonical` returned, or some of its layers.
        displacement
            What `motion` returned of the same layers, at any number of points that span the
            rendered scene.
        points
            Places along each axis in voxels, equally spaced over the rendered scene; all of
            its voxels if not given.
        """
        shape = self.shape
        device = canonical.device
        places = points or [
            torch.arange(n, device=device, dtype=torch.float32) for n in shape.scene
        ]
        fine = upsample(displacement, tuple(len(part) for part in places))
        stills = torch.split(canonical, shape.channels)
        moves = torch.split(fine, len(shape.scene), dim=1)
        scenes = [
            warp(still, moved, places, shape.low, shape.high)
            for still, moved in zip(stills, moves, strict=True)
        ]
        return sum(scenes[1:], scenes[0])


def coarse_stride(shape: SpaceTimeShape, alpha: float) -> tuple[int, ...]:
    """Return 2 along each axis where every second point is enough for the levels that count now.

    A level that does not count yet is zero. Therefore early steps decode and move a scene with a
    quarter of the points, at least two for each cell.

    Parameters
    ----------
    shape
        Sizes of the model.
    alpha
        Progress of the coarse-to-fine.
    """
    weights = window(alpha, len(shape.scene_cells))
    last = max((level for level, weight in enumerate(weights) if weight), default=0)
    cells = shape.scene_cells[last]
    least = POINTS_OF_A_CELL[len(shape.scene)]
    return tuple(
        2 if n >= least * count and n > 8 else 1
        for n, count in zip(shape.canonical, cells, strict=True)
    )


def coarser(points: Sequence[int], stride: Sequence[int]) -> tuple[int, ...]:
    """Return the number of points between the same ends with a coarser step.

    Parameters
    ----------
    points
        Number of points along each axis.
    stride
        Which of them are taken, such as 2 for every second.
    """
    return tuple((n + step - 1) // step for n, step in zip(points, stride, strict=True))


def _tuples(value: Any) -> Any:
    """Return lists of JSON as tuples."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
