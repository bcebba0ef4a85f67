"""The dock for many files."""

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent

from napari_cellinr import Image, write
from napari_cellinr.macro.batch.items import Row
from napari_cellinr.ui.docks import batch as batch_dock
from napari_cellinr.ui.docks.batch import BatchDock

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
    assert "none.tif" in batch.failures.text()
    assert (tmp_path / "out" / "summary.csv").is_file()
    assert "1 done, 1 failed" in batch.status.text()
    assert len(viewer.layers) == 2
    for wanted in ("skipped", "done"):  # what is done is passed over, unless it is asked for again
        batch.run_button.click()
        qtbot.waitUntil(lambda: not dock.dispatcher.is_busy)
        assert batch.table.item(1, 1).text() == wanted
        batch.again_box.click()


def test_results_go_beside_the_first_file_and_the_dock_says_so(viewer, tmp_path, monkeypatch):
    batch = BatchDock(viewer)
    viewer.window.add_dock_widget(batch, name="Batch")
    elsewhere, data = tmp_path / "elsewhere", tmp_path / "data"
    elsewhere.mkdir()
    data.mkdir()
    monkeypatch.chdir(elsewhere)  # where napari was started
    image = write(data / "a.tif", Image(np.ones((2, 8, 9), np.float32), "ZYX"))
    batch.add_files([image])
    assert str(data / "results") in batch.place.text()
    assert batch.output() == data / "results"
    batch.output_edit.setText("out")
    assert str(data / "out") in batch.place.text()
    batch.output_edit.setText(str(elsewhere))
    assert batch.output() == elsewhere


def test_a_failed_image_is_told_by_its_reason_not_its_path(viewer, tmp_path):
    batch = BatchDock(viewer)
    viewer.window.add_dock_widget(batch, name="Batch")
    source = tmp_path / "a" / "none.tif"
    row = Row(str(source), "failed", error=f"{source} does not exist; check the name.")
    batch.show_rows((row,))
    assert batch.table.item(0, 3).text() == "does not exist; check the name."
    assert str(source) in batch.table.item(0, 3).toolTip()
    assert batch.failures.text() == "none.tif: does not exist; check the name."
    batch.show_rows((Row(str(source), "done"),))
    assert batch.failures.isHidden()


def test_positions_and_workers_are_chosen_in_the_dock(
    viewer, dock, idle, qtbot, tmp_path, monkeypatch
):
    """Two processes at the same time, each position of a file a row of its own."""
    asked = []
    monkeypatch.setattr(batch_dock, "confirm", lambda *words: asked.append(words) or True)
    noise = np.random.default_rng(1)
    path = tmp_path / "plate.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for _ in range(2):
            stack = noise.poisson(30, (2, 12, 12)).astype(np.float32)
            file.write(stack, metadata={"axes": "ZYX"})
    recipe = tmp_path / "recipe.py"
    recipe.write_text("cellinr.denoise('a', steps=1, estimate='gaussian', seed=0)\n")
    batch = BatchDock(viewer)
    viewer.window.add_dock_widget(batch, name="Batch")
    batch.add_files([path])
    batch.recipe_edit.setText(str(recipe))
    batch.output_edit.setText(str(tmp_path / "out"))
    batch.series_box.click()
    batch.workers_box.setMaximum(2)
    batch.workers_box.setValue(2)
    batch.run_button.click()
    qtbot.waitUntil(lambda: not dock.dispatcher.is_busy, timeout=60_000)
    assert [(name, folder) for name, _, _, folder in asked] == [("recipe.py", tmp_path / "out")]
    table = [[batch.table.item(row, column).text() for column in (0, 1)] for row in range(2)]
    assert table == [
        ["plate.ome.tif, position 0", "done"],
        ["plate.ome.tif, position 1", "done"],
    ]
    names = sorted(one.name for one in (tmp_path / "out").glob("*.tif"))
    assert names == ["plate-s0 denoised.tif", "plate-s1 denoised.tif"]


@pytest.fixture
def batch(viewer):
    batch = BatchDock(viewer)
    viewer.window.add_dock_widget(batch, name="Batch")
    return batch


def drop(dock, *paths):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    keys = (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(5, 5), Qt.DropAction.CopyAction, mime, *keys)
    dock.dragEnterEvent(enter)
    assert enter.isAccepted()
    dock.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, mime, *keys))


def test_a_folder_that_is_dropped_is_the_files_in_it(batch, tmp_path):
    plane = Image(np.ones((8, 9), np.float32), "YX")
    folder = tmp_path / "movie"
    (folder / "deeper").mkdir(parents=True)
    for name in ("t10.tif", "t9.tif", "other.nii.gz"):
        write(folder / name, plane)
    write(folder / "big.zarr", plane)
    write(folder / "deeper" / "t11.tif", plane)
    (folder / "notes.txt").write_text("not an image")
    recipe = tmp_path / "recipe.py"
    recipe.write_text("cellinr.denoise('a', steps=1)\n")
    drop(batch, folder, recipe)
    assert [path.name for path in batch.paths] == ["big.zarr", "other.nii.gz", "t9.tif", "t10.tif"]
    assert batch.table.rowCount() == 4
    assert batch.recipe_edit.text() == str(recipe)
    assert batch.run_button.isEnabled()
    drop(batch, folder / "deeper", folder / "t9.tif")
    assert [path.name for path in batch.paths[4:]] == ["t11.tif"]


def test_a_folder_without_images_is_said_in_words_of_the_dock(batch, tmp_path):
    (tmp_path / "papers").mkdir()
    drop(batch, tmp_path / "papers")
    assert "papers contains no readable image" in batch.status.text()
    assert "--" not in batch.status.text()
    assert batch.paths == []


def test_nothing_to_be_done_is_said_beside_the_recipe(batch, viewer, layer, tmp_path):
    good = write(tmp_path / "good.tif", Image(np.ones((2, 8, 9), np.float32), "ZYX"))
    batch.add_files([good])
    assert not batch.run_button.isEnabled()
    assert "No steps recorded yet" in batch.recipe_fault.text()
    batch.recipe_edit.setText(str(tmp_path / "none.py"))
    assert "none.py" in batch.recipe_fault.text()
    assert not batch.run_button.isEnabled()
    batch.recipe_edit.clear()
    batch.dispatcher.open([good])  # to open a file is not yet a step for others
    assert not batch.run_button.isEnabled()
    batch.dispatcher.calibrate("membrane", {"Z": 0.5})
    assert batch.run_button.isEnabled()
    assert batch.recipe_fault.isHidden()
    batch.dispatcher.recorder.clear()
    assert not batch.run_button.isEnabled()


def test_workers_of_dask_are_chosen_and_their_page_is_opened(
    viewer, dock, use_job, idle, qtbot, tmp_path, monkeypatch
):
    from napari_cellinr.macro.batch import run
    from napari_cellinr.ui.widgets import workers

    use_job()
    dock.panel.run_button.click()
    idle(dock)
    batch = BatchDock(viewer)
    viewer.window.add_dock_widget(batch, name="Batch")
    panel, given, opened = batch.workers_panel, [], []

    def iter_batch(macro, paths, output, *, scheduler, say, **options):
        given.append(scheduler)
        say(f"{run.LINK} http://127.0.0.1:8787/status")
        say("the worker on b has another version.")
        yield from ()
        return ()

    monkeypatch.setattr(run, "iter_batch", iter_batch)
    monkeypatch.setattr(workers.QDesktopServices, "openUrl", lambda url: opened.append(url))
    batch.add_files([write(tmp_path / "a.tif", Image(np.ones((2, 8, 9), np.float32), "ZYX"))])
    assert panel.scheduler is None
    assert not panel.address_edit.isVisibleTo(panel)
    panel.place_box.setCurrentText("Dask at an address")
    assert panel.address_edit.isVisibleTo(panel)
    assert not batch.run_button.isEnabled()
    panel.address_edit.setText(" tcp://127.0.0.1:8786 ")
    assert batch.run_button.isEnabled()
    assert not panel.link_button.isVisibleTo(panel)
    batch.run_button.click()
    qtbot.waitUntil(lambda: not dock.dispatcher.is_busy and bool(panel.link))
    assert given == ["tcp://127.0.0.1:8786"]
    assert panel.link_button.isVisibleTo(panel)
    panel.link_button.click()
    assert opened[0].toString() == "http://127.0.0.1:8787/status"
    panel.show_link("file:///etc/passwd")
    assert panel.link == ""
    for text, scheduler in (("Dask, started here", "local"), ("SLURM", "slurm")):
        panel.place_box.setCurrentText(text)
        assert panel.scheduler == scheduler
