"""Opens saved fits as layers, with their origin in the metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import FileError
from napari_cellinr.macro.naming import result_name
from napari_cellinr.methods import roles_of
from napari_cellinr.ui.layers.contrast import contrast_of
from napari_cellinr.ui.layers.convert import layer_tuples
from napari_cellinr.ui.layers.provenance import (
    FITTED_IMAGE,
    IMAGE_OF_FIT,
    KEPT_FIT,
    OTHER_IMAGES,
    RECORD,
    record_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from napari.layers import Layer

__all__ = ["add_other", "fit_tuples", "other_layer", "other_tuple"]


def fit_tuples(path: Path) -> list[tuple[Any, dict[str, Any], str]]:
    """Render a saved fit and return the layer data tuple of its result.

    Its other images, such as the background, are layers once they are requested, as after a run.

    Raises
    ------
    FileError
        If the file is not a saved fit, damaged, or of a newer version.
    """
    result, *others = _rendered(path)
    result[1]["metadata"][OTHER_IMAGES] = [attributes["name"] for _, attributes, _ in others]
    return [result]


def other_tuple(path: Path, name: str) -> tuple[Any, dict[str, Any], str]:
    """Render a saved fit and return the layer data tuple of one of its other images.

    Parameters
    ----------
    path
        The file.
    name
        Name of the image.

    Raises
    ------
    FileError
        If the file cannot be read, or has no such image any more.
    """
    for layer in _rendered(path)[1:]:
        if layer[1]["name"] == name:
            return layer
    raise FileError(f"{path} has no image {name!r} any more; open it again.")


def other_layer(viewer: napari.Viewer, result: Layer, name: str) -> Layer | None:
    """Return the layer that shows another image of a saved fit, or None if there is none.

    Parameters
    ----------
    viewer
        The viewer.
    result
        The layer of its result.
    name
        Name of the image.
    """
    path = result.metadata.get(KEPT_FIT)
    for layer in viewer.layers:
        noted = layer.metadata
        if noted.get(KEPT_FIT) == path and noted.get(IMAGE_OF_FIT) == name:
            return layer
    return None


def add_other(viewer: napari.Viewer, layer: tuple[Any, dict[str, Any], str]) -> Layer:
    """Add another image of a saved fit; the selected layers stay selected.

    Parameters
    ----------
    viewer
        The viewer.
    layer
        As `other_tuple` returns it.
    """
    data, attributes, _ = layer
    selected = set(viewer.layers.selection)
    noted = {**attributes["metadata"], IMAGE_OF_FIT: attributes["name"]}
    added: Layer = viewer.add_image(data, **{**attributes, "visible": True, "metadata": noted})
    viewer.layers.selection = selected
    return added


def _rendered(path: Path) -> list[tuple[Any, dict[str, Any], str]]:
    """Render a saved fit and return the layer data tuples of its images, the result first.

    The displacement of a reconstruction is not among them: arrows are shown on demand.
    """
    from napari_cellinr import api
    from napari_cellinr.fitting.saved.stored import load_fit

    fit = load_fit(path)
    noted: dict[str, Any] = {
        KEPT_FIT: str(path),
        FITTED_IMAGE: str(fit.source["name"]),
        "napari-cellinr method": fit.method,
        RECORD: record_of(fit),
    }
    layers = []
    for role, image in zip(roles_of(fit), api.render(fit), strict=False):
        if role == "motion":
            continue
        limits = contrast_of(image)
        for data, attributes, kind in reversed(layer_tuples(image)):
            look = {
                "contrast_limits": limits,
                "metadata": {**attributes["metadata"], **noted},
            }
            if role not in {"background", "error"}:
                look |= {"colormap": "gray", "blending": "translucent_no_depth"}
            if attributes["name"].startswith(f"{noted[FITTED_IMAGE]} "):
                look["name"] = result_name(attributes["name"], noted[FITTED_IMAGE])
            layers.append((role, (data, {**attributes, **look}, kind)))
    layers.sort(key=lambda layer: layer[0] != "result")
    return [layer for _, layer in layers]
