"""Denoises the frames that are appended to a layer, with the noise model of the first ones."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal, Slot

from napari_cellinr.errors import AxesError, CellINRError
from napari_cellinr.macro import new_frames_steps
from napari_cellinr.runs.request import RunRequest, start
from napari_cellinr.text import n_of
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.session.actions import Request, source_of
from napari_cellinr.ui.session.controller import Work
from napari_cellinr.ui.session.dispatcher import dispatcher_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.layers import Image as ImageLayer

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.ui.session.controller import Controller
    from napari_cellinr.ui.task import Task

__all__ = ["NewFrames", "grown_to", "noise_of"]

INTERVAL: Final = 2000
"""Milliseconds between two looks at the data."""

_NOISE: Final = ("gain", "read_noise", "offset", "grain")


def noise_of(fitted: Fitted) -> dict[str, float]:
    """Return the noise model of a fit as settings: the median over its frames.

    Raises
    ------
    AxesError
        If its report has no noise model.
    """
    found = fitted.report.get("noise")
    frames = [found] if isinstance(found, dict) else list(found or ())
    known = [frame for frame in frames if isinstance(frame, dict)]
    noise = {
        name: float(np.median([frame[name] for frame in known]))
        for name in _NOISE
        if known and all(frame.get(name) is not None for frame in known)
    }
    if not {"gain", "read_noise"} <= set(noise):
        raise AxesError("this fit has no noise model, which new frames need; use another preset.")
    return noise


class NewFrames(QObject):
    """Follows one layer: each time it has more frames, they are denoised and appended.

    Parameters
    ----------
    controller
        The controller of the viewer.
    task
        The task of the fit.
    fitted
        The fit of the first frames.
    layer
        Its result, which grows.
    source
        The layer that is followed.

    Signals
    -------
    changed
        Following has ended, or frames were added.
    """

    changed = Signal()

    def __init__(
        self,
        controller: Controller,
        task: Task,
        fitted: Fitted,
        layer: ImageLayer,
        source: ImageLayer,
    ) -> None:
        super().__init__()
        axes = controller.image_of(source).axes
        if "T" not in axes or "C" in axes:
            raise AxesError(
                f"layer {source.name!r} has axes {axes}; a time axis and a single channel are "
                "needed to follow it."
            )
        self._controller, self._task = controller, task
        dispatcher = dispatcher_of(controller.viewer)
        self._queue, self._recorder = dispatcher.queue, dispatcher.recorder
        self._config = _with(fitted.config, noise_of(fitted))
        self._result_id, self._source_id = layer.unique_id, source.unique_id
        self._axis = axes.index("T")
        self.frames = int(layer.data.shape[self._axis])
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def stop(self) -> None:
        """Follow the layer no longer; frames that are being denoised are still added."""
        self._timer.stop()
        self.changed.emit()

    @property
    def is_active(self) -> bool:
        """Whether the layer is followed."""
        return bool(self._timer.isActive())

    @Slot()
    def look(self) -> None:
        """Denoise the frames that are new, unless a job is running."""
        source = find(self._controller.viewer, self._source_id)
        result = find(self._controller.viewer, self._result_id)
        if source is None or result is None:
            self.stop()
            return
        if self._queue.is_busy:
            return
        try:
            count = grown_to(source, self._axis, self.frames)
            if count > self.frames:
                self._begin(source, count)
        except CellINRError as error:
            self.stop()
            self._controller.say("error", str(error))

    def _begin(self, source: ImageLayer, count: int) -> None:
        part = self._controller.image_of(source).crop(T=(self.frames, count))
        run = RunRequest(self._task.method, part.canonical(), self._config)
        title = f"{self._task.noun} of frames {self.frames} to {count - 1} of {source.name}"
        done = partial(self._append, part.axes, source)
        work = Work(title, partial(start, run), done, self._source_id, quick=True)
        # The queue: a job that is about to begin lets the timer call `look` once more.
        self._queue.submit(Request(title, lambda: work, recorded=False, layer=source))

    def _append(self, axes: str, source: ImageLayer, fitted: Fitted) -> None:
        """Append denoised frames to the result, and record how they were denoised."""
        result: Any = find(self._controller.viewer, self._result_id)
        if result is None:
            self.stop()
            return
        image = fitted.images[0]
        order = [image.axes.index(axis) for axis in axes]
        new = np.asarray(image.array()).transpose(order).astype(result.data.dtype)
        result.data = np.concatenate([np.asarray(result.data), new], axis=self._axis)
        known, self.frames = self.frames, int(result.data.shape[self._axis])
        taken = {str(layer.name) for layer in self._controller.viewer.layers}
        taken |= {name for step in self._recorder.macro.steps for name in step.results}
        for step in new_frames_steps(
            source_of(source), (known, self.frames), self._config, fitted, str(result.name), taken
        ):
            self._recorder.record(step)
        frames = n_of(new.shape[self._axis], "new frame")
        text = f"Layer “{result.name}”: {frames}, {self.frames} in all."
        self._controller.said.emit("info", text)
        self.changed.emit()


def _with(config: Config, noise: Mapping[str, float]) -> Config:
    """Return settings with a noise model."""
    changed: Config = config.replace(**noise)
    return changed


def grown_to(layer: ImageLayer, axis: int, known: int) -> int:
    """Return the number of frames of a layer, after an update if its data have grown.

    Data may grow in three ways: an acquisition replaces them, appends to the Zarr array that the
    layer shows, or appends to the Zarr file that the layer was opened from.

    Parameters
    ----------
    layer
        The layer.
    axis
        Its dimension of time.
    known
        Number of frames so far.
    """
    data: Any = layer.data
    if data.shape[axis] > known:
        layer.data = data  # napari learns the new size of an array that has grown in place
        return int(data.shape[axis])
    path = layer.source.path
    if path is None or Path(str(path)).suffix != ".zarr":
        return known
    grown = _read_again(Path(str(path)), tuple(data.shape), axis)
    if grown is None:
        return known
    layer.data = grown
    return int(grown.shape[axis])


def _read_again(path: Path, shape: tuple[int, ...], axis: int) -> Any:
    """Return the data of a Zarr file if they have more frames and the same size otherwise."""
    from napari_cellinr.io import read

    try:
        data: Any = read(path).data
    except CellINRError:  # it is being written at the moment
        return None
    others = [size for place, size in enumerate(data.shape) if place != axis]
    same = others == [size for place, size in enumerate(shape) if place != axis]
    return data if same and data.shape[axis] > shape[axis] else None
