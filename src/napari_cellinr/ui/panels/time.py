"""The time slider of the Super-resolve dock: renders the displayed plane at any time."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, QTimer, Slot
from qtpy.QtWidgets import QSlider, QVBoxLayout

from napari_cellinr.macro.naming import result_name
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.live import shown_index
from napari_cellinr.ui.layers.provenance import HELPER
from napari_cellinr.ui.layers.results import add_result, update
from napari_cellinr.ui.session.controller import Work
from napari_cellinr.ui.session.work.additive import hide_under
from napari_cellinr.ui.task import ResultPanel
from napari_cellinr.ui.widgets.labels import wrapping_label

if TYPE_CHECKING:
    from collections.abc import Generator, Hashable

    from napari.layers import Image as ImageLayer

    from napari_cellinr.fitting.problem import Fitted, Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.ui.session.controller import Controller

__all__ = ["TimePanel"]

STEPS_PER_FRAME: Final = 40
"""Positions of the slider from one frame of the source to the next."""

PATIENCE: Final = 120
"""Time that the slider must rest before a plane is rendered, in milliseconds."""


class TimePanel(ResultPanel):
    """A slider from the first to the last frame; the plane at its time is shown as a layer."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._controller = controller
        self._fitted: Fitted | None = None
        self._given: Image | None = None
        self._source_id: Hashable | None = None
        self._layer_id: Hashable | None = None
        self._result_id: Hashable | None = None
        self._wanted = False
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip(
            "Render the displayed plane at any time between the frames, without fitting again."
        )
        self.slider.setAccessibleName("Time")
        self.label = wrapping_label()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.label)
        layout.addWidget(self.slider)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PATIENCE)
        self._timer.timeout.connect(self.render_now)
        self.slider.valueChanged.connect(self._on_moved)
        controller.state_changed.connect(self._on_state)

    def show_result(self, fitted: Fitted, layer: ImageLayer, source: ImageLayer) -> None:
        """Show the slider for a new result."""
        self._fitted, self._source_id, self._layer_id = fitted, source.unique_id, None
        self._result_id = layer.unique_id
        self._given = self._controller.image_of(source)
        frames = self._given.sizes.get("T", 1)
        self.slider.blockSignals(True)
        self.slider.setRange(0, (frames - 1) * STEPS_PER_FRAME)
        self.slider.setValue(0)
        self.slider.blockSignals(False)
        for widget in (self.slider, self.label):
            widget.setVisible(frames > 1)
        self._show_time()

    @property
    def frame(self) -> float:
        """The time of the slider, in frames of the source."""
        return float(self.slider.value()) / STEPS_PER_FRAME

    @Slot()
    def render_now(self) -> None:
        """Render the plane at the time of the slider, after a running job if there is one."""
        viewer = self._controller.viewer
        source = find(viewer, self._source_id) if self._source_id is not None else None
        if self._fitted is None or self._given is None or source is None:
            return
        if self._controller.state != "idle":
            self._wanted = True
            return
        self._wanted = False
        index = shown_index(viewer, source, self._given)
        if index is None:
            self._controller.said.emit("info", "Switch to the 2-D view to use the time slider.")
            return
        self._controller.begin(
            Work(
                "plane between frames",
                partial(_rendering, self._fitted, self._given, self.frame, index),
                partial(self._show, self._given),
                self._source_id,
                quick=True,
            )
        )

    @Slot()
    def _on_moved(self) -> None:
        self._show_time()
        self._timer.start()

    @Slot()
    def _on_state(self) -> None:
        if self._wanted and self._controller.state == "idle":
            self._timer.start()

    def _show_time(self) -> None:
        if self._given is None or "T" not in self._given.axes:
            return
        index = self._given.axes.index("T")
        unit = {"second": "s", "pixel": "frames"}.get(u := self._given.units[index], u)
        now = self.frame * self._given.scale[index]
        self.label.setText(f"Time: {now:.4g} {unit} (frame {self.frame:.2f} of the source)")

    def _show(self, given: Image, plane: Image) -> None:
        """Show the plane in its layer, which is the same for all times."""
        viewer = self._controller.viewer
        source = find(viewer, self._source_id) if self._source_id is not None else None
        if source is None:
            return
        layer = find(viewer, self._layer_id) if self._layer_id is not None else None
        if layer is None:
            name = result_name("at time", str(source.name))
            layer = add_result(viewer, source, given, plane, name=name)
            layer.metadata = {**layer.metadata, HELPER: "preview of a time"}
            self._layer_id = layer.unique_id
            hide_under(viewer, find(viewer, self._result_id) or source, layer)
        else:
            update(layer, source, given, plane)
        self._controller.said.emit("info", f"“{layer.name}” shows frame {self.frame:.2f}.")


def _rendering(
    fitted: Fitted, given: Image, frame: float, index: dict[str, int]
) -> Generator[Progress, Message, Any]:
    """Render one plane as a job of the worker thread, where slow imports happen."""
    from napari_cellinr import api
    from napari_cellinr.fitting.problem import Progress
    from napari_cellinr.fitting.saved.query import Query
    from napari_cellinr.fitting.saved.stored import header_of, stored

    begun = time.monotonic()
    yield Progress("rendering", seconds=0.0)
    crop = {"Z": slice(index["Z"], index["Z"] + 1)} if "Z" in given.axes else {}
    when = frame * given.steps["T"]
    query = Query(times=(when,), crop=crop, channel=index.get("C"))
    tensors = {name: tensor.numpy() for name, tensor in fitted.state.items()}
    plane = api.render(stored(header_of(fitted), tensors), query)[0]
    for axis in [a for a in plane.axes if a not in "YX"]:
        plane = plane.take(axis, plane.sizes[axis] // 2)
    yield Progress("rendering", seconds=time.monotonic() - begun)
    return plane
