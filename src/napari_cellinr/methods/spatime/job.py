"""The job of SpatimeINR: every channel is fitted and its frames are rendered."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.classic.camera.noise import estimate_noise
from napari_cellinr.classic.camera.scan import scan_warnings
from napari_cellinr.config import CellINRConfig
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.check import check_values
from napari_cellinr.fitting.checkpoint import Checkpoint
from napari_cellinr.fitting.problem import Fitted
from napari_cellinr.fitting.report import environment
from napari_cellinr.fitting.resources.devices import choose_device
from napari_cellinr.fitting.resources.memory import FAILURES
from napari_cellinr.fitting.saved.stored import digest, geometry
from napari_cellinr.methods.cellinr.job import denoise_job
from napari_cellinr.methods.spatime.between.along import Moments
from napari_cellinr.methods.spatime.between.confidence import (
    ConfidenceSeries,
    blend_warning,
    motion_weight,
)
from napari_cellinr.methods.spatime.between.damaged import (
    all_warnings,
    looked_at,
    middle_frame,
    planes_warnings,
)
from napari_cellinr.methods.spatime.channel import ChannelFit
from napari_cellinr.methods.spatime.finer.sections import MEANS, Samples
from napari_cellinr.methods.spatime.output_grid import (
    check_changes,
    output_grid,
    places_in_time,
    spacing_warnings,
    with_true_times,
)
from napari_cellinr.methods.spatime.published.job import published_job
from napari_cellinr.methods.spatime.result import OutputArray, check_memory, lazy_result
from napari_cellinr.methods.spatime.series import Series
from napari_cellinr.methods.spatime.stages import intervals_of, needs_planes, planned_steps
from napari_cellinr.methods.spatime.state import SuperresolutionState

if TYPE_CHECKING:
    from collections.abc import Generator

    import torch
    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.methods.spatime.between.damaged import Channel
    from napari_cellinr.methods.spatime.between.noise import AddedNoise
    from napari_cellinr.methods.spatime.chosen import Chosen
    from napari_cellinr.methods.spatime.output_grid import OutputGrid

__all__ = ["Within", "superresolve_job"]

DENOISING = 0.4
"""Fraction of the time limit for removing noise first."""

RESERVE = 0.8
"""Fraction of the time limit for fitting; the rest is for rendering."""


@dataclass(frozen=True)
class Within:
    """What was found in the whole of a recording, of which a series of one channel is a part.

    Parameters
    ----------
    noise
        That frames between frames lack, and where the series lies; measured if not given.
    denoised
        The series without noise, if that is to be removed first.
    removed
        The noise that was removed.
    chosen
        What its held-out frames chose; chosen on those of the series if not given.
    places
        Of the frames in time, in steps, if frames are missing between them.
    """

    noise: AddedNoise | None = None
    denoised: Image | None = None
    removed: Noise | None = None
    chosen: Chosen | None = None
    places: tuple[float, ...] = ()


def superresolve_job(
    source: Image,
    config: SpatimeConfig,
    monitor: Monitor,
    *,
    lazily: bool = False,
    within: Within | None = None,
) -> Generator[Progress, Message, Fitted]:
    """Return the job that fits every channel and renders the result.

    Parameters
    ----------
    source
        Axes in the order T, C, Z, Y, X; T and C may be missing.
    config
        The settings.
    monitor
        Of the job.
    lazily
        Whether the result is rendered only when parts of it are read.
    within
        The recording of which the source is a part; it is all of it if not given.

    Returns
    -------
    Generator
        Yields progress, whose previews show the result while it is computed.

    Raises
    ------
    ConfigError, AxesError, DataError
        If the settings do not suit the source, or the result does not fit into memory.
    """
    check_values(source)
    if within is None:  # else the recording has been looked at
        config = with_true_times(source, config)
    grid = output_grid(source, config)
    check_changes(source, config, grid)
    check_memory(source, grid, lazily=lazily)
    device = choose_device(config.device)
    is_part, within = within is not None, within or Within(places=places_in_time(source, config))
    shown = within.denoised
    texts: list[str] = []
    if config.noise == "remove" and shown is None:
        shown, texts = yield from _denoised(source, config, monitor)
    recorded = _channels_of(source)
    if shown is not None:
        cleaned = _channels_of(shown)
        channels = [looked_at(c, raw) for c, raw in zip(cleaned, recorded, strict=True)]
        removed: list[Noise | None] = [
            within.removed or estimate_noise(raw[middle_frame(channel.faulty, len(raw))])
            for channel, raw in zip(channels, recorded, strict=True)
        ]
    else:  # else denoising has looked
        for number, frames in enumerate(recorded):
            planes = frames.reshape(-1, *frames.shape[-2:])
            texts += scan_warnings(planes, number if len(recorded) > 1 else None)
        channels = [looked_at(frames) for frames in recorded]
        removed = [None] * len(channels)
    texts += all_warnings(channels)
    if needs_planes(grid) and not is_part:
        for number, frames in enumerate(recorded, start=1):
            of = f"Channel {number}: " if len(recorded) > 1 else ""
            texts += [f"{of}{text}" for text in planes_warnings(frames)]
    if "T" in source.axes and not is_part:  # times of a part are given as places in its frames
        texts += spacing_warnings(config, source.units[source.axes.index("T")])
    if config.is_published:
        whole = [channel.blended() for channel in channels]
        fitted = yield from published_job(source, whole, config, grid, device, monitor, lazily)
    else:
        fitted = yield from _stage_by_stage(
            source, channels, removed, config, grid, device, monitor, lazily, within, is_part
        )
    report = {**fitted.report, "warnings": [*texts, *fitted.report["warnings"]]}
    return replace(fitted, report=report)


def _channels_of(image: Image) -> list[NDArray[np.float32]]:
    """Return the frames of each channel, (T, *space) each."""
    data = np.asarray(image.array(), np.float32)
    if "C" not in image.axes:
        data = np.expand_dims(data, 1 if "T" in image.axes else 0)
    if "T" not in image.axes:
        data = data[None]
    return [np.ascontiguousarray(data[:, c]) for c in range(data.shape[1])]


def _denoised(
    source: Image, config: SpatimeConfig, monitor: Monitor
) -> Generator[Progress, Message, tuple[Image, list[str]]]:
    """Return the series without noise, its background kept, and what its denoising warns of.

    The grey levels are those of the source. It is not in the checkpoint of the job, but computed
    again.
    """
    settings = CellINRConfig(
        background="keep", device=config.device, seed=config.seed,
        max_seconds=None if config.max_seconds is None else DENOISING * config.max_seconds,
    )  # fmt: skip
    checkpoint, monitor.checkpoint = monitor.checkpoint, Checkpoint(None)
    try:
        with monitor.part("removing noise", previews=False):
            fitted = yield from denoise_job(source, settings, monitor)
    finally:
        monitor.checkpoint, monitor.deadline = checkpoint, None
    return fitted.images[0], [f"Removal of noise: {text}" for text in fitted.report["warnings"]]


def _stage_by_stage(
    source: Image,
    channels: list[Channel],
    removed: list[Noise | None],
    config: SpatimeConfig,
    grid: OutputGrid,
    device: torch.device,
    monitor: Monitor,
    lazily: bool,
    within: Within,
    is_part: bool,
) -> Generator[Progress, Message, Fitted]:
    """Fit motion and finer planes of every channel; on the CPU if GPU memory is exhausted."""
    between = bool(intervals_of(grid))
    fitted = [
        _series(channel.frames, source, config, device, noise if between else None, within)
        for channel, noise in zip(channels, removed, strict=True)
    ]
    limit = config.max_seconds
    monitor.deadline = None if limit is None else monitor.end_after(RESERVE * limit)
    state = SuperresolutionState(monitor)
    n_frames, *shape = channels[0].frames.shape
    state.steps = sum(
        planned_steps(n_frames, len(shape), grid, config, lazily=lazily, faulty=channel.faulty)
        for channel in channels
    )
    if not lazily:
        state.output = OutputArray.empty(source, grid)
        for number, series in enumerate(fitted):
            fill, stage = partial(state.output.begin, series, number), "looking at the series"
            with state.part(stage):
                yield from in_background(stage, fill, monitor, needed=True)
    for number, series in enumerate(fitted):
        faulty = channels[number].faulty
        fit = ChannelFit(series, grid, config, state, number, faulty, within.chosen)
        with closing(fit) as channel:
            while not channel.is_done:
                try:
                    for work in channel.work():
                        yield from work
                except FAILURES as error:
                    channel.continue_on_cpu(error)
    if not is_part:  # of which the motion may be another than in most of the recording
        state.warnings += _blend_warnings(fitted, channels, grid)
    images = [state.output.image() if state.output else lazy_result(source, grid, fitted)]
    if config.confidence:
        doubts = lazy_result(source, grid, [ConfidenceSeries(s) for s in fitted], "confidence")
        stage, whole = "rendering the confidence", partial(np.asarray, doubts.data)
        if not lazily:
            with state.part(stage):
                found = yield from in_background(stage, whole, monitor, needed=True)
            assert found is not None
            doubts = doubts.like(found)
        images.append(doubts)
    return _fitted(source, tuple(images), config, fitted, state, str(device))


def _blend_warnings(fitted: list[Series], channels: list[Channel], grid: OutputGrid) -> list[str]:
    """Return sentences about channels in which motion is not trusted where most changes."""
    texts = []
    for number, (series, channel) in enumerate(zip(fitted, channels, strict=True), start=1):
        if series.trust:
            frame = series.frames[middle_frame(channel.faulty, len(series.frames))]
            variance = float(np.mean(estimate_noise(frame).sd(frame) ** 2))
            text = blend_warning(motion_weight(series, intervals_of(grid), variance))
            texts += [f"channel {number}: {text}" if len(fitted) > 1 else text] if text else []
    return texts


def _series(
    frames: NDArray[np.float32],
    source: Image,
    config: SpatimeConfig,
    device: torch.device,
    removed: Noise | None,
    within: Within,
) -> Series:
    steps = source.steps
    axes = "".join(axis for axis in source.axes if axis in "ZYX")
    aspect = tuple(steps["X"] / steps[axis] for axis in axes)
    sections = Samples("cubic") if config.planes == "thin" else MEANS
    blur = config.psf / steps["X"] if config.psf else None
    return Series(
        frames, axes, aspect, device=device, sections=sections, blur=blur, removed=removed,
        noise=within.noise, moments=Moments(within.places),
    )  # fmt: skip


def _fitted(
    source: Image,
    images: tuple[Image, ...],
    config: SpatimeConfig,
    channels: list[Series],
    state: SuperresolutionState,
    device: str,
) -> Fitted:
    """Return the result with the fitted models and the report."""
    stopped = state.stopped in {"user", "time"}
    if stopped:
        why = "was stopped" if state.stopped == "user" else "reached its time limit"
        state.warnings.append(
            f"the fit {why} before it was complete; the rest of the result is interpolated."
        )
    report = {
        "seconds": round(state.monitor.seconds, 3),
        "steps": state.step,
        "device": device,
        "converged": not stopped,
        "fits": state.facts,
        "warnings": state.warnings,
        "config": config.as_dict(),
        **environment(),
    }
    tensors = {
        k: v for c, series in enumerate(channels) for k, v in series.tensors(f"{c}.").items()
    }
    return Fitted(
        images, config, tensors, tuple(state.history), state.stopped, report,
        method="spatime", roles=("result", "confidence")[: len(images)],
        source={**geometry(source), "digest": digest(source)},
        model={"channels": [series.settings() for series in channels]},
    )  # fmt: skip
