"""The fit of the network: it learns the errors of an estimate on images whose truth is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.classic.smoothing import as_array, as_tensor
from napari_cellinr.fields.grids.nodes import block_lengths, cubic_blocks
from napari_cellinr.fitting.draws import random_block, random_of_step
from napari_cellinr.fitting.problem import Problem, Schedule
from napari_cellinr.methods.cellinr.model import LAYERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.fitting.problem import PreviewRequest
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.model import ResidualField

__all__ = ["FieldProblem", "Pair", "RealImage", "evaluate", "network_input"]

PATCH_VOXELS = 16_000
"""Voxels of one step."""

BLOCK_VOXELS = 66_000
"""Voxels that are evaluated at once on a CPU: a part of a volume that is learned from, few enough
for the cache; else nearly a cube, since the network needs a margin on all sides."""

GPU_BLOCK_VOXELS = 500_000
"""Voxels that are evaluated at once on a GPU."""

RATE = 4e-3
"""Highest learning rate."""

SCHEDULE = {"decay": 0.05, "every": 50, "warm_up": 20}


@dataclass(frozen=True)
class Pair:
    """What the estimate makes of a synthetic noisy image, and its truth.

    Parameters
    ----------
    inputs
        What `network_input` returned, with its margin.
    target
        Truth minus estimate, shape (Z, Y, X), in standard deviations of the noise.
    residual
        Noisy values minus estimate, axes ZYX, float32, in standard deviations of the noise.
    held
        Which voxels the estimate was made without, axes ZYX, bool.
    """

    inputs: torch.Tensor
    target: torch.Tensor
    residual: NDArray[np.float32]
    held: NDArray[np.bool_]

    @property
    def inner(self) -> torch.Tensor:
        """The views without their margin, shape (view, Z, Y, X)."""
        return self.inputs[..., LAYERS:-LAYERS, LAYERS:-LAYERS]


@dataclass(frozen=True)
class RealImage:
    """The image that is denoised, to judge the network by its held-out voxels.

    Parameters
    ----------
    views
        As in `Part.views`, axes (view, Z, Y, X), float32, in standard deviations of the noise.
    values
        Stabilised values, axes ZYX, float32.
    held
        Which voxels are held out, bool.
    boxes
        The parts in which the held-out error is computed, one slice per axis.
    preview
        Returns a preview for a request, given a function that returns the correction of some
        planes, axes ZYX.
    """

    views: NDArray[np.float32]
    values: NDArray[np.float32]
    held: NDArray[np.bool_]
    boxes: Sequence[tuple[slice, ...]]
    preview: Callable[[Callable[[slice], NDArray[np.float32]], PreviewRequest], Image]


class FieldProblem(Problem):
    """The network, and pairs of views and truth from which it learns.

    Parameters
    ----------
    field
        The network, changed in place.
    pairs
        From which it learns.
    real
        The image that is denoised.
    device
        Where to compute.
    seed
        Of the random patches.
    is_stored
        Whether checkpoints hold the steps, and another fit may give the first parameters.
    """

    def __init__(
        self,
        field: ResidualField,
        pairs: Sequence[Pair],
        real: RealImage,
        device: torch.device,
        *,
        seed: int,
        is_stored: bool,
    ) -> None:
        self._seed = seed
        self.field, self.real, self._device, self._is_stored = field, real, device, is_stored
        self.pairs = pairs
        self.real_input = network_input(real.views, device)

    @property
    def device(self) -> torch.device:
        """The device that the network is on."""
        return self._device

    def param_groups(self) -> list[dict[str, Any]]:
        """Return the weights of the network."""
        return [{"params": list(self.field.parameters()), "lr": RATE}]

    def schedule(self) -> Schedule:
        """Return a falling rate."""
        return Schedule(**SCHEDULE, is_stored=self._is_stored)  # type: ignore[arg-type]

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the losses on a patch of a pair, which is mirrored and transposed at random.

        `correction` is the mean squared error in variances of the noise, `error` the negative
        logarithm of the likelihood of the predicted standard errors.
        """
        random = random_of_step(self._seed, step)
        pair = self.pairs[int(random.integers(len(self.pairs)))]
        patch = self._patch(pair.target.shape, random)
        views, target = pair.inputs[with_margin(patch)], pair.target[patch]
        turned = [axis for axis in (-1, -2, -3) if random.integers(2)]
        views, target = views.flip(turned), target.flip(turned)
        if random.integers(2):
            views, target = views.transpose(-1, -2), target.transpose(-1, -2)
        correction, log_error = self.field(views)
        squared = (correction - target) ** 2
        likelihood = log_error + squared.detach() * torch.exp(-log_error)
        return {"correction": squared.mean(), "error": likelihood.mean()}

    def held_out(self) -> float:
        """Return the error on the held-out voxels, in standard deviations of the noise."""
        errors = []
        for box in self.real.boxes:
            added = evaluate(self.field, self.real_input[with_margin(box)])[0]
            residual = self.real.values[box] - self.real.views[-1][box] - added
            errors.append(residual[self.real.held[box]].astype(np.float64))
        return math.sqrt(float((np.concatenate(errors) ** 2).mean()))

    def correction(self, planes: slice) -> NDArray[np.float32]:
        """Return what the network adds to the estimate of some planes of the image, axes ZYX."""
        return evaluate(self.field, self.real_input, planes)[0]

    def preview(self, request: PreviewRequest) -> Image:
        """Return a preview of the image with the present correction."""
        return self.real.preview(self.correction, request)

    def _patch(self, shape: Sequence[int], random: np.random.Generator) -> tuple[slice, ...]:
        """Return a random block of about `PATCH_VOXELS`, or all of a small image."""
        lengths = tuple(shape)
        if math.prod(shape) > PATCH_VOXELS * 2:
            lengths = tuple(block_lengths(shape, PATCH_VOXELS))
        return random_block(shape, lengths, random)


def network_input(views: NDArray[np.float32], device: torch.device) -> torch.Tensor:
    """Return what the network is given: the views minus the estimate, and the estimate.

    Parameters
    ----------
    views
        Axes (view, Z, Y, X), float32; the last one is the estimate.
    device
        Where the tensor is to be.

    Returns
    -------
    torch.Tensor
        With a margin of `LAYERS` pixels on both sides of Y and X, which repeats the outermost ones.
    """
    values = as_tensor(np.concatenate([views[:-1] - views[-1:], views[-1:]]), device)
    return torch.nn.functional.pad(values, (LAYERS,) * 4, mode="replicate")


def with_margin(box: tuple[slice, ...]) -> tuple[slice, ...]:
    """Return the part of a network input that is needed for a part of the image, of axes ZYX."""
    planes, *others = box
    wide = (slice(part.start, part.stop + 2 * LAYERS) for part in others)
    return (slice(None), planes, *wide)


@torch.no_grad()
def evaluate(
    field: ResidualField, inputs: torch.Tensor, planes: slice = slice(None), *, turned: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return correction and logarithm of the squared error of an image, axes ZYX, block by block.

    Those of some planes are those that they have in the whole.

    Parameters
    ----------
    field
        The network.
    inputs
        What `network_input` returned.
    planes
        Planes to evaluate, one after the other; all of them by default.
    turned
        Whether to take the mean over eight mirrored and transposed images, whose errors differ.
    """
    n_planes, *wide = inputs.shape[1:]
    begin, end, _ = planes.indices(n_planes)
    shape = (max(0, end - begin), *(size - 2 * LAYERS for size in wide))
    images = np.empty(shape, np.float32), np.empty(shape, np.float32)
    if not shape[0]:  # a preview was requested of a plane that there is not
        return images
    is_cpu = inputs.device.type == "cpu"
    for block in cubic_blocks(shape, BLOCK_VOXELS if is_cpu else GPU_BLOCK_VOXELS):
        inside, *others = block
        start, stop = begin + inside.start, begin + inside.stop
        first = max(0, start - LAYERS)
        outer = (slice(first, stop + LAYERS), *others)
        inner = slice(start - first, stop - first)
        views = inputs[with_margin(outer)]
        found = _mean_of_turned(field, views) if turned else field(views)
        for image, values in zip(images, found, strict=True):
            image[block] = as_array(values[inner])
    return images


def _mean_of_turned(field: ResidualField, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean of what a network makes of an image in eight orientations, turned back.

    A volume is mirrored along its three axes, a plane along two, and transposed.
    """
    correction, log_error = field(views)
    is_volume = field.n_planes > 1
    for number in range(1, 8):
        mirrored = [axis for axis in (-1, -2, -3) if number & 2 ** (-1 - axis)]
        swap = not is_volume and -3 in mirrored
        if swap:
            mirrored.remove(-3)
        other = views.flip(mirrored)
        found = field(other.transpose(-1, -2) if swap else other)
        for total, values in zip((correction, log_error), found, strict=True):
            total += (values.transpose(-1, -2) if swap else values).flip(mirrored)
    return correction / 8, log_error / 8
