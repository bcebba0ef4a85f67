"""The methods: each turns an image and its settings into a Problem for the one loop."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    import torch

    from napari_cellinr.classic.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.problem import Message, Problem, Progress
    from napari_cellinr.fitting.stored import Query, Stored
    from napari_cellinr.image import Image

__all__ = ["LATTICES", "RENDERERS", "lattice", "prepare", "render"]

RENDERERS: dict[str, str] = {
    "cellinr": "napari_cellinr.methods.cellinr.render:render_cellinr",
    "nstm": "napari_cellinr.methods.nstm.render:render_nstm",
    "spatime": "napari_cellinr.methods.spatime.render:render_spatime",
}
"""Where the renderer of each method lives, `module:function`: `(Stored, Query, device)` in."""

LATTICES: dict[str, str] = {
    "cellinr": "napari_cellinr.methods.cellinr.render:lattice_cellinr",
    "nstm": "napari_cellinr.methods.nstm.geometry:lattice_nstm",
    "spatime": "napari_cellinr.methods.spatime.render:lattice_spatime",
}
"""Where the geometry of what is rendered is told, `module:function`: `(Stored, Query)` in."""


def render(stored: Stored, query: Query, device: torch.device) -> tuple[Image, ...]:
    """Return what is asked of a fit that was kept, the result first, float32.

    Raises
    ------
    ConfigError
        If the method of the fit is not known here, or cannot answer the query.
    """
    images: tuple[Image, ...] = _of(RENDERERS, stored)(stored, query, device)
    return images


def lattice(stored: Stored, query: Query) -> Image:
    """Return the geometry of the first image that `render` returns, without rendering it.

    Its values are zeros that take no memory; the tensors of the fit are not needed.

    Raises
    ------
    ConfigError, AxesError
        As for `render`.
    """
    image: Image = _of(LATTICES, stored)(stored, query)
    return image


def _of(table: Mapping[str, str], stored: Stored) -> Callable[..., Any]:
    """Return what a table names for the method of a fit."""
    if stored.method not in table:
        raise ConfigError(
            f"a fit of the method {stored.method!r} was given; those that can be rendered again "
            f"are {', '.join(table) or 'none'}."
        )
    module, function = table[stored.method].split(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


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
        from napari_cellinr.methods.cellinr.published import prepare_paper

        return (yield from prepare_paper(image, config, noise, device, started=started)), config
    from napari_cellinr.methods.cellinr.prepare import prepare_sample
    from napari_cellinr.methods.cellinr.problem import CellINRProblem

    sample, chosen = yield from prepare_sample(
        image, config, noise, started=started, deadline=deadline
    )
    return CellINRProblem(sample, chosen, device), chosen
