"""Scene, arrows, tracks, speed and confidence of a reconstruction, as layers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.motion import arrows, tracks
from napari_cellinr.ui.results import contrast_of
from napari_cellinr.ui.tasks import Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.fit import Fitted
    from napari_cellinr.image import Image

__all__ = ["layers_of", "track_layer"]

_ARROWS: Final = 700  # of one frame: more hide the scene
_SHORTEST: Final = 0.3  # voxels
_SURE: Final = 0.15  # part of the strongest contrast below which no arrow is drawn
_TRACKS: Final = 60


def layers_of(fitted: Fitted) -> Sequence[Shown]:
    """Return the scene, shown first, and over it arrows and tracks; speed and confidence hidden."""
    named = dict(zip(fitted.roles, fitted.images, strict=True))
    scene, *others = _channels(named["result"])
    shown = [Shown(scene, limits=contrast_of(scene))]
    shown += [Shown(image, visible=False, limits=contrast_of(image)) for image in others]
    speed, confidence = named["speed"], named["confidence"]
    look: dict[str, Any] = {"colormap": "turbo", "gamma": 1.0, "blending": "additive"}
    shown.append(Shown(speed, visible=False, limits=contrast_of(speed), settings=look))
    look = {"colormap": "gray", "gamma": 1.0}
    shown.append(Shown(confidence, visible=False, limits=(0.0, 1.0), settings=look))
    reference = int(fitted.config.as_dict().get("reference", 0))
    sure = _textured(scene, min(reference, scene.shape[0] - 1))
    moves = _vectors(named["motion"], speed, sure)
    if moves is not None:
        shown.append(moves)
    seeds = _grid(sure)
    if len(seeds):
        shown.append(track_layer(named["motion"], speed, seeds, "tracks"))
    return shown


def track_layer(motion: Image, grid: Image, seeds: NDArray[Any], name: str) -> Shown:
    """Return the paths of material points as a layer.

    Parameters
    ----------
    motion
        Axes T C [Z] Y X.
    grid
        An image of the same size without its axis of components.
    seeds
        Places in voxels in the reference frame, (points, axes).
    name
        Name of the layer.
    """
    rows = tracks(motion, seeds).as_rows()
    look = {"tail_width": 3, "tail_length": 30, "colormap": "turbo", "blending": "translucent"}
    return Shown(grid, name=name, kind="tracks", data=rows, settings=look)


def _channels(scene: Image) -> list[Image]:
    """Return one image per channel, the last one, such as the phase, first."""
    if "C" not in scene.axes:
        return [scene]
    order = range(scene.sizes["C"] - 1, -1, -1)
    names = scene.channels or [str(index) for index in range(scene.sizes["C"])]
    return [replace(scene.take("C", i), name=f"{scene.name} {names[i]}") for i in order]


def _textured(scene: Image, frame: int) -> NDArray[np.bool_]:
    """Return where the reference frame has contrast that motion can be seen by, ([Z,] Y, X)."""
    from scipy.ndimage import gaussian_filter

    values = np.asarray(scene.array()[frame], np.float64)
    axes = [axis for axis, size in enumerate(values.shape) if size > 2]
    power = sum((np.gradient(values, axis=axis) ** 2 for axis in axes), np.zeros(values.shape))
    contrast = np.sqrt(gaussian_filter(power, 2.0))
    found: NDArray[np.bool_] = contrast > _SURE * max(float(contrast.max()), 1e-30)
    return found


def _vectors(motion: Image, speed: Image, sure: NDArray[np.bool_]) -> Shown | None:
    """Return arrows from the reference frame to each time, coloured by speed; none if none."""
    shortest = _SHORTEST * min(motion.steps[axis] for axis in "YX")
    share = max(0.05, float(sure.mean()))
    found = arrows(motion, threshold=shortest, most=round(_ARROWS / share))
    places = np.round(found.data[:, 0, 1:]).astype(int)
    kept = sure[tuple(places.T)] if len(places) else np.zeros(0, bool)
    data, fast = found.data[kept], found.speed[kept]
    if not len(data):
        return None
    unit = "µm/s" if motion.is_calibrated and motion.units[0] == "second" else "per frame"
    features = {f"speed ({unit})": fast}
    look = {
        "features": features,
        "edge_color": f"speed ({unit})",
        "edge_colormap": "turbo",
        "edge_width": 0.35,
        "vector_style": "arrow",
        "blending": "translucent",
    }
    return Shown(speed, name="motion", kind="vectors", data=data, settings=look)


def _grid(sure: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return places on a grid where the motion is known, at most some tens, (points, axes)."""
    step = 2
    while True:
        part = tuple(slice(min(step, n) // 2, None, step) for n in sure.shape)
        places = np.argwhere(sure[part]) * step + [min(step, n) // 2 for n in sure.shape]
        if len(places) <= _TRACKS:
            found: NDArray[np.float64] = places.astype(float)
            return found
        step += 1
