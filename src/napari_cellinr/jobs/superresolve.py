"""The job of SpatimeINR: motion, trust and planes are fitted, then every frame is rendered."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import ConfigError
from napari_cellinr.fit import Fitted, Progress
from napari_cellinr.jobs.check import check_values
from napari_cellinr.jobs.lattice import Lattice, lattice_of, memory_needed
from napari_cellinr.jobs.report import environment
from napari_cellinr.jobs.superresolve_paper import paper_job
from napari_cellinr.kept import geometry
from napari_cellinr.methods.devices import choose_device
from napari_cellinr.methods.spatime import (
    choose_recipe,
    fit_motion,
    learn_planes,
    motion_settings,
    test_intervals,
)
from napari_cellinr.methods.spatime_mixer import RECIPES, Recipe, careful
from napari_cellinr.methods.spatime_model import Series
from napari_cellinr.methods.spatime_motion import EVERY
from napari_cellinr.stages import in_background

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    import torch
    from numpy.typing import NDArray

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.fit import Message, Stopped
    from napari_cellinr.image import Image

__all__ = ["superresolve_job"]

RESERVE = 0.8
"""Part of the time limit after which nothing more is fitted: the rest renders."""


@dataclass(eq=False)
class _Run:
    """What a running job knows of itself."""

    started: float
    deadline: float | None
    stopped: Stopped = "steps"
    step: int = 0
    steps: int = 1
    losses: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    paused: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing more is to be fitted."""
        late = self.deadline is not None and time.monotonic() > self.deadline
        if late and self.stopped == "steps":
            self.stopped = "time"
        return self.stopped in {"user", "time"}

    def tell(self, stage: str) -> Generator[Progress, Message, Message]:
        """Yield how far the job is; obey what comes back, and return it."""
        message: Message = None
        while True:
            seconds = time.monotonic() - self.started
            done = max(self.step, 1)
            eta = seconds / done * max(self.steps - self.step, 0)
            name = "paused" if self.paused else stage
            message = yield Progress(
                name, self.step, self.steps, dict(self.losses), seconds=seconds, eta=eta
            )
            if message == "stop":
                self.stopped = "user"
            if isinstance(message, str):
                self.paused = message == "pause"
            if not self.paused:
                return message
            time.sleep(0.05)


def superresolve_job(
    source: Image, config: SpatimeConfig, started: float
) -> Generator[Progress, Message, Fitted]:
    """Fit every channel and render the result.

    Parameters
    ----------
    source
        Axes in canonical order.
    config
        The settings.
    started
        `time.monotonic()` when the job began.
    """
    check_values(source)
    lattice = lattice_of(source, config)
    _check_memory(source, lattice)
    limit = config.max_seconds
    run = _Run(started, None if limit is None else started + RESERVE * limit)
    device = choose_device(config.device)
    data = np.asarray(source.array(), np.float32)
    if "C" not in source.axes:
        data = np.expand_dims(data, 1 if "T" in source.axes else 0)
    if "T" not in source.axes:
        data = data[None]
    axes = "".join(axis for axis in source.axes if axis in "ZYX")
    if config.preset == "paper":
        given = [np.ascontiguousarray(data[:, c]) for c in range(data.shape[1])]
        return (yield from paper_job(source, given, config, lattice, device, started))
    channels = [_series(data[:, c], axes, source, device) for c in range(data.shape[1])]
    run.steps = _count(channels, lattice, config)
    warnings: list[str] = []
    facts: dict[str, Any] = {}
    for number, series in enumerate(channels):
        yield from _fit(series, lattice, config, run, facts, warnings, number)
    result = yield from _render(channels, lattice, source, run)
    return _fitted(source, lattice, config, channels, result, run, facts, warnings, str(device))


def _series(frames: Any, axes: str, source: Image, device: torch.device) -> Series:
    steps = source.steps
    aspect = tuple(steps["X"] / steps[axis] for axis in axes)
    return Series(np.ascontiguousarray(frames), axes, aspect, device=device)


def _count(channels: list[Series], lattice: Lattice, config: SpatimeConfig) -> int:
    """Return the number of steps of the job: fits of motion, of planes, and frames to render."""
    n_frames = len(channels[0].frames)
    steps = len(lattice.times) if lattice.times is not None else 1
    if _needs_motion(lattice, config):
        n_axes = channels[0].frames.ndim - 1
        each = sum(n // EVERY for n in motion_settings(config, n_axes).steps) + 1
        tests = len(test_intervals(n_frames)) if config.motion == "auto" else 0
        steps += each * (len(_intervals(lattice)) + tests) + (len(RECIPES) if tests else 0)
    if _needs_planes(lattice, config):
        steps += 2 * config.steps
    return steps * len(channels)


def _intervals(lattice: Lattice) -> list[int]:
    """Return the intervals in which frames are wanted."""
    if lattice.times is None:
        return []
    inside = [t for t in lattice.times if abs(t - round(t)) > 1e-6]
    return sorted({int(np.floor(t)) for t in inside})


def _needs_motion(lattice: Lattice, config: SpatimeConfig) -> bool:
    return bool(_intervals(lattice)) and config.motion != "never"


def _needs_planes(lattice: Lattice, config: SpatimeConfig) -> bool:
    return "Z" in lattice.maps and lattice.maps["Z"].step < 0.999 and config.steps > 0


def _fit(
    series: Series,
    lattice: Lattice,
    config: SpatimeConfig,
    run: _Run,
    facts: dict[str, Any],
    warnings: list[str],
    number: int,
) -> Generator[Progress, Message, None]:
    """Fit what the lattice asks for into one channel."""
    if _needs_motion(lattice, config):
        settings = motion_settings(config, series.frames.ndim - 1)
        wanted = _intervals(lattice)
        for place, interval in enumerate(wanted):
            if run.over:
                break
            stage = f"following motion, interval {place + 1} of {len(wanted)}"
            yield from _stage(fit_motion(series, interval, settings, config.seed), stage, run)
        if config.motion == "auto" and not run.over:
            yield from _trust(series, config, run, facts, warnings, number)
    elif config.motion == "never":
        series.recipe = Recipe(0.0, False, 0.0)
    if _needs_planes(lattice, config) and not run.over:
        factor = 1 / lattice.maps["Z"].step
        for step, errors in learn_planes(series, factor, config):
            run.step += 1
            run.losses = {k: v for k, v in errors.items() if k in {"planes", "field"}}
            if step % 10 == 0:
                run.history.append({"step": step, **run.losses})
            yield from run.tell("learning finer planes")
            if run.over:
                break
        name = f"channel {number}: planes"
        facts[name] = "learnt" if series.planes is not None else "interpolated"
        if series.planes is None and not run.over:
            warnings.append(
                "planes between planes are interpolated: what was learnt within planes was not "
                "better on those that were held out."
            )


def _stage(work: Iterator[Any], stage: str, run: _Run) -> Generator[Progress, Message, Any]:
    """Go through some work, telling about it; return the last thing that it yields."""
    last = None
    for found in work:
        last = found
        run.step += 1
        yield from run.tell(stage)
        if run.over:
            break
    return last


def _trust(
    series: Series,
    config: SpatimeConfig,
    run: _Run,
    facts: dict[str, Any],
    warnings: list[str],
    number: int,
) -> Generator[Progress, Message, None]:
    """Let held-out frames decide how far motion is trusted."""
    settings = motion_settings(config, series.frames.ndim - 1)
    work = choose_recipe(series, settings, config.seed)
    errors = yield from _stage(work, "testing motion on held-out frames", run)
    if not errors:
        if len(series.frames) < 3:
            series.recipe = Recipe(0.5, False, 1.0)
            warnings.append(
                "with two frames nothing can be held out: motion is trusted half. Five frames or "
                "more are needed for a good result."
            )
        return
    series.recipe = careful(errors)
    blend = errors[RECIPES[-4]]
    best = min(errors.values())
    facts[f"channel {number}: motion"] = series.recipe.motion
    facts[f"channel {number}: doubt"] = series.recipe.doubt
    facts[f"channel {number}: held-out gain over blending, dB"] = round(
        10 * float(np.log10(blend / max(best, 1e-12))), 2
    )


def _render(
    channels: list[Series], lattice: Lattice, source: Image, run: _Run
) -> Generator[Progress, Message, NDArray[np.float32]]:
    """Return the result with all its frames and channels, axes of the source."""
    times = [0.0] if lattice.times is None else list(lattice.times)
    sizes = [lattice.maps[axis].n_out for axis in channels[0].axes]
    result = np.empty((len(times), len(channels), *sizes), np.float32)
    for place, when in enumerate(times):
        stage = f"rendering frame {place + 1} of {len(times)}"
        for number, series in enumerate(channels):
            made = None
            if run.stopped != "user":
                made = yield from _aside(partial(_frame, series, when, lattice), stage, run)
            if made is None:  # at once, without motion and learnt planes
                quick = Series(series.frames, series.axes, series.aspect)
                made = _frame(quick, when, lattice)
            result[place, number] = made
            run.step += 1
            yield from run.tell(stage)
    if "C" not in source.axes:
        result = result[:, 0]
    return result if "T" in source.axes else result[0]


def _frame(series: Series, when: float, lattice: Lattice) -> NDArray[np.float32]:
    return series.finer(series.frame(when), lattice.maps, {})


def _aside(work: Callable[[], Any], stage: str, run: _Run) -> Generator[Progress, Message, Any]:
    """Do work in a thread and tell about it; return its result, or None if stopped before."""
    job = in_background(stage, work, started=run.started)
    message: Message = None
    while True:
        try:
            job.send(message)
        except StopIteration as finished:
            return finished.value
        message = yield from run.tell(stage)


def _fitted(
    source: Image,
    lattice: Lattice,
    config: SpatimeConfig,
    channels: list[Series],
    result: Any,
    run: _Run,
    facts: dict[str, Any],
    warnings: list[str],
    device: str,
) -> Fitted:
    image = lattice.placed(source, result, f"{source.name} super-resolved")
    state = {k: v for c, series in enumerate(channels) for k, v in series.tensors(f"{c}.").items()}
    if run.stopped in {"user", "time"}:
        why = "it was stopped" if run.stopped == "user" else "the time was up"
        warnings.append(f"not everything was fitted when {why}; what is missing is interpolated.")
    report = {
        "seconds": round(time.monotonic() - run.started, 3),
        "steps": run.step,
        "device": device,
        "converged": run.stopped not in {"user", "time"},
        "fits": facts,
        "warnings": warnings,
        "config": config.as_dict(),
        **environment(),
    }
    return Fitted(
        (image,), config, state, tuple(run.history), run.stopped, report,
        method="spatime", roles=("result",), source=geometry(source),
    )  # fmt: skip


def _check_memory(source: Image, lattice: Lattice) -> None:
    """Refuse a result that would not fit into memory."""
    needed, there = memory_needed(source, lattice), _memory()
    if there and needed > 0.9 * there:
        size = " × ".join(map(str, lattice.shape(source)))
        raise ConfigError(
            f"the result of {size} voxels needs about {needed / 1e9:.1f} GB of memory, of which "
            f"{there / 1e9:.1f} GB are free; choose smaller factors or a crop, or fit without "
            "factors and render parts of it to OME-Zarr."
        )


def _memory() -> float:
    """Return the free memory of this computer in bytes; 0 where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123
            for line in file:
                if line.startswith("MemAvailable:"):
                    return float(line.split()[1]) * 1024
    except OSError:
        return 0.0
    return 0.0
