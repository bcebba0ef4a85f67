"""Shows where a result is not to be trusted, as an overlay made from its error images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from napari.utils.colormaps import Colormap

from napari_cellinr.errors import AxesError
from napari_cellinr.macro.naming import result_name
from napari_cellinr.ui.layers.contrast import contrast_of
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.provenance import HELPER
from napari_cellinr.ui.layers.results import add_result
from napari_cellinr.ui.session.controller import Work, background_job

if TYPE_CHECKING:
    import napari
    from napari.layers import Image as ImageLayer
    from numpy.typing import NDArray

    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.image import Image
    from napari_cellinr.ui.layers.provenance import Result
    from napari_cellinr.ui.session.controller import Controller

__all__ = ["doubt_of", "doubt_work", "overlay_of", "why_no_doubt"]

_DOUBT_OF: Final = "napari-cellinr doubt of"
"""Key in the metadata of an overlay for the layer that it is about."""

LARGE_ERROR: Final = 0.2
"""Standard error of a voxel, relative to the range of the image, that is shown in full colour."""

LOST_MOTION: Final = 1.0
"""Error of the motion in pixels that is shown in full colour; from half of it it is not trusted."""

_COLOUR: Final = (0.95, 0.25, 0.05)
"""Red, green and blue of the overlay."""


def why_no_doubt(made: Result | None) -> str:
    """Return why there is no estimate of the error of a result; an empty text if there is one."""
    if made is None:
        return "Only for results of this session."
    if {"error", "confidence", "motion-error"} & set(made.fitted.roles):
        return ""
    return "This fit has no estimate of its error. Denoising has one with the preset best."


def overlay_of(viewer: napari.Viewer, layer: ImageLayer) -> ImageLayer | None:
    """Return the overlay of a layer that is in the viewer, or None.

    Parameters
    ----------
    viewer
        The viewer.
    layer
        The result that it is about.
    """
    for other in viewer.layers:
        if other.metadata.get(_DOUBT_OF) == layer.unique_id:
            return find(viewer, other.unique_id)
    return None


def doubt_of(fitted: Fitted) -> Image:
    """Return how doubtful each voxel of a result is: 0 is certain, from 0.5 it is not trusted.

    It is one minus the confidence of the motion, its error in pixels, or the standard error of a
    denoised voxel relative to the range of the image, whichever is largest.

    Parameters
    ----------
    fitted
        A fit with at least one of these images.
    """
    named = dict(zip(fitted.roles, fitted.images, strict=False))
    parts: list[NDArray[np.float32]] = []
    if "error" in named:
        low, high = contrast_of(named["result"])
        parts.append(_array(named["error"]) / (LARGE_ERROR * (high - low)))
    if "confidence" in named:
        parts.append(1 - _array(named["confidence"]))
    if "motion-error" in named:
        parts.append(_array(named["motion-error"]) / LOST_MOTION)
    grid = next(named[role] for role in ("error", "confidence", "motion-error") if role in named)
    doubt = np.clip(np.maximum.reduce(parts), 0, 1).astype(np.float32)
    return grid.like(np.where(np.isnan(doubt), np.float32(1), doubt), name="doubt")


def doubt_work(controller: Controller, layer: ImageLayer, made: Result | None) -> Work:
    """Return the work of showing where a result is not to be trusted.

    Parameters
    ----------
    controller
        Controller of the viewer.
    layer
        The result.
    made
        How it was made; None if that is not known.

    Raises
    ------
    AxesError
        If there is no estimate of the error.
    """
    why = why_no_doubt(made)
    if why or made is None:
        raise AxesError(f"layer {layer.name!r}: {why}")
    result = made

    def show(doubt: Image) -> None:
        source = find(controller.viewer, result.source.unique_id)
        if source is None or find(controller.viewer, layer.unique_id) is None:
            controller.say("warning", "The layer was removed, so its doubt was discarded.")
            return
        noted = {HELPER: "doubt", _DOUBT_OF: layer.unique_id}
        shown = add_result(
            controller.viewer, source, result.given, doubt,
            name=result_name("doubt", str(layer.name)), limits=(0.0, 1.0),
            settings={
                "colormap": _see_through(), "blending": "translucent", "gamma": 1.0,
                "metadata": noted,
            },
        )  # fmt: skip
        part = 100 * float(np.mean(np.asarray(doubt.data) >= 0.5))
        text = f"do not trust what is red; it is {part:.2g} % of the image."
        if part == 0:
            text = "nothing is red, since no estimated error is large."
        controller.said.emit("info", f"Layer “{shown.name}”: {text}")

    job = background_job("looking for doubtful voxels", lambda: doubt_of(result.fitted))
    return Work(f"doubt of {layer.name}", job, show, layer.unique_id, quick=True)


def _array(image: Image) -> NDArray[np.float32]:
    return np.asarray(image.array(), np.float32)


def _see_through() -> Colormap:
    """Return a colormap that is transparent below a quarter, and red from one half."""
    opacity = np.clip(4 * np.linspace(0, 1, 256) - 1, 0, 0.75)
    return Colormap([(*_COLOUR, strength) for strength in opacity], name="doubt")
