"""The model of the motion between two frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from napari_cellinr.fields.trajectory import at_time, control_size, displacement, on_lattice
from napari_cellinr.methods.spatime.between.window import Window, between

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_cellinr.methods.spatime.between.window import Lattice

    Floats = NDArray[np.float32]

__all__ = ["MotionModel"]


class MotionModel(nn.Module):
    """Motion between two frames: a path for every place, a polynomial in time without constant.

    Time counts in frames from the middle of the interval, where the displacement is 0.

    Parameters
    ----------
    shape
        Voxels of a frame along each of its two or three axes.
    terms
        Degree of the polynomial: 1 or 2.
    points
        Control points along each axis, between which the coefficients are linear.
    lattice
        Where they are, if the frame is a part of one; from its first voxel to its last one if not
        given. It is not stored: fits of parts are not.

    Attributes
    ----------
    control
        Coefficients, (terms, axes, *points), float32, voxels of a frame per frame^k.
    """

    def __init__(
        self,
        shape: Sequence[int],
        terms: int,
        points: Sequence[int],
        lattice: Lattice | None = None,
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.lattice = Window.of(shape).lattice(points) if lattice is None else lattice
        self.control = nn.Parameter(torch.zeros(terms, len(shape), *points))

    @property
    def settings(self) -> dict[str, Any]:
        """What the model is built from, ready for JSON."""
        n_terms, _, *points = self.control.shape
        return {"shape": list(self.shape), "terms": n_terms, "points": points}

    def forward(
        self,
        places: torch.Tensor,
        times: torch.Tensor,
        shape: Sequence[int] | None = None,
        control: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return displacements, (times, places, axes), voxels of a frame.

        Parameters
        ----------
        places
            Places in the middle of the interval, (places, axes), float32, voxels of `shape`.
        times
            Frames from the middle of the interval, (times,), float32.
        shape
            Voxels of a coarser frame in which the places are given; those of a frame if not given.
        control
            Coefficients instead of those of the model, of the same shape.

        Returns
        -------
        torch.Tensor
            (times, places, axes), float32.
        """
        coefficients = self.control if control is None else control
        if self.lattice.is_whole:
            return displacement(coefficients, places, times, shape or self.shape)
        return displacement(coefficients, places - self._origin(places), times, self._extent)

    def origins(self, places: torch.Tensor, time: float) -> torch.Tensor:
        """Return where the paths through some places are in the middle of the interval.

        Parameters
        ----------
        places
            (places, axes), float32, voxels.
        time
            When the paths are there, in frames from the middle of the interval.

        Returns
        -------
        torch.Tensor
            (places, axes), float32, voxels; from three steps of a fixed-point iteration.
        """
        if self.lattice.is_whole:
            return at_time(self.control, places, time, self.shape)
        start = self._origin(places)
        return start + at_time(self.control, places - start, time, self._extent)

    def with_points(self, counts: Sequence[int]) -> MotionModel:
        """Return the same motion, linearly interpolated to other control points.

        Parameters
        ----------
        counts
            Control points of a whole frame along each axis.
        """
        lattice = self.lattice.with_counts(counts)
        made = MotionModel(self.shape, len(self.control), lattice.size, lattice)
        made = made.to(self.control.device)
        flat = self.control.detach().flatten(0, 1)
        if lattice.is_whole:
            mode = {2: "bilinear", 3: "trilinear"}[len(self.shape)]
            finer = functional.interpolate(
                flat[None], size=lattice.size, mode=mode, align_corners=True
            )[0]
        else:
            weights = self.lattice.weights(lattice.lines)
            finer = on_lattice(flat, [one.to(flat.device) for one in weights])
        made.control.data.copy_(finer.reshape(made.control.shape))
        return made

    def velocity(self, spacing: float) -> Floats:
        """Return the velocities in the middle of the interval, (axes, *points), float32.

        Parameters
        ----------
        spacing
            Largest distance of the points in a part of a frame; in a whole one, they are those of
            the model.
        """
        own: Floats = self.control[0].detach().cpu().numpy()
        if self.lattice.is_whole:
            return own
        counts = control_size(self.lattice.whole, spacing)
        return between(own, self.lattice, self.lattice.with_counts(counts))

    def _origin(self, places: torch.Tensor) -> torch.Tensor:
        """Return the place of the first control point, voxels."""
        return torch.tensor(self.lattice.origin, dtype=places.dtype, device=places.device)

    @property
    def _extent(self) -> tuple[float, ...]:
        """The voxels that the control points span."""
        return tuple(length + 1 for length in self.lattice.lengths)
