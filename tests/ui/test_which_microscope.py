"""The kind of microscope is found by pictures of raw frames."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QComboBox, QLabel, QLineEdit

from napari_cellinr import Image, NSTMConfig
from napari_cellinr.config.optics import KINDS
from napari_cellinr.ui.docks.reconstruct import TASK
from napari_cellinr.ui.guided.microscope import LOOKS, MicroscopeChoice, picture_of, why_not
from napari_cellinr.ui.panels.optics import OpticsSection
from napari_cellinr.ui.widgets.fields import OptionalField

pytestmark = pytest.mark.gui

UNITS = ("second", "micrometer", "micrometer")


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_has_a_picture_and_says_what_to_look_for(qapp, kind):
    picture = QImage(str(picture_of(kind)))
    assert not picture.isNull()
    grey = [picture.pixelColor(x, 20).lightness() for x in range(0, picture.width(), 3)]
    assert np.std(grey) > 10
    assert LOOKS[kind]


def test_a_kind_that_the_axes_exclude_cannot_be_chosen():
    movie = Image(np.zeros((3, 8, 8), np.float32), "TYX")
    assert why_not("time-lapse", movie) == ""
    assert "TZYX" in why_not("z-scan", movie)
    stacks = Image(np.zeros((3, 4, 8, 8), np.float32), "TZYX")
    assert why_not("z-scan", stacks) == ""
    assert why_not("z-scan", None) == ""


def test_the_choice_fills_in_the_form_and_keeps_what_the_file_says(qtbot):
    section = OpticsSection()
    qtbot.addWidget(section)
    movie = Image(np.zeros((4, 8, 8), np.float32), "TYX", (0.5, 0.1, 0.1), UNITS)
    section.show_image(movie)
    section.guide_button.click()
    (window,) = section.findChildren(MicroscopeChoice)
    assert window.list.currentItem().data(Qt.ItemDataRole.UserRole) == "time-lapse"
    kinds = list(KINDS)
    window.list.setCurrentRow(kinds.index("z-scan"))
    assert not window.choose_button.isEnabled()  # it needs stacks
    window.list.setCurrentRow(kinds.index("dpc"))
    with qtbot.waitSignal(section.changed):
        window.choose_button.click()
    assert section.kind.value() == "dpc"
    assert "frame interval 0.5 s" in section.taken.text()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_needed_says_so_in_words_of_the_form(kind, qtbot):
    """Neither `[]` nor `None`, and no name of the code."""
    section = OpticsSection()
    qtbot.addWidget(section)
    section.choose_kind(kind)
    config = KINDS[kind]
    for name in config.TYPICAL:
        if (field := section.grid.fields.get(name)) is None:
            continue
        assert section.values()["optics"][name] is None or getattr(config(), name) is not None
        boxes, edits = field.findChildren(QComboBox), field.findChildren(QLineEdit)
        texts = [box.currentText() for box in boxes] + [edit.text() for edit in edits]
        assert not {"[]", "None"}.intersection(texts), name
        if getattr(config(), name) is None and not isinstance(field, OptionalField):
            assert "needed" in {one.placeholderText() for one in [*boxes, *edits]}, name
    labels = {one.text() for one in section.grid.findChildren(QLabel)}
    assert not {text for text in labels if "_" in text or text in {"Otf", "N phases", "Na"}}
    image = Image(np.zeros((config().frames_per_set * 4, 8, 8), np.float32), "TYX")
    said = " ".join(TASK.check(NSTMConfig(optics=config()), image).values())
    assert not [name for name in config.model_fields if "_" in name and name in said], said
