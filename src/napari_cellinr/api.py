"""The jobs, for Python, command line and viewer alike: an Image or an array in, Fitted out."""

from __future__ import annotations

import gc
import importlib.metadata
import itertools
import platform
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import DataError, FitError
from napari_cellinr.image import Image

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from napari_cellinr.classic.anscombe import Noise
    from napari_cellinr.config.cellinr import Preset
    from napari_cellinr.fit import Fitted, Job, Message, Outcome, Progress
    from napari_cellinr.image import ArrayLike

__all__ = ["denoise", "iter_denoise"]

DOUBTFUL = 1.5
"""Held-out error, in standard deviations of the noise, above which a result is doubtful."""

RESERVE = 0.85
"""Part of the time limit after which no step begins: the rest renders and writes."""


def denoise(image: Image | ArrayLike, preset: Preset = "fast", **settings: Any) -> Fitted:
    """Return the denoised image as the first of `Fitted.images`, in the input's units, float32.

    The second of `Fitted.images` is the background.

    Parameters
    ----------
    image
        As for `iter_denoise`.
    preset
        `fast` for results, `preview` for a quick look, `paper` for the published method.
    settings
        Any setting of `CellINRConfig` by name, for example `background="keep"`.

    Raises
    ------
    AxesError, ConfigError, DataError
        If the input cannot be denoised as given.
    FitError
        If the fit fails.
    """
    from napari_cellinr.fit import finish

    return finish(iter_denoise(image, CellINRConfig(preset=preset, **settings)))


def iter_denoise(
    image: Image | ArrayLike, config: CellINRConfig | None = None, *, started: float | None = None
) -> Job:
    """Denoise an image as a job that yields `Progress` and returns `Fitted`.

    Every frame of every channel is fitted for itself, with one noise model for all frames of
    a channel.

    Parameters
    ----------
    image
        2 or 3 spatial axes, at most one time and one channel axis; any real dtype.
    config
        Settings; the defaults of the preset `fast` if not given.
    started
        `time.monotonic()` when the whole job began, from which `max_seconds` counts;
        now if not given.

    Raises
    ------
    AxesError, ConfigError, DataError
        If the input cannot be denoised as given.
    FitError
        If the fit fails, with the remedy; never a `RuntimeError`.
    """
    begun = time.monotonic() if started is None else started
    settings = config or CellINRConfig()
    source = (image if isinstance(image, Image) else Image(np.asarray(image))).canonical()
    with _failures_explained():
        return (yield from _insisting(_denoise_all(source, settings, begun)))


def _denoise_all(
    source: Image, config: CellINRConfig, started: float
) -> Generator[Progress, Message, Fitted]:
    """Denoise every frame of every channel and put the results together."""
    from napari_cellinr.stages import in_background

    _check(source)
    leading = [axis for axis in source.axes if axis in "TC"]
    indices = list(itertools.product(*(range(source.sizes[axis]) for axis in leading)))
    noises = yield from in_background(
        "estimating the noise",
        lambda: _noise_of_channels(source, config),
        started=started,
        needed=True,
    )
    assert noises is not None
    frames: list[_Frame] = []
    for number, values in enumerate(indices):
        index = dict(zip(leading, values, strict=True))
        noise = noises[index.get("C", 0)]
        deadline = _deadline(config, started, number, len(indices))
        job = _denoise_frame(_part(source, index), config, noise, started, deadline)
        frame = yield from _labelled(job, index, number, len(indices))
        frames.append(frame)
        if frame.outcome.stopped == "user":
            break
    return _together(source, leading, indices, frames, started)


def _insisting(
    job: Generator[Progress, Message, Fitted],
) -> Generator[Progress, Message, Fitted]:
    """Pass on a job; once it was told to stop, tell so every stage that is still to come."""
    message: Message = None
    stopped = False
    while True:
        try:
            progress = job.send(message)
        except StopIteration as finished:
            fitted: Fitted = finished.value
            return fitted
        message = yield progress
        stopped = stopped or message == "stop"
        message = "stop" if stopped else message


@dataclass(frozen=True)
class _Frame:
    """The fit of one frame of one channel."""

    images: tuple[Image, ...]
    config: CellINRConfig
    outcome: Outcome
    state: Mapping[str, Any]
    facts: Mapping[str, Any]
    device: str


def _denoise_frame(
    image: Image, config: CellINRConfig, noise: Noise, started: float, deadline: float | None
) -> Generator[Progress, Message, _Frame]:
    """Denoise one frame: prepare, optimise, render."""
    from napari_cellinr.fit import Progress
    from napari_cellinr.methods import prepare
    from napari_cellinr.methods.devices import choose_device
    from napari_cellinr.optimise import optimise

    device = choose_device(config.device)
    problem, chosen = yield from prepare(
        image, config, noise, device, started=started, deadline=deadline
    )
    outcome = yield from optimise(problem, chosen, started=started, deadline=deadline)
    yield Progress("writing the result", seconds=time.monotonic() - started)
    images = problem.render()
    state, facts = problem.state_dict(), problem.facts()
    return _Frame(images, chosen, outcome, state, facts, str(device))


def _check(source: Image) -> None:
    """Raise `DataError` if the values cannot be worked on."""
    if min(source.shape) == 0:
        raise DataError(f"the image has shape {source.shape}; at least one voxel is needed.")
    spatial = {axis: source.sizes[axis] for axis in "YX"}
    if min(spatial.values()) < 2:
        raise DataError(
            f"the image has {spatial['Y']} rows and {spatial['X']} columns; at least 2 of each "
            "are needed to tell structure from noise."
        )
    values = source.array()
    if not np.isfinite(values).all():
        n_bad = int((~np.isfinite(values)).sum())
        raise DataError(
            f"{n_bad} of {values.size} values are not finite (NaN or infinite); replace them "
            "before the fit, for example by 0 or by the median of their neighbours."
        )
    if values.min() == values.max():
        raise DataError(f"every value of the image is {values.min()}; there is nothing to restore.")


def _part(source: Image, index: Mapping[str, int]) -> Image:
    """Return the frame and channel at `index`, float32, with a name of the whole."""
    part = source
    for axis, place in index.items():
        part = part.take(axis, place)
    return replace(part, data=np.asarray(part.data, np.float32), name=source.name)


def _noise_of_channels(source: Image, config: CellINRConfig) -> list[Noise]:
    """Return the noise of each channel, as given or as estimated from all of its frames."""
    from napari_cellinr.classic.anscombe import Noise
    from napari_cellinr.classic.noise import estimate_noise

    n_channels = source.sizes.get("C", 1)
    noises = []
    for channel in range(n_channels):
        frames = source.take("C", channel) if "C" in source.axes else source
        found = estimate_noise(frames.array())
        if config.gain is not None or config.read_noise is not None:
            gain = found.gain if config.gain is None else config.gain
            read = found.read_noise if config.read_noise is None else config.read_noise
            found = Noise(gain, read, found.offset if config.read_noise is None else 0.0)
        noises.append(found)
    return noises


def _deadline(config: CellINRConfig, started: float, number: int, count: int) -> float | None:
    """Return when frame `number` has to be fitted: what is left is shared evenly."""
    if config.max_seconds is None:
        return None
    now = time.monotonic()
    left = started + RESERVE * config.max_seconds - now
    return now + max(left, 0) / (count - number)


def _labelled(
    job: Generator[Progress, Message, _Frame], index: Mapping[str, int], number: int, count: int
) -> Generator[Progress, Message, _Frame]:
    """Pass on a job of one frame, saying which frame it is where there are several."""
    message: Message = None
    while True:
        try:
            progress = job.send(message)
        except StopIteration as finished:
            frame: _Frame = finished.value
            return frame
        if count > 1:
            stage = f"{progress.stage} (image {number + 1} of {count})"
            if progress.preview is not None:
                place = {**progress.preview_index, **index}
                progress = replace(progress, preview_index=place)
            progress = replace(progress, stage=stage)
        message = yield progress


def _together(
    source: Image,
    leading: list[str],
    indices: list[tuple[int, ...]],
    frames: list[_Frame],
    started: float,
) -> Fitted:
    """Return the frames as one result; frames that were not reached stay as they were."""
    from napari_cellinr.fit import Fitted

    first = frames[0]
    images = tuple(
        _stack(source, indices, [frame.images[place] for frame in frames], leading)
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
    return Fitted(images, config, state, outcomes[-1].history, stopped, report)


def _stack(
    source: Image, indices: list[tuple[int, ...]], parts: list[Image], leading: list[str]
) -> Image:
    """Return parts in the place of the frames of `source`."""
    if not leading:
        return parts[0]
    name = parts[0].name
    data = np.zeros(source.shape, np.float32)
    if name.endswith(" denoised"):
        data[...] = source.array()
    for values, part in zip(indices, parts, strict=False):
        data[values] = part.array()
    return source.like(data, name=name)


def _report(
    frames: list[_Frame], config: CellINRConfig, started: float, n_missing: int
) -> dict[str, Any]:
    """Return the report of the whole job, ready for JSON."""
    outcomes = [frame.outcome for frame in frames]
    noises = [frame.facts["noise"] for frame in frames]
    converged = all(outcome.converged for outcome in outcomes)
    held_out = float(np.mean([outcome.held_out for outcome in outcomes]))
    told = (text for frame in frames for text in frame.facts.get("warnings", ()))
    warnings = list(dict.fromkeys(told))
    if n_missing:
        warnings.append(
            f"stopped before {n_missing} of the images were reached; they are unchanged."
        )
    elif not converged:
        why = {"time": "the time was up", "user": "it was stopped"}
        reason = why.get(outcomes[-1].stopped, "its last step was done")
        warnings.append(
            f"the fit had not converged when {reason}, after {outcomes[-1].steps} steps; "
            "the result is usable, but more of them may improve it."
        )
    if held_out > DOUBTFUL:
        warnings.append(
            f"voxels that the fit did not see are off by {held_out:.1f} times the estimated noise: "
            "the noise was estimated too low, or structure is finer than the voxels; compare the "
            "result with the input, and give gain and read_noise if they are known."
        )
    return {
        "seconds": time.monotonic() - started,
        "steps": sum(outcome.steps for outcome in outcomes),
        "device": frames[0].device,
        "peak_memory_mb": _peak_memory_mb(),
        "held_out": held_out,
        "noise": noises[0] if len(noises) == 1 else noises,
        "converged": converged and not n_missing,
        "versions": _versions(),
        "config": config.as_dict(),
        "warnings": warnings,
    }


def _versions() -> dict[str, str]:
    packages = ("napari-cellinr", "torch", "numpy", "scikit-image")
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def _peak_memory_mb() -> float:
    """Return the largest memory of this process so far in MB; 0 where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    per_mb = 1024**2 if platform.system() == "Darwin" else 1024
    return round(peak / per_mb, 1)


@contextmanager
def _failures_explained() -> Iterator[None]:
    """Turn every `RuntimeError` and `MemoryError` into a `FitError` that says what to do.

    Generator workers swallow a `RuntimeError`, and running out of GPU memory is one.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        message = _first_line(error)
        error.__traceback__ = None  # its frames would hold the tensors
        _free()
        raise FitError(
            f"the GPU has too little memory ({message}); fit a crop, or choose the device cpu."
        ) from None
    except MemoryError:
        _free()
        raise FitError("the memory is not enough; fit a crop of the image.") from None
    except RuntimeError as error:
        message = _first_line(error)
        raise FitError(f"the fit failed: {message}. Try a crop or the device cpu.") from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")


def _free() -> None:
    """Give the memory of the GPU back to other programs."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
