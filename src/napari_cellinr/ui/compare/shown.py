"""Shows two images alone for a while, and remembers what was visible before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image as ImageLayer

from napari_cellinr.ui.layers.convert import find

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import napari
    from napari.layers import Layer

__all__ = ["Alone"]


class Alone:
    """Shows some layers and hides others, until `restore`.

    Parameters
    ----------
    viewer
        The viewer.
    shown
        The layers that become visible.
    all_kinds
        Whether layers that are no images are hidden, too, such as arrows.
    """

    def __init__(
        self, viewer: napari.Viewer, shown: Sequence[Layer], *, all_kinds: bool = False
    ) -> None:
        self._viewer = viewer
        ids = {layer.unique_id for layer in shown}
        others = [one for one in viewer.layers if all_kinds or isinstance(one, ImageLayer)]
        changed = [layer for layer in others if layer.visible != (layer.unique_id in ids)]
        self._before: dict[Hashable, bool] = {
            layer.unique_id: bool(layer.visible) for layer in changed
        }
        for layer in changed:
            layer.visible = layer.unique_id in ids

    def restore(self) -> None:
        """Show what was visible before, as far as it is still there."""
        for layer_id, visible in self._before.items():
            layer = find(self._viewer, layer_id)
            if layer is not None:
                layer.visible = visible
        self._before.clear()
