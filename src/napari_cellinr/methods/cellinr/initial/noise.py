"""The noise of a source, channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.classic.camera.noise import Known, estimate_noise
from napari_cellinr.text import number_list

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.image import Image

__all__ = ["far_frame_warnings", "middle", "noise_of_channels"]

_FEWEST = 4  # frames of which one can be told from all others
_SOME = 10_000  # voxels of each frame that are looked at
_PRESENT = 0.5  # part of the voxels of a frame that has to be there
_TAIL = 0.05  # part of the voxels on either side that does not count for the range of a frame
_MOST = 0.25  # largest part of the frames that is unlike the others

GLANCE = {"T": 2, "C": 1_000_000, "Z": 24, "Y": 96, "X": 96}
GLANCE_OF_PLANE = {"T": 2, "C": 1_000_000, "Y": 384, "X": 384}
"""Elements along each axis, of a volume or plane, that show the noise in half a second."""


def noise_of_channels(source: Image, config: CellINRConfig) -> list[Noise]:
    """Return the noise of each channel, as far as not given estimated from all of its frames.

    Parameters
    ----------
    source
        Axes in canonical order, grey levels.
    config
        The settings, of which `gain`, `read_noise`, `offset` and `grain` are used.
    """
    known = Known(config.gain, config.read_noise, config.offset, config.grain)
    n_axes = 3 if "Z" in source.axes else 2
    noises = []
    for channel in range(source.sizes.get("C", 1)):
        values = _of_channel(source, channel)
        if far := _far_frames(values, n_axes):
            values = values[[number for number in range(len(values)) if number not in far]]
        noises.append(estimate_noise(values, n_axes=n_axes, known=known))
    return noises


def far_frame_warnings(source: Image) -> list[str]:
    """Return a sentence about frames whose grey levels are far from those of all others.

    Parameters
    ----------
    source
        Axes in canonical order, grey levels; NaN where there are no data.
    """
    n_axes, texts = 3 if "Z" in source.axes else 2, []
    for channel in range(source.sizes.get("C", 1)):
        far = _far_frames(_of_channel(source, channel), n_axes)
        if not far:
            continue
        one = len(far) == 1
        of_channel = f" of channel {channel + 1}" if "C" in source.axes else ""
        texts.append(
            f"Frame{'s' * (not one)} {number_list([n + 1 for n in far])}{of_channel} "
            f"{'has' if one else 'have'} grey levels far from those of all others, as after a "
            "change of the exposure or of the offset: the noise was estimated without "
            f"{'it' if one else 'them'}, and may be another one there."
        )
    return texts


def _of_channel(source: Image, channel: int) -> NDArray[Any]:
    return (source.take("C", channel) if "C" in source.axes else source).array()


def _far_frames(values: NDArray[Any], n_axes: int) -> list[int]:
    """Return which frames have hardly a grey level in the range of the others, or near it.

    Frames that become brighter or darker one after the other follow each other in their ranges.

    Parameters
    ----------
    values
        Grey levels, axes ([T,] [Z,] Y, X); NaN where there are no data.
    n_axes
        Number of axes of a frame.
    """
    if values.ndim == n_axes or len(values) < _FEWEST:
        return []
    flat = values.reshape(len(values), -1)
    some = np.asarray(flat[:, :: flat.shape[1] // _SOME + 1], np.float32)
    there = np.isfinite(some)
    varied = some.max(1, initial=-np.inf, where=there) > some.min(1, initial=np.inf, where=there)
    shown = np.flatnonzero((there.mean(1) > _PRESENT) & varied)  # blank frames say nothing
    if len(shown) < _FEWEST:
        return []
    low, high = np.nanquantile(some[shown], (_TAIL, 1 - _TAIL), axis=1)
    reach = float(np.median(high)) - float(np.median(low))
    order = np.argsort(low)
    before = np.maximum.accumulate(high[order])[:-1]
    groups = np.concatenate([[0], np.cumsum(low[order][1:] > before + reach)])
    far = order[groups != np.bincount(groups).argmax()]
    far = far[high[far] > low[far]]
    return [] if len(far) > _MOST * len(shown) else sorted(shown[far].tolist())


def middle(source: Image) -> Image:
    """Return a part from the middle, small enough to estimate the noise in half a second."""
    most = {axis: (GLANCE if "Z" in source.axes else GLANCE_OF_PLANE)[axis] for axis in source.axes}
    return source.crop(
        **{
            axis: slice(max(0, (size - most[axis]) // 2), (size + most[axis] + 1) // 2)
            for axis, size in source.sizes.items()
            if size > most[axis]
        }
    )
