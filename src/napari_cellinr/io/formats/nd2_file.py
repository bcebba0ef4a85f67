"""Reading Nikon ND2 with the library nd2: positions become images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.image import UNCALIBRATED, Image
from napari_cellinr.io.metadata.colours import COLOURS
from napari_cellinr.io.metadata.times import with_times

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read"]


def read(path: Path, name: str, limit: int) -> list[Image]:
    """Return one image for each position; lazy if large.

    Parameters
    ----------
    path, name, limit
        As for `formats.read`.
    """
    import nd2

    with nd2.ND2File(path) as file:
        sizes: dict[str, int] = dict(file.sizes)
        n_bytes = math.prod(sizes.values()) * np.dtype(file.dtype).itemsize
        data: Any = file.to_dask() if n_bytes > limit else file.asarray()
        voxel = file.voxel_size()
        names, colours = _channels(file)
        step = _time_step(file)
        seconds = _seconds(file, sizes)
    axes = "".join(sizes)
    known = {axis: float(getattr(voxel, axis.lower())) for axis in "XYZ"}
    steps = {axis: (size, "micrometer") for axis, size in known.items() if size > 0}
    steps |= {"T": (step, "second")} if step else {}
    n_channels = sizes.get("C", 1)
    images = []
    for place in range(sizes.get("P", 1)):
        index = tuple(place if axis == "P" else slice(None) for axis in axes)
        letters = axes.replace("P", "")
        calibration = [steps.get(axis, (1.0, UNCALIBRATED)) for axis in letters]
        image = Image(
            data[index],
            letters,
            scale=tuple(one for one, _ in calibration),
            units=tuple(unit for _, unit in calibration),
            name=f"{name} {place}" if sizes.get("P", 1) > 1 else name,
            channels=names if len(names) == n_channels else (),
            meta={"source": str(path), **({COLOURS: colours} if colours else {})},
        )
        images.append(with_times(image, seconds.get(place, ()), path))
    return images


def _channels(file: Any) -> tuple[tuple[str, ...], list[str]]:
    """Return names and colours of the channels."""
    stated = getattr(file.metadata, "channels", None) or ()
    names = tuple(str(one.channel.name) for one in stated)
    colours = [getattr(one.channel, "color", None) for one in stated]
    known = [f"#{c.r:02x}{c.g:02x}{c.b:02x}" for c in colours if c is not None]
    return (names if len(set(names)) == len(names) else ()), known if len(known) == len(
        names
    ) else []


def _time_step(file: Any) -> float:
    """Return the planned interval between frames in s; 0 if not stated."""
    for loop in file.experiment or ():
        period = getattr(getattr(loop, "parameters", None), "periodMs", 0) or 0
        if period > 0:
            return float(period) / 1000
    return 0.0


def _seconds(file: Any, sizes: dict[str, int]) -> dict[int, list[float]]:
    """Return the recorded time of the first plane of each frame in s, by position."""
    found: dict[int, dict[int, float]] = {}
    try:
        events = file.events(orient="records")
    except Exception:  # some files have none, or damaged ones
        return {}
    for event in events:
        place, frame = int(event.get("P Index", 0) or 0), event.get("T Index")
        time = event.get("Time [s]")
        if frame is None or time is None:
            continue
        times = found.setdefault(place, {})
        times[int(frame)] = min(float(time), times.get(int(frame), math.inf))
    n_frames = sizes.get("T", 1)
    return {
        place: [times[frame] for frame in range(n_frames)]
        for place, times in found.items()
        if sorted(times) == list(range(n_frames))
    }
