"""The guide in a window: the pages come with the package, no network is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QImage, QTextDocument
from qtpy.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

import napari_cellinr

__all__ = ["GuideWindow", "page"]

PICTURE_WIDTH: Final = 580
"""Pixels."""

_PACKAGE: Final = Path(napari_cellinr.__file__).parent

_FOLDERS: Final = (_PACKAGE / "docs" / "guide", _PACKAGE.parents[1] / "docs" / "guide")
"""In an installed package, and in a copy of the repository."""


def page(name: str) -> Path:
    """Return the file of a page of the guide; the first page if there is none of that name."""
    places = [folder / f"{one}.md" for one in (name, "start") for folder in _FOLDERS]
    return next((place for place in places if place.is_file()), places[-1])


class GuideWindow(QDialog):
    """A window with a page of the guide; links lead to the others."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Guide to CellINR restoration")
        self.browser = _Browser()
        self.browser.setOpenExternalLinks(True)
        self.browser.setSource(QUrl.fromLocalFile(str(page(name))))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.browser)
        self.resize(640, 720)


class _Browser(QTextBrowser):
    """A browser whose pictures are not wider than its window is at first."""

    def loadResource(self, kind: int, name: QUrl) -> Any:  # noqa: N802
        """Return what a page refers to."""
        found = super().loadResource(kind, name)
        if kind != QTextDocument.ResourceType.ImageResource.value:
            return found
        picture = QImage(self.source().resolved(name).toLocalFile())
        if picture.isNull() or picture.width() <= PICTURE_WIDTH:
            return found
        return picture.scaledToWidth(PICTURE_WIDTH, Qt.TransformationMode.SmoothTransformation)
