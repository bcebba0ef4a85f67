"""Lists of layers to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari
    from qtpy.QtWidgets import QComboBox

__all__ = ["list_layers"]


def list_layers(box: QComboBox, viewer: napari.Viewer, kind: str, first: str = "") -> None:
    """List the layers of one kind; the selected one stays selected while it exists.

    Parameters
    ----------
    box
        The list; each entry has the `unique_id` of its layer as data.
    viewer
        The viewer.
    kind
        Name of the class of the layers, such as `Points`.
    first
        First entry, without a layer; none if empty.
    """
    chosen = box.currentData()
    box.clear()
    if first:
        box.addItem(first, None)
    for layer in viewer.layers:
        if type(layer).__name__ == kind:
            box.addItem(str(layer.name), layer.unique_id)
    # Not findData: the two Qt bindings compare Python objects differently.
    rows = [row for row in range(box.count()) if box.itemData(row) == chosen]
    box.setCurrentIndex(rows[0] if rows and chosen is not None else 0)
