"""Learning of finer planes and pixels of one channel, as generators of progress."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.methods.spatime.between.noise import noise_level
from napari_cellinr.methods.spatime.finer.pixels import (
    PixelsProblem,
    pixel_examples,
    stein_weight,
    training_factors,
)
from napari_cellinr.methods.spatime.finer.planes import (
    FEWEST,
    PlanesProblem,
    best_interpolation,
    examples_of,
    with_noise,
)
from napari_cellinr.methods.spatime.finer.sections import NoisyMeans, Samples

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from typing import TypeAlias

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.fitting.problem import Message, Outcome, Progress
    from napari_cellinr.methods.spatime.finer.pixels import PixelExamples
    from napari_cellinr.methods.spatime.model import PixelModel
    from napari_cellinr.methods.spatime.series import Series
    from napari_cellinr.methods.spatime.state import SuperresolutionState

    Work: TypeAlias = Generator[Progress, Message, None]

__all__ = ["Learner", "has_gained"]


class Learner:
    """Learns finer planes and finer pixels of a channel.

    Parameters
    ----------
    series
        The channel, into which the networks are put.
    config
        The settings.
    state
        State of the job.
    report_facts
        Adds facts to the report of the channel.
    """

    def __init__(
        self,
        series: Series,
        config: SpatimeConfig,
        state: SuperresolutionState,
        report_facts: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self.series, self.config, self.state = series, config, state
        self._report_facts = report_facts

    def planes(self, factor: float, noise: Noise | None) -> Work:
        """Learn to correct interpolated planes; thin planes first choose their interpolation.

        Parameters
        ----------
        factor
            Planes of the result per plane of the source.
        noise
            Of the series, in grey levels, if it can be seen.
        """
        series, state, config = self.series, self.state, self.config
        with state.part("looking at the planes"):
            removed = None if config.noise == "keep" else noise
            look = partial(examples_of, series, factor, removed)
            examples = yield from in_background("looking at the planes", look, state.monitor)
        is_noisy = examples is not None and examples.added > 0
        if examples is not None and is_noisy and not isinstance(series.sections, Samples):
            examples = with_noise(examples, factor)
            series.sections = examples.sections
            self._report_facts({"noise of planes": "known"})
            self._say_what_is_kept("planes", noise)
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
            series.planes = problem.model.eval() if has_gained(outcome) else None
        learnt = series.planes is not None
        self._report_facts({"planes": "learnt" if learnt else "interpolated"})
        if not learnt and config.steps and not state.over:
            why = "learnt planes were not better on held-out planes"
            if not learns:
                why = "the recorded planes are too few or too small to learn from"
            state.warnings.append(f"planes between the recorded ones are interpolated: {why}.")

    def pixels(self, steps: Sequence[float], noise: Noise | None) -> Work:
        """Learn to correct interpolated rows and columns.

        Parameters
        ----------
        steps
            Distance of rows and of columns of the result, in those of the source.
        noise
            Of the series, in grey levels, if it can be seen.
        """
        series, state, config = self.series, self.state, self.config
        stage = "looking at the pixels"
        look = partial(
            pixel_examples, series.frames, training_factors(steps), series.low, series.span,
            noise, series.blur, keeps=config.noise == "keep",
        )  # fmt: skip
        with state.part(stage):
            examples = yield from in_background(stage, look, state.monitor)
        if examples is not None and not state.over:
            series.pixel_sections = examples.sections
            self._say_what_is_kept("pixels", noise)
            problem = PixelsProblem(
                examples, steps=2 * config.steps, rate=config.learning_rate, seed=config.seed,
                device=series.device,
            )  # fmt: skip
            with state.part("learning finer pixels"):
                outcome = yield from optimise(problem, config, state.monitor)
            state.step += outcome.steps + 1
            state.history += outcome.history
            series.pixels = problem.model.eval() if has_gained(outcome) else None
            if series.pixels is not None and examples.recorded is not None:
                yield from self._weigh(series.pixels, examples)
            self._report_facts({"blur in the plane, pixels": round(examples.blur, 2)})
        learnt = series.pixels is not None
        self._report_facts({"pixels": "learnt" if learnt else "interpolated"})
        if not learnt and not state.over:
            why = "learnt pixels were not better on held-out parts"
            if examples is None:
                why = (
                    "the planes are too small to learn from, or their noise has a grain, as in "
                    "images that were resampled"
                )
            state.warnings.append(f"pixels between the recorded ones are interpolated: {why}.")

    def _say_what_is_kept(self, what: str, noise: Noise | None) -> None:
        """Warn that noise is removed, where the recorded planes or pixels lose their values."""
        series = self.series
        sections = series.sections if what == "planes" else series.pixel_sections
        if noise is not None and isinstance(sections, NoisyMeans):
            part = 100 * noise_level(noise, series.frames[0]) / series.span
            self.state.warnings.append(
                f"noise of {part:.1f} % of the range of grey levels was found and is removed where "
                f"finer {what} are made: the recorded {what} are not kept as they were recorded. "
                "To keep their values, and with them their noise, give noise=keep."
            )

    def _weigh(self, model: PixelModel, examples: PixelExamples) -> Work:
        """Weight the correction of a noisy image; after a stop, there is none."""
        stage = "weighting finer pixels"
        with self.state.part(stage):
            weigh = partial(stein_weight, model, examples)
            weight = yield from in_background(stage, weigh, self.state.monitor)
        model.error *= weight or 0.0
        self._report_facts({"weight of learnt pixels": round(weight or 0.0, 2)})


def has_gained(outcome: Outcome) -> bool:
    """Return whether the network is better on held-out data than the interpolation it corrects."""
    return outcome.held_out < outcome.history[0]["held_out"]
