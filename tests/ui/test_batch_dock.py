"""The dock for many files."""

import numpy as np
import pytest

from napari_cellinr import Image, write
from napari_cellinr.ui.batch_dock import BatchDock

pytestmark = pytest.mark.gui


def test_a_recorded_recipe_runs_on_many_files(viewer, dock, use_job, idle, qtbot, tmp_path):
    use_job()
    dock.panel.run_button.click()
    idle(dock)
    batch = BatchDock(viewer)
    viewer.window.add_dock_widget(batch, name="Batch")
    assert not batch.run_button.isEnabled()
    good = write(tmp_path / "good.tif", Image(np.ones((2, 8, 9), np.float32), "ZYX"))
    batch.add_files([tmp_path / "none.tif", good, good])
    batch.output_edit.setText(str(tmp_path / "out"))
    batch.run_button.click()
    qtbot.waitUntil(lambda: not dock.dispatcher.is_busy)
    states = [batch.table.item(row, 1).text() for row in range(batch.table.rowCount())]
    assert states == ["failed", "done"]
    assert "none.tif" in batch.table.item(0, 3).text()
    assert (tmp_path / "out" / "summary.csv").is_file()
    assert "1 done, 1 failed" in batch.status.text()
    assert len(viewer.layers) == 2
