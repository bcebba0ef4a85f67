"""The choice of the optical flow from which motion starts, and the parts of frames compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from napari_cellinr.fields.trajectory import positions
from napari_cellinr.methods.spatime.between.along import coefficients, warped
from napari_cellinr.methods.spatime.between.flow import FLOWS, USUAL, coarser, path_coefficients
from napari_cellinr.methods.spatime.between.motion import motion_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = ["MOST", "best_flow", "errors_of_flows", "random_part"]

MOST: Final = 4
"""Largest number of held-out frames on which the flow is chosen."""

TESTED: Final = {2: (256, 256), 3: (16, 96, 96)}
"""Largest part of a held-out frame that is compared, in voxels, by the number of its axes."""

_BETTER: Final = 0.98  # squared error, in that of the usual flow, below which another is chosen
_COARSE: Final = 2  # times coarser than the frames: flow is not finer than this
_SPACING: Final = 4.0  # of control points, voxels of the coarser frames
_BLUR: Final = 0.5  # standard deviation of the Gaussian filter, the same


def best_flow(errors: Mapping[str, Sequence[float]]) -> str:
    """Return the flow with the least error, if it is clearly better than the usual one.

    Parameters
    ----------
    errors
        Squared error on each held-out frame, by the name of the flow.
    """
    totals = {kind: float(np.sum(values)) for kind, values in errors.items()}
    best = min(totals, key=totals.__getitem__)
    return best if totals[best] < _BETTER * totals[USUAL] else USUAL


def errors_of_flows(triples: Sequence[Floats]) -> dict[str, list[float]]:
    """Return the mean squared errors with which flows predict frames from those beside them.

    Parameters
    ----------
    triples
        A held-out frame between its neighbours each, (3, *shape), float32, about 0 to 1.

    Returns
    -------
    dict
        One error for each held-out frame, by the name of the flow; empty without frames.
    """
    if not triples:
        return {}
    small = [coarser(torch.from_numpy(t), _COARSE, _BLUR).numpy() for t in triples]
    return {
        kind: [_error(frames, size, kind) for frames, size in zip(triples, small, strict=True)]
        for kind in FLOWS
    }


def random_part(shape: tuple[int, ...], generator: np.random.Generator) -> tuple[slice, ...]:
    """Return a random part of a frame, small enough to try all blend weights on it.

    Parameters
    ----------
    shape
        Voxels of the frame along each axis.
    generator
        Draws the place.
    """
    sizes = [min(n, m) for n, m in zip(shape, TESTED[len(shape)], strict=True)]
    starts = [int(generator.integers(n - m + 1)) for n, m in zip(shape, sizes, strict=True)]
    return tuple(slice(a, a + m) for a, m in zip(starts, sizes, strict=True))


def _error(frames: Floats, small: Floats, kind: str) -> float:
    """Return the error of one flow on one held-out frame, at half of the resolution."""
    shape, size = frames.shape[1:], small.shape[1:]
    start = path_coefficients(frames[0], frames[2], _COARSE * _SPACING, kind)
    for axis, (old, new) in enumerate(zip(shape, size, strict=True)):
        start[axis] *= (new - 1) / max(old - 1, 1)
    motion = motion_from(torch.from_numpy(start), size, 1)
    splines = [coefficients(frame) for frame in small[::2]]
    places = positions(size).reshape(-1, len(size))
    found = warped(motion, splines, (-0.5, 0.5), 0.0, places).mean(0).numpy()
    return float(np.mean((found.reshape(size) - small[1]) ** 2))
