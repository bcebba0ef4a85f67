"""What may be fitted besides scene and motion: brightness, bleaching, and light that stays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from napari_cellinr.config.nstm import EXTRAS
from napari_cellinr.errors import ConfigError
from napari_cellinr.methods.nstm.plan import fading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.optics.base import ForwardModel

__all__ = ["Extras", "can_be_out_of_focus", "check_out_of_focus"]

SPARSENESS = 3.0
"""Weight of the absolute value of what motion does not explain, in noise standard deviations."""

BRIGHTNESS = 10.0
"""Weight of the squared changes of brightness from frame to frame."""

SPACING = 8
"""Camera pixels between the points at which light from out of focus is fitted."""

SHARE_AT_START = 0.8
"""Part of the smoothed mean frame with which the fit of light from out of focus begins: where it is
needed, it is most of the light, and a beginning with none ends in wrong patterns."""

OUT_OF_FOCUS_RATE = 5.4
"""Its learning rate times the number of steps, in units of the frames."""


def can_be_out_of_focus(optics: ForwardModel) -> bool:
    """Return whether light from out of focus can be told: in planes, by a pattern that it lacks.

    Parameters
    ----------
    optics
        The forward model. Transfer functions of stacks hold the light from out of focus.
    """
    return optics.patterned and len(optics.data_shape) == 3


def check_out_of_focus(config: NSTMConfig, optics: ForwardModel) -> None:
    """Raise `ConfigError` if light from out of focus is requested where it cannot be told.

    Parameters
    ----------
    config
        The settings.
    optics
        The forward model.
    """
    if config.out_of_focus == "on" and not can_be_out_of_focus(optics):
        raise ConfigError(
            "out_of_focus=on was given; it needs planes under structured light (optics sim2d, or "
            "sim3d of a single plane). Give auto or off."
        )


class Extras(nn.Module):
    """The optional parts of the model of a recording.

    Parameters
    ----------
    chosen
        Which of `EXTRAS` are fitted; those that are not named are not.
    optics
        The forward model.
    frames
        Raw frames, (shots, [Z,] Y, X), float32, in the unit of the fit.
    moments
        When each was taken, as a fraction of the recording, (shots,).
    bad
        Which pixels do not count, shape of the frames, bool.
    scene
        Size (times, channels, [Z,] Y, X) of the moved scenes.
    """

    def __init__(
        self,
        chosen: Mapping[str, bool],
        optics: ForwardModel,
        frames: torch.Tensor,
        moments: torch.Tensor,
        bad: torch.Tensor,
        scene: Sequence[int],
    ) -> None:
        super().__init__()
        self.chosen = {name: bool(chosen.get(name)) for name in EXTRAS}
        self.chosen["out_of_focus"] &= can_be_out_of_focus(optics)
        self.moments, device = moments, frames.device
        coarse = (*scene[:2], *(max(1, n // 4) for n in scene[2:]))
        self.brightness = nn.Parameter(torch.zeros(2, optics.n_shots, device=device))
        self.bleaching = nn.Parameter(fading(frames, moments, bad))
        self.unexplained = nn.Parameter(torch.zeros(coarse, device=device))
        self.out_of_focus = nn.Parameter(torch.zeros(0, device=device))
        if self.chosen["out_of_focus"]:
            self.out_of_focus = nn.Parameter(SHARE_AT_START * _coarse_mean(frames, bad))

    def groups(self, rate: float, steps: int) -> list[dict[str, Any]]:
        """Return the parameter groups for Adam of what is fitted.

        Parameters
        ----------
        rate
            Learning rate of the scene.
        steps
            Number of steps.
        """
        rates = dict.fromkeys(EXTRAS, rate)
        rates["out_of_focus"] = min(rate, OUT_OF_FOCUS_RATE / steps)
        usual = {"betas": (0.9, 0.99), "eps": 1e-15}
        fitted = [name for name in EXTRAS if self.chosen[name]]
        return [{"params": [getattr(self, name)], "lr": rates[name], **usual} for name in fitted]

    def penalties(self, noise: float) -> dict[str, torch.Tensor]:
        """Return the penalties by name, in variances of the noise, scalars.

        Parameters
        ----------
        noise
            Standard deviation of the noise, in the unit of the frames.
        """
        found = {}
        if self.chosen["brightness"]:
            found["brightness"] = BRIGHTNESS * (self.brightness**2).mean()
        if self.chosen["unexplained"]:
            found["unexplained"] = SPARSENESS * self.unexplained.abs().mean() / noise
        return found

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return what is fitted by name, on the CPU."""
        fitted = (name for name in EXTRAS if self.chosen[name])
        return {name: getattr(self, name).detach().cpu().clone() for name in fitted}

    def bleached(self) -> float:
        """Return which part of the light is lost over the recording, 0 to 1."""
        return 1 - math.exp(-float(self.bleaching.detach())) if self.chosen["bleaching"] else 0.0

    def unmodulated(self, frames: torch.Tensor) -> float:
        """Return which part of the light of the frames is out of focus, 0 to 1."""
        if not self.chosen["out_of_focus"]:
            return 0.0
        light = self.out_of_focus.detach().clamp(min=0).mean() / frames.mean().clamp(min=1e-12)
        return float(light.clamp(max=1))

    def with_unexplained(
        self, scene: torch.Tensor, shots: torch.Tensor, samples: int
    ) -> torch.Tensor:
        """Return moved scenes with what motion does not explain, (times, channels, [Z,] Y, X).

        Parameters
        ----------
        scene
            Those of some shots that follow each other.
        shots
            Their indices.
        samples
            Scenes for each.
        """
        if not self.chosen["unexplained"]:
            return scene
        first, last = int(shots[0]) * samples, (int(shots[-1]) + 1) * samples
        mode = {4: "bilinear", 5: "trilinear"}[scene.ndim]
        size = scene.shape[2:]
        more = self.unexplained[first:last]
        return scene + nn.functional.interpolate(more, size=size, mode=mode, align_corners=True)

    def recorded(self, predicted: torch.Tensor, here: torch.Tensor) -> torch.Tensor:
        """Return frames with light from out of focus, changes of brightness, and bleaching.

        Parameters
        ----------
        predicted
            Frames of the optics, (n, [Z,] Y, X).
        here
            Indices of their shots, on the device.
        """
        ones = [1] * (predicted.ndim - 1)
        if self.chosen["out_of_focus"]:
            size = predicted.shape[-2:]
            light = self.out_of_focus.clamp(min=0)[None, None]
            light = nn.functional.interpolate(light, size=size, mode="bilinear", align_corners=True)
            predicted = predicted + light[0]
        if self.chosen["brightness"]:
            gain, offset = self.brightness[:, here].reshape(2, -1, *ones)
            predicted = predicted * torch.exp(gain) + offset
        if self.chosen["bleaching"]:
            left = torch.exp(-self.bleaching * self.moments[here])
            predicted = predicted * left.reshape(-1, *ones)
        return predicted


def _coarse_mean(frames: torch.Tensor, bad: torch.Tensor) -> torch.Tensor:
    """Return the mean frame at every `SPACING` pixels, smoothed over as many: (rows, columns)."""
    good = (~bad).float()
    mean = (frames * good).sum(0) / good.sum(0).clamp(min=1)
    half = SPACING
    padded = nn.functional.pad(mean[None, None], (half,) * 4, mode="replicate")
    smooth = nn.functional.avg_pool2d(padded, 2 * half + 1, stride=1)
    size = [max(2, math.ceil(n / SPACING) + 1) for n in mean.shape]
    points = nn.functional.interpolate(smooth, size=size, mode="bilinear", align_corners=True)
    return points[0, 0].contiguous()
