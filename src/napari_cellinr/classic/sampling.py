"""The one map between the samples of an image and those of a finer or coarser one."""

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
"""The largest factor along an axis."""


@dataclass(frozen=True)
class Sampling:
    """Where the samples of an output lie along one axis of an input, counted in its samples.

    Sample j lies at `start + j · step`; 0 is the centre of the first input sample. In time,
    original frames stay at their own times. In space, the outer edges of both images agree,
    and a sample is the mean over its voxel.

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
        """The position of each output sample, in input samples, float64."""
        return self.start + self.step * np.arange(self.n_out, dtype=np.float64)


def sampling(n_samples: int, factor: float, axis: str) -> Sampling:
    """Return the map along one axis for a real factor; more than 1 gives more samples.

    In time there are floor((n − 1) · factor) + 1 samples, 1/factor apart. In space there are
    round(n · factor), and the factor in effect is that number divided by n.

    Parameters
    ----------
    n_samples
        Number of samples of the input.
    factor
        Output samples per input sample, up to 16.
    axis
        `T` for time, any other letter for space.

    Raises
    ------
    ConfigError
        If the factor is not a positive number up to 16.
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
    """Return the map along each axis of an image but channels; factors not given are 1.

    Parameters
    ----------
    image
        The input.
    factors
        Factor by axis letter, large or small.

    Raises
    ------
    AxesError
        If the image lacks a named axis, or the axis is that of channels.
    ConfigError
        If a factor is not a positive number up to 16, or a single frame is to become more.
    """
    wanted = {axis.upper(): factor for axis, factor in factors.items()}
    for axis in wanted:
        if axis not in image.axes or axis not in "TZYX":
            raise AxesError(
                f"a factor was given for axis {axis!r}; this image has axes {image.axes!r}, and "
                f"T, Z, Y and X can have one."
            )
    if image.sizes.get("T") == 1 and wanted.get("T", 1) > 1:
        raise ConfigError(
            "one frame and a factor in time were given; time can be refined between two frames "
            "or more."
        )
    return {
        axis: sampling(size, wanted.get(axis, 1.0), axis)
        for axis, size in image.sizes.items()
        if axis in "TZYX"
    }


def placed(image: Image, data: NDArray[Any], maps: Mapping[str, Sampling]) -> Image:
    """Return resampled data as an image in the place of its source, with its new steps.

    Parameters
    ----------
    image
        The source.
    data
        The samples that `maps` describe, axes of the source.
    maps
        Map by axis letter; axes that are not named keep their samples.
    """
    axes = list(zip(image.axes, image.scale, image.translate, strict=True))
    scale = [step * (maps[a].step if a in maps else 1.0) for a, step, _ in axes]
    moved = [start + step * (maps[a].start if a in maps else 0.0) for a, step, start in axes]
    return image.like(data, scale=tuple(scale), translate=tuple(moved))
