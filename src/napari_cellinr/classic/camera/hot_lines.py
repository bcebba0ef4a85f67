"""Single hot and dead rows and columns of a camera, whole or from one edge on."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter1d

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["HotLine", "hot_lines", "lines_text", "may_have_lines", "without_lines"]

_SEGMENTS = 8  # parts along a line
_FEWEST = 32  # smallest number of lines, and of pixels along a line
_SHORTEST = 2  # segments of the shortest line that does not cross the whole image
_FAR = (7.5, 10.0)  # least height of a line, and of a part of one, in robust standard deviations
# of those of all lines
_SURE = 6.0  # and in standard errors
_ALIKE = (0.4, 5.0)  # largest deviation of a segment from the height: in it, and in standard errors
_NEARLY_ALL = 0.6  # part of the segments in which the noise and the specimen let the height be seen
_HALO = 0.2  # largest height of the lines beside it, in its own: the microscope blurs by more
_BESIDE = 3.0  # and in robust standard deviations of those of all lines
_ENDS = 1.5  # segments by which its length may differ from that of the segments with its height
_MOST = 0.04  # largest part of the lines
_SOME = 4_000_000  # values that are looked at
_LEVELS = 10_000  # values from which the step of whole numbers is seen
_NORMAL = 1.4826  # standard deviation of normal numbers, in their median deviation
_TRIM = 1.5  # standard deviations beyond which a value does not count for a mean


class HotLine(NamedTuple):
    """A row or column that is brighter or darker than those beside it by a constant.

    Parameters
    ----------
    axis
        0 for a row, 1 for a column.
    number
        Its place, from 0.
    start, stop
        Its pixels along the line.
    height
        By how much it differs from the lines beside it, in grey levels.
    """

    axis: int
    number: int
    start: int
    stop: int
    height: float

    @property
    def pixels(self) -> tuple[slice | int, slice | int]:
        """Where it is in a plane."""
        along = slice(self.start, self.stop)
        return (self.number, along) if self.axis == 0 else (along, self.number)


def hot_lines(values: NDArray[np.float32], times: float = 1.0) -> list[HotLine]:
    """Return the single rows and columns that differ from those beside them by a constant.

    The difference is the same in all parts of the line, also where there is background alone, and
    the lines beside it have no part of it. A filament is neither: the microscope blurs it, and it
    does not reach along the whole image, or half of it, with one brightness on the very same
    pixels of all images.

    Parameters
    ----------
    values
        Grey levels of one camera, axes (image, Y, X), real and finite.
    times
        How many times the usual least height a line has to have.

    Returns
    -------
    list
        Rows and columns; none if there are so many that they are a pattern of all lines.
    """
    if min(values.shape[1:]) < _FEWEST:
        return []
    values = values[:: -(-values.size // _SOME)]
    found: list[HotLine] = []
    for axis in (1, 0):
        own: list[HotLine] = []
        most = max(3, round(_MOST * values.shape[1 + axis]))
        least = _step(values)
        while len(own) <= most:
            left = _turned(without_lines(values, found + own), axis)
            line = _strongest(left, times)
            if line is None or abs(line.height) < least:
                break
            own.append(line._replace(axis=axis))
        found += own if len(own) <= most else []
    return found


def may_have_lines(planes: NDArray[np.float32], times: float = 1.0) -> NDArray[np.bool_]:
    """Return for each plane whether it may have lines; of others, `hot_lines` finds none.

    It is what `hot_lines` looks at first in one plane, for many at a time, which is much faster.

    Parameters
    ----------
    planes
        Grey levels, axes (plane, Y, X), real and finite.
    times
        As for `hot_lines`.
    """
    may = np.zeros(len(planes), bool)
    if min(planes.shape[1:]) < _FEWEST:
        return may
    for axis in (1, 0):
        turned = _turned(planes, axis)
        height = _differences(turned)[0]
        heights, errors = np.swapaxes([_usual(height[:, part]) for part in _parts(turned)], 0, 1)
        heights, errors = (np.ascontiguousarray(of.swapaxes(0, 1)) for of in (heights, errors))
        for region in _regions():
            good = _stands_out(heights[:, region], errors[:, region], times)
            may |= good.any(axis=-1)
    return may


def without_lines(values: NDArray[np.float32], lines: Sequence[HotLine]) -> NDArray[np.float32]:
    """Return images without what hot and dead lines have more than others.

    Parameters
    ----------
    values
        Grey levels, axes (image, Y, X).
    lines
        What `hot_lines` returns.
    """
    if not lines:
        return values
    changed = values.copy()
    for line in lines:
        changed[(slice(None), *line.pixels)] -= np.float32(line.height)
    return changed


def lines_text(lines: Sequence[HotLine], where: str = "") -> str:
    """Return a sentence that names the lines.

    Parameters
    ----------
    lines
        What `hot_lines` returns.
    where
        Words that name the images, such as "in channel 2".
    """
    several = len(lines) > 1
    kinds = [
        kind for axis, kind in enumerate(("row", "column")) if any(n.axis == axis for n in lines)
    ]
    first, most = lines[0], max((line.height for line in lines), key=abs)
    place = f"{('row', 'column')[first.axis]} {first.number}"
    along = f"pixels {first.start} to {first.stop - 1}"
    return (
        f"{len(lines)} hot or dead {' or '.join(kinds)}{'s' * several} of the camera{where} "
        f"({'the first: ' * several}{place}, {along}) "
        f"differ{'s' * (not several)} from those beside by up to {most:.3g} grey levels; this was "
        "subtracted. Set pattern=none to keep it."
    )


def _step(values: NDArray[np.float32]) -> float:
    """Return the difference of two grey levels, from a part of the values; 0 if they are dense."""
    levels = np.unique(values.reshape(-1)[:: values.size // _LEVELS + 1])
    return float(np.diff(levels).min()) if len(levels) > 1 else 0.0


def _turned(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Return images with the pixels of a line along the second axis, and lines along the last."""
    return values if axis == 1 else values.swapaxes(1, 2)


def _strongest(values: NDArray[np.float32], times: float) -> HotLine | None:
    """Return the hot or dead line that stands out most; None if there is none.

    Parameters
    ----------
    values
        Grey levels, axes (image, pixel, line).
    times
        As for `hot_lines`.
    """
    height, beside, tilt = _differences(values)
    parts = _parts(values)
    heights, errors = np.swapaxes([_usual(_flat(height[:, part])) for part in parts], 0, 1)
    regions = [
        (region, _stands_out(heights[region], errors[region], times)) for region in _regions()
    ]
    if not any(good.any() for _, good in regions):
        return None
    besides, tilts = (
        np.stack([_usual(_flat(of[:, part]))[0] for part in parts]) for of in (beside, tilt)
    )
    best: tuple[float, int, slice] | None = None
    for region, good in regions:
        size = np.abs(np.median(heights[region], axis=0))
        sides = np.median(besides[region], axis=0)
        halo = np.minimum(_HALO * size + _BESIDE * _spread(sides), 2 * _HALO * size)
        even = np.abs(np.median(tilts[region], axis=0)) < size  # not the foot of a filament
        score = np.where(
            good & even & (np.abs(sides) < halo), size * len(heights[region]) ** 0.5, 0
        )
        number = int(score.argmax())
        if score[number] > (0 if best is None else best[0]):
            best = float(score[number]), number, region
    if best is None:
        return None
    _, number, region = best
    return _line(height[:, :, number], number, region, parts)


def _stands_out(
    heights: NDArray[np.float32], errors: NDArray[np.float32], times: float
) -> NDArray[np.bool_]:
    """Return which lines have the same height in all segments, far from that of other lines.

    Parameters
    ----------
    heights, errors
        With their standard errors, axes ([plane,] segment, line).
    times
        As for `hot_lines`.
    """
    n_segments = heights.shape[-2]
    whole = n_segments == _SEGMENTS
    level = np.median(heights, axis=-2, keepdims=True)
    size, error = np.abs(level), np.median(errors, axis=-2, keepdims=True) / n_segments**0.5
    away = np.abs(heights - level)
    unlike = (away > np.maximum(_ALIKE[0] * size, _ALIKE[1] * errors)).sum(axis=-2)
    alike = (away <= _ALIKE[0] * size).sum(axis=-2)
    least = np.maximum(_FAR[not whole] * _spread(level)[..., None], _SURE * error)
    good = (size > times * least)[..., 0, :]
    good &= (unlike <= n_segments // _SEGMENTS) & (alike > _NEARLY_ALL * n_segments)
    # the lines beside a hot one are half of its height below theirs
    size = size[..., 0, :]
    compared = size.copy()
    compared[..., [0, -1]] = 0  # those at the edges have one line beside them, all of theirs
    good &= size >= maximum_filter1d(compared, 3, mode="nearest")
    if not whole:
        good[..., [0, -1]] = False  # frames of pictures, and what registration has left there
    return np.asarray(good)


def _line(
    height: NDArray[np.float32], number: int, region: slice, parts: list[slice]
) -> HotLine | None:
    """Return a line with its ends where its height begins and ends; None if that is elsewhere.

    Parameters
    ----------
    height
        Above the lines beside it, axes (image, pixel).
    number
        Of the line.
    region
        The segments that have the height.
    parts
        The pixels of all segments.
    """
    level = float(np.median(height[:, parts[region.start].start : parts[region.stop - 1].stop]))
    if level == 0:
        return None
    profile = np.median(height, axis=0)
    start, stop = 0, len(profile)
    if region.stop - region.start < _SEGMENTS:
        # the end is where the sum of what is above half of the height is largest
        gain = np.clip(profile / level, -1, 2) - 0.5
        if region.start == 0:
            stop = int(np.cumsum(gain).argmax()) + 1
        else:
            start = len(profile) - 1 - int(np.cumsum(gain[::-1]).argmax())
    n_pixels = len(profile) / _SEGMENTS
    if abs((stop - start) / n_pixels - (region.stop - region.start)) > _ENDS:
        return None
    return HotLine(1, number, start, stop, float(np.median(height[:, start:stop])))


def _parts(values: NDArray[np.float32]) -> list[slice]:
    """Return the pixels of each segment of a line, axes (image, pixel, line)."""
    bounds = np.linspace(0, values.shape[1], _SEGMENTS + 1).astype(int)
    return [slice(a, b) for a, b in itertools.pairwise(bounds.tolist())]


def _flat(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the pixels of all images together, axes (pixel, line)."""
    return values.reshape(-1, values.shape[-1])


def _regions() -> list[slice]:
    """Return the runs of segments that reach an edge of the image, the longest first."""
    found = [slice(0, _SEGMENTS)]
    for count in range(_SEGMENTS - 1, _SHORTEST - 1, -1):
        found += [slice(0, count), slice(_SEGMENTS - count, _SEGMENTS)]
    return found


def _differences(
    values: NDArray[np.float32],
) -> tuple[NDArray[np.float32], ...]:
    """Return how far each line is above those beside it, these above the next, and how uneven.

    Parameters
    ----------
    values
        Grey levels, axes (image, pixel, line); beyond the edges they are mirrored.
    """
    wide = np.pad(values, ((0, 0), (0, 0), (2, 2)), mode="reflect")
    near = (wide[..., 1:-3] + wide[..., 3:-1]) / 2
    far = (wide[..., :-4] + wide[..., 4:]) / 2
    far[..., 1], far[..., -2] = values[..., 3], values[..., -4]  # not the line itself, mirrored
    return (
        np.asarray(values - near, np.float32),
        np.asarray(near - far, np.float32),
        wide[..., 1:-3] - wide[..., 3:-1],
    )


def _usual(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of each line without what is far from it, and its standard error.

    Parameters
    ----------
    values
        Axes ([plane,] pixel, line).

    Returns
    -------
    NDArray
        Axes (mean or error, [plane,] line).
    """
    middle = np.median(values, axis=-2, keepdims=True)
    spread = np.median(np.abs(values - middle), axis=-2, keepdims=True)
    spread = _NORMAL * np.maximum(spread, np.median(spread, axis=-1, keepdims=True))
    clipped = np.clip(values, middle - _TRIM * spread, middle + _TRIM * spread)
    error = clipped.std(axis=-2) / values.shape[-2] ** 0.5
    return np.stack([clipped.mean(axis=-2), error])


def _spread(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the robust standard deviation of the heights of all lines, the last axis."""
    return np.asarray(_NORMAL * np.median(np.abs(levels), axis=-1), np.float32)
