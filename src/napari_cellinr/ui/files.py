"""Files of a viewer: images and kept fits as layers, layers and their fits as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import AxesError
from napari_cellinr.io import FITTED_SUFFIX
from napari_cellinr.ui.layers import add_images, find, image_layers
from napari_cellinr.ui.motion_work import motion_of
from napari_cellinr.ui.orders import image_of
from napari_cellinr.ui.origins import origin_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import napari
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer

    from napari_cellinr.resume import Unfinished
    from napari_cellinr.ui.controller import Controller
    from napari_cellinr.ui.origins import Result

__all__ = ["layer_of_job", "open_file", "save_layer"]


def open_file(viewer: napari.Viewer, path: Path) -> list[ImageLayer]:
    """Return the layers for every image in a file, or for a kept fit, added to the viewer.

    Raises
    ------
    FileError
        If the file is missing or cannot be understood.
    """
    if path.suffix == FITTED_SUFFIX:
        from napari_cellinr.ui.kept_layers import fit_tuples

        tuples = fit_tuples(path)
        return [viewer.add_image(data, **attributes) for data, attributes, _ in tuples]
    from napari_cellinr.io import read_all

    return [one for image in read_all(path) for one in add_images(viewer, image)]


def save_layer(
    controller: Controller, layer: ImageLayer, path: Path, results: Mapping[Any, Result]
) -> None:
    """Write a layer with its calibration; `.cellinr` is its fit, `.csv` is shown motion.

    Raises
    ------
    AxesError
        If there is no fit of the layer, or it shows no motion.
    FileError
        If the file cannot be written.
    """
    from napari_cellinr.io import write
    from napari_cellinr.kept import save_fit
    from napari_cellinr.macro.motion import write_motion

    if path.suffix == FITTED_SUFFIX:
        save_fit(path, origin_of(controller, layer, results).load())
    elif path.suffix == ".csv":
        scene, options = _motion_of(controller.viewer, layer)
        write_motion(path, origin_of(controller, scene, results).load(), **options)
    else:
        write(path, controller.image_of(layer))


def layer_of_job(viewer: napari.Viewer, job: Unfinished) -> ImageLayer:
    """Return the layer that an interrupted fit worked on, or a new one of the image that it kept.

    Raises
    ------
    FileError
        If the checkpoint cannot be read.
    """
    shape = tuple(job.source["shape"])
    for layer in image_layers(viewer):
        if layer.name == job.source["name"] and tuple(layer.data.shape) == shape:
            return layer
    return add_images(viewer, image_of(job))[0]


def _motion_of(viewer: napari.Viewer, layer: Layer) -> tuple[ImageLayer, dict[str, Any]]:
    """Return the scene that arrows or tracks belong to, and the options they were made with."""
    scene_id, options = motion_of(layer)
    scene = find(viewer, scene_id)
    if scene is None:
        raise AxesError(f"the scene of layer {layer.name!r} is gone, and its motion with it.")
    return scene, options
