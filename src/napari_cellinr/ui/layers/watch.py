"""Says when what a fit reads of one layer has changed: its array, or what is known of its axes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, QTimer, Signal, Slot

from napari_cellinr.ui.session.checks import forget_faults

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer

__all__ = ["LayerWatch"]

EVENTS: Final = ("data", "scale", "units", "axis_labels")
"""What is listened to; the layer list itself tells of names and of layers that come and go."""

SOONEST: Final = 50
"""Milliseconds after which it is said: several changes at once are one."""

REST: Final = 10
"""Times the duration of the answer before the next one: a live layer changes all the time."""


class LayerWatch(QObject):
    """Watches one layer at a time.

    Signals
    -------
    changed
        The layer has changed; it is said a little later, and not more often than is cheap.
    relabelled
        Its axis labels have changed; it is said at once.
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
        """Watch another layer, or none; the one before is let go."""
        # The layers that plugins get are proxies, made anew each time: `is` tells nothing.
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
        except RuntimeError:  # the dock is gone, but something still holds its Python half
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
