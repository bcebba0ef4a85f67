"""Simulated embryos with ground truth, for sample data, tests and benchmarks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from napari_cellinr.errors import ConfigError
from napari_cellinr.image import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "VOXEL_SIZE",
    "EmbryoKind",
    "EmbryoSample",
    "add_noise",
    "check_noise",
    "embryo",
    "embryo_series",
]

EmbryoKind: TypeAlias = Literal["membranes", "nuclei"]
"""The stained structures: membranes between cells, or nuclei inside them."""

Points: TypeAlias = "NDArray[np.float64]"

VOXEL_SIZE = (0.5, 0.25, 0.25)
"""Voxel size Z, Y, X in micrometres, plausible for a spinning disk and a water objective."""

_PSF = (1.5, 0.9, 0.9)  # standard deviations along Z, Y, X in voxels
_CELL_VOLUME = 48 * 96 * 96 / 21  # voxels of the whole stack per cell
_SHEET = 0.1  # standard deviation of a membrane's profile before the blur, micrometres
_PEAK = {"membranes": 122.0, "nuclei": 110.0}  # 99.5th percentile of the signal, grey levels


@dataclass(frozen=True, eq=False)
class EmbryoSample:
    """A simulated stack and its ground truth; axes ZYX or YX, float32, range of 8-bit grey levels.

    Parameters
    ----------
    raw
        The camera image: signal, background (out-of-focus light) and noise. Not clipped and not
        rounded, so that the noise has mean zero everywhere; dark voxels may be below zero.
    truth
        The blurred signal alone.
    truth_with_background
        Signal plus background: the mean of `raw` over many exposures.
    labels
        Number of the cell that each voxel lies in, int32 from 1; 0 outside the embryo.
    """

    raw: Image
    truth: Image
    truth_with_background: Image
    labels: Image


def embryo(
    kind: EmbryoKind = "membranes",
    size: tuple[int, ...] = (48, 96, 96),
    seed: int = 0,
    *,
    gain: float = 2.0,
    read_noise: float = 8.0,
    background: tuple[float, float] = (4.0, 39.0),
    n_cells: int | None = None,
) -> EmbryoSample:
    """Return a noisy simulated embryo with its ground truth; the same seed gives the same voxels.

    Cells are the Voronoi regions of random centres inside an ellipsoid. They are stained
    unevenly, blurred by a Gaussian point-spread function (standard deviation 1.5, 0.9, 0.9
    voxels), superposed by a smooth background, and get photon noise and camera noise.

    Parameters
    ----------
    kind
        `membranes` for sheets, `nuclei` for textured blobs.
    size
        Number of voxels Z, Y, X, or Y, X for a single plane; at least 4 each.
    seed
        Random seed, 0 or more.
    gain
        Grey levels per photon; 0 for no photon noise.
    read_noise
        Standard deviation of the camera noise in grey levels.
    background
        Smallest and largest brightness of the background (out-of-focus light) in grey levels.
    n_cells
        Number of cells; proportional to the volume if not given, 21 at the default size.

    Raises
    ------
    ConfigError
        If a parameter is out of bounds.
    """
    _check(kind, size, gain, read_noise, background, n_cells)
    generator = np.random.default_rng(seed)
    positions = _positions(size)
    axes_lengths = 0.42 * np.array(size) * VOXEL_SIZE[-len(size) :]  # semi-axes in micrometres
    n_cells = n_cells or max(2, round(math.prod(size) / _cell_size(len(size))))
    centres = _centres(n_cells, axes_lengths, generator)
    draw = _membranes if kind == "membranes" else _nuclei
    stain = draw(positions, centres, axes_lengths, generator)
    clean = gaussian_filter(stain * _variation(size, generator), _PSF[-len(size) :])
    clean *= _PEAK[kind] / max(float(np.percentile(clean, 99.5)), 1e-9)
    mean = clean + _background(positions, axes_lengths, background, generator)
    raw = add_noise(mean, gain, read_noise, generator)
    return EmbryoSample(
        raw=_image(raw, "raw", kind, seed),
        truth=_image(clean, "truth", kind, seed),
        truth_with_background=_image(mean, "truth with background", kind, seed),
        labels=_image(_cells(positions, centres, axes_lengths), "cells", kind, seed),
    )


def embryo_series(
    kind: EmbryoKind = "membranes",
    size: tuple[int, ...] = (10, 48, 96, 96),
    seed: int = 0,
    *,
    gain: float = 2.0,
    read_noise: float = 8.0,
    speed: float = 0.15,
    bleaching: float = 0.0,
) -> EmbryoSample:
    """Return a noisy time series of an embryo with moving cells; axes TZYX or TYX.

    As `embryo`, but the centres of the cells drift, each in its own slowly turning direction;
    membranes and nuclei follow. Uneven staining and background stay in place.

    Parameters
    ----------
    kind, seed, gain, read_noise
        As for `embryo`.
    size
        Number of frames, and of voxels along each axis.
    speed
        Distance that a centre moves from frame to frame, in micrometres.
    bleaching
        Fraction of the light, including the background, that is lost from frame to frame.

    Raises
    ------
    ConfigError
        If a parameter is out of bounds.
    """
    shape = size[1:]
    _check(kind, shape, gain, read_noise, (0.0, 0.0), None)
    generator = np.random.default_rng(seed)
    positions = _positions(shape)
    axes_lengths = 0.42 * np.array(shape) * VOXEL_SIZE[-len(shape) :]
    n_cells = max(2, round(math.prod(shape) / _cell_size(len(shape))))
    tracks = _tracks(_centres(n_cells, axes_lengths, generator), size[0], speed, generator)
    draw = _membranes if kind == "membranes" else _nuclei
    variation = _variation(shape, generator)
    background = _background(positions, axes_lengths, (4.0, 39.0), generator)
    cleans = [
        gaussian_filter(
            draw(positions, centres, axes_lengths, np.random.default_rng((seed, 1))) * variation,
            _PSF[-len(shape) :],
        )
        for centres in tracks
    ]
    level = _PEAK[kind] / max(float(np.percentile(cleans[0], 99.5)), 1e-9)
    left = ((1 - bleaching) ** np.arange(size[0])).reshape(-1, *(1,) * len(shape))
    clean = np.stack(cleans) * level * left
    mean = clean + background * left
    labels = np.stack([_cells(positions, centres, axes_lengths) for centres in tracks])
    return EmbryoSample(
        raw=_image(add_noise(mean, gain, read_noise, generator), "raw", kind, seed, series=True),
        truth=_image(clean, "truth", kind, seed, series=True),
        truth_with_background=_image(mean, "truth with background", kind, seed, series=True),
        labels=_image(labels, "cells", kind, seed, series=True),
    )


def _tracks(
    centres: Points, n_frames: int, speed: float, generator: np.random.Generator
) -> list[Points]:
    """Return the centres in each frame, (n, n axes), micrometres."""
    heading = generator.standard_normal(centres.shape)
    tracks = [centres]
    for _ in range(1, n_frames):
        heading = heading + 0.4 * generator.standard_normal(centres.shape)
        heading /= np.linalg.norm(heading, axis=1, keepdims=True)
        tracks.append(tracks[-1] + speed * heading)
    return tracks


def add_noise(
    mean: NDArray[Any], gain: float, read_noise: float, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Return one noisy exposure, float32, shape of `mean`, in grey levels, not clipped.

    Parameters
    ----------
    mean
        Expected brightness in grey levels, any axes, real; negative values give no photons.
    gain
        Grey levels per photon; 0 for no photon noise.
    read_noise
        Standard deviation of the camera noise in grey levels.
    generator
        Random generator.
    """
    exposed: Points = np.asarray(mean, np.float64)
    if gain > 0:
        exposed = gain * generator.poisson(np.maximum(exposed, 0) / gain).astype(np.float64)
    noisy = exposed + read_noise * generator.standard_normal(exposed.shape)
    return np.asarray(noisy, np.float32)


def _positions(size: tuple[int, ...]) -> Points:
    """Return the voxel positions relative to the centre, (*size, n axes), micrometres."""
    voxel = VOXEL_SIZE[-len(size) :]
    grids = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip(size, voxel, strict=True)]
    return np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1)


def _cell_size(n_dimensions: int) -> float:
    """Return the number of voxels per cell."""
    return _CELL_VOLUME if n_dimensions == 3 else 96 * 96 / 8


def _centres(n_cells: int, lengths: Points, generator: np.random.Generator) -> Points:
    """Return centres inside the ellipsoid, (n, n axes), micrometres, well apart.

    Mitchell's best-candidate sampling (1991), so that cells have similar sizes.
    """
    centres = np.empty((0, len(lengths)))
    while len(centres) < n_cells:
        candidates = generator.uniform(-1, 1, (40, len(lengths)))
        candidates = candidates[np.linalg.norm(candidates, axis=1) < 0.8] * lengths
        if len(candidates) == 0:
            continue
        distances = cKDTree(centres).query(candidates)[0] if len(centres) else [0.0]
        centres = np.vstack([centres, candidates[np.argmax(distances)]])
    return centres


def _cells(positions: Points, centres: Points, lengths: Points) -> NDArray[np.int32]:
    """Return the number of the cell, from 1, that each voxel lies in; 0 outside the embryo."""
    nearest = cKDTree(centres).query(positions)[1]
    inside = _radius(positions, lengths) < 1
    return np.where(inside, nearest + 1, 0).astype(np.int32)


def _membranes(
    positions: Points, centres: Points, lengths: Points, generator: np.random.Generator
) -> Points:
    """Return the stain of thin sheets between neighbouring cells and around the embryo."""
    distances, nearest = cKDTree(centres).query(positions, k=2)
    normals = centres[nearest[..., 1]] - centres[nearest[..., 0]]
    gaps = np.linalg.norm(normals, axis=-1)
    to_wall = (distances[..., 1] ** 2 - distances[..., 0] ** 2) / (2 * gaps)
    inner = _sheet(to_wall, normals / gaps[..., None]) * _pair_stain(nearest, generator)
    slopes = positions / lengths**2
    radius = _radius(positions, lengths)
    steepness = np.maximum(np.linalg.norm(slopes, axis=-1), 1e-9)
    to_surface = (radius - 1) * radius / steepness
    outer = _sheet(to_surface, slopes / steepness[..., None])
    stain: Points = np.where(radius < 1, np.maximum(inner, outer), outer)
    return stain


def _sheet(distance: Points, normal: Points) -> Points:
    """Return the profile of a sheet averaged over each voxel, which is wider along Z."""
    voxel = np.array(VOXEL_SIZE[-normal.shape[-1] :])
    width = np.sqrt(_SHEET**2 + np.sum((normal * voxel) ** 2, axis=-1) / 12)
    profile: Points = _SHEET / width * np.exp(-0.5 * (distance / width) ** 2)
    return profile


def _pair_stain(pairs: NDArray[np.intp], generator: np.random.Generator) -> Points:
    """Return the relative brightness, about 1, of the membrane nearest to each voxel."""
    n_cells = int(pairs.max()) + 1
    table = generator.uniform(0.7, 1.3, (n_cells, n_cells))
    brightness: Points = (table + table.T)[pairs[..., 0], pairs[..., 1]] / 2
    return brightness


def _nuclei(
    positions: Points, centres: Points, lengths: Points, generator: np.random.Generator
) -> Points:
    """Return the stain of one textured blob in each cell."""
    spacing = float(np.mean(cKDTree(centres).query(centres, k=2)[0][:, 1]))
    radii = spacing * generator.uniform(0.35, 0.45, len(centres))
    brightness = generator.uniform(0.6, 1.0, len(centres))
    distances, nearest = cKDTree(centres).query(positions)
    ball = brightness[nearest] / (1 + np.exp((distances - radii[nearest]) / 0.1))
    voxel = np.array(VOXEL_SIZE[-positions.shape[-1] :])
    texture = gaussian_filter(generator.standard_normal(ball.shape), 0.4 / voxel)
    blobs: Points = ball * np.clip(1 + 0.35 * texture / texture.std(), 0.2, None)
    return blobs


def _variation(size: tuple[int, ...], generator: np.random.Generator) -> Points:
    """Return a smooth random factor of about 1: uneven staining."""
    return np.exp(0.25 * _smooth_noise(size, 2.0, generator))


def _background(
    positions: Points, lengths: Points, bounds: tuple[float, float], generator: np.random.Generator
) -> Points:
    """Return a smooth background, strongest inside the embryo, in grey levels."""
    size = positions.shape[:-1]
    body = 1 / (1 + np.exp((_radius(positions, lengths) - 0.98) / 0.15))
    glow = body * np.exp(0.2 * _smooth_noise(size, 4.0, generator))
    low, high = float(glow.min()), float(glow.max())
    scaled: Points = bounds[0] + (bounds[1] - bounds[0]) * (glow - low) / max(high - low, 1e-9)
    return scaled


def _smooth_noise(size: tuple[int, ...], width: float, generator: np.random.Generator) -> Points:
    """Return random values of mean 0 and standard deviation 1 that vary over `width` µm."""
    sigma = width / np.array(VOXEL_SIZE[-len(size) :])
    values: Points = gaussian_filter(generator.standard_normal(size), sigma, mode="wrap")
    values -= values.mean()
    values /= max(float(values.std()), 1e-9)
    return values


def _radius(positions: Points, lengths: Points) -> Points:
    """Return the distance from the centre, 1 on the surface of the ellipsoid."""
    radius: Points = np.linalg.norm(positions / lengths, axis=-1)
    return radius


def _image(data: NDArray[Any], name: str, kind: str, seed: int, *, series: bool = False) -> Image:
    """Return a calibrated image, float32 unless it holds labels."""
    n_spatial = data.ndim - series
    return Image(
        data if data.dtype == np.int32 else data.astype(np.float32),
        axes="TZYX"[4 - data.ndim :] if n_spatial == 3 else "TYX"[3 - data.ndim :],
        scale=(*(1.0,) * series, *VOXEL_SIZE[-n_spatial:]),
        units=(*("second",) * series, *("micrometer",) * n_spatial),
        name=f"embryo {kind} {name}",
        meta={"simulated": kind, "seed": seed},
    )


def _check(
    kind: str,
    size: tuple[int, ...],
    gain: float,
    read_noise: float,
    background: tuple[float, float],
    n_cells: int | None,
) -> None:
    """Raise an error for parameters that are out of bounds."""
    if kind not in _PEAK:
        raise ConfigError(f"kind {kind!r} was given; {' and '.join(_PEAK)} are allowed.")
    if len(size) not in (2, 3) or min(size) < 4:
        raise ConfigError(f"size {size} was given; 2 or 3 sizes of at least 4 voxels are needed.")
    check_noise(gain, read_noise)
    if not 0 <= background[0] <= background[1]:
        raise ConfigError(
            f"background {background} was given; two increasing values from 0 are needed."
        )
    if n_cells is not None and n_cells < 2:
        raise ConfigError(f"n_cells {n_cells} was given; at least 2 are needed.")


def check_noise(gain: float, read_noise: float) -> None:
    """Raise `ConfigError` if a parameter of the noise is negative.

    Parameters
    ----------
    gain
        Grey levels per photon.
    read_noise
        Standard deviation of the camera noise in grey levels.
    """
    if gain < 0 or read_noise < 0:
        raise ConfigError(
            f"gain {gain} and read noise {read_noise} were given; neither may be negative."
        )
