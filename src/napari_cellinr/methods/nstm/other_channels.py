"""The scenes of the other channels of a recording, which move by the motion that was found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.acquisition import prepare
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.methods.nstm.checks.report import AT_THE_FLOOR, UNSEEN
from napari_cellinr.methods.nstm.checks.residual import is_local
from napari_cellinr.methods.nstm.costs import steps_of_scene
from napari_cellinr.methods.nstm.geometry import names_of, scenes_image, times_of
from napari_cellinr.methods.nstm.plan import plan
from napari_cellinr.methods.nstm.problem import NSTMProblem
from napari_cellinr.methods.nstm.rendering.channels import prefix

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import torch

    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Outcome, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.methods.nstm.resources import Resources

__all__ = ["Scenes", "fit_other_channels", "has_other_channels"]

NOT_EXPLAINED = (
    "{name} is not explained by the motion of {motion}: it differs by {error:.2g} times its noise "
    "from what was reconstructed. It may move on its own, or not at all; reconstruct it alone, "
    "with motion_channel={number}."
)
"""Shown for a channel whose frames the common motion does not explain."""


class SceneProblem(NSTMProblem):
    """The scene of one more channel, which moves as another one does; nothing else is fitted."""

    def param_groups(self) -> list[dict[str, Any]]:
        """Return the parameter groups for Adam: of the scene, and of its light."""
        moving = {id(one) for one in self.model.motion_grids.parameters()}
        moving |= {id(one) for one in self.model.motion_net.parameters()}
        groups = super().param_groups()
        return [one for one in groups if not any(id(value) in moving for value in one["params"])]

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the misfit and the penalties as for a fit with motion, but those of the motion."""
        losses = super().loss(step, generator)
        return {name: value for name, value in losses.items() if name != "motion"}


@dataclass(frozen=True)
class Scenes:
    """The scenes of all channels of a recording.

    Parameters
    ----------
    fits
        The fit of each channel, in their order.
    outcomes
        How the fits of the others than the motion channel ended, by their number.
    motion
        Number of the channel with the motion; None if it is that of all together.
    """

    fits: Sequence[NSTMProblem]
    outcomes: dict[int, Outcome]
    motion: int | None

    def image(self, source: Image, config: NSTMConfig) -> Image:
        """Return the scenes of all channels, axes T C [Z] Y X.

        Parameters
        ----------
        source
            The recording with all its channels.
        config
            The settings, of which the times are used.
        """
        settings = self.fits[0].model_settings()
        times = times_of(settings, config.chosen_times())
        scenes = [one.rendering().scene(times) for one in self.fits]
        data = np.concatenate(scenes, axis=1)
        return scenes_image(settings, source, data, times, f"{source.name} reconstructed")

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the parameters of the scenes of the other channels, on the CPU."""
        found: dict[str, torch.Tensor] = {}
        for number in self.outcomes:
            own = self.fits[number].model.tensors()
            scene = {name: value for name, value in own.items() if name.startswith("scene")}
            found |= {f"{prefix(number)}{name}": value for name, value in scene.items()}
        return found

    def settings(self) -> dict[str, Any]:
        """Return what rendering the scenes again needs, ready for JSON."""
        units = [one.measurement.unit for one in self.fits]
        return {"units": units, "motion": self.motion}

    def facts(self, source: Image) -> list[dict[str, Any]]:
        """Return what is known of the fit of each other channel, ready for JSON."""
        names = names_of(source)
        return [
            {
                "channel": number,
                "name": names[number],
                "noise": self.fits[number].plan.noise * self.fits[number].measurement.unit,
                "misfit": self.fits[number].misfit(),
                "held_out": outcome.held_out,
            }
            for number, outcome in self.outcomes.items()
        ]

    def warnings(self, source: Image) -> list[str]:
        """Return a sentence for each channel that the motion does not explain, and other faults."""
        names = names_of(source)
        motion = "all channels together" if self.motion is None else names[self.motion]
        texts = []
        for one in self.facts(source):
            number, fit = one["channel"], self.fits[one["channel"]]
            own = fit.facts()["warnings"]
            texts += [f"{names[number]}: {text}" for text in own]
            if one["misfit"] > AT_THE_FLOOR or one["held_out"] > UNSEEN:
                error = max(one["misfit"], one["held_out"])
                texts.append(
                    NOT_EXPLAINED.format(
                        name=names[number], motion=motion, error=error, number=number
                    )
                )
        return texts


def has_other_channels(recording: Image, config: NSTMConfig, problem: NSTMProblem) -> bool:
    """Return whether a recording has channels besides that of the fit that can be reconstructed.

    Their frames have to show the scene where it is. Patterns of light and phases differ from
    one wavelength to the next.

    Parameters
    ----------
    recording
        The raw frames with all their channels.
    config
        The settings.
    problem
        The fit of the motion.
    """
    several = recording.sizes.get("C", 1) > 1 and bool(config.motion_channel)
    return several and is_local(problem.optics) and problem.optics.nonnegative


def fit_other_channels(
    problem: NSTMProblem,
    recording: Image,
    config: NSTMConfig,
    resources: Resources,
    monitor: Monitor,
) -> Generator[Progress, Message, Scenes | None]:
    """Yield `Progress`, return the scenes of all channels; None if there was no time for them.

    Parameters
    ----------
    problem
        The fit of the motion, which has the scene of its channel.
    recording
        The raw frames with all their channels.
    config
        The settings.
    resources
        Of the job: the device, and whether moved scenes are computed twice.
    monitor
        Of the job.
    """
    names = names_of(recording)
    own = config.single_motion_channel()
    settings = problem.config.replace(coarse_to_fine=False, steps=steps_of_scene(config))
    fits: list[NSTMProblem] = []
    outcomes: dict[int, Outcome] = {}
    for number in range(recording.sizes["C"]):
        if number == own:
            fits.append(problem)
            continue
        if monitor.stopped or monitor.is_late:
            return None
        channel = recording.take("C", number)

        def made(channel: Image = channel) -> SceneProblem:
            measurement = prepare(channel, config.optics)
            planned = plan(measurement, settings)
            planned = replace(planned, shape=problem.plan.shape)
            found = SceneProblem(
                measurement,
                planned,
                settings,
                channel,
                resources.device,
                problem.extras.chosen,
                recompute=resources.recompute,
            )
            found.model.take_motion(problem.model)
            return found

        with monitor.part(names[number]):
            fit = yield from in_background("preparing the frames", made, monitor, needed=True)
            assert fit is not None
            with monitor.checkpoint.within(f"channel-{number}"):
                outcomes[number] = yield from optimise(fit, settings, monitor)
        if outcomes[number].stopped != "steps":
            return None
        fits.append(fit)
    return Scenes(fits, outcomes, own)
