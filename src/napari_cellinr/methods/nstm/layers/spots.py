"""Soft spots that move straight, fitted to the frames of a recording.

A decomposition into many velocities divides the light of one object between similar velocities, and
gives some of it to others. Few spots, each with a place, a velocity, a width and a brightness of
its own, leave no room for that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_cellinr.fitting.adam import Adam

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Spots", "fit_spots"]

ROUNDS, STEPS = 3, 200
"""Fits, after each of which faint spots are left out and similar ones are joined; steps of each."""

RATES = {"places": 0.05, "velocities": 0.1, "widths": 0.02, "amplitudes": 0.05, "level": 0.002}
"""Learning rates, which fall to a tenth: pixels, logarithms of pixels and of light, light."""

WIDTH = 1.5
"""Standard deviation of all spots at the beginning, in pixels."""

FAINTEST = 0.1
"""Light of a spot, relative to the brightest, below which it is left out."""

SIMILAR = 1.5
"""Distance in pixels, with half of that of the displacements, below which spots are joined."""


@dataclass(frozen=True)
class Spots:
    """Spots that move straight.

    Parameters
    ----------
    places, velocities
        At time 0, and displacement over the whole recording, pixels, (n, 2).
    light
        Of each relative to all of it, (n,).
    misfit
        Root mean square difference from the frames.
    """

    places: NDArray[np.float64]
    velocities: NDArray[np.float64]
    light: NDArray[np.float64]
    misfit: float


def fit_spots(
    light: torch.Tensor,
    weight: torch.Tensor,
    times: torch.Tensor,
    places: NDArray[np.float64],
    velocities: NDArray[np.float64],
    amounts: NDArray[np.float64],
) -> Spots:
    """Return spots whose sum explains the frames with the smallest squared difference.

    Parameters
    ----------
    light, weight
        Frames without background, and the part of each pixel that counts, (shots, Y, X).
    times
        Of the frames, −0.5 to 0.5, (shots,).
    places, velocities, amounts
        Spots to begin with: place at time 0 and displacement over the whole recording in pixels,
        (n, 2), and light relative to all of it, (n,).
    """
    total = float((light * weight).sum() / weight.sum().clamp(min=1e-12)) * light[0].numel()
    peak = torch.from_numpy(amounts).float() * total / (2 * np.pi * WIDTH**2)
    values = {
        "places": torch.from_numpy(places).float(),
        "velocities": torch.from_numpy(velocities).float(),
        "widths": torch.full((len(places),), float(np.log(WIDTH))),
        "amplitudes": peak.clamp(min=1e-6).log(),
        "level": torch.zeros(()),
    }
    misfit = np.inf
    for _ in range(ROUNDS):
        misfit = _improve(values, light, weight, times)
        _leave_out(values, _light_of(values) > FAINTEST * _light_of(values).amax())
        _join(values)
    found = _light_of(values)
    return Spots(
        values["places"].double().numpy(),
        values["velocities"].double().numpy(),
        (found / found.sum()).double().numpy(),
        misfit,
    )


def _light_of(values: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the light of each spot, up to a common factor."""
    return (values["amplitudes"] + 2 * values["widths"]).exp()


def _improve(
    values: dict[str, torch.Tensor],
    light: torch.Tensor,
    weight: torch.Tensor,
    times: torch.Tensor,
) -> float:
    """Fit the spots, which are changed, and return the misfit."""
    for value in values.values():
        value.requires_grad_(True)
    adam = Adam(
        {"params": [values[name]], "lr": rate, "betas": (0.9, 0.99)} for name, rate in RATES.items()
    )
    error = torch.zeros(())
    with torch.enable_grad():
        for step in range(STEPS):
            adam.forget_gradients()
            difference = _frames(values, times, light.shape[1:]) - light
            error = (weight * difference.square()).sum() / weight.sum().clamp(min=1e-12)
            error.backward()  # type: ignore[no-untyped-call]
            adam.step(0.1 ** (step / STEPS))
    for name, value in values.items():
        values[name] = value.detach()
    return math.sqrt(float(error.detach()))


def _frames(
    values: dict[str, torch.Tensor], times: torch.Tensor, shape: Sequence[int]
) -> torch.Tensor:
    """Return the sum of the spots at each time, (shots, Y, X)."""
    now = values["places"] + values["velocities"] * times[:, None, None]
    steep = (-2 * values["widths"]).exp()[:, None] / 2
    rows, columns = (
        torch.exp(-((torch.arange(n) - now[..., axis, None]) ** 2) * steep)
        for axis, n in enumerate(shape)
    )
    peaks = values["amplitudes"].exp()[:, None]
    return (rows * peaks).transpose(1, 2) @ columns + values["level"]


def _leave_out(values: dict[str, torch.Tensor], kept: torch.Tensor) -> None:
    """Keep only some of the spots."""
    for name in ("places", "velocities", "widths", "amplitudes"):
        values[name] = values[name][kept]


def _join(values: dict[str, torch.Tensor]) -> None:
    """Join spots that are at nearly the same place and move alike, the brightest one first."""
    light = _light_of(values)
    kept = torch.ones(len(light), dtype=torch.bool)
    order = light.argsort(descending=True).tolist()
    for rank, one in enumerate(order):
        for other in order[rank + 1 :]:
            if not (kept[one] and kept[other]):
                continue
            apart = values["places"][one] - values["places"][other]
            faster = values["velocities"][one] - values["velocities"][other]
            if float(apart.norm() + faster.norm() / 2) >= SIMILAR:
                continue
            part = light[other] / (light[one] + light[other])
            for name in ("places", "velocities"):
                value = values[name]
                value[one] = torch.lerp(value[one], value[other], part)
            peaks = values["amplitudes"]
            peaks[one] = torch.logaddexp(peaks[one], peaks[other])
            light[one] += light[other]
            kept[other] = False
    _leave_out(values, kept)
