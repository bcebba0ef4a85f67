"""Motion of parts of a phase, in closed form: the scene is integrated out.

Each frame of differential phase contrast shows another part of the directions, so that no two
frames can be compared, and a fit of scene and motion together ends in wrong motion that a wrong
scene makes up for. But if the scene is a random field with a known spectrum, the frames of a part
that moves by s_k in frame k are random, too, and their covariance is known for each frequency q:

    C = σ² 1 + P_p h_p h_p* + P_a h_a h_a*,   each h_k times exp(-i q s_k).

Its determinant does not depend on the motion, so that the logarithm of the likelihood is a sum over
pairs of frames of a function of s_l - s_k, which one Fourier transform gives for all shifts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter

from napari_cellinr.methods.nstm.phases.curvature import OFF_UNIFORM, covariance
from napari_cellinr.methods.nstm.phases.spectra import (
    TRANSFORM_SIDE,
    inverse_covariance,
    products_at_rest,
    smaller_transfer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.methods.nstm.phases.curvature import Likelihood
    from napari_cellinr.methods.nstm.phases.spectra import Transfer

__all__ = ["LARGEST_MOTION", "PART_WIDTH", "LocalMotion", "local_motion", "part_places"]

PART_WIDTH = 9.0
"""Standard deviation in pixels of the part of a frame that is looked at: narrower ones hold too
little light, wider ones several motions (docs/decisions/motion-layers.md)."""

SPACING, MOST_PARTS = 5.0, 200
"""Pixels between parts, about half of their width, unless there were more of them than that, for
the sake of time."""

EDGE = 6
"""Pixels between the outermost parts and the edge: nearer, most of their window is empty."""

LARGEST_MOTION = 10.0
"""Largest motion in pixels that is looked for: further away, a part does not see itself."""

ROUNDS = 4
"""How often the part moves with what was found: one that rests sees too little motion."""

EXCLUDED = 8.0
"""Loss of log-likelihood at which motion is excluded: less than `start.LEAST_GAIN`, since half of
the parts have to lose it, not one (docs/decisions/motion-layers.md, "Rest")."""

OPTICS_ERROR = 0.1
"""Part of the weight of a part that the approximations of the optics may cost: without it,
specimens at rest seemed to move (docs/decisions/motion-layers.md, "Rest")."""


@dataclass(frozen=True)
class LocalMotion:
    """Motion of parts of the frames.

    Parameters
    ----------
    places
        Middle of each part, (parts, 2) in pixels.
    shifts
        Where it is in each frame, relative to that, (parts, frames, 2) in pixels.
    weights
        Log-likelihood of its motion above that of any motion, (parts,).
    gain
        Log-likelihood of uniform motion above that of rest, and above `OPTICS_ERROR` of the
        weight; of the part where it is largest.
    smallest
        Uniform motion in pixels that the frames of half of the parts exclude if they rest.
    given
        Part of its steps in which a fit keeps this motion.
    covariances
        How uncertain these places are, by `curvature.covariance`, (parts, frames, frames).
    """

    places: NDArray[np.float64]
    shifts: NDArray[np.float64]
    weights: NDArray[np.float64]
    gain: float
    smallest: float
    given: float = 1.0
    covariances: NDArray[np.float64] | None = None


class _Part(NamedTuple):
    """A part: its middle, its shifts in each frame, their weight, the curve for uniform motion."""

    place: NDArray[np.float64]
    shifts: NDArray[np.float64]
    weight: float
    curve: NDArray[np.float64]


def local_motion(
    frames: NDArray[np.floating],
    transfer: Transfer,
    grid: tuple[int, int],
    moments: NDArray[np.floating],
    noise: float,
    *,
    places: NDArray[np.float64] | None = None,
    reach: float = LARGEST_MOTION,
    width: float = PART_WIDTH,
    is_stopped: Callable[[], bool] = lambda: False,
) -> LocalMotion | None:
    """Return the most likely motion of parts of the frames, by their marginal likelihood.

    Parameters
    ----------
    frames
        Contrast, (frames, Y, X), without gaps.
    transfer
        Transfer functions of absorption and phase for each frame, (frames, *grid) with half of the
        last axis, as of a real transform.
    grid
        Size of the transform.
    moments
        When each frame was taken, 0 at the first and 1 at the last.
    noise
        Standard deviation of the noise.
    places
        Middle of each part, (parts, 2) in pixels; a grid of them if not given.
    reach
        Largest motion over the recording in pixels.
    width
        Standard deviation in pixels of a part.
    is_stopped
        Whether to end, asked between two parts.

    Returns
    -------
    LocalMotion or None
        None if it was stopped.
    """
    if places is None:
        places = part_places(frames.shape[1:])
    if max(grid) > 1.5 * TRANSFORM_SIDE:
        transfer, grid = smaller_transfer(transfer, grid)
    times = np.asarray(moments, float) - 0.5
    middle = int(np.ceil(min(reach, LARGEST_MOTION)))
    speeds = np.stack(np.meshgrid(*[np.arange(-middle, middle + 1.0)] * 2, indexing="ij"))
    products, found = products_at_rest(frames, grid), list[_Part]()
    for _ in range(2):  # the spectra that suit the frames at rest do not suit those that move
        inverse = inverse_covariance(products, transfer, grid, noise)
        found = []
        for place in places:
            if is_stopped():
                return None
            found.append(_of_part(frames, inverse, grid, times, place, speeds, width))
        products = _of_parts(frames, grid, found, width)
    shifts, weights, curves = (
        np.stack(values) for values in zip(*(part[1:] for part in found), strict=True)
    )
    resting = curves[:, middle, middle]
    best = curves.max((1, 2))
    gain = float((best - resting - OPTICS_ERROR * (best - np.median(curves, (1, 2)))).max())
    covariances = []
    for place, moved, *_ in found:
        if is_stopped():
            return None
        likely = _likelihood(frames, inverse, grid, place + moved, width)
        covariances.append(covariance(likely, moved, times))
    far = np.linalg.norm(speeds, axis=0)
    lost = [np.median(resting - curves[:, far > n - 0.5].max(1)) for n in range(1, middle + 1)]
    smallest = next((n for n, loss in enumerate(lost, start=1) if loss >= EXCLUDED), np.inf)
    return LocalMotion(
        places, shifts, weights, gain, float(smallest), covariances=np.stack(covariances)
    )


def part_places(sides: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the middles of the parts of frames, (parts, 2) in pixels.

    Parameters
    ----------
    sides
        Size of a frame, (Y, X).
    """
    spacing = max(SPACING, float(np.sqrt(np.prod(sides) / MOST_PARTS)))
    edges = np.minimum(EDGE, np.array(sides) // 2)
    rows, columns = (np.arange(e, n - e + 1, spacing) for e, n in zip(edges, sides, strict=True))
    return np.array([(y, x) for y in rows for x in columns], float)


def _of_parts(
    frames: NDArray[np.floating],
    grid: tuple[int, int],
    found: Sequence[_Part],
    width: float,
) -> NDArray[np.complexfloating]:
    """Return the mean products of the spectra of parts, each moved back by its motion.

    Parameters
    ----------
    frames
        Contrast, (frames, Y, X).
    grid
        Size of the transform, (Y, X).
    found
        The parts and their motion.
    width
        Standard deviation of a part in pixels.

    Returns
    -------
    numpy.ndarray
        (Y, X // 2 + 1, frames, frames), complex, per pixel of the window.
    """
    ky, kx = np.fft.fftfreq(grid[0])[:, None], np.fft.rfftfreq(grid[1])[None]
    total: Any = 0.0
    for part in found:
        spectra = _windowed(frames, grid, part.place + part.shifts, width)
        moved = part.shifts[:, :, None, None]
        spectra = spectra * np.exp(2j * np.pi * (moved[:, 0] * ky + moved[:, 1] * kx))
        spectra = np.moveaxis(spectra, 0, -1)
        total = total + spectra[..., :, None] * spectra[..., None, :].conj()
    products: NDArray[np.complexfloating] = total / (len(found) * np.pi * width**2)
    return products


def _of_part(
    frames: NDArray[np.floating],
    inverse: NDArray[np.complexfloating],
    grid: tuple[int, int],
    times: NDArray[np.float64],
    place: NDArray[np.float64],
    speeds: NDArray[np.float64],
    width: float,
) -> _Part:
    """Return the most likely motion of a part, uniform at first, then of each frame.

    Parameters
    ----------
    frames, inverse, grid, width
        As for `_likelihood`.
    times
        Of the frames, -0.5 at the first and 0.5 at the last, (frames,).
    place
        Middle of the part, (2,) in pixels.
    speeds
        Motions over the recording that are tried, (2, Y, X) in pixels.
    """
    n = len(times)
    square = np.stack(np.meshgrid(*[np.linspace(-1, 1, 9)] * 2, indexing="ij"))
    speed, curve, best = np.zeros(2), None, 0.0
    likely: Likelihood
    for _ in range(ROUNDS):
        likely = _likelihood(frames, inverse, grid, place + times[:, None] * speed, width)
        if curve is None:
            curve = _uniform(likely, times, speeds)
            speed, _ = _largest(speeds, curve)
        for size in (1.0, 0.3):
            near = speed[:, None, None] + size * square
            speed, best = _largest(near, _uniform(likely, times, near))
    assert curve is not None
    shifts = times[:, None] * speed
    for size in (2.0, 2.0, 1.0, 0.5, 0.5, 0.25):
        for k in range(n):
            near = shifts[k][:, None, None] + size * square
            off = near - (times[k] * speed)[:, None, None]
            values = -0.5 * (off**2).sum(0) / OFF_UNIFORM**2
            for other in range(n):
                if other != k:
                    values = values + likely(k, other, shifts[other][:, None, None] - near)
            shifts[k], _ = _largest(near, values)
    weight = max(best - float(np.median(curve)), 0.1)
    return _Part(place, shifts - shifts.mean(0), weight, curve)


def _likelihood(
    frames: NDArray[np.floating],
    inverse: NDArray[np.complexfloating],
    grid: tuple[int, int],
    middles: NDArray[np.float64],
    width: float,
) -> Likelihood:
    """Return what a shift between two frames adds to the log-likelihood of a part.

    Parameters
    ----------
    frames, inverse, grid
        Contrast, (frames, Y, X); inverse covariance of their spectra for each frequency,
        (Y, X // 2 + 1, frames, frames); and size of the transform, (Y, X).
    middles
        Of the part in each frame, (frames, 2) in pixels.
    width
        Its standard deviation in pixels.

    Returns
    -------
    callable
        For two frames and shifts of the second against the first, (2, …) in pixels, their summand
        in the marginal log-likelihood of the frames, with the scene integrated out: the determinant
        of the covariance does not depend on the motion, so that its quadratic form is all.
    """
    spectra = _windowed(frames, grid, middles, width)
    curves = {}
    for a, b in combinations(range(len(frames)), 2):
        # Twice the number of independent values of a Gaussian window, per pixel of the transform.
        sums = -2.0 * np.fft.irfft2(spectra[a].conj() * inverse[..., a, b] * spectra[b], grid)
        curves[a, b] = spline_filter(sums, order=3, mode="grid-wrap")

    def likely(one: int, other: int, shift: NDArray[np.float64]) -> NDArray[np.float64]:
        first, second = min(one, other), max(one, other)
        along = shift if one < other else -shift
        values: NDArray[np.float64] = map_coordinates(
            curves[first, second], along, order=3, mode="grid-wrap", prefilter=False
        )
        return values

    return likely


def _windowed(
    frames: NDArray[np.floating],
    grid: tuple[int, int],
    middles: NDArray[np.float64],
    width: float,
) -> NDArray[np.complexfloating]:
    """Return the spectra of Gaussian parts of the frames, (frames, *grid)."""
    centre = middles.mean(0)
    size = np.minimum(grid, frames.shape[1:])
    low = [
        int(np.clip(round(c - n / 2), 0, n_all - n))
        for c, n, n_all in zip(centre, size, frames.shape[1:], strict=True)
    ]
    near = frames[:, low[0] : low[0] + size[0], low[1] : low[1] + size[1]]
    rows, columns = (
        np.exp(-((np.arange(n) + first - middles[:, axis, None]) ** 2) / (2 * width**2))
        for axis, (n, first) in enumerate(zip(size, low, strict=True))
    )
    spectra: NDArray[np.complexfloating] = np.fft.rfft2(
        near * rows[:, :, None] * columns[:, None, :], grid
    )
    return spectra


def _uniform(
    likely: Likelihood, times: NDArray[np.float64], speeds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the log-likelihood of uniform motion, (Y, X) for speeds (2, Y, X)."""
    total = np.zeros(speeds.shape[1:])
    for a, b in combinations(range(len(times)), 2):
        total += likely(a, b, (times[b] - times[a]) * speeds)
    return total


def _largest(
    places: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return the place, of axes (2, …), at which values are largest, and the largest value."""
    return places.reshape(2, -1)[:, values.argmax()], float(values.max())
