"""Objects that move on their own, from optical flow: where they are, and how each moves.

As in Wang and Adelson (1994, IEEE Trans. Image Process.): the flow from the middle frame to each
other one is divided into objects, each with an affine motion that may change in time. In contrast
to `decomposition`, objects may turn and speed up, but have to be apart in the middle frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, map_coordinates
from torch.nn import functional

from napari_cellinr.classic.warping import optical_flow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["MovingObjects", "affine", "moving_objects"]

SIDE = 128
"""Longest side in pixels of the frames between which flow is computed; larger ones are averaged."""

FRAMES = 16
"""Largest number of frames whose flow is computed."""

EACH = 0.3
"""Part of the difference of the flow from one affine motion that each further object has to take
away. The second of two objects that move apart takes 0.34 to 0.88, that of one motion up to 0.29;
in strong noise, 0.2 of both."""

FOLLOWED = 0.6
"""Largest difference in pixels at which affine motions follow the objects."""

LEAST, MOST = 1.0, 2.0
"""Least and largest standard deviation in pixels of the Gaussian before the flow, which is chosen
by the noise."""

_SEEN = 0.05  # part of a place that has to be seen
_EMPTY = 0.2  # part of the places that show noise only
_AROUND = 1.5  # standard deviation of the neighbourhood that belongs to one object, pixels
_NOTHING = 0.01  # difference from one motion that is none, such as where nothing moves, pixels
_FAR = 3.0  # difference from a motion above which it does not matter how large it is, pixels
_USUAL = 0.25  # difference above which a place counts less, pixels
_BEGINNINGS, _PASSES = 4, 30  # random divisions, and passes over all places
_STIFF = 1e-3  # weight against turning and stretching where few places decide


@dataclass(frozen=True)
class MovingObjects:
    """Objects with a motion of their own.

    Parameters
    ----------
    motions
        Displacement from the middle frame to each frame: for each object, frame and axis, that of
        the middle of the frames, and its slopes along the axes, (objects, frames, 2, 3), in pixels.
    images
        The light of each object in the middle frame, without background, (objects, Y, X), at
        equally spaced places with the corners of the frames.
    """

    motions: Floats
    images: Floats

    def __len__(self) -> int:
        return len(self.motions)


class _Division(NamedTuple):
    """The object of each place, their motions (objects, T · 2, 3), and how well they follow."""

    labels: NDArray[np.int64]
    motions: Floats
    error: float


def moving_objects(
    frames: torch.Tensor,
    counted: torch.Tensor,
    moments: torch.Tensor,
    noise: float,
    most: int,
    *,
    least: int = 1,
) -> MovingObjects:
    """Return the objects that move on their own; a single one if one affine motion follows all.

    A single one is also returned if even several motions do not follow the flow.

    Parameters
    ----------
    frames
        Raw frames, (shots, Y, X), on the CPU.
    counted
        Which pixels count, the same shape, bool.
    moments
        Time of each frame, 0 at the first and 1 at the last, (shots,).
    noise
        Standard deviation of the noise, in the unit of the frames.
    most, least
        Largest and smallest number of objects.
    """
    there = np.flatnonzero(counted.flatten(1).any(1).numpy())
    if not len(there):
        most, there = least, np.arange(len(frames))
    places = np.linspace(0, len(there) - 1, min(len(there), FRAMES)).round().astype(int)
    chosen = there[np.unique(places)]
    coarse = [_coarse(frames[[n]], counted[[n]]) for n in chosen]  # large ones take memory
    some, finer = np.concatenate([one for one, _ in coarse]), coarse[0][1]
    smooth = _scaled(some, noise / finer)
    flows = _flows(smooth)
    weight = _contrast(smooth[len(smooth) // 2])
    first = found = _divided(flows, weight, least)
    for number in range(least + 1, most + 1):
        more = _divided(flows, weight, number)
        if found.error - more.error < max(EACH * first.error, _NOTHING):
            break
        found = more
    if found.error > FOLLOWED:
        found = first
    motions = found.motions.reshape(len(found.motions), len(chosen), 2, 3)
    images = _images(some, found.labels, motions)
    in_time = [
        np.interp(moments.numpy(), moments.numpy()[chosen], part)
        for part in np.moveaxis(motions, 1, -1).reshape(-1, len(chosen))
    ]
    every = np.moveaxis(np.reshape(in_time, (len(motions), 2, 3, len(moments))), -1, 1)
    every[..., 0] *= finer  # slopes have no unit
    return MovingObjects(every, images)


def affine(motion: Floats, places: Floats, middle: Floats, *, inverse: bool = False) -> Floats:
    """Return the displacement of places by an affine motion, or by its inverse, (2, *places).

    Parameters
    ----------
    motion
        Displacement of the middle, and its slopes, (2, 3).
    places
        (2, *places).
    middle
        (2,).
    inverse
        Whether the places are those of the end of the motion.
    """
    around = places - middle.reshape(2, *[1] * (places.ndim - 1))
    shift = motion[:, 0].reshape(around.shape[:1] + (1,) * (places.ndim - 1))
    if not inverse:
        moved: Floats = shift + np.tensordot(motion[:, 1:], around, 1)
        return moved
    back = np.linalg.inv(np.eye(2) + motion[:, 1:])
    moved = np.tensordot(back, around - shift, 1) - around
    return moved


def _coarse(frames: torch.Tensor, counted: torch.Tensor) -> tuple[Floats, float]:
    """Return frames averaged to at most `SIDE`, with their gaps filled, and by which factor."""
    valid = counted[:, None].float()
    values = torch.where(counted, frames, frames.new_zeros(()))[:, None]
    usual = frames[counted].median() if counted.any() else frames.new_zeros(())
    sides = frames.shape[1:]
    finer = max(1.0, (max(sides) - 1) / (SIDE - 1))
    if finer > 1:
        coarse = [max(2, round((n - 1) / finer) + 1) for n in sides]
        values, valid = (_averaged(part, coarse) for part in (values, valid))
    full = torch.where(valid > _SEEN, values / valid.clamp(min=1e-6), usual)
    missing = valid <= _SEEN
    for width in (1.0, 3.0, 9.0):  # from what is near, then from what is farther
        if not missing.any():
            break
        near, mean = _blurred(valid, width), _blurred(values, width)
        full = torch.where(missing & (near > _SEEN), mean / near.clamp(min=1e-6), full)
        missing &= near <= _SEEN
    found: Floats = full[:, 0].numpy().astype(np.float64)
    return found, finer


def _averaged(values: torch.Tensor, sides: list[int]) -> torch.Tensor:
    """Return images averaged to fewer pixels, with the same corners."""
    return functional.interpolate(
        values, size=sides, mode="bilinear", align_corners=True, antialias=True
    )


def _blurred(values: torch.Tensor, width: float) -> torch.Tensor:
    """Return images after a Gaussian, with zeros around them: along one axis after the other."""
    reach = math.ceil(2 * width)
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / width) ** 2)
    line = line / line.sum()
    down = functional.conv2d(values, line.reshape(1, 1, -1, 1), padding=(reach, 0))
    return functional.conv2d(down, line.reshape(1, 1, 1, -1), padding=(0, reach))


def _scaled(frames: Floats, noise: float) -> NDArray[np.float32]:
    """Return frames smoothed by their noise, from 0 to 1."""
    usual = gaussian_filter(frames, (0, LEAST, LEAST))
    width = float(np.clip(0.8 + 8 * noise / max(np.ptp(usual), 1e-12), LEAST, MOST))
    smooth = gaussian_filter(frames, (0, width, width))
    scaled: NDArray[np.float32] = (smooth - smooth.min()) / max(np.ptp(smooth), 1e-12)
    return scaled.astype(np.float32)


def _flows(frames: NDArray[np.float32]) -> Floats:
    """Return the flow from the middle frame to each, (T, 2, Y, X), in pixels.

    Each begins with that to the frame before, and is computed to the frame itself, so that errors
    do not add up.
    """
    middle = len(frames) // 2
    grid = np.indices(frames.shape[1:], np.float32)
    flows = np.zeros((len(frames), *grid.shape), np.float32)
    for numbers, before in ((range(middle + 1, len(frames)), -1), (range(middle - 1, -1, -1), 1)):
        for number in numbers:
            start = flows[number + before]
            moved = map_coordinates(frames[number], grid + start, order=3, mode="nearest")
            flows[number] = start + optical_flow(frames[middle], moved, "tvl1")
    return flows.astype(np.float64)


def _contrast(frame: NDArray[np.float32]) -> Floats:
    """Return how much there is to see at each place: the squared slopes beyond those of noise."""
    slopes = np.square(np.gradient(frame.astype(np.float64))).sum(0)
    around = gaussian_filter(slopes, _AROUND)
    found: Floats = (
        np.maximum(around - np.quantile(around, _EMPTY), 0) + 1e-9 * around.max() + 1e-12
    )
    return found


def _places(shape: tuple[int, ...]) -> Floats:
    """Return the positions relative to the middle, and ones, (places, 3)."""
    middle = np.reshape([(n - 1) / 2 for n in shape], (-1, 1, 1))
    around = np.indices(shape, np.float64) - middle
    return np.stack([np.ones(shape), *around], -1).reshape(-1, 3)


def _divided(flows: Floats, weight: Floats, number: int) -> _Division:
    """Return the division into a number of objects: by similar flow, then by affine motions."""
    shape, places = weight.shape, _places(weight.shape)
    tracks = flows.reshape(-1, weight.size).T
    labels = _similar(tracks, weight.ravel(), number)
    around = gaussian_filter(weight, _AROUND)
    motions = np.zeros((number, tracks.shape[1], 3))
    errors = np.full((number, len(tracks)), _FAR)
    for _ in range(_PASSES):
        for one in range(number):
            mine = weight.ravel() * (labels == one)
            if mine.sum() > 0:
                motions[one], errors[one] = _fitted(places, tracks, mine)
        near = [
            gaussian_filter(np.minimum(part, _FAR).reshape(shape) * weight, _AROUND) / around
            for part in errors
        ]
        again = np.argmin(near, 0).ravel()
        if (again == labels).all():
            break
        labels = again
    left = np.minimum(np.take_along_axis(errors, labels[None], 0)[0], _FAR)
    return _Division(
        labels.reshape(shape), motions, float(np.average(left, weights=weight.ravel()))
    )


def _fitted(places: Floats, tracks: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return the affine motion of some places, (T · 2, 3), and how far all differ from it.

    Weights fall where the difference is large, so that wrong flow hardly counts.
    """
    far = np.zeros(len(tracks))
    spread = np.average((places**2)[:, 1:].sum(1), weights=weight)
    for _ in range(5):
        counts = weight / np.sqrt(far**2 + _USUAL**2)
        weighted = places * counts[:, None]
        stiff = np.diag([0.0, 1.0, 1.0]) * _STIFF * counts.sum() * max(spread, 1.0)
        motion = np.linalg.solve(places.T @ weighted + stiff, weighted.T @ tracks)
        far = np.sqrt(((tracks - places @ motion) ** 2).sum(1) / (tracks.shape[1] / 2))
    return motion.T, far


def _similar(tracks: Floats, weight: Floats, number: int) -> NDArray[np.int64]:
    """Return a division by similar tracks: the best of some k-means, (places,)."""
    generator = np.random.default_rng(0)
    best, least = np.zeros(len(tracks), np.int64), math.inf
    for _ in range(_BEGINNINGS if number > 1 else 0):
        chances = weight / weight.sum()
        centres = tracks[generator.choice(len(tracks), 1, p=chances)]
        for _ in range(number - 1):
            nearest = np.min([((tracks - one) ** 2).sum(1) for one in centres], 0)
            chances = weight * nearest + 1e-12
            more = generator.choice(len(tracks), 1, p=chances / chances.sum())
            centres = np.concatenate([centres, tracks[more]])
        for _ in range(15):
            apart = np.stack([((tracks - one) ** 2).sum(1) for one in centres])
            labels = apart.argmin(0)
            for one in range(number):
                mine = weight * (labels == one)
                if mine.sum() > 0:
                    centres[one] = mine @ tracks / mine.sum()
        cost = float(weight @ apart.min(0))
        if cost < least:
            best, least = labels, cost
    return best


def _images(frames: Floats, labels: NDArray[np.int64], motions: Floats) -> Floats:
    """Return the light of each object in the middle frame: the mean of all frames, moved back."""
    shape = frames.shape[1:]
    grid = np.indices(shape, np.float64)
    middle = np.array([(n - 1) / 2 for n in shape])
    dark = np.quantile(frames, 0.1)
    images = []
    for one, motion in enumerate(motions):
        moved = [
            map_coordinates(frame, grid + affine(part, grid, middle), order=1, mode="nearest")
            for frame, part in zip(frames, motion, strict=True)
        ]
        mine = gaussian_filter((labels == one).astype(np.float64), 1.0)
        images.append((np.mean(moved, 0) - dark) * mine)
    return np.stack(images)
