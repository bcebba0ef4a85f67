"""What is done is recorded, shown as a script, and can be done again."""

import sys
from types import ModuleType

import napari.utils.io
import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_cellinr.errors import AxesError, ConfigError, FileError
from napari_cellinr.fitting.problem import finish
from napari_cellinr.io import read
from napari_cellinr.macro import iter_replay, load_macro, parse_script
from napari_cellinr.ui import plugin
from napari_cellinr.ui.console import console_of
from napari_cellinr.ui.docks import script as script_dock
from napari_cellinr.ui.docks.script import ScriptDock

pytestmark = pytest.mark.gui


@pytest.fixture
def stack_file(tmp_path, stack):
    path = tmp_path / "embryo.tif"
    metadata = {"axes": "ZYX", "spacing": 1.5, "unit": "um"}
    tifffile.imwrite(path, stack, imagej=True, resolution=(5, 5), metadata=metadata)
    return path


@pytest.fixture
def scripts(viewer):
    dock = ScriptDock(viewer)
    viewer.window.add_dock_widget(dock, name="Script")
    return dock


def calls(text):
    return [line for line in str(text).splitlines() if line.startswith("cellinr.")]


def test_the_round_trip(viewer, dock, scripts, use_job, stack_file, tmp_path):
    """Record → clear → run: same parameters, layer names and numbers."""
    viewer.layers.clear()
    cellinr = console_of(viewer)
    job = use_job()
    dock.open([stack_file])
    dock.form.field("background").set_value("keep")
    dock.form.field("seed").set_value("5")
    dock.panel.run_button.click()
    cellinr.save("denoised · embryo", tmp_path / "clean.tif")
    cellinr.wait()
    text = str(cellinr.macro)
    assert calls(text) == [
        f"cellinr.use('embryo', {str(stack_file)!r})",
        "cellinr.denoise('embryo', background='keep', seed=5)",
        f"cellinr.save('denoised · embryo', {str(tmp_path / 'clean.tif')!r})",
    ]
    assert scripts.text.toPlainText() == text
    assert repr(cellinr.last) == calls(text)[-1]
    names = [layer.name for layer in viewer.layers]
    numbers = np.array(viewer.layers["denoised · embryo"].data)
    viewer.layers.clear()
    cellinr.clear()
    (tmp_path / "clean.tif").unlink()
    assert scripts.text.toPlainText() == ""
    exec(compile(text, "macro", "exec"), {})
    cellinr.wait()
    assert [layer.name for layer in viewer.layers] == names
    np.testing.assert_array_equal(viewer.layers["denoised · embryo"].data, numbers)
    assert job.configs[0] == job.configs[1]
    assert calls(cellinr.macro) == calls(text)
    assert (tmp_path / "clean.tif").is_file()


@pytest.fixture
def _scripts_are_forgotten(monkeypatch):
    """Let napari keep the variables of scripts, with all that they refer to, during a test only."""
    monkeypatch.setattr(napari.utils.io, "_SCRIPT_NAMESPACES", {}, raising=False)
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))


@pytest.mark.usefixtures("_scripts_are_forgotten")
def test_a_saved_macro_that_is_dropped_replays(viewer, dock, scripts, use_job, idle, tmp_path):
    use_job()
    dock.panel.run_button.click()
    idle(dock)
    scripts.save_as(str(tmp_path / "macro.py"))
    scripts.save_as(str(tmp_path / "recipe.json"))
    viewer.layers.remove("denoised · membrane")
    viewer.open(tmp_path / "macro.py", plugin="napari")  # what a drop onto the canvas does
    console_of(viewer).wait()
    assert [layer.name for layer in viewer.layers] == ["membrane", "denoised · membrane"]
    with pytest.raises(FileError):
        console_of(viewer).replay(tmp_path / "none.json")
    console_of(viewer).replay(tmp_path / "recipe.json", ask=False)
    console_of(viewer).wait()
    assert len(viewer.layers) == 3


@pytest.fixture
def answers(monkeypatch):
    """Return a function that chooses the button for every question, and returns the questions."""
    asked = []

    def execute(box):
        asked.append(box.text())
        (button,) = [one for one in box.buttons() if one.text().strip("&") == answer.word]
        button.click()
        return 0

    def answer(word):
        answer.word = word
        return asked

    monkeypatch.setattr(QMessageBox, "exec", execute)
    return answer


def drop(dock, path):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    keys = (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    dock.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, mime, *keys))


def test_a_dropped_macro_is_read_and_done_only_if_agreed(
    viewer, dock, scripts, use_job, answers, tmp_path
):
    job = use_job()
    macro, clean = tmp_path / "macro.py", tmp_path / "clean.tif"
    macro.write_text(
        "cellinr.denoise('membrane', seed=3)\n"
        f"cellinr.save('denoised · membrane', {str(clean)!r})\n"
    )
    asked = answers("Cancel")
    drop(scripts, macro)
    assert (job.configs, len(viewer.layers)) == ([], 1)
    answers("Run")
    drop(scripts, macro)
    console_of(viewer).wait()
    assert job.configs[0].seed == 3
    assert clean.is_file()
    assert "cellinr.denoise('membrane', seed=3)" in asked[0]
    assert f"writes {clean}" in asked[0]
    assert asked[0] == asked[1]
    answers("Cancel")
    drop(scripts, macro)
    assert "(replaces the existing file)" in asked[2]
    macro.write_text("import os\nos.abort()\n")
    drop(scripts, macro)
    assert "line 2, is not a step" in dock.panel.status.text()
    assert len(asked) == 3


def test_no_layer_is_saved_over_the_file_that_it_came_from(
    viewer, dock, stack_file, answers, tmp_path
):
    before = stack_file.read_bytes()
    cellinr = console_of(viewer)
    cellinr.open(stack_file)
    with pytest.raises(FileError, match="would overwrite"):
        cellinr.save("embryo", stack_file)
    macro = tmp_path / "macro.py"
    macro.write_text(f"cellinr.save('membrane', {str(tmp_path / 'x' / '..' / 'embryo.tif')!r})\n")
    asked = answers("Run")
    with pytest.raises(FileError, match="never writes its inputs"):
        cellinr.replay(macro)
    assert asked == []
    assert stack_file.read_bytes() == before


def test_a_layer_whose_name_has_line_breaks_is_recorded_and_found(viewer, dock, use_job, stack):
    job = use_job()
    name = "cell\nimport os"
    viewer.add_image(stack, name=name, axis_labels=tuple("zyx"))
    cellinr = console_of(viewer)
    cellinr.denoise(name, seed=1)
    cellinr.wait()
    assert calls(cellinr.macro) == ["cellinr.denoise('cell import os', seed=1)"]
    cellinr.replay()
    cellinr.wait()
    assert len(job.configs) == 2


def test_buttons_copy_replay_and_clear(viewer, dock, scripts, use_job, idle):
    job = use_job(steps=3)
    assert not scripts.replay_button.isEnabled()
    dock.panel.run_button.click()
    idle(dock)
    scripts.copy_button.click()
    assert "cellinr.denoise('membrane', seed=0)" in QApplication.clipboard().text()
    scripts.replay_button.click()
    idle(dock)
    assert len(job.configs) == 2
    assert len(dock.dispatcher.recorder.macro.steps) == 1  # a replay is not recorded
    scripts.style_box.setCurrentIndex(2)
    scripts.style_box.activated.emit(2)
    assert "napari-cellinr denoise membrane.tif" in scripts.text.toPlainText()
    scripts.record_box.click()
    dock.run()
    idle(dock)
    assert len(dock.dispatcher.recorder.macro.steps) == 1
    scripts.clear_button.click()
    assert scripts.text.toPlainText() == ""


@pytest.mark.parametrize("when", ["before", "meanwhile", "after"])
@pytest.mark.parametrize("kind", ["file", "sample", "array"])
def test_a_source_that_is_renamed(
    viewer, dock, use_job, stack, stack_file, tmp_path, qtbot, idle, kind, when
):
    """The script does the same again, in a viewer and without one."""
    viewer.layers.clear()
    cellinr = console_of(viewer)
    job = use_job(steps=4)
    if kind == "file":
        dock.open([stack_file])
    elif kind == "sample":
        viewer.open_sample("napari-cellinr", "embryo-membranes")
    else:
        viewer.add_image(stack, name="embryo", axis_labels=("z", "y", "x"))
    source = viewer.layers[-1]
    rename = lambda: setattr(source, "name", "mine")  # noqa: E731
    if when == "before":
        rename()
    if when == "meanwhile":
        job.may_go_on.clear()
    cellinr.denoise(source)
    if when == "meanwhile":
        qtbot.waitUntil(lambda: job.step > 0)
        rename()
        job.may_go_on.set()
    cellinr.wait()
    result = viewer.layers[-1]
    if when != "after":
        assert result.name == "denoised · mine"
    else:
        rename()
    numbers = np.array(result.data)
    cellinr.compare(result)
    cellinr.wait()
    cellinr.save(result.name, tmp_path / "a.tif")
    cellinr.save(viewer.layers[-1].name, tmp_path / "b.tif")
    text = str(cellinr.macro)
    (tmp_path / "macro.json").write_text(dock.dispatcher.recorder.macro.as_json())
    if kind == "array":
        viewer.layers.clear()
        viewer.add_image(stack, name="mine", axis_labels=("z", "y", "x"))
    else:
        viewer.layers.clear()
    saved = {name: read(tmp_path / name).array() for name in ("a.tif", "b.tif")}
    np.testing.assert_array_equal(saved["a.tif"], numbers)
    for name in saved:
        (tmp_path / name).unlink()
    cellinr.clear()
    exec(compile(text, "macro", "exec"), {})
    cellinr.wait()
    for name, values in saved.items():
        np.testing.assert_array_equal(read(tmp_path / name).array(), values)
    if kind != "array":
        for macro in (parse_script(text), load_macro(tmp_path / "macro.json")):
            finish(iter_replay(macro, output=tmp_path / "again", overwrite=True))
            for name, values in saved.items():
                np.testing.assert_array_equal(read(tmp_path / "again" / name).array(), values)


def test_files_that_napari_opens_and_voxel_sizes_are_recorded(viewer, dock, stack, tmp_path):
    viewer.layers.clear()
    tifffile.imwrite(tmp_path / "plain.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    viewer.open(tmp_path / "plain.tif", plugin="napari-cellinr")
    cellinr = console_of(viewer)
    cellinr.calibrate("plain", Z=0.4, Y=0.2, X=0.2)
    assert calls(cellinr.macro) == [
        f"cellinr.use('plain', {str(tmp_path / 'plain.tif')!r})",
        "cellinr.calibrate('plain', Z=0.4, Y=0.2, X=0.2)",
    ]
    with pytest.raises(AxesError):
        cellinr.calibrate("plain", T=2, Q=3)
    viewer.layers["plain"].name = "renamed"
    assert "calibrate('plain'" in str(cellinr.macro)


def test_what_napari_saves_with_our_writer_is_recorded(viewer, dock, stack, use_job, tmp_path):
    use_job()
    cellinr = console_of(viewer)
    viewer.add_image([stack, stack[:, ::2, ::2]], name="pyramid", axis_labels=tuple("zyx"))
    cellinr.denoise("membrane")
    cellinr.wait()
    for name in ("denoised · membrane", "pyramid"):
        viewer.layers.selection = {viewer.layers[name]}
        path = str(tmp_path / f"{name}.tif")
        viewer.layers.save(path, selected=True, plugin="napari-cellinr")
        assert calls(cellinr.macro)[-1] == f"cellinr.save({name!r}, {path!r})"
    assert len(calls(cellinr.macro)) == 3
    plugin.write_image(
        str(tmp_path / "other.tif"), stack, {"name": "denoised · membrane", "axis_labels": "zyx"}
    )
    cellinr.stop()
    viewer.layers["membrane"].save(str(tmp_path / "b.tif"), plugin="napari-cellinr")
    assert len(calls(cellinr.macro)) == 3


def test_a_time_step_is_in_seconds(viewer, dock, stack):
    viewer.add_image(stack, name="movie", axis_labels=("t", "y", "x"))
    cellinr = console_of(viewer)
    cellinr.calibrate("movie", T=2, Y=0.2, X=0.2)
    movie = viewer.layers["movie"]
    assert [str(unit) for unit in movie.units] == ["second", "micrometer", "micrometer"]
    assert tuple(movie.scale) == (2, 0.2, 0.2)
    cellinr.calibrate("movie", T=3)
    assert [str(unit) for unit in movie.units] == ["second", "micrometer", "micrometer"]
    assert cellinr.last == "cellinr.calibrate('movie', T=3.0)"


def test_the_console_has_one_method_per_action_and_explains_itself(viewer, dock):
    cellinr = console_of(viewer)
    assert {"denoise", "macro", "last", "replay", "save_macro", "start", "stop", "clear"} <= set(
        dir(cellinr)
    )
    assert "denoise" in repr(cellinr)
    with pytest.raises(AttributeError, match="it has"):
        cellinr.explode()
    with pytest.raises(ConfigError, match="backgrund"):
        cellinr.denoise("membrane", backgrund="keep")
    with pytest.raises(AxesError, match="has no fit"):
        cellinr.save("membrane", "a.cellinr")


class FakeConsole:
    """What is used of napari's console, whose first prompt comes after a while.

    The real one is held for ever by IPython, which the fixture of napari takes for a leak.
    """

    def __init__(self):
        self.dockConsole, self.console = self, self
        self._prompt, self.input_buffer, self.shown = "", "", False

    def setVisible(self, shown):  # noqa: N802
        self.shown = shown


def test_the_script_is_put_into_the_console(viewer, dock, monkeypatch, qtbot, tmp_path):
    holder = FakeConsole()
    monkeypatch.setattr(script_dock, "_window_of", lambda viewer: holder)
    scripts = ScriptDock(viewer)
    viewer.window.add_dock_widget(scripts, name="Script")
    cellinr = console_of(viewer)
    cellinr.calibrate("membrane", Z=0.4)
    assert scripts.insert_button.isVisibleTo(scripts)
    scripts.insert_button.click()
    assert holder.shown
    qtbot.wait(150)
    assert holder.input_buffer == ""
    holder._prompt = "In [1]: "
    qtbot.waitUntil(lambda: holder.input_buffer == str(cellinr.macro))
    scripts.save_as(str(tmp_path / "macro.ipynb"))
    assert '"nbformat": 4' in (tmp_path / "macro.ipynb").read_text(encoding="utf-8")


def test_without_a_console_the_script_can_be_copied(viewer, dock, scripts, monkeypatch):
    monkeypatch.setattr(script_dock, "_window_of", lambda viewer: None)
    other = ScriptDock(viewer)
    assert not other.insert_button.isVisibleTo(other)
    other.insert()
    assert "copy the script" in dock.panel.status.text()
    other.deleteLater()


def test_the_console_of_napari_has_the_object(viewer, monkeypatch):
    given = []
    monkeypatch.setattr(napari.Viewer, "update_console", lambda self, names: given.append(names))
    cellinr = console_of(viewer)
    assert given == [{"cellinr": cellinr}]
    assert console_of(viewer) is cellinr
    assert len(given) == 1


def test_console_replaces_only_files_that_it_has_written(viewer, dock, tmp_path):
    cellinr, other, own = console_of(viewer), tmp_path / "other.tif", tmp_path / "own.tif"
    other.write_bytes(b"somebody else's")
    with pytest.raises(FileError, match="overwrite=True"):
        cellinr.save("membrane", other)
    assert other.read_bytes() == b"somebody else's"
    cellinr.save("membrane", own)
    cellinr.save("membrane", own)
    cellinr.replay()
    cellinr.save("membrane", other, overwrite=True)
    assert other.read_bytes() == own.read_bytes()
    for style, name in (("console", "macro.py"), ("cli", "macro.sh")):
        script = tmp_path / name
        script.write_text("somebody else's")
        with pytest.raises(FileError, match="overwrite=True"):
            cellinr.save_macro(script, style)
        assert script.read_text() == "somebody else's"
        cellinr.save_macro(script, style, overwrite=True)
        cellinr.save_macro(script, style)
        assert "Recorded by napari-cellinr" in script.read_text()


def test_replayed_script_replaces_files_only_if_that_is_allowed(viewer, dock, answers, tmp_path):
    cellinr, macro, made = console_of(viewer), tmp_path / "macro.py", tmp_path / "made.tif"
    macro.write_text(f"cellinr.save('membrane', {str(made)!r}, overwrite=True)\n")
    made.write_bytes(b"somebody else's")
    with pytest.raises(FileError, match="overwrite=True"):
        cellinr.replay(macro, ask=False)
    assert made.read_bytes() == b"somebody else's"
    cellinr.replay(macro, ask=False, overwrite=True)
    assert made.stat().st_size > 100
    made.write_bytes(b"somebody else's")
    asked = answers("Run")
    cellinr.replay(macro)
    assert "(replaces the existing file)" in asked[0]
    assert made.stat().st_size > 100
