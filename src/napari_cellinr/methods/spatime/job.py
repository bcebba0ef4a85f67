"""The job of SpatimeINR: every channel is fitted and its frames are rendered."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.classic.camera.defects import blank_frames
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.check import check_values
from napari_cellinr.fitting.problem import Fitted
from napari_cellinr.fitting.report import environment
from napari_cellinr.fitting.resources.devices import choose_device
from napari_cellinr.fitting.resources.memory import FAILURES
from napari_cellinr.fitting.saved.stored import digest, geometry
from napari_cellinr.methods.spatime.channel import ChannelFit, planned_steps
from napari_cellinr.methods.spatime.output_grid import output_grid
from napari_cellinr.methods.spatime.published.job import published_job
from napari_cellinr.methods.spatime.result import OutputArray, check_memory, lazy_result
from napari_cellinr.methods.spatime.sections import MEANS, Samples
from napari_cellinr.methods.spatime.series import Series
from napari_cellinr.methods.spatime.state import SuperresolutionState

if TYPE_CHECKING:
    from collections.abc import Generator

    import torch
    from numpy.typing import NDArray

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.methods.spatime.output_grid import OutputGrid

__all__ = ["superresolve_job"]

RESERVE = 0.8
"""Fraction of the time limit for fitting; the rest is for rendering."""


def superresolve_job(
    source: Image, config: SpatimeConfig, monitor: Monitor, *, lazily: bool = False
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
    grid = output_grid(source, config)
    check_memory(source, grid, lazily=lazily)
    device = choose_device(config.device)
    data = np.asarray(source.array(), np.float32)
    if "C" not in source.axes:
        data = np.expand_dims(data, 1 if "T" in source.axes else 0)
    if "T" not in source.axes:
        data = data[None]
    channels = [np.ascontiguousarray(data[:, c]) for c in range(data.shape[1])]
    job = published_job if config.is_published else _stage_by_stage
    return job(source, channels, config, grid, device, monitor, lazily)


def _stage_by_stage(
    source: Image,
    channels: list[NDArray[np.float32]],
    config: SpatimeConfig,
    grid: OutputGrid,
    device: torch.device,
    monitor: Monitor,
    lazily: bool,
) -> Generator[Progress, Message, Fitted]:
    """Fit motion and finer planes of every channel; on the CPU if GPU memory is exhausted."""
    fitted = [_series(frames, source, config, device) for frames in channels]
    warnings = [text for frames in channels for text in _blank_warnings(frames)]
    limit = config.max_seconds
    monitor.deadline = None if limit is None else monitor.end_after(RESERVE * limit)
    state = SuperresolutionState(monitor)
    state.warnings.extend(dict.fromkeys(warnings))
    n_frames, *shape = channels[0].shape
    state.steps = len(fitted) * planned_steps(n_frames, len(shape), grid, config, lazily=lazily)
    if not lazily:
        state.output = OutputArray.empty(source, grid)
        for number, series in enumerate(fitted):
            fill, stage = partial(state.output.begin, series, number), "looking at the series"
            with state.part(stage):
                yield from in_background(stage, fill, monitor, needed=True)
    for number, series in enumerate(fitted):
        with closing(ChannelFit(series, grid, config, state, number)) as channel:
            while not channel.is_done:
                try:
                    for work in channel.work():
                        yield from work
                except FAILURES as error:
                    channel.continue_on_cpu(error)
    image = state.output.image() if state.output else lazy_result(source, grid, fitted)
    return _fitted(source, image, config, fitted, state, str(device))


def _blank_warnings(frames: NDArray[np.float32]) -> list[str]:
    """Return sentences that name the blank frames of one channel."""
    return [
        f"Frame {number + 1} of {len(frames)} is blank (all its voxels have one value): frames "
        "between it and its neighbours show nothing real. Remove it, or replace it by the frame "
        "before it."
        for number in blank_frames(list(frames))
    ]


def _series(
    frames: NDArray[np.float32], source: Image, config: SpatimeConfig, device: torch.device
) -> Series:
    steps = source.steps
    axes = "".join(axis for axis in source.axes if axis in "ZYX")
    aspect = tuple(steps["X"] / steps[axis] for axis in axes)
    sections = Samples("cubic") if config.planes == "thin" else MEANS
    return Series(frames, axes, aspect, device=device, sections=sections)


def _fitted(
    source: Image,
    image: Image,
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
        (image,), config, tensors, tuple(state.history), state.stopped, report,
        method="spatime", roles=("result",), source={**geometry(source), "digest": digest(source)},
        model={"channels": [series.settings() for series in channels]},
    )  # fmt: skip
