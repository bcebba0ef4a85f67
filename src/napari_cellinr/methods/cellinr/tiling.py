"""Fits a frame with less memory: smaller batches or tiles, with a warning."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.errors import FitError
from napari_cellinr.fitting.problem import REACHED, Outcome
from napari_cellinr.fitting.resources.available import available_memory
from napari_cellinr.fitting.resources.devices import choose_device
from napari_cellinr.fitting.resources.memory import SMALLEST_BATCH
from napari_cellinr.fitting.tiles import Blend, cut, halved
from napari_cellinr.methods.cellinr.costs import OVERLAP, SMALLEST_TILE, first_lengths
from napari_cellinr.methods.cellinr.frames import Frame
from napari_cellinr.methods.cellinr.tiled import joined_tiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray

    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.checkpoint import Checkpoint
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.image import Image

__all__ = ["Tiling"]


class Tiling:
    """The tiles in which one frame is fitted: a single one is the whole frame.

    If memory is exhausted, the batches are made smaller, then the tiles. On the CPU, tiles are
    used from the start if a whole image would need more memory than is free, since an operating
    system may kill a program that uses too much.

    The preset `paper` fits batches of voxels, which are halved first. The other presets hold the
    whole image on the device, so that only tiles reduce the memory. The frame has a warning about
    smaller batches or tiles.

    Parameters
    ----------
    image
        One frame of one channel.
    config
        The settings.
    monitor
        Monitor of the job; its checkpoint is in the scope of the frame.

    Attributes
    ----------
    config : CellINRConfig
        The settings for the next tile.
    """

    def __init__(self, image: Image, config: CellINRConfig, monitor: Monitor) -> None:
        self.image, self.config, self._original = image, config, config
        self._monitor = monitor
        self._scope = monitor.checkpoint.scope
        lengths = _lengths(image, config, monitor.checkpoint)
        if lengths != image.shape:
            monitor.checkpoint.enter(tiles_scope(self._scope, lengths))
        self._begin(lengths)

    def _begin(self, lengths: tuple[int, ...]) -> None:
        self._lengths = lengths
        self._tiles = cut(self.image.shape, lengths, OVERLAP)
        self._frames: list[Frame] = []

    @property
    def is_done(self) -> bool:
        """Whether all tiles are fitted, or the user has stopped the fit."""
        stopped = bool(self._frames) and self._frames[-1].outcome.stopped == "user"
        return stopped or len(self._frames) == len(self._tiles)

    @property
    def tile(self) -> Image:
        """The next part of the frame to fit."""
        parts = zip(self.image.axes, self._tiles[len(self._frames)], strict=True)
        return self.image if len(self._tiles) == 1 else self.image.crop(**dict(parts))

    def part(self) -> AbstractContextManager[None]:
        """Return the context in which the next tile is fitted: it adds a caption to progress."""
        count = len(self._tiles)
        if count == 1:
            return nullcontext()
        return self._monitor.part(f"tile {len(self._frames) + 1} of {count}", previews=False)

    def add(self, frame: Frame) -> None:
        """Add the fit of the next tile."""
        if len(self._tiles) > 1:
            if not self._frames:
                self._blends = [Blend(self.image.shape, OVERLAP) for _ in frame.images]
                self._names = [one.name for one in frame.images]
            for blend, one in zip(self._blends, frame.images, strict=True):
                blend.add(self._tiles[len(self._frames)], one.array())
            frame = replace(frame, images=(), state=_model_arrays(frame))
        self._frames.append(frame)

    def make_smaller(self) -> None:
        """Start again with smaller batches or tiles, since memory was exhausted.

        Raises
        ------
        FitError
            If batches and tiles cannot be smaller.
        """
        checkpoint = self._monitor.checkpoint
        if self.config.fits_in_batches and self.config.batch > SMALLEST_BATCH:
            self.config = self.config.replace(batch=self.config.batch // 2)
            checkpoint.enter(f"{self._scope}.batch-{self.config.batch}")
            self._begin(self._lengths)
            return
        smaller = halved(self.image.shape, self._lengths, OVERLAP)
        if max(smaller) < SMALLEST_TILE or smaller == self._lengths:
            raise FitError(
                f"there is not enough memory even for tiles of {_by(self._lengths)} voxels; "
                "close other programs, fit a crop, or choose the device cpu."
            )
        checkpoint.enter(tiles_scope(self._scope, smaller))
        self._begin(smaller)

    def frame(self) -> Frame:
        """Return the fit of the frame, joined from its tiles; restores the scope of the frame."""
        self._monitor.checkpoint.enter(self._scope)
        frame = self._frames[0] if len(self._tiles) == 1 else self._joined()
        return _with_warnings(frame, self._original, self.config, self.image, self._lengths)

    def _joined(self) -> Frame:
        """Return the fits of the tiles as that of the frame."""
        frames, image = self._frames, self.image
        # the input, where the fit was stopped before it reached a tile
        missing: list[NDArray[np.float32] | float] = [image.array(), 0.0, image.array()]
        images = tuple(
            image.like(blend.result(rest), name=name)
            for blend, rest, name in zip(self._blends, missing, self._names, strict=False)
        )
        settings, states = [frame.model for frame in frames], [frame.state for frame in frames]
        tiles = self._tiles[: len(frames)]
        model, state = joined_tiles(image.shape, tiles, settings, states, OVERLAP)
        return replace(_joined(frames, images), model=model, state=state)


def tiles_scope(scope: str, lengths: tuple[int, ...]) -> str:
    """Return the scope of the checkpoint for tiles of a frame.

    Parameters
    ----------
    scope
        That of the frame.
    lengths
        Lengths of the tiles in voxels.
    """
    return f"{scope}.tiles-{'x'.join(map(str, lengths))}"


def _lengths(image: Image, config: CellINRConfig, checkpoint: Checkpoint) -> tuple[int, ...]:
    """Return the first size of tiles to try; the whole image if it may fit.

    If an interrupted fit has stored tiles, it continues with them, however much memory is free now.
    """
    if not config.fits_in_batches:
        stored = image.shape
        for lengths in _smaller_and_smaller(image.shape):
            if checkpoint.holds(tiles_scope(checkpoint.scope, lengths)):
                stored = lengths
        if stored != image.shape:
            return stored
    if config.fits_in_batches or choose_device(config.device).type != "cpu":
        return image.shape
    return first_lengths(image.shape, available_memory())


def _smaller_and_smaller(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield all lengths of tiles that can be tried in turn."""
    lengths = shape
    while (smaller := halved(shape, lengths, OVERLAP)) != lengths:
        yield smaller
        lengths = smaller


def _joined(frames: list[Frame], images: tuple[Image, ...]) -> Frame:
    """Return the frames of the tiles as one."""
    last, outcomes = frames[-1], [frame.outcome for frame in frames]
    errors = np.array([outcome.held_out for outcome in outcomes])
    outcome = Outcome(
        last.outcome.stopped,
        max(outcome.steps for outcome in outcomes),
        math.sqrt(float((errors**2).mean())),
        last.outcome.history,
    )
    texts = [text for frame in frames for text in frame.facts.get("warnings", ())]
    facts = {**last.facts, "warnings": list(dict.fromkeys(texts))}
    return Frame(images, last.config, outcome, {}, {}, facts, last.device)


def _model_arrays(frame: Frame) -> dict[str, torch.Tensor]:
    """Return the arrays of the model of a tile, on the CPU; a tile cannot be continued."""
    state = frame.state.items()
    return {name: tensor.cpu() for name, tensor in state if not name.startswith(REACHED)}


def _with_warnings(
    frame: Frame,
    requested: CellINRConfig,
    used: CellINRConfig,
    image: Image,
    lengths: tuple[int, ...],
) -> Frame:
    """Return the frame with a warning if memory was short."""
    warnings = []
    if used.batch != requested.batch:
        warnings.append(
            f"Memory was short: each step used {used.batch} voxels instead of {requested.batch}."
        )
    if lengths != image.shape:
        count = len(cut(image.shape, lengths, OVERLAP))
        warnings.append(
            f"Memory was short: the image was fitted in {count} tiles of {_by(lengths)} voxels, "
            f"which overlap by {OVERLAP}."
        )
    if not warnings:
        return frame
    warnings += [*frame.facts.get("warnings", ())]
    return replace(frame, facts={**frame.facts, "warnings": warnings})


def _by(lengths: tuple[int, ...]) -> str:
    return "×".join(str(length) for length in lengths)
