"""CellINR as an optimisation problem: the loss by which kernels and background are fitted."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.classic.camera.anscombe import unstabilise
from napari_cellinr.fields.grids.nodes import block_lengths, blocks
from napari_cellinr.fields.grids.positions import coordinates
from napari_cellinr.fitting.previews import requested_part, with_place
from napari_cellinr.fitting.problem import Problem
from napari_cellinr.methods.cellinr.model import CellINRModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.problem import PreviewRequest
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.field.fitted import FittedField
    from napari_cellinr.methods.cellinr.initial.background import Separated
    from napari_cellinr.methods.cellinr.initial.kernels import Kernels

__all__ = ["CellINRProblem", "Prepared"]

PATCH_VOXELS = 300_000
"""Voxels of one step; smaller images are taken whole."""

LEAST_EXCESS = 0.25
"""Squared error of an estimate, in variances of the noise, below which the voxel adds nothing."""

FEWEST_HELD = 100
"""Held-out voxels below which their errors are not told apart by brightness."""

RENDER_VOXELS = 300_000
"""Voxels that are evaluated at once."""


@dataclass(frozen=True)
class Prepared:
    """What is known of an image before the optimisation; arrays of axes ZYX or YX.

    Parameters
    ----------
    image
        One frame of one channel.
    values
        Stabilised grey levels, float32, in standard deviations of the noise.
    held
        Which voxels are held out, bool.
    estimate
        The initial estimate of the stabilised grey levels, float32.
    kernels
        Least-squares kernels, from which the optimisation starts.
    separated
        Background, and amplification of the signal.
    structure
        Confidence that a voxel belongs to a structure, 0 to 1, float32.
    noise
        The noise in grey levels.
    can_improve
        Whether kernels are to be optimised.
    complete
        False if the user stopped the preparation.
    n_odd
        Number of hot and dead pixels that were replaced.
    warnings
        What else users should know, in sentences.
    fitted
        The network, and what it adds to the estimate.
    error
        Standard error of the estimate of a frame of a series, float32, in standard deviations of
        the noise; without a network only.
    """

    image: Image
    values: NDArray[np.float32]
    held: NDArray[np.bool_]
    estimate: NDArray[np.float32]
    kernels: Kernels
    separated: Separated
    structure: NDArray[np.float32]
    noise: Noise
    can_improve: bool = True
    complete: bool = True
    n_odd: int = 0
    warnings: tuple[str, ...] = ()
    fitted: FittedField | None = None
    error: NDArray[np.float32] | None = None


class CellINRProblem(Problem):
    """The model, and what it has to explain.

    The loss is an unbiased estimate of the squared error (Stein 1981): the squared distance from
    the data, plus twice the part of the noise that the result follows. Without that part, the
    model would learn the noise.

    Parameters
    ----------
    prepared
        What is known of the image.
    config
        The settings.
    device
        Where to compute.

    Attributes
    ----------
    model : CellINRModel
        What is fitted.
    """

    def __init__(self, prepared: Prepared, config: CellINRConfig, device: torch.device) -> None:
        self.prepared = prepared
        self.config = config
        self._device = device
        self.shape = prepared.values.shape
        self.model = model_of(prepared, config, device)
        self.values = torch.from_numpy(prepared.values).to(device)
        self.seen = torch.from_numpy(~prepared.held).to(device, torch.float32)
        self.sensitivity = torch.from_numpy(prepared.kernels.sensitivity).to(device)
        self.held_points = torch.from_numpy(np.argwhere(prepared.held)).to(device)
        self.held_values = self.values[tuple(self.held_points.T)]
        self.off_structure = torch.from_numpy(1 - prepared.structure).to(device)
        self.grey = float(prepared.noise.sd(float(np.mean(prepared.separated.background))))

    @property
    def device(self) -> torch.device:
        """The device that the model is on."""
        return self._device

    @property
    def can_improve(self) -> bool:
        """Whether there are kernels to be optimised; not if the user stopped the preparation."""
        return self.prepared.can_improve

    @property
    def is_settled(self) -> bool:
        """Whether the held-out voxels confirm no kernels: then they stay as they are."""
        return self.prepared.kernels.trust == 0

    def param_groups(self) -> list[dict[str, Any]]:
        """Return the kernels, and the background with a rate in standard deviations of the noise.

        The less the held-out voxels confirm the estimate of the error, the slower the kernels go.
        """
        rate, trust = self.config.learning_rate, self.prepared.kernels.trust
        return [
            {"params": list(self.model.kernels.parameters()), "lr": rate * trust},
            {"params": list(self.model.background.parameters()), "lr": rate * self.grey},
        ]

    def transferable(self) -> list[list[torch.Tensor]]:
        """Return the kernels; the background is that of one image."""
        return [list(self.model.kernels.parameters())]

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the losses on one dense patch, in variances of the noise.

        `data` is Stein's estimate of the squared error; `variation` is there if it has a weight.
        """
        patch = self._patch(generator)
        stabilised = self.model.stabilised(patch)
        data = ((stabilised - self.values[patch]) ** 2 * self.seen[patch]).mean()
        losses = {"data": data + 2 * self._follows_noise(patch)}
        if self.config.total_variation > 0:
            losses["variation"] = self.config.total_variation * total_variation(stabilised)
        losses["background"] = self._background_loss(stabilised.detach(), patch)
        return losses

    def _follows_noise(self, patch: tuple[slice, ...]) -> torch.Tensor:
        """Return the mean part of the noise that the result follows on a patch."""
        strides = self.model.kernels.weights.strides[0]
        counts = self.sensitivity.shape[1:]
        nodes = [
            torch.arange(part.start // step, max(part.start // step + 1, part.stop // step))
            for part, step in zip(patch, strides, strict=True)
        ]
        inside = [node.clamp(max=count - 1) for node, count in zip(nodes, counts, strict=True)]
        sensitivity = self.sensitivity
        for axis, node in enumerate(inside, start=1):
            sensitivity = sensitivity.index_select(axis, node.to(self._device))
        centres = [
            ((node + 0.5) * step - 0.5).to(self._device)
            for node, step in zip(inside, strides, strict=True)
        ]
        part: torch.Tensor = (self.model.kernels.weights(centres) * sensitivity).sum(0).mean()
        return part

    def _background_loss(self, stabilised: torch.Tensor, patch: tuple[slice, ...]) -> torch.Tensor:
        """Return how badly the background explains what belongs to no structure.

        There it should equal the image; nowhere should it lie above it.
        """
        background = self.model.background(coordinates(patch, self.shape, self._device))[0]
        excess = self.model.sign * (self._grey_levels(stabilised) - background) / self.grey
        off = self.off_structure[patch]
        above = torch.nn.functional.relu(-excess)
        fit = torch.nn.functional.huber_loss(excess * off, torch.zeros_like(off), delta=0.5)
        return 0.1 * (fit + (above**2).mean())

    def held_out(self) -> float:
        """Return the error on the held-out voxels, in standard deviations of the noise."""
        with torch.no_grad():
            error = self.model.stabilised_at(self.held_points) - self.held_values
        return math.sqrt(float((error.cpu().double() ** 2).mean()))  # MPS has no float64

    @torch.no_grad()
    def put_held_out_back(self) -> None:
        """Let the held-out voxels take part in the result where they say more than their estimate.

        Where the estimate of a held-out voxel has a squared error of s² noise variances, the mean
        of both with the smallest error gives the recorded value the weight s² / (s² + 1). That is
        next to nothing at low light, and nearly all at many photons, where neighbours predict a
        voxel far worse than the voxel itself. It is done for each third of brightness.
        """
        if not len(self.held_points):
            return
        found = self.model.stabilised_at(self.held_points)
        missing = (self.held_values - found).cpu().numpy()
        brightness = found.cpu().numpy()
        third = np.digitize(brightness, np.quantile(brightness, (1 / 3, 2 / 3)))
        change = np.zeros_like(missing)
        for number in range(3):
            own = third == number
            excess = float((missing[own] ** 2).mean()) - 1 if own.any() else 0.0
            if excess > LEAST_EXCESS:
                change[own] = missing[own] * (excess / (excess + 1))
        if change.any():
            estimate = self.model.estimate.copy()
            estimate[tuple(self.held_points.cpu().numpy().T)] += change
            self.model.estimate = estimate
            self.model.basis = None

    def preview(self, request: PreviewRequest) -> Image:
        """Return a plane at full resolution or the volume at a coarser step, in grey levels."""
        source = self.prepared.image
        part = requested_part(source, request)
        return with_place(source, part, self.model(part)[0])

    def render(self) -> tuple[Image, ...]:
        """Return result, background and the other image, float32, in the units of the input.

        The other image is the signal alone if the result holds the background, and signal and
        background together if it does not.
        """
        n_images = 3 if self.model.error is None else 4
        images = tuple(np.empty(self.shape, np.float32) for _ in range(n_images))
        for block in blocks(self.shape, RENDER_VOXELS):
            for image, values in zip(images, self.model(block), strict=True):
                image[block] = values
        source, keeps = self.prepared.image, self.config.background == "keep"
        other = "signal" if keeps else "with background"
        names = ("denoised", "background", other, "standard error")
        return tuple(
            source.like(values, name=f"{source.name} {name}")
            for values, name in zip(images, names, strict=False)
        )

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the arrays of the model by name, on the CPU."""
        return self.model.tensors()

    def model_settings(self) -> dict[str, Any]:
        """Return shape and settings of the model."""
        return self.model.settings()

    def facts(self) -> dict[str, Any]:
        """Return the noise that was found, in grey levels, and what users should know."""
        odd = self.prepared.n_odd
        pixels = "pixel was" if odd == 1 else "pixels were"
        replaced = [f"{odd} hot or dead {pixels} replaced."] if odd else []
        fitted = self.prepared.fitted
        late = [] if fitted is None else fitted.warnings
        facts = {
            "warnings": [*replaced, *self._grain_text(), *self.prepared.warnings, *late],
            "noise": asdict(self.prepared.noise),
            "residual": self._residual(),
            "held_out_range": self._held_out_range(),
        }
        return facts if fitted is None else {**facts, "field": fitted.facts()}

    def _grain_text(self) -> list[str]:
        """Return what to say of noise with a grain that was estimated, which texture may be."""
        grain = self.prepared.noise.grain
        if not grain or self.config.grain is not None:
            return []
        return [
            f"The noise looks grainy ({grain:.2g} voxels), as after filtering or resizing, and was "
            "smoothed. Fine texture in much light looks the same: if the image was neither "
            "filtered nor resized, set grain=0 (--set grain=0)."
        ]

    @torch.no_grad()
    def _residual(self) -> float:
        """Return the distance of the result from the image, in standard deviations of the noise."""
        total = 0.0
        for block in blocks(self.shape, RENDER_VOXELS):
            left = self.model.stabilised(block).cpu().numpy() - self.prepared.values[block]
            total += float((left.astype(np.float64) ** 2).sum())
        return math.sqrt(total / math.prod(self.shape))

    def _held_out_range(self) -> list[float]:
        """Return the least and the greatest held-out error at any brightness, in tenths of it.

        At many photons, neighbours predict a voxel badly where it is bright, but not where it is
        dark: only noise that was estimated wrong is wrong everywhere. These errors are those of the
        initial estimate, in which no held-out voxel takes part. Few voxels say nothing: empty.
        """
        brightness = self.prepared.estimate[self.prepared.held].astype(np.float64)
        if brightness.size < FEWEST_HELD:
            return []
        squares = (self.prepared.values[self.prepared.held] - brightness) ** 2
        tenth = np.digitize(brightness, np.quantile(brightness, np.arange(0.1, 1, 0.1)))
        means = [squares[tenth == number].mean() for number in np.unique(tenth)]
        return [math.sqrt(min(means)), math.sqrt(max(means))]

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

    def _grey_levels(self, stabilised: torch.Tensor) -> torch.Tensor:
        return unstabilise(stabilised, self.prepared.noise)


def model_of(prepared: Prepared, config: CellINRConfig, device: torch.device) -> CellINRModel:
    """Return the model from which the optimisation starts.

    Parameters
    ----------
    prepared
        What is known of the image.
    config
        The settings, of which `background` and `dark` are used.
    device
        Where to compute.
    """
    kernels, separated = prepared.kernels, prepared.separated
    model = CellINRModel(
        prepared.values.shape,
        kernels.stride,
        separated.stride,
        len(kernels.basis),
        kernels.centre,
        asdict(prepared.noise),
        config.background,
        dark=config.dark,
        field=None if prepared.fitted is None else prepared.fitted.field.settings(),
    ).to(device)
    kernels.load_into(model.kernels)
    model.hold_basis(kernels.basis)
    model.background.grids[0].data.copy_(torch.from_numpy(separated.background)[None])
    model.estimate, model.amplification = prepared.estimate, separated.amplification
    model.error = prepared.error
    if prepared.fitted is not None:
        prepared.fitted.load_into(model)
    return model


def total_variation(values: torch.Tensor) -> torch.Tensor:
    """Return the mean length of the gradient per voxel, of values of axes ZYX or YX."""
    squares = torch.zeros_like(values)
    for axis, size in enumerate(values.shape):
        if size > 1:
            slope = torch.diff(values, dim=axis)
            inside = [slice(None)] * values.ndim
            inside[axis] = slice(0, size - 1)
            squares[tuple(inside)] = squares[tuple(inside)] + slope**2
    return torch.sqrt(squares + 1e-6).mean()
