"""The fit of one frame; writes it to a checkpoint and reads it back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.fitting.problem import Outcome
from napari_cellinr.fitting.saved.stored import geometry, plain
from napari_cellinr.methods.cellinr.problem import CellINRProblem
from napari_cellinr.methods.cellinr.saved import settings_of_version_0_1

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.checkpoint import CheckpointEntry
    from napari_cellinr.fitting.problem import Problem
    from napari_cellinr.image import Image

ERROR = 3
"""Place of the standard error among the images of a frame."""

__all__ = [
    "ERROR",
    "Frame",
    "alike",
    "frame_of",
    "load_frame",
    "noise_part",
    "save_frame",
    "unused_frame",
]


@dataclass(frozen=True)
class Frame:
    """The fit of one frame of one channel.

    Parameters
    ----------
    images
        Result, background and a third image, which the preset `paper` does not have.
    config
        The settings, including those that were chosen automatically.
    outcome
        How the optimisation ended.
    state
        Arrays of the model, and the state from which the fit can be continued, by name.
    model
        Shape and settings of the model.
    facts
        Properties of the data, such as its noise.
    device
        Device of the fit.
    """

    images: tuple[Image, ...]
    config: CellINRConfig
    outcome: Outcome
    state: Mapping[str, Any]
    model: Mapping[str, Any]
    facts: Mapping[str, Any]
    device: str


def noise_part(frame: Frame) -> float:
    """Return the standard deviation of the noise of a frame in the range of its grey levels.

    The noise is that of the light with its background, which a result may be without.
    """
    result, background, *others = frame.images
    if frame.config.background == "keep":
        shown = np.asarray(result.array())
    elif others:
        shown = np.asarray(others[0].array())
    else:
        shown = np.asarray(result.array() + background.array())
    noise = Noise(**frame.facts["noise"])
    low, high = np.percentile(shown, (0.5, 99.8))
    return float(np.sqrt(np.mean(noise.sd(shown) ** 2)) / max(high - low, 1e-12))


def alike(frames: list[Frame]) -> list[Frame]:
    """Return frames without standard errors, if some have none, since images have all frames.

    The channels of a series differ if the job was stopped, or its time ended, between two.

    Parameters
    ----------
    frames
        The fits of all channels.
    """
    if len({len(frame.images) for frame in frames}) < 2:
        return frames
    return [
        replace(
            frame,
            images=frame.images[:ERROR],
            state={name: array for name, array in frame.state.items() if name != "error"},
        )
        for frame in frames
    ]


def frame_of(problem: Problem, config: CellINRConfig, outcome: Outcome) -> Frame:
    """Return the fit of a frame, rendered.

    Parameters
    ----------
    problem
        With the fitted model.
    config
        The settings, including those that were chosen automatically.
    outcome
        How the optimisation ended.
    """
    if isinstance(problem, CellINRProblem):
        problem.put_held_out_back()
    images = problem.render()
    state, model = {**problem.state_dict(), **outcome.saved_state()}, problem.model_settings()
    return Frame(images, config, outcome, state, model, problem.facts(), str(problem.device))


def save_frame(entry: CheckpointEntry, frame: Frame) -> None:
    """Store a finished frame in the checkpoint.

    Parameters
    ----------
    entry
        Where to store it.
    frame
        The fit.
    """
    outcome = frame.outcome
    header = {
        "config": frame.config.as_dict(),
        "outcome": [outcome.stopped, outcome.steps, outcome.held_out],
        "history": [dict(row) for row in outcome.history],
        "model": dict(frame.model),
        "facts": dict(frame.facts),
        "device": frame.device,
        "images": [{**geometry(image), "shape": None} for image in frame.images],
    }
    images = {f"image.{i}": image.array() for i, image in enumerate(frame.images)}
    state = {f"state.{name}": tensor for name, tensor in frame.state.items()}
    entry.save(plain(header), {**images, **state})


def load_frame(entry: CheckpointEntry, part: Image, config: CellINRConfig) -> Frame | None:
    """Return the frame that the checkpoint holds, or None if it holds none.

    Parameters
    ----------
    entry
        Where `save_frame` has stored it.
    part
        The frame of the source.
    config
        The settings of the job.
    """
    found = entry.load()
    if found is None:
        return None
    header, arrays = found
    images = tuple(
        part.like(arrays[f"image.{i}"], name=about["name"])
        for i, about in enumerate(header["images"])
    )
    state = {
        name.removeprefix("state."): torch.from_numpy(array)
        for name, array in arrays.items()
        if name.startswith("state.")
    }
    stopped, steps, held_out = header["outcome"]
    outcome = Outcome(stopped, steps, held_out, tuple(header["history"]))
    chosen, facts = type(config)(**header["config"]), header["facts"]
    model = header.get("model") or settings_of_version_0_1(
        state, part.shape, facts["noise"], header["config"]
    )
    return Frame(images, chosen, outcome, state, model, facts, header["device"])


def unused_frame(like: Frame, recorded: NDArray[Any]) -> Frame:
    """Return a frame that shows nothing: all its grey levels are background, and stay.

    A saved fit renders it as 0.

    Parameters
    ----------
    like
        Another frame of the recording.
    recorded
        Grey levels of the frame, axes [Z,] Y, X.
    """
    no_signal = 0 if like.config.background == "subtract" else 2
    images = tuple(
        image.like(
            np.zeros(image.shape, np.float32)
            if number in {no_signal, ERROR}
            else np.asarray(recorded, np.float32),
            name=image.name,
        )
        for number, image in enumerate(like.images)
    )
    return replace(like, images=images, model={**like.model, "factor": 0.0})
