"""One channel of a super-resolution: blend weights, finer planes, motion, and its frames."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.classic.camera.noise import estimate_noise
from napari_cellinr.errors import FitError
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.fitting.resources.memory import free_after
from napari_cellinr.methods.spatime.between.blending import (
    EQUAL,
    FULL,
    STATIC,
    choose_attenuation,
)
from napari_cellinr.methods.spatime.between.choice import (
    MOST,
    best_flow,
    errors_of_flows,
    random_part,
)
from napari_cellinr.methods.spatime.between.damaged import middle_frame
from napari_cellinr.methods.spatime.between.faults import good_neighbours
from napari_cellinr.methods.spatime.between.flow import path_coefficients
from napari_cellinr.methods.spatime.between.motion import (
    EVERY,
    motion_problems,
    motion_settings,
    rough_settings,
)
from napari_cellinr.methods.spatime.between.noise import (
    flicker_warning,
    is_visible,
    measured,
)
from napari_cellinr.methods.spatime.between.places import Places
from napari_cellinr.methods.spatime.between.trust import (
    motion_reliability,
    trust_of,
    trust_of_frame,
)
from napari_cellinr.methods.spatime.chosen import (
    errors_of_attenuations,
    evidence_in,
    facts_of_tests,
)
from napari_cellinr.methods.spatime.finer.learning import Learner
from napari_cellinr.methods.spatime.finer.sections import Samples
from napari_cellinr.methods.spatime.result import times_of
from napari_cellinr.methods.spatime.stages import (
    followed_intervals,
    held_out_frames,
    intervals_beside,
    is_between,
    needs_motion,
    needs_pixels,
    needs_planes,
    recorded_interval,
    spread,
)
from napari_cellinr.methods.spatime.state import (
    PIXELS,
    PLANES,
    TRUST,
    FinishedStages,
    interval_stage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.methods.spatime.between.motion import MotionSettings
    from napari_cellinr.methods.spatime.between.trust import Evidence
    from napari_cellinr.methods.spatime.chosen import Chosen, Tests
    from napari_cellinr.methods.spatime.output_grid import OutputGrid
    from napari_cellinr.methods.spatime.series import Series
    from napari_cellinr.methods.spatime.state import SuperresolutionState

    Work: TypeAlias = Generator[Progress, Message, None]

__all__ = ["ChannelFit"]

MOST_TESTS = 6
"""Largest number of held-out frames on which the attenuation of detail is chosen."""


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
    faulty
        Positions of frames that are replaced before anything else.
    chosen
        What held-out frames of the whole series chose, if the channel is a part of one.
    """

    def __init__(
        self,
        series: Series,
        grid: OutputGrid,
        config: SpatimeConfig,
        state: SuperresolutionState,
        number: int,
        faulty: Sequence[int] = (),
        chosen: Chosen | None = None,
    ) -> None:
        self.series, self.grid, self.config, self.state = series, grid, config, state
        self.number, self.faulty, self.chosen = number, list(faulty), chosen
        if chosen is not None:
            series.flow, series.low, series.span = chosen.flow, chosen.low, chosen.span
            series.part = chosen.window(series.frames.shape[1:])
        self.is_done = self._is_compared = False
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
        for frame in self.faulty:
            yield self._replace(frame)
        before = state.step
        if self.config.motion == "never":
            self.series.weights = STATIC
        elif self._needs_tests():
            yield from self._tests()
            if not state.over:
                finished.note(TRUST, state.step - before)
        yield from self._learn()
        yield from self._frames()
        self.is_done = True

    def _needs_tests(self) -> bool:
        follows = self.config.motion == "auto" and needs_motion(self.grid, self.config)
        return follows and TRUST not in self._finished

    def _needs_planes(self) -> bool:
        is_thin = isinstance(self.series.sections, Samples)
        return needs_planes(self.grid) and (is_thin or self.config.steps > 0)

    def _needs_pixels(self) -> bool:
        return needs_pixels(self.grid) and self.config.steps > 0

    def _tests(self) -> Iterator[Work]:
        """Predict given frames from those before and after them; that says where to trust motion.

        Motion over two intervals is larger than over one, so the choice is conservative.
        """
        series, stage = self.series, "testing motion on held-out frames"
        generator = np.random.default_rng(self.config.seed)
        evidence: dict[int, Evidence] = {}
        tests: Tests = []
        held_out = held_out_frames(len(series.frames), self._followed, self.faulty)
        counted = spread(held_out, MOST_TESTS)
        if self.chosen is None:
            even = [n for n in held_out if series.moments.is_midway(n)]
            yield self._choose_flow(sorted(spread(even, MOST)), stage)
        for number in held_out:
            pair = series.pair(number - 1, number + 1)
            yield self._follow_motion(pair, 0, stage, rough_settings(self.config))
            if self.state.over:
                return
            whole = tuple(slice(0, n) for n in series.frames.shape[1:])
            part = series.moments.part(number - 1, number, number + 1)
            found, truth = pair.predictions(0, part, whole), series.frames[number]
            evidence[number] = evidence_in(series, found, truth, self._noise, self.chosen)
            if number in counted:
                here = random_part(truth.shape, generator)
                local = trust_of_frame(evidence[number]).on_voxels(series.window, here)
                tests.append((found.part_of(here), local, truth[here]))
            self.state.step += 1
        if self.chosen is not None:
            series.motion_reliability = self.chosen.motion_reliability
        elif evidence:
            series.motion_reliability = motion_reliability(list(evidence.values()))
            series.held_out_power = float(np.mean([e.power for e in evidence.values()]))
        for interval in self._followed:
            if (trust := trust_of(interval, evidence, series.motion_reliability)) is not None:
                series.trust[interval] = trust
        yield self._choose_attenuation(tests, stage)

    def _choose_flow(self, held_out: Sequence[int], stage: str) -> Work:
        """Choose the optical flow that predicts the held-out frames best."""
        series = self.series
        triples = [series.scaled(series.frames[n - 1 : n + 2]) for n in held_out]
        work = partial(errors_of_flows, triples)
        if found := (yield from in_background(stage, work, self.state.monitor)):
            series.flow = best_flow(found)
            self._report_facts({"optical flow": series.flow})

    def _replace(self, frame: int) -> Work:
        """Put the mean of blend and motion between its good neighbours in place of a frame."""
        series, state, stage = self.series, self.state, "replacing faulty frames"
        first, last = good_neighbours(frame, self.faulty, len(series.frames))
        pair = series.pair(first, last)
        pair.weights = EQUAL
        if first != last and not state.over and self.config.motion != "never":
            yield from self._follow_motion(pair, 0, stage, rough_settings(self.config))
        part = series.moments.part(first, frame, last)
        series.frames[frame] = pair.frame(part) if first != last else series.frames[first]
        yield from state.report(stage)

    @cached_property
    def _followed(self) -> list[int]:
        """The intervals whose motion is fitted."""
        return followed_intervals(self.grid, self.config, len(self.series.frames))

    @cached_property
    def _noise(self) -> Noise:
        """The noise of the frames, in grey levels."""
        if self.chosen is not None:
            return self.chosen.noise
        frames = self.series.frames
        return estimate_noise(frames[middle_frame(self.faulty, len(frames))])

    @cached_property
    def _places(self) -> Places:
        """Where frames are compared."""
        chosen, shape = self.chosen, self.series.frames.shape[1:]
        whole, corner = (shape, ()) if chosen is None else (chosen.shape, chosen.corner)
        return Places(whole, self.config.seed, corner)

    def _follow_motion(
        self, series: Series, interval: int, stage: str, settings: MotionSettings
    ) -> Work:
        """Fit the motion of one interval of a series, from optical flow, coarse to fine."""
        state = self.state
        near = series.moments.near(interval, len(series.frames))
        scaled = series.scaled(series.frames[near])
        here = near.index(interval)
        with state.part(stage):
            pair, kind = scaled[here : here + 2], self.series.flow
            flow = partial(path_coefficients, pair[0], pair[1], settings.spacing, kind, series.part)
            start = yield from in_background(stage, flow, state.monitor)
        if start is None or state.over:
            return
        trust = series.trust.get(interval)
        smooth = None if trust is None else torch.from_numpy(trust.smooth).to(series.device)
        problems = motion_problems(
            torch.from_numpy(scaled).to(series.device), near, interval,
            torch.from_numpy(start).to(series.device), settings, self._places, smooth,
            None if self.chosen is None else self.chosen.contrast, series.part,
        )  # fmt: skip
        for problem in problems:
            series.motion[interval] = problem.model
            with state.part(stage, EVERY):
                outcome = yield from optimise(problem, self.config, state.monitor)
            state.step += outcome.steps // EVERY
            if state.over:
                return
        state.step += 1

    def _choose_attenuation(self, tests: Tests, stage: str) -> Work:
        """Choose the attenuation of detail that predicts the held-out frames best."""
        series, state = self.series, self.state
        state.step += 1
        yield from state.report(stage)
        if not tests:
            series.weights = EQUAL
            state.warnings.append(
                "the series has too few frames to test the motion on a held-out frame, so the "
                "motion has half of the weight. Use five frames or more for a good result."
            )
            return
        compare = partial(errors_of_attenuations, tests, series.aspect)
        found = yield from in_background(stage, compare, state.monitor)
        if found is None:
            return
        errors, static = found
        own = choose_attenuation(errors) if self.chosen is None else self.chosen.attenuation
        series.weights = replace(FULL, attenuation=own)
        trust, least = list(series.trust.values()), min(map(sum, errors.values()))
        self._report_facts(facts_of_tests(trust, own, len(tests), least, static))

    def _learn(self) -> Iterator[Work]:
        """Learn finer planes, and then finer pixels."""
        series, state, maps = self.series, self.state, self.grid.maps
        learner = Learner(series, self.config, state, self._report_facts)
        steps = [maps[axis].step for axis in "YX" if axis in maps]
        stages: list[tuple[str, bool, Callable[[Noise | None], Work]]] = [
            (PLANES, self._needs_planes(), lambda noise: learner.planes(1 / maps["Z"].step, noise)),
            (PIXELS, self._needs_pixels(), lambda noise: learner.pixels(steps, noise)),
        ]
        for stage, is_needed, learn in stages:
            if is_needed and stage not in self._finished and not state.over:
                before = state.step
                seen = is_visible(self._noise, series.frames[0], series.span)
                yield learn(self._noise if seen else None)
                if not state.over:
                    self._finished.note(stage, state.step - before)

    def _frames(self) -> Iterator[Work]:
        """Fit the motion of one interval after the other, and render its frames at once."""
        state = self.state
        for place, when in enumerate(times_of(self.grid)):
            yield from self._motion_beside(when)
            if is_between(when) and not (self._is_compared or state.over):
                compared = recorded_interval(times_of(self.grid), self.faulty)
                yield from self._motion_beside(compared + 0.5)
                if not state.over:
                    yield self._compare_noise(compared)
            if state.output is not None:
                yield self._render(place, when)

    def _motion_beside(self, when: float) -> Iterator[Work]:
        """Fit the motion of the intervals that are needed to render a frame."""
        intervals, finished = self._followed, self._finished
        for interval in intervals_beside(when, intervals, recorded=self.series.removed is not None):
            if interval_stage(interval) in finished or self.state.over:
                continue
            before, number = self.state.step, intervals.index(interval) + 1
            stage = f"following motion, interval {number} of {len(intervals)}"
            yield self._follow_motion(self.series, interval, stage, self._motion)
            if not self.state.over:
                finished.note(interval_stage(interval), self.state.step - before)

    def _compare_noise(self, interval: int) -> Work:
        """Measure how much noise a made frame lacks; warn if that can be seen."""
        series, state = self.series, self.state
        self._is_compared = True
        given, seed = series.frames[interval], self.config.seed
        added = self.config.noise == "match"
        if series.noise is None:  # otherwise it was measured in the whole of the recording
            made = series.frame(interval + 0.5)
            series.noise = measured(given, made, self._noise, series.span, seed, is_added=added)
        if series.noise is not None:
            self._report_facts({"noise left between frames": round(series.noise.kept, 2)})
            text = flicker_warning(series.noise, given)
            if text and text not in state.warnings:  # a restored one
                state.warnings.append(text)
        yield from state.report("comparing the noise")

    def _render(self, place: int, when: float) -> Work:
        """Render one frame; after a stop, from its neighbours in place."""
        series, state = self.series, self.state
        assert state.output is not None
        stage = f"rendering frame {place + 1} of {len(state.output.data)}"
        made, work = None, partial(_frame, series, when, self.grid)
        if state.stopped != "user":
            with state.part(stage):
                made = yield from in_background(stage, work, state.monitor)
        if made is None:
            made = _frame(series.interpolated(), when, self.grid)
        state.output.data[place, self.number] = made
        state.step += 1
        yield from state.report(stage)

    def _report_facts(self, facts: Mapping[str, Any]) -> None:
        self.state.facts |= {f"channel {self.number}: {k}": v for k, v in facts.items()}


def _frame(series: Series, when: float, grid: OutputGrid) -> NDArray[np.float32]:
    return series.finer(series.frame(when), grid.maps, {})
