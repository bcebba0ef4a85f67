"""The job of SpatimeINR: trust and planes, then motion, and the frames of each interval."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import FitError
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.check import check_values
from napari_cellinr.fitting.devices import choose_device
from napari_cellinr.fitting.guard import guarded
from napari_cellinr.fitting.memory import unless_short
from napari_cellinr.fitting.problem import Fitted
from napari_cellinr.fitting.report import environment
from napari_cellinr.fitting.stored import digest, geometry
from napari_cellinr.methods.spatime.blending import HALF, RECIPES, Recipe, careful
from napari_cellinr.methods.spatime.fit import (
    choose_recipe,
    fit_motion,
    learn_planes,
    motion_settings,
    teacher_for,
    test_intervals,
)
from napari_cellinr.methods.spatime.model import Series
from napari_cellinr.methods.spatime.motion import EVERY
from napari_cellinr.methods.spatime.output_grid import Lattice, lattice_of
from napari_cellinr.methods.spatime.planes import best_samples
from napari_cellinr.methods.spatime.published_job import paper_job
from napari_cellinr.methods.spatime.result import Result, check_memory, lazy_result, times_of
from napari_cellinr.methods.spatime.run import Run
from napari_cellinr.methods.spatime.sections import MEANS, Samples
from napari_cellinr.methods.spatime.stages import PLANES, TRUST, Finished, interval_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    import torch
    from numpy.typing import NDArray

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.image import Image

__all__ = ["superresolve_job"]

RESERVE = 0.8
"""Part of the time limit after which nothing more is fitted: the rest renders."""


@guarded
def superresolve_job(
    source: Image, config: SpatimeConfig, started: float, *, lazily: bool = False
) -> Generator[Progress, Message, Fitted]:
    """Fit every channel and render the result; it can be looked at while it fills.

    Parameters
    ----------
    source
        Axes in canonical order.
    config
        The settings.
    started
        `time.monotonic()` when the job began.
    lazily
        Whether the result is rendered only when parts of it are read.
    """
    check_values(source)
    lattice = lattice_of(source, config)
    check_memory(source, lattice, lazily=lazily)
    limit = config.max_seconds
    run = Run(started, None if limit is None else started + RESERVE * limit)
    device = choose_device(config.device)
    data = np.asarray(source.array(), np.float32)
    if "C" not in source.axes:
        data = np.expand_dims(data, 1 if "T" in source.axes else 0)
    if "T" not in source.axes:
        data = data[None]
    axes = "".join(axis for axis in source.axes if axis in "ZYX")
    if config.is_published:
        given = [np.ascontiguousarray(data[:, c]) for c in range(data.shape[1])]
        return (yield from paper_job(source, given, config, lattice, device, started, lazily))
    channels = [_series(data[:, c], axes, source, config, device) for c in range(data.shape[1])]
    run.steps = _count(channels, lattice, config)
    if not lazily:
        run.result = Result.empty(source, lattice)
        for number, series in enumerate(channels):
            begin = partial(run.result.begin, series, number)
            yield from _aside(begin, "looking at the series", run, needed=True)
    for number, series in enumerate(channels):
        yield from _channel(series, lattice, config, run, number)
    image = run.result.image() if run.result else lazy_result(source, lattice, channels)
    return _fitted(source, image, config, channels, run, str(device))


def _series(
    frames: Any, axes: str, source: Image, config: SpatimeConfig, device: torch.device
) -> Series:
    steps = source.steps
    aspect = tuple(steps["X"] / steps[axis] for axis in axes)
    sections = Samples("cubic") if config.planes == "thin" else MEANS
    return Series(np.ascontiguousarray(frames), axes, aspect, device=device, sections=sections)


def _count(channels: list[Series], lattice: Lattice, config: SpatimeConfig) -> int:
    """Return the number of steps of the job: fits of motion, of planes, and frames to render."""
    n_frames = len(channels[0].frames)
    steps = len(lattice.times) if lattice.times is not None else 1
    if _needs_motion(lattice, config):
        n_axes = channels[0].frames.ndim - 1
        each = sum(n // EVERY for n in motion_settings(config, n_axes).steps) + 1
        steps += each * len(_intervals(lattice))
        if config.motion == "auto":
            tests = len(test_intervals(n_frames))
            steps += (each + 1) * tests + (len(RECIPES) if tests else 0) + 1
    if _finer_planes(lattice) and config.steps:
        steps += 2 * config.steps + 1
    return steps * len(channels)


def _intervals(lattice: Lattice) -> list[int]:
    """Return the intervals in which frames are wanted."""
    if lattice.times is None:
        return []
    inside = [t for t in lattice.times if abs(t - round(t)) > 1e-6]
    return sorted({int(np.floor(t)) for t in inside})


def _needs_motion(lattice: Lattice, config: SpatimeConfig) -> bool:
    return bool(_intervals(lattice)) and config.motion != "never"


def _finer_planes(lattice: Lattice) -> bool:
    return "Z" in lattice.maps and lattice.maps["Z"].step < 0.999


def _channel(
    series: Series, lattice: Lattice, config: SpatimeConfig, run: Run, number: int
) -> Generator[Progress, Message, None]:
    """Fit a channel and render its frames; without the GPU if its memory is not enough."""
    begun, finished = run.step, Finished(series, run, number)

    def work() -> Generator[Progress, Message, bool]:
        yield from _fit(series, lattice, config, run, number, finished)
        yield from _frames(series, lattice, config, run, number, finished)
        return True

    try:
        while (yield from unless_short(work())) is None:
            if series.device.type == "cpu":
                raise FitError(
                    "the memory is not enough; close other programs, superresolve a crop, or write "
                    "the result to OME-Zarr piece by piece."
                )
            finished.move_to_cpu()
            run.step = begun + finished.steps
    finally:
        finished.save()


def _fit(
    series: Series,
    lattice: Lattice,
    config: SpatimeConfig,
    run: Run,
    number: int,
    finished: Finished,
) -> Generator[Progress, Message, None]:
    """Find out how far motion can be trusted, and learn finer planes, where that is needed."""
    if config.motion == "never":
        series.recipe = Recipe(0.0, False, 0.0)
    elif _needs_motion(lattice, config) and config.motion == "auto" and TRUST not in finished:
        before = run.step
        yield from _trust(series, config, run, number)
        if not run.over:
            finished.note(TRUST, run.step - before)
    thin = isinstance(series.sections, Samples)
    if not _finer_planes(lattice) or run.over or not (thin or config.steps):
        return
    if PLANES in finished:
        return
    before = run.step
    factor = 1 / lattice.maps["Z"].step
    teacher = teacher_for(series, factor)
    if teacher is not None and thin:
        series.sections = best_samples(teacher, factor)
        teacher = replace(teacher, sections=series.sections)
        run.facts[f"channel {number}: thin planes joined by"] = series.sections.kind
    for step, errors in learn_planes(series, teacher, factor, config):
        run.step += 1
        run.losses = {k: v for k, v in errors.items() if k in {"planes", "field"}}
        if step % 10 == 0:
            run.history.append({"step": step, **run.losses})
        yield from run.tell("learning finer planes")
        if run.over:
            break
    run.facts[f"channel {number}: planes"] = (
        "learnt" if series.planes is not None else "interpolated"
    )
    if series.planes is None and config.steps and not run.over:
        why = "what was learnt within planes was not better on those that were held out"
        if teacher is None:
            why = "the given ones are too small to learn from"
        run.warnings.append(f"planes between planes are interpolated: {why}.")
    if not run.over:
        finished.note(PLANES, run.step - before)


def _frames(
    series: Series,
    lattice: Lattice,
    config: SpatimeConfig,
    run: Run,
    number: int,
    finished: Finished,
) -> Generator[Progress, Message, None]:
    """Fit the motion of one interval after the other, and render its frames at once."""
    settings = motion_settings(config, series.frames.ndim - 1)
    wanted = _intervals(lattice) if _needs_motion(lattice, config) else []
    times = times_of(lattice)
    quick = Series(series.frames, series.axes, series.aspect, sections=series.sections)
    for place, when in enumerate(times):
        interval = int(np.floor(when))
        inside = abs(when - round(when)) > 1e-6
        known = interval_stage(interval) in finished
        if inside and interval in wanted and not known and not run.over:
            stage = f"following motion, interval {wanted.index(interval) + 1} of {len(wanted)}"
            before = run.step
            yield from _stage(fit_motion(series, interval, settings, config.seed), stage, run)
            if not run.over:
                finished.note(interval_stage(interval), run.step - before)
        if run.result is None:
            continue
        stage = f"rendering frame {place + 1} of {len(times)}"
        made = None
        if run.stopped != "user":
            made = yield from _aside(partial(_frame, series, when, lattice), stage, run)
        run.result.data[place, number] = _frame(quick, when, lattice) if made is None else made
        run.step += 1
        yield from run.tell(stage)


def _frame(series: Series, when: float, lattice: Lattice) -> NDArray[np.float32]:
    return series.finer(series.frame(when), lattice.maps, {})


def _stage(work: Iterator[Any], stage: str, run: Run) -> Generator[Progress, Message, Any]:
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
    series: Series, config: SpatimeConfig, run: Run, number: int
) -> Generator[Progress, Message, None]:
    """Let held-out frames decide how far motion is trusted."""
    settings = motion_settings(config, series.frames.ndim - 1)
    work = choose_recipe(series, settings, config.seed)
    errors = yield from _stage(work, "testing motion on held-out frames", run)
    if not errors:
        if len(series.frames) < 3:
            series.recipe = HALF
            run.warnings.append(
                "with two frames nothing can be held out: motion is trusted half. Five frames or "
                "more are needed for a good result."
            )
        return
    n_tests = len(test_intervals(len(series.frames)))
    series.recipe = careful(errors, n_tests)
    blend = errors[Recipe(0.0, False, 0.0)]
    best = min(errors.values())
    run.facts[f"channel {number}: motion"] = series.recipe.motion
    run.facts[f"channel {number}: doubt"] = series.recipe.doubt
    run.facts[f"channel {number}: held-out frames"] = n_tests
    run.facts[f"channel {number}: held-out gain over blending, dB"] = round(
        10 * float(np.log10(blend / max(best, 1e-12))), 2
    )


def _aside(
    work: Callable[[], Any], stage: str, run: Run, *, needed: bool = False
) -> Generator[Progress, Message, Any]:
    """Do work in a thread and tell about it; return its result, or None if stopped before."""
    job = in_background(stage, work, started=run.started, needed=needed)
    message: Message = None
    while True:
        try:
            job.send(message)
        except StopIteration as finished:
            return finished.value
        message = yield from run.tell(stage)


def _fitted(
    source: Image, image: Image, config: SpatimeConfig, channels: list[Series], run: Run,
    device: str,
) -> Fitted:  # fmt: skip
    """Put the result, what was fitted and the report together."""
    state = {k: v for c, series in enumerate(channels) for k, v in series.tensors(f"{c}.").items()}
    if run.stopped in {"user", "time"}:
        why = "it was stopped" if run.stopped == "user" else "the time was up"
        run.warnings.append(
            f"not everything was fitted when {why}; what is missing is interpolated."
        )
    report = {
        "seconds": round(time.monotonic() - run.started, 3),
        "steps": run.step,
        "device": device,
        "converged": run.stopped not in {"user", "time"},
        "fits": run.facts,
        "warnings": run.warnings,
        "config": config.as_dict(),
        **environment(),
    }
    return Fitted(
        (image,), config, state, tuple(run.history), run.stopped, report,
        method="spatime", roles=("result",), source={**geometry(source), "digest": digest(source)},
    )  # fmt: skip
