"""Labels that take the width they are given, and as many lines as they need then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QResizeEvent, QShowEvent

__all__ = ["COLOURS", "CURVES", "WrappingLabel", "sentence", "title_label", "wrapping_label"]

COLOURS: Final = {"info": "", "warning": "color: #b07014;", "error": "color: #d84a4a;"}
"""Style of text by its kind; with a contrast above 3 on dark and on light."""

CURVES: Final = ("#3d9be0", "#e08a1e", "#4caf50", "#d060c0", "#e05050", "#20b0b0", "#a0a030")
"""Colours that can be told apart on dark and on light."""


def sentence(text: str) -> str:
    """Return a text that begins with a capital letter, unless it begins with a name.

    Errors go on from what a command line or Python says before them; a dock says nothing before.
    """
    first, _, rest = text.partition(" ")
    is_name = not first.isalpha() or rest.startswith("=")
    return text if is_name else f"{text[:1].upper()}{text[1:]}"


class WrappingLabel(QLabel):
    """A label for sentences: never wider than its place, never lower than its lines.

    Parameters
    ----------
    of_errors
        Whether it shows errors, which then begin with a capital letter.
    """

    def __init__(
        self, text: str = "", parent: QWidget | None = None, *, of_errors: bool = False
    ) -> None:
        super().__init__(text, parent)
        self._of_errors = of_errors
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def setText(self, text: str) -> None:  # noqa: N802
        """Show a text."""
        super().setText(sentence(text) if self._of_errors else text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Keep room for all lines at the new width."""
        super().resizeEvent(event)
        self._fit()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Keep room for all lines in the font that it is shown in."""
        super().showEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Ask for the height of all lines: a scroll area gives no more than was asked for.

        Before it is shown, the width is not that of its place: a window would grow for nothing.
        """
        self.setMinimumHeight(0)  # Qt never answers less than what is asked for already
        if self.isVisible():
            self.setMinimumHeight(max(self.heightForWidth(self.width()), 0))


def wrapping_label(text: str = "", kind: str = "info") -> WrappingLabel:
    """Return a label for sentences of a kind: `info`, `warning` or `error`."""
    label = WrappingLabel(text, of_errors=kind == "error")
    label.setStyleSheet(COLOURS[kind])
    return label


def title_label(text: str) -> WrappingLabel:
    """Return a label that has one line where there is room, and wraps where it would be cut."""
    label = WrappingLabel(text)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
    return label
