"""CellINR: noise and photo-induced background removed by a field fitted to one image.

The paper (Zhao et al., "CellINR") predicts each voxel as a convolution over its neighbourhood
whose weights a network learns ("blind convolution", eq. 4-6). Here the field predicts, at
every place, the weights of a few Gaussian derivatives, which together are a local convolution
kernel, and applies it to a classical estimate. What differs from the paper, and why, is in
docs/decisions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.classic.anscombe import unstabilise
from napari_cellinr.fields.kernel import GridField
from napari_cellinr.fields.nodes import block_lengths, blocks
from napari_cellinr.fitting.problem import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.classic.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.problem import PreviewRequest
    from napari_cellinr.image import Image

__all__ = ["CellINRProblem", "Sample"]

PATCH_VOXELS = 300_000
"""Voxels of one step; smaller images are taken whole."""

RENDER_VOXELS = 1_000_000
"""Voxels that are evaluated at once."""


@dataclass(frozen=True)
class Sample:
    """What is known about the data before the field is fitted; arrays of axes ZYX or YX.

    Parameters
    ----------
    image
        The source, for calibration and name.
    values
        Stabilised grey levels, float32.
    held
        Which voxels are held out, bool.
    basis
        Convolutions of the classical estimate, axes (feature, Z, Y, X), float32; the first is
        the estimate itself less `centre`, the last is constant; each has mean square 1.
    basis_scale
        What each of them was divided by, shape (feature,).
    centre
        Mean of the estimate.
    sensitivity
        How strongly each follows the noise of its own voxel, mean over each node of the finest
        grid, axes (feature, nodes…), float32.
    kernels
        Least-squares weights of the convolutions, axes (feature, nodes…), float32.
    background
        Haze in grey levels on the nodes of a coarse grid.
    background_stride
        Voxels per node of that grid.
    amplification
        What the signal is multiplied by at each voxel, 255 for 1, uint8: less where it can
        hardly be told from noise.
    structure
        Confidence that a voxel belongs to a structure, 0 to 1, float32.
    stride
        Voxels per node of `kernels`.
    noise
        The noise in grey levels.
    trust
        How far Stein's estimate of the error is confirmed by the held-out voxels, 0 to 1.
    plain
        Whether there are no kernels to be fitted.
    complete
        False if the preparation was stopped.
    n_odd
        Number of hot and dead pixels that were replaced.
    """

    image: Image
    values: NDArray[np.float32]
    held: NDArray[np.bool_]
    basis: NDArray[np.float32]
    basis_scale: NDArray[np.float32]
    centre: float
    sensitivity: NDArray[np.float32]
    kernels: NDArray[np.float32]
    background: NDArray[np.float32]
    background_stride: tuple[int, ...]
    amplification: NDArray[np.uint8]
    structure: NDArray[np.float32]
    stride: tuple[int, ...]
    noise: Noise
    trust: float = 1.0
    plain: bool = False
    complete: bool = True
    n_odd: int = 0


class CellINRProblem(Problem):
    """The field of local kernels and the field of the background, and what they must explain.

    The loss estimates the error against the unknown truth: the squared distance from the data,
    plus twice the part of the noise that the result follows (Stein 1981; without that part,
    the field would learn to bring the noise back). The kernels vary no faster than the grids,
    which is what makes this estimate reliable.
    """

    def __init__(self, sample: Sample, config: CellINRConfig, device: torch.device) -> None:
        self.sample = sample
        self.config = config
        self.sign = -1 if config.dark else 1
        self._device = device
        self.shape = sample.values.shape
        coarse = tuple(2 * step for step in sample.stride)
        self.kernels = GridField(self.shape, (sample.stride, coarse), len(sample.basis)).to(device)
        self.kernels.grids[0].data.copy_(torch.from_numpy(sample.kernels))
        self.haze = GridField(self.shape, (sample.background_stride,), 1).to(device)
        self.haze.grids[0].data.copy_(torch.from_numpy(sample.background)[None])
        self.basis = torch.from_numpy(sample.basis).to(device)
        self.values = torch.from_numpy(sample.values).to(device)
        self.seen = torch.from_numpy(~sample.held).to(device, torch.float32)
        self.sensitivity = torch.from_numpy(sample.sensitivity).to(device)
        self.held_points = torch.from_numpy(np.argwhere(sample.held)).to(device)
        place = tuple(self.held_points.T)
        self.held_basis = self.basis[(slice(None), *place)]
        self.held_estimate = self.held_basis[0] * float(sample.basis_scale[0]) + sample.centre
        self.held_values = self.values[place]
        self.off_structure = torch.from_numpy(1 - sample.structure).to(device)
        self.grey = float(sample.noise.sd(float(np.mean(sample.background))))

    @property
    def device(self) -> torch.device:
        """The device that the fields live on."""
        return self._device

    @property
    def can_improve(self) -> bool:
        """Whether the preparation was completed."""
        return not self.sample.plain

    def param_groups(self) -> list[dict[str, Any]]:
        """Return the kernels, and the background in units of the noise.

        Where the estimate of the error is not to be trusted, the kernels follow it slowly.
        """
        rate = self.config.learning_rate
        return [
            {"params": list(self.kernels.parameters()), "lr": rate * self.sample.trust},
            {"params": list(self.haze.parameters()), "lr": rate * self.grey},
        ]

    def transferable(self) -> list[list[torch.Tensor]]:
        """Return the kernels: the background is that of one image."""
        return [list(self.kernels.parameters())]

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the losses on one dense patch, in squared standard deviations of the noise."""
        patch = self._patch(generator)
        positions = self._positions(patch)
        stabilised = self._stabilised(patch, positions)
        data = ((stabilised - self.values[patch]) ** 2 * self.seen[patch]).mean()
        losses = {"data": data + 2 * self._follows_noise(patch)}
        if self.config.total_variation > 0:
            losses["variation"] = self.config.total_variation * total_variation(stabilised)
        losses["background"] = self._background_loss(stabilised.detach(), patch, positions)
        return losses

    def _follows_noise(self, patch: tuple[slice, ...]) -> torch.Tensor:
        """Return the mean part of the noise that the kernels let through on a patch."""
        counts = self.sensitivity.shape[1:]
        nodes = [
            torch.arange(part.start // step, max(part.start // step + 1, part.stop // step))
            for part, step in zip(patch, self.sample.stride, strict=True)
        ]
        inside = [node.clamp(max=count - 1) for node, count in zip(nodes, counts, strict=True)]
        sensitivity = self.sensitivity
        for axis, node in enumerate(inside, start=1):
            sensitivity = sensitivity.index_select(axis, node.to(self._device))
        centres = [
            ((node + 0.5) * step - 0.5).to(self._device)
            for node, step in zip(inside, self.sample.stride, strict=True)
        ]
        part: torch.Tensor = (self.kernels(centres) * sensitivity).sum(0).mean()
        return part

    def _background_loss(
        self, stabilised: torch.Tensor, patch: tuple[slice, ...], positions: list[torch.Tensor]
    ) -> torch.Tensor:
        """Return how badly the background explains what is off the structures.

        Off the structures it should equal the image; nowhere should it lie above it.
        """
        excess = self.sign * (self._grey_levels(stabilised) - self.haze(positions)[0]) / self.grey
        off = self.off_structure[patch]
        above = torch.nn.functional.relu(-excess)
        fit = torch.nn.functional.huber_loss(excess * off, torch.zeros_like(off), delta=0.5)
        return 0.1 * (fit + (above**2).mean())

    def held_out(self) -> float:
        """Return the error on the held-out voxels, in standard deviations of the noise."""
        with torch.no_grad():
            kernels = self.kernels.at_points(self.held_points)
            error = self.held_estimate + (kernels * self.held_basis).sum(0) - self.held_values
        return math.sqrt(float((error.double() ** 2).mean()))

    def preview(self, request: PreviewRequest) -> Image:
        """Return a plane at full resolution or the volume at a coarser step, in grey levels."""
        source = self.sample.image
        if request.index:
            plane = {axis: i for axis, i in request.index.items() if axis in source.axes[:-2]}
            part = tuple(
                slice(plane[axis], plane[axis] + 1) if axis in plane else slice(0, size)
                for axis, size in source.sizes.items()
            )
        else:
            step = max(1, math.ceil((math.prod(self.shape) / request.max_voxels) ** (1 / 3)))
            part = tuple(slice(0, size, min(step, size)) for size in self.shape)
        steps = [piece.step or 1 for piece in part]
        return source.like(
            self._signal(part),
            scale=tuple(s * n for s, n in zip(source.scale, steps, strict=True)),
            translate=tuple(
                t + piece.start * s
                for t, s, piece in zip(source.translate, source.scale, part, strict=True)
            ),
        )

    def render(self) -> tuple[Image, ...]:
        """Return result, background and the other image, float32, in the units of the input.

        All are of one fit: the other image is the signal alone if the background is kept, and
        signal and background together if it is subtracted.
        """
        kept = np.empty(self.shape, np.float32)
        haze, signal = np.empty_like(kept), np.empty_like(kept)
        for block in blocks(self.shape, RENDER_VOXELS):
            kept[block], haze[block] = self._kept(block), self._haze(block)
            signal[block] = self._above(kept[block], haze[block], block)
        keeps = self.config.background == "keep"
        result, other = (kept, signal) if keeps else (signal, kept)
        source = self.sample.image
        names = ("denoised", "background", "signal" if keeps else "with background")
        return tuple(
            source.like(values, name=f"{source.name} {name}")
            for values, name in zip((result, haze, other), names, strict=True)
        )

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the grids of both fields, the estimate, and how they belong together."""
        sample = self.sample
        estimate = sample.basis[0] * sample.basis_scale[0] + np.float32(sample.centre)
        grids = {f"kernels.{i}": grid for i, grid in enumerate(self.kernels.grids)}
        state = {**grids, "background": self.haze.grids[0]}
        kept = {name: value.detach().cpu().clone() for name, value in state.items()}
        return {
            **kept,
            "estimate": torch.from_numpy(np.ascontiguousarray(estimate)),
            "amplification": torch.from_numpy(sample.amplification),
            "divisors": torch.from_numpy(sample.basis_scale),
            "centre": torch.tensor(sample.centre, dtype=torch.float64),
            "stride": torch.tensor(sample.stride),
            "background_stride": torch.tensor(sample.background_stride),
        }

    def facts(self) -> dict[str, Any]:
        """Return the noise that was found, in grey levels, and what users should know."""
        noise = self.sample.noise
        odd = self.sample.n_odd
        return {
            "warnings": [f"{odd} hot or dead pixels were replaced."] if odd else [],
            "noise": {
                "gain": noise.gain,
                "read_noise": noise.read_noise,
                "offset": noise.offset,
                "grain": noise.grain,
            },
        }

    def _patch(self, generator: torch.Generator) -> tuple[slice, ...]:
        """Return a random block of about `PATCH_VOXELS`, or all of a small image."""
        if math.prod(self.shape) <= PATCH_VOXELS * 2:
            return tuple(slice(0, size) for size in self.shape)
        lengths = block_lengths(self.shape, PATCH_VOXELS)
        corner = [
            int(torch.randint(size - length + 1, (1,), generator=generator, device=self._device))
            for size, length in zip(self.shape, lengths, strict=True)
        ]
        return tuple(slice(a, a + n) for a, n in zip(corner, lengths, strict=True))

    def _positions(self, part: tuple[slice, ...]) -> list[torch.Tensor]:
        """Return the voxel coordinates along each axis of `part`."""
        return [
            torch.arange(*piece.indices(size), device=self._device)
            for piece, size in zip(part, self.shape, strict=True)
        ]

    def _stabilised(self, part: tuple[slice, ...], positions: list[torch.Tensor]) -> torch.Tensor:
        """Return the estimate convolved with the local kernels, in standard deviations."""
        basis = self.basis[(slice(None), *part)]
        estimate = basis[0] * float(self.sample.basis_scale[0]) + self.sample.centre
        stabilised: torch.Tensor = estimate + (self.kernels(positions) * basis).sum(0)
        return stabilised

    def _grey_levels(self, stabilised: torch.Tensor) -> torch.Tensor:
        values = unstabilise(stabilised.cpu().numpy(), self.sample.noise)
        return torch.from_numpy(values).to(self._device)

    def _haze(self, part: tuple[slice, ...]) -> NDArray[np.float32]:
        """Return the background of `part` in grey levels, float32."""
        with torch.no_grad():
            haze: NDArray[np.float32] = self.haze(self._positions(part))[0].cpu().numpy()
        return haze

    def _signal(self, part: tuple[slice, ...]) -> NDArray[np.float32]:
        """Return the result of `part` in grey levels, float32."""
        kept = self._kept(part)
        if self.config.background == "keep":
            return kept
        return self._above(kept, self._haze(part), part)

    def _kept(self, part: tuple[slice, ...]) -> NDArray[np.float32]:
        """Return signal and background of `part` in grey levels, float32."""
        with torch.no_grad():
            stabilised = self._stabilised(part, self._positions(part)).cpu().numpy()
        return unstabilise(stabilised, self.sample.noise)

    def _above(
        self, kept: NDArray[np.float32], haze: NDArray[np.float32], part: tuple[slice, ...]
    ) -> NDArray[np.float32]:
        """Return the signal alone, float32."""
        factor = self.sample.amplification[part] / np.float32(255)
        signal: NDArray[np.float32] = np.maximum(self.sign * (kept - haze), 0) * factor
        return signal


def total_variation(values: torch.Tensor) -> torch.Tensor:
    """Return the mean length of the gradient in steps of one voxel; shape (Z, Y, X) or (Y, X)."""
    squares = torch.zeros_like(values)
    for axis, size in enumerate(values.shape):
        if size > 1:
            slope = torch.diff(values, dim=axis)
            inside = [slice(None)] * values.ndim
            inside[axis] = slice(0, size - 1)
            squares[tuple(inside)] = squares[tuple(inside)] + slope**2
    return torch.sqrt(squares + 1e-6).mean()
