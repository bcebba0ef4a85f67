"""The job of CellINR: channel by channel, the frames of a series together or one by one."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.classic.pixels import saturated_part
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.check import check_span, check_values
from napari_cellinr.fitting.checkpoint import keeper
from napari_cellinr.fitting.devices import choose_device
from napari_cellinr.fitting.guard import guarded
from napari_cellinr.fitting.memory import free, is_shortage
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.fitting.problem import Fitted, Outcome, Progress
from napari_cellinr.fitting.relay import relayed
from napari_cellinr.fitting.report import environment, held_out_warning, unconverged_warning
from napari_cellinr.fitting.stored import digest, geometry
from napari_cellinr.methods.cellinr.frames import Frame, load_frame, save_frame
from napari_cellinr.methods.cellinr.noise import middle, noise_of_channels
from napari_cellinr.methods.cellinr.series import is_coupled, prepare_series
from napari_cellinr.methods.cellinr.tiling import fit_somehow
from napari_cellinr.methods.cellinr.variant import prepare

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from napari_cellinr.classic.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.problem import Message
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.tiling import Fit

__all__ = ["denoise_job"]

SATURATED = 1e-3
"""Fraction of the voxels that may be saturated without a warning."""

DARK = 0.02
"""Mean signal relative to that of the first frame below which a frame counts as empty."""

_OTHER = {"keep": "signal", "subtract": "kept"}
"""The role of the third image, by the setting `background`."""

FRAME_BY_FRAME = "Memory was short: the series was denoised frame by frame instead of together."

RESERVE = 0.85
"""Fraction of the time limit for optimisation; the rest is for rendering and writing."""


@guarded
def denoise_job(
    source: Image, config: CellINRConfig, started: float
) -> Generator[Progress, Message, Fitted]:
    """Denoise every frame of every channel: yield `Progress`, return the results together.

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
    check_span(source)
    leading = [axis for axis in source.axes if axis in "TC"]
    indices = list(itertools.product(*(range(source.sizes[axis]) for axis in leading)))
    noises = yield from in_background(
        "estimating the noise", lambda: noise_of_channels(source, config), started=started
    )
    if noises is None:  # stopped; the later stages notice it themselves
        noises = noise_of_channels(middle(source), config)
    spatial = source.shape[len(leading) :]
    left = None if config.max_seconds is None else started + config.max_seconds - time.monotonic()
    n_channels, split = source.sizes.get("C", 1), False
    if is_coupled(config, source.sizes.get("T", 1), spatial, left and left / n_channels):
        together = yield from _together_or_none(source, config, noises, leading, indices, started)
        if together is not None:
            return _together(source, leading, indices, together, started)
        split = True
    frames = yield from _one_by_one(source, config, noises, leading, indices, started)
    if split:
        facts = frames[0].facts
        warnings = [FRAME_BY_FRAME, *facts.get("warnings", ())]
        frames[0] = replace(frames[0], facts={**facts, "warnings": warnings})
    return _together(source, leading, indices, frames, started)


def _together_or_none(
    source: Image,
    config: CellINRConfig,
    noises: list[Noise],
    leading: list[str],
    indices: list[tuple[int, ...]],
    started: float,
) -> Generator[Progress, Message, list[Frame] | None]:
    """Denoise each channel as one series; return None if the memory is not enough for that."""
    channels = []
    try:
        for channel, noise in enumerate(noises):
            parts = [
                _part(source, index)
                for values in indices
                if (index := dict(zip(leading, values, strict=True))).get("C", 0) == channel
            ]
            keeper().enter(f"channel-{channel}")
            channels.append((yield from _denoise_series(parts, config, noise, started)))
    except (MemoryError, RuntimeError) as error:
        if not is_shortage(error):
            raise
        error.__traceback__ = None  # its frames hold what filled the memory
    else:
        return [frame for together in zip(*channels, strict=True) for frame in together]
    free()
    return None


def _one_by_one(
    source: Image,
    config: CellINRConfig,
    noises: list[Noise],
    leading: list[str],
    indices: list[tuple[int, ...]],
    started: float,
) -> Generator[Progress, Message, list[Frame]]:
    """Fit every frame of every channel for itself, until the user stops."""
    frames: list[Frame] = []
    for number, values in enumerate(indices):
        index = dict(zip(leading, values, strict=True))
        noise = noises[index.get("C", 0)]
        deadline = _deadline(config, started, number, len(indices))
        part = _part(source, index)
        keeper().enter(f"frame-{number}")
        done = keeper().place("done")
        frame = load_frame(done, part, config)
        if frame is None:
            job = fit_somehow(part, config, _fitting(noise, started, deadline))
            frame = yield from _labelled(job, index, number, len(indices))
            if len(indices) > 1 and done.is_worth_it and frame.outcome.stopped != "user":
                save_frame(done, frame)
                keeper().forget(done)
        frames.append(frame)
        if frame.outcome.stopped == "user":
            break
    return frames


def _denoise_series(
    images: list[Image], config: CellINRConfig, noise: Noise, started: float
) -> Generator[Progress, Message, list[Frame]]:
    """Denoise the frames of one channel together."""
    from napari_cellinr.methods.cellinr.problem import CellINRProblem

    prepared, chosen = yield from prepare_series(images, config, noise, started=started)
    device = choose_device(config.device)
    frames = []
    for number, part in enumerate(prepared):
        yield Progress("writing the result", number, len(prepared))
        problem = CellINRProblem(part, chosen, device)
        error = problem.held_out()
        history = ({"step": 0, "held_out": error},)
        outcome = Outcome("converged" if part.complete else "user", 0, error, history)
        state, model, facts = problem.state_dict(), problem.model_settings(), problem.facts()
        frames.append(Frame(problem.render(), chosen, outcome, state, model, facts, str(device)))
    return frames


def _denoise_frame(
    image: Image, config: CellINRConfig, noise: Noise, started: float, deadline: float | None
) -> Generator[Progress, Message, Frame]:
    """Denoise one frame: prepare, optimise, render."""
    device = choose_device(config.device)
    problem, chosen = yield from prepare(
        image, config, noise, device, started=started, deadline=deadline
    )
    outcome = yield from optimise(problem, chosen, started=started, deadline=deadline)
    yield Progress("writing the result", seconds=time.monotonic() - started)
    images = problem.render()
    state, model = {**problem.state_dict(), **outcome.kept()}, problem.model_settings()
    return Frame(images, chosen, outcome, state, model, problem.facts(), str(device))


def _fitting(noise: Noise, started: float, deadline: float | None) -> Fit:
    """Return what fits an image with this noise in this time."""
    return lambda image, config: _denoise_frame(image, config, noise, started, deadline)


def _part(source: Image, index: Mapping[str, int]) -> Image:
    """Return the frame and channel at `index`, float32, with a name of the whole."""
    part = source
    for axis, place in index.items():
        part = part.take(axis, place)
    return replace(part, data=np.asarray(part.data, np.float32), name=source.name)


def _labelled(
    job: Generator[Progress, Message, Frame], index: Mapping[str, int], number: int, count: int
) -> Generator[Progress, Message, Frame]:
    """Pass on the progress of one frame, with its number if there are several."""

    def named(progress: Progress) -> Progress:
        if count == 1:
            return progress
        stage = f"{progress.stage} (image {number + 1} of {count})"
        if progress.preview is None:
            return replace(progress, stage=stage)
        place = {**progress.preview_index, **index}
        return replace(progress, stage=stage, preview_index=place)

    return relayed(job, named)


def _together(
    source: Image,
    leading: list[str],
    indices: list[tuple[int, ...]],
    frames: list[Frame],
    started: float,
) -> Fitted:
    """Return the frames as one result; frames that were not reached are those of the input."""
    first = frames[0]
    factors = _bleaching_factors(frames, indices, leading)
    if first.config.bleaching == "correct":
        frames = [
            replace(
                frame,
                images=tuple(_times(image, factor) for image in frame.images),
                model={**frame.model, "factor": factor},
            )
            for frame, factor in zip(frames, factors, strict=True)
        ]
    images = tuple(
        _stack(source, indices, [frame.images[place] for frame in frames], leading, zero=place == 1)
        for place in range(len(first.images))
    )
    state = (
        dict(first.state)
        if len(indices) == 1
        else {f"{i}.{k}": v for i, frame in enumerate(frames) for k, v in frame.state.items()}
    )
    outcomes = [frame.outcome for frame in frames]
    stopped = outcomes[-1].stopped
    config = first.config.replace(steps=max(1, max(outcome.steps for outcome in outcomes)))
    report = _report(frames, first.config, started, n_missing=len(indices) - len(frames))
    saturated = saturated_part(source.array())
    if saturated > SATURATED:
        report["warnings"].append(
            f"{100 * saturated:.1f} % of the voxels are saturated: they were brighter than the "
            "camera can record, and the result is too dark there."
        )
    if "T" in leading:
        report["bleaching"] = _left_of_signal(factors, indices, leading)
    return Fitted(
        images,
        config,
        state,
        outcomes[-1].history,
        stopped,
        report,
        method="cellinr",
        roles=("result", "background", _OTHER[first.config.background])[: len(images)],
        source={**geometry(source), "digest": digest(source)},
        model={"frames": [dict(frame.model) for frame in frames]},
    )


def _bleaching_factors(
    frames: list[Frame], indices: list[tuple[int, ...]], leading: list[str]
) -> list[float]:
    """Return the factor of each frame that gives it the mean signal of the first one.

    The signal is that of the same channel without the background.
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
    firsts = [means[channels.index(channel)] for channel in channels[: len(frames)]]
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
    place = leading.index("C")
    channels = [index[place] for index in indices[: len(parts)]]
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
    name = parts[0].name
    data = np.zeros(source.shape, np.float32)
    if not zero:
        data[...] = source.array()
    for values, part in zip(indices, parts, strict=False):
        data[values] = part.array()
    return source.like(data, name=name)


def _report(
    frames: list[Frame], config: CellINRConfig, started: float, n_missing: int
) -> dict[str, Any]:
    """Return the report of the whole job, ready for JSON."""
    outcomes = [frame.outcome for frame in frames]
    noises = [frame.facts["noise"] for frame in frames]
    converged = all(outcome.converged for outcome in outcomes)
    held_out = float(np.mean([outcome.held_out for outcome in outcomes]))
    texts = (text for frame in frames for text in frame.facts.get("warnings", ()))
    warnings = list(dict.fromkeys(texts))
    if n_missing:
        warnings.append(
            f"The fit was stopped before it reached {n_missing} of the images; they are unchanged."
        )
    elif not converged:
        warnings.append(unconverged_warning(outcomes[-1]))
    if doubt := held_out_warning(held_out):
        warnings.append(doubt)
    return {
        "seconds": time.monotonic() - started,
        "steps": sum(outcome.steps for outcome in outcomes),
        "device": frames[0].device,
        "held_out": held_out,
        "noise": noises[0] if len(noises) == 1 else noises,
        "converged": converged and not n_missing,
        **environment(),
        "config": config.as_dict(),
        "warnings": warnings,
    }


def _deadline(config: CellINRConfig, started: float, number: int, count: int) -> float | None:
    """Return when frame `number` has to be finished; the remaining time is shared evenly."""
    if config.max_seconds is None:
        return None
    now = time.monotonic()
    left = started + RESERVE * config.max_seconds - now
    return now + max(left, 0) / (count - number)
