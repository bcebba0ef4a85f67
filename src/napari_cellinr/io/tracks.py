"""CSV files of seed points, tracks and displacement arrows."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.io.names import place_of
from napari_cellinr.io.safety.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["fault_of", "grid_seeds", "read_seeds", "write_arrows", "write_tracks"]

_TIME = {True: "time_s", False: "time_frames"}  # where the frame interval is known, or not


def grid_seeds(size: Sequence[int], count: int) -> NDArray[np.float32]:
    """Return a regular grid of points, shape (points, axes), voxels, float32.

    There are `count` points along y and along x, and along z about as many as give the same
    spacing, at least one.

    Parameters
    ----------
    size
        Number of voxels along Z, Y, X or Y, X.
    count
        Number of points along Y and X, at least 1.

    Raises
    ------
    ConfigError
        If the count is less than 1.
    """
    if count < 1:
        raise ConfigError(f"grid:{count} was given; at least 1 point along y and x is needed.")
    numbers = [count, count]
    if len(size) == 3:
        numbers.insert(0, max(1, round(count * size[0] / max(size[-2:]))))
    axes = [(np.arange(n) + 0.5) * (m / n) - 0.5 for n, m in zip(numbers, size, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return points.reshape(-1, len(size)).astype(np.float32)


def read_seeds(path: str | PathLike[str], size: Sequence[int]) -> NDArray[np.float32]:
    """Return the points in a CSV file, shape (points, axes), voxels, float32.

    The columns are `y` and `x`, and `z` for a volume, or those of a points layer saved by
    napari: `axis-0`, `axis-1` …, of which the last ones are used.

    Parameters
    ----------
    path
        The file; its first line holds the column names.
    size
        Number of voxels along Z, Y, X or Y, X; every point must be inside.

    Raises
    ------
    FileError
        If there is no such file, columns or numbers are missing, or a point is outside.
    """
    place = place_of(path)
    try:
        with place.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except OSError as error:
        raise FileError(f"{place} cannot be read: {error.strerror or error}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileError(f"{place} is not a CSV text file ({error}); give one.") from error
    columns = _columns(place, rows, len(size))
    try:
        points = np.array([[float(row[i]) for i in columns] for row in rows[1:] if row])
    except (ValueError, IndexError) as error:
        raise FileError(
            f"{place} has a line that is not numbers ({error}); correct or remove it."
        ) from error
    if not len(points):
        raise FileError(
            f"{place} holds no points; one line per point is needed below the column names."
        )
    if fault := fault_of(points, size):
        raise FileError(f"{place}: {fault}")
    return points.astype(np.float32)


def fault_of(points: NDArray[np.floating], size: Sequence[int]) -> str:
    """Return a sentence on the first point outside the image, or an empty text if all are inside.

    Parameters
    ----------
    points
        Positions in voxels, shape (points, axes).
    size
        Number of voxels along Z, Y, X or Y, X.
    """
    if points.ndim != 2 or points.shape[1] != len(size):
        return (
            f"points of shape {points.shape} were given; {len(size)} coordinates per point are "
            f"needed: {', '.join('zyx'[-len(size) :])}."
        )
    outside = ~((points >= -0.5) & (points <= np.array(size) - 0.5)).all(axis=1)
    if not outside.any():
        return ""
    return (
        f"point {points[outside][0].tolist()} is outside the image of "
        f"{'×'.join(map(str, size))} voxels; positions are in voxels, counted from 0."
    )


def _columns(place: Path, rows: Sequence[Sequence[str]], n_axes: int) -> list[int]:
    """Return the columns that hold the positions, in the order of the axes."""
    names = [name.strip().lower() for name in rows[0]] if rows else []
    needed = list("zyx"[-n_axes:])
    if all(name in names for name in needed):
        return [names.index(name) for name in needed]
    numbered = [i for i, name in enumerate(names) if name.startswith("axis-")]
    if len(numbered) >= n_axes:
        return numbered[-n_axes:]
    raise FileError(
        f"{place} has the columns {', '.join(names) or 'none'}; {', '.join(needed)} in voxels are "
        "needed, or a points layer saved by napari."
    )


def write_tracks(
    path: str | PathLike[str],
    places: NDArray[np.float32],
    inside: NDArray[np.bool_],
    times: Sequence[float],
    error: NDArray[np.float32] | None = None,
    lost: NDArray[np.bool_] | None = None,
    speed: NDArray[np.floating] | None = None,
    distance: NDArray[np.floating] | None = None,
    timed: bool = True,
) -> None:
    """Write a CSV line for every point and time: `track_id,t,z,y,x,time_s,inside`.

    `t` is the index of the time point, z, y, x are voxels of the result, `inside` is 1 or 0. The
    time is `time_frames` where the frame interval is unknown. If the
    error is known, two columns follow: `error_px`, and `state`, which is `tracked`, `outside` for a
    point that is out of view, or `uncertain` where its track has ended because its position is
    not determined. The last columns are `speed` and `distance`, if they are given.

    Parameters
    ----------
    path
        Ends with `.csv`; the file appears complete or not at all.
    places
        Positions in voxels, shape (times, points, axes); z is written as 0 for 2-D data.
    inside
        Whether a point is in the field of view, shape (times, points).
    times
        Time of each time point, in seconds or frames.
    error
        Error of each position in pixels of the frames, shape (times, points).
    lost
        Where the position has become too uncertain, shape (times, points).
    speed, distance
        Speed, and length of the path since the first time, shape (times, points), in the unit of
        the motion field and per second, or per frame.
    timed
        Whether the times are in seconds.
    """
    more = {"speed": speed, "distance": distance}
    added = [values for values in more.values() if values is not None]
    heads = [name for name, values in more.items() if values is not None]
    known = () if error is None else ("error_px", "state")
    lines: list[tuple[str, ...]] = [
        ("track_id", "t", "z", "y", "x", _TIME[timed], "inside", *known, *heads)
    ]
    for track in range(places.shape[1]):
        for t, time in enumerate(times):
            place = [0.0] * (3 - places.shape[2]) + [float(p) for p in places[t, track]]
            numbers = (f"{p:.4f}" for p in place)
            row = (str(track), str(t), *numbers, f"{time:.9g}", str(int(inside[t, track])))
            if error is not None:
                is_lost = lost is not None and bool(lost[t, track])
                row = (*row, f"{error[t, track]:.3f}", _state(bool(inside[t, track]), is_lost))
            lines.append((*row, *(f"{values[t, track]:.6g}" for values in added)))
    _write_csv(path, lines)


def _state(inside: bool, lost: bool) -> str:
    if lost:
        return "uncertain"
    return "tracked" if inside else "outside"


def _write_csv(path: str | PathLike[str], lines: Sequence[tuple[str, ...]]) -> None:
    text = "".join(",".join(line) + "\n" for line in lines)
    with replacing(place_of(path), ".csv") as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_arrows(
    path: str | PathLike[str],
    starts: NDArray[np.float32],
    lengths: NDArray[np.float32],
    speeds: NDArray[np.float32],
    times: Sequence[float],
    timed: bool = True,
) -> None:
    """Write a CSV line for every arrow: `t,z,y,x,dz,dy,dx,speed,time_s`.

    The time is `time_frames` where the frame interval is unknown.

    Parameters
    ----------
    path
        Ends with `.csv`; the file appears complete or not at all.
    starts
        Time point and position in the reference frame, in voxels, shape (arrows, 1 + axes).
    lengths
        Displacement from there, in the unit of the motion field, shape (arrows, axes).
    speeds
        Speed in that unit per second, or per frame, shape (arrows,).
    times
        Time of each time point, in seconds or frames.
    timed
        Whether the times are in seconds.
    """
    lines: list[tuple[str, ...]] = [("t", "z", "y", "x", "dz", "dy", "dx", "speed", _TIME[timed])]
    for start, length, speed in zip(starts, lengths, speeds, strict=True):
        lead = [0.0] * (3 - len(length))
        numbers = [*lead, *start[1:], *lead, *length, speed]
        t = int(start[0])
        lines.append((str(t), *(f"{float(n):.4f}" for n in numbers), f"{times[t]:.9g}"))
    _write_csv(path, lines)
