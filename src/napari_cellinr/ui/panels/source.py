"""The layer to process, with its axes and voxel size."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, QTimer, Signal, Slot
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_cellinr.errors import AxesError
from napari_cellinr.ui.layers.convert import axes_of, find, image_layers, to_image
from napari_cellinr.ui.layers.results import root_of
from napari_cellinr.ui.layers.voxel_steps import (
    SIGNS,
    guess_text,
    known_text,
    knows_time,
    parse_steps,
    steps_text,
)
from napari_cellinr.ui.layers.watch import LayerWatch
from napari_cellinr.ui.widgets.boxes import NameBox
from napari_cellinr.ui.widgets.labels import sentence, wrapping_label
from napari_cellinr.ui.widgets.prompt import PromptLine

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from napari.layers import Image as ImageLayer

    from napari_cellinr.image import Image
    from napari_cellinr.ui.session.dispatcher import Dispatcher

__all__ = ["SIGNS", "SourcePanel", "steps_text"]

_LABELS: Final = 74  # width in pixels: voxel sizes are long


class SourcePanel(QWidget):
    """Selects a layer; shows its axes and voxel size, and asks for them if they are missing.

    It follows the active layer of the viewer until the user selects another one here.

    Parameters
    ----------
    dispatcher
        The actions of the viewer.
    method
        Name of the method of the dock, whose own results it does not follow.

    Signals
    -------
    changed
        Another layer was selected, or its data, axes or voxel size have changed.
    """

    changed = Signal()

    def __init__(self, dispatcher: Dispatcher, method: str) -> None:
        super().__init__()
        self._dispatcher, self._method = dispatcher, method
        self._by_hand = False
        # Adding a result makes it active for a moment: look at what is active afterwards.
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self.follow)
        self._controller = controller = dispatcher.controller
        self.combo = NameBox()
        self.combo.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.combo.setMinimumContentsLength(8)
        self.combo.setAccessibleName("Image")
        self.axes = PromptLine("Confirm", "One letter per dimension: T (time), C, Z, Y, X.")
        self.voxel = PromptLine(
            "Set",
            "Voxel size in µm and frame interval t in seconds, for example: "
            "z=0.43, y=0.18, x=0.18, t=2",
        )
        self.undo_button = QPushButton("Undo")
        self.undo_button.setToolTip("Undo the last change of axes or voxel size of this image.")
        self._faults: dict[str, QLabel] = {}
        self._shown_id: Hashable | None = None
        self._watch = LayerWatch(self)
        self._lay_out()
        self.combo.activated.connect(self._on_combo)
        controller.viewer.layers.selection.events.active.connect(self._on_active)
        self.axes.entered.connect(self._on_axes)
        self.axes.edited.connect(self._on_axes_edited)
        self.voxel.entered.connect(self._on_voxel_size)
        self.axes.left.connect(self._on_chosen)
        self.voxel.left.connect(self._on_chosen)
        self.undo_button.clicked.connect(self._on_undo)
        dispatcher.recorded.connect(self._show_undo)
        controller.layers_changed.connect(self.refresh)
        self._watch.changed.connect(self._on_chosen)
        self._watch.relabelled.connect(self._on_relabelled)
        self.refresh()

    @property
    def layer_id(self) -> Hashable | None:
        """The `unique_id` of the selected layer."""
        chosen: Hashable | None = self.combo.currentData()
        return chosen

    def layer(self) -> ImageLayer | None:
        """Return the selected layer, or None."""
        return find(self._controller.viewer, self.layer_id)

    def image(self) -> Image | None:
        """Return the selected layer as an Image; None until its axes are confirmed."""
        layer = self.layer()
        try:
            return self._controller.image_of(layer) if layer is not None else None
        except AxesError:
            return None

    def choose(self, layer_id: Hashable) -> bool:
        """Select a layer; return whether it can be processed, else nothing changes."""
        row = _index_of(self.combo, layer_id)
        if row >= 0:
            self.combo.setCurrentIndex(row)
            active = self._controller.viewer.layers.selection.active
            self._by_hand = getattr(active, "unique_id", None) != layer_id
            self._on_chosen()
        return row >= 0

    @Slot()
    def follow(self) -> None:
        """Select the active layer, unless the user has selected another one here."""
        active = self._controller.viewer.layers.selection.active
        row = _index_of(self.combo, getattr(active, "unique_id", None))
        if self._by_hand or row < 0 or row == self.combo.currentIndex():
            return
        if self._is_raw(active):
            self.combo.setCurrentIndex(row)
            self._on_chosen()

    def _is_raw(self, layer: ImageLayer) -> bool:
        """Return whether a layer is an image to process: opened, or a result of another method."""
        if root_of(layer) == layer.unique_id:
            return True
        made = self._dispatcher.results.get(layer.unique_id)
        is_result = made is not None and layer.unique_id == made.layers[0].unique_id
        return is_result and made is not None and made.fitted.method != self._method

    def _on_active(self, event: Any = None) -> None:
        with suppress(RuntimeError):  # the Qt dock is deleted, its Python object is not
            self._later.start()

    @Slot()
    def _on_combo(self) -> None:
        self._by_hand = True
        self._on_chosen()

    def explain(self, faults: Mapping[str, str]) -> None:
        """Show error messages, by `image`, `axes` and `voxel_size`."""
        for key, label in self._faults.items():
            label.setText(faults.get(key, ""))
            label.setVisible(key in faults)

    @Slot()
    def refresh(self) -> None:
        """List the present layers; the selected one stays selected."""
        chosen = self.layer_id
        layers = image_layers(self._controller.viewer)
        self.combo.clear()
        for layer in layers:
            self.combo.addItem(str(layer.name), layer.unique_id)
        active = self._controller.viewer.layers.selection.active
        if _index_of(self.combo, chosen) < 0:
            self._by_hand = False
            chosen = getattr(active, "unique_id", None)
        self.combo.setCurrentIndex(max(0, _index_of(self.combo, chosen)) if layers else -1)
        self._on_chosen()

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(4)
        grid.setColumnMinimumWidth(0, _LABELS)
        grid.setColumnStretch(1, 1)
        rows = {"Image": self.combo, "Axes": self.axes, "Voxel size": self.voxel}
        for row, (title, widget) in enumerate(rows.items()):
            fault = self._faults[title.lower().replace(" ", "_")] = wrapping_label(kind="error")
            fault.hide()
            if widget is self.combo:  # names are long: it takes the whole width
                grid.addWidget(widget, 2 * row, 0, 1, 2)
            else:
                grid.addWidget(QLabel(title), 2 * row, 0, Qt.AlignmentFlag.AlignTop)
                grid.addWidget(widget, 2 * row, 1)
            grid.addWidget(fault, 2 * row + 1, 0, 1, 2)
        grid.addWidget(self.undo_button, 2 * len(rows), 1, Qt.AlignmentFlag.AlignRight)

    @Slot()
    def _on_chosen(self) -> None:
        layer = self.layer()
        if self.layer_id != self._shown_id:
            self._shown_id = self.layer_id
            self.axes.forget()
            self.voxel.forget()
        self._watch.watch(layer)
        name = self.combo.currentText()
        self.combo.setToolTip(f"Image to process: {name}" if name else "Image to process.")
        self.axes.setEnabled(layer is not None)
        self.voxel.setEnabled(layer is not None)
        self._show_undo()
        if layer is None:
            self.axes.say("open or drop an image")
            self.voxel.say("–")
        else:
            self._show_axes(layer)
            self._show_voxel_size()
        self.changed.emit()

    def _show_axes(self, layer: ImageLayer) -> None:
        try:
            guess, _ = axes_of(layer)
            image = self.image()
        except AxesError as error:
            self.axes.say(sentence(str(error)))
            return
        if image is not None:
            shape = "×".join(str(size) for size in image.shape)
            self.axes.say(f"{image.axes}   {shape}", image.axes)
        else:
            shape = "×".join(str(size) for size in layer.data.shape)
            self.axes.ask(guess, f"{shape}; please check the axes")

    def _show_voxel_size(self) -> None:
        image = self.image()
        if image is None:
            self.voxel.say("confirm the axes first")
        elif image.is_calibrated and knows_time(image):
            self.voxel.say(steps_text(image), known_text(image))
        elif image.is_calibrated:
            request = "; frame interval unknown: enter t in seconds if known"
            self.voxel.ask(guess_text(image), steps_text(image) + request)
        else:
            time = "" if knows_time(image) else ", and t in seconds,"
            self.voxel.ask(
                guess_text(image),
                f"unknown: enter it in µm{time} if known; otherwise the unit is pixels",
            )

    @Slot()
    def _on_relabelled(self) -> None:
        """Forget confirmed axes once the axis labels of the layer define them."""
        layer = self.layer()
        if layer is not None and axes_of(layer)[1]:
            self._controller.confirmed_axes.pop(layer.unique_id, None)

    @Slot(str)
    def _on_axes_edited(self, text: str) -> None:
        """Show the error of the entered axes while the user types."""
        layer = self.layer()
        if layer is None:
            return
        if fault := _axes_fault(layer, _letters(text)):
            self.axes.fail(fault, wait=True)
        else:
            self.axes.approve("")
            self._show_axes(layer)

    @Slot(str)
    def _on_axes(self, text: str) -> None:
        layer = self.layer()
        if layer is None:
            return
        axes = _letters(text)
        if fault := _axes_fault(layer, axes):
            self.axes.fail(fault)
            return
        self.axes.forget()
        self._dispatcher.name_axes(layer, axes)
        self._on_chosen()

    @Slot(str)
    def _on_voxel_size(self, text: str) -> None:
        layer, image = self.layer(), self.image()
        if layer is None or image is None:
            return
        try:
            self._dispatcher.calibrate(layer, parse_steps(text, image.axes))
        except AxesError as error:
            self.voxel.fail(str(error))
            return
        self.voxel.forget()
        self._on_chosen()

    @Slot()
    def _show_undo(self) -> None:
        self.undo_button.setVisible(self._dispatcher.calibrations.can_undo(self.layer()))

    @Slot()
    def _on_undo(self) -> None:
        layer = self.layer()
        if layer is not None:
            self._dispatcher.undo_calibration(layer)
            self._on_chosen()


def _index_of(combo: QComboBox, layer_id: Hashable | None) -> int:
    """Return the row of a layer, −1 if it is not listed; Qt cannot compare Python objects."""
    return next((row for row in range(combo.count()) if combo.itemData(row) == layer_id), -1)


def _letters(text: str) -> str:
    """Return the entered axes in capitals, without spaces."""
    return "".join(text.upper().split())


def _axes_fault(layer: ImageLayer, axes: str) -> str:
    """Return the error of axes for a layer, or an empty text."""
    try:
        to_image(layer, axes).with_axes(axes).canonical()
    except AxesError as error:
        return str(error)
    return ""
