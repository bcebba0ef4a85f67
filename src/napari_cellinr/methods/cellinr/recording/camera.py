"""The offsets of rows, columns and pixels of the camera are subtracted before anything else."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.classic.camera.camera_pattern import CameraPattern, find_pattern
from napari_cellinr.classic.camera.defects import interpolated
from napari_cellinr.classic.camera.hot_lines import hot_lines, lines_text, without_lines
from napari_cellinr.classic.camera.scan import scan_warnings
from napari_cellinr.methods.cellinr.recording.copies import copied_frames
from napari_cellinr.methods.cellinr.recording.lines import lines_of_planes, text_of_planes
from napari_cellinr.methods.cellinr.recording.steady_pixels import steady_pixels, steady_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.recording.defects import Defects

__all__ = ["PlainPlanes", "find_offsets", "text_of", "without_pattern"]

GLANCE, MOST = 1_000_000, 8_000_000
"""Voxels in which a pattern is searched for, and from which it is computed."""

FEWEST = 12
"""Images that are looked at, if there are so many."""


def without_pattern(
    source: Image, defects: Defects, config: CellINRConfig
) -> tuple[Image, list[str], list[float]]:
    """Return the source without the offsets of its camera, and what to say of them.

    Where parts have no data, images were moved after they were recorded, and have no common
    pattern.

    Parameters
    ----------
    source
        Axes in canonical order.
    defects
        What is wrong with its frames.
    config
        The settings, of which `pattern` is used.

    Returns
    -------
    tuple
        The source; sentences about the offsets, and about shifted rows; for each channel, the
        standard deviation of the error of the offsets, which is the same at many voxels, in grey
        levels.
    """
    n_channels = source.sizes.get("C", 1)
    texts: list[str] = []
    data, uncertainties = None, [0.0] * n_channels
    for channel in range(n_channels):
        part = source.take("C", channel) if "C" in source.axes else source
        planes = _recorded_once(part, defects, channel).reshape(-1, *source.shape[-2:])
        texts += scan_warnings(planes, channel if n_channels > 1 else None)
        if config.pattern == "none" or defects.empty:
            continue
        where = (slice(None),) * source.axes.index("C") + (channel,) if "C" in source.axes else ()
        of_channel = channel if n_channels > 1 else None
        found = find_offsets(PlainPlanes(planes, _clusters(defects, channel)))
        if found is not None:
            data = np.array(source.array(), np.float32) if data is None else data
            data[where] -= found.offsets
            uncertainties[channel] = math.hypot(found.uncertainty, found.pixel_error)
            texts.append(text_of(found, of_channel))
        lines = lines_of_planes((source.array() if data is None else data)[where])
        if lines:
            data = np.array(source.array(), np.float32) if data is None else data
            for place, own in lines.items():
                data[where][place] = without_lines(data[where][place][None], own)[0]
            texts.append(text_of_planes(lines, part.axes, of_channel))
    if data is None:
        return source, texts, uncertainties
    for place in defects.unused:
        data[place] = source.array()[place]
    return source.like(data, name=source.name), texts, uncertainties


def _recorded_once(image: Image, defects: Defects, channel: int) -> NDArray[Any]:
    """Return the frames of a channel without copies: their noise is the same, as offsets are."""
    values = image.array()
    if "T" not in image.axes or not defects.copies:
        return values
    leading = list(defects.leading)
    copied = {
        place[leading.index("T")]
        for place in defects.copies
        if "C" not in leading or place[leading.index("C")] == channel
    }
    return values[[number for number in range(len(values)) if number not in copied]]


def _clusters(defects: Defects, channel: int) -> NDArray[np.bool_] | None:
    """Return the clusters of hot pixels of a channel, axes YX, which all its planes have."""
    for place, mask in defects.hot.items():
        if dict(zip(defects.leading, place, strict=True)).get("C", channel) == channel:
            return mask if mask.ndim == 2 else mask[0]
    return None


class PlainPlanes:
    """Planes in which offsets can be seen: without clusters of hot pixels, and without copies.

    Clusters are replaced after the offsets, and the noise of copies is the same, as offsets are.
    Only the planes of a slice are looked at.

    Parameters
    ----------
    planes
        Axes (plane, Y, X); an array, or what reads planes when it is sliced.
    hot
        The clusters, axes YX; None if there are none.
    """

    def __init__(self, planes: Any, hot: NDArray[np.bool_] | None) -> None:
        self._planes, self._hot = planes, hot

    def __len__(self) -> int:
        return len(self._planes)

    def __getitem__(self, key: Any) -> Any:
        found = self._planes[key]
        if not isinstance(key, slice):
            return found
        copies = copied_frames({(n,): plane for n, plane in enumerate(found)}, ("T",))
        found = found[[n for n in range(len(found)) if (n,) not in copies]]
        return found if self._hot is None else np.stack([interpolated(p, self._hot) for p in found])


def find_offsets(planes: Any) -> CameraPattern | None:
    """Return the pattern of planes, or None.

    Parameters
    ----------
    planes
        Axes (plane, Y, X); an array, or what reads planes when it is sliced.
    """
    for count in sorted({max(FEWEST, most // planes[0].size) for most in (GLANCE, MOST)}):
        found = _pattern_of(_not_blank(planes[:: -(-len(planes) // count)]))
        if found is None or len(planes) <= count:
            return found
    return found


def _pattern_of(values: NDArray[np.float32]) -> CameraPattern | None:
    """Return the pattern of planes, with single hot and dead pixels in it, or None."""
    plausible = _plausible(values)
    lines = tuple(
        line._replace(height=line.height + _beyond(values, plausible, line.pixels))
        for line in hot_lines(plausible)
    )
    values = without_lines(values, lines)
    plausible = _plausible(values) if lines else plausible
    odd = steady_pixels(plausible)
    found = find_pattern(plausible if odd is None else plausible - odd)
    if odd is not None:
        where = odd != 0
        beyond = np.median(values[:, where], axis=0) - np.median(plausible[:, where], axis=0)
        odd[where] += beyond.astype(np.float32)
    if not lines and odd is None:
        return found
    more = -without_lines(np.zeros((1, *values.shape[1:]), np.float32), lines)[0]
    more += 0 if odd is None else odd
    if found is None:
        return CameraPattern(more, (), odd=odd, lines=lines)
    return replace(found, offsets=found.offsets + more, odd=odd, lines=lines)


def _beyond(values: NDArray[np.float32], plausible: NDArray[np.float32], pixels: Any) -> float:
    """Return how far values of some pixels usually are outside of what is plausible."""
    where = (slice(None), *pixels)
    return float(np.median(values[where]) - np.median(plausible[where]))


def _not_blank(planes: Any) -> NDArray[np.float32]:
    """Return planes that have more than one value, or all if none have."""
    values = np.asarray(planes, np.float32)
    flat = values.reshape(len(values), -1)
    good = flat.min(1) < flat.max(1)
    return values[good] if good.any() else values


def _plausible(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return planes with values limited to ten times the usual range."""
    low, high = np.quantile(values.reshape(-1)[:: values.size // GLANCE + 1], (0.001, 0.999))
    reach = 10 * (high - low)
    return np.asarray(np.clip(values, low - reach, high + reach), np.float32)


def text_of(pattern: CameraPattern, channel: int | None) -> str:
    """Return what was subtracted, as a sentence.

    Parameters
    ----------
    pattern
        The offsets.
    channel
        Number of the channel from 0, if there are several.
    """
    of_channel = "" if channel is None else f" in channel {channel + 1}"
    texts, offsets = [], pattern.offsets
    if pattern.lines:
        texts.append(lines_text(pattern.lines, of_channel))
        offsets = without_lines(offsets[None], pattern.lines)[0]
    if pattern.odd is not None:
        texts.append(steady_text(pattern.odd, of_channel))
        offsets = offsets - pattern.odd
    if not pattern.kinds:
        return " ".join(texts)
    texts.append(
        f"The {' and '.join(pattern.kinds)} of the camera have different offsets{of_channel} "
        f"(standard deviation {float(offsets.std()):.3g} grey levels); they were "
        "subtracted. The brightness of the whole image is therefore uncertain by "
        f"{pattern.uncertainty:.2g} grey levels. Set pattern=none to keep the offsets."
    )
    return " ".join(texts)
