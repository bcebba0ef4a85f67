"""Structured illumination: raw frames in order, transfer functions, and illumination patterns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.acquisition.grey_levels import to_unit
from napari_cellinr.acquisition.measurement import (
    Measurement,
    exact,
    frame_starts,
    single_channel,
    stated,
    voxel_of,
)
from napari_cellinr.acquisition.otf_file import read_otf
from napari_cellinr.acquisition.sim_light import Light, estimate_light, light_warnings
from napari_cellinr.errors import ConfigError
from napari_cellinr.optics.otf import check_pixel, from_table, ideal_bands, ideal_plane
from napari_cellinr.optics.sim import ADJUSTABLE, SIMModel
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.config.optics.sim import SIM2D, SIM3D
    from napari_cellinr.image import Image

__all__ = ["sim2d", "sim3d"]


def sim2d(image: Image, optics: SIM2D) -> Measurement:
    """Return planes (shots, Y, X) with any carriers, each frame with its own phases.

    Parameters
    ----------
    image
        Grey levels; all axes but Y and X count the raw frames.
    optics
        Settings of the microscope.

    Raises
    ------
    AxesError, ConfigError, DataError, FileError
        If sets are incomplete, or pixels are unknown, not square or too large.
    """
    values = single_channel(image, optics.kind)
    values = values.reshape(-1, *values.shape[-2:])
    phases = stated(optics.phases)
    n_patterns = len(phases)
    _check_count(len(values), n_patterns, f"{n_of(n_patterns, 'row')} of phases")
    pixel = None if optics.pixel_size is None else (optics.pixel_size,) * 2
    voxel = _square(voxel_of(image, pixel, "YX", needed_for="sim2d"))
    na, wavelength = stated(optics.na), stated(optics.wavelength)
    check_pixel(voxel[1], na, wavelength)
    times, timed = frame_starts(len(values), image, optics.frame_time, optics.frame_times)
    grid = SIMModel.grid(values.shape[1:])
    if optics.otf is None:
        transfers = ideal_plane(grid, voxel[1], na, wavelength)[None]
    else:
        table, steps = read_otf(optics.otf, None, (1.0, voxel[1]))
        cutoff = 2 * na / wavelength
        transfers = from_table(table[:1], steps, (1, *grid), (1.0, *voxel), cutoff)[:, 0]
    given = [[0.0 if phase is None else math.radians(phase) for phase in r] for r in phases]
    active = torch.tensor([[phase is not None for phase in row] for row in phases])
    carriers = [_vector(period, angle, voxel) for period, angle in stated(optics.orders)]
    contrasts = torch.tensor(optics.modulations or [1.0] * len(carriers)) * active
    groups = torch.zeros(len(carriers), dtype=torch.int64)
    light = Light(torch.tensor(carriers), torch.tensor(given), contrasts.double(), groups)
    return _finish(optics, values, (times, timed), (light, transfers), voxel)


def sim3d(image: Image, optics: SIM3D) -> Measurement:
    """Return planes or stacks (shots, [Z,] Y, X) of three-beam illumination.

    Parameters
    ----------
    image
        Grey levels; all axes but Y and X count the raw frames, in the order `frame_order`.
    optics
        Settings of the microscope.

    Raises
    ------
    AxesError, ConfigError, DataError, FileError
        If sets are incomplete, or voxels are unknown, not square or too large.
    """
    values = single_channel(image, optics.kind)
    planes = values.reshape(-1, *values.shape[-2:])
    counts = {"direction": len(stated(optics.periods)), "phase": optics.n_phases}
    per_plane = counts["direction"] * counts["phase"]
    what = f"{n_of(counts['direction'], 'direction')} times {n_of(counts['phase'], 'phase')}"
    _check_count(len(planes), per_plane, what)
    counts["z"] = _n_planes(image, len(planes), per_plane)
    frames, times = _arrange(planes, counts, optics)
    voxel = _voxel(image, optics, counts["z"])
    check_pixel(voxel[-1], stated(optics.na), stated(optics.wavelength))
    padding = optics.padding if counts["z"] > 1 else 0
    grid = SIMModel.grid(frames.shape[1:], padding)
    transfers = _bands(optics, grid, voxel)
    if counts["z"] == 1:
        frames, times, transfers = frames[:, 0], times[:, 0, 0, 0], transfers[:, 0]
        voxel = voxel[1:]
    timed = optics.frame_time is not None or optics.frame_times is not None
    light = _three_beams(optics, voxel)
    return _finish(optics, frames, (times, timed), (light, transfers), voxel, padding)


def _finish(
    optics: SIM2D | SIM3D,
    values: NDArray[Any],
    timing: tuple[torch.Tensor, bool],
    optical: tuple[Light, torch.Tensor],
    voxel: tuple[float, ...],
    padding: int = 0,
) -> Measurement:
    """Return the measurement, with the illumination estimated from the image where not given.

    What is estimated is a beginning: it is fitted with the scene.
    """
    light, transfers = optical
    frames, unit = to_unit(values, optics.background)
    if optics.refine or optics.modulations is None:
        light = estimate_light(exact(frames), light, transfers, padding, optics)
    tensors = light.carriers, light.phases, light.contrasts, transfers, light.groups
    adjusts = (*ADJUSTABLE[:2],) if optics.refine else ()
    if optics.modulations is None:
        adjusts = (*adjusts, ADJUSTABLE[2])
    model = SIMModel(
        values.shape, timing[0], *tensors, zoom=optics.zoom, planes=padding, adjusts=adjusts
    )
    steps = tuple(step / zoom for step, zoom in zip(voxel, model.zoom, strict=True))
    return Measurement(model, frames, unit, steps, timing[1], light_warnings(light))


def _check_count(n_frames: int, n_patterns: int, what: str) -> None:
    if n_frames % n_patterns:
        raise ConfigError(
            f"{n_of(n_frames, 'frame was', 'frames were')} given for {what}; a multiple of "
            f"{n_patterns} is needed: correct the optics, or remove the frames of an incomplete "
            "set."
        )


def _square(voxel: tuple[float, ...] | None) -> tuple[float, ...]:
    if voxel is None or not math.isclose(voxel[-1], voxel[-2], rel_tol=1e-3):
        raise ConfigError(
            f"pixels of {voxel} µm were given; structured illumination needs square pixels."
        )
    return voxel


def _vector(period: float, angle: float, voxel: tuple[float, ...]) -> tuple[float, float]:
    """Return the wave vector (y, x) in cycles per pixel of a period in µm and an angle in °."""
    turn = math.radians(angle)
    return math.sin(turn) / period * voxel[-2], math.cos(turn) / period * voxel[-1]


def _n_planes(image: Image, n_frames: int, per_plane: int) -> int:
    """Return the number of planes of one stack: with a time axis, of one of its points."""
    n_sets = image.sizes.get("T", 1) if "Z" in image.axes else 1
    if n_frames % (n_sets * per_plane):
        raise ConfigError(
            f"{n_of(n_frames // n_sets, 'frame')} per time point given; a multiple of {per_plane} "
            "is needed: correct the optics, or remove incomplete sets."
        )
    return n_frames // (n_sets * per_plane)


def _voxel(image: Image, optics: SIM3D, n_planes: int) -> tuple[float, ...]:
    """Return the steps along z, y and x; a single plane has no step along z."""
    if n_planes > 1:
        given = optics.voxel_size
        if given is None and "Z" in image.axes:
            known = voxel_of(image, None, "ZYX", needed_for="sim3d")
            return _square(known)
        return _square(voxel_of(image, given, "ZYX", needed_for="sim3d"))
    lateral = None if optics.voxel_size is None else optics.voxel_size[-2:]
    voxel = _square(voxel_of(image, lateral, "YX", needed_for="sim3d"))
    return (1.0, *voxel)


def _arrange(
    planes: NDArray[Any], counts: dict[str, int], optics: SIM3D
) -> tuple[NDArray[Any], torch.Tensor]:
    """Return the frames (shots, Z, Y, X) and the seconds of their planes (shots, Z, 1, 1)."""
    loops = stated(optics.frame_order).split("-")
    sizes = [counts[loop] for loop in loops]
    grid = planes.reshape(-1, *sizes, *planes.shape[-2:])
    steps: dict[str, float] = {}
    step = optics.frame_time or 1.0
    given = {
        "direction": optics.direction_time,
        "z": optics.plane_time,
        "phase": optics.phase_time,
    }
    for loop in reversed(loops):
        steps[loop] = given[loop] or step
        step = steps[loop] * counts[loop]
    times = (optics.set_time or step) * np.arange(len(grid)).reshape(-1, 1, 1, 1)
    for place, loop in enumerate(loops, start=1):
        shape = [1, 1, 1, 1]
        shape[place] = counts[loop]
        times = times + steps[loop] * np.arange(counts[loop]).reshape(shape)
    if optics.frame_times is not None:
        if len(optics.frame_times) != len(planes):
            raise ConfigError(
                f"frame_times with {n_of(len(optics.frame_times), 'time')} was given for "
                f"{n_of(len(planes), 'plane')}; one for every raw plane, in the order of the "
                "file, is needed."
            )
        times = np.array(optics.frame_times).reshape(-1, *sizes)
    order = [1 + loops.index(loop) for loop in ("direction", "phase", "z")]
    frames = grid.transpose(0, *order, 4, 5).reshape(-1, counts["z"], *planes.shape[-2:])
    arranged = times.transpose(0, *order).reshape(-1, counts["z"], 1, 1)
    return frames, torch.from_numpy(np.ascontiguousarray(arranged))


def _bands(optics: SIM3D, grid: tuple[int, ...], voxel: tuple[float, ...]) -> torch.Tensor:
    """Return the transfer functions of the three orders, from a file or ideal."""
    na, wavelength = stated(optics.na), stated(optics.wavelength)
    if optics.otf is not None:
        table, steps = read_otf(optics.otf, optics.otf_steps, (voxel[0], voxel[-1]))
        return from_table(table, steps, grid, voxel, 2 * na / wavelength)
    period, index = float(np.mean(stated(optics.periods))), stated(optics.refractive_index)
    largest = index / stated(optics.wavelength_excitation)
    sine = min(1 / (period * largest), 1.0)
    axial = largest * (1 - math.sqrt(1 - sine**2))
    return ideal_bands(grid, voxel, (na, wavelength, index), axial)


def _three_beams(optics: SIM3D, voxel: tuple[float, ...]) -> Light:
    """Return the light of two orders per direction; each is on in its own patterns."""
    periods, angles = stated(optics.periods), stated(optics.angles)
    n_directions, n_phases = len(periods), optics.n_phases
    n_patterns, n_orders = n_directions * n_phases, 2 * n_directions
    phases = torch.zeros((n_patterns, n_orders), dtype=torch.float64)
    contrasts = torch.zeros((n_patterns, n_orders), dtype=torch.float64)
    step = math.radians(optics.phase_step or 360 / n_phases)
    carriers = []
    for direction, (period, angle) in enumerate(zip(periods, angles, strict=True)):
        rows = slice(direction * n_phases, (direction + 1) * n_phases)
        for order in (1, 2):
            carriers.append(_vector(period / order, angle, voxel))
            column = 2 * direction + order - 1
            start = 0.0
            if optics.start_phases is not None and not optics.refine:
                start = math.radians(optics.start_phases[direction][order - 1])
            steps = order * step * torch.arange(n_phases, dtype=torch.float64)
            phases[rows, column] = start + steps
            known = optics.modulations
            contrasts[rows, column] = 1.0 if known is None else known[direction][order - 1]
    groups = torch.tensor([1, 2] * n_directions)
    return Light(torch.tensor(carriers, dtype=torch.float64), phases, contrasts, groups)
