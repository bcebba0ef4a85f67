"""The button with a menu of the other images of a result, to show or hide them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Slot
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QMenu, QPushButton

from napari_cellinr.macro.naming import DOT
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.provenance import OTHER_IMAGES
from napari_cellinr.ui.layers.saved_fits import other_layer
from napari_cellinr.ui.session.work.additive import show_left

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Layer

    from napari_cellinr.ui.layers.provenance import Result
    from napari_cellinr.ui.session.dispatcher import Dispatcher

__all__ = ["ShowButton"]


class ShowButton(QPushButton):
    """A button with one entry for each image of a result but the first.

    Parameters
    ----------
    dispatcher
        Of the viewer.
    target
        Returns the layer of the result, or None.
    parent
        The parent.
    """

    def __init__(self, dispatcher: Dispatcher, target: Callable[[], Layer | None]) -> None:
        super().__init__("Show")
        self._dispatcher, self._target = dispatcher, target
        self.entries = QMenu(self)
        self.entries.aboutToShow.connect(self.fill)
        self.entries.triggered.connect(self._on_triggered)
        self.setMenu(self.entries)

    def refresh(self) -> bool:
        """Show the button if the result has other images, and return whether it has."""
        layer, names = self._target(), self._names()
        self.setVisible(bool(names))
        if layer is not None:
            self.setToolTip(f"Show or hide the other images of “{layer.name}”.")
        return bool(names)

    @Slot()
    def fill(self) -> None:
        """List the other images; those that are visible are checked."""
        self.entries.clear()
        for name in self._names():
            layer = self._layer(name)
            action = self.entries.addAction(name.partition(f" {DOT} ")[0])
            action.setCheckable(True)
            action.setChecked(layer is not None and bool(layer.visible))
            action.setData(name)

    @Slot(QAction)
    def _on_triggered(self, action: QAction) -> None:
        self.toggle(str(action.data()), checked=action.isChecked())

    def toggle(self, name: str, *, checked: bool) -> None:
        """Show or hide one of the images; it becomes a layer when it is shown first.

        Parameters
        ----------
        name
            Name of its layer.
        checked
            Whether to show it.
        """
        result, layer = self._result(), self._layer(name)
        if not checked:
            if layer is not None:
                layer.visible = False
                show_left(self._dispatcher.viewer, layer)
        elif result is not None and any(one.name == name for one in result.offers):
            self._dispatcher.offers.show(result, name)
        elif layer is not None:
            layer.visible = True
        elif (fit := self._target()) is not None:
            self._dispatcher.offers.show_saved(fit, name)

    def _result(self) -> Result | None:
        layer = self._target()
        return None if layer is None else self._dispatcher.results.get(layer.unique_id)

    def _names(self) -> list[str]:
        """Return the names of the other layers, and of those that are offered."""
        result, layer = self._result(), self._target()
        if result is None:
            return [] if layer is None else list(layer.metadata.get(OTHER_IMAGES, ()))
        there = [find(self._dispatcher.viewer, one.unique_id) for one in result.layers[1:]]
        return [str(one.name) for one in there if one is not None] + [
            one.name for one in result.offers
        ]

    def _layer(self, name: str) -> Layer | None:
        """Return the layer of an entry, or None if it is not in the viewer."""
        result, fit = self._result(), self._target()
        if result is None:
            return None if fit is None else other_layer(self._dispatcher.viewer, fit, name)
        for one in result.layers[1:]:
            if str(one.name) == name:
                return find(self._dispatcher.viewer, one.unique_id)
        return self._dispatcher.offers.layer(result, name)
