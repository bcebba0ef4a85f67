"""One channel of a super-resolution: blend weights, finer planes, motion, and its frames."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.errors import FitError
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.fitting.resources.memory import free_after
from napari_cellinr.methods.spatime.blending import (
    CANDIDATES,
    EQUAL,
    STATIC,
    choose_weights,
    error_of,
)
from napari_cellinr.methods.spatime.motion import (
    EVERY,
    motion_problems,
    motion_settings,
    neighbours,
    progress_steps,
)
from napari_cellinr.methods.spatime.planes import (
    FEWEST,
    PlanesProblem,
    best_interpolation,
    training_planes,
)
from napari_cellinr.methods.spatime.result import times_of
from napari_cellinr.methods.spatime.sections import Samples
from napari_cellinr.methods.spatime.series import Series
from napari_cellinr.methods.spatime.state import PLANES, TRUST, FinishedStages, interval_stage

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from typing import TypeAlias

    from numpy.typing import NDArray

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.fitting.problem import Message, Outcome, Progress
    from napari_cellinr.methods.spatime.blending import Predictions
    from napari_cellinr.methods.spatime.output_grid import OutputGrid
    from napari_cellinr.methods.spatime.planes import TrainingPlanes
    from napari_cellinr.methods.spatime.state import SuperresolutionState

    Work: TypeAlias = Generator[Progress, Message, None]
    Tests: TypeAlias = list[tuple[Predictions, NDArray[np.float32]]]

__all__ = ["ChannelFit", "planned_steps", "test_intervals"]

TESTED = (16, 96, 96)
"""Largest part of a held-out frame that is compared, in voxels along Z, Y, X."""

MOST_TESTS = 2
"""Largest number of held-out frames of each half of a series, to choose the blend weights."""

MOST_EXAMPLES = 6
"""Largest number of frames from which finer planes are learnt."""


class ChannelFit:
    """The work on one channel, as generators of progress that run one after the other.

    Parameters
    ----------
    series
        The channel, into which the fitted models are put.
    grid
        Where the samples of the result lie.
    config
        The settings.
    state
        State of the job.
    number
        Number of the channel, from 0.
    """

    def __init__(
        self,
        series: Series,
        grid: OutputGrid,
        config: SpatimeConfig,
        state: SuperresolutionState,
        number: int,
    ) -> None:
        self.series, self.grid, self.config, self.state = series, grid, config, state
        self.number = number
        self.is_done = False
        self._motion = motion_settings(config, series.frames.ndim - 1)
        self._first_step = state.step
        self._finished = FinishedStages(series, state, number)

    def close(self) -> None:
        """Store the finished stages in the checkpoint of the job."""
        self._finished.save()

    def continue_on_cpu(self, error: Exception) -> None:
        """Prepare to continue on the CPU after GPU memory was exhausted.

        Raises
        ------
        FitError
            If the memory of the CPU was exhausted.
        Exception
            `error`, if memory is not its reason.
        """
        free_after(error)
        if self.series.device.type == "cpu":
            raise FitError(
                "there is not enough memory; close other programs, superresolve a crop, or write "
                "the result to OME-Zarr piece by piece."
            ) from None
        self._finished.move_to_cpu()
        self.state.step = self._first_step + self._finished.steps

    def work(self) -> Iterator[Work]:
        """Yield the stages that are not finished yet; each is run before the next."""
        state, finished = self.state, self._finished
        before = state.step
        if self.config.motion == "never":
            self.series.weights = STATIC
        elif self._needs_tests():
            yield from self._tests()
            if not state.over:
                finished.note(TRUST, state.step - before)
        if self._needs_planes():
            before = state.step
            yield self._learn_planes(1 / self.grid.maps["Z"].step)
            if not state.over:
                finished.note(PLANES, state.step - before)
        yield from self._frames()
        self.is_done = True

    def _needs_tests(self) -> bool:
        follows = self.config.motion == "auto" and needs_motion(self.grid, self.config)
        return follows and TRUST not in self._finished

    def _needs_planes(self) -> bool:
        if PLANES in self._finished or self.state.over or not needs_planes(self.grid):
            return False
        return isinstance(self.series.sections, Samples) or self.config.steps > 0

    def _tests(self) -> Iterator[Work]:
        """Predict every other frame from the rest, and choose the blend weights by the errors.

        Motion over two intervals is larger than over one, so the choice is conservative.
        """
        series, stage = self.series, "testing motion on held-out frames"
        halves = [Series(series.frames[h::2], series.axes, series.aspect) for h in (0, 1)]
        generator = np.random.default_rng(self.config.seed)
        tests: Tests = []
        for half, interval in test_intervals(len(series.frames)):
            thinned = halves[half]
            thinned.device = series.device
            yield self._follow_motion(thinned, interval, stage)
            if self.state.over:
                return
            part = _random_part(series.frames.shape[1:], generator)
            truth = series.frames[half + 2 * interval + 1][part]
            tests.append((thinned.predictions(interval, 0.5, part), truth))
            self.state.step += 1
        yield self._choose_weights(tests, stage)

    def _follow_motion(self, series: Series, interval: int, stage: str) -> Work:
        """Fit the motion of one interval of a series, coarse to fine."""
        state = self.state
        near = neighbours(interval, len(series.frames))
        frames = torch.from_numpy(series.scaled(series.frames[near])).to(series.device)
        seed = self.config.seed
        for problem in motion_problems(frames, interval - near[0], self._motion, seed):
            series.motion[interval] = problem.model
            with state.part(stage, EVERY):
                outcome = yield from optimise(problem, self.config, state.monitor)
            state.step += outcome.steps // EVERY
            if state.over:
                return
        state.step += 1

    def _choose_weights(self, tests: Tests, stage: str) -> Work:
        """Choose the blend weights that predict the held-out frames best."""
        series, state = self.series, self.state
        errors = {}
        for weights in CANDIDATES if tests else ():
            errors[weights] = error_of(weights, tests, series.aspect) / series.span**2
            state.step += 1
            yield from state.report(stage)
            if state.over:
                return
        state.step += 1
        if not tests:
            series.weights = EQUAL
            state.warnings.append(
                "the series has too few frames to test the motion on a held-out frame, so the "
                "motion has half of the weight. Use five frames or more for a good result."
            )
            return
        errors = dict(sorted(errors.items(), key=lambda pair: pair[1]))
        series.weights = choose_weights(errors, len(tests))
        gain = errors[STATIC] / max(min(errors.values()), 1e-12)
        self._report_facts(
            {
                "motion": series.weights.motion,
                "attenuation of detail": series.weights.attenuation,
                "held-out frames": len(tests),
                "held-out gain over blending, dB": round(10 * float(np.log10(gain)), 2),
            }
        )

    def _learn_planes(self, factor: float) -> Work:
        """Learn to correct interpolated planes; thin planes first choose their interpolation."""
        series, state, config = self.series, self.state, self.config
        examples = examples_of(series, factor)
        if examples is not None and isinstance(series.sections, Samples):
            series.sections = best_interpolation(examples, factor)
            examples = replace(examples, sections=series.sections)
            self._report_facts({"interpolation of thin planes": series.sections.kind})
        learns = examples is not None and len(examples.planes) >= FEWEST
        if learns and config.steps:
            assert examples is not None
            problem = PlanesProblem(
                examples, factor, latent=config.latent, steps=2 * config.steps,
                rate=config.learning_rate, seed=config.seed, device=series.device,
            )  # fmt: skip
            with state.part("learning finer planes"):
                outcome = yield from optimise(problem, config, state.monitor)
            state.step += outcome.steps + 1
            state.history += outcome.history
            series.planes = problem.model.eval() if _has_gained(outcome) else None
        learnt = series.planes is not None
        self._report_facts({"planes": "learnt" if learnt else "interpolated"})
        if not learnt and config.steps and not state.over:
            why = "learnt planes were not better on held-out planes"
            if not learns:
                why = "the recorded planes are too few or too small to learn from"
            state.warnings.append(f"planes between the recorded ones are interpolated: {why}.")

    def _frames(self) -> Iterator[Work]:
        """Fit the motion of one interval after the other, and render its frames at once."""
        state, finished = self.state, self._finished
        intervals = intervals_of(self.grid) if needs_motion(self.grid, self.config) else []
        for place, when in enumerate(times_of(self.grid)):
            interval = int(np.floor(when))
            needed = _is_between(when) and interval in intervals
            if needed and interval_stage(interval) not in finished and not state.over:
                which = f"interval {intervals.index(interval) + 1} of {len(intervals)}"
                before = state.step
                yield self._follow_motion(self.series, interval, f"following motion, {which}")
                if not state.over:
                    finished.note(interval_stage(interval), state.step - before)
            if state.output is not None:
                yield self._render(place, when)

    def _render(self, place: int, when: float) -> Work:
        """Render one frame; after a stop, from its neighbours in place."""
        series, state = self.series, self.state
        assert state.output is not None
        stage = f"rendering frame {place + 1} of {len(state.output.data)}"
        made = None
        if state.stopped != "user":
            with state.part(stage):
                made = yield from in_background(
                    stage, partial(_frame, series, when, self.grid), state.monitor
                )
        if made is None:
            quick = Series(series.frames, series.axes, series.aspect, sections=series.sections)
            made = _frame(quick, when, self.grid)
        state.output.data[place, self.number] = made
        state.step += 1
        yield from state.report(stage)

    def _report_facts(self, facts: Mapping[str, Any]) -> None:
        self.state.facts |= {f"channel {self.number}: {k}": v for k, v in facts.items()}


def planned_steps(
    n_frames: int, n_axes: int, grid: OutputGrid, config: SpatimeConfig, *, lazily: bool
) -> int:
    """Return the number of steps of a channel for motion, finer planes and rendering.

    Parameters
    ----------
    n_frames
        Number of frames of the source.
    n_axes
        Number of its spatial axes: 2 or 3.
    grid
        Where the samples of the result lie.
    config
        The settings.
    lazily
        Whether frames are rendered only when they are read.
    """
    steps = 0 if lazily else len(times_of(grid))
    if needs_motion(grid, config):
        each = progress_steps(motion_settings(config, n_axes))
        steps += each * len(intervals_of(grid))
        if config.motion == "auto":
            tests = len(test_intervals(n_frames))
            steps += (each + 1) * tests + (len(CANDIDATES) if tests else 0) + 1
    if needs_planes(grid) and config.steps:
        steps += 2 * config.steps + 1
    return steps


def intervals_of(grid: OutputGrid) -> list[int]:
    """Return the intervals in which frames of the result lie."""
    return sorted({int(np.floor(t)) for t in times_of(grid) if _is_between(t)})


def needs_motion(grid: OutputGrid, config: SpatimeConfig) -> bool:
    """Return whether motion has to be fitted.

    Parameters
    ----------
    grid
        Where the samples of the result lie.
    config
        The settings.
    """
    return bool(intervals_of(grid)) and config.motion != "never"


def needs_planes(grid: OutputGrid) -> bool:
    """Return whether the result has finer planes than the source."""
    return "Z" in grid.maps and grid.maps["Z"].step < 0.999


def test_intervals(n_frames: int) -> list[tuple[int, int]]:
    """Return half (0: even frames, 1: odd) and interval whose middle frame is held out."""
    found = []
    for half in (0, 1):
        n_intervals = len(range(half, n_frames, 2)) - 1
        if n_intervals > 0:
            count = min(n_intervals, MOST_TESTS)
            places = np.linspace(0, n_intervals - 1, count).round().astype(int)
            found += [(half, int(i)) for i in sorted(set(places))]
    return found


def examples_of(series: Series, factor: float) -> TrainingPlanes | None:
    """Return planes of a series to learn finer ones from; None if they are too small.

    Parameters
    ----------
    series
        The channel.
    factor
        Number of planes of the result per plane of the source.
    """
    ratio = series.aspect[-1] / series.aspect[series.axes.index("Z")]
    if ratio < 1.05:  # planes are as close as pixels: no finer detail within them
        ratio = factor
    count = min(len(series.frames), MOST_EXAMPLES)
    chosen = np.linspace(0, len(series.frames) - 1, count).round().astype(int)
    volumes = [series.scaled(series.frames[i]) for i in sorted(set(chosen))]
    if min(volumes[0].shape[1:]) < 6 * ratio:
        return None
    return training_planes(volumes, ratio, series.sections)


def _has_gained(outcome: Outcome) -> bool:
    """Return whether the network is better than the interpolation that it corrects."""
    return outcome.held_out < outcome.history[0]["held_out"]


def _is_between(time: float) -> bool:
    """Return whether a time lies between two frames."""
    return abs(time - round(time)) > 1e-6


def _random_part(shape: tuple[int, ...], generator: np.random.Generator) -> tuple[slice, ...]:
    """Return a random part of a frame, small enough to try all blend weights on it."""
    sizes = [min(n, m) for n, m in zip(shape, TESTED[-len(shape) :], strict=True)]
    starts = [int(generator.integers(n - m + 1)) for n, m in zip(shape, sizes, strict=True)]
    return tuple(slice(a, a + m) for a, m in zip(starts, sizes, strict=True))


def _frame(series: Series, when: float, grid: OutputGrid) -> NDArray[np.float32]:
    return series.finer(series.frame(when), grid.maps, {})
