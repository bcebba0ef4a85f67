"""Where the images of a batch are processed: on this computer, or by workers of Dask."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import QUrl, Signal, Slot
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from napari_cellinr.ui.widgets.buttons import push_button

__all__ = ["WorkersPanel"]

_ADDRESS: Final = "address"

_PLACES: Final = {
    "This computer": None,
    "Dask, started here": "local",
    "Dask at an address": _ADDRESS,
    "SLURM": "slurm",
}


class WorkersPanel(QWidget):
    """Chooses workers, and opens the page with their progress."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.place_box = QComboBox()
        self.place_box.addItems(list(_PLACES))
        self.place_box.setAccessibleName("Workers")
        self.place_box.setToolTip(
            "Where images are processed. Workers of Dask and jobs of SLURM, on this computer or "
            "others, have to see inputs and results under the same paths; they need the extra "
            "cluster: pip install 'napari-cellinr[cluster]'."
        )
        self.address_edit = QLineEdit()
        self.address_edit.setPlaceholderText("tcp://10.0.0.1:8786")
        self.address_edit.setAccessibleName("Address of the scheduler")
        self.address_edit.setToolTip("Address of the scheduler of Dask.")
        self.link_button = push_button("Progress …", "Open the page of Dask about its workers.")
        self.link_button.clicked.connect(self._open)
        self._link = ""
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.place_box, 1)
        row.addWidget(self.link_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.address_edit)
        self.place_box.currentIndexChanged.connect(self._refresh)
        self.address_edit.textChanged.connect(self._refresh)
        self._refresh()

    @property
    def scheduler(self) -> str | None:
        """`local`, `slurm` or an address; None for processes of this computer."""
        place = _PLACES[self.place_box.currentText()]
        return self.address_edit.text().strip() if place == _ADDRESS else place

    @property
    def lacks_address(self) -> bool:
        """Whether an address is needed that is not given."""
        return self.scheduler == ""

    @property
    def link(self) -> str:
        """Address of the page with the progress of the workers; empty if there is none."""
        return self._link

    def show_link(self, link: str) -> None:
        """Show the button that opens a page; hide it if the link is empty.

        Parameters
        ----------
        link
            Address of the page, which begins with `http`.
        """
        self._link = link if link.startswith(("http://", "https://")) else ""
        self.link_button.setVisible(bool(self._link))
        self.link_button.setToolTip(f"Open the page of Dask about its workers: {self._link}")

    @Slot()
    def _refresh(self) -> None:
        needs_address = _PLACES[self.place_box.currentText()] == _ADDRESS
        self.address_edit.setVisible(needs_address)
        self.link_button.setVisible(bool(self._link))
        self.changed.emit()

    @Slot()
    def _open(self) -> None:
        QDesktopServices.openUrl(QUrl(self._link, QUrl.ParsingMode.StrictMode))
