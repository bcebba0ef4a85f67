"""Sample positions of a finer or coarser image relative to those of its source."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import AxesError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = ["MAX_FACTOR", "Sampling", "placed", "sampling", "samplings"]

MAX_FACTOR = 16.0
"""The largest upsampling factor along an axis."""


@dataclass(frozen=True)
class Sampling:
    """Positions of output samples along one axis, in units of input samples.

    Output sample j is at `start + j · step`; 0 is the centre of the first input sample. In time,
    original frames keep their times. In space, the outer edges of both images agree, and a
    sample is the mean over its voxel.

    Parameters
    ----------
    n_in, n_out
        Number of samples of input and output.
    start
        Position of the first output sample, in input samples.
    step
        Distance of output samples, in input samples.
    """

    n_in: int
    n_out: int
    start: float
    step: float

    @property
    def positions(self) -> NDArray[np.float64]:
        """Positions of the output samples, in input samples, shape (n_out,), float64."""
        return self.start + self.step * np.arange(self.n_out, dtype=np.float64)


def sampling(n_samples: int, factor: float, axis: str) -> Sampling:
    """Return the sample positions along one axis for an upsampling factor.

    In time there are floor((n − 1) · factor) + 1 samples, 1/factor apart. In space there are
    round(n · factor) samples, and the effective factor is that number divided by n.

    Parameters
    ----------
    n_samples
        Number of input samples.
    factor
        Output samples per input sample: above 0, up to 16; below 1 it downsamples.
    axis
        `T` for time, any other letter for space.

    Raises
    ------
    ConfigError
        If the factor is not in this range.
    """
    if not (math.isfinite(factor) and 0 < factor <= MAX_FACTOR):
        raise ConfigError(
            f"a factor of {factor:g} was given along {axis.upper()}; more than 0 and at most "
            f"{MAX_FACTOR:g} is allowed."
        )
    if axis.upper() == "T":
        n_out = math.floor((n_samples - 1) * factor + 1e-9) + 1
        return Sampling(n_samples, n_out, 0.0, 1 / factor)
    n_out = max(1, round(n_samples * factor))
    step = n_samples / n_out
    return Sampling(n_samples, n_out, (step - 1) / 2, step)


def samplings(image: Image, factors: Mapping[str, float]) -> dict[str, Sampling]:
    """Return the sample positions along each axis of an image except channels.

    Parameters
    ----------
    image
        The input.
    factors
        Upsampling factor by axis letter, upper or lower case; 1 for axes that are not named.

    Raises
    ------
    AxesError
        If the image lacks a named axis, or a factor is given for channels.
    ConfigError
        If a factor is not above 0 and up to 16, or time is upsampled with a single frame.
    """
    by_axis = {axis.upper(): factor for axis, factor in factors.items()}
    for axis in by_axis:
        if axis not in image.axes or axis not in "TZYX":
            raise AxesError(
                f"a factor was given for axis {axis!r}; this image has axes {image.axes!r}, of "
                f"which T, Z, Y and X can be resampled."
            )
    if image.sizes.get("T") == 1 and by_axis.get("T", 1) > 1:
        raise ConfigError(
            "a factor in time was given, but the image has only one frame; at least two frames "
            "are needed."
        )
    return {
        axis: sampling(size, by_axis.get(axis, 1.0), axis)
        for axis, size in image.sizes.items()
        if axis in "TZYX"
    }


def placed(image: Image, data: NDArray[Any], maps: Mapping[str, Sampling]) -> Image:
    """Return resampled data as an image with the matching voxel size and position.

    Parameters
    ----------
    image
        The source image.
    data
        The resampled array, axes of the source.
    maps
        Sample positions by axis letter; axes that are not named are unchanged.
    """
    axes = list(zip(image.axes, image.scale, image.translate, strict=True))
    scale = [step * (maps[a].step if a in maps else 1.0) for a, step, _ in axes]
    moved = [start + step * (maps[a].start if a in maps else 0.0) for a, step, start in axes]
    return image.like(data, scale=tuple(scale), translate=tuple(moved))
