"""The history: steps that are skipped or deleted, runs with settings and scores."""

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_cellinr.ui.docks.compare import CompareDock
from napari_cellinr.ui.docks.script import ScriptDock
from napari_cellinr.ui.history.run_table import RunTable

pytestmark = pytest.mark.gui


@pytest.mark.parametrize(("width", "is_wide"), [(250, False), (1200, True)])
def test_names_of_runs_take_the_room_of_a_wide_dock_and_are_cut_in_the_middle(
    dock, use_job, idle, qtbot, width, is_wide
):
    use_job()
    dock.run()
    idle(dock)
    runs = RunTable(dock.dispatcher)
    qtbot.addWidget(runs)
    runs.resize(width, 200)
    runs.show()
    qtbot.waitUntil(runs.isVisible)
    needed = runs.table.sizeHintForColumn(0)
    assert (runs.table.columnWidth(0) > needed) is is_wide
    assert runs.table.textElideMode() == Qt.TextElideMode.ElideMiddle
    assert runs.table.item(0, 0).text() in runs.table.item(0, 0).toolTip()
    runs.hide()


def test_steps_and_runs_are_listed_used_and_deleted(
    viewer, layer, dock, use_job, idle, stack, qtbot
):
    job = use_job()
    plain = job.fitted

    def fitted(image, config, stopped):
        made = plain(image, config, stopped)
        report = {**made.report, "held_out": [1.01, None, 1.25]}
        background = image.like(np.zeros(image.shape, np.float32), name="background")
        images = (*made.images, background)
        return replace(made, report=report, images=images, roles=("result", "background"))

    job.fitted = fitted
    scripts = ScriptDock(viewer)
    viewer.window.add_dock_widget(scripts, name="Script")
    dock.run()
    idle(dock)
    dock.form.field("steps").set_value(77)
    dock.form.changed.emit()
    dock.run()
    idle(dock)
    dock.preview()
    idle(dock)
    table = scripts.runs.table
    assert table.rowCount() == 2  # no preview
    rows = [[table.item(row, column).text() for column in range(6)] for row in range(2)]
    assert rows[0][1] == "defaults"
    assert rows[1][1] == "steps=77"
    assert rows[1][2] == "1.250"

    viewer.add_image(stack, name="truth", axis_labels=("z", "y", "x"))
    compare = CompareDock(viewer)
    viewer.window.add_dock_widget(compare, name="Compare")
    compare.truth.setCurrentIndex(compare.truth.findText("truth"))
    compare.measure()
    qtbot.waitUntil(lambda: not dock.dispatcher.is_busy)
    assert table.item(0, 3).text() != ""

    table.selectRow(0)
    scripts.runs.settings_button.click()
    assert dock.form.config().changes() == {}
    table.selectRow(1)
    scripts.runs.settings_button.click()
    assert dock.form.config().steps == 77
    dock.dispatcher.offers.show_named("background · membrane [1]")
    before = len(viewer.layers)
    assert scripts.runs.delete_button.isEnabled()
    scripts.runs.delete_button.click()
    assert "2 layers" in scripts.runs.message.text()
    assert len(viewer.layers) == before - 2
    assert table.rowCount() == 2
    assert not scripts.runs.delete_button.isEnabled()
    assert scripts.runs.settings_button.isEnabled()

    steps = scripts.steps
    assert [steps.list.item(row).text() for row in range(2)] == ["denoise · membrane"] * 2
    steps.list.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert dock.dispatcher.recorder.macro.steps[0].disabled
    assert "# disabled: cellinr.denoise" in scripts.text.toPlainText()
    steps.list.item(0).setCheckState(Qt.CheckState.Checked)
    assert "# disabled" not in scripts.text.toPlainText()
    steps.list.setCurrentRow(1)
    steps.delete_button.click()
    assert len(dock.dispatcher.recorder.macro.steps) == 1
    assert "steps=77" not in scripts.text.toPlainText()
