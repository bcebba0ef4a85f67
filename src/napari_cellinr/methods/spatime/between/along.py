"""Values of frames along the paths of a motion, and the polynomial in time through them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from scipy.ndimage import spline_filter

from napari_cellinr.fields.trajectory import mirrored, spline_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.methods.spatime.model import MotionModel

__all__ = ["Moments", "coefficients", "lagrange", "warped"]

CHUNK = 1 << 18
"""Places that are looked up at once: bounds the memory."""


_EQUAL: Final = 0.25
"""Relative difference of two intervals up to which one motion goes through both."""


@dataclass(frozen=True)
class Moments:
    """When frames were recorded, where they are not equally spaced.

    Parameters
    ----------
    places
        Of the frames in time, in any unit; none if they are equally spaced.
    """

    places: tuple[float, ...] = ()

    def near(self, interval: int, n_frames: int) -> list[int]:
        """Return the frames that an interval is fitted to: up to two on either side of it.

        Those beyond it are left out if they are nearer, or farther away, than its ends from each
        other.

        Parameters
        ----------
        interval
            Number of the frame at which it begins.
        n_frames
            Of the series.
        """
        own, found = self.length(interval), [interval, interval + 1]
        for frame, other in ((interval - 1, interval - 1), (interval + 2, interval + 1)):
            if 0 <= frame < n_frames and abs(self.length(other) / own - 1) <= _EQUAL:
                found.append(frame)
        return sorted(found)

    def is_midway(self, frame: int) -> bool:
        """Return whether the intervals before and after a frame are about equally long.

        Parameters
        ----------
        frame
            Its number.
        """
        return abs(self.length(frame) / self.length(frame - 1) - 1) <= _EQUAL

    def length(self, interval: int) -> float:
        """Return the length of an interval; 1 without places, and outside of the series."""
        inside = 0 <= interval < len(self.places) - 1
        return self.places[interval + 1] - self.places[interval] if inside else 1.0

    def part(self, first: int, frame: int, last: int) -> float:
        """Return where a frame lies between two others, 0 to 1.

        Parameters
        ----------
        first, frame, last
            Their numbers, in this order.
        """
        if not self.places:
            return (frame - first) / max(last - first, 1)
        start, now, end = (self.places[n] for n in (first, frame, last))
        return (now - start) / (end - start) if last > first else 0.0


def coefficients(frame: NDArray[np.float32]) -> torch.Tensor:
    """Return the cubic B-spline coefficients of a frame, for `fields.trajectory.spline_values`."""
    return mirrored(torch.from_numpy(spline_filter(frame, 3, output=np.float32, mode="mirror")))


@torch.no_grad()
def warped(
    motion: MotionModel,
    splines: Sequence[torch.Tensor],
    times: Sequence[float],
    when: float,
    places: torch.Tensor,
) -> torch.Tensor:
    """Return the values of some frames on the paths that are at given places at a time.

    Parameters
    ----------
    motion
        Of the interval.
    splines
        B-spline coefficients of each frame, from `coefficients`.
    times
        Time of each, in frames from the middle of the interval.
    when
        The time of the places, in the same unit.
    places
        (places, axes), float32, voxels.

    Returns
    -------
    torch.Tensor
        (frames, places), float32, in the unit of the frames.
    """
    others = torch.tensor(list(times), device=places.device)
    found = []
    for chunk in torch.split(places, CHUNK):
        origins = motion.origins(chunk, when)
        moved = origins + motion(origins, others)
        found.append(
            torch.stack([spline_values(s, p) for s, p in zip(splines, moved, strict=True)])
        )
    return torch.cat(found, 1)


def lagrange(frames: Sequence[int], time: float) -> list[float]:
    """Return one weight per frame, of sum 1, in the polynomial through all of them (Lagrange).

    Parameters
    ----------
    frames
        Their times, all different.
    time
        Where the polynomial is evaluated.
    """
    weights = []
    for one in frames:
        others = [f for f in frames if f != one]
        weights.append(float(np.prod([(time - f) / (one - f) for f in others])))
    return weights
