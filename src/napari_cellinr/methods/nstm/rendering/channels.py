"""The scenes of several channels that move alike, of a saved fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.errors import FileError
from napari_cellinr.fitting.saved.complete import complete
from napari_cellinr.methods.nstm.model import SpaceTimeModel
from napari_cellinr.methods.nstm.rendering.render import Rendering
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.fitting.saved.stored import Stored

__all__ = ["prefix", "saved_scenes"]


def prefix(number: int) -> str:
    """Return with what the names of the parameters of a channel begin in a saved fit."""
    return f"channel.{number}."


def saved_scenes(
    stored: Stored, settings: Mapping[str, Any], model: SpaceTimeModel, times: Sequence[float]
) -> NDArray[np.float32]:
    """Return the scenes of all channels of a saved fit, axes (T, C, [Z,] Y, X), float32.

    Parameters
    ----------
    stored
        The saved fit.
    settings
        As `methods.nstm.geometry.model_settings` gives them.
    model
        The model with the motion, on the device.
    times
        In the unit of the recording.

    Raises
    ------
    FileError
        If the parameters of a channel are missing, or do not fit.
    """
    units, motion = settings["scenes"]["units"], settings["scenes"]["motion"]
    device = next(model.parameters()).device
    if len(units) != _count(stored.source):
        raise FileError(
            f"the fit has the scenes of {n_of(len(units), 'channel')} for a recording of "
            f"{_count(stored.source)}; it is damaged. Fit again."
        )
    found = []
    for number, unit in enumerate(units):
        own = model
        if number != motion:
            own = _with_scene(stored, settings, number).to(device)
        rendering = Rendering(own, {**settings, "unit": unit}, device)
        found.append(rendering.scene(times))
    return np.concatenate(found, axis=1)


def _with_scene(stored: Stored, settings: Mapping[str, Any], number: int) -> SpaceTimeModel:
    """Return the model of a saved fit with the scene of one of its channels."""
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in stored.tensors.items()}
    begin = prefix(number)
    own = {n.removeprefix(begin): value for n, value in tensors.items() if n.startswith(begin)}
    motion = {name: value for name, value in tensors.items() if name.startswith("motion")}
    with complete():
        model = SpaceTimeModel.from_settings(settings)
        model.load({**motion, **own})
    return model


def _count(source: Mapping[str, Any]) -> int:
    """Return the number of channels of a recording, by its facts in a saved fit."""
    return int(dict(zip(source["axes"], source["shape"], strict=True)).get("C", 1))
