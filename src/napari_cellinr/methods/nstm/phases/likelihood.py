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
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Transfer = tuple[NDArray[np.complexfloating], NDArray[np.complexfloating]]
    Likelihood = Callable[[int, int, NDArray[np.float64]], NDArray[np.float64]]

__all__ = ["WIDTH", "LocalMotion", "filled", "local_motion"]

WIDTH = 9.0
"""Standard deviation in pixels of the part of a frame that is looked at."""

SPACING, MOST_PARTS = 5.0, 200
"""Pixels between parts, unless there were more of them than that."""

EDGE = 6
"""Pixels between the outermost parts and the edge."""

FAR = 10.0
"""Largest motion in pixels that is looked for: further away, a part does not see itself."""

ROUNDS = 4
"""How often the part moves with what was found: one that rests sees too little motion."""

FREE = 2.0
"""Standard deviation in pixels of the places in single frames around uniform motion."""

POWERS = tuple(np.geomspace(1e-2, 3.0, 6))
LENGTHS = (1.2, 2.0, 3.0)
ABSORBED = ((0.1, 0.0), (0.3, 0.0), (0.05, 0.95), (0.1, 0.95), (0.2, 0.95))
"""Power of the phase per pixel, width of its structures in pixels, absorption relative to phase and
correlation of both, of which the most likely ones are taken."""

CLEAR = 8.0
"""Loss of log-likelihood at which motion is excluded."""

WRONG = 0.1
"""Part of the weight of a part that the approximations of the optics may cost."""

SIDE = 64
"""Pixels along a side of what is transformed for each part of larger frames."""

BESIDE = 1.5
"""Standard deviation in pixels of the neighbourhood that fills pixels without data."""


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
        Log-likelihood of uniform motion above that of rest, and above `WRONG` of the weight; of the
        part where it is largest.
    smallest
        Uniform motion in pixels that the frames of half of the parts exclude if they rest.
    given
        Part of its steps in which a fit keeps this motion.
    """

    places: NDArray[np.float64]
    shifts: NDArray[np.float64]
    weights: NDArray[np.float64]
    gain: float
    smallest: float
    given: float = 1.0


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
    reach: float = FAR,
    width: float = WIDTH,
) -> LocalMotion:
    """Return the most likely motion of parts of the frames.

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
    reach
        Largest motion over the recording in pixels.
    width
        Standard deviation in pixels of a part.
    """
    if max(grid) > 1.5 * SIDE:
        transfer, grid = _smaller(transfer, grid)
    times = np.asarray(moments, float) - 0.5
    sides = np.array(frames.shape[1:])
    spacing = max(SPACING, float(np.sqrt(sides.prod() / MOST_PARTS)))
    edges = np.minimum(EDGE, sides // 2)
    rows, columns = (np.arange(e, n - e + 1, spacing) for e, n in zip(edges, sides, strict=True))
    places = np.array([(y, x) for y in rows for x in columns], float)
    middle = int(np.ceil(min(reach, FAR)))
    speeds = np.stack(np.meshgrid(*[np.arange(-middle, middle + 1.0)] * 2, indexing="ij"))
    products, found = _at_rest(frames, grid), list[_Part]()
    for _ in range(2):  # the spectra that suit the frames at rest do not suit those that move
        inverse = _inverse_covariance(products, transfer, grid, noise)
        found = [_of_part(frames, inverse, grid, times, place, speeds, width) for place in places]
        products = _of_parts(frames, grid, times, found, width)
    shifts, weights, curves = (
        np.stack(values) for values in zip(*(part[1:] for part in found), strict=True)
    )
    resting = curves[:, middle, middle]
    best = curves.max((1, 2))
    gain = float((best - resting - WRONG * (best - np.median(curves, (1, 2)))).max())
    far = np.linalg.norm(speeds, axis=0)
    lost = [np.median(resting - curves[:, far > n - 0.5].max(1)) for n in range(1, middle + 1)]
    smallest = next((n for n, loss in enumerate(lost, start=1) if loss >= CLEAR), np.inf)
    return LocalMotion(places, shifts, weights, gain, float(smallest))


def filled(frames: NDArray[np.floating], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return frames whose unseen pixels are the mean of the seen ones beside them.

    Parameters
    ----------
    frames
        Contrast, (frames, Y, X).
    seen
        Which pixels count.
    """
    sigma = (0.0, BESIDE, BESIDE)
    weight = gaussian_filter(seen.astype(float), sigma)
    mean = gaussian_filter(np.where(seen, frames, 0.0).astype(float), sigma)
    values: NDArray[np.float64] = np.where(seen, frames, mean / np.maximum(weight, 0.1))
    return values


def _smaller(transfer: Transfer, grid: tuple[int, int]) -> tuple[Transfer, tuple[int, int]]:
    """Return transfer functions on a grid of SIDE pixels at most, by their point responses."""
    small = tuple(min(SIDE, n) for n in grid)
    places = [
        np.r_[: (n + 1) // 2, n_all - n // 2 : n_all] for n, n_all in zip(small, grid, strict=True)
    ]
    parts = []
    for part in transfer:
        response = np.fft.irfft2(part, grid)[:, places[0]][..., places[1]]
        parts.append(np.fft.rfft2(response))
    return (parts[0], parts[1]), (small[0], small[1])


def _tiles(frames: NDArray[np.floating], grid: tuple[int, int]) -> Iterator[NDArray[np.floating]]:
    """Yield parts of the frames that a transform can hold."""
    for y in range(0, frames.shape[1], grid[0]):
        for x in range(0, frames.shape[2], grid[1]):
            yield frames[:, y : y + grid[0], x : x + grid[1]]


def _at_rest(frames: NDArray[np.floating], grid: tuple[int, int]) -> NDArray[np.complexfloating]:
    """Return the mean products of the spectra of all frames, (Y, X, K, K), per pixel."""
    tiles = list(_tiles(frames, grid))
    spectra = [np.moveaxis(np.fft.rfft2(tile, grid), 0, -1) for tile in tiles]
    total = sum(one[..., :, None] * one[..., None, :].conj() for one in spectra)
    products: NDArray[np.complexfloating] = total / frames[0].size
    return products


def _of_parts(
    frames: NDArray[np.floating],
    grid: tuple[int, int],
    times: NDArray[np.float64],
    found: Sequence[_Part],
    width: float,
) -> NDArray[np.complexfloating]:
    """Return the same of parts that are moved back by their motion, weighted by how sure it is."""
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


def _inverse_covariance(
    products: NDArray[np.complexfloating], transfer: Transfer, grid: tuple[int, int], noise: float
) -> NDArray[np.complexfloating]:
    """Return the inverse covariance of the frames at rest for each frequency, (Y, X, K, K).

    Spectra are Gaussian; of those that are tried, that with which the products are most likely.
    """
    absorption, phase = (np.moveaxis(part, 0, -1) for part in transfer)
    ky, kx = np.fft.fftfreq(grid[0])[:, None], np.fft.rfftfreq(grid[1])[None]
    squared = (2 * np.pi) ** 2 * (ky**2 + kx**2)
    twice = np.full(absorption.shape[1], 2.0)  # negative frequencies are not stored
    twice[0] = 1.0
    if grid[1] % 2 == 0:
        twice[-1] = 1.0
    of_phase, of_absorption = (
        part[..., None] * part[..., None, :].conj() for part in (phase, absorption)
    )
    of_both = phase[..., None] * absorption[..., None, :].conj()
    of_both = of_both + absorption[..., None] * phase[..., None, :].conj()
    rest = noise**2 * np.eye(products.shape[-1])
    best, kept = -np.inf, np.linalg.inv(rest + of_phase)
    for length, (part, alike), power in product(LENGTHS, ABSORBED, POWERS):
        shape = power * np.exp(-squared * length**2)[..., None, None]
        covariance = rest + shape * (of_phase + part**2 * of_absorption + alike * part * of_both)
        inverse = np.linalg.inv(covariance)
        misfit = np.einsum("yxkl,yxlk->yx", inverse, products).real
        spread = np.linalg.slogdet(covariance)[1]
        likely = -0.5 * float(((misfit + spread) * twice).sum())
        if likely > best:
            best, kept = likely, inverse
    return kept


def _of_part(
    frames: NDArray[np.floating],
    inverse: NDArray[np.complexfloating],
    grid: tuple[int, int],
    times: NDArray[np.float64],
    place: NDArray[np.float64],
    speeds: NDArray[np.float64],
    width: float,
) -> _Part:
    """Return the most likely motion of a part."""
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
            values = -0.5 * (off**2).sum(0) / FREE**2
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
        As above.
    middles
        Of the part in each frame, (frames, 2).
    width
        Its standard deviation.
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
