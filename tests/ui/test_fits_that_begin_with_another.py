"""More steps, and a fit that begins with another one, by the widgets of a dock."""

import time
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_cellinr import Image, write
from napari_cellinr.fitting import optimise
from napari_cellinr.runs import resume
from napari_cellinr.ui.docks.denoise import DenoiseDock
from napari_cellinr.ui.docks.superresolve import SuperresolveDock
from napari_cellinr.ui.panels.fit import fit_buttons as fit_actions
from napari_cellinr.ui.panels.start import SCRATCH
from napari_cellinr.ui.preferences import Preferences
from napari_cellinr.ui.session.work import fits

pytestmark = pytest.mark.gui

ESTIMATE = {"estimate": "gaussian", "learning_rate": 1e-9}
TOY = {"steps": 1, **ESTIMATE}


@pytest.fixture
def dock(viewer, tmp_path, monkeypatch, qtbot):
    monkeypatch.chdir(tmp_path)
    stack = np.random.default_rng(3).poisson(30, (2, 4, 16, 16)).astype(np.float32)
    for name, one in zip(("embryo", "next"), stack, strict=True):
        write(f"{name}.tif", Image(one, "ZYX", (0.4, 0.2, 0.2), ("micrometer",) * 3))
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock)
    dock._console.open("embryo.tif")
    dock._console.denoise("embryo", **TOY)
    dock._console.wait()
    return dock


def names(box):
    return [box.itemText(i) for i in range(box.count())]


def test_more_steps_are_asked_for_and_done(dock, viewer, qtbot, monkeypatch):
    asked = []
    answer = [(4, True), (1, False)]
    monkeypatch.setattr(
        fit_actions.QInputDialog, "getInt", lambda *given: asked.append(given) or answer.pop(0)
    )
    button = dock.fit_actions.more_button
    assert button.isEnabled()
    assert "denoised · embryo" in button.toolTip()
    for _ in range(2):  # the second time, no is said
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        dock._console.wait()
    found = [layer.name for layer in viewer.layers if "denoised" in layer.name]
    assert sorted(found) == ["denoised · embryo", "denoised · embryo [1]"]
    assert asked[0][-3:] == (100, 1, fit_actions.MOST_STEPS)
    assert "continue_from='denoised · embryo', steps=4" in str(dock._console.last)


def test_a_fit_whose_image_is_gone_cannot_go_on_and_says_why(dock, viewer):
    viewer.layers.remove("embryo")
    assert not dock.fit_actions.more_button.isEnabled()
    assert "open the image" in dock.fit_actions.more_button.toolTip()


def test_the_next_run_begins_with_what_is_chosen(dock, viewer, qtbot):
    box = dock.start_choice.box
    assert names(box) == [SCRATCH, "denoised · embryo"]
    assert not SuperresolveDock(viewer).start_choice.isVisibleTo(None)
    viewer.layers["denoised · embryo"].name = "before"
    assert names(box) == [SCRATCH, "before"]
    assert dock.start_choice.start() is None  # none is chosen by itself
    dock._console.open("next.tif")
    dock.source.choose(viewer.layers["next"].unique_id)
    dock.form.field("steps").set_value(2)
    box.setCurrentIndex(1)
    dock.run()
    dock._console.wait()
    assert "cellinr.denoise('next', warm_start='denoised · embryo'" in str(dock._console.last)
    viewer.layers.remove("before")
    assert dock.start_choice.start() is None


@pytest.mark.parametrize("begin", ["more steps", "warm start"])
def test_a_fit_that_began_with_another_is_offered_and_goes_on(dock, qtbot, monkeypatch, begin):
    def ask():
        if begin == "more steps":
            dock._console.continue_fit("denoised · embryo", 30)
        else:
            dock._console.denoise("next", warm_start="denoised · embryo", steps=31, **ESTIMATE)

    results = []
    dock.controller.finished.connect(results.append)
    dock._console.open("next.tif")
    ask()
    dock._console.wait()
    step = dock.dispatcher.recorder.last
    advance = optimise._Loop.advance
    monkeypatch.setattr(optimise, "REPORT_SECONDS", 0)
    monkeypatch.setattr(optimise._Loop, "advance", lambda loop: time.sleep(0.02) or advance(loop))
    monkeypatch.setattr(fits, "preferences", lambda: Preferences(checkpoint_seconds=1e-6))
    ask()
    qtbot.waitUntil(lambda: list(resume.jobs_folder().glob("*/*steps*")) != [], timeout=20_000)
    dock.controller._give_up()  # as if the window had been closed
    dock._console.wait()
    assert not dock.offer.isHidden()
    dock.offer.resume_button.click()
    dock._console.wait()
    whole, again = results
    np.testing.assert_array_equal(again.layers[0].data, whole.layers[0].data)
    assert (again.initial, again.config) == (whole.initial, whole.config)
    assert replace(dock.dispatcher.recorder.last, results=step.results) == step
    assert resume.unfinished() == []


def test_the_settings_of_a_result_are_put_back_into_the_form(dock, viewer, qtbot):
    button = dock.fit_actions.settings_button
    first = dock.dispatcher.results[viewer.layers["denoised · embryo"].unique_id].config
    copied = viewer.add_image(
        viewer.layers["denoised · embryo"].data,
        name="copy",
        metadata=viewer.layers["denoised · embryo"].metadata,
        axis_labels=tuple("zyx"),
    )
    dock.source.choose(viewer.layers["embryo"].unique_id)
    dock._console.denoise("embryo", **{**TOY, "steps": 2, "structure": "blob"})
    dock._console.wait()
    for name, steps in (("denoised · embryo", 1), ("denoised · embryo [1]", 2), ("copy", 1)):
        dock.form.reset()
        assert dock.form.config().steps > 2
        viewer.layers.selection = {viewer.layers[name]}
        assert f"“{name}”" in button.toolTip()
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert dock.form.config().steps == steps
        assert f"the settings of “{name}”" in dock.panel.status.text()
    assert dock.form.config() == first
    viewer.layers.selection = {viewer.layers["embryo"]}
    assert "“denoised · embryo [1]”" in button.toolTip()  # the newest, as for the other buttons
    finer = SuperresolveDock(viewer)
    viewer.layers.selection = {copied}
    assert finer.fit_actions.layer_with_settings() is None  # of another method
    finer.deleteLater()


def test_what_was_only_previewed_has_settings_but_no_fit(viewer, qtbot):
    settings = DenoiseDock.task.config_type(preset="preview", structure="blob").as_dict()
    viewer.add_image(
        np.ones((4, 16, 16)),
        name="a preview",
        axis_labels=tuple("zyx"),
        metadata={"napari-cellinr": {"config": settings}},
    )
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock)
    assert dock.fit_actions.settings_button.isVisibleTo(dock)
    assert not dock.fit_actions.save_button.isVisibleTo(dock)
    dock.fit_actions.settings_button.click()
    assert dock.form.config().as_dict() == settings
    viewer.layers.clear()
    assert not dock.fit_actions.isVisibleTo(dock)
