"""The preview of a running reconstruction: a plane of the present scene, with arrows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.fitting.previews import requested_part, with_place
from napari_cellinr.methods.nstm.geometry import scene_image
from napari_cellinr.motion import textured

if TYPE_CHECKING:
    from napari_cellinr.fitting.problem import PreviewRequest
    from napari_cellinr.image import Image
    from napari_cellinr.methods.nstm.rendering.render import Rendering

__all__ = ["preview_image"]


def preview_image(
    rendering: Rendering,
    source: Image,
    request: PreviewRequest,
    alpha: float,
    reference: int = 0,
) -> Image:
    """Return the last channel of the scene at the frame and plane of `request`, float32.

    `meta["arrows"]` of a plane says how far its material has moved since the reference frame:
    where arrows begin, and how long they are, (arrows, 2, axes of space), float32, in voxels.

    Parameters
    ----------
    rendering
        The model as it is.
    source
        The raw frames, for calibration and name.
    request
        Frame and plane.
    alpha
        Progress of the coarse-to-fine.
    reference
        Frame from which motion is counted.
    """
    frames = rendering.settings["frames"]
    index = dict(request.index)
    time = frames[min(int(index.get("T", 0)), len(frames) - 1)]
    scene = rendering.scene([time], alpha)[0, -1]
    whole = scene_image(rendering.settings, source, scene[None], [time], source.name)
    image = whole.take("T", 0)
    part = requested_part(image, request)
    shown = with_place(image, part, np.ascontiguousarray(scene[part]))
    if not request.index or not rendering.settings["moves"]:
        return shown
    since = frames[min(reference, len(frames) - 1)]
    arrows = rendering.arrows(since, time, index.get("Z"), alpha)
    heads = np.round(arrows.sum(1)).astype(int)
    inside = ((heads >= 0) & (heads < scene.shape)).all(1)
    arrows, heads = arrows[inside], heads[inside]
    seen = textured(whole, 0)[tuple(heads.T)] if len(heads) else np.zeros(0, bool)
    return replace(shown, meta={**shown.meta, "arrows": arrows[seen]})
