"""SpatimeINR: what is fitted to a series, stage by stage, and how it is rendered again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.errors import ConfigError
from napari_cellinr.methods.spatime.blending import RECIPES, Recipe, error_of
from napari_cellinr.methods.spatime.model import Series
from napari_cellinr.methods.spatime.motion import MotionSettings, fit_paths, neighbours
from napari_cellinr.methods.spatime.planes import teacher_of, train_planes
from napari_cellinr.methods.spatime.published import PaperSeries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.methods.spatime.planes import Teacher

__all__ = [
    "choose_recipe",
    "fit_motion",
    "learn_planes",
    "motion_settings",
    "series_of",
    "teacher_for",
    "test_intervals",
]

TESTED = (16, 96, 96)
"""Most voxels along Z, Y, X of the part of a held-out frame that is looked at."""

MOST_TESTS = 2
"""Held-out frames of each half of a series that decide how far motion is trusted."""


def motion_settings(config: SpatimeConfig, n_axes: int) -> MotionSettings:
    """Return how motion is fitted with these settings."""
    usual = MotionSettings()
    steps = tuple(max(5, round(n * config.refinement)) for n in usual.steps)
    return MotionSettings(steps=steps, batch=16_000 if n_axes == 3 else 10_000)


def fit_motion(
    series: Series, interval: int, settings: MotionSettings, seed: int
) -> Iterator[None]:
    """Fit the motion of one interval into the series, pausing every few steps."""
    near = neighbours(interval, len(series.frames))  # all that a fit looks at, of however many
    scaled = torch.from_numpy((series.frames[near] - series.low) / series.span).float()
    for paths in fit_paths(scaled.to(series.device), interval - near[0], settings, seed):
        series.paths[interval] = paths
        yield


def test_intervals(n_frames: int) -> list[tuple[int, int]]:
    """Return half (0 or 1) and interval of the thinned series whose middle frame is held out."""
    found = []
    for half in (0, 1):
        n_intervals = len(range(half, n_frames, 2)) - 1
        if n_intervals > 0:
            count = min(n_intervals, MOST_TESTS)
            places = np.linspace(0, n_intervals - 1, count).round().astype(int)
            found += [(half, int(i)) for i in sorted(set(places))]
    return found


def choose_recipe(
    series: Series, settings: MotionSettings, seed: int
) -> Iterator[dict[Recipe, float] | None]:
    """Predict every other frame from the rest; yield None while at work, errors in the end.

    The errors are mean squares in parts of the range, the smallest first. Motion from one frame
    to the next but one is larger than that which matters, so that what is learnt is careful.
    """
    halves = {h: Series(series.frames[h::2], series.axes, series.aspect) for h in (0, 1)}
    samples = []
    generator = np.random.default_rng(seed)
    for half, interval in test_intervals(len(series.frames)):
        thinned = halves[half]
        thinned.device = series.device
        for _ in fit_motion(thinned, interval, settings, seed):
            yield None
        part = _random_part(series.frames.shape[1:], generator)
        truth = series.frames[half + 2 * interval + 1][part]
        samples.append((thinned.views(interval, 0.5, part), truth))
        yield None
    errors = {}
    for recipe in RECIPES if samples else ():
        errors[recipe] = error_of(recipe, samples, series.aspect) / series.span**2
        yield None
    yield dict(sorted(errors.items(), key=lambda pair: pair[1]))


def _random_part(shape: tuple[int, ...], generator: np.random.Generator) -> tuple[slice, ...]:
    """Return a part of a frame that is small enough to try every recipe on it."""
    sizes = [min(n, m) for n, m in zip(shape, TESTED[-len(shape) :], strict=True)]
    starts = [int(generator.integers(n - m + 1)) for n, m in zip(shape, sizes, strict=True)]
    return tuple(slice(a, a + m) for a, m in zip(starts, sizes, strict=True))


def teacher_for(series: Series, factor: float) -> Teacher | None:
    """Return planes to learn finer ones from; none if they are too small."""
    ratio = series.aspect[-1] / series.aspect[series.axes.index("Z")]
    if ratio < 1.05:  # planes are as near as pixels: nothing within them is finer
        ratio = factor
    count = min(len(series.frames), 6)
    chosen = np.linspace(0, len(series.frames) - 1, count).round().astype(int)
    volumes = [_scaled(series, series.frames[i]) for i in sorted(set(chosen))]
    if min(volumes[0].shape[1:]) < 6 * ratio:
        return None
    return teacher_of(volumes, ratio, series.sections)


def learn_planes(
    series: Series, teacher: Teacher | None, factor: float, config: SpatimeConfig
) -> Iterator[tuple[int, dict[str, float]]]:
    """Train the field for finer planes into the series; yield steps done and errors."""
    if teacher is None or config.steps == 0:
        return
    for step, field, errors in train_planes(
        teacher, factor, latent=config.latent, steps=2 * config.steps,
        rate=config.learning_rate, seed=config.seed, device=series.device,
    ):  # fmt: skip
        series.planes = field
        yield step, errors


def _scaled(series: Series, volume: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray((volume - series.low) / series.span, np.float32)


def series_of(
    stored_tensors: Any, channel: int, axes: str, device: torch.device
) -> Series | PaperSeries:
    """Return a channel of a stored fit.

    Raises
    ------
    ConfigError
        If the fit has no such channel.
    """
    if f"{channel}.frames" not in stored_tensors:
        raise ConfigError(f"channel {channel} was asked for; the fit does not have it.")
    if f"{channel}.sizes" in stored_tensors:
        return PaperSeries.from_tensors(stored_tensors, f"{channel}.", device)
    return Series.from_tensors(stored_tensors, f"{channel}.", axes, device)
