"""SpatimeINR as published, changed where it cannot work as printed: preset `paper`.

A residual network describes every place by a latent code, with the frames as channels; a second
network makes brightness and density of a place, a time and the code of the place; a voxel is a
mean over 16 points of its cell in space and time. Changes: the weights of the points add up to
1 (eq. 8 as printed is not bounded, and vanishes at inference), the points lie evenly around the
centre and by the same law in training and inference, codes are interpolated instead of those of
the nearest voxel, and the encoding has no octave that the samples cannot carry.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional
from torch.nn.functional import mse_loss

from napari_cellinr.fitting.draws import random_block, random_of_step
from napari_cellinr.fitting.previews import requested_part, with_place
from napari_cellinr.fitting.problem import Problem, Schedule
from napari_cellinr.methods.spatime.model import published_model, published_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.fields.hypercube import PaperField
    from napari_cellinr.fitting.problem import PreviewRequest
    from napari_cellinr.image import Image

    Floats = NDArray[np.float32]

__all__ = ["PublishedSeries", "PublishedSpatimeProblem", "levels_of"]

WEIGHT_DECAY = 1e-6
"""Of Adam, as in the paper."""

FINAL_RATE = 0.01
"""Learning rate of the last step as a part of the first: 2e-5 of 2e-3, as in the paper."""

LOOK = 50
"""Steps between two looks at the held-out error."""

LOOK_VOXELS = 2048
"""Largest number of held-out samples that are looked at."""

HELD_PART = 0.02
"""Part of the voxels that no step learns from."""

CROP = 32
"""Voxels along each axis of the part that one step sees: bounds the memory of the encoder."""

CYCLE_PART = 8
"""One of so many samples of a step is rendered finer and averaged again."""

FACTORS = (2.0, 5.0)
"""Factors by which copies of the series are coarser, besides 2 (section 4.1)."""

CHUNK = 1 << 15
"""Places that are rendered at once."""


class PublishedSpatimeProblem(Problem):
    """A series, and the networks that learn it from coarser copies of itself.

    In every other step the encoder sees the series with frames left out or voxels averaged, by a
    factor of 2 or one drawn from 2 to 5, and the target is the series as it is (section 4.1: pairs
    by down-sampling); a frame that is left out is a blend of the others for the encoder, so that
    the channels stay what they are. In the other steps the encoder sees the series itself.

    Parameters
    ----------
    source
        The image, for its axes and calibration.
    frames
        One channel of it, (T, *space), grey levels, float32.
    config
        The settings.
    device
        Where to compute.
    """

    def __init__(
        self, source: Image, frames: Floats, config: SpatimeConfig, device: torch.device
    ) -> None:
        self.source = source
        self.config = config
        self._device = device
        levels = levels_of(frames)
        given = np.ascontiguousarray(frames, np.float32)
        frames = (given - np.float32(levels[0])) / np.float32(levels[1])
        self.frames = torch.from_numpy(np.asarray(frames, np.float32)).to(device)
        with torch.random.fork_rng(devices=[]):  # the first weights of the encoder
            torch.manual_seed(config.seed)
            self.field = published_model(frames.shape, config.rendering, **sizes_of(config))
        self.series = PublishedSeries(given, levels, self.field, device)
        random = np.random.default_rng(config.seed)
        self.held = torch.from_numpy(random.random(frames.shape) < HELD_PART).to(device)
        self.cell = torch.ones(frames.ndim, device=device)

    @property
    def device(self) -> torch.device:
        """The device that the networks live on."""
        return self._device

    def schedule(self) -> Schedule:
        """Return the decay of the learning rate to its last value; nothing is averaged."""
        return Schedule(FINAL_RATE, LOOK)

    def param_groups(self) -> list[dict[str, Any]]:
        """Return the weights of both networks, which are learnt together."""
        rate = self.config.learning_rate
        parameters = list(self.field.parameters())
        return [{"params": parameters, "lr": rate, "weight_decay": WEIGHT_DECAY}]

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the losses on random samples of a part of the series, in squares of its range.

        Every fourth step is with frames left out, every fourth one with voxels averaged.
        """
        random = random_of_step(self.config.seed, step)
        part = self._part(random)
        seen, pace = self._coarser(self.frames[part], step, random)
        codes, corner = self.field.codes(seen), self._corner(part, pace)
        samples = self._samples(part, generator)
        values = self.frames[tuple(samples.T)]
        centres = samples.float()
        found = self.field(centres, self.cell, codes, corner, generator)
        losses = {"data": mse_loss(found, values)}
        if self.config.cycle > 0:
            few = slice(0, max(1, len(samples) // CYCLE_PART))
            means = self._means_of_finer(centres[few], codes, corner, generator)
            losses["cycle"] = self.config.cycle * mse_loss(means, values[few])
        return losses

    def _means_of_finer(
        self,
        centres: torch.Tensor,
        codes: torch.Tensor | None,
        corner: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Return means over the cells of a result twice as fine in time and space (eq. 11, 12)."""
        n_axes = centres.shape[1]
        sizes = [len(self.frames), *[2] * (n_axes - 1)]
        width = 0.5 if sizes[0] > 1 else 1.0
        halves = [torch.tensor([-0.25, 0.25]) if n > 1 else torch.zeros(1) for n in sizes]
        inside = torch.cartesian_prod(*halves).to(centres)
        finer = (centres[:, None] + inside).reshape(-1, n_axes)
        cell = self.cell * torch.tensor([width, *[0.5] * (n_axes - 1)], device=self._device)
        found: torch.Tensor = self.field(finer, cell, codes, corner, generator)
        return found.reshape(len(centres), -1).mean(1)

    def held_out(self) -> float:
        """Return the error on held-out voxels of frames that the encoder does not see."""
        with torch.no_grad():
            part = tuple(slice(0, min(n, 2 * CROP)) for n in self.frames.shape[1:])
            part = (slice(None), *part)
            seen = _thinned(self.frames[part], 2, 0)
            codes, corner = self.field.codes(seen), self._corner(part, [1.0] * (len(part) - 1))
            samples = torch.argwhere(self.held[part])
            if len(seen) > 2:
                samples = samples[samples[:, 0] % 2 == 1]
            samples = samples[:: len(samples) // LOOK_VOXELS + 1]
            if len(samples) == 0:
                return 0.0
            found = self.field(samples.float(), self.cell, codes, corner)
            return math.sqrt(float(mse_loss(found, self.frames[part][tuple(samples.T)])))

    def preview(self, request: PreviewRequest) -> Image:
        """Return a plane, or the whole at a coarser step, on the grid of the input."""
        part = requested_part(self.source, request)
        return with_place(self.source, part, self._values(part))

    def render(self) -> tuple[Image, ...]:
        """Return the series on the grid of the input, as it is learnt, in grey levels."""
        part = tuple(slice(0, size) for size in self.source.shape)
        return (self.source.like(self._values(part)),)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the weights of both networks, on the CPU."""
        weights = self.field.state_dict()
        return {name: value.detach().cpu().clone() for name, value in weights.items()}

    def _values(self, part: tuple[slice, ...]) -> Floats:
        """Return the brightness of a part of the source, grey levels; the same in all channels."""
        axes = self.source.axes
        pieces = dict(zip(axes, part, strict=True))
        sizes = self.source.sizes
        places = [
            np.arange(*pieces[a].indices(sizes[a]), dtype=np.float64) for a in axes if a in "ZYX"
        ]
        times = range(*pieces["T"].indices(sizes["T"])) if "T" in axes else [0]
        made = np.stack([self.series.at(t, places, [1.0] * len(places)) for t in times])
        if "C" in axes:
            count = len(range(*pieces["C"].indices(sizes["C"])))
            made = np.repeat(made[:, None], count, axis=1)
        return made if "T" in axes else made[0]

    def _part(self, random: np.random.Generator) -> tuple[slice, ...]:
        """Return all frames of a random block."""
        shape = self.frames.shape[1:]
        return (slice(None), *random_block(shape, [min(CROP, size) for size in shape], random))

    def _coarser(
        self, frames: torch.Tensor, step: int, random: np.random.Generator
    ) -> tuple[torch.Tensor, list[float]]:
        """Return what the encoder sees, and the voxels per code along each axis of space."""
        kind = step % 4
        factor = 2.0 if step % 8 < 4 else float(random.uniform(*FACTORS))
        if kind == 1 and len(frames) > 2:
            step_kept = round(factor)
            frames = _thinned(frames, step_kept, int(random.integers(step_kept)))
        elif kind == 3 and min(frames.shape[1:]) >= 8:
            return _averaged(frames, factor)
        return frames, [1.0] * (frames.ndim - 1)

    def _corner(self, part: tuple[slice, ...], paces: list[float]) -> torch.Tensor:
        first = [float(piece.start or 0) for piece in part[1:]]
        return torch.tensor([first, paces], device=self._device)

    def _samples(self, part: tuple[slice, ...], generator: torch.Generator) -> torch.Tensor:
        """Return frame and voxel of random samples that are not held out, shape (n, 1 + axes)."""
        columns = []
        for size, piece in zip(self.frames.shape, part, strict=True):
            start, stop, _ = piece.indices(size)
            drawn = torch.randint(
                start, stop, (self.config.batch,), generator=generator, device=self._device
            )
            columns.append(drawn)
        samples = torch.stack(columns, -1)
        free = samples[~self.held[tuple(samples.T)]]
        return free if len(free) else samples


def levels_of(frames: Floats) -> tuple[float, float]:
    """Return the grey level that counts as 0, and the grey levels from 0 to 1."""
    low, high = (float(v) for v in np.percentile(frames, (0.1, 99.9)))
    return low, max(high - low, 1e-6 * max(float(np.ptp(frames)), 1e-9))


def sizes_of(config: SpatimeConfig) -> dict[str, int]:
    """Return the size of the networks, by field of `Sizes`; the encoder follows the decoder."""
    groups, blocks = (3, 4) if config.neurons >= 128 else (1, 2)
    return {
        "latent": config.latent,
        "neurons": config.neurons,
        "width": max(8, config.neurons // 8),
        "groups": groups,
        "blocks": blocks,
    }


def _thinned(frames: torch.Tensor, step: int, phase: int) -> torch.Tensor:
    """Return frames of which all but every `step`-th, and both ends, are blends of those."""
    last = len(frames) - 1
    kept = sorted({0, last, *range(phase, last, step)})
    result = frames.clone()
    for first, second in itertools.pairwise(kept):
        for i in range(first + 1, second):
            part = (i - first) / (second - first)
            result[i] = (1 - part) * frames[first] + part * frames[second]
    return result


def _averaged(frames: torch.Tensor, factor: float) -> tuple[torch.Tensor, list[float]]:
    """Return means over cells in space, and the voxels per cell along each axis."""
    sizes = [max(3, round(n / factor)) for n in frames.shape[1:]]
    means = functional.interpolate(frames[None], size=sizes, mode="area")[0]
    return means, [n / size for n, size in zip(frames.shape[1:], sizes, strict=True)]


class PublishedSeries:
    """A fitted series of the preset `paper`: any cell of any time can be rendered.

    Parameters
    ----------
    frames
        Grey levels, (T, *space), float32.
    levels
        The grey level that counts as 0, and the grey levels from 0 to 1.
    field
        The networks.
    device
        Where to compute.
    """

    def __init__(
        self,
        frames: Floats,
        levels: tuple[float, float],
        field: PaperField,
        device: torch.device,
    ) -> None:
        self.frames = frames
        self.levels = levels
        self.field = field.to(device)
        self.device = device
        self._codes: torch.Tensor | None = None
        self._settled = False

    def settle(self) -> None:
        """Note that the fit has ended, so that the codes of all places are computed only once."""
        self._settled = True

    def at(
        self, time: float, places: Sequence[NDArray[np.float64]], cells: Sequence[float]
    ) -> Floats:
        """Return the brightness at a time on a grid.

        Parameters
        ----------
        time
            In frames.
        places
            Voxel coordinates along each axis of space.
        cells
            Width of a cell along each of them, in voxels.

        Returns
        -------
        numpy.ndarray
            (*places), float32, grey levels.
        """
        low, span = self.levels
        with torch.no_grad():
            codes = self._codes_of_all()
            cell = torch.tensor([1.0, *cells], device=self.device)
            axes = [torch.from_numpy(np.asarray(p, np.float32)).to(self.device) for p in places]
            grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2)
            when = torch.full((len(grid), 1), float(time), device=self.device)
            corner = torch.zeros(2, len(axes), device=self.device)
            corner[1] = 1
            found = [
                self.field(torch.cat([w, p], 1), cell, codes, corner).cpu()
                for w, p in zip(torch.split(when, CHUNK), torch.split(grid, CHUNK), strict=True)
            ]
        values = torch.cat(found).numpy().reshape([len(p) for p in places])
        return np.asarray(low + span * values, np.float32)

    def _codes_of_all(self) -> torch.Tensor | None:
        """Return the latent codes of the whole series, if it has any."""
        low, span = self.levels
        if self._codes is not None:
            return self._codes
        scaled = torch.from_numpy((self.frames - low) / span).float()
        codes = self.field.codes(scaled.to(self.device))
        if self._settled:
            self._codes = codes
        return codes

    def settings(self) -> dict[str, Any]:
        """Return shape and settings, as `methods.spatime.model` describes them."""
        return {"published": published_settings(self.field), "levels": list(self.levels)}

    def tensors(self, prefix: str) -> dict[str, torch.Tensor]:
        """Return frames and weights of the networks on the CPU, by name after a prefix."""
        found = {f"paper.{name}": value for name, value in self.field.state_dict().items()}
        found["frames"] = torch.from_numpy(np.ascontiguousarray(self.frames))
        return {f"{prefix}{k}": v.detach().cpu().contiguous() for k, v in found.items()}

    @classmethod
    def restored(
        cls, tensors: Mapping[str, NDArray[Any]], settings: Mapping[str, Any], device: torch.device
    ) -> PublishedSeries:
        """Return the series that tensors and settings were made of.

        Parameters
        ----------
        tensors
            As `tensors` returns them with an empty prefix, as NumPy arrays.
        settings
            As `settings` returns them.
        device
            Where to compute.
        """
        field = published_model(**settings["published"])
        weights = {
            k.removeprefix("paper."): torch.from_numpy(np.array(v))
            for k, v in tensors.items()
            if k.startswith("paper.")
        }
        field.load_state_dict(weights)
        low, span = settings["levels"]
        made = cls(np.asarray(tensors["frames"], np.float32), (low, span), field, device)
        made.settle()
        return made
