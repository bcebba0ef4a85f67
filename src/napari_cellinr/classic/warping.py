"""Conventional motion-compensated frame interpolation: optical flow or a global shift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from scipy.ndimage import map_coordinates, shift
from skimage.registration import optical_flow_ilk, optical_flow_tvl1, phase_cross_correlation

from napari_cellinr.errors import AxesError, ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Flow", "along_flows", "between_frames", "optical_flow"]

Flow: TypeAlias = Literal["ilk", "tvl1", "shift"]
"""Iterative Lucas–Kanade flow; TV-L1 flow; one shift per frame by phase correlation."""


def between_frames(
    frames: NDArray[Any],
    times: NDArray[np.float64],
    kind: Flow = "ilk",
    order: int = 3,
    **settings: Any,
) -> NDArray[np.float32]:
    """Return a series at other times: the two nearest frames are warped to the time and blended.

    Parameters
    ----------
    frames
        Axes T, Y, X or T, Z, Y, X, real.
    times
        Times in frames, shape (n,), from 0 to the number of frames minus 1.
    kind
        How motion is estimated.
    order
        Order of the spline interpolation in warping. Linear interpolation, 1, blurs: on simulated
        cells without noise, 3 is better by 5 dB at twice the frame rate and by 1 dB at four
        times; on noisy series both are equal.
    **settings
        Passed on to `optical_flow`.

    Returns
    -------
    numpy.ndarray
        Axes of `frames`, float32; the input frame itself where a time is a whole number.

    Raises
    ------
    AxesError
        If there are not three or four axes.
    ConfigError
        If a time is outside the series, or the kind is not known.
    """
    series, moments = np.asarray(frames, np.float32), np.asarray(times, np.float64)
    _check(series, moments, kind)
    span = max(float(series.max() - series.min()), 1e-9)
    result = np.empty((len(moments), *series.shape[1:]), np.float32)
    before = np.clip(np.floor(moments + 1e-9).astype(int), 0, len(series) - 1)
    for start in np.unique(before):
        chosen = np.flatnonzero(before == start)
        parts = np.clip(moments[chosen] - start, 0, 1)
        if np.all(parts < 1e-9):
            result[chosen] = series[start]
            continue
        first, second = series[start], series[start + 1]
        make = _shifted if kind == "shift" else _warped
        result[chosen] = make(first, second, parts, span, kind, order, settings)
    return result


def optical_flow(
    reference: NDArray[np.float32], moving: NDArray[np.float32], kind: Flow, **settings: Any
) -> NDArray[np.float32]:
    """Return the displacement from `reference` to `moving`, shape (n axes, *shape), voxels.

    Parameters
    ----------
    reference, moving
        Two frames, axes YX or ZYX, about 0 to 1: the default weights of TV-L1 assume this range.
    kind
        `ilk` or `tvl1`: `optical_flow_ilk` or `optical_flow_tvl1` of scikit-image.
    **settings
        Passed on to scikit-image.
    """
    functions: dict[str, Any] = {"ilk": optical_flow_ilk, "tvl1": optical_flow_tvl1}
    flow = functions[kind](reference, moving, dtype=np.float32, **settings)
    return np.nan_to_num(np.asarray(flow, np.float32))


def _warped(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    parts: NDArray[np.float64],
    span: float,
    kind: Flow,
    order: int,
    settings: dict[str, Any],
) -> NDArray[np.float32]:
    """Return frames at fractions of the interval."""
    forth = optical_flow(first / span, second / span, kind, **settings)
    back = optical_flow(second / span, first / span, kind, **settings)
    return along_flows(first, second, forth, back, parts, order)


def along_flows(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    forth: NDArray[np.float32],
    back: NDArray[np.float32],
    parts: NDArray[np.float64],
    order: int = 3,
) -> NDArray[np.float32]:
    """Return frames between two frames: both are warped to the time and blended.

    The flows at the time are those of Jiang et al. 2018, "Super SloMo", eq. 4.

    Parameters
    ----------
    first, second
        Two frames, axes YX or ZYX.
    forth, back
        Displacements from the first to the second and from the second to the first frame,
        (axes, *shape), voxels.
    parts
        Where the frames lie between the two, 0 to 1.
    order
        Order of the spline interpolation.

    Returns
    -------
    numpy.ndarray
        (parts, *shape), float32.
    """
    grid = np.indices(first.shape, np.float32)
    frames = []
    for t in parts.astype(np.float32):
        to_first = -(1 - t) * t * forth + t * t * back
        to_second = (1 - t) ** 2 * forth - t * (1 - t) * back
        a = map_coordinates(first, grid + to_first, order=order, mode="nearest")
        b = map_coordinates(second, grid + to_second, order=order, mode="nearest")
        frames.append((1 - t) * a + t * b)
    return np.stack(frames)


def _shifted(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    parts: NDArray[np.float64],
    span: float,
    kind: Flow,
    order: int,
    settings: dict[str, Any],
) -> NDArray[np.float32]:
    """Return frames at fractions of the interval, by one shift of the whole frame."""
    chosen = {"upsample_factor": 10, "normalization": None, **settings}
    found = phase_cross_correlation(second, first, **chosen)[0]  # type: ignore[no-untyped-call]
    move = np.asarray(found, np.float64)  # of `first`, to lie on `second`
    frames = [
        (1 - t) * shift(first, t * move, order=order, mode="nearest")
        + t * shift(second, -(1 - t) * move, order=order, mode="nearest")
        for t in parts.astype(np.float32)
    ]
    return np.stack(frames)


def _check(series: NDArray[np.float32], times: NDArray[np.float64], kind: str) -> None:
    """Raise an error for invalid axes, kinds or times."""
    if series.ndim not in (3, 4):
        raise AxesError(
            f"an array of shape {series.shape} was given; axes T, Y, X or T, Z, Y, X are needed."
        )
    if kind not in get_args(Flow):
        raise ConfigError(
            f"motion estimation by {kind!r} was requested; {', '.join(get_args(Flow))} are allowed."
        )
    if len(times) and not (times.min() >= -1e-9 and times.max() <= len(series) - 1 + 1e-9):
        raise ConfigError(
            f"times from {times.min():g} to {times.max():g} were given; they must lie between 0 "
            f"and {len(series) - 1}, the first and the last frame."
        )
