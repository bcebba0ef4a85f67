"""CellINR as published, with the repairs without which it does not work: preset `paper`.

Zhao et al., "CellINR". A network learns the brightness at every position. In training, the value
of a voxel is a mean over random points of its cell, with weights from a second network ("blind
convolution", eq. 4-7), and the target is the image where the Hessian finds structures, and dark
elsewhere ("structural amplification", eq. 8-11). Repairs: the target is image times structure
(in eq. 11 as printed the sign of the mask is inverted), every voxel counts, the points lie
evenly around the voxel, the variation is a mean over dense patches, and the encoding has no
octave that voxels cannot represent.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch.nn.functional import mse_loss

from napari_cellinr.classic.camera.anscombe import stabilise
from napari_cellinr.classic.structure import structure
from napari_cellinr.fields.grids.cell import (
    points_per_axis,
    resample,
    sample_cells,
    shell_weights,
    weighted_mean,
)
from napari_cellinr.fields.grids.positions import coordinates, crossings
from napari_cellinr.fields.mlp import SkipMLP
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.draws import random_block, random_of_step
from napari_cellinr.fitting.previews import requested_part, with_place
from napari_cellinr.fitting.problem import Problem, Schedule
from napari_cellinr.methods.cellinr.published.model import PublishedModel

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, PreviewRequest, Progress
    from napari_cellinr.image import Image

__all__ = [
    "PublishedCellINRProblem",
    "PublishedPrepared",
    "absolute_variation",
    "prepare_published",
]

SMOOTHING = 1.5
"""Standard deviation in voxels for the dark level, which should not depend on the noise."""

WEIGHT_DECAY = 1e-6
"""Of Adam, as in the paper."""

LOOK = 50
"""Steps between two evaluations of the held-out error."""

LOOK_VOXELS = 4096
"""Largest number of held-out voxels that are evaluated."""

KEPT_BACKGROUND = (
    "The published method has no background=keep: structures are not amplified, and the background "
    "is denoised with them."
)


@dataclass(frozen=True)
class PublishedPrepared:
    """What the networks are to learn; arrays of axes ZYX or YX.

    Parameters
    ----------
    image
        The source, for its values, calibration and name.
    target
        The image where structures are, else 0, between the dark level at 0 and the 99.9th
        percentile at 1, float32.
    held
        Which voxels are held out of the training, bool.
    dark
        The 0.1th percentile of the smoothed image, in grey levels, times `sign`.
    contrast
        Grey levels from 0 to 1 of the target.
    noise
        The noise in grey levels.
    sign
        −1 if structures are darker than what is around them: the image is turned over.
    complete
        False if the user stopped the job before; then nothing is to be learnt.
    """

    image: Image
    target: NDArray[np.float32]
    held: NDArray[np.bool_]
    dark: float
    contrast: float
    noise: Noise
    sign: int = 1
    complete: bool = True


def prepare_published(
    image: Image, config: CellINRConfig, noise: Noise, device: torch.device, monitor: Monitor
) -> Generator[Progress, Message, PublishedCellINRProblem]:
    """Yield `Progress`, return the optimisation problem of an image.

    Parameters
    ----------
    image
        One frame of one channel, axes ZYX or YX.
    config
        The settings.
    noise
        The noise in grey levels.
    device
        Where to compute.
    monitor
        Of the job.
    """
    prepared = yield from in_background(
        "looking for structures", lambda: _prepared(image, config, noise), monitor
    )
    if prepared is None:
        quick = _prepared(image, config.replace(structure="none"), noise)
        prepared = replace(quick, complete=False)
    return PublishedCellINRProblem(prepared, config, device)


def _prepared(image: Image, config: CellINRConfig, noise: Noise) -> PublishedPrepared:
    """Return what the networks are to learn."""
    sign = -1 if config.dark else 1
    values = sign * image.array()
    smooth = gaussian_filter(values, [SMOOTHING if size > 1 else 0 for size in values.shape])
    dark = float(np.percentile(smooth, 0.1))
    contrast = max(float(np.percentile(values, 99.9)) - dark, 1e-6 * float(np.ptp(values)))
    target = np.minimum((values - dark) / contrast, 1)
    if config.structure != "none" and config.background == "subtract":
        found = structure(
            stabilise(image.array(), noise),
            image.scale,
            kind=config.structure,
            sign=sign,
            grain=noise.grain,
        )
        target = np.maximum(target * found, 0)  # eq. 11
    held = np.random.default_rng(config.seed).random(values.shape) < config.held_out
    held.flat[0] = True  # one at least, so that there is something to evaluate
    return PublishedPrepared(image, target.astype(np.float32), held, dark, contrast, noise, sign)


class PublishedCellINRProblem(Problem):
    """The networks of the paper and their loss on random voxels and a dense patch.

    `coarse` gives brightness and density at the first points of a cell, the network of the model
    the brightness at these and at those added where the density is, `kernel` the weight of
    each. The result is that of the model at the centres of the voxels.

    Parameters
    ----------
    prepared
        What the networks are to learn.
    config
        The settings.
    device
        Where to compute.

    Attributes
    ----------
    model : PublishedModel
        The fitted model that is saved; `coarse` and `kernel` are used in training only.
    """

    def __init__(
        self, prepared: PublishedPrepared, config: CellINRConfig, device: torch.device
    ) -> None:
        self.prepared = prepared
        self.config = config
        self._device = device
        self.shape = prepared.target.shape
        self._make_networks(torch.Generator().manual_seed(config.seed))
        self.target = torch.from_numpy(prepared.target).to(device)
        self.seen = torch.from_numpy(np.argwhere(~prepared.held)).to(device)
        held = np.argwhere(prepared.held)
        self.looked_at = torch.from_numpy(held[:: len(held) // LOOK_VOXELS + 1]).to(device)
        self.reach = torch.tensor([float(size > 1) for size in self.shape], device=device)
        steps = prepared.image.scale
        self.steps = [step / steps[-1] for step in steps]
        mean = float(np.mean(prepared.image.array(), dtype=np.float64))
        self.noise = float(prepared.noise.sd(mean)) / prepared.contrast

    def _make_networks(self, generator: torch.Generator) -> None:
        prepared, width = self.prepared, self.config.neurons
        self.model = PublishedModel(
            self.shape,
            width,
            prepared.dark,
            prepared.contrast,
            self.config.background,
            dark=prepared.sign < 0,
            generator=generator,
        ).to(self._device)
        self.encoding = self.model.encoding
        n_features = self.encoding.n_features
        self.coarse = SkipMLP(n_features, 2, generator, width=width).to(self._device)
        # A quarter of the width, and the centre goes into the seventh layer.
        self.kernel = SkipMLP(
            n_features, 1, generator, width=max(1, width // 4), joined_at=6, n_joined=n_features
        ).to(self._device)

    @property
    def device(self) -> torch.device:
        """The device that the networks live on."""
        return self._device

    @property
    def can_improve(self) -> bool:
        """Whether the preparation was completed."""
        return self.prepared.complete

    def schedule(self) -> Schedule:
        """Return the fall of the learning rate to its last value; nothing is averaged."""
        fall = self.config.final_learning_rate / self.config.learning_rate
        return Schedule(fall, LOOK, linear=self.config.annealing == "linear")

    def param_groups(self) -> list[dict[str, Any]]:
        """Return the weights of the networks that take part."""
        networks = [self.model.network]
        if self.config.blind_convolution:
            networks += [self.coarse, self.kernel]
        parameters = [weight for network in networks for weight in network.parameters()]
        rate = self.config.learning_rate
        return [{"params": parameters, "lr": rate, "weight_decay": WEIGHT_DECAY}]

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the losses on random voxels and a dense patch, in squares of the contrast.

        `data`; `coarse` with blind convolution (eq. 5-7); `variation` if it has a weight.
        """
        drawn = torch.randint(
            len(self.seen), (self.config.batch,), generator=generator, device=self._device
        )
        places = self.seen[drawn]
        target = self.target[tuple(places.T)]
        losses = (
            self._cell_losses(places.float(), target, generator)
            if self.config.blind_convolution
            else {"data": mse_loss(self.model.brightness(places.float()), target)}
        )
        if self.config.total_variation > 0:
            axes = coordinates(self._patch(step), self.shape, self._device)
            patch = self.model.brightness(crossings(axes))
            variation = absolute_variation(patch, self.steps)
            losses["variation"] = self.config.total_variation * variation
        return losses

    def _cell_losses(
        self, centres: torch.Tensor, target: torch.Tensor, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """Return how far the two means over each cell are from its target (eq. 5-7, 11)."""
        n_axes = len(self.shape)
        per_axis = points_per_axis(self.config.points, n_axes)
        first = sample_cells(len(centres), n_axes, per_axis, generator)  # (cells, points, axes)
        brightness, density = self._at(self.coarse, centres, first).unbind(-1)
        weights = shell_weights(first, density)
        more = resample(first, weights, first.shape[1], generator)
        waves = self._waves(centres, torch.cat([first, more], dim=1))
        around = self.encoding(centres)[:, None].expand_as(waves)
        values = self.model.network(waves)[..., 0].float()
        mean = weighted_mean(values, self.kernel(waves, around)[..., 0].float())
        return {
            "data": mse_loss(mean, target),
            "coarse": mse_loss((weights * brightness).sum(-1), target),
        }

    def held_out(self) -> float:
        """Return the error against the target, in standard deviations of the noise."""
        with torch.no_grad():
            error = (
                self.model.brightness(self.looked_at.float()) - self.target[tuple(self.looked_at.T)]
            )
        return math.sqrt(float((error.cpu().double() ** 2).mean())) / max(self.noise, 1e-12)

    def preview(self, request: PreviewRequest) -> Image:
        """Return a plane at full resolution or the volume at a coarser step, in grey levels."""
        part = requested_part(self.prepared.image, request)
        return with_place(self.prepared.image, part, self.model(part)[0])

    def render(self) -> tuple[Image, ...]:
        """Return the result and what was taken away, float32, in the units of the input.

        The method has no model of the background: the second image is the input less the result,
        not below 0, noise included. For dark structures it is the sum of both.
        """
        (signal,) = self.model([slice(0, size) for size in self.shape])
        source = self.prepared.image
        if self.prepared.sign < 0 and self.config.background == "subtract":
            removed = (source.array() + signal).astype(np.float32)
        else:
            removed = np.maximum(source.array() - signal, 0).astype(np.float32)
        return (
            source.like(signal, name=f"{source.name} denoised"),
            source.like(removed, name=f"{source.name} background"),
        )

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the weights of the model by name, on the CPU."""
        return self.model.tensors()

    def model_settings(self) -> dict[str, Any]:
        """Return shape and settings of the model."""
        return self.model.settings()

    def facts(self) -> dict[str, Any]:
        """Return the noise in grey levels, and what users should know."""
        warnings = [KEPT_BACKGROUND] if self.config.background == "keep" else []
        if self._device.type == "cpu":
            config = self.config.replace(device="cpu")
            warnings += filter(None, [config.cost_warning(self.prepared.image.sizes)])
        return {"noise": asdict(self.prepared.noise), "warnings": warnings}

    def _waves(self, centres: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Return the encoded points of cells that reach one voxel to each side."""
        waves: torch.Tensor = self.encoding(centres[:, None] + offsets * self.reach)
        return waves

    def _at(self, network: SkipMLP, centres: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        values: torch.Tensor = network(self._waves(centres, offsets)).float()
        return values

    def _patch(self, step: int) -> tuple[slice, ...]:
        """Return a random block with about as many voxels as a batch."""
        side = max(2, round(self.config.batch ** (1 / len(self.shape))))
        lengths = [min(side, size) for size in self.shape]
        return random_block(self.shape, lengths, random_of_step(self.config.seed, step))


def absolute_variation(values: torch.Tensor, steps: Sequence[float]) -> torch.Tensor:
    """Return the mean of the absolute slopes along all axes, added up; a scalar.

    Zhao et al., "CellINR", eq. 12, along all axes and as a mean instead of a sum, because the
    weight of a sum would depend on the size of the patch.

    Parameters
    ----------
    values
        A dense patch, any axes, without unit.
    steps
        Voxel size along each axis in voxels of the last one: slopes are taken per length.
    """
    total = values.new_zeros(())
    for axis, (size, step) in enumerate(zip(values.shape, steps, strict=True)):
        if size > 1:
            total = total + torch.diff(values, dim=axis).abs().mean() / step
    return total
