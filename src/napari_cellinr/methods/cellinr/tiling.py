"""What a job does when the memory is not enough: smaller batches, then tiles, and a warning."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import psutil

from napari_cellinr.errors import FitError
from napari_cellinr.fitting.checkpoint import keeper
from napari_cellinr.fitting.devices import choose_device
from napari_cellinr.fitting.memory import SMALLEST_BATCH, unless_short
from napari_cellinr.fitting.problem import REACHED, Outcome
from napari_cellinr.fitting.relay import relayed
from napari_cellinr.fitting.tiles import Blend, cut, halved
from napari_cellinr.methods.cellinr.costs import OVERLAP, SMALLEST_TILE, first_lengths
from napari_cellinr.methods.cellinr.frames import Frame
from napari_cellinr.methods.cellinr.tiled import joined_tiles

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import torch
    from numpy.typing import NDArray

    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.image import Image

    Fit = Callable[[Image, CellINRConfig], Generator[Progress, Message, Frame]]

__all__ = ["fit_somehow"]


def fit_somehow(
    image: Image, config: CellINRConfig, fit: Fit
) -> Generator[Progress, Message, Frame]:
    """Fit one frame; if the memory is not enough, with smaller batches or in tiles.

    On the CPU, tiles are used from the beginning if a whole image would need more memory than is
    free, since an operating system may kill a program that takes too much.

    The steps of the preset `paper` use batches of voxels, which are halved first. The other
    presets hold the whole image on the device, so that only tiles help. The warnings of the frame
    say what was done.

    Parameters
    ----------
    image
        One frame of one channel.
    config
        The settings.
    fit
        Fits an image.

    Raises
    ------
    FitError
        If the memory is not enough for the smallest tiles either.
    """
    lengths, settings = _lengths(image, config), config
    scope = keeper().scope
    while True:
        tried = _as_tiles(image, settings, lengths, fit)
        frame = yield from unless_short(tried)
        if frame is not None:
            keeper().enter(scope)
            return _with_warnings(frame, config, settings, image, lengths)
        if settings.fits_in_batches and settings.batch > SMALLEST_BATCH:
            settings = settings.replace(batch=settings.batch // 2)
            keeper().enter(f"{scope}.batch-{settings.batch}")
            continue
        smaller = halved(image.shape, lengths, OVERLAP)
        if max(smaller) < SMALLEST_TILE or smaller == lengths:
            raise FitError(
                f"the memory is not enough, not even for tiles of {_by(lengths)} voxels; close "
                "other programs, fit a crop, or choose the device cpu."
            )
        lengths = smaller
        keeper().enter(f"{scope}.tiles-{_by(lengths)}")


def _lengths(image: Image, config: CellINRConfig) -> tuple[int, ...]:
    """Return the first size of tiles to try; the whole image if it may fit."""
    if config.fits_in_batches or choose_device(config.device).type != "cpu":
        return image.shape
    return first_lengths(image.shape, psutil.virtual_memory().available)


def _as_tiles(
    image: Image, config: CellINRConfig, lengths: tuple[int, ...], fit: Fit
) -> Generator[Progress, Message, Frame]:
    """Fit an image in tiles, or whole if one tile holds all of it."""
    tiles = cut(image.shape, lengths, OVERLAP)
    if len(tiles) == 1:
        return (yield from fit(image, config))
    blends: list[Blend] = []
    frames: list[Frame] = []
    for number, tile in enumerate(tiles):
        parts = dict(zip(image.axes, tile, strict=True))
        job = fit(image.crop(**parts), config)
        frame = yield from _numbered(job, number, len(tiles))
        blends = blends or [Blend(image.shape, OVERLAP) for _ in frame.images]
        names = [one.name for one in frame.images]
        for blend, one in zip(blends, frame.images, strict=True):
            blend.add(tile, one.array())
        frames.append(replace(frame, images=(), state=_kept(frame)))
        if frame.outcome.stopped == "user":
            break
    # where the user stopped before, the image stays as it was
    missing: list[NDArray[np.float32] | float] = [image.array(), 0.0, image.array()]
    images = tuple(
        image.like(blend.result(rest), name=name)
        for blend, rest, name in zip(blends, missing, names, strict=False)
    )
    settings, states = [frame.model for frame in frames], [frame.state for frame in frames]
    model, state = joined_tiles(image.shape, tiles[: len(frames)], settings, states, OVERLAP)
    return replace(_joined(frames, images), model=model, state=state)


def _numbered(
    job: Generator[Progress, Message, Frame], number: int, count: int
) -> Generator[Progress, Message, Frame]:
    """Pass on the progress of one tile, with its number; previews are not answered."""

    def named(progress: Progress) -> Progress:
        stage = f"{progress.stage} (tile {number + 1} of {count})"
        return replace(progress, stage=stage, preview=None)

    return relayed(job, named, previews=False)


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


def _kept(frame: Frame) -> dict[str, torch.Tensor]:
    """Return the arrays of the model of a tile, on the CPU; no fit continues from a tile."""
    state = frame.state.items()
    return {name: tensor.cpu() for name, tensor in state if not name.startswith(REACHED)}


def _with_warnings(
    frame: Frame,
    config: CellINRConfig,
    settings: CellINRConfig,
    image: Image,
    lengths: tuple[int, ...],
) -> Frame:
    """Return the frame with a warning that says what was done for lack of memory."""
    warnings = []
    if settings.batch != config.batch:
        warnings.append(
            f"Memory was short: steps had {settings.batch} voxels instead of {config.batch}."
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
