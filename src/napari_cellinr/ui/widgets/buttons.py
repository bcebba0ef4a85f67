"""Buttons that several docks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QPushButton

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["guide_button", "push_button"]


def push_button(text: str, tip: str, action: Callable[[], None] | None = None) -> QPushButton:
    """Return a button.

    Parameters
    ----------
    text
        Its label.
    tip
        Its tooltip.
    action
        Called on a click.
    """
    button = QPushButton(text)
    button.setToolTip(tip)
    if action is not None:
        button.clicked.connect(action)
    return button


def guide_button(name: str) -> QPushButton:
    """Return a button that opens a page of the guide in its own window."""
    button = push_button("?", "Open the guide.")
    button.setAccessibleName("Guide")
    button.setFixedWidth(28)

    def show() -> None:
        from napari_cellinr.ui.widgets.guide import GuideWindow

        GuideWindow(name, button.parentWidget()).show()

    button.clicked.connect(show)
    return button
