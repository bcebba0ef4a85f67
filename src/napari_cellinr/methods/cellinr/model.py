"""The CellINR model: an initial estimate, corrected by a network that is fitted to this image.

The network (`ResidualField`) learns the errors that the initial estimate makes on synthetic noise:
docs/decisions/residual-field.md. To try another network, replace `ResidualField`; all else only
needs its `forward`. Fits without a network convolve the estimate with local kernels
(docs/decisions/local-kernels.md).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import nn

from napari_cellinr.classic.camera.anscombe import Noise, unstabilise
from napari_cellinr.classic.interpolate import resample
from napari_cellinr.classic.smoothing import as_tensor
from napari_cellinr.fields.grids.positions import coordinates
from napari_cellinr.fields.kernel import GridField
from napari_cellinr.fields.neighbours import convolved
from napari_cellinr.methods.cellinr.local_kernels import REACH, LocalKernels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.interpolate import Interpolation
    from napari_cellinr.fields.grids.positions import Positions

__all__ = ["LAYERS", "LOG_ERRORS", "N_LEVELS", "CellINRModel", "ResidualField"]

HALF = np.float32(0.5)
"""Half of the step over which the slope of the grey levels is taken, in standard deviations."""

LAYERS = 4
"""Convolutions of the network, which reach as many voxels far."""

N_LEVELS = 6
"""Levels of brightness at which standard errors are calibrated."""

LOG_ERRORS = (-12.0, 4.0)
"""Smallest and largest logarithm of a squared error, in variances of the noise."""

MARGIN = 8
"""Voxels around the requested ones: what is farther away does not change a cubic spline."""


class ResidualField(nn.Module):
    """A small convolutional network: the error of an estimate at each voxel, from views of it.

    Parameters
    ----------
    n_views
        Number of images that it is given, of which the last is the estimate.
    width
        Channels of the hidden layers.
    n_planes
        Neighbouring planes that a convolution covers: 3 in a volume, 1 in a single plane. These
        are channels of a 2-D convolution, which is 8 times as fast as one in 3-D.

    Attributes
    ----------
    means, divisors : torch.Tensor
        What is subtracted from each view and by what it is then divided, shape (view,).
    calibration : torch.Tensor
        By what the predicted standard errors are multiplied, at the levels `levels` of the
        result; shape (level,).
    """

    means: torch.Tensor
    divisors: torch.Tensor
    levels: torch.Tensor
    calibration: torch.Tensor

    def __init__(self, n_views: int, width: int, n_planes: int) -> None:
        super().__init__()
        self.n_views, self.width, self.n_planes = n_views, width, n_planes
        sizes = [n_views, *[width] * (LAYERS - 1)]
        self.layers = nn.ModuleList(
            nn.Conv2d(n_planes * before, after, 3) for before, after in itertools.pairwise(sizes)
        )
        self.last = nn.Conv2d(n_planes * width, 1, 3)
        self.log_error = nn.Conv2d(n_planes * width, 1, 3)
        with torch.no_grad():
            for parameter in (*self.last.parameters(), *self.log_error.parameters()):
                parameter.zero_()
        self.register_buffer("means", torch.zeros(n_views))
        self.register_buffer("divisors", torch.ones(n_views))
        self.register_buffer("levels", torch.arange(N_LEVELS).float())
        self.register_buffer("calibration", torch.ones(N_LEVELS))

    def settings(self) -> dict[str, int]:
        """Return what the network is built from, by name."""
        return {"n_views": self.n_views, "width": self.width, "n_planes": self.n_planes}

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the correction of the estimate, and the logarithm of its squared error then.

        Parameters
        ----------
        views
            Shape (view, Z, Y + 2 LAYERS, X + 2 LAYERS), in standard deviations of the noise: images
            minus the estimate, and at the end the estimate, with a margin along Y and X.

        Returns
        -------
        tuple
            Two images, shape (Z, Y, X); the error is not calibrated.
        """
        shape = (-1, 1, 1, 1)
        values = ((views - self.means.view(shape)) / self.divisors.view(shape)).transpose(0, 1)
        values = values.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            values = self._convolved(values, layer).relu_()
        # the error must not decide on the features that the correction needs
        found = self._convolved(values, self.last, self.log_error, n_followed=1)
        return found[:, 0], found[:, 1]

    def _convolved(
        self, values: torch.Tensor, *layers: nn.Module, n_followed: int | None = None
    ) -> torch.Tensor:
        """Return the outputs of convolutions of the same values, one after the other."""
        weight, bias = (
            torch.cat([layer.get_parameter(name) for layer in layers])
            for name in ("weight", "bias")
        )
        return convolved(values, weight, bias, self.n_planes, n_followed=n_followed)

    def standard_error(self, result: torch.Tensor, log_error: torch.Tensor) -> torch.Tensor:
        """Return calibrated standard errors, in standard deviations of the noise.

        Parameters
        ----------
        result
            The estimate with its correction.
        log_error
            The second image of `forward`.
        """
        place = torch.bucketize(result.contiguous(), self.levels).clamp(1, N_LEVELS - 1)
        low, high = self.levels[place - 1], self.levels[place]
        part = ((result - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)
        factor = torch.lerp(self.calibration[place - 1], self.calibration[place], part)
        return torch.exp(log_error.clamp(*LOG_ERRORS) / 2) * factor


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
        `gain`, `read_noise`, `offset` and `grain` of the noise, as in
        `classic.camera.anscombe.Noise`.
    background
        `keep` if the result holds the background, `subtract` if not.
    dark
        Whether structures are darker than what is around them.
    factor
        What all grey levels are multiplied by, to correct bleaching.
    field
        Settings of the network, if the estimate was corrected by one.

    Attributes
    ----------
    kernels : LocalKernels
        What the estimate is convolved with.
    field : ResidualField or None
        The network that has made `correction` and `error`, to start another fit from.
    background : GridField
        Out-of-focus light, grey levels.
    estimate : numpy.ndarray
        Initial estimate, axes ZYX or YX, float32, in standard deviations of the noise.
    amplification : numpy.ndarray
        What the signal is multiplied by at each voxel, uint8, 255 for 1: less where it can hardly
        be distinguished from noise.
    correction, error : numpy.ndarray or None
        What is added to the estimate, and standard error of the sum, axes ZYX or YX, float32, in
        standard deviations of the noise. All these arrays stay in the memory of the computer,
        where grey levels are computed.
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
        field: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self.shape, self.noise, self.factor = tuple(shape), Noise(**noise), factor
        self.keeps, self.sign = background == "keep", -1 if dark else 1
        self.kernels = LocalKernels(self.shape, stride, n_convolutions, centre)
        self.background = GridField(self.shape, (tuple(background_stride),), 1)
        self.estimate = np.zeros(self.shape, np.float32)
        self.amplification = np.full(self.shape, 255, np.uint8)
        self.field = ResidualField(**field) if field else None
        self.correction: NDArray[np.float32] | None = None
        self.error: NDArray[np.float32] | None = None
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
            **({} if self.field is None else {"field": self.field.settings()}),
        }

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all arrays by name, as copies on the CPU."""
        grids = {f"kernels.{i}": grid for i, grid in enumerate(self.kernels.weights.grids)}
        held = {**grids, "background": self.background.grids[0], "divisors": self.kernels.divisors}
        if self.field is not None:
            held |= {f"field.{name}": value for name, value in self.field.state_dict().items()}
        # An error that is not known is NaN, which no saved fit holds.
        known = self.error is not None and bool(np.isfinite(self.error).all())
        added = {"correction": self.correction, "error": self.error if known else None}
        return {
            **{name: value.detach().cpu().clone() for name, value in held.items()},
            **{n: torch.from_numpy(v.copy()) for n, v in added.items() if v is not None},
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
        if self.field is not None:
            starts = "field."
            own = {n.removeprefix(starts): v for n, v in tensors.items() if n.startswith(starts)}
            self.field.load_state_dict(own)
            self.correction = tensors["correction"].cpu().numpy().reshape(self.shape)
            self.error = np.full(self.shape, np.nan, np.float32)
        if "error" in tensors:  # of a network, or of a series
            self.error = tensors["error"].cpu().numpy().reshape(self.shape)

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
        if self.correction is not None:
            stabilised = stabilised + as_tensor(self.correction[tuple(part)], basis.device)
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
        values = self.kernels.at_points(self.kernels.estimate(basis), basis, points)
        if self.correction is not None:
            correction = self.correction[tuple(points.cpu().numpy().T)]
            values = values + as_tensor(correction, values.device)
        return values

    @torch.no_grad()
    def forward(self, positions: Positions) -> tuple[NDArray[np.float32], ...]:
        """Return result, background and the other image at all crossings, grey levels, float32.

        The other image is the signal alone if the result holds the background, else signal and
        background together. The standard error, if it is known, is the fourth image. Between
        voxels, stabilised values are interpolated by a cubic spline.

        Parameters
        ----------
        positions
            Slices of voxels, or rising voxel coordinates, along each axis.
        """
        parts, inside = zip(*map(_needed, positions, self.shape), strict=True)
        stabilised = self.stabilised(parts).cpu().numpy()
        values = _between(stabilised, inside, "spline")
        total = unstabilise(values, self.noise)
        places = coordinates(positions, self.shape, self.kernels.divisors.device)
        background: NDArray[np.float32] = self.background(places)[0].cpu().numpy()
        part = _between(self.amplification[parts].astype(np.float32), inside, "linear")
        signal = np.maximum(self.sign * (total - background), 0) * (part / np.float32(255))
        result, other = (total, signal) if self.keeps else (signal, total)
        factor = np.float32(self.factor)
        images = result * factor, background * factor, other * factor
        if self.error is None:
            return images
        error = _between(self.error[parts], inside, "linear")
        slope = unstabilise(values + HALF, self.noise) - unstabilise(values - HALF, self.noise)
        return *images, np.hypot(error * slope, np.float32(self.noise.offset_sd)) * factor

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
