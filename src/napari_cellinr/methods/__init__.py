"""The methods: each turns an image and its settings into a Problem for the one loop."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator

    import torch

    from napari_cellinr.classic.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fit import Message, Problem, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.kept import Query, Stored

__all__ = ["RENDERERS", "prepare", "render"]

RENDERERS: dict[str, str] = {
    "cellinr": "napari_cellinr.methods.cellinr_kept:render_cellinr",
    "nstm": "napari_cellinr.methods.nstm_render:render_nstm",
    "spatime": "napari_cellinr.methods.spatime_render:render_spatime",
}
"""Where the renderer of each method lives, `module:function`: `(Stored, Query, device)` in."""


def render(stored: Stored, query: Query, device: torch.device) -> tuple[Image, ...]:
    """Return what is asked of a fit that was kept, the result first, float32.

    Raises
    ------
    ConfigError
        If the method of the fit is not known here, or cannot answer the query.
    """
    if stored.method not in RENDERERS:
        raise ConfigError(
            f"a fit of the method {stored.method!r} was given; those that can be rendered again "
            f"are {', '.join(RENDERERS) or 'none'}."
        )
    module, function = RENDERERS[stored.method].split(":")
    images: tuple[Image, ...] = getattr(import_module(module), function)(stored, query, device)
    return images


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
