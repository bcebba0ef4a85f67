"""`~` in a path: the home folder in all modules; a name like any other if there is no such user."""

import ast
from pathlib import Path

import pytest

import napari_cellinr
from napari_cellinr.cli import main
from napari_cellinr.io.names import place_of

PACKAGE = Path(napari_cellinr.__file__).parent


def test_only_place_of_expands_the_home_folder():
    calls = []
    for path in PACKAGE.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        names = [getattr(node, "attr", getattr(node, "id", "")) for node in nodes]
        calls += [path.relative_to(PACKAGE).as_posix()] * names.count("expanduser")
    assert calls == ["io/names.py"]


def test_the_home_folder_of_a_user_who_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert place_of("~/x") == tmp_path / "x"
    assert place_of("~nouser/x") == Path("~nouser/x")


@pytest.mark.parametrize(
    "command",
    [
        "info {}.tif",
        "convert {}.tif out.tif",
        "denoise {}.tif out.tif",
        "superresolve {}.tif out.tif",
        "reconstruct {}.tif out.tif",
        "denoise {}.tif out.tif --resume {}",
        "compare {}.tif {}.tif",
        "render {}.cellinr out.tif",
        "show-motion {}.cellinr out.csv",
        "replay {}.py",
        "replay {}.json --folder {}",
        "batch {}.json {}.tif --folder out",
    ],
)
def test_a_command_says_that_such_a_file_is_missing(command, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    said = []
    for name in ("missing/x", "~nouser/x"):
        assert main(command.format(*[name] * command.count("{}")).split()) == 2
        error = capsys.readouterr().err
        assert len(error.splitlines()) == 1
        said.append(error.replace(name, "x"))
    assert said[0] == said[1]
