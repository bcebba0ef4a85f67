"""What is known before the optimisation: initial estimate, kernels, structures and background."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.devices import choose_device
from napari_cellinr.methods.cellinr.initial.estimate import (
    EstimateBudget,
)
from napari_cellinr.methods.cellinr.initial.part import estimate_part, without_odd_pixels
from napari_cellinr.methods.cellinr.rounds import fit_rounds, without_rounds

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cellinr.classic.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.problem import Prepared

__all__ = ["prepare_sample"]

ESTIMATE_SHARE = 0.5
"""Largest part of the time limit for the initial estimate."""


def prepare_sample(
    image: Image, config: CellINRConfig, noise: Noise, monitor: Monitor
) -> Generator[Progress, Message, tuple[Prepared, CellINRConfig]]:
    """Yield `Progress`, return what is prepared, and the settings with the chosen estimate.

    Parameters
    ----------
    image
        One frame of one channel, axes ZYX or YX.
    config
        The settings.
    noise
        The noise in grey levels.
    monitor
        Of the job, with the time limit of this image.

    Returns
    -------
    tuple
        `Prepared` and the settings.
    """
    end = monitor.deadline
    left = None if end is None else ESTIMATE_SHARE * (end - time.monotonic())
    budget = EstimateBudget(
        noise.grain, torch.get_num_threads(), left, choose_device(config.device)
    )
    odd, stabilised = without_odd_pixels(image, noise)
    part = yield from estimate_part(image, stabilised, config, noise, budget, monitor)
    part = replace(part, n_odd=odd)
    chosen = config.replace(estimate=part.found.name)
    if part.views is not None and part.found.complete:
        part = replace(part, fitted=(yield from fit_rounds(part, budget, monitor)))
    elif config.has_field:
        part = replace(part, fitted=without_rounds(part))
    if part.fitted is not None:
        chosen = chosen.replace(rounds=part.fitted.rounds)
    prepared = None
    if part.found.complete:
        work = partial(part.build, kernels=part.views is None)
        prepared = yield from in_background("preparing the fit", work, monitor)
    if prepared is None:
        prepared = part.build(kernels=False, by_structure=False)
    return prepared, chosen
