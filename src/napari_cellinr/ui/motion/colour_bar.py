"""A colour bar for the arrows and tracks of a reconstruction."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import AVAILABLE_COLORMAPS
from qtpy.QtCore import QRectF
from qtpy.QtGui import QColor, QLinearGradient, QPainter
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from napari_cellinr.ui.layers.motion import SHOWS
from napari_cellinr.ui.session.work.motion import MOTION_OF

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer
    from qtpy.QtGui import QPaintEvent

    from napari_cellinr.ui.session.controller import Controller

__all__ = ["ColourBar"]

HEIGHT = 14
"""Height of the bar in pixels."""


class ColourBar(QWidget):
    """The colours of the selected arrows or tracks, else of the topmost visible ones.

    Hidden while there are none.

    Parameters
    ----------
    controller
        The controller of the viewer.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._viewer = controller.viewer
        self._followed: Any = None
        self.low, self.high, self.bar = QLabel(), QLabel(), _Gradient()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.low)
        row.addWidget(self.bar, 1)
        row.addWidget(self.high)
        controller.layers_changed.connect(self.refresh)
        controller.said.connect(self._on_said)
        self._viewer.layers.selection.events.active.connect(self._on_event)
        self.refresh()

    def refresh(self) -> None:
        """Show the colours of the layer that applies now."""
        layer = _coloured(self._viewer)
        self._follow(layer)
        self.setVisible(layer is not None)
        if layer is None:
            return
        name, low, high, colormap = _scale(layer)
        quantity, _, unit = name.partition(" (")
        self.low.setText(f"{quantity} {low:.3g}")
        self.high.setText(f"{high:.3g} {unit.rstrip(')')}")
        self.bar.show_colours(colormap)
        shows = layer.metadata.get(SHOWS)
        tip = f"“{layer.name}”: coloured by {name}."
        self.setToolTip(tip if shows is None else f"{tip} Arrows are {shows}.")

    def _follow(self, layer: Layer | None) -> None:
        """Follow visibility and colours of a layer instead of those of the last one."""
        if getattr(layer, "unique_id", None) == getattr(self._followed, "unique_id", None):
            return
        for one, connect in ((self._followed, False), (layer, True)):
            if one is None:
                continue
            for name in ("visible", "color_by", "edge_color"):
                emitter = getattr(one.events, name, None)
                if emitter is not None:
                    (emitter.connect if connect else emitter.disconnect)(self._on_event)
        self._followed = layer

    def _on_said(self, kind: str, text: str) -> None:
        self.refresh()

    def _on_event(self, event: Any = None) -> None:
        with suppress(RuntimeError):  # the Qt dock is deleted, its Python object is not
            self.refresh()


class _Gradient(QWidget):
    """A horizontal band of colours."""

    def __init__(self) -> None:
        super().__init__()
        self._colours: list[tuple[float, QColor]] = []
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_colours(self, colormap: str) -> None:
        """Paint a colormap of napari from left to right."""
        places = np.linspace(0, 1, 33)
        mapped = AVAILABLE_COLORMAPS[colormap].map(places)
        self._colours = [
            (float(place), QColor.fromRgbF(*(float(part) for part in rgba)))
            for place, rgba in zip(places, mapped, strict=True)
        ]
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint the band."""
        gradient = QLinearGradient(0, 0, self.width(), 0)
        for place, colour in self._colours:
            gradient.setColorAt(place, colour)
        painter = QPainter(self)
        painter.fillRect(QRectF(self.rect()), gradient)
        painter.end()


def _coloured(viewer: napari.Viewer) -> Layer | None:
    """Return the layer of arrows or tracks whose colours are explained, or None."""
    moving = [layer for layer in viewer.layers if MOTION_OF in layer.metadata]
    active = viewer.layers.selection.active
    chosen = [one for one in moving if active is not None and one.unique_id == active.unique_id]
    visible = [one for one in moving if one.visible]
    return next(iter([*chosen, *reversed(visible)]), None)


def _scale(layer: Any) -> tuple[str, float, float, str]:
    """Return what colours mean: name of the values, smallest and largest one, colormap."""
    if type(layer).__name__ == "Tracks":
        name = str(layer.color_by)
        values = np.asarray(layer.properties[name], float)
        return name, float(values.min()), float(values.max()), str(layer.colormap)
    name = str(next(iter(layer.features)))
    low, high = layer.edge_contrast_limits or (0.0, 1.0)
    return name, float(low), float(high), str(layer.edge_colormap.name)
