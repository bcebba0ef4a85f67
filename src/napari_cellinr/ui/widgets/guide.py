"""The window with the guide, whose pages are part of the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QImage, QTextDocument
from qtpy.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

import napari_cellinr

__all__ = ["GuideWindow", "page"]

PICTURE_WIDTH: Final = 580
"""Largest width of a picture, in pixels."""

_PACKAGE: Final = Path(napari_cellinr.__file__).parent

_FOLDERS: Final = (_PACKAGE / "docs" / "guide", _PACKAGE.parents[1] / "docs" / "guide")
"""In an installed package, and in a clone of the repository."""


def page(name: str) -> Path:
    """Return the file of a page of the guide; that of the first page if there is no such page."""
    paths = [folder / f"{stem}.md" for stem in (name, "start") for folder in _FOLDERS]
    return next((path for path in paths if path.is_file()), paths[-1])


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
    """A browser that scales pictures down to `PICTURE_WIDTH`."""

    def loadResource(self, kind: int, name: QUrl) -> Any:  # noqa: N802
        """Return a page or picture, as Qt requests it."""
        found = super().loadResource(kind, name)
        if kind != QTextDocument.ResourceType.ImageResource.value:
            return found
        picture = QImage(self.source().resolved(name).toLocalFile())
        if picture.isNull() or picture.width() <= PICTURE_WIDTH:
            return found
        return picture.scaledToWidth(PICTURE_WIDTH, Qt.TransformationMode.SmoothTransformation)
