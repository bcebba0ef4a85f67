"""Labels that wrap their text to the available width."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, Slot
from qtpy.QtWidgets import QLabel, QSizePolicy

if TYPE_CHECKING:
    from qtpy.QtGui import QResizeEvent, QShowEvent

__all__ = ["COLOURS", "CURVES", "WrappingLabel", "sentence", "title_label", "wrapping_label"]

COLOURS: Final = {"info": "", "warning": "color: #b07014;", "error": "color: #d84a4a;"}
"""Style sheet of text by its kind; with a contrast above 3 in the dark and light theme."""

CURVES: Final = ("#3d9be0", "#e08a1e", "#4caf50", "#d060c0", "#e05050", "#20b0b0", "#a0a030")
"""Colours of curves, distinguishable in the dark and light theme."""


_LONG: Final = re.compile(r"\S{20,}")
_BREAK: Final = "\u200b"  # a space of no width, at which Qt may break a line


def sentence(text: str) -> str:
    """Return a text with a capital letter at its start, unless it starts with a name.

    Errors start in lower case, because `error:` precedes them on the command line.
    """
    first, _, rest = text.partition(" ")
    is_name = not first.isalpha() or rest.startswith("=")
    return text if is_name else f"{text[:1].upper()}{text[1:]}"


class WrappingLabel(QLabel):
    """A label that wraps its text, and is as high as its lines.

    Parameters
    ----------
    of_errors
        Whether it shows errors, which then start with a capital letter.
    """

    def __init__(self, text: str = "", *, of_errors: bool = False) -> None:
        super().__init__(_LONG.sub(_breakable, text))
        self._of_errors = of_errors
        self.setTextFormat(Qt.TextFormat.PlainText)  # names from files are no HTML
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def setText(self, text: str) -> None:  # noqa: N802
        """Show a text; long names of files break at their signs instead of being cut off."""
        shown = sentence(text) if self._of_errors else text
        super().setText(_LONG.sub(_breakable, shown))
        self._fit()

    def text(self) -> str:
        """Return the text that was given."""
        return str(super().text()).replace(_BREAK, "")

    @Slot(str)
    def remove(self, text: str) -> None:
        """Remove a text if the label still shows it."""
        if self.text() == text:
            self.setText("")

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Adapt the height to the new width."""
        super().resizeEvent(event)
        self._fit()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Adapt the height to the font."""
        super().showEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Request the height of all lines, since a scroll area gives no more than requested.

        Not before the label is shown: its width is not known then.
        """
        self.setMinimumHeight(0)  # Qt never returns less than the present minimum
        if self.isVisible():
            self.setMinimumHeight(max(self.heightForWidth(self.width()), 0))


def _breakable(word: re.Match[str]) -> str:
    return re.sub(r"(?<=[_.\\/-])(?=\w)", _BREAK, word[0])


def wrapping_label(text: str = "", kind: str = "info") -> WrappingLabel:
    """Return a label that wraps its text.

    Parameters
    ----------
    text
        The text.
    kind
        `info`, `warning` or `error`, which sets the colour.
    """
    label = WrappingLabel(text, of_errors=kind == "error")
    label.setStyleSheet(COLOURS[kind])
    return label


def title_label(text: str) -> WrappingLabel:
    """Return a label for the name of a field, which wraps only where it would be cut."""
    label = WrappingLabel(text)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
    return label
