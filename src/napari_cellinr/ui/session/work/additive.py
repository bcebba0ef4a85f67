"""Images of one origin whose colours add: a new one takes the place of those below it.

Together, as in a composite of channels, the same structures would be twice as bright.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari.layers import Image as ImageLayer

from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.provenance import RECORD
from napari_cellinr.ui.layers.results import root_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    import napari
    from napari.layers import Layer

__all__ = ["hide_under", "show_left"]

_waiting: Final[dict[Hashable, list[Hashable]]] = {}
"""The hidden layers of each origin that are to be shown again, by `unique_id`."""


def hide_under(viewer: napari.Viewer, source: Layer, shown: Layer) -> None:
    """Hide the source of a layer, and all else of the same origin, if their colours would add.

    The source, and regions, are shown again when the last visible image of this origin is removed.

    Parameters
    ----------
    viewer
        The viewer.
    source
        What the layer was computed from.
    shown
        The layer.
    """
    if not shown.visible or shown.blending != "additive":
        return
    for layer in _added(viewer, root_of(shown)):
        if layer.unique_id == shown.unique_id:
            continue
        if layer.unique_id == source.unique_id or RECORD not in layer.metadata:
            _show_without_others(viewer, layer)
        layer.visible = False


def show_left(viewer: napari.Viewer, hidden: Layer) -> None:
    """Show again what was hidden last under a layer, if nothing of its origin is visible now.

    Parameters
    ----------
    viewer
        The viewer.
    hidden
        The layer, which was hidden.
    """
    root = root_of(hidden)
    left = [find(viewer, layer_id) for layer_id in _waiting.get(root, ())]
    below = [one for one in left if one is not None and one.unique_id != hidden.unique_id]
    if below and hidden.blending == "additive" and not _added(viewer, root):
        below[-1].visible = True


def _added(viewer: napari.Viewer, root: Hashable) -> list[Layer]:
    """Return the visible images of one origin whose colours add."""
    images = [layer for layer in viewer.layers if isinstance(layer, ImageLayer) and layer.visible]
    return [one for one in images if one.blending == "additive" and root_of(one) == root]


def _show_without_others(viewer: napari.Viewer, hidden: Layer) -> None:
    """Show a layer again, once it is hidden, when the last image in its place is removed.

    Of several that were hidden one after the other, the last one is shown.
    """
    layer_id, root = hidden.unique_id, root_of(hidden)
    waiting = _waiting.setdefault(root, [])
    waiting.append(layer_id)

    def follow(event: Any) -> None:
        layer = find(viewer, layer_id)
        if layer is not None and not layer.visible:
            left = [one for one in waiting if find(viewer, one) is not None]
            if root_of(event.value) != root or _added(viewer, root) or left[-1] != layer_id:
                return
            layer.visible = True
        waiting.remove(layer_id)
        viewer.layers.events.removed.disconnect(follow)

    viewer.layers.events.removed.connect(follow)
