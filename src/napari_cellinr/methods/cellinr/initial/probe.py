"""The random pattern by which it is measured how strongly an estimate follows the noise."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.classic.smoothing import CPU, as_array, as_tensor, gaussian_filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["probe_of"]


def probe_of(
    box: Sequence[slice], whole: Sequence[int], grain: float, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Return a part of noise of standard deviation 1 and of the same grain as that of an image.

    Parameters
    ----------
    box
        The part of the image.
    whole
        Voxels of the image along each axis.
    grain
        Standard deviation of the blur of the noise, in voxels.
    generator
        Random numbers of the whole image.
    """
    grains = [grain if size > 1 else 0.0 for size in whole]
    around = [
        slice(max(0, part.start - ceil(4 * g)), min(size, part.stop + ceil(4 * g)))
        for part, size, g in zip(box, whole, grains, strict=True)
    ]
    probe = _part_of_normal(around, whole, generator)
    if grain > 0:
        probe = as_array(gaussian_filter(as_tensor(probe, CPU), grains))
        probe /= probe.std()
    inner = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, around, strict=True))
    return np.ascontiguousarray(probe[tuple(inner)])


def _part_of_normal(
    box: Sequence[slice], whole: Sequence[int], generator: np.random.Generator
) -> NDArray[np.float32]:
    """Return a part of the normal numbers of a whole image, of which one line or plane is held."""
    found = np.empty([part.stop - part.start for part in box], np.float32)
    for number in range(box[0].stop):
        plane = generator.standard_normal(tuple(whole[1:]))
        if number >= box[0].start:
            found[number - box[0].start] = plane[tuple(box[1:])]
    return found
