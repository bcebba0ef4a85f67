"""Simulated movies of cells that migrate, rotate and divide, with a finer ground truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from napari_cellinr.classic.sampling import Sampling, placed
from napari_cellinr.errors import ConfigError
from napari_cellinr.image import Image
from napari_cellinr.simulate.embryo import add_noise, check_noise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["TICKS", "VOXEL_SIZE", "CellsSample", "cells", "thinned"]

Points: TypeAlias = "NDArray[np.float64]"

TICKS = 6
"""Ticks, the internal unit of time, per frame of the movie."""

VOXEL_SIZE = (1.0, 0.25, 0.25)
"""Voxel size Z, Y, X of the movie in micrometres."""

FRAME = 60.0
"""Frame interval of the movie in seconds."""

_PSF = (0.3, 0.175, 0.175)  # standard deviations along Z, Y, X, µm: a confocal, water objective
_RADIUS = 2.4  # mean radius of a cell, µm
_CORTEX = 0.22  # standard deviation of the bright layer under the membrane, µm
_BODY, _OFFSET, _PEAK = 0.45, 10.0, 200.0  # fraction of cytoplasm; camera offset, peak: grey levels
_NECK = 0.35  # width of the neck between two daughter cells, µm
_SPEED = 0.2  # mean distance per tick, µm
_SUBSTEPS = 4  # integration steps of the motion per tick


@dataclass(frozen=True, eq=False)
class CellsSample:
    """A simulated movie and its ground truth; axes TZYX, grey levels.

    Parameters
    ----------
    raw
        The movie, float32: every n-th frame and means over m planes of the truth, plus noise;
        not clipped and not rounded.
    truth
        The same cells with finer steps in time and along Z, blurred but without noise, float32.
    labels
        Number of the cell that each voxel of `truth` lies in, int32 from 1; 0 outside. Daughter
        cells get their own labels when the division is half complete.
    """

    raw: Image
    truth: Image
    labels: Image


@dataclass(frozen=True, eq=False)
class _Cell:
    """The constant properties of a cell; times in ticks, lengths in µm."""

    radius: float
    lengths: Points  # of the semi-axes relative to the radius
    turn: Points  # rotation vector per tick
    turned: Rotation  # orientation at tick 0
    divides_at: float
    pace: float  # duration of the division, ticks
    waves: Points  # (n, 6): direction, amplitude, frequency, phase of shape changes
    texture: Points
    brightness: float


def cells(
    size: tuple[int, int, int, int] = (5, 12, 80, 80),
    seed: int = 0,
    *,
    refine: tuple[int, int] = (6, 4),
    n_cells: int | None = None,
    speed: float = 1.0,
    gain: float = 0.0,
    read_noise: float = 0.0,
) -> CellsSample:
    """Return a movie of cells with nonlinear motion; the same seed gives the same voxels.

    Cells accelerate, slow down and follow curves; they rotate, change their shape, avoid each
    other, and some divide. The cytoplasm has a texture that moves with the cell, and is
    surrounded by a brighter cortex. The default takes about 7 seconds.

    Parameters
    ----------
    size
        Number of frames and voxels T, Z, Y, X of the movie.
    seed
        Random seed, 0 or more.
    refine
        Factors by which the truth is finer in time and along Z: its sizes are
        (T − 1) · refine[0] + 1 and Z · refine[1].
    n_cells
        Number of cells in the first frame; proportional to the volume if not given.
    speed
        Factor for all motion; at 1, cells move by about 1.2 µm per frame, half a radius.
    gain
        Grey levels per photon; 0 for no photon noise.
    read_noise
        Standard deviation of the camera noise in grey levels.

    Raises
    ------
    ConfigError
        If a parameter is out of bounds.
    """
    _check(size, refine, n_cells, gain, read_noise)
    generator = np.random.default_rng(seed)
    box = np.array(size[1:]) * VOXEL_SIZE  # µm
    n_ticks = (size[0] - 1) * TICKS
    n_cells = n_cells or max(2, round(float(np.prod(box)) / 330))
    members = [_cell(generator, n_ticks, i) for i in range(n_cells)]
    paths = _paths(members, box, n_ticks, speed, generator)
    times = np.arange((size[0] - 1) * refine[0] + 1) * TICKS / refine[0]
    step = np.array([VOXEL_SIZE[0] / refine[1], *VOXEL_SIZE[1:]])
    shape = (size[1] * refine[1], *size[2:])
    frames = [_frame(members, paths, t, shape, step) for t in times]
    scale = (FRAME / refine[0], *step)
    truth = _image(np.stack([f[0] for f in frames]), scale, "cells truth", seed)
    labels = _image(np.stack([f[1] for f in frames]), scale, "cells labels", seed)
    movie = thinned(truth, {"t": refine[0], "z": refine[1]})
    noisy = add_noise(movie.array(), gain, read_noise, generator)
    return CellsSample(movie.like(noisy, name="cells"), truth, labels)


def thinned(image: Image, factors: Mapping[str, int]) -> Image:
    """Return an image with fewer frames and larger voxels, at the same position.

    Parameters
    ----------
    image
        Any axes, real.
    factors
        Whole factor by axis letter: in time every n-th frame is used, starting with the first;
        in space n voxels are averaged into one. Voxels left over at the end are dropped.
    """
    data, maps = image.array(), {}
    for letter, factor in factors.items():
        axis = letter.upper()
        place, size = image.axes.index(axis), image.sizes[axis]
        if axis == "T":
            data = data[(slice(None),) * place + (slice(None, None, factor),)]
            maps[axis] = Sampling(size, data.shape[place], 0.0, factor)
        else:
            n_out = size // factor
            kept = np.take(data, np.arange(n_out * factor), place)
            blocks = (*kept.shape[:place], n_out, factor, *kept.shape[place + 1 :])
            data = kept.reshape(blocks).mean(axis=place + 1, dtype=np.float32)
            maps[axis] = Sampling(size, n_out, (factor - 1) / 2, factor)
    return placed(image, data, maps)


def _cell(generator: np.random.Generator, n_ticks: int, number: int) -> _Cell:
    """Return a cell with random size, shape, texture and motion; every third one divides."""
    axis = _direction(generator)
    waves = np.column_stack(
        [
            np.stack([_direction(generator) for _ in range(4)]),
            generator.uniform(0.04, 0.1, 4),
            2 * math.pi / generator.uniform(10, 30, 4),
            generator.uniform(0, 2 * math.pi, 4),
        ]
    )
    texture = gaussian_filter(generator.standard_normal((32, 32, 32)), 1.6, mode="wrap")
    middle = generator.uniform(0.3, 0.7) * max(n_ticks, 1)
    return _Cell(
        radius=_RADIUS * generator.uniform(0.85, 1.15),
        lengths=np.array([generator.uniform(1.1, 1.35), 0.95, 0.95]),
        turn=axis * generator.uniform(0.01, 0.07),
        turned=Rotation.random(rng=generator),
        divides_at=middle if number % 3 == 0 else math.inf,
        pace=generator.uniform(1.5, 3.0),
        waves=waves,
        texture=np.clip(1 + 0.45 * texture / texture.std(), 0.1, None),
        brightness=generator.uniform(0.7, 1.0),
    )


def _direction(generator: np.random.Generator) -> Points:
    """Return a unit vector, uniformly distributed over all directions."""
    vector: Points = generator.standard_normal(3)
    return vector / np.linalg.norm(vector)


def _paths(
    members: list[_Cell], box: Points, n_ticks: int, speed: float, generator: np.random.Generator
) -> Points:
    """Return the position of each cell over time, (steps, cells, 3), µm; `_SUBSTEPS` per tick.

    The speed oscillates, the direction turns at a constant rate, neighbours and walls repel.
    """
    radii = np.array([member.radius for member in members])
    places = _scattered(radii, box, generator)
    heading = np.stack([_direction(generator) for _ in members]) * [0.5, 1, 1]
    axes = np.stack([_direction(generator) for _ in members])
    bend = generator.uniform(0.03, 0.12, len(members))
    period, phase = generator.uniform(14, 30, len(members)), generator.uniform(0, 1, len(members))
    drive = _SPEED * generator.uniform(0.6, 1.4, len(members))
    path = [places]
    for step in range(n_ticks * _SUBSTEPS):
        tick = step / _SUBSTEPS
        beat = 0.2 + 1.6 * np.sin(math.pi * (tick / period + phase)) ** 2
        turned = Rotation.from_rotvec(axes * (bend * tick)[:, None]).apply(heading)
        velocity = turned * (drive * beat)[:, None]
        spread = np.array([1 + 0.35 * _parting(member, tick) for member in members])
        velocity += _pushes(places, radii * spread, box)
        places = places + speed * velocity / _SUBSTEPS
        path.append(places)
    return np.stack(path)


def _scattered(radii: Points, box: Points, generator: np.random.Generator) -> Points:
    """Return positions in the box, well apart as far as there is room, (n, 3), µm."""
    margin = np.minimum(1.1 * _RADIUS, 0.45 * box)
    places = np.empty((0, 3))
    for _ in radii:
        tried = generator.uniform(margin, box - margin, (60, 3))
        gaps = np.linalg.norm(tried[:, None] - places, axis=-1).min(axis=1, initial=1e9)
        places = np.vstack([places, tried[np.argmax(gaps)]])
    return places


def _pushes(places: Points, radii: Points, box: Points) -> Points:
    """Return the velocity due to repulsion by other cells and walls, (n, 3), µm per tick."""
    apart = places[:, None] - places
    distance = np.linalg.norm(apart, axis=-1) + 1e-9
    overlap = np.maximum(1.1 * (radii[:, None] + radii) - distance, 0)
    np.fill_diagonal(overlap, 0)
    push = 0.25 * np.einsum("ij,ijk->ik", overlap / distance, apart)
    margin = np.minimum(radii[:, None], 0.4 * box)
    inward = np.maximum(margin - places, 0) - np.maximum(places - (box - margin), 0)
    total: Points = push + 0.4 * inward
    return total


def _parting(member: _Cell, tick: float) -> float:
    """Return the progress of the division of a cell, 0 to 1, a sigmoid in time."""
    if math.isinf(member.divides_at):
        return 0.0
    return 1 / (1 + math.exp(-np.clip((tick - member.divides_at) / member.pace, -30, 30)))


def _frame(
    members: list[_Cell], paths: Points, tick: float, shape: tuple[int, ...], step: Points
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return brightness and labels at one time, axes ZYX."""
    stain = np.zeros(shape)
    nearest = np.full(shape, np.inf)
    labels = np.zeros(shape, np.int32)
    row = tick * _SUBSTEPS
    before = min(int(row), len(paths) - 1)
    after = min(before + 1, len(paths) - 1)
    places = paths[before] + (row - before) * (paths[after] - paths[before])
    for i, member in enumerate(members):
        reach = 2.2 * member.radius + 3 * _CORTEX
        low = np.clip(np.floor((places[i] - reach) / step), 0, shape).astype(int)
        high = np.clip(np.ceil((places[i] + reach) / step), 0, shape).astype(int)
        part = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        grids = [(np.arange(a, b) + 0.5) * h for a, b, h in zip(low, high, step, strict=True)]
        offsets = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1) - places[i]
        if offsets.size == 0:
            continue
        depth, lobe, texture = _shape(member, offsets, tick)
        stain[part] = np.maximum(stain[part], _stain(member, depth, texture))
        names = i + 1 + lobe * len(members) * (_parting(member, tick) > 0.5)
        owned = (depth < nearest[part]) & (depth < 0)
        labels[part] = np.where(owned, names, labels[part])
        nearest[part] = np.minimum(nearest[part], depth)
    blurred = gaussian_filter(stain, np.array(_PSF) / step)
    return (_OFFSET + _PEAK * blurred).astype(np.float32), labels


def _shape(member: _Cell, offsets: Points, tick: float) -> tuple[Points, NDArray[np.int_], Points]:
    """Return signed distance to the surface in µm (inside < 0); daughter, 1 or 2; texture."""
    turned = Rotation.from_rotvec(member.turn * tick) * member.turned
    local = offsets @ turned.as_matrix()
    parted = _parting(member, tick)
    radius = member.radius * (1 - (1 - 2 ** (-1 / 3)) * parted) - 0.7 * _NECK * (1 - parted)
    lengths = 1 + (member.lengths - 1) * (1 - 0.8 * parted)
    half = np.array([0.95 * member.radius * parted, 0, 0])
    first, second = local - half, local + half
    one = _lobe(member, first, radius, lengths, tick)
    two = _lobe(member, second, radius, lengths, tick) if parted > 0 else one
    lobe = np.where(one <= two, 1, 2)
    depth = -_NECK * np.logaddexp(-one / _NECK, -two / _NECK)
    own = np.where((one <= two)[..., None], first, second)
    places = np.moveaxis(own / 0.22 + 16, -1, 0)  # a texture voxel is 0.22 µm wide
    return depth, lobe, map_coordinates(member.texture, places, order=1, mode="grid-wrap")


def _lobe(member: _Cell, local: Points, radius: float, lengths: Points, tick: float) -> Points:
    """Return the approximate distance to the surface of one deforming ellipsoid, in µm."""
    scaled = local / lengths
    length = np.linalg.norm(scaled, axis=-1) + 1e-9
    directions = scaled / length[..., None]
    bulge = np.zeros(length.shape)
    for i, wave in enumerate(member.waves):
        along = directions @ wave[:3]
        form = along**2 - 1 / 3 if i % 2 else along**3
        bulge += wave[3] * math.sin(wave[4] * tick + wave[5]) * form
    distance: Points = length - radius * (1 + bulge)
    return distance


def _stain(member: _Cell, depth: Points, texture: Points) -> Points:
    """Return the brightness of cytoplasm and cortex."""
    inside = 1 / (1 + np.exp(np.clip(depth / 0.06, -30, 30)))
    cortex = np.exp(-0.5 * ((depth + _CORTEX) / _CORTEX) ** 2)
    total: Points = member.brightness * (_BODY * inside * texture + (1 - _BODY) * cortex)
    return total


def _image(data: NDArray[Any], scale: tuple[float, ...], name: str, seed: int) -> Image:
    """Return a calibrated image; the outer edge of the first voxel is at 0."""
    return Image(
        data,
        "TZYX",
        scale,
        ("second", *("micrometer",) * 3),
        name,
        translate=(0.0, *(step / 2 for step in scale[1:])),
        meta={"simulated": "cells", "seed": seed},
    )


def _check(
    size: tuple[int, ...],
    refine: tuple[int, ...],
    n_cells: int | None,
    gain: float,
    read_noise: float,
) -> None:
    """Raise an error for parameters that are out of bounds."""
    if len(size) != 4 or size[0] < 1 or min(size[1:]) < 4:
        raise ConfigError(
            f"size {size} was given; at least 1 frame, and at least 4 voxels along Z, Y, X, are "
            "needed."
        )
    if len(refine) != 2 or min(refine) < 1:
        raise ConfigError(f"refine {refine} was given; two whole numbers of at least 1 are needed.")
    if n_cells is not None and n_cells < 1:
        raise ConfigError(f"n_cells {n_cells} was given; at least 1 is needed.")
    check_noise(gain, read_noise)
