"""The choice of a fit that the next one begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image as ImageLayer
from qtpy.QtCore import Slot
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QWidget

from napari_cellinr.runs.warm_start import why_not
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.provenance import KEPT_FIT, method_of
from napari_cellinr.ui.session.actions import StartLayer

if TYPE_CHECKING:
    from collections.abc import Hashable

    from napari_cellinr.ui.session.dispatcher import Dispatcher
    from napari_cellinr.ui.task import Task

__all__ = ["StartChoice"]

SCRATCH = "scratch"
"""Entry of the list for a fit without a warm start."""


class StartChoice(QWidget):
    """A list of the fits that the next fit can start from; hidden if there are none.

    It follows the layers of the viewer, and selects a fit only if the user does.

    Parameters
    ----------
    dispatcher
        Holds the fits.
    task
        The task of the fits.
    """

    def __init__(self, dispatcher: Dispatcher, task: Task) -> None:
        super().__init__()
        self._dispatcher, self._task = dispatcher, task
        self.box = QComboBox()
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMinimumContentsLength(2)
        label = QLabel("Start from")
        label.setBuddy(self.box)
        tip = (
            "Start from the fit of another image of the same size, such as the previous image of a "
            "series. Its parameters are used only where they predict held-out voxels better."
        )
        for widget in (label, self.box):
            widget.setToolTip(tip)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(label)
        row.addWidget(self.box, 1)
        dispatcher.controller.layers_changed.connect(self.refresh)
        dispatcher.controller.finished.connect(self.refresh)
        self.refresh()

    def start(self) -> StartLayer | None:
        """Return the selected warm start; None to start from scratch."""
        layer = find(self._dispatcher.viewer, self.box.currentData())
        return None if layer is None else StartLayer("warm_start", layer)

    @Slot()
    def refresh(self) -> None:
        """List the present fits; the selected one stays selected while it exists."""
        chosen: Hashable = self.box.currentData()
        self.box.clear()
        self.box.addItem(SCRATCH, None)
        for layer in self._fits():
            self.box.addItem(str(layer.name), layer.unique_id)
        place = self.box.findData(chosen) if chosen is not None else 0
        self.box.setCurrentIndex(max(place, 0))
        self.setVisible(self.box.count() > 1)

    def _fits(self) -> list[ImageLayer]:
        """Return one layer for each fit of the task."""
        results, found, files = self._dispatcher.results, [], set()
        for layer in self._dispatcher.viewer.layers:
            if not isinstance(layer, ImageLayer):
                continue
            if method_of(layer, results) != self._task.method.name:
                continue
            made = results.get(layer.unique_id)
            if made is None:
                path = layer.metadata.get(KEPT_FIT)
                is_first = path not in files
                files.add(path)
            else:
                is_first = layer is made.layers[0] and not why_not(made.fitted)
            if is_first:
                found.append(layer)
        return found
