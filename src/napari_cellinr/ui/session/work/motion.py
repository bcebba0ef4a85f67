"""Shows the motion of a fit as a layer: arrows, or tracks of points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import AxesError, ConfigError
from napari_cellinr.macro import Source, Step
from napari_cellinr.macro.motion import check_options
from napari_cellinr.macro.naming import result_name
from napari_cellinr.motion import SHORTEST
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.motion import ARROW_NAMES, SEEDS, SHOWS, arrow_layer, track_layer
from napari_cellinr.ui.layers.results import add_shown, columns_in_layer_order, root_of
from napari_cellinr.ui.session.actions import source_of
from napari_cellinr.ui.session.controller import Work, background_job

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from pathlib import Path

    import napari
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer

    from napari_cellinr.image import Image
    from napari_cellinr.motion import ArrowKind
    from napari_cellinr.ui.layers.provenance import Origin, Result
    from napari_cellinr.ui.layers.spec import Shown
    from napari_cellinr.ui.session.controller import Controller

__all__ = [
    "MOTION_OF",
    "hide_older_motion",
    "motion_of",
    "motion_work",
    "note_motion",
    "note_motion_of",
    "steps_to_save",
]

MOTION_OF = "napari-cellinr motion of"
"""Key in the metadata of arrows and tracks for the scene and the options that they show."""


def motion_work(
    controller: Controller,
    layer: ImageLayer,
    origin: Origin,
    options: Mapping[str, Any],
    name: str,
    done: Callable[[ImageLayer, tuple[str, ...]], None],
) -> Work:
    """Return the work of showing the motion of a fit; existing arrows of the layer are replaced.

    Parameters
    ----------
    controller
        The controller of the viewer.
    layer
        The scene, or another layer of the fit.
    origin
        Its fit.
    options
        `every`, `shortest` and `arrows` for arrows, or `points` for tracks, as for `write_motion`.
    name
        Name of a layer of tracks.
    done
        Called with the layer and the names of the new layers.

    Raises
    ------
    ConfigError
        If the options are not allowed.
    """
    check_options(**options)

    def work() -> tuple[Image, Shown]:
        from napari_cellinr.macro.motion import arrows_of, images_by_role, seeds_of

        fit = origin.load()
        images = images_by_role(fit)
        motion, grid = images["motion"], images["speed"]
        if options.get("points") is not None:
            seeds = seeds_of(motion, options["points"])
            tracks = name or result_name("tracks", str(layer.name))
            return grid, track_layer(motion, grid, seeds, tracks, images.get("motion-error"))
        kind: ArrowKind = options.get("arrows", "reference")
        shortest = options.get("shortest")
        found = arrows_of(fit, images, options.get("every"), shortest, kind)
        shown = arrow_layer(motion, grid, found, kind)
        if shown is None:
            length = f"{SHORTEST[kind]} voxels" if shortest is None else f"{shortest:g}"
            raise ConfigError(
                f"no arrow is longer than {length} where the scene has texture; give a smaller "
                "shortest length of arrows (in scripts: shortest)."
            )
        return grid, shown

    def show(motion: tuple[Image, Shown]) -> None:
        if find(controller.viewer, layer.unique_id) is None:
            controller.say("warning", "The layer was removed, so its motion was discarded.")
            return
        grid, shown = motion
        # A scene of one of several channels has an axis for them.
        given = grid if layer.ndim == len(grid.axes) else controller.image_of(layer)
        added = _arrows_of(controller, layer) if shown.kind == "vectors" else None
        if added is not None:
            _replace(added, given, shown)
            usual = {result_name(other, str(layer.name)) for other in ARROW_NAMES.values()}
            if added.name in usual:  # else the user has given it a name
                added.name = result_name(shown.name, str(layer.name))
        else:
            own = shown.name if shown.kind == "tracks" else result_name(shown.name, str(layer.name))
            added = add_shown(controller.viewer, layer, given, shown, own)
        noted = {"layer": layer.unique_id, "options": dict(options)}
        added.metadata = {**added.metadata, MOTION_OF: noted}
        controller.said.emit("info", _added(added, shown))
        done(layer, (str(added.name),))

    return Work(
        f"motion of {layer.name}", background_job("following the motion", work), show,
        layer.unique_id, quick=True,
    )  # fmt: skip


def _added(layer: Layer, shown: Shown) -> str:
    """Return a sentence on arrows or tracks that were added."""
    if shown.kind == "tracks":
        return f"Layer “{layer.name}”: tracks, coloured by speed."
    what = shown.settings["metadata"][SHOWS]
    return f"Layer “{layer.name}”: arrows {what}, coloured by speed."


def hide_older_motion(viewer: napari.Viewer, result: Result) -> None:
    """Hide arrows and tracks of older reconstructions of the same source.

    Parameters
    ----------
    viewer
        The viewer.
    result
        The newest reconstruction.
    """
    new, root = {layer.unique_id for layer in result.layers}, root_of(result.source)
    if all(type(layer).__name__ != "Vectors" for layer in result.layers):
        return
    for layer in viewer.layers:
        if MOTION_OF in layer.metadata and layer.unique_id not in new and root_of(layer) == root:
            layer.visible = False


def note_motion(result: Result) -> None:
    """Write into the metadata of arrows and tracks of a result which scene they belong to."""
    for layer in result.layers[1:]:
        note_motion_of(layer, result)


def note_motion_of(layer: Layer, result: Result) -> None:
    """Write into the metadata of a layer which scene it belongs to, if it shows motion.

    Parameters
    ----------
    layer
        A layer of a result.
    result
        The result.
    """
    options = {"Vectors": {}, "Tracks": {"points": layer.metadata.get(SEEDS)}}.get(
        type(layer).__name__
    )
    if options is not None:
        noted = {"layer": result.layers[0].unique_id, "options": options, "came": True}
        layer.metadata = {**layer.metadata, MOTION_OF: noted}


def steps_to_save(viewer: napari.Viewer, layer: Layer, path: Path) -> list[Step]:
    """Return the steps that save a layer.

    Tracks that a fit adds automatically are first shown by a step of their own, because a script
    has to name their points. Arrows need no options.

    Parameters
    ----------
    viewer
        The viewer.
    layer
        The layer.
    path
        The file.
    """
    noted = layer.metadata.get(MOTION_OF, {})
    scene = find(viewer, noted.get("layer"))
    arguments = {"path": str(path)}
    if path.suffix != ".csv" or scene is None or not noted.get("came") or not noted["options"]:
        return [Step("save", (source_of(layer),), arguments)]
    name = f"{str(layer.name).partition(' · ')[0]} of {scene.name}"
    options = {**noted["options"], "name": name}
    return [
        Step("show_motion", (source_of(scene),), options, results=(name,)),
        Step("save", (Source(name),), arguments),
    ]


def motion_of(layer: Layer) -> tuple[Hashable, dict[str, Any]]:
    """Return the id of the scene that arrows or tracks belong to, and their options.

    Raises
    ------
    AxesError
        If the layer does not show motion.
    """
    noted = layer.metadata.get(MOTION_OF)
    if not noted:
        raise AxesError(
            f"layer {layer.name!r} was given; a table can only be saved of arrows and tracks that "
            "a reconstruction or show_motion has made."
        )
    return noted["layer"], dict(noted["options"])


def _arrows_of(controller: Controller, layer: ImageLayer) -> Layer | None:
    """Return the layer with the arrows of another layer, if there is one."""
    for shown in controller.viewer.layers:
        noted = shown.metadata.get(MOTION_OF) if type(shown).__name__ == "Vectors" else None
        if noted and noted["layer"] == layer.unique_id:
            return shown
    return None


def _replace(layer: Any, given: Image, shown: Shown) -> None:
    """Replace the arrows of a layer, and colour them by their speed."""
    layer.data = columns_in_layer_order(given, shown.image, shown.data)
    layer.features = shown.settings["features"]
    layer.edge_color = shown.settings["edge_color"]
    layer.metadata = {**layer.metadata, **shown.settings["metadata"]}
    layer.refresh_colors()
