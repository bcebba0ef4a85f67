"""Motion between frames: paths of every place, fitted to up to four frames at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, spline_filter
from torch.nn import functional

from napari_cellinr.fields.trajectory import (
    at_time,
    control_size,
    displacement,
    positions,
    spline_values,
    values_at,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = [
    "EVERY",
    "MotionSettings",
    "Paths",
    "coefficients",
    "fit_paths",
    "lagrange",
    "neighbours",
    "positions",
    "warped",
]

EVERY = 2
"""Steps from one look at the paths to the next."""

CHUNK = 1 << 18
"""Places that are looked up at once: bounds the memory."""


@dataclass(frozen=True)
class MotionSettings:
    """How paths are fitted.

    Parameters
    ----------
    steps
        Steps at each level, coarse to fine.
    levels
        How much coarser the images of each level are.
    spacing
        Distance of control points in voxels of the level.
    smooth
        Weight of differences between neighbouring control points.
    rate
        Step size of Adam in voxels of the finest level.
    blur
        Standard deviation in voxels of the smoothing of the images that are compared.
    batch
        Places that are compared in one step.
    """

    steps: tuple[int, ...] = (60, 50, 40)
    levels: tuple[int, ...] = (4, 2, 1)
    spacing: float = 4.0
    smooth: float = 0.02
    rate: float = 0.15
    blur: float = 0.5
    batch: int = 16_000


@dataclass(frozen=True)
class Paths:
    """The fitted motion of one interval: control points, and the shape of a frame.

    Parameters
    ----------
    control
        (terms, axes, *points), voxels per frame^k; time counts from the middle of the interval.
    shape
        Voxels of a frame.
    """

    control: torch.Tensor
    shape: tuple[int, ...]


def neighbours(interval: int, n_frames: int) -> list[int]:
    """Return the frames that tell about an interval: two on either side, as far as there are."""
    return [j for j in range(interval - 1, interval + 3) if 0 <= j < n_frames]


def fit_paths(
    frames: torch.Tensor, interval: int, settings: MotionSettings, seed: int = 0
) -> Iterator[Paths]:
    """Yield paths after every few steps, the fitted ones last.

    Voxels that are one and the same along a path shall look the same in all frames: a robust
    difference of neighbouring frames at random places, that of the interval itself counting
    most, and a penalty on motion that varies from control point to control point.

    Parameters
    ----------
    frames
        (T, *shape), about 0 to 1, float32.
    interval
        The paths are those between the frames `interval` and `interval + 1`.
    settings
        How they are fitted.
    seed
        Of the random places.
    """
    chosen = neighbours(interval, len(frames))
    times = torch.tensor([j - interval - 0.5 for j in chosen], device=frames.device)
    pairs = torch.tensor([1.0 if j == interval else 0.3 for j in chosen[:-1]], device=frames.device)
    shape = tuple(frames.shape[1:])
    n_terms = min(2, len(chosen) - 1)
    generator = torch.Generator(device=frames.device).manual_seed(seed)
    volume = frames[chosen]
    control = torch.zeros(n_terms * len(shape), *(2,) * len(shape), device=frames.device)
    for level, steps in zip(settings.levels, settings.steps, strict=True):
        images = _coarser(volume, level, settings.blur)
        size = tuple(images.shape[1:])
        spread = torch.tensor(
            [(a - 1) / max(b - 1, 1) for a, b in zip(shape, size, strict=True)],
            device=frames.device,
        )
        points = control_size(size, settings.spacing)
        control = _resized(control.detach()[None], points)[0].clone().requires_grad_(True)
        optimiser = torch.optim.Adam([control], lr=settings.rate * level)
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = settings.rate * level * (1 - 0.9 * step / steps)
            loss = _loss(control, images, size, spread, times, pairs, settings, generator)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if step % EVERY == EVERY - 1:
                yield Paths(control.detach().reshape(n_terms, len(shape), *points), shape)
    yield Paths(control.detach().reshape(n_terms, len(shape), *control.shape[1:]), shape)


def _loss(
    control: torch.Tensor,
    images: torch.Tensor,
    size: Sequence[int],
    spread: torch.Tensor,
    times: torch.Tensor,
    pairs: torch.Tensor,
    settings: MotionSettings,
    generator: torch.Generator,
) -> torch.Tensor:
    """Return how much neighbouring frames differ along the paths, and how rough these are."""
    n_axes = len(size)
    count = min(settings.batch, 2 * int(np.prod(size)))
    last = torch.tensor([n - 1 for n in size], device=images.device)
    places = torch.rand(count, n_axes, generator=generator, device=images.device) * last
    terms = control.reshape(-1, n_axes, *control.shape[1:])
    moved = places + displacement(terms, places, times, size) / spread.clamp(min=1e-6)
    found = values_at(images, moved)
    inside = ((moved >= 0) & (moved <= last)).all(-1).float()
    difference = (found[1:] - found[:-1]) / images.std().clamp(min=1e-6)
    robust = torch.sqrt(difference**2 + 0.01) * inside[1:] * inside[:-1]
    data = (pairs[:, None] * robust).mean(1).sum()
    rough = sum(
        (torch.diff(control, dim=axis) ** 2).mean()
        for axis in range(1, control.ndim)
        if control.shape[axis] > 1
    )
    bent = 2 * (terms[1:] ** 2).mean() if len(terms) > 1 else 0.0
    return data + settings.smooth * (rough + bent)


def coefficients(frame: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cubic B-spline coefficients of a frame, for `fields.spline_values`."""
    return np.asarray(spline_filter(frame, 3, output=np.float32, mode="mirror"))


def warped(
    paths: Paths,
    splines: Sequence[torch.Tensor],
    times: Sequence[float],
    when: float,
    places: torch.Tensor,
) -> torch.Tensor:
    """Return what some frames say about places at a time, (frames, places).

    Parameters
    ----------
    paths
        Motion of the interval.
    splines
        B-spline coefficients of each frame, (*shape).
    times
        Time of each, in frames from the middle of the interval.
    when
        The time of the places, counted alike.
    places
        (places, axes), voxels.
    """
    others = torch.tensor(list(times), device=places.device)
    found = []
    for chunk in torch.split(places, CHUNK):
        origins = at_time(paths.control, chunk, when, paths.shape)
        moved = origins + displacement(paths.control, origins, others, paths.shape)
        found.append(
            torch.stack([spline_values(s, p) for s, p in zip(splines, moved, strict=True)])
        )
    return torch.cat(found, 1)


def _coarser(volume: torch.Tensor, level: int, blur: float) -> torch.Tensor:
    """Return smoothed frames on a coarser lattice with the same outer voxels."""
    shape = volume.shape[1:]
    size = tuple(max(round(n / level), min(n, 6)) for n in shape)
    widths = [
        blur if n == m else float(np.hypot(blur, 0.4 * n / m))
        for n, m in zip(shape, size, strict=True)
    ]
    smooth = gaussian_filter(volume.cpu().numpy(), (0, *widths))
    given = torch.from_numpy(smooth.astype(np.float32)).to(volume.device)
    return _resized(given[:, None], size)[:, 0]


def _resized(volume: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    mode = {2: "bilinear", 3: "trilinear"}[len(size)]
    return functional.interpolate(volume, size=tuple(size), mode=mode, align_corners=True)


def lagrange(frames: Sequence[int], time: float) -> list[float]:
    """Return the weights by which a polynomial through all frames is found at a time."""
    weights = []
    for one in frames:
        others = [f for f in frames if f != one]
        weights.append(float(np.prod([(time - f) / (one - f) for f in others])))
    return weights
