"""Files of a viewer: opens images and saved fits as layers, saves layers and their fits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import AxesError, CellINRError, FileError
from napari_cellinr.io import FITTED_SUFFIX
from napari_cellinr.io.series.channels import separated
from napari_cellinr.macro.naming import SAMPLE, sample_part, without_number
from napari_cellinr.simulate.samples import check_sample
from napari_cellinr.ui.layers.convert import add_images, as_shown, find, image_layers
from napari_cellinr.ui.layers.opening import images_again, images_of, is_series
from napari_cellinr.ui.layers.provenance import KEPT_FIT, OTHER_IMAGES, SAMPLE_PART, origin_of
from napari_cellinr.ui.session.actions import image_of
from napari_cellinr.ui.session.work.motion import motion_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import napari
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer

    from napari_cellinr.image import Image
    from napari_cellinr.macro import Source
    from napari_cellinr.runs.resume import Unfinished
    from napari_cellinr.ui.layers.provenance import Result
    from napari_cellinr.ui.session.controller import Controller

__all__ = ["layer_of_job", "open_files", "open_source", "save_layer"]


def open_files(viewer: napari.Viewer, paths: Sequence[Path], *, together: bool) -> list[Layer]:
    """Return the layers for every image and saved fit in files and folders, added to the viewer.

    Parameters
    ----------
    viewer
        The viewer.
    paths
        Image files, saved fits (`.cellinr`) and folders.
    together
        Whether numbered files become one series, as for `images_of`.

    Raises
    ------
    FileError
        If a file is missing or cannot be understood.
    """
    if together and is_series(paths):
        return _added(viewer, images_of(paths, together=True))
    return [layer for path in paths for layer in _open_file(viewer, path)]


def open_source(viewer: napari.Viewer, source: Source) -> list[Layer]:
    """Return the layers of a file that is opened again, in the same way as before.

    If there is only one layer, or if it is of a sample, it gets the name of `source`.

    Parameters
    ----------
    viewer
        The viewer.
    source
        The file, folder or sample, and how it was opened.

    Raises
    ------
    FileError
        If the file is missing, or its reader is.
    """
    if source.path.startswith(SAMPLE):
        return _open_sample(viewer, source)
    if source.path.endswith(FITTED_SUFFIX) and not source.reader:
        return _open_fit(viewer, source)
    if source.reader:
        layers = _open_elsewhere(viewer, source)
    elif source.along:
        layers = _added(viewer, images_again(source))
    else:
        layers = _open_file(viewer, Path(source.path))
    if source.layer and len(layers) == 1:
        layers[0].name = source.layer
    return layers


def _open_sample(viewer: napari.Viewer, source: Source) -> list[Layer]:
    """Return the layers of a sample, which is not opened again for its ground truth."""
    key, part = sample_part(source.path)
    check_sample(key)
    if part:
        for layer in viewer.layers:
            is_of = layer.source.sample == ("napari-cellinr", key)
            if is_of and layer.metadata.get(SAMPLE_PART) == part:
                if source.layer:
                    layer.name = source.layer
                return [layer]
    layers = list(viewer.open_sample("napari-cellinr", key))
    if source.layer and source.layer not in {one.name for one in layers}:
        layers[0 if part else -1].name = source.layer
    return layers


def _open_fit(viewer: napari.Viewer, source: Source) -> list[Layer]:
    """Return the layers of a saved fit: its result, or the image that `source` names."""
    opened = [one for one in viewer.layers if OTHER_IMAGES in one.metadata]
    known = [one for one in opened if one.metadata[KEPT_FIT] == str(Path(source.path))]
    layers = known[:1] or _open_file(viewer, Path(source.path))
    name = without_number(source.layer)
    if name in layers[0].metadata.get(OTHER_IMAGES, ()):
        from napari_cellinr.ui.layers.saved_fits import add_other, other_tuple

        layers = [add_other(viewer, other_tuple(Path(source.path), name))]
    elif known:
        layers = _open_file(viewer, Path(source.path))
    if source.layer:
        layers[0].name = source.layer
    return layers


def _open_file(viewer: napari.Viewer, path: Path) -> list[Layer]:
    if path.suffix == FITTED_SUFFIX:
        from napari_cellinr.ui.layers.saved_fits import fit_tuples

        tuples = fit_tuples(path)
        return [viewer.add_image(data, **attributes) for data, attributes, _ in tuples]
    return _added(viewer, images_of([path], together=False))


def _added(viewer: napari.Viewer, images: Sequence[Image]) -> list[Layer]:
    return [layer for image in images for layer in add_images(viewer, image)]


def _open_elsewhere(viewer: napari.Viewer, source: Source) -> list[Layer]:
    """Return the layers of a file that another plugin of napari reads."""
    try:
        return list(viewer.open(source.path, plugin=source.reader))
    except Exception as error:  # whatever napari, or the other plugin, raises
        raise FileError(
            f"the napari reader {source.reader!r} could not open {source.path} ({error}). Check "
            "the file, and that this plugin is installed."
        ) from error


def save_layer(
    controller: Controller, layer: ImageLayer, path: Path, results: Mapping[Any, Result]
) -> None:
    """Write a layer with its calibration, or its fit (`.cellinr`), or its motion (`.csv`).

    Parameters
    ----------
    controller
        Controller of the viewer.
    layer
        The layer.
    path
        The file to write; its suffix decides what is written.
    results
        The results of this session by layer id.

    Raises
    ------
    AxesError
        If the layer has no fit, or shows no motion.
    FileError
        If the file cannot be written.
    """
    from napari_cellinr.fitting.saved.stored import save_fit
    from napari_cellinr.io import write
    from napari_cellinr.macro.motion import write_motion

    if path.suffix == FITTED_SUFFIX:
        save_fit(path, origin_of(controller, layer, results).load())
    elif path.suffix == ".csv":
        scene, options = _motion_of(controller.viewer, layer)
        write_motion(path, origin_of(controller, scene, results).load(), **options)
    else:
        write(path, as_shown(controller.image_of(layer), layer))


def layer_of_job(viewer: napari.Viewer, job: Unfinished) -> ImageLayer:
    """Return the layer that an interrupted fit worked on, or a new one from its checkpoint.

    Parameters
    ----------
    viewer
        The viewer.
    job
        The interrupted fit.

    Raises
    ------
    FileError
        If the checkpoint cannot be read.
    """
    shape = tuple(job.source["shape"])
    for layer in image_layers(viewer):
        if layer.name == job.source["name"] and tuple(layer.data.shape) == shape:
            return layer
    image = image_of(job)
    return add_images(viewer, image.like(image.data, meta=_meta_in_file(job) or image.meta))[0]


def _meta_in_file(job: Unfinished) -> Mapping[str, Any]:
    """Return the metadata of the image of a job as read from its file, which scripts open again.

    Empty if the file is gone, or holds these data no more.
    """
    from napari_cellinr.fitting.saved.stored import digest

    if not job.origin or not Path(job.origin).exists():
        return {}
    try:
        for image in images_of([Path(job.origin)], together=False):
            for one in separated(image):
                if digest(one.canonical()) == job.source["digest"]:
                    return one.meta
    except CellINRError:
        pass
    return {}


def _motion_of(viewer: napari.Viewer, layer: Layer) -> tuple[ImageLayer, dict[str, Any]]:
    """Return the image that arrows or tracks belong to, and the options of the motion."""
    scene_id, options = motion_of(layer)
    scene = find(viewer, scene_id)
    if scene is None:
        raise AxesError(f"the image whose motion layer {layer.name!r} shows was removed.")
    return scene, options
