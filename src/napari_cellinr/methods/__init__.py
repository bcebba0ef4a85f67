"""The table of the methods, and functions that look a method up. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_cellinr.config import CellINRConfig, NSTMConfig, SpatimeConfig
from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.saved.damage import explained_damage
from napari_cellinr.methods.method import Cost, Lazy, Method, Renderable
from napari_cellinr.text import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.fitting.saved.query import Query
    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.image import Image

__all__ = [
    "METHODS",
    "Cost",
    "Method",
    "Renderable",
    "geometry",
    "method_of_action",
    "method_of_fit",
    "render",
    "roles_of",
]

CELLINR = Method(
    name="cellinr",
    action="denoise",
    config=CellINRConfig,
    roles=("result", "background"),
    scope="frame-{}",
    job=Lazy("cellinr.job:denoise_job"),
    render=Lazy("cellinr.render:render_cellinr"),
    geometry=Lazy("cellinr.geometry:geometry_cellinr", computes=False),
    conventional=Lazy("cellinr.conventional:conventional"),
    cost=Lazy("cellinr.costs:cost", computes=False),
    tiles=Lazy("cellinr.costs:tiles", computes=False),
    renderable=Renderable(scaled="ZYX"),
    layers=("denoised", "background", "signal", "with background", "standard error"),
    baselines=("WBNS", "Gaussian"),
)

SPATIME = Method(
    name="spatime",
    action="superresolve",
    config=SpatimeConfig,
    roles=("result",),
    scope="channel-{}",
    job=Lazy("spatime.job:superresolve_job"),
    render=Lazy("spatime.render:render_spatime"),
    geometry=Lazy("spatime.geometry:geometry_spatime", computes=False),
    conventional=Lazy("spatime.conventional:conventional"),
    cost=Lazy("spatime.costs:cost", computes=False),
    renderable=Renderable(scaled="TZYX", any_time=True),
    needed={"scale": {"T": 2}},
    layers=("super-resolved", "confidence"),
    baselines=("cubic",),
)

NSTM = Method(
    name="nstm",
    action="reconstruct",
    config=NSTMConfig,
    roles=("result", "motion", "speed", "confidence"),
    scope="",
    job=Lazy("nstm.job:reconstruct_job"),
    render=Lazy("nstm.rendering.saved:render_nstm"),
    geometry=Lazy("nstm.geometry:geometry_nstm", computes=False),
    conventional=Lazy("nstm.conventional:conventional"),
    cost=Lazy("nstm.costs:cost", computes=False),
    renderable=Renderable(any_time=True, own_grid=True),
    layers=("reconstructed", "motion", "tracks", "speed", "confidence", "aligned"),
    baselines=("conventional",),
)

METHODS: Final[Mapping[str, Method]] = {one.name: one for one in (CELLINR, SPATIME, NSTM)}
"""The record of each method, by its name in saved fits."""


_DAMAGED: Final = (
    "the fit cannot be rendered like this",
    "what was requested is not possible, or the fit is damaged or of another version. Fit again.",
)


def method_of_action(action: str) -> Method:
    """Return the method of an action such as `denoise`.

    Raises
    ------
    ConfigError
        If no method has this action.
    """
    for method in METHODS.values():
        if method.action == action:
            return method
    actions = ", ".join(method.action for method in METHODS.values())
    raise ConfigError(f"a fit of {shortened(action)} was given; allowed are {actions}.")


def method_of_fit(fit: Fitted | Stored) -> Method:
    """Return the method that a fit was made with.

    Raises
    ------
    ConfigError
        If this version does not know it.
    """
    if fit.method not in METHODS:
        raise ConfigError(
            f"a fit of the method {shortened(fit.method)} was given; this version knows "
            f"{', '.join(METHODS)}. Update napari-cellinr, or fit again."
        )
    return METHODS[fit.method]


def roles_of(fit: Stored) -> tuple[str, ...]:
    """Return what each of the images is that are rendered from a saved fit."""
    return tuple(fit.header.get("roles") or method_of_fit(fit).roles)


def render(fit: Stored, query: Query, device: torch.device) -> tuple[Image, ...]:
    """Return images from a saved fit, the result first, float32.

    Parameters
    ----------
    fit
        The saved fit, with its tensors.
    query
        What to render.
    device
        Where to compute.

    Raises
    ------
    ConfigError, AxesError
        If the method of the fit is not known, or the fit cannot be rendered like this.
    FileError
        If the parts of the fit do not go together.
    """
    method = method_of_fit(fit)
    with explained_damage(*_DAMAGED):
        return method.render(fit, query, device)


def geometry(fit: Stored, query: Query) -> Image:
    """Return the geometry of the first image that `render` returns, without rendering it.

    Parameters
    ----------
    fit
        The saved fit; its tensors are not needed.
    query
        What would be rendered.

    Returns
    -------
    Image
        Its values are zeros that take no memory.

    Raises
    ------
    ConfigError, AxesError, FileError
        As for `render`.
    """
    method = method_of_fit(fit)
    with explained_damage(*_DAMAGED):
        return method.geometry(fit, query)
