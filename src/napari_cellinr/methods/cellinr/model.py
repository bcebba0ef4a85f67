"""The CellINR model: an initial estimate, convolved at every place with a kernel of its own.

Zhao et al., "CellINR", predict each voxel as a convolution over its neighbourhood whose weights
a network learns ("blind convolution", eq. 4-6). Here the weights of a few Gaussian derivatives
are learnt on a coarse grid of nodes; together these are a local convolution kernel, which is
applied to a classical estimate. What differs from the paper, and why, is in
docs/decisions/local-kernels.md.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import nn

from napari_cellinr.classic.anscombe import Noise, unstabilise
from napari_cellinr.classic.features import features
from napari_cellinr.classic.interpolate import resample
from napari_cellinr.fields.kernel import GridField
from napari_cellinr.fields.positions import coordinates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.interpolate import Interpolation
    from napari_cellinr.fields.positions import Positions

__all__ = ["CellINRModel", "LocalKernels", "convolutions"]

MARGIN = 8
"""Voxels around the requested ones: what is farther away does not change a cubic spline."""

REACH = 6
"""Voxels that the widest of the convolutions reaches."""


def convolutions(
    estimate: NDArray[np.float32], centre: float, *, plain: bool = False
) -> NDArray[np.float32]:
    """Return the images of which a local kernel is a weighted sum.

    Parameters
    ----------
    estimate
        Stabilised values, axes ZYX or YX, float32, in standard deviations of the noise.
    centre
        Mean of the estimate over the whole image.
    plain
        Whether to leave out all but the estimate and the constant.

    Returns
    -------
    numpy.ndarray
        Axes (convolution, Z, Y, X), float32: the estimate less its mean, what
        `classic.features` finds in it, and at the end a constant 1.
    """
    parts = estimate[None].copy() if plain else features(estimate)
    parts[0] -= np.float32(centre)
    return np.concatenate([parts, np.ones_like(parts[:1])])


class LocalKernels(nn.Module):
    """Convolution kernels that vary smoothly over an image.

    The weights are the sum of two grids, of which the second has nodes twice as far apart. Where
    all weights are 0, a kernel leaves the estimate as it is.

    Parameters
    ----------
    shape
        Voxels along each spatial axis.
    stride
        Voxels per node of the finer grid along each axis.
    n_convolutions
        Number of images that `convolutions` returns.
    centre
        Mean of the estimate, in standard deviations of the noise.

    Attributes
    ----------
    weights : GridField
        Weight of each convolution, without unit.
    divisors : torch.Tensor
        Root mean square of each convolution, shape (convolution,), by which it is divided.
    """

    divisors: torch.Tensor

    def __init__(
        self, shape: Sequence[int], stride: Sequence[int], n_convolutions: int, centre: float
    ) -> None:
        super().__init__()
        coarse = tuple(2 * step for step in stride)
        self.weights = GridField(shape, (tuple(stride), coarse), n_convolutions)
        self.register_buffer("divisors", torch.ones(n_convolutions))
        self.centre = centre

    def basis(self, estimate: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the convolutions of an estimate, divided: axes (convolution, …), float32."""
        divisors: NDArray[np.float32] = self.divisors.cpu().numpy()
        divisors = divisors.reshape(-1, *(1,) * estimate.ndim)
        return convolutions(estimate, self.centre, plain=len(divisors) == 2) / divisors

    def estimate(self, basis: torch.Tensor) -> torch.Tensor:
        """Return the estimate that a basis was made from, without its first axis."""
        return basis[0] * self.divisors[0] + self.centre

    def forward(
        self, estimate: torch.Tensor, basis: torch.Tensor, positions: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Return the estimate convolved with the kernels, at all crossings of voxels.

        Parameters
        ----------
        estimate
            Shape (n along axis 1, …), in standard deviations of the noise.
        basis
            Its convolutions there, shape (convolution, n along axis 1, …).
        positions
            Voxel coordinates along each axis, shape (n,) each.
        """
        convolved: torch.Tensor = estimate + (self.weights(positions) * basis).sum(0)
        return convolved

    def at_points(
        self, estimate: torch.Tensor, basis: torch.Tensor, points: torch.Tensor
    ) -> torch.Tensor:
        """Return the estimate convolved with the kernels at scattered voxels, shape (n,).

        Parameters
        ----------
        estimate, basis
            As for `forward`, shapes (n,) and (convolution, n).
        points
            Voxel coordinates, shape (n, axes).
        """
        convolved: torch.Tensor = estimate + (self.weights.at_points(points) * basis).sum(0)
        return convolved

    @torch.no_grad()
    def everywhere(self, estimate: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
        """Return what `forward` returns for all voxels, in the memory of two images.

        One convolution is added at a time, which rounds a little differently.

        Parameters
        ----------
        estimate, basis
            As for `forward`, of the whole image.
        """
        voxels = [torch.arange(size, device=basis.device) for size in estimate.shape]
        result = estimate.clone()
        for index, part in enumerate(basis):
            result += part * self.weights(voxels, slice(index, index + 1))[0]
        return result


class CellINRModel(nn.Module):
    """One denoised frame of one channel, and its background, as functions of position.

    Parameters
    ----------
    shape
        Voxels along each spatial axis, ZYX or YX.
    stride, background_stride
        Voxels per node along each axis, of the kernels and of the background.
    n_convolutions, centre
        As for `LocalKernels`.
    noise
        `gain`, `read_noise`, `offset` and `grain` of the noise, as in `classic.anscombe.Noise`.
    background
        `keep` if the result holds the background, `subtract` if not.
    dark
        Whether structures are darker than what is around them.
    factor
        What all grey levels are multiplied by, to correct bleaching.

    Attributes
    ----------
    kernels : LocalKernels
        What the estimate is convolved with.
    background : GridField
        Out-of-focus light, grey levels.
    estimate : numpy.ndarray
        Initial estimate, axes ZYX or YX, float32, in standard deviations of the noise.
    amplification : numpy.ndarray
        What the signal is multiplied by at each voxel, uint8, 255 for 1: less where it can hardly
        be distinguished from noise. Both arrays stay in the memory of the computer, where grey
        levels are computed.
    """

    kind: ClassVar = "local-kernels"
    basis: torch.Tensor | None

    def __init__(
        self,
        shape: Sequence[int],
        stride: Sequence[int],
        background_stride: Sequence[int],
        n_convolutions: int,
        centre: float,
        noise: Mapping[str, float],
        background: str,
        *,
        dark: bool = False,
        factor: float = 1.0,
    ) -> None:
        super().__init__()
        self.shape, self.noise, self.factor = tuple(shape), Noise(**noise), factor
        self.keeps, self.sign = background == "keep", -1 if dark else 1
        self.kernels = LocalKernels(self.shape, stride, n_convolutions, centre)
        self.background = GridField(self.shape, (tuple(background_stride),), 1)
        self.estimate = np.zeros(self.shape, np.float32)
        self.amplification = np.full(self.shape, 255, np.uint8)
        self.register_buffer("basis", None, persistent=False)

    def settings(self) -> dict[str, Any]:
        """Return what the model is built from, by name, and its kind; ready for JSON."""
        return {
            "kind": self.kind,
            "shape": list(self.shape),
            "stride": list(self.kernels.weights.strides[0]),
            "background_stride": list(self.background.strides[0]),
            "n_convolutions": len(self.kernels.divisors),
            "centre": self.kernels.centre,
            "noise": asdict(self.noise),
            "background": "keep" if self.keeps else "subtract",
            "dark": self.sign < 0,
            "factor": self.factor,
        }

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all arrays by name, as copies on the CPU."""
        grids = {f"kernels.{i}": grid for i, grid in enumerate(self.kernels.weights.grids)}
        held = {**grids, "background": self.background.grids[0], "divisors": self.kernels.divisors}
        return {
            **{name: value.detach().cpu().clone() for name, value in held.items()},
            "estimate": torch.from_numpy(self.estimate.copy()),
            "amplification": torch.from_numpy(self.amplification.copy()),
        }

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take the arrays that `tensors` returned.

        Raises
        ------
        KeyError, RuntimeError, ValueError
            If one is missing, or of another shape.
        """
        self.kernels.divisors.copy_(tensors["divisors"])
        names = ("kernels.0", "kernels.1")
        grids = {f"grids.{i}": tensors[name] for i, name in enumerate(names)}
        self.kernels.weights.load_state_dict(grids)
        self.background.load_state_dict({"grids.0": tensors["background"]})
        self.estimate = tensors["estimate"].cpu().numpy().reshape(self.shape)
        if "amplification" in tensors:  # fits of older versions have none
            self.amplification = tensors["amplification"].cpu().numpy().reshape(self.shape)

    def hold_basis(self, basis: NDArray[np.float32]) -> None:
        """Keep the convolutions of the estimate at hand, which a fit needs in every step."""
        self.basis = torch.from_numpy(basis).to(self.kernels.divisors.device)

    def stabilised(self, part: Sequence[slice]) -> torch.Tensor:
        """Return the estimate convolved with the kernels, in standard deviations of the noise.

        Differentiable by the weights of the kernels.

        Parameters
        ----------
        part
            Voxels along each axis.
        """
        basis = self._basis(part)
        places = coordinates(part, self.shape, basis.device)
        stabilised: torch.Tensor = self.kernels(self.kernels.estimate(basis), basis, places)
        return stabilised

    def stabilised_at(self, points: torch.Tensor) -> torch.Tensor:
        """Return what `stabilised` returns at scattered voxels, shape (n,), while a basis is held.

        Parameters
        ----------
        points
            Voxel coordinates, shape (n, axes), int64.
        """
        assert self.basis is not None
        basis = self.basis[(slice(None), *points.T)]
        return self.kernels.at_points(self.kernels.estimate(basis), basis, points)

    @torch.no_grad()
    def forward(self, positions: Positions) -> tuple[NDArray[np.float32], ...]:
        """Return result, background and the other image at all crossings, grey levels, float32.

        The other image is the signal alone if the result holds the background, else signal and
        background together. Between voxels, stabilised values are interpolated by a cubic spline.

        Parameters
        ----------
        positions
            Slices of voxels, or rising voxel coordinates, along each axis.
        """
        parts, inside = zip(*map(_needed, positions, self.shape), strict=True)
        stabilised = self.stabilised(parts).cpu().numpy()
        total = unstabilise(_between(stabilised, inside, "spline"), self.noise)
        places = coordinates(positions, self.shape, self.kernels.divisors.device)
        background: NDArray[np.float32] = self.background(places)[0].cpu().numpy()
        part = _between(self.amplification[parts].astype(np.float32), inside, "linear")
        signal = np.maximum(self.sign * (total - background), 0) * (part / np.float32(255))
        result, other = (total, signal) if self.keeps else (signal, total)
        factor = np.float32(self.factor)
        return result * factor, background * factor, other * factor

    def _basis(self, part: Sequence[slice]) -> torch.Tensor:
        """Return the convolutions of the estimate in a part, axes (convolution, …)."""
        if self.basis is not None:
            return self.basis[(slice(None), *part)]
        ends = [piece.indices(size)[:2] for piece, size in zip(part, self.shape, strict=True)]
        outer = tuple(slice(max(0, start - REACH), stop + REACH) for start, stop in ends)
        inner = tuple(
            slice(start - around.start, stop - around.start, piece.step)
            for (start, stop), around, piece in zip(ends, outer, part, strict=True)
        )
        basis = self.kernels.basis(self.estimate[outer])[(slice(None), *inner)]
        device = self.kernels.divisors.device
        return torch.from_numpy(np.ascontiguousarray(basis)).to(device)


def _needed(
    positions: slice | NDArray[np.float64], size: int
) -> tuple[slice, NDArray[np.float64] | None]:
    """Return the voxels needed for positions along one axis, and the positions within these."""
    if isinstance(positions, slice):
        return positions, None
    margin = 0 if np.array_equal(positions, np.round(positions)) else MARGIN
    start = max(0, math.floor(positions[0]) - margin)
    return slice(start, min(size, math.ceil(positions[-1]) + margin + 1)), positions - start


def _between(
    values: NDArray[np.float32],
    positions: Sequence[NDArray[np.float64] | None],
    kind: Interpolation,
) -> NDArray[np.float32]:
    """Return values at all crossings of positions along each axis, those of voxels as they are."""
    for axis, places in enumerate(positions):
        if places is None:
            continue
        if np.array_equal(places, np.round(places)):
            values = values.take(places.astype(int), axis)
        else:
            values = resample(values, places, axis, kind)
    return values
