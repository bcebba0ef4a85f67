"""Which fit of CellINR the settings ask for: local kernels, or the published network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.methods.cellinr.prepare import prepare_sample
from napari_cellinr.methods.cellinr.problem import CellINRProblem
from napari_cellinr.methods.cellinr.published import prepare_paper

if TYPE_CHECKING:
    from collections.abc import Generator

    import torch

    from napari_cellinr.classic.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.problem import Message, Problem, Progress
    from napari_cellinr.image import Image

__all__ = ["prepare"]


def prepare(
    image: Image,
    config: CellINRConfig,
    noise: Noise,
    device: torch.device,
    *,
    started: float,
    deadline: float | None = None,
) -> Generator[Progress, Message, tuple[Problem, CellINRConfig]]:
    """Yield `Progress`, return what is to be optimised, and the settings with all choices made.

    Parameters
    ----------
    image
        One frame of one channel, axes ZYX or YX.
    config
        The settings.
    noise
        The noise in grey levels.
    device
        Where to compute.
    started, deadline
        `time.monotonic()` at the beginning and the end of the job.
    """
    if config.is_published:
        return (yield from prepare_paper(image, config, noise, device, started=started)), config
    sample, chosen = yield from prepare_sample(
        image, config, noise, started=started, deadline=deadline
    )
    return CellINRProblem(sample, chosen, device), chosen
