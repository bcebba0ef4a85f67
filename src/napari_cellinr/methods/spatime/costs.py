"""Memory and time of super-resolution, estimated before it starts; does not load torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import CellINRError
from napari_cellinr.methods.cellinr.costs import cost as cost_of_denoising
from napari_cellinr.methods.method import Cost
from napari_cellinr.methods.spatime.output_grid import output_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.image import Image
    from napari_cellinr.methods.spatime.output_grid import OutputGrid

__all__ = ["cost", "cpu_seconds", "memory_needed", "planes_at_once"]

PROGRAM_BYTES = 3e8
"""Memory of the program with its libraries: measured 0.33 GB without a fit."""

PIXEL_BYTES = 3e7
"""More of it with a network of finer pixels: 0.33 and 0.37 GB in all for planes of 96² and 256²."""

MOTION_BYTES, MOST_PLACES = 1000.0, 2**18
"""Bytes for each voxel of a frame when motion is fitted, for at most so many voxels: measured
0.35 and 0.50 GB for 50 and 200 thousand."""

NETWORK_BYTES = 6e8
"""Memory with a network that makes finer planes."""

AT_ONCE = 4_000_000
"""Voxels that are rendered at once of a result that is written piece by piece."""


def cost(image: Image, config: SpatimeConfig) -> Cost | None:
    """Return time and memory of super-resolution, or None if the settings do not suit the image.

    Parameters
    ----------
    image
        The input; only its shape and voxel size count.
    config
        The settings.
    """
    try:
        source = image.canonical()
        grid = output_grid(source, config)
    except CellINRError:
        return None
    found = Cost(cpu_seconds(source, grid, config), memory_needed(source, grid))
    if config.noise != "remove":
        return found
    first = cost_of_denoising(source, CellINRConfig(background="keep"))
    if first is None:
        return found
    return Cost(found.seconds + first.seconds, max(found.memory, first.memory))


def cpu_seconds(image: Image, grid: OutputGrid, config: SpatimeConfig) -> float:
    """Return about how many seconds a run takes on one core.

    Measured with one thread, without what is loaded: 1.3, 7.0 and 11 s for 7 × 128 × 128,
    16 × 256 × 256 and 8 × 512 × 512 pixels with twice as many frames, 8.7 s for 8 × 16 × 96 × 96,
    247 s for 10 × 70 × 256 × 356; with `motion=never`, 0.5 s for 16 × 256 × 256, 4.9 s for
    16 × 1024 × 1024 pixels.

    Parameters
    ----------
    image
        The source.
    grid
        That of the result.
    config
        The settings.
    """
    n_channels, n_frames = image.sizes.get("C", 1), image.sizes.get("T", 1)
    voxels = float(np.prod([size for axis, size in image.sizes.items() if axis in "ZYX"]))
    finer = float(np.prod([m.n_out for m in grid.maps.values()]))
    seconds, new = 0.35e-6 * n_frames * voxels, 0  # looking for faults, and blending
    if grid.times is not None and config.motion != "never":
        inside = [t for t in grid.times if abs(t - round(t)) > 1e-6]
        new, intervals = len(inside), {int(t) for t in inside}
        held_out = 0
        if config.motion == "auto":
            beside = {i + k for i in intervals for k in (-1, 0, 1)} & set(range(n_frames - 1))
            held_out = len(
                {i + k for i in beside for k in (-1, 0, 1, 2)} & set(range(1, n_frames - 1))
            )
            intervals = beside
        steps, rendering = (0.165, 1.1e-6) if "Z" in image.axes else (0.07, 1.0e-6)
        seconds += (len(intervals) + held_out) * (steps * config.refinement + 0.85e-6 * voxels)
        seconds += held_out * 1.25e-6 * voxels + min(4, held_out) * 1.55e-6 * voxels
        seconds += new * rendering * voxels
    if "Z" in grid.maps and grid.maps["Z"].step < 1:
        seconds += 0.08 * config.steps + 4e-6 * finer * (n_frames + new)
    if min(grid.maps[axis].step for axis in "YX") < 1:
        seconds += 0.08 * config.steps + 3e-6 * finer * (n_frames + new)
    seconds = n_channels * seconds + 0.3
    return seconds if config.max_seconds is None else min(seconds, config.max_seconds)


def memory_needed(image: Image, grid: OutputGrid, *, lazily: bool = False) -> float:
    """Return about how many bytes a run takes: source, result and intermediate arrays.

    Parameters
    ----------
    image
        The source.
    grid
        That of the result.
    lazily
        Whether only a block of planes of the result is in memory at a time.
    """
    source = float(np.prod(image.shape))
    sizes = [m.n_out for m in grid.maps.values()]
    frame = float(np.prod(sizes))
    if lazily:
        if len(sizes) == 3:
            frame *= planes_at_once(sizes) / sizes[0]
        return 4 * (3 * source + 2 * frame + 14 * frame) + _fitting(grid)
    result = float(np.prod(grid.shape(image)))
    return 4 * (3 * source + result + 14 * frame) + _fitting(grid)


def _fitting(grid: OutputGrid) -> float:
    """Return about how many bytes the program and its fits take, whatever the result is."""
    if "Z" in grid.maps and grid.maps["Z"].step < 1:
        return NETWORK_BYTES
    pixels = PIXEL_BYTES if any(one.step < 1 for one in grid.maps.values()) else 0.0
    if grid.times is None or np.allclose(grid.times, np.rint(grid.times)):
        return PROGRAM_BYTES + pixels
    voxels = float(np.prod([one.n_in for one in grid.maps.values()]))
    return PROGRAM_BYTES + pixels + MOTION_BYTES * min(voxels, MOST_PLACES)


def planes_at_once(sizes: Sequence[int]) -> int:
    """Return how many planes of a frame (Z, Y, X) or (Y, X) are rendered at once."""
    if len(sizes) < 3:
        return 1
    return min(sizes[0], max(1, AT_ONCE // (sizes[1] * sizes[2])))
