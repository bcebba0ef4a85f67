"""Optical flow between two frames, coarse to fine, from which the fit of a motion starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, map_coordinates

from napari_cellinr.fields.trajectory import control_size
from napari_cellinr.methods.spatime.between.tvl1 import Where, tvl1_flow
from napari_cellinr.methods.spatime.between.window import Window, between, resized

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.methods.spatime.between.window import Lattice

    Floats = NDArray[np.float32]

__all__ = [
    "FLOWS",
    "USUAL",
    "coarser",
    "coarser_size",
    "optical_flow",
    "path_coefficients",
    "resized",
]

LEVELS = (4, 2)
"""How many times coarser the images of each level are; the fit does the rest at full size."""

FLOWS: Final[Mapping[str, Mapping[str, Any]]] = {
    "TV-L1": {"attachment": 50, "num_warp": 3, "num_iter": 10},
    "stiffer TV-L1": {"attachment": 15, "num_warp": 3, "num_iter": 10},
}
"""The optical flows that there are, by name: the settings of `tvl1_flow`.

Small attachment keeps parts together that move alike; large one follows parts that do not.
"""

USUAL: Final = "TV-L1"
"""The flow that is used where held-out frames choose none."""

LARGEST = 2**21
"""Voxels above which a level is left out: bounds the memory of the flow."""

_BLUR = 0.5  # standard deviation of the Gaussian filter before the flow, voxels
_FINE, _WINDOW = 1.0, 2.0  # of the image whose slopes count, and of the means of the flow


def optical_flow(
    first: Floats, second: Floats, kind: str = USUAL, window: Window | None = None
) -> Floats:
    """Return the displacement from the first frame to the second, to half of the resolution.

    The pyramid of `tvl1_flow` ends where the shortest axis has 32 voxels, which few stacks
    have planes for; therefore every level is done here, and starts from the one before.

    Parameters
    ----------
    first, second
        Frames, (*shape), float32, about 0 to 1, two or three axes.
    kind
        One of `FLOWS`.
    window
        Where the frames lie in whole ones, if they are parts.

    Returns
    -------
    numpy.ndarray
        (axes, *shape), float32, voxels: where each voxel of the first frame is in the second.
    """
    if 1 in first.shape:  # nothing moves along it, and it has no slopes
        flow = np.zeros((first.ndim, *first.shape), np.float32)
        long = np.flatnonzero(np.greater(first.shape, 1))
        part = None if window is None else window.along(long.tolist())
        flat = optical_flow(first.squeeze(), second.squeeze(), kind, part)
        flow[long] = flat.reshape(len(long), *first.shape)
        return flow
    window = window or Window.of(first.shape)
    both, at = torch.from_numpy(np.stack([first, second])), window.lattice((2,) * first.ndim)
    flow = np.zeros((first.ndim, *at.size), np.float32)
    for level in LEVELS:
        if first.size / level**first.ndim > LARGEST:
            continue
        images = coarser(both, level, _BLUR, window).numpy()
        before, at = at, window.lattice(coarser_size(window.whole, level))
        flow = _rescaled(flow, before, at)
        places = np.indices(at.size, np.float32) + flow
        moved = map_coordinates(images[1], places, order=1, mode="nearest")
        where = None if window.is_whole else Where(at.counts, at.first)
        flow = flow + tvl1_flow(images[0], moved, **FLOWS[kind], where=where)
    return _rescaled(flow, at, window.voxels)


def path_coefficients(
    first: Floats,
    second: Floats,
    spacing: float,
    kind: str = USUAL,
    window: Window | None = None,
) -> Floats:
    """Return velocities at the control points of a path through two frames.

    The flow is averaged with the squared slopes of the image as weights, since it is not
    determined where there is nothing to see, and taken at the middle of the way.

    Parameters
    ----------
    first, second
        Frames, (*shape), float32, about 0 to 1.
    spacing
        Largest distance of control points, voxels.
    kind
        One of `FLOWS`.
    window
        Where the frames lie in whole ones, if they are parts.

    Returns
    -------
    numpy.ndarray
        (axes, *points), float32, voxels per interval.
    """
    window = window or Window.of(first.shape)
    flow = optical_flow(first, second, kind, window)
    mean = gaussian_filter((first + second) / 2, _FINE)
    slopes = [np.gradient(mean, axis=a) for a, n in enumerate(mean.shape) if n > 1]
    weight = gaussian_filter(np.sum(np.square(slopes), 0), _WINDOW)
    weight = weight + np.float32(max(1e-3 * float(weight.mean()), 1e-12))
    total = gaussian_filter(weight, _WINDOW)
    smooth = np.stack([gaussian_filter(weight * one, _WINDOW) / total for one in flow])
    lines = window.lattice(control_size(window.whole, spacing)).lines
    places = np.stack(np.meshgrid(*lines, indexing="ij")).astype(np.float32)
    middle = np.zeros_like(places)
    for _ in range(3):  # the velocity at x + v / 2 is that of x
        at = places - middle / 2
        middle = np.stack([map_coordinates(v, at, order=1, mode="nearest") for v in smooth])
    return middle


def coarser(
    volume: torch.Tensor, level: int, blur: float, window: Window | None = None
) -> torch.Tensor:
    """Return smoothed frames on a coarser grid with the same outer voxels.

    Parameters
    ----------
    volume
        (T, *shape), float32.
    level
        How many times coarser, as for `coarser_size`.
    blur
        Standard deviation of the Gaussian filter in voxels of the coarser grid.
    window
        Where the frames lie in whole ones, if they are parts.
    """
    window = window or Window.of(volume.shape[1:])
    shape, size = window.whole, coarser_size(window.whole, level)
    widths = [
        blur if n == m else float(np.hypot(blur, 0.4 * n / m))
        for n, m in zip(shape, size, strict=True)
    ]
    smooth = gaussian_filter(volume.cpu().numpy(), (0, *widths)).astype(np.float32)
    found = between(smooth, window.voxels, window.lattice(size))
    return torch.from_numpy(found).to(volume.device)


def coarser_size(shape: Sequence[int], level: int) -> tuple[int, ...]:
    """Return the voxels of a frame on a coarser grid; short axes keep at least 6 of them.

    Parameters
    ----------
    shape
        Voxels of the frame along each axis.
    level
        How many times coarser.
    """
    return tuple(max(round(n / level), min(n, 6)) for n in shape)


def _rescaled(flow: Floats, source: Lattice, target: Lattice) -> Floats:
    """Return a flow at the points of another lattice, in units of their distance."""
    finer = between(flow, source, target)
    for axis, (old, new) in enumerate(zip(source.counts, target.counts, strict=True)):
        finer[axis] *= (new - 1) / max(old - 1, 1)
    return finer
