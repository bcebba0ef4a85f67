"""Rounds in which the network learns the errors of the estimate on synthetic noise."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_cellinr.classic.camera.anscombe import stabilise, unstabilise
from napari_cellinr.classic.camera.sampled_noise import sample_noise
from napari_cellinr.classic.collaborative import estimate_seconds
from napari_cellinr.classic.estimate import nlm_seconds
from napari_cellinr.classic.smoothing import as_array, as_tensor
from napari_cellinr.fitting.previews import requested_part, with_place
from napari_cellinr.fitting.problem import Outcome
from napari_cellinr.methods.cellinr.field.boxes import choose_boxes
from napari_cellinr.methods.cellinr.field.brightest import lost_brightness
from napari_cellinr.methods.cellinr.field.calibrate import REMAINING, by_frequency, calibrate
from napari_cellinr.methods.cellinr.field.fitted import FittedField
from napari_cellinr.methods.cellinr.field.gate import blend
from napari_cellinr.methods.cellinr.field.mixed import dimness
from napari_cellinr.methods.cellinr.field.problem import (
    FieldProblem,
    Pair,
    RealImage,
    evaluate,
    network_input,
)
from napari_cellinr.methods.cellinr.field.residuals import Residual, relative_error
from napari_cellinr.methods.cellinr.initial.estimate import search_distance
from napari_cellinr.methods.cellinr.model import LOG_ERRORS, ResidualField

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import PreviewRequest, Stopped
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.field.gate import Blend
    from napari_cellinr.methods.cellinr.initial.estimate import EstimateBudget
    from napari_cellinr.methods.cellinr.initial.part import Part

    Learnt = tuple[Pair, NDArray[np.float32], NDArray[np.float32]]
    """A synthetic image, and correction and logarithm of the squared error that are predicted."""

__all__ = ["Rounds", "round_seconds"]

WIDTHS = {1: 24, 3: 16}
"""Channels of the hidden layers, by the planes that a convolution covers."""

LOW_LIGHT = 8.0
"""Photons at the brightest places below which a second round would delete faint structures."""

BRIGHTEST = 0.999
"""Fraction of the voxels that are darker than the brightest places."""

STEP_SECONDS = 0.08
"""CPU seconds of a step."""

MOST_SAMPLES = 200_000
"""Voxels whose brightnesses show how frequent each is."""


@dataclass(frozen=True)
class SyntheticImage:
    """Synthetic noise on the result of the last round, of which the same estimate is to be made.

    Parameters
    ----------
    caption
        Which image it is, for the report of progress.
    image
        The part of the recording whose place it has; its values do not count.
    values
        Stabilised noisy values, axes ZYX or YX, float32.
    truth
        What the noise was drawn onto, axes ZYX, float32, in standard deviations of the noise.
    config
        The settings of the estimate.
    """

    caption: str
    image: Image
    values: NDArray[np.float32]
    truth: NDArray[np.float32]
    config: CellINRConfig

    def pair(self, made: Part, device: torch.device) -> Pair:
        """Return what a network learns from the estimate that was made.

        Parameters
        ----------
        made
            The estimate of this image.
        device
            Where the network is.
        """
        assert made.views is not None
        shape = self.truth.shape
        views = made.views.reshape(-1, *shape)
        target = as_tensor(self.truth - views[-1], device)
        residual = self.values.reshape(shape) - views[-1]
        return Pair(network_input(views, device), target, residual, made.held.reshape(shape))


class Rounds:
    """The rounds of one image: the network, and what it adds to the estimate so far.

    In each round the result so far is taken for the truth: noise is drawn onto it, the same
    estimate is made of that, and the network learns to turn it into the truth. Applied to the
    estimate of the image itself, it gives the truth of the next round. What held-out voxels do
    not support is not applied.

    Parameters
    ----------
    part
        The image with its estimate; `views` is needed.
    budget
        Threads and device.
    """

    def __init__(self, part: Part, budget: EstimateBudget) -> None:
        assert part.views is not None
        self.part, self.budget = part, replace(budget, seconds=None)
        self.shape = part.stabilised.shape
        self.wide = self.shape if len(self.shape) == 3 else (1, *self.shape)
        self.views = part.views.reshape(-1, *self.wide)
        n_planes = 3 if self.wide[0] > 1 else 1
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(part.config.seed)
            field = ResidualField(len(self.views), WIDTHS[n_planes], n_planes)
        self.field = field.to(budget.device)
        self.kept = {n: v.clone() for n, v in self.field.state_dict().items()}
        self.correction = np.zeros(self.wide, np.float32)
        self.error = np.full(self.wide, np.nan, np.float32)
        self.values, self.held = (a.reshape(self.wide) for a in (part.stabilised, part.held))
        self.boxes = choose_boxes(self.views[-1])
        self.before = self.after = self._held_out(self.correction)
        self.gain, self.fractions = 0.0, ()
        sizes = tuple(piece.stop - piece.start for piece in self.boxes[0])
        steps = part.config.steps
        self.seconds = round_seconds(sizes, self.n_images, steps, budget.n_workers)
        self.started, self.outcomes, self.is_late = 0.0, list[Outcome](), False
        self.present: FieldProblem | None = None

    @property
    def n_images(self) -> int:
        """Synthetic images of a round."""
        return self.part.config.repeats * len(self.boxes)

    @property
    def n_rounds(self) -> int:
        """Rounds to do: one at low light, where a second would delete faint structures."""
        noise, config = self.part.noise, self.part.config
        brightest = unstabilise(np.quantile(self.views[-1], BRIGHTEST), noise) - noise.offset
        is_dim = noise.gain > 0 and brightest < LOW_LIGHT * noise.gain
        return min(config.rounds, 1) if is_dim else config.rounds

    def goes_on(self, monitor: Monitor) -> bool:
        """Return whether there is another round; not if the time limit would interrupt it."""
        self.started = time.monotonic()
        if monitor.stopped or len(self.outcomes) == self.n_rounds:
            return False
        deadline = monitor.deadline
        self.is_late = deadline is not None and self.started + self.seconds > deadline
        return not self.is_late

    def synthetic_images(self) -> Iterator[SyntheticImage]:
        """Return the synthetic images of the present round."""
        config, number = self.part.config, len(self.outcomes)
        truth = self.views[-1] + self.correction
        for repeat, (place, box) in itertools.product(range(config.repeats), enumerate(self.boxes)):
            caption = f"synthetic image {repeat + 1} of {config.repeats}, round {number + 1}"
            seed = [config.seed, 1 + number, repeat, place][: 4 if place else 3]
            yield self._synthetic(caption, truth[box], box, seed)

    def _synthetic(
        self, caption: str, truth: NDArray[np.float32], box: tuple[slice, ...], seed: list[int]
    ) -> SyntheticImage:
        """Return a part of the truth with noise."""
        noise, image = self.part.noise, self.part.image
        clean = unstabilise(truth, noise).reshape(truth.shape[-len(self.shape) :])
        noisy = sample_noise(clean, noise, np.random.default_rng(seed))
        one = int(np.random.default_rng(seed).integers(2**31))
        settings = self.part.config.replace(seed=one, estimate="groups")
        place = dict(zip(image.axes, box[-len(self.shape) :], strict=True))
        return SyntheticImage(
            caption, image.crop(**place), stabilise(noisy, noise), truth, settings
        )

    def problem(self, pairs: list[Pair]) -> FieldProblem:
        """Return the problem of the present round; in the first one, views are standardised."""
        number = len(self.outcomes)
        real = RealImage(self.views, self.values, self.held, self.boxes, self._preview)
        device = self.budget.device
        seed = self.part.config.seed + number
        problem = FieldProblem(self.field, pairs, real, device, seed=seed, is_stored=number == 0)
        if number == 0:
            found = pairs[0].inner.flatten(1)
            self.field.divisors.copy_(found.std(1).clamp(min=1e-4))
            self.field.means[-1] = found[-1].mean()
        self.present = problem
        return problem

    def finish(self, outcome: Outcome) -> None:
        """Take over what the network adds after the present round.

        Parameters
        ----------
        outcome
            How its steps ended.
        """
        problem = self.present
        assert problem is not None
        self.outcomes.append(outcome)
        estimate, correlated = self.views[-1], self.part.noise.grain > 0
        turned = self.part.config.rounds > 1  # 8 times as long, which one round is too short for
        correction, log_error = evaluate(self.field, problem.real_input, turned=turned)
        learnt = [
            (pair, *evaluate(self.field, pair.inputs, turned=turned)) for pair in problem.pairs
        ]
        self.gain = _gain(learnt)
        amount = blend(
            estimate, correction, self.values, self.held, self.gain, correlated=correlated
        )
        self.correction = amount.at(estimate) * correction
        drawn = [_residual_of(pair, amount, found) for pair, found, _ in learnt]
        self._restore_brightest(drawn)
        self.after = self._held_out(self.correction)
        self.fractions = tuple(amount.fractions.tolist())
        self._calibrate(drawn, [predicted for *_, predicted in learnt], log_error)
        self.error = log_error
        result = estimate + self.correction
        for plane, parts in enumerate(zip(result, log_error, strict=True)):  # or memory peaks here
            on_device = (as_tensor(part, self.budget.device) for part in parts)
            self.error[plane] = as_array(self.field.standard_error(*on_device))
        self.kept = {n: v.clone() for n, v in self.field.state_dict().items()}
        self.seconds = time.monotonic() - self.started

    def _restore_brightest(self, drawn: Sequence[Residual]) -> None:
        """Add the brightness that the brightest structures have lost where there is little light.

        Parameters
        ----------
        drawn
            The synthetic images.
        """
        result = self.views[-1] + self.correction
        part = dimness(result)
        if part == 0 or self.part.noise.grain > 0:
            return
        levels, lost = lost_brightness(Residual(result, self.values - result), drawn)
        bright = result > levels[0]
        self.correction[bright] += part * np.interp(result[bright], levels, lost)

    def _calibrate(
        self,
        drawn: Sequence[Residual],
        predicted: Sequence[NDArray[np.float32]],
        log_error: NDArray[np.float32],
    ) -> None:
        """Scale the standard errors so that 90 % of the errors lie inside 1.645 of them.

        At several levels of brightness of the result, the errors are those of the synthetic
        images, times how much larger those of the image are, times how much more or less voxels
        of this brightness err, times what these three leave out on average.

        Parameters
        ----------
        drawn, predicted
            The synthetic images, and the logarithms of their squared errors that are predicted.
        log_error
            What is predicted of the image.
        """
        ratios, levels = [], []
        for one, logarithm in zip(drawn, predicted, strict=True):
            assert one.errors is not None
            ratios.append((np.abs(one.errors) / np.exp(logarithm.clip(*LOG_ERRORS) / 2)).ravel())
            levels.append(one.results.ravel())
        places, factors = calibrate(np.concatenate(ratios), np.concatenate(levels))
        result = self.views[-1] + self.correction
        real = [Residual(result[box], self.values[box] - result[box]) for box in self.boxes]
        correlated = self.part.noise.grain > 0
        factors *= np.interp(places, *relative_error(real, drawn, correlated=correlated))
        if self.part.noise.offset_sd == 0:  # errors that voxels have in common keep their order
            some = slice(None, None, result.size // MOST_SAMPLES + 1)
            bright, logarithms = (image.ravel()[some] for image in (result, log_error))
            sd = np.exp(logarithms.clip(*LOG_ERRORS) / 2) * np.interp(bright, places, factors)
            factors *= np.interp(places, *by_frequency(bright, sd.astype(np.float32)))
        self.field.levels.copy_(torch.from_numpy(places))
        self.field.calibration.copy_(torch.from_numpy(factors * REMAINING))

    def _held_out(self, correction: NDArray[np.float32]) -> float:
        """Return the error on the held-out voxels with a correction."""
        residual = (self.values - self.views[-1] - correction)[self.held].astype(np.float64)
        return float(np.sqrt((residual**2).mean()))

    def _preview(
        self, correction: Callable[[slice], NDArray[np.float32]], request: PreviewRequest
    ) -> Image:
        """Return a plane or the whole volume with a correction, in grey levels.

        The network is evaluated in the planes that are shown only: all of a large volume takes it
        longer than many steps.
        """
        image = self.part.image
        shown = requested_part(image, request)
        planes = shown[0] if len(shown) == 3 else slice(0, 1)
        needed = slice(planes.start, planes.stop)
        best = self.views[-1][needed] + correction(needed)
        values = best[(slice(None, None, planes.step), *shown[-2:])]
        values = values.reshape(values.shape[-len(shown) :])
        return with_place(image, shown, unstabilise(values, self.part.noise))

    def result(self, *, stopped: bool) -> FittedField:
        """Return the network after its last complete round."""
        outcomes = self.outcomes
        self.field.load_state_dict(self.kept)
        history: list[Mapping[str, float]] = [{"step": 0, "held_out": self.before}]
        steps = 0
        for one in outcomes:
            history += [{**row, "step": steps + row["step"]} for row in one.history[1:]]
            steps += one.steps
        reached = dict(outcomes[0].reached) if outcomes else {}
        for number, value in enumerate(self.field.parameters()):
            if f"best.{number}" in reached:
                reached[f"best.{number}"] = value.detach().cpu().clone()
        how: Stopped = "user" if stopped else "converged"
        return FittedField(
            self.field,
            self.correction.reshape(self.shape),
            self.error.reshape(self.shape),
            len(outcomes),
            Outcome(how, steps, self.after, tuple(history), reached),
            self.before,
            self.gain,
            self.fractions,
            self.is_late,
        )


def _residual_of(pair: Pair, amount: Blend, correction: NDArray[np.float32]) -> Residual:
    """Return the result of a synthetic image, its residual and its errors."""
    estimate = as_array(pair.inner[-1])
    added = amount.at(estimate) * correction
    return Residual(estimate + added, pair.residual - added, as_array(pair.target) - added)


def _gain(learnt: Sequence[Learnt]) -> float:
    """Return the decibels by which the network reduces the error of the synthetic images."""
    before = sum(float((pair.target**2).mean()) for pair, *_ in learnt)
    after = sum(
        float(((as_array(pair.target) - correction) ** 2).mean()) for pair, correction, _ in learnt
    )
    return 10 * float(np.log10(max(before, 1e-12) / max(after, 1e-12)))


def round_seconds(shape: tuple[int, ...], repeats: int, steps: int, n_workers: int) -> float:
    """Return the estimated seconds of a round on cores of 2023.

    Parameters
    ----------
    shape
        Voxels along each axis.
    repeats, steps
        Synthetic images, and steps of the network.
    n_workers
        Number of threads.
    """
    distance = search_distance("groups", shape)
    pipeline = estimate_seconds(shape, n_workers) + 2 * nlm_seconds(
        shape, distance, n_workers=n_workers
    )
    return repeats * pipeline + steps * STEP_SECONDS / n_workers
