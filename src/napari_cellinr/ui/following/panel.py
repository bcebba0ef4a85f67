"""The button that follows a growing time series, shown below a denoised one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Slot
from qtpy.QtWidgets import QVBoxLayout

from napari_cellinr.errors import CellINRError
from napari_cellinr.ui.following.new_frames import NewFrames
from napari_cellinr.ui.task import ResultPanel, task_of
from napari_cellinr.ui.widgets.buttons import push_button

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer

    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.ui.session.controller import Controller

__all__ = ["NewFramesPanel"]


class NewFramesPanel(ResultPanel):
    """A button that stays pressed while a layer is followed.

    Parameters
    ----------
    controller
        The controller of the viewer.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._controller = controller
        self._result: tuple[Fitted, ImageLayer, ImageLayer] | None = None
        self.following: NewFrames | None = None
        self.button = push_button(
            "Denoise new frames",
            "While frames are recorded: denoise those that are appended to the layer, with the "
            "noise model of the first ones, and append them to the result. In the script they are "
            "a layer of their own; run the whole series in the end.",
            self.toggle,
        )
        self.button.setCheckable(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)

    def show_result(self, fitted: Fitted, layer: ImageLayer, source: ImageLayer) -> None:
        """Offer to follow the layer of a new result, if it is a time series."""
        self._end()
        self._result = (fitted, layer, source)
        axes = fitted.images[0].axes
        self.button.setVisible("T" in axes and "C" not in axes)

    @Slot()
    def toggle(self) -> None:
        """Follow the layer, or follow it no longer."""
        if self.following is not None and self.following.is_active:
            self._end()
            return
        if self._result is None:
            return
        try:
            fitted, layer, source = self._result
            self.following = NewFrames(self._controller, task_of("denoise"), fitted, layer, source)
        except CellINRError as error:
            self._controller.say("error", str(error))
        else:
            self.following.changed.connect(self.refresh)
            self._controller.said.emit("info", f"Waiting for new frames of “{source.name}”.")
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show whether a layer is followed."""
        self.button.setChecked(self.following is not None and self.following.is_active)

    def _end(self) -> None:
        if self.following is not None:
            self.following.stop()
            self.following = None
        self.refresh()
