"""A time series denoised together: one noise, one set of kernels, shared groups of patches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.classic.camera.pixels import hold_out
from napari_cellinr.classic.estimate import nlm_seconds
from napari_cellinr.classic.groups import groups_seconds
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.resources.devices import choose_device
from napari_cellinr.methods.cellinr.initial.estimate import (
    EstimateBudget,
    InitialEstimate,
    group_series,
    initial_estimate,
    search_distance,
)
from napari_cellinr.methods.cellinr.initial.kernels import Kernels, solve
from napari_cellinr.methods.cellinr.initial.part import Part, without_odd_pixels

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.checkpoint import CheckpointEntry
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.problem import Prepared

__all__ = ["is_coupled", "prepare_series"]

SHARE = 0.6
"""Largest part of the time limit that the estimates of a series denoised together may need."""


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
    possible = config.preset == "fast" and config.coupling and n_frames > 1
    if not possible or config.estimate not in {"auto", "groups"}:
        return False
    n_workers = torch.get_num_threads()
    needed = groups_seconds(shape, n_workers)
    needed += nlm_seconds(shape, search_distance("groups", shape), n_workers=n_workers)
    return seconds is None or n_frames * needed < SHARE * seconds


def prepare_series(
    images: Sequence[Image], config: CellINRConfig, noise: Noise, monitor: Monitor
) -> Generator[Progress, Message, tuple[list[Prepared], CellINRConfig]]:
    """Yield `Progress`, return what is prepared of all frames, which need no optimisation.

    Kernels are solved for on the first frame only, and improve the estimates in which the groups
    of all frames are searched for. Groups hold patches of neighbouring frames, too.

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

    Returns
    -------
    tuple
        `Prepared` of each frame, and the settings with all choices made.
    """
    generator = np.random.default_rng(config.seed)
    device = choose_device(config.device)
    budget = EstimateBudget(noise.grain, torch.get_num_threads(), device=device)
    parts: list[_Guided] = []
    kernels: Kernels | None = None
    for number, image in enumerate(images):
        n_odd, stabilised = without_odd_pixels(image, noise)
        held, values = hold_out(stabilised, config.held_out, generator)
        entry = monitor.checkpoint.entry("guide")
        if (saved := entry.load()) is not None:
            guide, kernels = _restored(saved, generator, kernels)
            parts.append(_Guided(image, stabilised, held, values, guide, True, n_odd))
            continue
        found = yield from initial_estimate(
            values, "groups", generator, budget, monitor, probed=number == 0
        )
        if number == 0 and found.complete:
            kernels = yield from in_background(
                "preparing the groups",
                lambda: _first_kernels(found, stabilised, held, config),  # noqa: B023
                monitor,
            )
        guide = found.estimate
        if kernels is not None and found.complete:
            guide = kernels.applied(guide, device)
        parts.append(_Guided(image, stabilised, held, values, guide, found.complete, n_odd))
        if found.complete and kernels is not None and entry.should_save:
            _keep(entry, guide, generator, kernels)
    complete = all(part.complete for part in parts) and kernels is not None
    guides = np.stack([part.guide for part in parts])
    entry = monitor.checkpoint.entry("groups")
    if (saved := entry.load()) is not None:
        guides = saved[1]["guides"]
    elif complete:
        values = np.stack([part.values for part in parts])
        guides, complete = yield from group_series(values, guides, budget, monitor)
        if complete and entry.should_save:
            entry.save({}, {"guides": guides})
    prepared: list[Prepared] = []
    chosen: CellINRConfig | None = None
    for number, part in enumerate(parts):
        probe = np.zeros((1,) * guides[number].ndim, np.float32)
        found = InitialEstimate(guides[number], guides[number], probe, "groups", complete=complete)
        frame = Part(part.image, config, noise, part.stabilised, part.held, found, n_odd=part.n_odd)
        done = None
        if complete:
            done = yield from in_background(
                "background", partial(_finished, frame, chosen), monitor
            )
            complete = done is not None
        if done is None:
            left = replace(frame, found=replace(found, complete=False))
            done = config, left.without_kernels()
        chosen = done[0]
        prepared.append(done[1])
    return prepared, config.replace(estimate="groups")


def _finished(part: Part, chosen: CellINRConfig | None) -> tuple[CellINRConfig, Prepared]:
    """Return the settings that the first frame has decided, and what is prepared of a frame."""
    config = part.chosen() if chosen is None else chosen
    return config, replace(part, config=config).without_kernels()


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


def _keep(
    entry: CheckpointEntry,
    guide: NDArray[np.float32],
    generator: np.random.Generator,
    kernels: Kernels,
) -> None:
    """Store the guide of a frame, and what the next frames need."""
    header = {
        "generator": generator.bit_generator.state,
        "centre": kernels.centre,
        "stride": list(kernels.stride),
    }
    arrays = {"guide": guide, "divisors": kernels.divisors, "weights": kernels.weights}
    entry.save(header, arrays)


def _restored(
    saved: tuple[dict[str, Any], dict[str, Any]],
    generator: np.random.Generator,
    known: Kernels | None,
) -> tuple[NDArray[np.float32], Kernels]:
    """Return a stored guide and the kernels; restores the state of the random generator."""
    header, arrays = saved
    generator.bit_generator.state = header["generator"]
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
) -> Kernels:
    """Return the kernels of the first frame, to be used on all."""
    device = choose_device(config.device)
    return solve(found, stabilised, held, max(2, config.kernel_spacing // 2), device=device)
