"""The job of the preset `paper`: networks are fitted to every channel, then it is rendered."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import ConfigError, FitError
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.fitting.problem import Fitted
from napari_cellinr.fitting.report import environment
from napari_cellinr.fitting.resources.memory import FAILURES, SMALLEST_BATCH, free_after
from napari_cellinr.fitting.saved.stored import digest, geometry
from napari_cellinr.methods.spatime.published.problem import PublishedSpatimeProblem
from napari_cellinr.methods.spatime.result import OutputArray, lazy_result, times_of

if TYPE_CHECKING:
    from collections.abc import Generator

    import torch
    from numpy.typing import NDArray

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Outcome, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.methods.spatime.output_grid import OutputGrid
    from napari_cellinr.methods.spatime.published.problem import PublishedSeries

    Floats = NDArray[np.float32]

__all__ = ["published_job"]

RESERVE = 0.7
"""Part of the time limit after which no step begins: rendering takes long."""


@dataclass(eq=False)
class _Channels:
    """The channels that were fitted so far, and how their fits went."""

    series: list[PublishedSeries] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def add(self, series: PublishedSeries, outcome: Outcome) -> None:
        series.settle()
        self.series.append(series)
        self.outcomes.append(outcome)

    @property
    def stopped_by_user(self) -> bool:
        return any(outcome.stopped == "user" for outcome in self.outcomes)


def published_job(
    source: Image,
    channels: list[Floats],
    config: SpatimeConfig,
    grid: OutputGrid,
    device: torch.device,
    monitor: Monitor,
    lazily: bool = False,
) -> Generator[Progress, Message, Fitted]:
    """Fit the networks of every channel and render the result.

    Parameters
    ----------
    source
        Axes in canonical order.
    channels
        Frames of each channel, (T, *space), grey levels, float32.
    config
        The settings.
    grid
        Where the samples of the result lie.
    device
        Where to compute.
    monitor
        Of the job.
    lazily
        Whether the result is rendered only when parts of it are read; not after a stop, after
        which channels may be missing.

    Raises
    ------
    ConfigError
        If there are no steps.
    FitError
        If the memory is not enough for the smallest batch.
    """
    if config.steps == 0:
        raise ConfigError("steps=0 was given; preset paper needs at least 1 step to learn from.")
    limit = config.max_seconds
    monitor.deadline = None if limit is None else monitor.end_after(RESERVE * limit)
    done = _Channels()
    requested = config.batch
    for number, frames in enumerate(channels):
        monitor.checkpoint.enter(f"channel-{number}")
        while len(done.series) == number:
            try:
                done.add(*(yield from _fit(source, frames, config, device, monitor)))
            except FAILURES as error:
                free_after(error)
                config = _with_half_the_batch(config)
                monitor.checkpoint.enter(f"channel-{number}.batch-{config.batch}")
        if done.stopped_by_user:
            break
    if lazily and not done.stopped_by_user:
        image = lazy_result(source, grid, done.series)
    else:
        made = yield from _render(done, len(channels), grid, monitor)
        image = OutputArray(source, grid, made).image()
    fitted = _fitted(source, config, done, image, str(device), monitor.seconds)
    if config.batch == requested:
        return fitted
    warning = (
        f"the memory was not enough for steps of {requested} voxels, so they had {config.batch}: "
        "more steps may be needed."
    )
    report = {**fitted.report, "warnings": [warning, *fitted.report["warnings"]]}
    return replace(fitted, report=report)


def _fit(
    source: Image, frames: Floats, config: SpatimeConfig, device: torch.device, monitor: Monitor
) -> Generator[Progress, Message, tuple[PublishedSeries, Outcome]]:
    """Fit the networks of a channel."""
    problem = PublishedSpatimeProblem(source, frames, config, device)
    outcome = yield from optimise(problem, config, monitor)
    return problem.series, outcome


def _with_half_the_batch(config: SpatimeConfig) -> SpatimeConfig:
    """Return the settings with half the voxels per step; raise `FitError` if it has few already."""
    if config.batch // 2 < SMALLEST_BATCH:
        raise FitError(
            f"there is not enough memory even for steps of {config.batch} voxels; close other "
            "programs, superresolve a crop, choose the device cpu or fewer neurons."
        )
    return config.replace(batch=config.batch // 2)


def _render(
    done: _Channels, n_channels: int, grid: OutputGrid, monitor: Monitor
) -> Generator[Progress, Message, Floats]:
    """Return all frames of all channels, (T, C, *space); zero where the user stopped."""
    times = times_of(grid)
    places = [one.positions for one in grid.maps.values()]
    cells = [one.step for one in grid.maps.values()]
    result = np.zeros((len(times), n_channels, *map(len, places)), np.float32)
    for number, series in enumerate(done.series):
        for frame, when in enumerate(times):
            stage = f"rendering frame {frame + 1} of {len(times)}"
            made = yield from in_background(stage, partial(series.at, when, places, cells), monitor)
            if made is None:
                return result
            result[frame, number] = made
    return result


def _fitted(
    source: Image,
    config: SpatimeConfig,
    done: _Channels,
    image: Image,
    device: str,
    seconds: float,
) -> Fitted:
    """Put the result, what was fitted and the report together."""
    state: dict[str, torch.Tensor] = {}
    for number, (series, outcome) in enumerate(zip(done.series, done.outcomes, strict=True)):
        state |= {**series.tensors(f"{number}."), **outcome.saved_state(f"{number}.")}
    outcomes = done.outcomes
    stopped = "user" if done.stopped_by_user else outcomes[-1].stopped
    report: dict[str, Any] = {
        "seconds": round(seconds, 3),
        "steps": sum(outcome.steps for outcome in outcomes),
        "device": device,
        "held_out": [outcome.held_out for outcome in outcomes],
        "converged": all(outcome.converged for outcome in outcomes),
        "variant": "networks of coordinates, as published",
        "warnings": _warnings(source, config, device, done),
        "config": config.as_dict(),
        **environment(),
    }
    history = tuple(row for outcome in outcomes for row in outcome.history)
    if stopped in {"user", "time"}:
        config = config.replace(steps=max(1, *(outcome.steps for outcome in outcomes)))
    return Fitted(
        (image,), config, state, history, stopped, report,
        method="spatime", roles=("result",), source={**geometry(source), "digest": digest(source)},
        model={"channels": [series.settings() for series in done.series]},
    )  # fmt: skip


def _warnings(source: Image, config: SpatimeConfig, device: str, done: _Channels) -> list[str]:
    found: list[str] = []
    if device == "cpu":
        found += filter(None, [config.cost_warning(source.sizes)])
    if done.stopped_by_user:
        found.append("the fit was stopped: channels and frames that are missing are 0.")
    if not all(outcome.converged for outcome in done.outcomes):
        found.append("the networks have not converged; more steps are needed.")
    return found
