"""A user who has never seen the plugin: what the dock says, offers and remembers."""

import numpy as np
import pytest
from qtpy.QtCore import Qt, QUrl
from qtpy.QtWidgets import QAbstractButton, QComboBox, QLabel, QLineEdit

from napari_cellinr.ui import preferences
from napari_cellinr.ui.docks import fit as fit_dock
from napari_cellinr.ui.docks.denoise import DenoiseDock
from napari_cellinr.ui.preferences import Preferences
from napari_cellinr.ui.widgets import guide

pytestmark = pytest.mark.gui


def shown_texts(widget):
    return [label.text() for label in widget.findChildren(QLabel) if not label.isHidden()]


@pytest.mark.parametrize(
    ("name", "words", "action", "source"),
    [
        ("Denoise", "simulated embryo", "denoise", "embryo membranes raw"),
        ("Super-resolve", "moving cells", "superresolve", "cells"),
        ("Reconstruct motion", "simulated worm", "reconstruct", "worm"),
    ],
)
def test_an_empty_dock_offers_a_sample_and_previews_it(
    viewer, use_job, idle, qtbot, name, words, action, source
):
    job = use_job(action)
    _, dock = viewer.window.add_plugin_dock_widget("napari-cellinr", name)
    assert "Drop a" in dock.welcome.label.text()
    assert words in dock.welcome.label.text()
    assert not dock.welcome.isHidden()
    assert dock.source.isHidden()
    qtbot.mouseClick(dock.welcome.button, Qt.MouseButton.LeftButton)
    idle(dock)
    assert dock.welcome.isHidden()
    assert f"preview · {source}" in [layer.name for layer in viewer.layers]
    (config,) = job.configs
    assert config.preset == "preview"
    if name == "Reconstruct motion":
        assert config.optics.kind == "dpc"  # that of the sample
        assert (config.steps, config.restart) == (100, False)  # else it takes a minute
    viewer.layers.clear()
    assert not dock.welcome.isHidden()


def test_what_a_sample_says_of_its_microscope_does_not_stay_for_the_next_image(
    viewer, use_job, idle, qtbot
):
    use_job("reconstruct")
    _, dock = viewer.window.add_plugin_dock_widget("napari-cellinr", "Reconstruct motion")
    before = dock.form.config().optics
    qtbot.mouseClick(dock.welcome.button, Qt.MouseButton.LeftButton)
    idle(dock)
    assert (dock.form.config().optics.kind, before.kind) == ("dpc", "time-lapse")
    units = ("second", "micrometer", "micrometer")
    own = np.random.default_rng(0).random((4, 20, 20), np.float32)
    viewer.add_image(own, name="own", scale=(5, 0.2, 0.2), units=units, axis_labels="tyx")
    viewer.layers.selection.active = viewer.layers["own"]
    qtbot.waitUntil(lambda: dock.source.combo.currentText() == "own")
    assert dock.form.config().optics == before
    assert "frame interval 5 s" in dock.form.section.taken.text()
    assert dock.form.section.differs.isHidden()


def test_inputs_are_checked_beside_their_field(viewer, qtbot):
    bad = np.random.default_rng(0).random((4, 20, 20), np.float32)
    bad[:] = np.nan
    viewer.add_image(bad, name="bad", axis_labels=("z", "y", "x"), contrast_limits=(0, 1))
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock)
    assert any("not finite" in text for text in shown_texts(dock.source))
    assert not dock.panel.run_button.isEnabled()
    viewer.layers["bad"].data = np.random.default_rng(0).random((4, 20, 20), np.float32)
    qtbot.waitUntil(dock.panel.run_button.isEnabled)
    dock.form.field("background_width").set_value(500.0)
    dock.form.changed.emit()
    assert any("less than the image size" in text for text in shown_texts(dock.form))
    assert not dock.panel.run_button.isEnabled()


def test_memory_and_time_are_told_before_a_run(dock, monkeypatch):
    assert "GB of memory and" in dock.panel.cost.text()
    assert dock.panel.advice.isHidden()
    free = type("Memory", (), {"available": 1e6})
    monkeypatch.setattr("psutil.virtual_memory", free)
    dock.form.changed.emit()
    assert "GB are free: the image will be fitted in" in dock.panel.advice.text()
    assert dock.panel.run_button.isEnabled()


def test_the_question_mark_opens_the_page_of_the_guide(dock, qtbot):
    qtbot.mouseClick(dock.panel.guide_button, Qt.MouseButton.LeftButton)
    window = dock.findChild(guide.GuideWindow)
    assert window.browser.toPlainText().startswith("The docks")
    window.browser.setSource(window.browser.source().resolved(QUrl("denoise.md")))
    assert "Denoise a stack" in window.browser.toPlainText()
    window.close()


def test_preferences_are_read_from_napari_and_fall_back(viewer, monkeypatch):
    assert preferences.preferences() == Preferences()
    monkeypatch.delattr(preferences.settings, "get_plugin_settings", raising=False)  # before 0.9
    assert preferences.preferences() == Preferences()
    monkeypatch.setattr(fit_dock, "preferences", lambda: Preferences(device="cpu"))
    dock = DenoiseDock(viewer)
    assert dock.form.config().device == "cpu"
    dock.deleteLater()


@pytest.mark.parametrize("kind", [QAbstractButton, QComboBox, QLineEdit])
def test_everything_can_be_reached_by_keyboard(dock, kind):
    found = [widget for widget in dock.findChildren(kind) if not widget.objectName()]
    assert found
    for widget in found:
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus


def test_the_dock_is_usable_at_300_pixels(viewer, layer, dock):
    dock.form.advanced.expand()
    assert dock.minimumSizeHint().width() <= 300
    assert dock.minimumWidth() <= 300


def test_docks_share_one_place_as_tabs(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    docks = [viewer.window.add_plugin_dock_widget("napari-cellinr", "Denoise")[0]]
    window = docks[0].window()
    window.resize(1200, 800)
    qtbot.wait(100)
    for number, name in enumerate(("Compare", "Script", "Batch"), start=1):
        docks.append(viewer.window.add_plugin_dock_widget("napari-cellinr", name)[0])
        qtbot.waitUntil(lambda n=number: len(window.tabifiedDockWidgets(docks[0])) == n)
    qtbot.waitUntil(lambda: (window.width(), window.height()) == (1200, 800))
    assert all(dock.minimumSizeHint().width() <= 300 for dock in docks)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_both_themes(viewer, layer, dock, theme):
    viewer.theme = theme
    dock.panel.show_state()
    assert dock.panel._text_colour().startswith("#")


def test_two_viewers_do_not_disturb_each_other(make_napari_viewer, use_job, idle, stack):
    first, second = make_napari_viewer(), make_napari_viewer()
    docks = []
    for viewer in (first, second):
        viewer.add_image(stack, name="a", axis_labels=("z", "y", "x"))
        docks.append(DenoiseDock(viewer))
        viewer.window.add_dock_widget(docks[-1], name="Denoise")
    use_job(steps=20)
    docks[0].run()
    assert docks[1].controller.state == "idle"
    docks[1].run()
    for dock in docks:
        idle(dock)
    assert [len(viewer.layers) for viewer in (first, second)] == [2, 2]
    assert len(docks[0].dispatcher.recorder.macro.steps) == 1
