"""Detection of membranes, filaments and nuclei: a confidence map from the Hessian."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from scipy.ndimage import maximum_filter
from skimage.filters import threshold_otsu

from napari_cellinr.classic.smoothing import CPU, as_array, as_tensor, gaussian_filter
from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch
    from numpy.typing import NDArray

__all__ = ["Kind", "find_kind", "hessian_eigenvalues", "structure"]

Kind: TypeAlias = Literal["auto", "sheet", "filament", "blob"]
"""Shape of the structures; in a single plane both sheet and filament mean lines."""

Scale: TypeAlias = tuple[float, ...]

_SCALES = {"sheet": (1.0,), "filament": (1.0,), "blob": (1.0, 2.0)}  # of the smoothing
_FINEST = 0.8  # smallest standard deviation in voxels that derivatives can be sampled with
_QUANTILE = 0.999  # fraction of pure noise below the noise level
_STEEPNESS = 10.0  # of the sigmoid: 0.12 and 0.88 at 20 % below and above the threshold
_NOISE = (32, 56, 56)  # voxels of simulated noise from which noise levels are measured
_SLAB = 1_000_000  # voxels whose derivatives are in memory at a time


def structure(
    array: NDArray[Any],
    scale: Sequence[float] | None = None,
    *,
    kind: Kind = "auto",
    sign: int = 1,
    noise_sd: float = 1.0,
    grain: float = 0.0,
    smoothing: float = 1.5,
) -> NDArray[np.float32]:
    """Return the confidence that a voxel belongs to a structure, 0 to 1, float32, same shape.

    The eigenvalues of the Hessian of the smoothed image measure its curvature: a bright sheet is
    curved downwards in one direction, a filament in two, a blob in all. This follows the
    structure amplification of CellINR with a threshold that is robust to noise: Otsu's threshold
    of the square root of all responses above the noise level (99.9 % of pure noise). The
    confidence is 0.12 and 0.88 at 20 % below and above it. It is dilated by one voxel, because
    the curvature is narrower than the structure.

    Parameters
    ----------
    array
        Values with the same noise everywhere, axes ZYX or YX, real.
    scale
        Voxel size along each axis, all in the same unit; isotropic if not given.
    kind
        Shape of the structures; `auto` calls `find_kind`.
    sign
        1 for bright structures, −1 for dark ones.
    noise_sd
        Standard deviation of the noise in `array`, in its unit.
    grain
        Standard deviation in voxels of the blur of the noise, as in `Noise.grain`; the residual
        noise of a denoised image has a grain, too.
    smoothing
        Standard deviation of the smoothing in voxels along the last axis; blobs are also
        detected at twice that.

    Raises
    ------
    ConfigError
        If a setting is out of bounds.
    """
    values = np.asarray(array, np.float32)
    steps = _relative(values, scale)
    _check(kind, sign, min(noise_sd, grain), smoothing)
    if kind == "auto":
        kind = find_kind(
            values, scale, sign=sign, noise_sd=noise_sd, grain=grain, smoothing=smoothing
        )
    response = np.zeros(values.shape, np.float32)
    floor = 0.0
    for factor in _SCALES[kind]:
        sigma = factor * smoothing
        level = noise_sd * _noise_level(steps, kind, sigma, grain)
        found = _response(values, steps, kind, sign, sigma)
        np.maximum(response, np.where(found > level, found, 0), out=response)
        floor = max(floor, level)
    threshold = _threshold(response, floor)
    soft = 1 / (1 + np.exp(np.clip(_STEEPNESS * (1 - response / threshold), -50, 50)))
    widened = maximum_filter(soft, [3 if size > 1 else 1 for size in values.shape])
    return np.asarray(widened, np.float32)


def find_kind(
    array: NDArray[Any],
    scale: Sequence[float] | None = None,
    *,
    sign: int = 1,
    noise_sd: float = 1.0,
    grain: float = 0.0,
    smoothing: float = 1.5,
) -> Kind:
    """Return the prevalent shape of the structures in an image: `sheet`, `filament` or `blob`.

    Of the voxels whose curvature at twice the smoothing exceeds the noise, the 10 % with the
    strongest curvature decide by the mean of their sorted eigenvalues: a sheet has one large
    eigenvalue, a filament two, a blob three. In 2-D, a line (`sheet`) has one and a blob two.

    Parameters
    ----------
    array
        As for `structure`; of large images only the middle is used.
    scale, sign, noise_sd, grain, smoothing
        As for `structure`.

    Raises
    ------
    ConfigError
        If a setting is out of bounds.
    """
    values = np.asarray(array, np.float32)
    steps = _relative(values, scale)
    sigma = 2 * smoothing
    middle = tuple(
        slice(max(0, (size - most) // 2), (size + most) // 2)
        for size, most in zip(values.shape, (64, 192, 192)[-values.ndim :], strict=True)
    )
    curvature = -sign * hessian_eigenvalues(values[middle], steps, sigma)
    ordered = np.sort(np.maximum(curvature, 0), axis=-1)[..., ::-1]
    level = noise_sd * _noise_level(steps, "sheet", sigma, grain)
    strong = ordered[ordered[..., 0] > level]
    if len(strong) == 0:
        return "sheet"
    strength = strong.sum(axis=-1)
    means = strong[strength >= np.quantile(strength, 0.9)].mean(axis=0)
    if means[1] < (0.42 if len(means) == 3 else 0.25) * means[0]:
        return "sheet"
    return "filament" if len(means) == 3 and means[2] < 0.165 * means[1] else "blob"


def hessian_eigenvalues(
    array: NDArray[Any], scale: Sequence[float], smoothing: float
) -> NDArray[np.float32]:
    """Return the eigenvalues of the Hessian in increasing order, float32, axes of `array` plus one.

    The Hessian holds the second derivatives of the Gaussian-smoothed image, in its unit per square
    of the unit of `scale`. The smoothing is at least 0.8 voxels along every axis, so that
    derivatives are sampled well enough.

    Parameters
    ----------
    array
        Axes ZYX or YX, real.
    scale
        Voxel size along each axis, all in the same unit.
    smoothing
        Standard deviation of the Gaussian, in the unit of `scale`.
    """
    values = np.asarray(array, np.float32)
    sigmas = tuple(max(smoothing / step, _FINEST) for step in scale)
    result = np.empty((*values.shape, values.ndim), np.float32)
    for inside, wide, inner in _slabs(values.shape, sigmas[0]):
        derivatives = _derivatives(values[wide], sigmas, tuple(scale))
        result[inside] = _eigenvalues({key: part[inner] for key, part in derivatives.items()})
    return result


def _slabs(shape: Scale | tuple[int, ...], sigma: float) -> Iterator[tuple[slice, slice, slice]]:
    """Yield slabs along the first axis: bare, with a margin, and the bare one in the latter."""
    length = int(shape[0])
    margin = math.ceil(4 * sigma) + 1
    thickness = max(1, int(_SLAB * length / max(1, math.prod(shape))))
    for start in range(0, length, thickness):
        stop = min(start + thickness, length)
        first = max(0, start - margin)
        wide = slice(first, min(length, stop + margin))
        yield slice(start, stop), wide, slice(start - first, stop - first)


def _derivatives(
    values: NDArray[Any], sigmas: Scale, scale: Scale
) -> dict[tuple[int, int], NDArray[Any]]:
    """Return all second derivatives by pair of axes, per square of the unit of `scale`.

    What several of them have in common along the first axes is computed once.
    """
    n_axes = values.ndim
    parts: dict[tuple[int, ...], torch.Tensor] = {(): as_tensor(values, CPU)}
    for axis in range(n_axes):
        sigma = [sigmas[axis] * (other == axis) for other in range(n_axes)]
        parts = {
            (*before, order): gaussian_filter(part, sigma, [order] * n_axes)
            for before, part in parts.items()
            for order in range(3 - sum(before))
            if axis < n_axes - 1 or sum(before) + order == 2
        }
    derivatives = {}
    for first, second in itertools.combinations_with_replacement(range(n_axes), 2):
        order = tuple((axis == first) + (axis == second) for axis in range(n_axes))
        derivatives[first, second] = as_array(parts[order]) / np.float32(
            scale[first] * scale[second]
        )
    return derivatives


def _eigenvalues(hessian: dict[tuple[int, int], NDArray[Any]]) -> NDArray[Any]:
    """Return the eigenvalues of symmetric matrices, increasing, in closed form (Smith 1961)."""
    if len(hessian) == 3:
        mean = (hessian[0, 0] + hessian[1, 1]) / 2
        spread = np.hypot((hessian[0, 0] - hessian[1, 1]) / 2, hessian[0, 1])
        return np.stack([mean - spread, mean + spread], axis=-1)
    xy, xz, yz = (hessian[pair].astype(np.float64) for pair in ((0, 1), (0, 2), (1, 2)))
    diagonal = [hessian[axis, axis].astype(np.float64) for axis in range(3)]
    mean = sum(diagonal[1:], diagonal[0]) / 3
    a, b, c = (part - mean for part in diagonal)
    radius = np.sqrt((a * a + b * b + c * c + 2 * (xy * xy + xz * xz + yz * yz)) / 6)
    determinant = a * (b * c - yz * yz) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz)
    cosine = determinant / np.maximum(2 * radius**3, 1e-300)
    angle = np.arccos(np.clip(cosine, -1, 1)) / 3
    highest = mean + 2 * radius * np.cos(angle)
    lowest = mean + 2 * radius * np.cos(angle + 2 * math.pi / 3)
    return np.stack([lowest, 3 * mean - lowest - highest, highest], axis=-1)


def _response(
    values: NDArray[Any], steps: Scale, kind: str, sign: int, sigma: float
) -> NDArray[np.float32]:
    """Return the downward curvature of a kind of structure, 0 or more, times sigma².

    The factor sigma² normalises it between scales (Lindeberg 1998). For a blob it is the mean
    curvature, for a filament the second strongest, for a sheet the strongest.
    """
    if kind == "blob":
        sigmas = [max(sigma / step, _FINEST) for step in steps]
        curvature: NDArray[Any] = np.zeros(values.shape, np.float32)
        image = as_tensor(values, CPU)
        for axis, step in enumerate(steps):
            order = [2 * (other == axis) for other in range(values.ndim)]
            weight = np.float32(-sign / (step**2 * values.ndim))
            curvature += weight * as_array(gaussian_filter(image, sigmas, order))
    else:
        rank = int(kind == "filament" and values.ndim == 3)
        eigenvalues = hessian_eigenvalues(values, steps, sigma)
        curvature = -eigenvalues[..., rank] if sign > 0 else eigenvalues[..., -1 - rank]
    return np.asarray(np.maximum(curvature, 0) * sigma**2, np.float32)


@lru_cache(maxsize=64)
def _noise_level(steps: Scale, kind: str, sigma: float, grain: float) -> float:
    """Return the 99.9 % quantile of the response to pure noise of standard deviation 1.

    Measured on simulated noise with a fixed seed, because it depends on the voxel size.
    """
    border = tuple(math.ceil(3 * max(sigma / step, _FINEST)) for step in steps)
    inner = _NOISE if len(steps) == 3 else (320, 320)
    shape = tuple(size + 2 * edge for size, edge in zip(inner, border, strict=True))
    noise = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    if grain > 0:
        noise = as_array(gaussian_filter(as_tensor(noise, CPU), grain))
        noise /= noise.std()
    inside = tuple(slice(edge, -edge) for edge in border)
    return float(np.quantile(_response(noise, steps, kind, 1, sigma)[inside], _QUANTILE))


def _threshold(response: NDArray[Any], floor: float) -> float:
    """Return Otsu's threshold of the responses above the noise, at least `floor` and above 0.

    It is computed on the square root, so that a few very bright structures do not hide others.
    """
    found = response[response > max(floor, 1e-12)]
    if found.size < 2 or found.min() == found.max():
        return max(floor, 1e-12)
    root = threshold_otsu(np.sqrt(found))  # type: ignore[no-untyped-call]
    return max(float(root) ** 2, floor)


def _relative(values: NDArray[Any], scale: Sequence[float] | None) -> Scale:
    """Return the voxel size along each axis relative to the last axis."""
    steps = tuple(float(step) for step in scale) if scale is not None else (1.0,) * values.ndim
    if values.ndim not in (2, 3) or len(steps) != values.ndim or min(steps) <= 0:
        raise ConfigError(
            f"an array of shape {values.shape} and voxel size {steps} were given; 2 or 3 axes "
            "and one positive size per axis are needed."
        )
    return tuple(step / steps[-1] for step in steps)


def _check(kind: str, sign: int, noise: float, smoothing: float) -> None:
    if kind not in get_args(Kind) or sign not in (1, -1) or noise < 0 or smoothing <= 0:
        raise ConfigError(
            f"kind {kind!r}, sign {sign}, noise {noise} and smoothing {smoothing} were given; "
            f"kind must be one of {get_args(Kind)}, sign 1 or -1, noise not negative and "
            f"smoothing positive."
        )
