"""Images of a saved fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.errors import FileError
from napari_cellinr.fitting.saved.complete import complete
from napari_cellinr.fitting.saved.stored import blank
from napari_cellinr.methods.nstm.geometry import (
    check_query,
    check_scene,
    model_settings,
    scene_image,
    scenes_image,
    times_of,
)
from napari_cellinr.methods.nstm.model import SpaceTimeModel
from napari_cellinr.methods.nstm.phases.errors import KnownParts
from napari_cellinr.methods.nstm.rendering.channels import saved_scenes
from napari_cellinr.methods.nstm.rendering.render import Rendering, squeezed
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_cellinr.fitting.saved.query import Query
    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.image import Image

__all__ = ["COVARIANCES", "DELAYS", "MOMENTS", "PLACES", "SHIFT", "render_nstm"]

SHIFT = "half.shift"
"""Name under which a fit saves by which displacement its frames contradict the motion."""

DELAYS = "half.delays"
"""Name under which a fit saves how much later than its frame each position is exposed."""

PLACES, COVARIANCES = "half.parts.places", "half.parts.covariances"
"""Names under which a fit saves where parts of a phase are, and how uncertain that is."""

MOMENTS = "half.parts.moments"
"""Name under which it saves when each frame was taken."""


def render_nstm(stored: Stored, query: Query, device: torch.device) -> tuple[Image, ...]:
    """Return the images of a saved fit, at other times or of a part if the query says so.

    Parameters
    ----------
    stored
        A saved fit of the method `nstm`.
    query
        Times, counted from the first of the recording, and crop; with times, only the scene is
        returned.
    device
        Where to compute.

    Raises
    ------
    ConfigError
        If another scale or channel is requested, or a time outside the recording.
    FileError
        If parameters are missing, or do not fit together.
    """
    from napari_cellinr.config.nstm import NSTMConfig

    check_query(query)
    settings, source = model_settings(stored), blank(stored.source)
    check_scene(settings, stored.source)
    halves = [model.to(device) for model in _halves(settings, stored)]
    shift, delays = (_of_frames(settings, stored, name) for name in (SHIFT, DELAYS))
    model = _model(settings, stored).to(device)
    parts = _parts(stored)
    rendering = Rendering(model, settings, device, halves, shift, delays, parts)
    config = NSTMConfig(**stored.config)
    times = times_of(settings, config.chosen_times() if query.times is None else query.times)
    name = f"{source.name} reconstructed"
    if settings.get("scenes"):
        several = saved_scenes(stored, settings, model, times)
        scene = scenes_image(settings, source, several, times, name)
    else:
        scene = scene_image(settings, source, squeezed(rendering.scene(times)), times, name)
    images: tuple[Image, ...] = (scene,)
    if query.times is None:
        images = (scene, *rendering.images(source, config)[1:])
    crop = {axis: part for axis, part in query.crop.items() if axis in images[0].axes}
    return tuple(image.crop(**crop) for image in images) if crop else images


def _model(settings: Mapping[str, Any], stored: Stored) -> SpaceTimeModel:
    """Return the model of a saved fit."""
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in stored.tensors.items()}
    with complete():
        model = SpaceTimeModel.from_settings(settings)
        model.load(tensors)
    return model


def _halves(settings: Mapping[str, Any], stored: Stored) -> list[SpaceTimeModel]:
    """Return the models of the motion of two halves of the pixels; none if none are saved."""
    found = []
    scene = {n: v for n, v in stored.tensors.items() if n.startswith("scene")}
    for number in range(min(settings.get("halves", 0), 2)):
        start = f"half.{number}."
        own = {n.removeprefix(start): v for n, v in stored.tensors.items() if n.startswith(start)}
        found.append(_model(settings, replace(stored, tensors={**scene, **own})))
    return found


def _parts(stored: Stored) -> KnownParts | None:
    """Return the parts of a phase that a fit saves, if it does."""
    names = PLACES, COVARIANCES, MOMENTS
    if not all(name in stored.tensors for name in names):
        return None
    places, known, moments = (np.asarray(stored.tensors[name], float) for name in names)
    n_parts, n_frames = len(places) if places.ndim else 0, moments.size
    fits = places.shape == (n_parts, n_frames, 2) and moments.shape == (n_frames,)
    fits = fits and known.shape == (n_parts, n_frames, n_frames) and n_parts * n_frames > 0
    if not fits or not all(np.isfinite(one).all() for one in (places, known, moments)):
        shapes = " and ".join(str(one.shape) for one in (places, known, moments))
        raise FileError(
            f"{', '.join(names)} have the shapes {shapes}, which do not fit each other, or are not "
            "finite; the fit is damaged. Fit again."
        )
    return KnownParts(places, known, moments)


def _of_frames(
    settings: Mapping[str, Any], stored: Stored, name: str
) -> NDArray[np.float32] | None:
    """Return an array that a fit saves with axes (frames, [Z,] Y, X), if it does."""
    if name not in stored.tensors:
        return None
    found = np.asarray(stored.tensors[name], np.float32)
    if found.ndim != 1 + len(settings["padding"]) or len(found) != len(settings["frames"]):
        raise FileError(
            f"{name} has the shape {found.shape}, which does not fit "
            f"{n_of(len(settings['frames']), 'frame')}; the fit is damaged. Fit again."
        )
    return found
