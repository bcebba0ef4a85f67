"""A time series denoised together: one noise, one set of kernels, shared groups of patches."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.classic.camera.mean_bias import mean_bias
from napari_cellinr.classic.camera.pixels import held_places, without_held
from napari_cellinr.classic.estimate import nlm_seconds
from napari_cellinr.classic.groups import groups_seconds
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.fitting.resources.devices import choose_device
from napari_cellinr.methods.cellinr.costs import is_together
from napari_cellinr.methods.cellinr.initial.estimate import (
    SHARED,
    EstimateBudget,
    InitialEstimate,
    first_shared,
    group_series,
    initial_estimate,
    search_distance,
)
from napari_cellinr.methods.cellinr.initial.kernels import Kernels, Tile, solve
from napari_cellinr.methods.cellinr.initial.part import MEAN, Part, without_odd_pixels
from napari_cellinr.methods.cellinr.initial.probe import probe_of
from napari_cellinr.methods.cellinr.initial.series_error import (
    SeriesErrors,
    learn_errors,
    learning_seconds,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.checkpoint import CheckpointEntry
    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.initial.background import Levels
    from napari_cellinr.methods.cellinr.problem import Prepared

__all__ = ["Within", "is_coupled", "kernel_trust", "prepare_series"]

SHARE = 0.6
"""Largest part of the time limit that the estimates of a series denoised together may need."""


@dataclass(frozen=True)
class Within:
    """Where the frames of a series lie in a longer recording of which they are a part.

    Parameters
    ----------
    frames
        Number of each frame in the recording, from 0; the first one gives the kernels.
    own
        Numbers of the frames that are returned; those around them only lend their patches.
    corner
        First voxel of the part along each spatial axis of the recording.
    levels
        What the background of all parts is measured by; found in each frame if not given.
    offset_sd
        As of `Noise`, in grey levels.
    shape
        Voxels of a whole frame; those of the part if not given.
    trust
        Factor of the kernels in whole frames; found in the part if not given.
    hot
        Clusters of hot pixels, which all planes of the recording have, axes Y X; looked for in
        the part if not given, which needs several planes.
    """

    frames: tuple[int, ...]
    own: range
    corner: tuple[int, ...]
    levels: Levels | None = None
    offset_sd: float = 0.0
    hot: NDArray[np.bool_] | None = None
    shape: tuple[int, ...] = ()
    trust: float | None = None

    def tile(self, shape: tuple[int, ...]) -> Tile:
        """Return where frames of a shape lie in whole ones."""
        return Tile(self.corner, self.shape or shape, self.trust)


def is_coupled(
    config: CellINRConfig, n_frames: int, shape: tuple[int, ...], seconds: float | None
) -> bool:
    """Return whether the frames of a series are to be denoised together.

    Parameters
    ----------
    config
        The settings.
    n_frames, shape
        Number of frames, and voxels of each along its axes.
    seconds
        Remaining time; no limit if None.
    """
    if not is_together(config, n_frames):
        return False
    n_workers = torch.get_num_threads()
    needed = groups_seconds(shape, n_workers)
    needed += nlm_seconds(shape, search_distance("groups", shape), n_workers=n_workers)
    return seconds is None or n_frames * needed < SHARE * seconds


def prepare_series(
    images: Sequence[Image],
    config: CellINRConfig,
    noise: Noise,
    monitor: Monitor,
    within: Within | None = None,
) -> Generator[Progress, Message, tuple[list[Prepared], CellINRConfig]]:
    """Yield `Progress`, return what is prepared of all frames, which need no optimisation.

    Kernels are solved for on the first frame only, and improve the estimates in which the groups
    of all frames are searched for. Groups hold patches of neighbouring frames, too. Standard errors
    are those of a synthetic frame, with the series as a whole only.

    Parameters
    ----------
    images
        The frames of one channel, axes ZYX or YX.
    config
        The settings.
    noise
        The noise in grey levels, the same for all frames.
    monitor
        Of the job.
    within
        The recording of which the frames are a part; they are all of it if not given.

    Returns
    -------
    tuple
        `Prepared` of each frame that is to be returned, and the settings with all choices made.
    """
    is_whole, within = within is None, within or whole(images)
    device = choose_device(config.device)
    budget = EstimateBudget(noise.grain, torch.get_num_threads(), device=device)
    parts: list[_Guided] = []
    kernels: Kernels | None = None
    for number, image in enumerate(images):
        n_odd, stabilised = without_odd_pixels(image, noise)
        seed = (config.seed, within.frames[number])
        held = held_places(stabilised.shape, config.held_out, seed, within.corner)
        values = without_held(stabilised, held)
        entry = monitor.checkpoint.entry("guide")
        if (saved := entry.load()) is not None:
            guide, kernels = _restored(saved, kernels)
            parts.append(_Guided(image, stabilised, held, values, guide, True, n_odd))
            continue
        tile = within.tile(stabilised.shape)
        probe = None
        if number == 0:  # all that lies before a tile in the whole is drawn, too
            drawing = partial(_probe, tile, stabilised.shape, seed, noise.grain)
            probe = yield from in_background("preparing the groups", drawing, monitor, needed=True)
        found = yield from initial_estimate(values, "groups", probe, budget, monitor)
        if number == 0 and found.complete:
            kernels = yield from in_background(
                "preparing the groups",
                partial(_first_kernels, found, stabilised, held, config, tile),
                monitor,
            )
        guide = found.estimate
        if kernels is not None and found.complete:
            guide = kernels.applied(guide, device)
        parts.append(_Guided(image, stabilised, held, values, guide, found.complete, n_odd))
        if found.complete and kernels is not None and entry.should_save:
            _keep(entry, guide, kernels)
    complete = all(part.complete for part in parts) and kernels is not None
    parts, own = _around(parts, within)
    guides = np.stack([part.guide for part in parts])
    entry = monitor.checkpoint.entry("groups")
    if (saved := entry.load()) is not None:
        guides = saved[1]["guides"]
    elif complete:
        values = np.stack([part.values for part in parts])
        guides, complete = yield from group_series(values, guides, budget, monitor, own)
        if complete and entry.should_save:
            entry.save({}, {"guides": guides})
    frames = [
        _frame(parts[number], guides[number], config, noise, within, complete=complete)
        for number in own or range(len(parts))
    ]
    if complete:
        bias = yield from in_background(
            MEAN, lambda: mean_bias(frame.residual() for frame in frames), monitor
        )
        noise = replace(noise, bias=bias or 0.0)
    errors: SeriesErrors | None = None
    needed = learning_seconds(images[0].shape, len(images), budget)
    limit = config.max_seconds
    in_time = limit is None or 2 * needed < monitor.end_after(limit) - time.monotonic()
    if complete and kernels is not None and is_whole and in_time:  # parts would not agree
        values = parts[len(parts) // 2].stabilised
        learning = partial(learn_errors, guides, values, kernels, config, noise, budget)
        errors = yield from in_background("standard errors", learning, monitor)
    prepared: list[Prepared] = []
    chosen: CellINRConfig | None = None
    for number, frame in enumerate(replace(frame, noise=noise) for frame in frames):
        done = None
        if complete:
            done = yield from in_background(
                "background", partial(_finished, frame, chosen), monitor
            )
            complete = done is not None
        if done is None:
            left = replace(frame, found=replace(frame.found, complete=False))
            done = config, left.without_kernels()
        chosen = done[0]
        error = None if errors is None else errors.at(guides[number], parts[number].guide)
        prepared.append(replace(done[1], error=error))
    return prepared, config.replace(estimate="groups")


def _frame(
    part: _Guided,
    estimate: NDArray[np.float32],
    config: CellINRConfig,
    noise: Noise,
    within: Within,
    *,
    complete: bool,
) -> Part:
    """Return a frame with its estimate, from which the rest is prepared."""
    probe = np.zeros((1,) * estimate.ndim, np.float32)
    found = InitialEstimate(estimate, estimate, probe, "groups", complete=complete)
    return Part(
        part.image,
        config,
        noise,
        part.stabilised,
        part.held,
        found,
        n_odd=part.n_odd,
        levels=within.levels,
    )


def whole(images: Sequence[Image]) -> Within:
    """Return where frames lie that are a whole recording."""
    n_frames = len(images)
    return Within(tuple(range(n_frames)), range(n_frames), (0,) * len(images[0].shape))


def _around(parts: list[_Guided], within: Within) -> tuple[list[_Guided], range | None]:
    """Return the frames that are to be returned with their neighbours, and which of them they are.

    All are to be returned if that is None.
    """
    frames, own = within.frames, within.own
    if list(own) == list(frames):
        return parts, None
    first, last = first_shared(own.start), own.stop + SHARED
    near = [number for number, frame in enumerate(frames) if first <= frame < last]
    chosen = [n for n, number in enumerate(near) if frames[number] in own]
    return [parts[number] for number in near], range(chosen[0], chosen[-1] + 1)


def _finished(part: Part, chosen: CellINRConfig | None) -> tuple[CellINRConfig, Prepared]:
    """Return the settings that the first frame has decided, and what is prepared of a frame."""
    if chosen is None:  # what is said of its background is said of the first frame
        return part.chosen(), part.without_kernels()
    return chosen, replace(part, config=chosen).without_kernels()


@dataclass(frozen=True, eq=False)
class _Guided:
    """One frame: stabilised values, held-out voxels, values without these, and its guide."""

    image: Image
    stabilised: NDArray[np.float32]
    held: NDArray[np.bool_]
    values: NDArray[np.float32]
    guide: NDArray[np.float32]
    complete: bool
    n_odd: int


def _keep(entry: CheckpointEntry, guide: NDArray[np.float32], kernels: Kernels) -> None:
    """Store the guide of a frame, and what the next frames need."""
    header = {
        "centre": kernels.centre,
        "stride": list(kernels.stride),
    }
    arrays = {"guide": guide, "divisors": kernels.divisors, "weights": kernels.weights}
    entry.save(header, arrays)


def _restored(
    saved: tuple[dict[str, Any], dict[str, Any]], known: Kernels | None
) -> tuple[NDArray[np.float32], Kernels]:
    """Return a stored guide and the kernels."""
    header, arrays = saved
    nothing = np.zeros(0, np.float32)  # not needed where kernels are only applied
    kernels = known or Kernels(
        nothing,
        arrays["divisors"],
        header["centre"],
        nothing,
        arrays["weights"],
        tuple(header["stride"]),
    )
    return arrays["guide"], kernels


def _first_kernels(
    found: InitialEstimate,
    stabilised: NDArray[np.float32],
    held: NDArray[np.bool_],
    config: CellINRConfig,
    tile: Tile,
) -> Kernels:
    """Return the kernels of the first frame, to be used on all."""
    device, spacing = choose_device(config.device), max(2, config.kernel_spacing // 2)
    return solve(found, stabilised, held, spacing, device=device, part=tile)


def _probe(
    tile: Tile, shape: tuple[int, ...], seed: tuple[int, ...], grain: float
) -> NDArray[np.float32]:
    """Return that part of the probe of a whole frame which lies in a tile of a shape."""
    box = [slice(first, first + size) for first, size in zip(tile.corner, shape, strict=True)]
    return probe_of(box, tile.shape, grain, np.random.default_rng(seed))


def kernel_trust(image: Image, config: CellINRConfig, noise: Noise, within: Within) -> float:
    """Return how far the kernels of a series are trusted, by a typical part of its first frame.

    Parameters
    ----------
    image
        That part, axes ZYX or YX.
    config
        The settings.
    noise
        The noise in grey levels.
    within
        Where it lies in the recording.
    """
    budget = EstimateBudget.until(None, noise, choose_device(config.device))
    _, stabilised = without_odd_pixels(image, noise)
    seed, tile = (config.seed, within.frames[0]), within.tile(stabilised.shape)
    held = held_places(stabilised.shape, config.held_out, seed, within.corner)
    found = finish(
        initial_estimate(
            without_held(stabilised, held),
            "groups",
            _probe(tile, stabilised.shape, seed, noise.grain),
            budget,
            Monitor(),
        )
    )
    return _first_kernels(found, stabilised, held, config, tile).trust
