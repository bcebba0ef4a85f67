"""Every block of code in the README and the guide runs, or is parsed where it needs a viewer."""

import ast
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from napari_cellinr import Image, denoise, superresolve, write

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/guide/*.md"))]

RUN_ELSEWHERE = {"README.md", "python.md"}
"""Pages whose blocks `test_documents.py` runs, each as a whole."""

OTHER_COMMANDS = ("./run ", "pip install ", "python3 -m venv ", ".venv/bin/")


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)


PYTHON = [
    pytest.param(code, id=f"{path.stem}-{i}")
    for path in PAGES
    if path.name not in RUN_ELSEWHERE
    for i, code in enumerate(blocks(path, "python"))
]
IN_A_VIEWER = [one for one in PYTHON if "cellinr." in one.values[0].split("from ")[0]]
PLAIN = [one for one in PYTHON if one not in IN_A_VIEWER]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The files that the guide speaks of."""
    monkeypatch.chdir(tmp_path)
    units = ("micrometer",) * 3
    values = np.random.default_rng(0).poisson(50, (4, 160, 12)).astype(np.float32)
    stack = Image(values, "ZYX", scale=(0.36, 0.18, 0.18), units=units)
    for name in ("embryo.nii.gz", "plate.ome.tif"):
        write(name, stack)
    write("huge.tif", Image(np.zeros((30, 8, 8), np.float32), "ZYX"))
    write("cells.zarr", Image(np.random.default_rng(1).poisson(50, (2, 24, 24)), "TYX"))
    Path("movie-folder").mkdir()
    for number in (1, 7):
        for folder in (".", "movie-folder"):
            write(Path(folder) / f"t{number:03}.tif", Image(values[0, :8], "YX"))
    denoise(stack, "preview", steps=2, estimate="gaussian").save("embryo.cellinr")
    return stack


def test_the_pages_have_blocks_of_each_kind():
    assert len(PLAIN) >= 5
    assert len(IN_A_VIEWER) >= 5


@pytest.mark.parametrize("code", PLAIN)
@pytest.mark.filterwarnings("ignore::napari_cellinr.errors.FileWarning")
def test_python_runs(code, files):
    movie = Image(np.random.default_rng(0).poisson(50, (3, 2, 6, 6)), "TZYX")
    place = {"superresolve": partial(superresolve, preset="preview"), "movie": movie}
    from napari_cellinr import read, read_all

    place |= {"write": write, "read": read, "read_all": read_all}
    exec(compile(code, "guide", "exec"), place)


@pytest.mark.parametrize("code", IN_A_VIEWER)
def test_the_console_has_what_the_guide_calls(code):
    from napari_cellinr.macro.actions import ACTIONS
    from napari_cellinr.ui.session.console import Console

    named = {
        node.attr
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "cellinr"
    }
    assert named
    assert [name for name in named - {*ACTIONS, "continue_fit"} if not hasattr(Console, name)] == []


def test_every_line_for_a_shell_is_a_command_that_is_tested_or_sets_up():
    lines = [line for path in PAGES for block in blocks(path, "sh") for line in block.splitlines()]
    assert len(lines) > 30
    known = ("napari-cellinr ", *OTHER_COMMANDS)
    assert [line for line in lines if not line.startswith(known)] == []
