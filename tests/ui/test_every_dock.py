"""What holds for every dock: small screens, keyboard, themes, guide, no torch."""

import itertools
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDockWidget,
    QLabel,
    QLineEdit,
    QPushButton,
    QTabBar,
    QWidget,
)
from superqt import QCollapsible

from napari_cellinr.config.optics import KINDS
from napari_cellinr.ui.widgets.guide import GuideWindow

pytestmark = pytest.mark.gui

DOCKS = ("Denoise", "Super-resolve", "Reconstruct motion", "Compare", "Batch", "Script")
FITS = DOCKS[:3]

NO_TORCH = f"""
import sys
import numpy as np
import napari
viewer = napari.Viewer(show=False)
viewer.add_image(np.random.default_rng(0).random((3, 4, 9, 9)), axis_labels=tuple("tzyx"))
for name in {DOCKS}:
    viewer.window.add_plugin_dock_widget("napari-cellinr", name)
    assert "torch" not in sys.modules, f"{{name}} has loaded torch"
    assert "pyqtgraph" not in sys.modules, f"{{name}} has loaded pyqtgraph"
viewer.close()
"""


@pytest.fixture
def opened(make_napari_viewer, qtbot, stack):
    """Return a function that opens docks in a window of the size of a small screen."""

    def open_docks(*names, size=(853, 533)):
        viewer = make_napari_viewer(show=True)
        viewer.add_image(stack, name="a rather long name of an image", axis_labels=tuple("zyx"))
        qtbot.wait(120)
        # What napari needs itself: 535 pixels in 0.9.2, 547 in 0.10.
        window = viewer.window._qt_window
        window.setProperty("limit", max(size[1], window.minimumSizeHint().height()) + 4)
        window.resize(*size)
        docks = []
        for name in names:
            frame, dock = viewer.window.add_plugin_dock_widget("napari-cellinr", name)
            qtbot.waitUntil(lambda d=dock: d.isVisible())
            if docks:  # it becomes a tab and the window small again, later on a busy computer
                qtbot.waitUntil(lambda f=frame: bool(window.tabifiedDockWidgets(f)))
                qtbot.waitUntil(lambda: is_low(window))
            docks.append((frame, dock))
            qtbot.wait(120)
        return viewer, window, docks

    return open_docks


def controls(dock, window, qtbot):
    """Return what the Tab key goes to, one press after the other."""
    wanted = [
        one
        for one in dock.findChildren(QWidget)
        if one.focusPolicy() & Qt.FocusPolicy.TabFocus and one.isVisibleTo(dock) and one.isEnabled()
    ]
    first = min(wanted, key=lambda one: (place(one, dock).y() // 14, place(one, dock).x()))
    first.setFocus(Qt.FocusReason.TabFocusReason)
    found = [first]
    while len(found) < 100:
        qtbot.keyClick(found[-1], Qt.Key.Key_Tab)
        now = window.focusWidget()
        if now in found or not dock.isAncestorOf(now):
            return found
        found.append(now)
    return found


def is_low(window):
    """Return whether a window is as low as a small screen, or as napari's own window can be."""
    return window.height() <= window.property("limit")


def place(widget, dock):
    return widget.mapTo(dock, widget.rect().topLeft())


def test_no_dock_loads_torch():
    subprocess.run([sys.executable, "-c", NO_TORCH], check=True, timeout=120)


def test_all_docks_fit_a_small_screen(opened, qtbot):
    """853 × 533 is what 150 % leaves of 1280 × 800."""
    viewer, window, docks = opened(*DOCKS)
    qtbot.waitUntil(lambda: window.width() <= 853 and is_low(window))
    given = 300 if hasattr(viewer, "scene") else 305  # by napari, before 0.9
    for frame, dock in docks:
        frame.raise_()
        qtbot.waitUntil(lambda d=dock: not d.visibleRegion().isEmpty())
        assert frame.width() <= given
        assert frame.minimumSizeHint().width() <= 250
        assert dock.minimumSizeHint().width() <= 300
        assert dock.minimumSizeHint().height() <= 400
        main = getattr(getattr(dock, "panel", dock), "run_button", None)
        if main is not None:
            assert window.rect().contains(main.mapTo(window, main.rect().bottomRight()))
            assert not main.visibleRegion().isEmpty()


def test_a_long_warning_scrolls_where_there_is_no_room_and_is_whole_where_there_is(opened, qtbot):
    _, window, [(_, dock)] = opened("Reconstruct motion")
    dock.below.show()
    dock.panel.say("warning", "The motion has not converged. " * 20)
    qtbot.wait(50)
    assert is_low(window)
    assert dock.minimumSizeHint().height() <= 400
    status = dock.panel.status
    lines = status.heightForWidth(status.width())
    assert status.height() >= lines > status.visibleRegion().boundingRect().height()
    window.resize(853, 1000)
    qtbot.waitUntil(lambda: status.visibleRegion().boundingRect() == status.rect(), timeout=15000)


def test_names_of_settings_are_not_cut_in_a_narrow_dock(opened, qtbot):
    _, _, docks = opened(*FITS, size=(1100, 900))
    for frame, dock in docks:
        frame.raise_()
        frame.setFixedWidth(255)
        qtbot.waitUntil(lambda d=dock: d.width() == 255 and not d.visibleRegion().isEmpty())
        qtbot.wait(50)
        for label in dock.form._plain.findChildren(QLabel):
            if label.isVisible():
                assert label.width() >= label.minimumSizeHint().width(), label.text()
                assert label.height() >= label.heightForWidth(label.width()), label.text()


def titles(frame):
    return [one for one in frame.titleBarWidget().findChildren(QLabel) if one.text()]


def test_titles_are_not_cut(opened, qtbot):
    """They have no room for the name of the plugin; it stays in the tip."""
    _, _, docks = opened(*DOCKS)
    for name, (frame, _) in zip(DOCKS, docks, strict=True):
        assert frame.windowTitle() == name
        (label,) = titles(frame)
        assert label.text() == name
        assert label.width() >= label.sizeHint().width()
        assert "napari-cellinr" in label.toolTip()
    docks[0][0].setFloating(True)  # napari makes the bar anew
    qtbot.wait(50)
    assert [one.text() for one in titles(docks[0][0])] == [DOCKS[0]]


def test_names_on_tabs_are_whole(opened, qtbot):
    _, window, _ = opened(*DOCKS)
    bars = [
        one
        for one in window.findChildren(QTabBar)
        if {one.tabText(place) for place in range(one.count())} <= set(DOCKS)  # not tabs in a dock
    ]
    (bar,) = (one for one in bars if one.isVisible() and one.count())
    assert bar.count() == len(DOCKS)
    for place in range(bar.count()):
        text = bar.fontMetrics().horizontalAdvance(bar.tabText(place))
        assert bar.tabRect(place).width() > text, bar.tabText(place)


def test_the_tab_key_goes_through_every_dock_from_top_to_bottom(opened, qtbot):
    _, window, docks = opened(*DOCKS, size=(1200, 1000))
    for frame, dock in docks:
        frame.raise_()
        qtbot.waitUntil(lambda d=dock: not d.visibleRegion().isEmpty())
        found = controls(dock, window, qtbot)
        buttons = [one for one in dock.findChildren(QPushButton) if one.text()]
        buttons += dock.findChildren(QComboBox) + dock.findChildren(QLineEdit)
        for one in buttons:
            within = one.parentWidget() in found or one in found  # the editor of a spin box is it
            assert within or not one.isEnabled() or not one.isVisibleTo(dock), one
        for one, other in itertools.pairwise(place(one, dock) for one in found):
            assert other.y() > one.y() - 14 or other.x() > one.x()


@pytest.mark.parametrize("kind", KINDS)
def test_the_tab_key_follows_the_settings_of_every_microscope(opened, qtbot, kind):
    """Also where the settings of a kind are made when it is chosen."""
    _, window, [(_, dock)] = opened("Reconstruct motion", size=(1200, 1000))
    section = dock.form.section
    box = section.kind.findChild(QComboBox)
    box.setCurrentIndex(box.findData(kind))
    box.activated.emit(box.currentIndex())
    dock.form.advanced.expand(animate=False)
    for more in section.findChildren(QCollapsible):
        more.expand(animate=False)
    qtbot.wait(50)
    found = controls(dock, window, qtbot)
    places = [place(one, dock) for one in found]
    for one, other in itertools.pairwise(places):
        assert other.y() > one.y() - 14 or other.x() > one.x()
    for name in ("wavelength", "pixel_size", "psf_fwhm", "voxel_size"):
        if (field := section.grid.fields.get(name)) is not None:
            assert any(field.isAncestorOf(one) for one in found)


@pytest.mark.parametrize("name", FITS)
def test_the_tab_key_follows_what_a_run_has_added(opened, use_job, idle, qtbot, name):
    """The loss curve, and the tools of the result."""
    viewer, window, [(_, dock)] = opened(name, size=(1200, 1000))
    (layer,) = viewer.layers
    layer.axis_labels = ("t", "y", "x")
    dock.controller.confirm_axes(layer, "TYX")
    use_job(dock.task.name, steps=20)
    dock.run()
    idle(dock)
    assert dock.panel.curve.isVisible()
    dock.panel.curve.expand(animate=False)
    dock.form.advanced.expand(animate=False)
    qtbot.wait(50)
    found = controls(dock, window, qtbot)
    for one, other in itertools.pairwise(place(one, dock) for one in found):
        assert other.y() > one.y() - 14 or other.x() > one.x()
    fold = dock.panel.curve.findChild(QPushButton)
    assert fold in found
    (*_, run) = [one for one in found if one in {dock.panel.run_button, fold}]
    assert run is fold  # below the button


def test_every_dock_has_a_question_mark(opened):
    _, _, docks = opened(*DOCKS)
    for _, dock in docks:
        (button,) = (one for one in dock.findChildren(QPushButton) if one.text() == "?")
        assert button.accessibleName() == "Guide"
        button.click()
        window = dock.findChild(GuideWindow)
        assert window.browser.source().fileName() != "start.md"
        assert len(window.browser.toPlainText()) > 500
        window.close()


@pytest.mark.parametrize("desktop", ["light", "dark"])
def test_every_dock_takes_the_theme(opened, qtbot, monkeypatch, desktop):
    """That of the system is one of the two others."""
    for module in ("napari.utils.theme", "napari._qt.qt_main_window"):
        monkeypatch.setattr(f"{module}.get_system_theme", lambda: desktop)
    viewer, _, docks = opened(*DOCKS)
    other = "dark" if desktop == "light" else "light"
    for theme, (frame, dock) in itertools.product((other, "system"), docks):
        viewer.theme = theme
        is_dark = (desktop if theme == "system" else theme) == "dark"
        frame.raise_()
        qtbot.waitUntil(lambda d=dock: not d.visibleRegion().isEmpty())
        picture = dock.grab().toImage()
        grey = [
            picture.pixelColor(x, y).lightness()
            for x in range(3, picture.width(), 9)
            for y in range(3, picture.height(), 9)
        ]
        assert (np.median(grey) < 128) == is_dark


def test_nothing_steals_selection_camera_or_the_chosen_layer(opened, use_job, idle, stack):
    viewer, _, docks = opened(*FITS)
    use_job()
    viewer.add_image(stack, name="other", axis_labels=tuple("zyx"))
    dock = docks[0][1]
    dock.source.choose(viewer.layers["a rather long name of an image"].unique_id)
    viewer.layers.selection = {viewer.layers["other"]}
    camera = getattr(viewer, "scene", viewer).camera  # of the viewer itself before napari 0.9
    camera.zoom, camera.center = 3.3, (0, 7, 9)
    viewer.dims.set_current_step(0, 2)
    before = (camera.zoom, camera.center, viewer.dims.current_step)
    dock.run()
    idle(dock)
    assert (camera.zoom, camera.center, viewer.dims.current_step) == before
    assert [one.name for one in viewer.layers.selection] == ["other"]
    assert dock.source.combo.currentText() == "a rather long name of an image"
    viewer.layers["a rather long name of an image"].name = "short"  # the list follows names
    assert dock.source.combo.currentText() == "short"


def test_docks_of_two_methods_share_one_job_and_one_queue(opened, use_job, idle):
    _, _, docks = opened(*FITS[:2])
    (_, denoise), (_, finer) = docks
    use_job(steps=200)
    denoise.run()
    assert finer.panel.run_button.text() == "Queue"
    assert "denoising" in finer.panel.status.text().lower()
    finer.panel.cancel_button.click()
    idle(denoise)
    assert finer.panel.run_button.text() == "Run"


def test_reset_and_folded_settings_in_every_dock_that_fits(opened):
    _, _, docks = opened(*FITS)
    for _, dock in docks:
        form = dock.form
        default = form.config()
        assert not form.advanced.isExpanded()
        form.field("seed").set_value("7")
        form.changed.emit()
        assert form.config() != default
        buttons = dock.findChildren(QPushButton)
        next(one for one in buttons if one.text() == "Reset to defaults").click()
        assert form.config() == default
        config_type = dock.task.config_type
        for setting in form.values():
            if setting in (form.section.names if form.section else ()):
                continue
            tip = form.field(setting).toolTip()
            assert config_type.help(setting) in tip
            assert config_type.unit(setting) in tip


def test_a_dock_can_be_floated_and_closed(opened, qtbot):
    viewer, _, docks = opened(*FITS[:2])
    frame, dock = docks[1]
    assert isinstance(frame, QDockWidget)
    frame.setFloating(True)
    qtbot.wait(50)
    assert dock.isVisible()
    viewer.window.remove_dock_widget(frame)
    viewer.layers.clear()  # what is left of it hears of nothing any more
    assert docks[0][1].source.layer_id is None


def test_a_run_leaves_the_size_of_the_window_alone(opened, use_job, idle, qtbot):
    _, window, [(_, dock)] = opened("Denoise")
    window.resize(1100, 700)
    use_job(steps=5)
    dock.run()
    idle(dock)
    qtbot.wait(200)
    assert (window.width(), window.height()) == (1100, 700)


def cut(dock):
    """Return the buttons and boxes whose texts are cut, with their widths; not folded ones."""
    kinds = (QPushButton, QComboBox, QAbstractSpinBox)
    shown = [one for kind in kinds for one in dock.findChildren(kind) if one.isVisibleTo(dock)]
    needed = {one: one.minimumWidth() or one.minimumSizeHint().width() for one in shown}
    return [
        (one.accessibleName() or one.text(), one.width(), width)
        for one, width in needed.items()
        if one.width() < width and not dock.form._rest.isAncestorOf(one)
    ]


@pytest.mark.parametrize("name", FITS)
def test_after_a_run_a_dock_still_fits_a_small_screen(opened, use_job, idle, qtbot, name):
    """Its tools scroll, settings keep room, and no text is cut."""
    viewer, window, [(frame, dock)] = opened(name)
    (layer,) = viewer.layers
    layer.axis_labels = ("t", "y", "x")
    dock.controller.confirm_axes(layer, "TYX")
    job = use_job(dock.task.name, steps=20)
    plain = job.fitted
    job.fitted = lambda *given: replace(plain(*given), state={"w": np.zeros(1)})
    dock.run()
    idle(dock)
    dock.below.show()
    assert dock.fit_actions.isVisible()
    assert dock.minimumSizeHint().height() <= 400
    assert dock.minimumSizeHint().width() <= 250
    qtbot.waitUntil(lambda: window.width() <= 853 and is_low(window))
    settings = dock.form.parentWidget().parentWidget()
    for width in (300, 250):
        frame.setFixedWidth(width)
        qtbot.waitUntil(lambda w=width: dock.width() == w)
        qtbot.wait(100)
        assert cut(dock) == []
        assert settings.height() >= 100
        buttons = (dock.fit_actions.save_button, dock.fit_actions.render_button)
        first, other = (place(one, dock) for one in buttons)
        assert first.y() == other.y() or width < 300
        if name == "Reconstruct motion":
            tools = (dock.below.every, dock.below.shortest, dock.below.arrows_button)
            assert all(one.isVisible() for one in tools)
        assert dock.height() <= 480
        run = dock.panel.run_button
        assert window.rect().contains(run.mapTo(window, run.rect().bottomRight()))
