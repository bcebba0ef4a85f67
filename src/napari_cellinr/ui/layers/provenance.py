"""Results in the viewer, and the fit that a layer came from: of this session, or a saved fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import AxesError, ConfigError, FileError
from napari_cellinr.io.saved_fit import FITTED_SUFFIX
from napari_cellinr.methods import METHODS

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.image import Image
    from napari_cellinr.macro import InitialFit
    from napari_cellinr.ui.layers.spec import Shown
    from napari_cellinr.ui.session.controller import Controller
    from napari_cellinr.ui.task import Task

__all__ = [
    "FITTED_IMAGE",
    "HELPER",
    "IMAGE_OF_FIT",
    "KEPT_FIT",
    "OTHER_IMAGES",
    "READ_SHAPE",
    "RECORD",
    "SAMPLE_PART",
    "SWIPE",
    "Origin",
    "Result",
    "channel_of",
    "has_motion",
    "in_channel",
    "method_of",
    "newest_first",
    "origin_of",
    "record_of",
    "settings_of",
]

RECORD = "napari-cellinr"
"""Key in the metadata of a layer for the record of its fit."""

HELPER = "napari-cellinr helper"
"""Key in the metadata of a layer that is no image of the sample, such as a difference."""

SWIPE = "swipe"
"""Value of `HELPER` for the layers of a swipe line, which are copies for a while."""

KEPT_FIT = "napari-cellinr kept fit"
"""Key in the metadata of a layer for the path of the saved fit that it was rendered from."""

SAMPLE_PART = "napari-cellinr part of a sample"
"""Key in the metadata of a layer that is the ground truth of a sample."""

OTHER_IMAGES = "napari-cellinr other images"
"""Key in the metadata of a layer for the names of the other images of its saved fit."""

IMAGE_OF_FIT = "napari-cellinr image of a saved fit"
"""Key in the metadata of a layer for the name of the image of its saved fit that it shows."""

FITTED_IMAGE = "napari-cellinr fitted image"
"""Key in the metadata of a layer for the name of the image that was fitted."""

READ_SHAPE = "napari-cellinr shape as read"
"""Key in the metadata of a layer for its shape when it was read.

napari hands the metadata of a layer on to what it makes of it, such as a projection.
"""


@dataclass(frozen=True)
class Result:
    """A result in the viewer.

    Parameters
    ----------
    task
        The task.
    config
        The requested settings.
    fitted
        The fit.
    given
        The Image that was fitted.
    source
        Its layer.
    layers
        The layers of the result; the main one first.
    quick
        Whether it is a preview.
    roles
        The role of each layer, as in `Step.roles`.
    initial
        The fit that it started from, if there was one.
    offers
        The layers that are added only on request, by their names.
    offered_roles
        The role of each offer.
    """

    task: Task
    config: Config
    fitted: Fitted
    given: Image
    source: ImageLayer
    layers: tuple[Layer, ...]
    quick: bool = False
    roles: tuple[str, ...] = ()
    initial: InitialFit | None = None
    offers: tuple[Shown, ...] = ()
    offered_roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Origin:
    """The fit that a layer came from.

    Parameters
    ----------
    source
        The layer that was fitted; the layer itself for a saved fit.
    given
        The Image of `source`.
    fitted
        A fit of this session; None for a saved fit.
    path
        The file of a saved fit; None for a fit of this session.
    """

    source: ImageLayer
    given: Image
    fitted: Fitted | None = None
    path: Path | None = None

    def load(self) -> Fitted | Stored:
        """Return the fit; slow for a saved fit, whose file is read.

        Raises
        ------
        FileError
            If the file is gone or damaged.
        """
        if self.fitted is not None:
            return self.fitted
        from napari_cellinr.fitting.saved.stored import load_fit

        return load_fit(self._file())

    def facts(self) -> Stored:
        """Return the fit without its tensors: method, settings and geometry.

        Raises
        ------
        FileError
            If the file is gone or damaged.
        """
        from napari_cellinr.fitting.saved.stored import header_of, load_fit, stored

        if self.fitted is not None:
            return stored(header_of(self.fitted), {})
        return load_fit(self._file(), tensors=False)

    def _file(self) -> Path:
        if self.path is None:
            raise FileError("the fit of this layer is no longer available; fit the image again.")
        return self.path


def record_of(fit: Fitted | Stored) -> dict[str, Any]:
    """Return the report of a fit, with its settings, versions, and the digest of its data."""
    config = fit.config if isinstance(fit.config, Mapping) else fit.config.as_dict()
    digest = str(fit.source.get("digest", ""))
    return {"config": dict(config), **fit.report, "method": fit.method, "digest": digest}


def channel_of(image: Image) -> int | None:
    """Return which of several channels an image of a fit shows; None if it shows all.

    The motion of all together is shown at the first.

    Parameters
    ----------
    image
        An image with the record of its fit.
    """
    record = image.meta.get(RECORD)
    config = record.get("config") if isinstance(record, Mapping) else None
    number = config.get("motion_channel") if isinstance(config, Mapping) else None
    if isinstance(number, str):  # a number in fits of earlier versions
        number = 0 if number == "all" else int(number) if number.isdecimal() else None
    return number if isinstance(number, int) else None


def in_channel(given: Image, image: Image, channel: int | None) -> Image:
    """Return an image of one of several channels with an axis C, at the place of that channel.

    Without it, the image would be repeated, as if all channels showed the same.

    Parameters
    ----------
    given
        The image with the channels.
    image
        What was computed from one of them.
    channel
        Which one; None for an image of all channels, which is returned as it is.
    """
    if channel is None or "C" in image.axes or given.sizes.get("C", 1) == 1:
        return image
    before = image.axes.startswith("T")
    axes = f"{image.axes[:before]}C{image.axes[before:]}"
    own = given.axes.index("C")
    start = given.translate[own] + channel * given.scale[own]

    def with_own(values: tuple[Any, ...], of_channel: Any) -> tuple[Any, ...]:
        return (*values[:before], of_channel, *values[before:])

    return image.like(
        np.expand_dims(np.asarray(image.data), int(before)),
        axes=axes,
        scale=with_own(image.scale, given.scale[own]),
        units=with_own(image.units, given.units[own]),
        translate=with_own(image.translate, start),
    )


def origin_of(controller: Controller, layer: ImageLayer, results: Mapping[Any, Result]) -> Origin:
    """Return the fit that a layer came from.

    Parameters
    ----------
    controller
        Converts layers to Images.
    layer
        The layer.
    results
        The results of this session by the `unique_id` of their layers.

    Raises
    ------
    AxesError
        If the layer is not the result of a fit.
    """
    made = results.get(layer.unique_id)
    if made is not None:
        return Origin(made.source, made.given, made.fitted)
    path = _saved_fit_path(layer)
    if path is None:
        raise AxesError(
            f"layer {layer.name!r} has no fit; choose a result of this session, or a layer opened "
            f"from a saved fit ({FITTED_SUFFIX})."
        )
    return Origin(layer, controller.image_of(layer), path=path)


def method_of(layer: ImageLayer, results: Mapping[Any, Result]) -> str:
    """Return the method of the fit that a layer came from; empty if it cannot be rendered again.

    Parameters
    ----------
    layer, results
        As for `origin_of`.
    """
    made = results.get(layer.unique_id)
    if made is not None:
        return made.fitted.method if made.fitted.state else ""
    return str(layer.metadata.get("napari-cellinr method", "")) if _saved_fit_path(layer) else ""


def newest_first(results: Mapping[Any, Result]) -> list[Result]:
    """Return the results whose main layer is in the viewer, the newest first.

    Other layers of an older result may have been added since.

    Parameters
    ----------
    results
        The results of this session by the `unique_id` of the layers that are in the viewer.
    """
    mains = [made for key, made in results.items() if key == made.layers[0].unique_id]
    return mains[::-1]


def settings_of(layer: Layer, task: Task, results: Mapping[Any, Result]) -> Config | None:
    """Return the settings of the fit that a layer came from.

    Parameters
    ----------
    layer
        The layer.
    task
        The task whose settings are needed.
    results
        The results of this session by the `unique_id` of their layers.

    Returns
    -------
    Config or None
        The requested settings for a result of this session, otherwise those in the metadata of
        the layer; None for other tasks and layers without a fit.
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
    """Return whether the fit that a layer came from has estimated motion.

    Parameters
    ----------
    layer, results
        As for `origin_of`.
    """
    made = results.get(layer.unique_id)
    if made is not None:
        moves = METHODS[made.fitted.method].has_motion
        return moves and layer.unique_id == made.layers[0].unique_id
    method = METHODS.get(method_of(layer, results))
    return method is not None and method.has_motion


def _saved_fit_path(layer: ImageLayer) -> Path | None:
    """Return the file of the saved fit that a layer was rendered from, if there is one."""
    noted = layer.metadata.get(KEPT_FIT)
    if noted:
        return Path(str(noted))
    path = layer.source.path
    return Path(str(path)) if path is not None and str(path).endswith(FITTED_SUFFIX) else None
