"""Which light of a recording moves with which velocity.

Light adds up in fluorescence. So frames in which objects cross are the sum of images that move with
different velocities. These images are found by the multiplicative steps of Richardson (1972, JOSA)
and Lucy (1974, Astron. J.), for many constant velocities at once. Light that several velocities
explain goes to the one that explains most of it at that place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch.nn import functional

from napari_cellinr.methods.nstm.layers.spots import fit_spots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["SIDE", "MovingLight", "background_level", "moving_light"]

SIDE = 64
"""Longest side in pixels of what is decomposed; larger frames are averaged."""

NEAR = 3.0
"""Distance, in pixels of what is decomposed, up to which light belongs to one place."""

VELOCITIES = 8
"""Velocities from rest to the fastest one, along either direction of an axis."""

FRAMES = 16
"""Largest number of frames that are decomposed."""

ROUNDS, LAST = 30, 5
"""Multiplicative steps, and how many of them, at the end, do not prefer a velocity."""

PREFERENCE = 0.12
"""Power of a velocity's light relative to that of the brightest one at the same place, by which it
is multiplied in each step. Without it, each velocity keeps some light of all others: then 40 % of
the light is at the true velocities of crossing blobs, and 95 % with it."""

FAINT = 1e-3
"""Light relative to all of it below which a velocity or a place is left out."""

MOST = 200
"""Largest number of places."""

DARK = 0.01
"""Least light, relative to the brightest pixel, that is added before ratios are taken."""

BLUR = 1.0
"""Standard deviation, in pixels of what is decomposed, of a blur that removes noise."""

LEFT_OF_NOISE = 1 / (2 * math.sqrt(math.pi) * BLUR)
"""Noise that this blur leaves."""


@dataclass(frozen=True)
class MovingLight:
    """Bright places that move, each with its velocity.

    Parameters
    ----------
    places
        At the middle of the recording, in pixels of the frames, (n, 2).
    velocities
        Displacement over the whole recording in pixels, (n, 2).
    light
        Relative to all light, (n,).
    near
        Distance in pixels up to which light belongs to one place.
    """

    places: NDArray[np.float64]
    velocities: NDArray[np.float64]
    light: NDArray[np.float64]
    near: float


def moving_light(
    frames: torch.Tensor,
    counted: torch.Tensor,
    moments: torch.Tensor,
    reach: Sequence[float],
    noise: float,
) -> MovingLight:
    """Return the bright places of a recording, and their velocities; the brightest is first.

    Parameters
    ----------
    frames
        Raw frames, (shots, Y, X), on the CPU.
    counted
        Which pixels count, the same shape, bool.
    moments
        Time of each frame, 0 at the first and 1 at the last, (shots,).
    reach
        Largest displacement over the recording along Y and X, pixels.
    noise
        Standard deviation of the noise, in the unit of the frames.
    """
    if not counted.any():
        return MovingLight(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), NEAR)
    chosen = torch.linspace(0, len(frames) - 1, min(FRAMES, len(frames))).round().long()
    finer = max(1, math.ceil(max(frames.shape[1:]) / SIDE))
    valid = counted[chosen][:, None].float()
    weight = functional.avg_pool2d(valid, finer)
    known = torch.where(counted, frames, 0.0)[chosen][:, None]
    light = functional.avg_pool2d(known, finer)
    light = _blurred(light) / _blurred(weight).clamp(min=1e-6)
    light = (light - background_level(light[weight > 0])).clamp(min=0) * (weight > 0)
    brightest = light.max().clamp(min=1e-12)
    light = light / brightest
    faintest = max(DARK, LEFT_OF_NOISE * noise / finer / float(brightest))
    axes = [torch.linspace(-far, far, 2 * VELOCITIES + 1) / finer for far in reach]
    velocities = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    margin = math.ceil(max(reach) / 2 / finer) + 1
    light, weight = (functional.pad(part, (margin,) * 4) for part in (light, weight))
    times = moments[chosen] - 0.5
    images, velocities = _decomposed(light, weight, times, velocities, faintest)
    step = max(float(part[1] - part[0]) for part in axes)
    places, speeds, amounts = _bright_places(images, velocities, step)
    if len(amounts):
        spots = fit_spots(light[:, 0], weight[:, 0], times, places, speeds, amounts)
        if spots.misfit < _misfit(images, light, weight, times, velocities):
            places, speeds, amounts = spots.places, spots.velocities, spots.light
    return MovingLight((places - margin + 0.5) * finer - 0.5, speeds * finer, amounts, NEAR * finer)


def _misfit(
    images: torch.Tensor,
    light: torch.Tensor,
    weight: torch.Tensor,
    times: torch.Tensor,
    velocities: torch.Tensor,
) -> float:
    """Return the root mean square difference of moving images from the frames."""
    squared = 0.0
    for frame, valid, time in zip(light, weight, times, strict=True):
        predicted = _moved(images[:, None], velocities * time).sum(0)
        squared += float((valid * (predicted - frame) ** 2).sum())
    return math.sqrt(squared / max(float(weight.sum()), 1e-12))


def _blurred(images: torch.Tensor) -> torch.Tensor:
    """Return images, (n, 1, Y, X), blurred by `BLUR`; 0 comes in from outside."""
    places = torch.arange(-3, 4) / BLUR
    line = torch.exp(-0.5 * places**2)
    line = line / line.sum()
    return functional.conv2d(images, torch.outer(line, line)[None, None], padding=3)


def background_level(values: torch.Tensor) -> float:
    """Return the level of the background: a low quantile, of some values if there are many."""
    return float(torch.quantile(values[:: max(1, len(values) // 1_000_000)], 0.1))


def _decomposed(
    light: torch.Tensor,
    weight: torch.Tensor,
    times: torch.Tensor,
    velocities: torch.Tensor,
    faintest: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return an image for each velocity, (velocities, Y, X), and the velocities that remain.

    They begin with the darkest value that each place has on its way, which is the most light that
    can have moved so.

    Parameters
    ----------
    light, weight
        Frames with a margin, without background, and the part of each pixel that counts,
        (shots, 1, Y, X).
    times
        Of the frames, −0.5 to 0.5.
    velocities
        Pixels per recording, (velocities, 2).
    faintest
        Light that is added before ratios are taken, so that noise does not decide.
    """
    images = torch.full((len(velocities), *light.shape[1:]), torch.inf)
    seen = torch.zeros_like(images)
    for frame, valid, time in zip(light, weight, times, strict=True):
        there = _moved(valid, -velocities * time)
        seen += there
        back = _moved(frame * valid, -velocities * time) / there.clamp(min=1e-6)
        images = torch.where(there > 0.5, torch.minimum(images, back), images)
    images = torch.where((seen > len(light) / 4) & images.isfinite(), images.clamp(min=1e-4), 0.0)
    images = images / math.sqrt(len(velocities))
    for number in range(ROUNDS):
        changes = torch.zeros_like(images)
        for frame, valid, time in zip(light, weight, times, strict=True):
            predicted = _moved(images, velocities * time).sum(0)
            ratio = valid * (frame + faintest) / (predicted + faintest)
            changes += _moved(ratio, -velocities * time)
        images = images * changes / seen.clamp(min=1e-3)
        if number < ROUNDS - LAST:
            around = functional.avg_pool2d(images, 3, 1, 1)
            brightest = around.amax(0, keepdim=True).clamp(min=1e-9)
            images = images * (around / brightest) ** PREFERENCE
        totals = images.sum((1, 2, 3))
        kept = totals > FAINT * totals.sum()
        images, velocities, seen = images[kept], velocities[kept], seen[kept]
    return images[:, 0], velocities


def _moved(images: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """Return images, each moved by its shift, (shifts, 1, Y, X); 0 comes in from outside.

    Parameters
    ----------
    images
        (shifts, 1, Y, X), or one of (1, Y, X) for all.
    shifts
        Along Y and X in pixels, (shifts, 2).
    """
    images = images.expand(len(shifts), 1, *images.shape[-2:])
    matrix = torch.eye(2, 3).repeat(len(shifts), 1, 1)
    matrix[:, :, 2] = -2 * shifts.flip(1) / torch.tensor(images.shape[:-3:-1])
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def _bright_places(
    images: torch.Tensor, velocities: torch.Tensor, step: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return places and velocities, (n, 2) in pixels of the images, and light, (n,).

    The brightest place is taken with what is near it in position and velocity, then the next.

    Parameters
    ----------
    images, velocities
        From `_decomposed`.
    step
        Between neighbouring velocities.
    """
    values = images.numpy().astype(np.float64)
    speeds = velocities.numpy().astype(np.float64)
    grid = np.moveaxis(np.indices(values.shape[1:], np.float64), 0, -1)
    similar = np.linalg.norm(speeds[:, None] - speeds[None], axis=2) < 1.6 * step
    smooth = np.tensordot(similar.astype(np.float64), values, 1)
    smooth = gaussian_filter(smooth, (0, NEAR / 2, NEAR / 2))
    total = max(float(values.sum()), 1e-12)
    places, found, light = [], [], []
    for _ in range(MOST):
        if not len(speeds):
            break
        top = np.unravel_index(smooth.argmax(), smooth.shape)
        if smooth[top] <= 0:
            break
        near = np.linalg.norm(grid - grid[top[1:]], axis=-1) < NEAR
        alike = similar[top[0]]
        part = values[alike][:, near]
        amount = float(part.sum())
        if amount > FAINT * total:
            places.append(part.sum(0) @ grid[near] / amount)
            found.append(part.sum(1) @ speeds[alike] / amount)
            light.append(amount / total)
        taken = alike[:, None, None] & near
        values[taken] = 0.0
        smooth[taken] = 0.0
    shape = (len(light), 2)
    return np.reshape(places, shape), np.reshape(found, shape), np.array(light)
