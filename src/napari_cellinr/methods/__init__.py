"""The methods: each turns an image and its settings into a Problem for the one loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    import torch

    from napari_cellinr.classic.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fit import Message, Problem, Progress
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
    """Yield `Progress`, return what the loop works on, and the settings with all choices made.

    Parameters
    ----------
    image
        One frame of one channel, axes ZYX or YX.
    config
        The settings; the preset decides on the method.
    noise
        The noise in grey levels.
    device
        Where to compute.
    started, deadline
        `time.monotonic()` at the beginning and the end of the job.
    """
    if config.preset == "paper":
        from napari_cellinr.methods.paper import prepare_paper

        return (yield from prepare_paper(image, config, noise, device, started=started)), config
    from napari_cellinr.methods.cellinr import CellINRProblem
    from napari_cellinr.methods.sample import prepare_sample

    sample, chosen = yield from prepare_sample(
        image, config, noise, started=started, deadline=deadline
    )
    return CellINRProblem(sample, chosen, device), chosen
