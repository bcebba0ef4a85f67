"""What a fit made of which layer, and the fit behind a layer: of this session, or a kept one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import AxesError, ConfigError, FileError
from napari_cellinr.io.saved_fit import FITTED_SUFFIX
from napari_cellinr.methods import METHODS

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.fitting.stored import Stored
    from napari_cellinr.image import Image
    from napari_cellinr.macro import Begun
    from napari_cellinr.ui.session.controller import Controller
    from napari_cellinr.ui.task import Task

__all__ = [
    "FITTED_IMAGE",
    "KEPT_FIT",
    "RECORD",
    "Origin",
    "Result",
    "has_motion",
    "method_of",
    "origin_of",
    "record_of",
    "settings_of",
]

RECORD = "napari-cellinr"
"""Where the metadata of every layer that a fit made hold the record of that fit."""

KEPT_FIT = "napari-cellinr kept fit"
"""Where the metadata of a layer name the file of the fit that it was rendered from."""


FITTED_IMAGE = "napari-cellinr fitted image"
"""Where they name the image that was fitted."""


@dataclass(frozen=True)
class Result:
    """A result that is in the viewer.

    Parameters
    ----------
    task, config
        What was done, and with which settings it was asked for.
    fitted
        What came out.
    given
        The Image that was worked on.
    source
        Its layer.
    layers
        The layers that came out; the first is what was asked for.
    quick
        Whether it is only a preview.
    roles
        What each of the layers is, as `Step.roles` tell it.
    begun
        The fit that it began with, if with one.
    """

    task: Task
    config: Config
    fitted: Fitted
    given: Image
    source: ImageLayer
    layers: tuple[Layer, ...]
    quick: bool = False
    roles: tuple[str, ...] = ()
    begun: Begun | None = None


@dataclass(frozen=True)
class Origin:
    """The fit behind a layer.

    Parameters
    ----------
    source
        The layer on whose grid `given` lies.
    given
        The Image of that layer.
    fitted
        A fit of this session; none if it is in a file.
    path
        The file of a kept fit; none if it is of this session.
    """

    source: ImageLayer
    given: Image
    fitted: Fitted | None = None
    path: Path | None = None

    def load(self) -> Fitted | Stored:
        """Return the fit, for the worker thread: a file is read.

        Raises
        ------
        FileError
            If the file is gone or damaged.
        """
        if self.fitted is not None:
            return self.fitted
        from napari_cellinr.fitting.stored import load_fit

        return load_fit(self._file())

    def facts(self) -> Stored:
        """Return the fit without its tensors, which say what can be asked of it.

        Raises
        ------
        FileError
            If the file is gone or damaged.
        """
        from napari_cellinr.fitting.stored import header_of, load_fit, stored

        if self.fitted is not None:
            return stored(header_of(self.fitted), {})
        return load_fit(self._file(), tensors=False)

    def _file(self) -> Path:
        if self.path is None:
            raise FileError("the fit is not known any more; fit again.")
        return self.path


def record_of(fit: Fitted | Stored) -> dict[str, Any]:
    """Return the report of a fit, with its settings, versions, and the digest of its data."""
    config = fit.config if isinstance(fit.config, Mapping) else fit.config.as_dict()
    digest = str(fit.source.get("digest", ""))
    return {"config": dict(config), **fit.report, "method": fit.method, "digest": digest}


def origin_of(controller: Controller, layer: ImageLayer, results: Mapping[Any, Result]) -> Origin:
    """Return the fit behind a layer.

    Raises
    ------
    AxesError
        If the layer is no result of a fit.
    """
    made = results.get(layer.unique_id)
    if made is not None:
        return Origin(made.source, made.given, made.fitted)
    path = _kept(layer)
    if path is None:
        raise AxesError(
            f"layer {layer.name!r} is no result of a fit of this session, and was not opened from "
            f"a kept one ({FITTED_SUFFIX})."
        )
    return Origin(layer, controller.image_of(layer), path=path)


def method_of(layer: ImageLayer, results: Mapping[Any, Result]) -> str:
    """Return the method of the fit behind a layer that can be rendered again; else nothing."""
    made = results.get(layer.unique_id)
    if made is not None:
        return made.fitted.method if made.fitted.state else ""
    return str(layer.metadata.get("napari-cellinr method", "")) if _kept(layer) else ""


def settings_of(layer: Layer, task: Task, results: Mapping[Any, Result]) -> Config | None:
    """Return the settings that a layer was made with by a task; none if it was not.

    Those of a result of this session are what was asked for; others are in the report that the
    metadata of its layer hold.
    """
    made = results.get(layer.unique_id)
    if made is not None:
        return made.config if made.task is task else None
    report = layer.metadata.get(RECORD)
    noted = report.get("config") if isinstance(report, Mapping) else None
    try:
        return task.config_type(**noted) if isinstance(noted, Mapping) else None
    except ConfigError:  # of another method, or of a version with other settings
        return None


def has_motion(layer: ImageLayer, results: Mapping[Any, Result]) -> bool:
    """Return whether the fit behind a layer has found motion."""
    made = results.get(layer.unique_id)
    if made is not None:
        moves = METHODS[made.fitted.method].has_motion
        return moves and layer.unique_id == made.layers[0].unique_id
    method = METHODS.get(method_of(layer, results))
    return method is not None and method.has_motion


def _kept(layer: ImageLayer) -> Path | None:
    """Return the file of the fit that a layer was rendered from, if there is one."""
    noted = layer.metadata.get(KEPT_FIT)
    if noted:
        return Path(str(noted))
    path = layer.source.path
    return Path(str(path)) if path is not None and str(path).endswith(FITTED_SUFFIX) else None
