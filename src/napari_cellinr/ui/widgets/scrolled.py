"""A scroll area that is as high as its content where the window allows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QSizePolicy, QWidget

if TYPE_CHECKING:
    from qtpy.QtCore import QObject

__all__ = ["Scrolled", "scroll_area"]

LEAST: Final = 48
"""Smallest height in pixels, for content of at least that height: three lines."""


def scroll_area(content: QWidget) -> QScrollArea:
    """Return a scroll area that scrolls its content vertically only."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(content)
    return area


class Scrolled(QScrollArea):
    """A scroll area that requests the height of its content, and accepts less.

    Without it, a long warning would make the window larger than a small screen.

    Parameters
    ----------
    content
        The widget to show, whose labels request the height of their lines.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setWidget(content)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the height of the content."""
        return QSize(0, self._height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the smallest height."""
        return QSize(0, min(LEAST, self._height()))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Follow the height of the content.

        Parameters
        ----------
        watched
            The content.
        event
            Any event.
        """
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))

    def _height(self) -> int:
        margins = self.contentsMargins()  # the theme draws a frame
        inner = self.widget().minimumSizeHint().height() if self.widget() else 0
        return int(inner + margins.top() + margins.bottom())
