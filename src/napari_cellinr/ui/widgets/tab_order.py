"""The order in which the Tab key goes through widgets: that in which they are seen.

Qt takes the order in which widgets come into a window. What is added later would be last, behind
all other docks.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QScrollArea, QWidget

from napari_cellinr.ui.widgets.columns import Columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qtpy.QtWidgets import QLayout

__all__ = ["tab_as_seen"]


def tab_as_seen(widget: QWidget) -> None:
    """Let the Tab key go through the parts of a widget in the order of its layouts.

    Parameters
    ----------
    widget
        A widget that has its layout.
    """
    for one, other in pairwise(list(_stops(widget))):
        QWidget.setTabOrder(one, other)


def _stops(widget: QWidget) -> Iterator[QWidget]:
    """Yield what the Tab key stops at, a widget before its parts."""
    if widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
        yield widget
    if isinstance(widget, Columns):
        for one in widget.widgets:
            yield from _stops(one)
    elif isinstance(widget, QScrollArea) and widget.widget() is not None:
        yield from _stops(widget.widget())
    elif widget.layout() is not None:
        yield from _stops_in(widget.layout())


def _stops_in(layout: QLayout) -> Iterator[QWidget]:
    for place in range(layout.count()):
        item = layout.itemAt(place)
        if item.widget() is not None:
            yield from _stops(item.widget())
        elif item.layout() is not None:
            yield from _stops_in(item.layout())
