"""The job of CellINR: channel by channel, the frames of a series together or one by one."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.check import check_span, check_values
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.fitting.problem import Fitted, Outcome
from napari_cellinr.fitting.report import environment, held_out_warning, unconverged_warning
from napari_cellinr.fitting.resources.devices import choose_device
from napari_cellinr.fitting.resources.memory import FAILURES, free_after
from napari_cellinr.fitting.saved.stored import digest, geometry
from napari_cellinr.methods.cellinr.field.fit import fit_with_network
from napari_cellinr.methods.cellinr.frame_by_frame import FrameByFrame, frame_at
from napari_cellinr.methods.cellinr.frames import Frame, alike, frame_of, noise_part
from napari_cellinr.methods.cellinr.initial.estimate import EstimateBudget
from napari_cellinr.methods.cellinr.initial.noise import (
    far_frame_warnings,
    middle,
    noise_of_channels,
)
from napari_cellinr.methods.cellinr.initial.part import MEAN, estimate_part, without_odd_pixels
from napari_cellinr.methods.cellinr.initial.series import is_coupled, prepare_series
from napari_cellinr.methods.cellinr.problem import CellINRProblem
from napari_cellinr.methods.cellinr.published.problem import prepare_published
from napari_cellinr.methods.cellinr.recording.camera import without_pattern
from napari_cellinr.methods.cellinr.recording.camera_maps import calibrated
from napari_cellinr.methods.cellinr.recording.defects import Defects, find_defects
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.initial.background import Levels
    from napari_cellinr.methods.cellinr.initial.series import Within
    from napari_cellinr.methods.cellinr.published.problem import PublishedCellINRProblem

__all__ = ["denoise_job", "fit_part", "fit_series", "together"]

DARK = 0.02
"""Mean signal relative to the first frame below which a frame counts as empty."""

_THIRD_ROLE = {"keep": "signal", "subtract": "kept"}
"""The role of the third image, by the setting `background`."""

FRAME_BY_FRAME = "Memory was short: the series was denoised frame by frame instead of together."


def denoise_job(
    source: Image, config: CellINRConfig, monitor: Monitor
) -> Generator[Progress, Message, Fitted]:
    """Denoise all frames of all channels: yield `Progress`, return one result.

    Parameters
    ----------
    source
        Axes in canonical order.
    config
        The settings.
    monitor
        Of the job.
    """
    check_values(source)
    check_span(source)
    recorded = source
    leading = [axis for axis in source.axes if axis in "TC"]
    places = list(itertools.product(*(range(source.sizes[axis]) for axis in leading)))
    indices: list[Mapping[str, int]] = [dict(zip(leading, place, strict=True)) for place in places]
    found = yield from in_background(
        "looking for faulty frames", lambda: find_defects(recorded, places), monitor
    )
    defects = found or Defects(tuple(leading), source.sizes.get("T", 1))
    indices = defects.good(indices)
    looked = yield from in_background(
        "looking for a pattern of the camera",
        lambda: without_pattern(calibrated(recorded, config), defects, config),
        monitor,
    )
    source, warnings, uncertain = looked or (source, [], [0.0] * source.sizes.get("C", 1))
    masked = defects.masked(source)
    warnings = [*defects.warnings, *warnings, *far_frame_warnings(masked)]
    noises = yield from in_background(
        "estimating the noise", partial(noise_of_channels, masked, config), monitor
    )
    if noises is None:  # stopped by the user, as the later stages see
        noises = noise_of_channels(middle(masked), config)
    del looked, masked  # copies of the recording
    noises = [replace(one, offset_sd=sd) for one, sd in zip(noises, uncertain, strict=True)]
    source = defects.repaired(source, noises, config.seed)
    shape, n_frames, split = source.shape[len(leading) :], source.sizes.get("T", 1), False
    if is_coupled(config, n_frames, shape, _seconds_per_channel(config, monitor, noises)):
        try:
            series = yield from fit_series(source, indices, config, noises, monitor)
            return together(recorded, defects, places, series, warnings, monitor.started)
        except FAILURES as error:
            free_after(error)
            split = True
    fits = FrameByFrame(source, indices, config, monitor)
    fit = fit_with_network if config.has_field else fit_part
    while not fits.is_done:
        noise, tiling = noises[fits.index.get("C", 0)], fits.tiling
        try:
            with fits.part():
                fits.add((yield from fit(tiling.tile, tiling.config, noise, monitor)))
        except FAILURES as error:
            free_after(error)
            tiling.make_smaller()
    frames = fits.frames
    if split:
        warnings = [*warnings, FRAME_BY_FRAME]
    return together(recorded, defects, places, frames, warnings, monitor.started)


def _seconds_per_channel(
    config: CellINRConfig, monitor: Monitor, noises: list[Noise]
) -> float | None:
    """Return the remaining time for each channel in seconds; None if it is not limited."""
    if config.max_seconds is None:
        return None
    return (monitor.end_after(config.max_seconds) - time.monotonic()) / len(noises)


def fit_series(
    source: Image,
    indices: list[Mapping[str, int]],
    config: CellINRConfig,
    noises: list[Noise],
    monitor: Monitor,
    within: Within | None = None,
) -> Generator[Progress, Message, list[Frame]]:
    """Denoise the frames of each channel together: yield `Progress`, return the fits of all frames.

    Parameters
    ----------
    source
        Axes in canonical order.
    indices
        Position of each frame of each channel in the source by axis letter.
    config
        The settings.
    noises
        The noise of each channel in grey levels.
    monitor
        Of the job.
    within
        The recording of which the frames are a part, of one channel; its own frames are returned.
    """
    device = choose_device(config.device)
    fitted: dict[int, Frame] = {}
    for channel, noise in enumerate(noises):
        numbers = [n for n, index in enumerate(indices) if index.get("C", 0) == channel]
        if not numbers:
            continue
        own = [frame_at(source, indices[number]) for number in numbers]
        monitor.checkpoint.enter(f"channel-{channel}")
        prepared, chosen = yield from prepare_series(own, config, noise, monitor, within)
        if within is not None:
            numbers = [n for n in numbers if within.frames[n] in within.own]
        for count, (number, part) in enumerate(zip(numbers, prepared, strict=True)):
            yield from monitor.report("writing the result", count, len(prepared))
            problem = CellINRProblem(part, chosen, device)
            error = problem.held_out()
            history = ({"step": 0, "held_out": error},)
            outcome = Outcome("converged" if part.complete else "user", 0, error, history)
            fitted[number] = frame_of(problem, chosen, outcome)
    return alike([fitted[number] for number in sorted(fitted)])


def fit_part(
    image: Image,
    config: CellINRConfig,
    noise: Noise,
    monitor: Monitor,
    levels: Levels | None = None,
) -> Generator[Progress, Message, Frame]:
    """Denoise one frame, or a tile of it, without a network: yield `Progress`, return the fit.

    Parameters
    ----------
    image
        Axes ZYX or YX.
    config
        The settings.
    noise
        The noise in grey levels.
    monitor
        Of the job, with the time limit of this image.
    levels
        Of the background of the whole image, if this is a tile of one.
    """
    device, chosen = choose_device(config.device), config
    problem: CellINRProblem | PublishedCellINRProblem
    if config.is_published:
        problem = yield from prepare_published(image, config, noise, device, monitor)
    else:
        budget = EstimateBudget.until(monitor.deadline, noise, device)
        odd, stabilised = without_odd_pixels(image, noise)
        part = yield from estimate_part(image, stabilised, config, noise, budget, monitor)
        part, prepared = replace(part, n_odd=odd, levels=levels), None
        part = (yield from in_background(MEAN, part.with_mean, monitor)) or part
        if part.found.complete:
            prepared = yield from in_background("preparing the fit", part.build, monitor)
        if prepared is None:
            prepared = part.build(kernels=False, by_structure=False)
        chosen = config.replace(estimate=part.found.name)
        problem = CellINRProblem(prepared, chosen, device)
    outcome = yield from optimise(problem, chosen, monitor)
    yield from monitor.report("writing the result")
    return frame_of(problem, chosen, outcome)


def together(
    source: Image,
    defects: Defects,
    indices: list[tuple[int, ...]],
    frames: list[Frame],
    warnings: list[str],
    started: float,
) -> Fitted:
    """Return the frames as one result; frames that were not fitted are copied from the input.

    Parameters
    ----------
    source
        The whole recording.
    defects
        Its blank and faulty frames.
    indices
        Index of each frame along the axes before Y and X, or Z, Y and X.
    frames
        The fitted frames, in the order of `indices`; fewer if the job was stopped.
    warnings
        What to say of the recording, before the warnings of the frames.
    started
        When the job started, as `time.monotonic` counts, in seconds.
    """
    first, leading = frames[0], list(defects.leading)
    n_missing = len(indices) - len(defects.unfitted) - len(frames)
    report = _report(frames, first.config, started, n_missing=n_missing)
    report["warnings"] = [*warnings, *report["warnings"]]
    frames = defects.with_unused_frames(frames, indices, source)
    factors = _bleaching_factors(frames, indices, leading)
    if first.config.bleaching == "correct":
        frames = [
            replace(
                frame,
                images=tuple(_times(image, factor) for image in frame.images),
                model={**frame.model, "factor": factor * frame.model.get("factor", 1.0)},
            )
            for frame, factor in zip(frames, factors, strict=True)
        ]
    images = tuple(
        _stack(source, indices, [frame.images[place] for frame in frames], leading, zero=place == 1)
        for place in range(len(first.images))
    )
    subtracted = first.config.background == "subtract"
    images = defects.with_empty_parts(images, source, subtracted=subtracted)
    state = {f"{i}.{k}": v for i, frame in enumerate(frames) for k, v in frame.state.items()}
    if len(indices) == 1:
        state = dict(first.state)
    outcomes, config = [frame.outcome for frame in frames], first.config
    if not first.facts.get("field", {}).get("rounds"):  # else steps are those of each round
        config = config.replace(steps=max(1, max(outcome.steps for outcome in outcomes)))
    report["warnings"] += defects.saturation_warnings(source)
    if "T" in leading:
        report["bleaching"] = _left_of_signal(factors, indices, leading)
    return Fitted(
        images,
        config,
        state,
        outcomes[-1].history,
        outcomes[-1].stopped,
        report,
        method="cellinr",
        roles=("result", "background", _THIRD_ROLE[first.config.background], "error")[
            : len(images)
        ],
        source={**geometry(source), "digest": digest(source)},
        model={"frames": [dict(frame.model) for frame in frames]},
    )


def _bleaching_factors(
    frames: list[Frame], indices: list[tuple[int, ...]], leading: list[str]
) -> list[float]:
    """Return the factor of each frame that restores the mean signal of the first frame.

    The signal is the image of the same channel without the background.
    """
    if "T" not in leading:
        return [1.0] * len(frames)
    means = []
    for frame in frames:
        result, background, *other = (image.array() for image in frame.images)
        signal = result
        if frame.config.background == "keep":
            signal = other[0] if other else result - background
        means.append(float(np.maximum(signal, 0).mean(dtype=np.float64)))
    channels = [dict(zip(leading, values, strict=True)).get("C", 0) for values in indices]
    usual = {c: [m for m, own in zip(means, channels, strict=False) if own == c] for c in channels}
    firsts = [next(filter(None, usual[c]), 0.0) for c in channels[: len(frames)]]
    return [
        first / mean if min(first, mean) > DARK * first else 1.0
        for first, mean in zip(firsts, means, strict=True)
    ]


def _left_of_signal(
    factors: list[float], indices: list[tuple[int, ...]], leading: list[str]
) -> list[float] | list[list[float]]:
    """Return the mean signal of each frame relative to the first; a list for each channel."""
    parts = [round(1 / factor, 4) for factor in factors]
    if "C" not in leading:
        return parts
    channels = [index[leading.index("C")] for index in indices[: len(parts)]]
    pairs = list(zip(channels, parts, strict=True))
    return [[part for c, part in pairs if c == channel] for channel in sorted(set(channels))]


def _times(image: Image, factor: float) -> Image:
    """Return an image with its values multiplied."""
    return image.like(np.asarray(image.array() * np.float32(factor), np.float32), name=image.name)


def _stack(
    source: Image,
    indices: list[tuple[int, ...]],
    parts: list[Image],
    leading: list[str],
    *,
    zero: bool,
) -> Image:
    """Return parts as frames of one image; the other frames are those of `source`, or 0."""
    if not leading:
        return parts[0]
    data = np.zeros(source.shape, np.float32)
    if not zero:
        data[...] = source.array()
    for values, part in zip(indices, parts, strict=False):
        data[values] = part.array()
    return source.like(data, name=parts[0].name)


def _report(
    frames: list[Frame], config: CellINRConfig, started: float, n_missing: int
) -> dict[str, Any]:
    """Return the report of the whole job, ready for JSON."""
    outcomes = [frame.outcome for frame in frames]
    noises = [frame.facts["noise"] for frame in frames]
    converged = all(outcome.converged for outcome in outcomes)
    held_out = float(np.mean([outcome.held_out for outcome in outcomes]))
    warnings = list(dict.fromkeys(t for one in frames for t in one.facts.get("warnings", ())))
    if n_missing:
        text = n_of(n_missing, "image was fitted; it is", "images were fitted; they are")
        warnings.append(f"The fit was stopped before {text} unchanged.")
    elif not converged:
        warnings.append(unconverged_warning(next(o for o in outcomes if not o.converged)))
    residual = max(frame.facts.get("residual", held_out) for frame in frames)
    spans = [frame.facts.get("held_out_range", ()) for frame in frames]
    doubt = partial(held_out_warning, held_out, residual, spans, is_given=config.gain is not None)
    if doubt():
        warnings.append(doubt(noise_part=max(map(noise_part, frames))))
    return {
        "seconds": time.monotonic() - started,
        "steps": sum(outcome.steps for outcome in outcomes),
        "device": frames[0].device,
        "held_out": held_out,
        "noise": noises[0] if len(noises) == 1 else noises,
        **_added(frames),
        "converged": converged and not n_missing,
        **environment(),
        "config": config.as_dict(),
        "warnings": warnings,
    }


def _added(frames: list[Frame]) -> dict[str, Any]:
    """Return what the networks of all frames start from and add: one entry, or one per frame."""
    fields = [frame.facts["field"] for frame in frames if "field" in frame.facts]
    if not fields:
        return {}
    return {"field": fields[0] if len(frames) == 1 else fields}
