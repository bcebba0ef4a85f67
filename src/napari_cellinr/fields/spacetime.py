"""A scene that does not know time, and a motion that moves it: the neural space-time model.

Cao et al. 2024, "Neural space-time model for dynamic multi-shot imaging". The scene at a place
x and a time t is the canonical scene at x + δ(x, t). Here the canonical scene is decoded once
per step on a lattice of its own and then moved to every time, and the motion is decoded on a
coarse lattice, since both are smooth between their vertices.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_cellinr.fields.pyramid import GridPyramid, window
from napari_cellinr.fields.warp import lattice_points, upsample, warp

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PointwiseNet", "SpaceTime", "SpaceTimeShape"]


class PointwiseNet(nn.Module):
    """A small network applied to every point of a lattice: two hidden layers.

    Parameters
    ----------
    n_inputs, n_outputs, width
        Sizes of input, output and hidden layers.
    generator
        Random numbers of the initial weights (Glorot and Bengio 2010), on the CPU; biases
        are zero.
    """

    def __init__(
        self, n_inputs: int, n_outputs: int, width: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        sizes = [n_inputs, width, width, n_outputs]
        self.weights = nn.ParameterList(
            nn.Parameter(_glorot(n_out, n_in, generator))
            for n_in, n_out in itertools.pairwise(sizes)
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(size, 1)) for size in sizes[1:])

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the outputs, shape (n_outputs, points).

        Parameters
        ----------
        features
            Shape (n_inputs, points).
        """
        values = features
        last = len(self.weights) - 1
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = torch.addmm(bias, weight, values)
            if index < last:
                values = nn.functional.silu(values)
        return values


def _glorot(n_out: int, n_in: int, generator: torch.Generator) -> torch.Tensor:
    bound = math.sqrt(6 / (n_in + n_out))
    return bound * (2 * torch.rand(n_out, n_in, generator=generator) - 1)


@dataclass(frozen=True)
class SpaceTimeShape:
    """The sizes of a space-time model; places in voxels of the scene, whose first voxel is at 0.

    Parameters
    ----------
    scene
        Number of voxels of the rendered scene along each axis.
    low, high
        Ends of the box of the canonical scene along each axis: the scene and a margin.
    canonical
        Points of the lattice on which the canonical scene is decoded.
    scene_cells, motion_cells
        Cells of each level, coarse to fine; those of the motion begin with time.
    motion_lattice
        Points of the lattice on which the motion is decoded, without time.
    displacement
        Largest expected displacement along each axis from the middle, in voxels.
    channels
        Channels of the scene.
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


class SpaceTime(nn.Module):
    """The canonical scene and its motion, on the lattices of `shape`.

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
        Start of the random numbers.
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
        self.scene_net = PointwiseNet(self.scene_grids.n_features, shape.channels, width, generator)
        self.motion_net = PointwiseNet(
            self.motion_grids.n_features, len(shape.scene), motion_width, generator
        )
        scale = torch.tensor(shape.displacement, dtype=torch.float32)
        self.register_buffer("displacement", scale, persistent=False)

    def canonical(self, alpha: float, lattice: Sequence[int] | None = None) -> torch.Tensor:
        """Return the canonical scene, shape (channels, *lattice), float32.

        Parameters
        ----------
        alpha
            Part of the coarse-to-fine that is done; 1 and above is all.
        lattice
            Points along each axis; those of the shape if not given.
        """
        points = tuple(lattice or self.shape.canonical)
        weights = window(alpha, len(self.scene_grids.cells))
        features = self.scene_grids.on_lattice(points, weights)
        scene: torch.Tensor = self.scene_net(features.flatten(1)).view(-1, *points)
        return scene

    def motion(
        self, times: torch.Tensor, alpha: float, lattice: Sequence[int] | None = None
    ) -> torch.Tensor:
        """Return the displacement into the canonical scene, voxels, shape (times, axes, *lattice).

        Parameters
        ----------
        times
            0 at the first, 1 at the last time, shape (times, …): one element along each axis of
            space, or as many as the lattice has points there.
        alpha
            Part of the coarse-to-fine that is done.
        lattice
            Points along each axis of space; those of the shape if not given. They span the
            rendered scene.
        """
        points = tuple(lattice or self.shape.motion_lattice)
        axes = [lattice_points(0, 1, n, times.device) for n in points]
        weights = window(alpha, len(self.motion_grids.cells))
        features = self.motion_grids.on_product(axes, times, weights)
        moved = self.motion_net(features.flatten(1)).view(-1, len(times), *points).movedim(0, 1)
        displacement: torch.Tensor = moved * self.displacement.view(1, -1, *[1] * len(points))
        return displacement

    def scene(
        self,
        canonical: torch.Tensor,
        displacement: torch.Tensor,
        points: Sequence[torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Return the scene at each time, shape (times, channels, *points).

        Parameters
        ----------
        canonical
            Shape (channels, *lattice).
        displacement
            In voxels, on any lattice that spans the rendered scene, shape (times, axes, …).
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
        return warp(canonical, fine, places, shape.low, shape.high)
