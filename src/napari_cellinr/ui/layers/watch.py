"""Watches the data, axes and voxel size of one layer for changes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, QTimer, Signal, Slot

from napari_cellinr.ui.session.checks import forget_faults

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer

__all__ = ["LayerWatch"]

EVENTS: Final = ("data", "scale", "units", "axis_labels")
"""The events to listen to; the layer list emits those for names, insertions and removals."""

SOONEST: Final = 50
"""Delay of `changed` in milliseconds: several changes at once are reported once."""

REST: Final = 10
"""Shortest time between two reports, relative to the duration of the last one.

A live layer changes all the time.
"""


class LayerWatch(QObject):
    """Watches one layer at a time.

    Signals
    -------
    changed
        The layer has changed; emitted with a delay, and not too often.
    relabelled
        Its axis labels have changed; emitted at once.
    """

    changed = Signal()
    relabelled = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._layer: ImageLayer | None = None
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(SOONEST)
        self._later.timeout.connect(self._say)

    def watch(self, layer: ImageLayer | None) -> None:
        """Watch another layer, or none, instead of the present one."""
        # Plugins get a new proxy of a layer each time: `is` does not identify it.
        if getattr(layer, "unique_id", None) == getattr(self._layer, "unique_id", None):
            return
        self._let_go()
        self._later.stop()
        self._layer = layer
        if layer is not None:
            for name in EVENTS:
                getattr(layer.events, name).connect(self._on_event)

    def _on_event(self, event: Any = None) -> None:
        kind = getattr(event, "type", "")
        if kind == "data":
            forget_faults()
        try:
            if kind == "axis_labels":
                self.relabelled.emit()
            if not self._later.isActive():
                self._later.start()
        except RuntimeError:  # the Qt dock is deleted, its Python object is not
            self._let_go()

    def _let_go(self) -> None:
        layer, self._layer = self._layer, None
        if layer is not None:
            for name in EVENTS:
                getattr(layer.events, name).disconnect(self._on_event)

    @Slot()
    def _say(self) -> None:
        begun = time.perf_counter()
        self.changed.emit()
        taken = 1000 * (time.perf_counter() - begun)
        self._later.setInterval(max(SOONEST, round(REST * taken)))
