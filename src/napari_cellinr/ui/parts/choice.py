"""The choice whether a layer is computed in parts, and where its result is written."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import Signal, Slot
from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_cellinr.errors import CellINRError
from napari_cellinr.fitting.resources.available import available_memory
from napari_cellinr.io.names import ADDRESSES, place_of
from napari_cellinr.io.safety.atomic import is_zarr
from napari_cellinr.macro.naming import file_name, result_name
from napari_cellinr.runs.estimates import cost
from napari_cellinr.runs.scale.methods.results import why_not
from napari_cellinr.runs.scale.plan import notes_folder
from napari_cellinr.ui.widgets.chosen_file import chosen_file
from napari_cellinr.ui.widgets.forms import LABEL_WIDTH
from napari_cellinr.ui.widgets.labels import title_label, wrapping_label

if TYPE_CHECKING:
    from collections.abc import Hashable

    from napari.layers import Image as ImageLayer

    from napari_cellinr.config import Config
    from napari_cellinr.image import Image
    from napari_cellinr.ui.task import Task

__all__ = ["CHOICES", "PartsChoice"]

CHOICES: Final = ("auto", "always", "never")
"""When a layer is computed in parts: if the memory is not enough, in any case, not at all."""

_TIP: Final = (
    "Compute the image in parts, which are written to an OME-Zarr one by one. auto: if it is read "
    "from the disk, and more memory is needed than is free."
)


class PartsChoice(QWidget):
    """One line that says that a layer is computed in parts and where to, with a button to choose.

    It is hidden while the layer is computed as a whole. `row` has the list of choices.

    Signals
    -------
    changed
        The user has chosen something else.

    Parameters
    ----------
    task
        The task of the dock.
    """

    changed = Signal()

    def __init__(self, task: Task) -> None:
        super().__init__()
        self._task = task
        self._layer: ImageLayer | None = None
        self._places: dict[Hashable, Path] = {}
        self.fault = ""
        self.applies = False
        self.box, self.row = QComboBox(), QWidget()
        self.box.addItems(CHOICES)
        self.box.setAccessibleName("Compute in parts")
        label = title_label("Compute in parts")
        label.setMinimumWidth(LABEL_WIDTH)
        row = QHBoxLayout(self.row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(label)
        row.addWidget(self.box, 1)
        for widget in (label, self.box):
            widget.setToolTip(_TIP)
        self.text = wrapping_label()
        self.button = QPushButton("Write to …")
        self.button.setToolTip("Choose the OME-Zarr (.zarr) for the result.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.text)
        layout.addWidget(self.button)
        self.box.activated.connect(self._on_chosen)
        self.button.clicked.connect(self.choose)
        self.hide()

    def consider(self, layer: ImageLayer | None, image: Image | None, config: Config) -> None:
        """Decide whether an image is computed in parts, and say so.

        Parameters
        ----------
        layer
            The selected layer; None without one.
        image
            What of it a run would process; None if its axes are not known.
        config
            The settings.
        """
        self._layer, self.fault, self.applies = layer, "", False
        mode, why = self.box.currentText(), ""
        if layer is not None and image is not None and mode != "never":
            needed, free = cost(self._task.method, image, config), available_memory()
            is_large = needed is not None and needed.memory > free and _is_lazy(image)
            if mode == "always" or is_large:
                reason = why_not(image, config)
                self.applies = not reason
                self.fault = reason if mode == "always" else ""
            if is_large and needed is not None:
                why = (
                    f"About {needed.memory / 1e9:.2g} GB of memory are needed, {free / 1e9:.2g} GB "
                    "are free: "
                )
        self._say(why)

    def place(self) -> Path | None:
        """Return the OME-Zarr for the result; asks where there is none, None if cancelled."""
        found = self._known()
        if found is None:
            self.choose()
            found = self._known()
        return found

    @Slot()
    def choose(self) -> None:
        """Ask for the OME-Zarr of the result."""
        if self._layer is None:
            return
        usual = self._known() or Path.home() / f"{self._stem()}.zarr"
        name, _ = QFileDialog.getSaveFileName(
            self, "Result in parts", str(usual), "OME-Zarr (*.zarr)",
            options=QFileDialog.Option.DontConfirmOverwrite,
        )  # fmt: skip
        if not name:
            return
        try:
            self._places[self._layer.unique_id] = chosen_file(name, (".zarr",))
        except CellINRError as error:
            self.text.setText(str(error))
            return
        self.changed.emit()

    @Slot()
    def _on_chosen(self) -> None:
        self.changed.emit()

    def _say(self, why: str) -> None:
        """Show the line, if it applies."""
        self.setVisible(self.applies or bool(self.fault))
        self.button.setVisible(self.applies)
        if self.fault:
            self.text.setText(f"In parts is not possible: {self.fault}")
            return
        if not self.applies:
            return
        place = self._known()
        where = (
            "choose where the result is written."
            if place is None
            else f"the result is written to {place}."
        )
        goes_on = place is not None and notes_folder(place).is_dir()
        more = " Parts that are finished there are kept." if goes_on else ""
        self.text.setText(f"{why}{'c' if why else 'C'}omputed in parts; {where}{more}")

    def _known(self) -> Path | None:
        """Return the chosen place, or one beside the file of the layer; None if there is none.

        Where another result is, the name has a number: nothing is replaced.
        """
        if self._layer is None:
            return None
        chosen = self._places.get(self._layer.unique_id)
        folder = _folder_of(self._layer) if chosen is None else chosen.parent
        if folder is None:
            return None
        stem = self._stem() if chosen is None else chosen.stem
        names = (f"{stem}{f'-{n}' if n > 1 else ''}.zarr" for n in count(1))
        return next(place for name in names if _is_free(place := folder / name))

    def _stem(self) -> str:
        assert self._layer is not None
        return file_name(result_name(self._task.suffix, str(self._layer.name)))


def _is_lazy(image: Image) -> bool:
    """Return whether the values of an image are not in memory."""
    return not isinstance(image.data, np.ndarray) or isinstance(image.data, np.memmap)


def _is_free(place: Path) -> bool:
    """Return whether a result can be written to a place: nothing is there, or an unfinished one."""
    return not os.path.lexists(place) or notes_folder(place).is_dir()


def _folder_of(layer: Any) -> Path | None:
    """Return the folder of the file of a layer, if there is one that can be written to."""
    path = str(layer.metadata.get("source") or layer.source.path or "")
    if not path or path.startswith(ADDRESSES):
        return None
    place = place_of(path).absolute()
    around = [one for one in place.parents if is_zarr(one)]  # a plate, or a file of many images
    folder = (around[-1] if around else place).parent
    return folder if folder.is_dir() and os.access(folder, os.W_OK) else None
