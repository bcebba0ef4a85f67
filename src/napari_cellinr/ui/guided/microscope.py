"""A window to find the kind of microscope by what its raw frames look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QSize, Qt, Signal, Slot
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_cellinr.config.optics import KINDS
from napari_cellinr.ui.widgets.buttons import push_button
from napari_cellinr.ui.widgets.guide import page
from napari_cellinr.ui.widgets.labels import wrapping_label

if TYPE_CHECKING:
    from pathlib import Path

    from napari_cellinr.image import Image

__all__ = ["LOOKS", "MicroscopeChoice", "picture_of", "why_not"]

PICTURE: Final = QSize(198, 64)
"""Size of a picture in pixels."""

LOOKS: Final[dict[str, str]] = {
    "time-lapse": "Sharp whole frames, one after the other (wide field, light sheet, spinning "
    "disc).",
    "line-scan": "Written row by row: what moves is slanted or stretched (resonant scanning, "
    "sCMOS with a rolling shutter).",
    "point-scan": "Written pixel by pixel (confocal, two-photon): what moves is slanted.",
    "z-scan": "Planes of a stack, one after the other: the planes show different times.",
    "exposure": "Long exposures: what moves is smeared.",
    "dpc": "Bright on one side and dark on the other; the side changes from frame to frame.",
    "sim2d": "Stripes over the specimen, in several directions and places.",
    "sim3d": "Stripes of two widths over the specimen, in several directions and places.",
    "rolling-shutter": "One picture of a camera without lens: bands of rows show different times.",
}
"""What raw frames of each kind look like."""


def picture_of(kind: str) -> Path:
    """Return the file of the picture of a kind; it may not exist, for kinds of others."""
    return page("start").parents[1] / "pictures" / "microscopes" / f"{kind}.png"


def why_not(kind: str, image: Image | None) -> str:
    """Return why an image cannot be a recording of a kind; an empty text if it can be.

    Parameters
    ----------
    kind
        The kind of microscope.
    image
        The image; None if there is none.
    """
    allowed = KINDS[kind].AXES
    if image is None or not allowed:
        return ""
    axes = "".join(axis for axis in image.axes if axis != "C")
    fitting = any("".join(a for a in given if a != "C") == axes for given in allowed)
    return "" if fitting else f"needs the axes {' or '.join(allowed)}, the image has {image.axes}"


class MicroscopeChoice(QDialog):
    """A list of the kinds, each with a picture of raw frames and what to look for.

    Signals
    -------
    chosen
        A kind was chosen.
    """

    chosen = Signal(str)

    def __init__(self, image: Image | None, present: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Which microscope is it?")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.list = QListWidget()
        self.list.setAccessibleName("Kinds of microscopes")
        self.list.setIconSize(PICTURE)
        self.list.setWordWrap(True)
        self.list.setSpacing(2)
        for kind in KINDS:
            self.list.addItem(_item(kind, image))
            if kind == present:
                self.list.setCurrentRow(self.list.count() - 1)
        self.choose_button = push_button("Choose", "Use this kind of microscope.", self.choose)
        self.choose_button.setDefault(True)
        hint = wrapping_label(
            "Simulated raw frames; the gap is the time to the next one. What the file says about "
            "pixel size and frame interval is used, other constants are entered after this."
        )
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(push_button("Cancel", "Change nothing.", self.reject))
        row.addWidget(self.choose_button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.list, 1)
        layout.addWidget(hint)
        layout.addLayout(row)
        self.list.itemDoubleClicked.connect(self.choose)
        self.list.currentItemChanged.connect(self._allow)
        self.resize(560, 480)
        self._allow()

    @Slot()
    def choose(self) -> None:
        """Announce the selected kind, and close the window."""
        item = self.list.currentItem()
        if item is not None and item.flags() & Qt.ItemFlag.ItemIsEnabled:
            self.chosen.emit(item.data(Qt.ItemDataRole.UserRole))
            self.accept()

    @Slot()
    def _allow(self) -> None:
        item = self.list.currentItem()
        allowed = item is not None and bool(item.flags() & Qt.ItemFlag.ItemIsEnabled)
        self.choose_button.setEnabled(allowed)


def _item(kind: str, image: Image | None) -> QListWidgetItem:
    reason = why_not(kind, image)
    looks = LOOKS.get(kind, str(KINDS[kind].__doc__).partition("\n")[0])
    text = f"{kind}\n{looks}" + (f"\n({reason})" if reason else "")
    place = picture_of(kind)
    item = QListWidgetItem(QIcon(str(place)) if place.is_file() else QIcon(), text)
    item.setData(Qt.ItemDataRole.UserRole, kind)
    if reason:
        item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
    return item
