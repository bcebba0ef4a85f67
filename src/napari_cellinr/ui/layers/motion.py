"""The layers of a reconstruction: image, arrows, tracks, speed and confidence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.macro.motion import reference_of
from napari_cellinr.motion import ARROWS, is_timed, known, times_of, tracks, visible_arrows
from napari_cellinr.ui.layers.contrast import contrast_of
from napari_cellinr.ui.layers.spec import Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.image import Image
    from napari_cellinr.motion import ArrowKind, Arrows

__all__ = ["ARROW_NAMES", "SEEDS", "SHOWS", "arrow_layer", "layers_of", "track_layer"]

SEEDS: Final = "napari-cellinr seeds"
"""Key in the metadata of tracks for their start points, (points, axes) in voxels."""

SHOWS: Final = "napari-cellinr arrows show"
"""Key in the metadata of arrows for a description of what they show."""

ARROW_NAMES: Final[dict[ArrowKind, str]] = {"reference": "motion", "next": "motion to next"}
"""Beginning of the name of a layer of arrows."""

_TRACKS: Final = 60
"""Largest number of tracks that are shown at first."""


def layers_of(fitted: Fitted) -> Sequence[Shown]:
    """Return the layers of a reconstruction; all but scene and arrows are added on request."""
    named = dict(zip(fitted.roles, fitted.images, strict=True))
    several = fitted.model.get("scenes")  # of the channels of the recording, which are one layer
    channels = [named["result"]] if several else _channels(named["result"])
    scene = channels[0].take("C", several["motion"] or 0) if several else channels[0]
    shown = [
        Shown(image, on_request=place > 0, limits=contrast_of(image), role=role)
        for place, (image, role) in enumerate(zip(channels, _roles(channels), strict=True))
    ]
    speed, confidence = named["speed"], named["confidence"]
    look: dict[str, Any] = {"colormap": "turbo", "gamma": 1.0, "blending": "additive"}
    shown.append(Shown(speed, on_request=True, limits=contrast_of(speed), settings=look))
    look = {"colormap": "gray", "gamma": 1.0}
    shown.append(Shown(confidence, on_request=True, limits=(0.0, 1.0), settings=look))
    error = named.get("motion-error")
    if error is not None:
        look = {"colormap": "magma", "gamma": 1.0}
        shown.append(Shown(error, on_request=True, limits=(0.0, 1.0), settings=look))
    if "aligned" in named:
        frames = named["aligned"]
        shown.append(Shown(frames, on_request=True, limits=contrast_of(frames)))
    reference = reference_of(fitted, named["motion"])
    found = visible_arrows(named["motion"], scene, reference, confidence=confidence, error=error)
    moves = arrow_layer(named["motion"], speed, found)
    if moves is not None:
        shown.append(moves)
    seeds = _grid(known(scene, confidence, reference))
    if len(seeds) and moves is not None:  # tracks of static points would be dots
        followed = track_layer(named["motion"], speed, seeds, "tracks", error)
        shown.append(replace(followed, on_request=True))
    return shown


def track_layer(
    motion: Image, grid: Image, seeds: NDArray[Any], name: str, error: Image | None = None
) -> Shown:
    """Return the tracks of points as a layer.

    Parameters
    ----------
    motion
        Displacement from the reference frame, axes T C [Z] Y X.
    grid
        An image of the same size without its axis C.
    seeds
        Start points in the reference frame, (points, axes) in voxels.
    name
        Name of the layer.
    error
        Error of the motion in pixels, axes T [Z] Y X, if it is known.
    """
    found = tracks(motion, seeds, error)
    rows = found.as_rows()
    look: dict[str, Any] = {"tail_width": 3, "tail_length": 30, "colormap": "turbo"}
    times = np.array(times_of(motion), float)
    look["features"] = {
        f"speed ({_speed_unit(motion)})": found.of_rows(found.speed(motion)),
        f"time ({'s' if is_timed(motion) else 'frames'})": times[rows[:, 1].astype(int)],
        f"distance ({_length_unit(motion)})": found.of_rows(found.distance(motion)),
        f"displacement ({_length_unit(motion)})": found.of_rows(found.displacement(motion)),
    }
    look["color_by"] = f"speed ({_speed_unit(motion)})"
    look |= {"blending": "translucent", "metadata": {**grid.meta, SEEDS: seeds.tolist()}}
    return Shown(grid, name=name, kind="tracks", data=rows, settings=look)


def _channels(scene: Image) -> list[Image]:
    """Return one image per channel; the last channel, such as the phase, first."""
    if "C" not in scene.axes:
        return [scene]
    order = range(scene.sizes["C"] - 1, -1, -1)
    names = scene.channels or [str(index) for index in range(scene.sizes["C"])]
    return [replace(scene.take("C", i), name=f"{scene.name} {names[i]}") for i in order]


def _roles(channels: Sequence[Image]) -> list[str]:
    """Return the role of each channel of the result, as in `Step.roles`."""
    count = len(channels)
    return ["result"] if count == 1 else [f"result:{count - 1 - i}" for i in range(count)]


def arrow_layer(
    motion: Image, grid: Image, found: Arrows, kind: ArrowKind = "reference"
) -> Shown | None:
    """Return arrows as a layer, coloured by speed.

    Parameters
    ----------
    motion
        Displacement from the reference frame, axes T C [Z] Y X.
    grid
        An image of the same size without its axis C.
    found
        The arrows.
    kind
        What they show, one of `ARROWS`.

    Returns
    -------
    Shown or None
        The layer; None if there are no arrows.
    """
    data, fast = found.data, found.speed
    if not len(data):
        return None
    name = f"speed ({_speed_unit(motion)})"
    look = {
        "features": {name: fast},
        "edge_color": name,
        "edge_colormap": "turbo",
        "edge_width": 0.35,
        "vector_style": "arrow",
        "blending": "translucent",
        "metadata": {**grid.meta, SHOWS: ARROWS[kind]},
    }
    return Shown(grid, name=ARROW_NAMES[kind], kind="vectors", data=data, settings=look)


def _length_unit(motion: Image) -> str:
    return "µm" if motion.is_calibrated else "pixels"


def _speed_unit(motion: Image) -> str:
    return f"{_length_unit(motion)}/{'s' if is_timed(motion) else 'frame'}"


def _grid(sure: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return at most `_TRACKS` points of a regular grid where the motion is known, in voxels."""
    step = 2
    while True:
        part = tuple(slice(min(step, n) // 2, None, step) for n in sure.shape)
        places = np.argwhere(sure[part]) * step + [min(step, n) // 2 for n in sure.shape]
        if len(places) <= _TRACKS:
            found: NDArray[np.float64] = places.astype(float)
            return found
        step += 1
