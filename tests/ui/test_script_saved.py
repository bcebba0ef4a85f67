"""*Save …* and *Copy* of the dock Script say what they have done, and where."""

import pytest
from qtpy.QtWidgets import QFileDialog

from napari_cellinr.ui.docks.script import ScriptDock

pytestmark = pytest.mark.gui


@pytest.fixture
def scripts(viewer, dock, use_job, idle):
    """Return the dock after a denoising."""
    use_job()
    dock.run()
    idle(dock)
    scripts = ScriptDock(viewer)
    viewer.window.add_dock_widget(scripts, name="Script")
    return scripts


@pytest.fixture
def choose(monkeypatch):
    """Return a function that sets what the dialog returns: a file, and the kind of file."""

    def answer(path, kind):
        def ask(parent, title, usual, kinds):
            assert kind in kinds
            return str(path), kind

        monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)

    return answer


@pytest.mark.parametrize(
    ("name", "kind", "wanted", "begins"),
    [
        ("spheroid.py", "Script (*.py)", "spheroid.py", "# Recorded"),
        ("spheroid", "Script (*.py)", "spheroid.py", "# Recorded"),
        ("spheroid", "Recipe (*.json)", "spheroid.json", "{"),
        ("spheroid 1.5", "Notebook (*.ipynb)", "spheroid 1.5.ipynb", "{"),
    ],
)
def test_a_saved_script_is_named_and_has_the_chosen_kind(
    scripts, choose, tmp_path, name, kind, wanted, begins
):
    choose(tmp_path / name, kind)
    assert scripts.message.isHidden()
    scripts.save_button.click()
    assert (tmp_path / wanted).read_text().lstrip().startswith(begins)
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == [wanted]
    assert not scripts.message.isHidden()
    assert scripts.message.text() == f"{wanted} is written."
    assert str(tmp_path / wanted) in scripts.message.toolTip()


def test_what_was_said_goes_with_its_script(scripts, dock, idle, choose, tmp_path):
    scripts.copy_button.click()
    assert "clipboard" in scripts.message.text()
    choose(tmp_path / "a.py", "Script (*.py)")
    scripts.save_button.click()
    assert "a.py" in scripts.message.text()
    dock.run()
    idle(dock)
    assert scripts.message.isHidden()
    scripts.save_button.click()
    assert not scripts.message.isHidden()
    said = []
    dock.controller.said.connect(lambda kind, text: said.append((kind, text)))
    choose(tmp_path / "none" / "a.py", "Script (*.py)")  # there is no such folder
    scripts.save_button.click()
    assert [kind for kind, _ in said] == ["error"]
    assert scripts.message.isHidden()
