"""The frames of a job that are fitted one after the other, and their tiles."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.methods.cellinr.frames import Frame, load_frame, save_frame
from napari_cellinr.methods.cellinr.tiling import Tiling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.image import Image

__all__ = ["FrameByFrame", "frame_at"]

RESERVE = 0.85
"""Fraction of the time limit for optimisation; the rest is for rendering and writing."""


class FrameByFrame:
    """The frames of all channels, fitted one by one until the user stops.

    Finished frames are stored in the checkpoint, and loaded from it when the job resumes.

    Parameters
    ----------
    source
        Axes in canonical order.
    indices
        Position of each frame of each channel in the source by axis letter.
    config
        The settings.
    monitor
        Of the job.

    Attributes
    ----------
    frames : list of Frame
        The fits of the frames that are finished.
    """

    def __init__(
        self,
        source: Image,
        indices: Sequence[Mapping[str, int]],
        config: CellINRConfig,
        monitor: Monitor,
    ) -> None:
        self._source, self._indices = source, indices
        self._config, self._monitor = config, monitor
        self.frames: list[Frame] = []
        self._begin()

    @property
    def is_done(self) -> bool:
        """Whether all frames are fitted, or the user has stopped the fit."""
        stopped = bool(self.frames) and self.frames[-1].outcome.stopped == "user"
        return stopped or len(self.frames) == len(self._indices)

    @property
    def index(self) -> Mapping[str, int]:
        """Position of the present frame in the source by axis letter."""
        return self._indices[len(self.frames)]

    def _begin(self) -> None:
        """Start the next frame that is not in the checkpoint."""
        checkpoint = self._monitor.checkpoint
        while not self.is_done:
            number = len(self.frames)
            self._monitor.deadline = self._deadline(number)
            checkpoint.enter(f"frame-{number}")
            self._entry = checkpoint.entry("done")
            image = frame_at(self._source, self.index)
            frame = load_frame(self._entry, image, self._config)
            if frame is None:
                self.tiling = Tiling(image, self._config, self._monitor)
                return
            self.frames.append(frame)

    def part(self) -> AbstractContextManager[object]:
        """Return the context in which the next tile is fitted: it adds captions to progress."""
        stack = ExitStack()
        if len(self._indices) > 1:
            caption = f"image {len(self.frames) + 1} of {len(self._indices)}"
            stack.enter_context(self._monitor.part(caption, self.index))
        stack.enter_context(self.tiling.part())
        return stack

    def add(self, frame: Frame) -> None:
        """Add the fit of the next tile; store the frame if it is complete."""
        self.tiling.add(frame)
        if not self.tiling.is_done:
            return
        whole = self.tiling.frame()
        if len(self._indices) > 1 and self._entry.should_save and whole.outcome.stopped != "user":
            save_frame(self._entry, whole)
            self._monitor.checkpoint.remove_all_but(self._entry)
        self.frames.append(whole)
        self._begin()

    def _deadline(self, number: int) -> float | None:
        """Return the time limit of frame `number`; the remaining time is divided evenly."""
        if self._config.max_seconds is None:
            return None
        now = time.monotonic()
        left = self._monitor.end_after(RESERVE * self._config.max_seconds) - now
        return now + max(left, 0) / (len(self._indices) - number)


def frame_at(source: Image, index: Mapping[str, int]) -> Image:
    """Return one frame of one channel, axes ZYX or YX, float32, with the name of the source.

    Parameters
    ----------
    source
        Axes in canonical order.
    index
        Position of the frame by axis letter.
    """
    part = source
    for axis, place in index.items():
        part = part.take(axis, place)
    return replace(part, data=np.asarray(part.data, np.float32), name=source.name)
