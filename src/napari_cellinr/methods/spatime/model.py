"""The models of SpatimeINR: motion in an interval, corrections of planes, the published networks.

Each is an `nn.Module` that is built from a plain mapping of shape and settings, which is stored
beside the parameters as `Fitted.model["channels"]`, one mapping per channel:

- `aspect`: voxel size in the plane divided by that along each spatial axis;
- `blending`: the fields of `BlendWeights`;
- `sections`: `means`, `noisy means`, or how thin planes are interpolated, one of `sections.KINDS`;
- `motion`: the arguments of `MotionModel` by interval;
- `trust`: the intervals that are blended place by place, with a tensor `trust.<interval>` each;
- `planes`: the arguments of `PlaneModel`, or null;
- `pixels`: the arguments of `PixelModel`, or null;
- `pixel_sections`: how rows and columns are interpolated, `means` or `noisy means`;
- `noise`: the arguments of `AddedNoise`, or null;
- `flow`: the optical flow from which motion started, one of `flow.FLOWS`;

or, with the preset `paper`:

- `published`: the arguments of `published_model`;
- `levels`: the grey level that counts as 0 and the grey levels from 0 to 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from napari_cellinr.classic.sampling import sampling
from napari_cellinr.fields.hypercube import PaperField, Sizes
from napari_cellinr.fields.plane import CONVOLUTIONS, PixelField, RowField, cell_weights
from napari_cellinr.fields.trajectory import at_time, control_size, displacement, on_lattice
from napari_cellinr.methods.spatime.between.window import Window, between
from napari_cellinr.methods.spatime.finer.sections import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.methods.spatime.between.window import Lattice

    Floats = NDArray[np.float32]

__all__ = [
    "MARGIN",
    "MotionModel",
    "PixelModel",
    "PlaneModel",
    "published_model",
    "published_settings",
    "settings_of_tensors",
]

ROWS_AT_ONCE = 16
"""Planes that are refined at once: bounds the memory."""


PIXELS_AT_ONCE = 2**18
"""Given pixels that are refined at once: bounds the memory."""

MARGIN = CONVOLUTIONS + 1
"""Rows beyond a block on which its finer rows depend."""


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


class PlaneModel(RowField):
    """A network that corrects interpolated planes along Z.

    Parameters
    ----------
    latent
        Length of the latent code of a place; 0 for none.
    pinned
        Whether nothing is added at the given planes: for thin planes.
    """

    def __init__(self, latent: int, pinned: bool = False) -> None:
        super().__init__(latent, pinned=pinned)

    @property
    def settings(self) -> dict[str, Any]:
        """What the model is built from, ready for JSON."""
        return {"latent": self.latent, "pinned": self.pinned}

    @torch.no_grad()
    def refined(
        self, volume: Floats, base: Floats, places: NDArray[np.float64], cell: float
    ) -> Floats:
        """Return a volume with finer Z, the mean of what its XZ and its YZ planes give.

        Parameters
        ----------
        volume
            The given planes, (z, y, x), float32, about 0 to 1.
        base
            The same interpolated along Z, (places, y, x), float32.
        places
            Where the planes of the result lie, in given planes.
        cell
            Distance of the planes of the result, in given planes.

        Returns
        -------
        numpy.ndarray
            (places, y, x), float32, about 0 to 1.
        """
        found = []
        for axes in ((1, 0, 2), (2, 0, 1)):
            rows = self._refined_rows(volume.transpose(axes), base.transpose(axes), places, cell)
            found.append(rows.transpose(np.argsort(axes)))
        return np.asarray((found[0] + found[1]) / 2, np.float32)

    def _refined_rows(
        self, coarse: Floats, base: Floats, places: NDArray[np.float64], cell: float
    ) -> Floats:
        device = next(self.parameters()).device
        rows = torch.from_numpy(places.astype(np.float32)).to(device)
        found = []
        for start in range(0, len(coarse), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            given, guess = (
                torch.from_numpy(np.ascontiguousarray(a[part])).to(device) for a in (coarse, base)
            )
            found.append(self(given, guess, rows, cell).cpu().numpy())
        return np.concatenate(found)


class PixelModel(PixelField):
    """A network that corrects interpolated pixels along Y and X.

    Parameters
    ----------
    width, level, contrast, error
        As for `PixelField`.
    """

    def __init__(
        self, width: int = 24, level: float = 0.0, contrast: float = 1.0, error: float = 1.0
    ) -> None:
        super().__init__(width, level, contrast, error)

    @property
    def settings(self) -> dict[str, Any]:
        """What the model is built from, ready for JSON."""
        names = ("width", "level", "contrast", "error")
        return {name: getattr(self, name) for name in names}

    def weights(self, given: Sequence[int], fine: Sequence[int]) -> list[torch.Tensor]:
        """Return `cell_weights` of rows and of columns of a result over whole planes.

        Parameters
        ----------
        given, fine
            Rows and columns of the given planes and of the result.
        """
        device, made = next(self.parameters()).device, []
        for n_given, n_fine in zip(given, fine, strict=True):
            one = sampling(n_given, n_fine / n_given, "Y")
            found = cell_weights(one.positions, one.step, n_given)
            made.append(torch.from_numpy(found).to(device))
        return made

    @torch.no_grad()
    def refined(
        self,
        planes: Floats,
        base: Floats,
        places: Sequence[NDArray[np.float64]] | None = None,
        steps: Sequence[float] = (),
    ) -> Floats:
        """Return finer planes, computed in blocks of rows.

        Parameters
        ----------
        planes
            Given planes, (n, y, x), float32, about 0 to 1.
        base
            The same interpolated, (n, fine y, fine x), float32.
        places
            Where the rows and the columns of the result lie, in given pixels; over the whole
            planes if not given.
        steps
            Their distances, in given pixels.

        Returns
        -------
        numpy.ndarray
            (n, fine y, fine x), float32, about 0 to 1.
        """
        device, n_rows = next(self.parameters()).device, planes.shape[1]
        if places is None:
            maps = [
                sampling(n, m / n, "Y")
                for n, m in zip(planes.shape[1:], base.shape[1:], strict=True)
            ]
            places, steps = [m.positions for m in maps], [m.step for m in maps]
        columns = torch.from_numpy(cell_weights(places[1], steps[1], planes.shape[2])).to(device)
        size = max(1, PIXELS_AT_ONCE // planes.shape[2])
        found = np.empty_like(base)
        for start in range(0, n_rows, size):
            low, high = max(0, start - MARGIN), min(n_rows, start + size + MARGIN)
            first, last = np.searchsorted(places[0], (start - 0.5, start + size - 0.5))
            rows = torch.from_numpy(
                cell_weights(places[0][first:last] - low, steps[0], high - low)
            ).to(device)
            for number, plane in enumerate(planes):
                given, guess = (
                    torch.from_numpy(np.ascontiguousarray(a))[None].to(device)
                    for a in (plane[low:high], base[number, first:last])
                )
                found[number, first:last] = self(given, guess, rows, columns)[0].cpu().numpy()
        return found


def published_model(shape: Sequence[int], rendering: bool, **sizes: int) -> PaperField:
    """Return the networks of the preset `paper`, without a fit.

    Parameters
    ----------
    shape
        Frames, and voxels along each spatial axis.
    rendering
        Whether a voxel is a mean over points of its cell, or its centre.
    sizes
        The fields of `fields.hypercube.Sizes`.
    """
    return PaperField(shape, Sizes(**sizes), rendering=rendering)


def published_settings(model: PaperField) -> dict[str, Any]:
    """Return the arguments of `published_model` that give networks of this shape."""
    return {"shape": list(model.shape), "rendering": model.rendering, **vars(model.sizes)}


def settings_of_tensors(tensors: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return shape and settings of a channel of a fit of version 0.1, which are in its tensors.

    Parameters
    ----------
    tensors
        Of one channel, by name without the number of the channel.

    Returns
    -------
    dict
        As described at the top of this module.
    """
    shape = [int(n) for n in tensors["frames"].shape]
    if "sizes" in tensors:
        *sizes, rendering = (int(n) for n in tensors["sizes"])
        names = ("latent", "neurons", "width", "groups", "blocks")
        published = {
            "shape": shape,
            "rendering": bool(rendering),
            **dict(zip(names, sizes, strict=True)),
        }
        return {"published": published, "levels": [float(v) for v in tensors["levels"]]}
    motion, cubic, attenuation = (float(v) for v in tensors["recipe"])
    controls = {k.removeprefix("paths."): v for k, v in tensors.items() if k.startswith("paths.")}
    planes = None
    if "planes.latent" in tensors:
        latent, *pinned = (int(n) for n in tensors["planes.latent"])
        planes = {"latent": latent, "pinned": any(pinned)}  # the oldest files do not hold it
    return {
        "aspect": [float(v) for v in tensors["aspect"]],
        "blending": {"motion": motion, "cubic": bool(cubic), "attenuation": attenuation},
        "sections": KINDS[int(tensors["sections"][0])] if "sections" in tensors else "means",
        "motion": {
            interval: {"shape": shape[1:], "terms": int(c.shape[0]), "points": list(c.shape[2:])}
            for interval, c in controls.items()
        },
        "planes": planes,
        "pixels": None,
    }
