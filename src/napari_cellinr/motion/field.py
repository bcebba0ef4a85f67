"""The motion field of a reconstruction: its times, displacements in voxels, and speeds.

The motion field is an image of axes T C [Z] Y X, float32: for the material at each position in
the reference frame, its displacement at each time, in the unit of the image; C are the components
in the order of the spatial axes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.errors import AxesError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = ["LOST", "is_timed", "seconds", "speed_of", "times_of", "voxels"]

LOST = 0.5
"""Error of a displacement in pixels from which on a point is not tracked further."""


def times_of(motion: Image) -> tuple[float, ...]:
    """Return the time of each time point.

    Parameters
    ----------
    motion
        The motion field.

    Returns
    -------
    tuple of float
        In seconds if `is_timed`; otherwise in frames.
    """
    if "times" in motion.meta:
        return tuple(float(t) for t in motion.meta["times"])
    place = motion.axes.index("T")
    start, interval = motion.translate[place], motion.scale[place]
    return tuple(start + interval * i for i in range(motion.shape[place]))


seconds = times_of
"""The former name of `times_of`, for scripts that use it."""


def is_timed(motion: Image) -> bool:
    """Return whether the times of a motion field are in seconds.

    Parameters
    ----------
    motion
        The motion field.

    Returns
    -------
    bool
        False if the interval between the frames is not known, so that time is in frames.
    """
    return motion.units[motion.axes.index("T")] == "second"


def voxels(motion: Image) -> NDArray[np.float32]:
    """Return displacements in voxels, axes T C [Z] Y X, float32.

    Raises
    ------
    AxesError
        If the image is not a motion field.
    """
    space = motion.axes[2:]
    if motion.axes[:2] != "TC" or space not in {"YX", "ZYX"} or motion.shape[1] != len(space):
        raise AxesError(
            f"an image of axes {motion.axes} and shape {motion.shape} was given; a motion field "
            "has axes TCYX with 2 components, or TCZYX with 3. Give the motion of a "
            "reconstruction."
        )
    values = np.asarray(motion.array(), np.float32)
    size = np.array(motion.scale[2:], np.float32)
    return values / size.reshape(1, -1, *[1] * len(space))


def speed_of(lengths: NDArray[np.floating], times: Sequence[float]) -> NDArray[np.float64]:
    """Return the speed of each point at each time, axes (T, *points).

    Parameters
    ----------
    lengths
        Displacements, axes (T, components, *points).
    times
        The time of each time point.
    """
    if len(times) < 2:
        return np.zeros((len(lengths), *lengths.shape[2:]))
    rates = np.gradient(lengths.astype(np.float64), np.asarray(times, np.float64), axis=0)
    speed: NDArray[np.float64] = np.linalg.norm(rates, axis=1)
    return speed
