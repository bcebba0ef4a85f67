"""Buttons in two columns where both texts fit, else below each other; hidden ones take no place."""

import pytest
from qtpy.QtWidgets import QPushButton

from napari_cellinr.ui.widgets.columns import SPACING, Columns
from napari_cellinr.ui.widgets.scrolled import scroll_area

pytestmark = pytest.mark.gui

TEXTS = ("Save", "Show where not to trust", "More", "Use the settings")


@pytest.fixture
def columns(qtbot):
    columns = Columns([QPushButton(text) for text in TEXTS])
    area = scroll_area(columns)  # a window would be as wide as its layout
    qtbot.addWidget(area)
    area.show()
    columns.area = area
    return columns


def rows(columns):
    found = {}
    for one in columns.findChildren(QPushButton):
        if one.isVisible():
            found.setdefault(one.y(), []).append((one.x(), one.text()))
    return [[text for _, text in sorted(found[y])] for y in sorted(found)]


def test_two_columns_where_they_fit_and_one_where_not(columns, qtbot):
    needed = {one.text(): one.minimumSizeHint().width() for one in columns.widgets}
    pair = needed["Show where not to trust"] + max(needed["Save"], needed["More"]) + SPACING
    for width, wanted in ((pair, [TEXTS[:2], TEXTS[2:]]), (pair - 1, [[one] for one in TEXTS])):
        columns.area.resize(width, 400)
        qtbot.waitUntil(lambda w=wanted: rows(columns) == [list(row) for row in w])
        for one in columns.widgets:
            assert one.width() >= needed[one.text()]
    assert columns.minimumSizeHint().width() == max(needed.values())


def test_what_is_hidden_takes_no_place(columns, qtbot):
    columns.area.resize(600, 400)
    columns.widgets[1].hide()
    wanted = [["Save", "More"], ["Use the settings"]]
    qtbot.waitUntil(lambda: rows(columns) == wanted)
    columns.widgets[1].show()
    qtbot.waitUntil(lambda: rows(columns) == [list(TEXTS[:2]), list(TEXTS[2:])])
