"""Motion between frames: paths of every place, fitted to up to four frames at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.fields.trajectory import (
    control_size,
    on_lattice,
    values_at,
)
from napari_cellinr.fitting.problem import Problem, Schedule
from napari_cellinr.methods.spatime.between.flow import coarser, coarser_size
from napari_cellinr.methods.spatime.between.window import SPACING, Window
from napari_cellinr.methods.spatime.model import MotionModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.methods.spatime.between.places import Places
    from napari_cellinr.methods.spatime.between.window import Lattice

__all__ = [
    "EVERY",
    "MotionProblem",
    "MotionSettings",
    "motion_from",
    "motion_problems",
    "motion_settings",
    "progress_steps",
    "rough_settings",
]

EVERY = 2
"""Optimisation steps that count as one step of the job, next to which a frame is rendered."""

FINAL_RATE = 0.1
"""Learning rate at the end of a level as a part of the first."""

OUTER = 0.3
"""Weight of the pairs of frames beside the interval; that of the interval itself is 1."""

_TEST_STEPS = (15, 15)  # at each level, to predict held-out frames
_TEST_SMOOTH = 0.02  # the same weight is stiffer there: control points are twice as far apart

LEAST_CONTRAST = 1e-3
"""Least contrast of whole frames relative to that of a part: with less, gradients overflow."""

SOFT = 0.01
"""Square of the difference, in standard deviations of the image, below which squares count."""


@dataclass(frozen=True)
class MotionSettings:
    """How motion is fitted.

    Parameters
    ----------
    steps
        Optimisation steps at each level, coarse to fine.
    levels
        How many times coarser the images of each level are.
    spacing
        Distance of control points in voxels of the level.
    smooth
        Weight of differences between neighbouring control points.
    rate
        Step size of Adam at the finest level, in voxels.
    blur
        Standard deviation of the Gaussian filter of the images that are compared, in voxels.
    batch
        Places that are compared in one step.
    """

    steps: tuple[int, ...] = (20, 30)
    levels: tuple[int, ...] = (2, 1)
    spacing: float = 4.0
    smooth: float = 0.1
    rate: float = 0.15
    blur: float = 0.5
    batch: int = 8_000


def motion_settings(config: SpatimeConfig, n_axes: int) -> MotionSettings:
    """Return how motion is fitted with some settings.

    Parameters
    ----------
    config
        `refinement` is used.
    n_axes
        Spatial axes: 2 or 3.
    """
    usual = MotionSettings()
    steps = tuple(max(5, round(n * config.refinement)) for n in usual.steps)
    return replace(usual, steps=steps, batch=8_000 if n_axes == 3 else 5_000)


def rough_settings(config: SpatimeConfig) -> MotionSettings:
    """Return how motion is fitted to predict held-out frames: without the finest level.

    Parameters
    ----------
    config
        `refinement` is used.
    """
    steps = tuple(max(5, round(n * config.refinement)) for n in _TEST_STEPS)
    return MotionSettings(steps=steps, levels=(4, 2), batch=4_000, smooth=_TEST_SMOOTH)


def progress_steps(settings: MotionSettings) -> int:
    """Return how many steps of the job the motion of one interval counts."""
    return sum(n // EVERY for n in settings.steps) + 1


class MotionProblem(Problem):
    """The motion of one interval at one resolution.

    The same material shall look the same in all frames: the loss is a robust difference of
    neighbouring frames along the paths of some places, that of the interval itself with the
    largest weight, and a penalty on coefficients that vary between control points.

    Parameters
    ----------
    model
        Changed in place.
    images
        The frames at this resolution, (frames, *size), float32, about 0 to 1.
    times
        Time of each, in frames from the middle of the interval.
    settings
        How motion is fitted.
    level
        Number of the level in the settings.
    places
        Where the frames are compared.
    smooth
        Weight of the frames beyond the interval, on nodes, (*nodes), float32, 0 to 1; all have
        the full one if not given.
    contrast
        Standard deviation of the whole frames by level, if these are parts of them.
    """

    def __init__(
        self,
        model: MotionModel,
        images: torch.Tensor,
        times: Sequence[float],
        settings: MotionSettings,
        level: int,
        places: Places,
        smooth: torch.Tensor | None = None,
        contrast: Mapping[int, float] | None = None,
    ) -> None:
        self.model = model
        self.settings = settings
        self._images = images
        size = coarser_size(model.lattice.whole, settings.levels[level])
        self._lattice = model.lattice.with_counts(size)
        self._level = level
        self._places = places
        device, terms = images.device, len(model.control)
        moments = torch.tensor(list(times), device=device)
        self._powers = moments[:, None] ** torch.arange(1, terms + 1, device=device)
        weights = [1.0 if time == -0.5 else OUTER for time in times[:-1]]
        self._pair_weights = torch.tensor(weights, device=device)[:, None]
        self._smooth = smooth
        halves = [2 / max(length, 1) for length in reversed(self._lattice.lengths)]
        self._units = torch.tensor(halves, device=device)[:, *[None] * len(halves)]
        own = images.std()
        if contrast is not None:
            own = (own * LEAST_CONTRAST).clamp(min=contrast[settings.levels[level]])
        self._contrast = own.clamp(min=1e-6)

    @property
    def device(self) -> torch.device:
        """The device that the images are on."""
        return self._images.device

    def schedule(self) -> Schedule:
        """Return a linear fall of the rate over the steps of the level, whose last step counts."""
        steps = self.settings.steps[self._level]
        return Schedule(FINAL_RATE, 0, linear=True, warm_up=0, steps=steps, is_stored=False)

    def param_groups(self) -> list[dict[str, Any]]:
        """Return the coefficients of the paths, with a larger rate at coarser levels."""
        rate = self.settings.rate * self.settings.levels[self._level]
        return [{"params": [self.model.control], "lr": rate}]

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the difference of neighbouring frames, and the roughness of the paths.

        Parameters
        ----------
        step
            By which the places move.
        generator
            Not used.

        Returns
        -------
        dict
            `difference` in standard deviations of the images, `roughness` in squared voxels.
        """
        shape, control = self.model.shape, self.model.control
        before = sum(self.settings.steps[: self._level])
        level = self.settings.levels[self._level]
        axes = self._places.axes(step + before, self.settings.batch, shape, level)
        reversed_terms = control.flip(1) * self._units
        at_nodes = self._at_nodes(axes, self.model.lattice)
        paths = on_lattice(reversed_terms.flatten(0, 1), at_nodes)
        grid = _all_places(self._lattice.scaled(axes)).to(self.device)
        grid = grid + (self._powers @ paths.reshape(len(control), -1)).reshape(-1, *grid.shape)
        found = values_at(self._images, grid)
        difference = (found[1:] - found[:-1]) / self._contrast
        weights = self._weights(axes, grid.detach())
        data = (weights * torch.sqrt(difference**2 + SOFT)).sum() / grid.shape[-1]
        rough = control.new_zeros(())
        for axis in range(2, control.ndim):
            if control.shape[axis] > 1:
                rough = rough + self._share(axis - 2) * (torch.diff(control, dim=axis) ** 2).mean()
        if len(control) > 1:
            rough = rough + 2 * self._share() * (control[1:] ** 2).mean()
        data = data * self._places.share(axes, step + before, self.settings.batch, level)
        return {"difference": data, "roughness": self.settings.smooth * rough}

    def _share(self, axis: int | None = None) -> float:
        """Return what part of the control points, or of their pairs along an axis, is here."""
        counts, size = list(self.model.lattice.counts), list(self.model.lattice.size)
        if axis is not None:
            counts[axis], size[axis] = counts[axis] - 1, size[axis] - 1
        return math.prod(size) / math.prod(counts)

    def _weights(self, axes: Sequence[NDArray[np.floating]], grid: torch.Tensor) -> torch.Tensor:
        """Return the weight of each pair of frames at each place, 0 outside, (pairs, places)."""
        inside = (grid.abs().amax(1) <= 1).float()
        weights = self._pair_weights * inside[1:] * inside[:-1]
        if self._smooth is None:
            return weights
        lattice = self.model.lattice
        counts = self._smooth.shape if lattice.is_whole else control_size(lattice.whole, SPACING)
        nodes = lattice.with_counts(counts)
        local = on_lattice(self._smooth[None], self._at_nodes(axes, nodes))
        return torch.where(self._pair_weights < 1, weights * local, weights)

    def _at_nodes(self, axes: Sequence[NDArray[np.floating]], nodes: Lattice) -> list[torch.Tensor]:
        return [one.to(self.device) for one in nodes.weights(axes)]


def _all_places(scaled: Sequence[NDArray[np.floating]]) -> torch.Tensor:
    """Return all places of a lattice as `values_at` takes them, (axes, places), float32."""
    grid = np.empty((len(scaled), *map(len, scaled)), np.float32)
    for number, one in enumerate(scaled):
        grid[-1 - number] = one.reshape(-1, *[1] * (len(scaled) - 1 - number))
    return torch.from_numpy(grid.reshape(len(scaled), -1))


def motion_problems(
    frames: torch.Tensor,
    chosen: Sequence[int],
    interval: int,
    start: torch.Tensor,
    settings: MotionSettings,
    places: Places,
    smooth: torch.Tensor | None = None,
    contrast: Mapping[int, float] | None = None,
    window: Window | None = None,
) -> Iterator[MotionProblem]:
    """Yield the problems of an interval from coarse to fine; each begins where the last ended.

    So each has to be optimised before the next one is taken; the model of the last one is
    the result.

    Parameters
    ----------
    frames
        The frames that the motion is fitted to, (frames, *shape), float32, about 0 to 1.
    chosen
        Their numbers in the series.
    interval
        Number of the frame at which the interval begins.
    start
        Velocities from `path_coefficients`, (axes, *points), float32.
    settings
        How motion is fitted.
    places, smooth, contrast
        As for `MotionProblem`.
    window
        Where the frames lie in whole ones, if they are parts.

    Yields
    ------
    MotionProblem
        One for each level.
    """
    times = [j - interval - 0.5 for j in chosen]
    window = window or Window.of(frames.shape[1:])
    lattice = window.lattice(control_size(window.whole, settings.spacing))
    model = motion_from(start, window.shape, min(2, len(chosen) - 1), lattice)
    for level, coarseness in enumerate(settings.levels):
        images = coarser(frames, coarseness, settings.blur, window)
        size = coarser_size(window.whole, coarseness)
        model = model.with_points(control_size(size, settings.spacing))
        yield MotionProblem(model, images, times, settings, level, places, smooth, contrast)


def motion_from(
    start: torch.Tensor, shape: Sequence[int], terms: int, lattice: Lattice | None = None
) -> MotionModel:
    """Return the motion with constant velocities, without a fit.

    Parameters
    ----------
    start
        Velocities at the control points, (axes, *points), float32.
    shape
        Voxels of a frame along each axis.
    terms
        Degree of the polynomial: 1 or 2.
    lattice
        Where the control points are, if the frame is a part of one.
    """
    model = MotionModel(shape, terms, start.shape[1:], lattice).to(start.device)
    with torch.no_grad():
        model.control[0] = start
    return model
