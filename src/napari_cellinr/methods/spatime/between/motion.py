"""Motion between frames: paths of every place, fitted to up to four frames at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.ndimage import spline_filter

from napari_cellinr.fields.trajectory import (
    control_size,
    mirrored,
    node_weights,
    on_lattice,
    spline_values,
    values_at,
)
from napari_cellinr.fitting.problem import Problem, Schedule
from napari_cellinr.methods.spatime.between.flow import coarser
from napari_cellinr.methods.spatime.model import MotionModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.methods.spatime.between.places import Places

__all__ = [
    "EVERY",
    "MotionProblem",
    "MotionSettings",
    "coefficients",
    "lagrange",
    "motion_from",
    "motion_problems",
    "motion_settings",
    "neighbours",
    "progress_steps",
    "rough_settings",
    "warped",
]

EVERY = 2
"""Optimisation steps that count as one step of the job, next to which a frame is rendered."""

CHUNK = 1 << 18
"""Places that are looked up at once: bounds the memory."""

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


def neighbours(interval: int, n_frames: int) -> list[int]:
    """Return the frames that an interval is fitted to: up to two on either side of it.

    Parameters
    ----------
    interval
        Number of the frame at which it begins.
    n_frames
        Of the series.
    """
    return [j for j in range(interval - 1, interval + 3) if 0 <= j < n_frames]


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
        Standard deviation of the whole frames relative to that of these.
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
        contrast: float = 1.0,
    ) -> None:
        self.model = model
        self.settings = settings
        self._images = images
        self._level = level
        self._places = places
        device, terms = images.device, len(model.control)
        moments = torch.tensor(list(times), device=device)
        self._powers = moments[:, None] ** torch.arange(1, terms + 1, device=device)
        weights = [1.0 if time == -0.5 else OUTER for time in times[:-1]]
        self._pair_weights = torch.tensor(weights, device=device)[:, None]
        self._smooth = smooth
        halves = [2 / max(n - 1, 1) for n in reversed(model.shape)]
        self._units = torch.tensor(halves, device=device)[:, *[None] * len(halves)]
        contrast = max(contrast, LEAST_CONTRAST)
        self._contrast = (contrast * images.std()).clamp(min=1e-6)

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
        axes = self._places.axes(
            step + before, self.settings.batch, shape, self.settings.levels[self._level]
        )
        reversed_terms = control.flip(1) * self._units
        at_nodes = self._at_nodes(axes, control.shape[2:])
        paths = on_lattice(reversed_terms.flatten(0, 1), at_nodes)
        grid = _lattice(axes, shape).to(self.device)
        grid = grid + (self._powers @ paths.reshape(len(control), -1)).reshape(-1, *grid.shape)
        found = values_at(self._images, grid)
        difference = (found[1:] - found[:-1]) / self._contrast
        weights = self._weights(axes, grid.detach())
        data = (weights * torch.sqrt(difference**2 + SOFT)).sum() / grid.shape[-1]
        rough = control.new_zeros(())
        for axis in range(2, control.ndim):
            if control.shape[axis] > 1:
                rough = rough + (torch.diff(control, dim=axis) ** 2).mean()
        if len(control) > 1:
            rough = rough + 2 * (control[1:] ** 2).mean()
        return {"difference": data, "roughness": self.settings.smooth * rough}

    def _weights(self, axes: Sequence[NDArray[np.floating]], grid: torch.Tensor) -> torch.Tensor:
        """Return the weight of each pair of frames at each place, 0 outside, (pairs, places)."""
        inside = (grid.abs().amax(1) <= 1).float()
        weights = self._pair_weights * inside[1:] * inside[:-1]
        if self._smooth is None:
            return weights
        local = on_lattice(self._smooth[None], self._at_nodes(axes, self._smooth.shape))
        return torch.where(self._pair_weights < 1, weights * local, weights)

    def _at_nodes(
        self, axes: Sequence[NDArray[np.floating]], nodes: Sequence[int]
    ) -> list[torch.Tensor]:
        """Return the weights of nodes that span a frame, at the planes of a lattice."""
        return [
            node_weights(places, size, n).to(self.device)
            for places, size, n in zip(axes, self.model.shape, nodes, strict=True)
        ]


def _lattice(axes: Sequence[NDArray[np.floating]], shape: Sequence[int]) -> torch.Tensor:
    """Return all places of a lattice as `values_at` takes them, (axes, places), float32."""
    scaled = [2 * one / max(n - 1, 1) - 1 for one, n in zip(axes, shape, strict=True)]
    grid = np.empty((len(axes), *map(len, axes)), np.float32)
    for number, one in enumerate(scaled):
        grid[-1 - number] = one.reshape(-1, *[1] * (len(axes) - 1 - number))
    return torch.from_numpy(grid.reshape(len(axes), -1))


def motion_problems(
    frames: torch.Tensor,
    chosen: Sequence[int],
    interval: int,
    start: torch.Tensor,
    settings: MotionSettings,
    places: Places,
    smooth: torch.Tensor | None = None,
    contrast: float = 1.0,
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

    Yields
    ------
    MotionProblem
        One for each level.
    """
    times = [j - interval - 0.5 for j in chosen]
    shape = tuple(frames.shape[1:])
    model = motion_from(start, shape, min(2, len(chosen) - 1))
    for level, coarseness in enumerate(settings.levels):
        images = coarser(frames, coarseness, settings.blur)
        model = model.with_points(control_size(images.shape[1:], settings.spacing))
        yield MotionProblem(model, images, times, settings, level, places, smooth, contrast)


def motion_from(start: torch.Tensor, shape: Sequence[int], terms: int) -> MotionModel:
    """Return the motion with constant velocities, without a fit.

    Parameters
    ----------
    start
        Velocities at the control points, (axes, *points), float32.
    shape
        Voxels of a frame along each axis.
    terms
        Degree of the polynomial: 1 or 2.
    """
    model = MotionModel(shape, terms, start.shape[1:]).to(start.device)
    with torch.no_grad():
        model.control[0] = start
    return model


def coefficients(frame: NDArray[np.float32]) -> torch.Tensor:
    """Return the cubic B-spline coefficients of a frame, for `fields.trajectory.spline_values`."""
    return mirrored(torch.from_numpy(spline_filter(frame, 3, output=np.float32, mode="mirror")))


@torch.no_grad()
def warped(
    motion: MotionModel,
    splines: Sequence[torch.Tensor],
    times: Sequence[float],
    when: float,
    places: torch.Tensor,
) -> torch.Tensor:
    """Return the values of some frames on the paths that are at given places at a time.

    Parameters
    ----------
    motion
        Of the interval.
    splines
        B-spline coefficients of each frame, from `coefficients`.
    times
        Time of each, in frames from the middle of the interval.
    when
        The time of the places, in the same unit.
    places
        (places, axes), float32, voxels.

    Returns
    -------
    torch.Tensor
        (frames, places), float32, in the unit of the frames.
    """
    others = torch.tensor(list(times), device=places.device)
    found = []
    for chunk in torch.split(places, CHUNK):
        origins = motion.origins(chunk, when)
        moved = origins + motion(origins, others)
        found.append(
            torch.stack([spline_values(s, p) for s, p in zip(splines, moved, strict=True)])
        )
    return torch.cat(found, 1)


def lagrange(frames: Sequence[int], time: float) -> list[float]:
    """Return one weight per frame, of sum 1, in the polynomial through all of them (Lagrange).

    Parameters
    ----------
    frames
        Their times, all different.
    time
        Where the polynomial is evaluated.
    """
    weights = []
    for one in frames:
        others = [f for f in frames if f != one]
        weights.append(float(np.prod([(time - f) / (one - f) for f in others])))
    return weights
