"""NSTM as an optimisation problem: one scene and its motion, fitted to raw frames.

Cao et al. 2024, "Neural space-time model for dynamic multi-shot imaging", Nature Methods. The
scene is decoded once per step and moved to every time, instead of being decoded anew for every
time; all frames count in every step; early steps work on fewer points.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.checkpoint import checkpoint

from napari_cellinr.fields.pointwise import MANY_POINTS
from napari_cellinr.fields.warp import grid_points, upsample
from napari_cellinr.fitting.problem import Problem, Schedule
from napari_cellinr.fitting.resources.memory import give_back
from napari_cellinr.methods.nstm.checks.parts import part_seen
from napari_cellinr.methods.nstm.extras import Extras
from napari_cellinr.methods.nstm.model import ALL_LEVELS, SpaceTimeModel, coarse_stride, coarser
from napari_cellinr.methods.nstm.penalties import (
    NEGATIVE,
    OBJECTIVE_0_1,
    motion_penalty,
    objective_for,
    scene_penalty,
)
from napari_cellinr.methods.nstm.plan import frame_times
from napari_cellinr.methods.nstm.recording.usable import frame_warnings
from napari_cellinr.methods.nstm.rendering.preview import preview_image
from napari_cellinr.methods.nstm.rendering.render import Rendering

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_cellinr.acquisition import Measurement
    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.fitting.problem import PreviewRequest
    from napari_cellinr.image import Image
    from napari_cellinr.methods.nstm.checks.halves import Halves
    from napari_cellinr.methods.nstm.plan import Plan

__all__ = ["NSTMProblem"]

ANNEALED = 0.8
"""Fraction of the steps after which every level counts fully."""

LIGHT_RATE, MOST_LIGHT_RATE = 2.7, 0.01
"""Learning rate of the pattern of light times the number of steps, and its largest value, in
cycles: if it is higher, phases go wrong while the scene still lacks detail."""

LARGE = 20_000_000
"""Total voxels of all moved scenes above which they are computed twice instead of stored."""


class NSTMProblem(Problem):
    """The space-time model, and the raw frames that it has to explain.

    Parameters
    ----------
    measurement
        Forward model and raw frames.
    plan
        Sizes and rates.
    config
        The settings.
    source
        The image with the raw frames, for calibration and name.
    device
        Where to compute.
    extras
        Which of `EXTRAS` are fitted, too; none if not given.
    recompute
        Whether moved scenes are computed twice instead of stored in memory, whatever their size.

    Attributes
    ----------
    model : SpaceTimeModel
        What is fitted.
    extras : Extras
        The optional parts of it.
    optics : ForwardModel
        The microscope; if the pattern of its light is fitted, too, a copy for this fit.
    part_seen : float
        Part of the pixels that each of the fits sees that check the motion.
    halves, rejected : Halves or None
        Fits to halves of the pixels, which tell the error of the motion, or of a rejected one.
    usual_error : NDArray or None
        That of the motion, (T, [Z,] Y, X) in pixels, once a checked fit is rendered.
    by_flow : bool or None
        Whether several layers began with objects from optical flow; None before that.
    other_error : float or None
        Held-out error in σ of a static image if this one moves, or the reverse, if fitted.
    """

    def __init__(
        self,
        measurement: Measurement,
        plan: Plan,
        config: NSTMConfig,
        source: Image,
        device: torch.device,
        extras: Mapping[str, bool] | None = None,
        *,
        recompute: bool = False,
    ) -> None:
        self.measurement, self.plan, self.config, self.source = measurement, plan, config, source
        self._device = device
        self.optics = measurement.model.to(device)
        if measurement.model.adjustable():
            self.optics = deepcopy(self.optics)
            for values in self.optics.adjustable():
                values.requires_grad = True
        self.model = SpaceTimeModel(plan.shape, width=config.neurons, seed=config.seed).to(device)
        self.frames = torch.from_numpy(measurement.frames).to(device)
        self.times = (plan.times if config.moving else torch.zeros_like(plan.times)).to(device)
        counted = torch.zeros(self.frames.shape, dtype=torch.bool, device=device)
        margins = zip(self.optics.loss_margin, self.frames.shape[1:], strict=True)
        counted[(slice(None), *(slice(m, n - m) for m, n in margins))] = True
        counted &= ~(bad := torch.from_numpy(plan.bad).to(device))
        self.sigmas = torch.from_numpy(plan.noise_map).to(device)
        self.held = torch.from_numpy(plan.held).to(device)
        self.seen = (counted & ~self.held).float()
        size = (len(plan.times), self.optics.channels, *plan.shape.scene)
        self.moments = plan.moments.to(device)
        self.extras = Extras(extras or {}, self.optics, self.frames, self.moments, bad, size)
        self.recompute = recompute
        seen = self.frames[~bad]
        self.objective = objective_for(self.optics, seen, plan.noise, config)
        self.part_seen = part_seen(layers=plan.shape.layers, nonnegative=self.optics.nonnegative)
        self.halves: Halves | None = None
        self.rejected: Halves | None = None
        self.other_error: float | None = None
        self.by_flow: bool | None = None
        self._alpha = ALL_LEVELS
        self._rendered: tuple[Halves | None, tuple[Image, ...]] | None = None
        self.usual_error: NDArray[np.float32] | None = None

    @property
    def device(self) -> torch.device:
        """The device that the parameters live on."""
        return self._device

    def param_groups(self) -> list[dict[str, Any]]:
        """Return the parameter groups for Adam: scene, motion, and what else is fitted."""
        usual = {"betas": (0.9, 0.99), "eps": 1e-15}
        rate = self.config.learning_rate
        model = self.model
        scene = [*model.scene_grids.parameters(), *model.scene_net.parameters()]
        groups = [{"params": scene, "lr": rate, **usual}]
        if self.config.moving:
            moving = [*model.motion_grids.parameters(), *model.motion_net.parameters()]
            groups.append({"params": moving, "lr": self.plan.motion_rate, **usual})
        groups += self.extras.groups(rate, self.config.steps)
        if light := self.optics.adjustable():
            slow = min(MOST_LIGHT_RATE, LIGHT_RATE / self.config.steps)
            groups.append({"params": light, "lr": slow, **usual})
        return groups

    def memory(self) -> dict[str, torch.Tensor]:
        """Return levels, objective (missing in version 0.1), and the error of the alternative."""
        found = {
            "levels": torch.tensor(self._alpha, dtype=torch.float64),
            "objective": torch.tensor(int(self.objective != OBJECTIVE_0_1)),
        }
        if self.other_error is not None:
            found["other_error"] = torch.tensor(self.other_error, dtype=torch.float64)
        return found

    def remember(self, memory: Mapping[str, torch.Tensor]) -> None:
        """Take what `memory` returned."""
        if "levels" in memory:  # not in checkpoints of earlier versions
            self._alpha = float(memory["levels"])
        if not int(memory.get("objective", 0)):
            self.objective = OBJECTIVE_0_1
        if "other_error" in memory:
            self.other_error = float(memory["other_error"])

    def transferable(self) -> list[list[torch.Tensor]]:
        """Return scene and motion; gains and bleaching, for example, are those of one recording."""
        if self.config.fixed_layers() != self.plan.shape.layers:
            return []  # a static scene is one image; the other fit has several
        return [group["params"] for group in self.param_groups()[: 1 + self.config.moving]]

    def schedule(self) -> Schedule:
        """Return a learning rate that falls to a tenth; the result is the last step."""
        return Schedule(decay=0.1, every=max(5, self.config.steps // 20))

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the misfit of all frames and the penalties, in variances of the noise.

        Parameters
        ----------
        step
            Number of the step, from 0, which decides on the levels that count.
        generator
            Not used: every step uses all frames.

        Returns
        -------
        dict
            `data`, `scene`, and what else is fitted, by name; scalars.
        """
        self._alpha = ALL_LEVELS
        if math.prod(self.plan.shape.canonical) > MANY_POINTS:
            give_back()  # or the pieces that the step before has left add up
        if self.config.coarse_to_fine and self.plan.shape.layers == 1:
            self._alpha = step / (ANNEALED * self.config.steps)
        stride = coarse_stride(self.plan.shape, self._alpha)
        canonical = self.model.canonical(self._alpha, coarser(self.plan.shape.canonical, stride))
        displacement = self.model.motion(self.times, self._alpha)
        residual = self._residual(canonical, displacement, stride)
        objective = self.objective
        errors = residual / (self.plan.noise if objective.is_even else self.sigmas)
        losses = {"data": (errors**2 * self.seen).sum() / self.seen.sum()}
        layers = self.plan.shape.layers
        # layers that add up, and offsets of frames, leave open what is negative
        is_open = layers > 1 or self.extras.chosen["brightness"]
        negative = NEGATIVE if is_open else objective.negative
        losses["scene"] = layers * scene_penalty(
            canonical, stride, objective.roughness, negative if self.optics.nonnegative else None
        )
        if self.config.moving:
            losses["motion"] = motion_penalty(
                displacement, self.plan, objective, self.config.folding
            )
        return losses | self.extras.penalties(self.plan.noise)

    def held_out(self) -> float:
        """Return the root mean square error on held-out pixels in standard deviations of noise."""
        return float(self.held_errors().mean().sqrt())

    def held_errors(self) -> torch.Tensor:
        """Return the squared error of every held-out pixel in noise variances, (pixels,)."""
        return self.squared_errors()[self.held]

    def squared_errors(self) -> torch.Tensor:
        """Return the squared error of every pixel in noise variances, shape of the frames."""
        return (self.residual() / self.sigmas) ** 2

    def residual(self) -> torch.Tensor:
        """Return predicted minus recorded frames, in their unit."""
        with torch.no_grad():
            canonical = self.model.canonical(self._alpha)
            displacement = self.model.motion(self.times, self._alpha)
            return self._residual(canonical, displacement, (1,) * (canonical.ndim - 1))

    def misfit(self) -> float:
        """Return the root mean square error on the pixels that were fitted, in the same unit."""
        return float(self.squared_errors()[self.seen > 0].mean().sqrt())

    def rendering(self) -> Rendering:
        """Return what renders the present state."""
        return Rendering(self.model, self._settings(), self._device)

    def preview(self, request: PreviewRequest) -> Image:
        """Return the present scene at the time and plane of `request`, with arrows."""
        reference = self.config.reference
        return preview_image(self.rendering(), self.source, request, self._alpha, reference)

    def render(self) -> tuple[Image, ...]:
        """Return scene, motion, speed, confidence and error; see `Rendering.images`.

        They are kept until the motion is checked.
        """
        if self._rendered and self._rendered[0] is self.halves:
            return self._rendered[1]
        found = self.halves
        checks = () if found is None else (found.models, found.shift, found.delays, found.parts)
        rendering = Rendering(self.model, self.model_settings(), self._device, *checks)
        images, self.usual_error = rendering.images_and_error(self.source, self.config)
        self._rendered = (self.halves, images)
        return images

    def transmitted(self) -> float:
        """Return the contrast (slopes) of a frame relative to the last channel of the scene."""
        with torch.no_grad():
            canonical = self.model.canonical(ALL_LEVELS)
            samples = self.optics.samples
            first = self.model.motion(self.times[:samples], ALL_LEVELS)
            scene = self.model.scene(canonical, first)
            frame = self.optics(scene, torch.zeros(1, dtype=torch.int64, device=self._device))
        shown = torch.diff(frame[0], dim=-1).square().mean().sqrt()
        there = torch.diff(scene[0, -1], dim=-1).square().mean().sqrt() * self.optics.zoom[-1]
        return float(shown / there.clamp(min=1e-12))

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the parameters of the model and of what else is fitted, on the CPU."""
        tensors = self.model.tensors() | self.extras.tensors()
        if self.halves is not None:
            tensors |= self.halves.tensors()
        return tensors

    def facts(self) -> dict[str, Any]:
        """Return the noise, in the unit of the input, and what else was found."""
        return {
            "noise": {"read_noise": self.plan.noise * self.measurement.unit, "gain": 0.0},
            "misfit": self.misfit(),
            "brightness": self.extras.chosen["brightness"],
            "bleached": self.extras.bleached(),
            "unexplained": self.extras.chosen["unexplained"],
            "out_of_focus": self.extras.unmodulated(self.frames),
            "illumination": self.optics.illumination(),
            "motion_layers": self.plan.shape.layers,
            "warnings": frame_warnings(
                self.plan, self.config, self.measurement, self.extras.chosen["brightness"]
            ),
        }

    def model_settings(self) -> dict[str, Any]:
        """Return the model's shape and settings; `nstm.geometry.model_settings` has the keys."""
        return self._settings(self.transmitted())

    def _settings(self, transmitted: float = 1.0) -> dict[str, Any]:
        """Return `model_settings` for a contrast of the frames, which only the confidence needs."""
        measurement, plan, model = self.measurement, self.plan, self.measurement.model
        return {
            "shape": asdict(plan.shape),
            "neurons": self.config.neurons,
            "padding": list(model.padding),
            "zoom": list(model.zoom),
            "channels": list(model.channel_names),
            "unit": measurement.unit,
            "voxel": None if measurement.voxel is None else list(measurement.voxel),
            "timed": measurement.timed,
            "first": plan.first,
            "last": plan.last,
            "frames": frame_times(model),
            "moves": self.config.moving,
            "noise": plan.noise,
            "transmitted": transmitted,
            "halves": 0 if self.halves is None else len(self.halves.models),
            "seen": self.part_seen,
        }

    def _residual(
        self, canonical: torch.Tensor, displacement: torch.Tensor, stride: tuple[int, ...]
    ) -> torch.Tensor:
        """Return the error of every pixel, in the unit of the frames."""
        voxels = len(displacement) * int(np.prod(self.plan.shape.scene))
        if (voxels <= LARGE and not self.recompute) or not torch.is_grad_enabled():
            shots = torch.arange(len(self.frames))
            return self._residual_of(canonical, displacement, shots, stride)
        samples = self.optics.samples
        parts = [
            checkpoint(
                self._residual_of,
                canonical,
                displacement[shot * samples : (shot + 1) * samples],
                torch.tensor([shot]),
                stride,
                use_reentrant=False,
            )
            for shot in range(len(self.frames))
        ]
        return torch.cat(parts)

    def _residual_of(
        self,
        canonical: torch.Tensor,
        displacement: torch.Tensor,
        shots: torch.Tensor,
        stride: tuple[int, ...],
    ) -> torch.Tensor:
        size = self.plan.shape.scene
        points = [
            grid_points(0, n - 1, m, self._device)
            for n, m in zip(size, coarser(size, stride), strict=True)
        ]
        moved = displacement if self.config.moving else displacement[:1]
        scene = upsample(self.model.scene(canonical, moved, points), size)
        scene = scene.expand(len(displacement), *scene.shape[1:])
        scene = self.extras.with_unexplained(scene, shots, self.optics.samples)
        here = shots.to(self._device)
        predicted: torch.Tensor = self.optics(scene, here)
        return self.extras.recorded(predicted, here) - self.frames[here]
