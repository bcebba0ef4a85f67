"""Renderings of a fit in a macro: each of its texts, and a replay, give the same image."""

import json
import shlex
from dataclasses import replace

import numpy as np
import pytest

from napari_cellinr import FileError, read, write
from napari_cellinr.cli import main
from napari_cellinr.fitting.problem import finish
from napari_cellinr.macro import Macro, Source, Step, iter_replay, parse_script, script
from napari_cellinr.macro.scripts.notebook import notebook
from napari_cellinr.simulate.embryo import embryo

FINE = "embryo denoised rendered"


@pytest.fixture
def macro(tmp_path):
    path = str(write(tmp_path / "embryo.tif", embryo("membranes", (6, 20, 20), seed=1).raw))
    settings = {"steps": 1, "estimate": "gaussian"}
    names = ("embryo denoised", "embryo background")
    query = {"scale": {"Z": 2}, "crop": {"Y": [4, 12]}}
    return Macro(
        (
            Step("open", (Source(path=path),), results=("embryo",)),
            Step("denoise", (Source("embryo", path),), settings, names, seed=0),
            Step("render", (Source("embryo denoised"),), query, (FINE, "other")),
            Step("save", (Source(FINE),), {"path": "fine.tif"}),
            Step("save", (Source("embryo denoised"),), {"path": "embryo.cellinr"}),
        )
    )


def test_replay_script_and_command_line_give_the_same(macro, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written = finish(iter_replay(macro, output="replayed"))
    assert [path.name for path in written] == ["fine.tif", "embryo.cellinr"]
    replayed = read("replayed/fine.tif")
    assert replayed.shape == (12, 8, 20)
    exec(compile(script(macro, "headless"), "macro", "exec"), {})
    np.testing.assert_array_equal(read("fine.tif").array(), replayed.array())
    for line in script(macro, "cli").splitlines():
        if line.startswith("napari-cellinr"):
            assert main([*shlex.split(line)[1:], "--overwrite"]) == 0
    np.testing.assert_array_equal(read("fine.tif").array(), replayed.array())
    assert [step.arguments for step in parse_script(script(macro)).steps] == [
        step.arguments for step in macro.steps
    ]


def test_a_kept_fit_can_be_where_a_macro_begins(macro, tmp_path):
    finish(iter_replay(macro, output=tmp_path))
    model = str(tmp_path / "embryo.cellinr")
    steps = (
        Step("open", (Source(path=model),), results=("embryo denoised",)),
        *macro.steps[2:4],
    )
    finish(iter_replay(Macro(steps), output=tmp_path / "again"))
    again = read(tmp_path / "again" / "fine.tif").array()
    np.testing.assert_allclose(again, read(tmp_path / "fine.tif").array(), atol=1e-3)
    unfitted = Macro((macro.steps[0], Step("render", (Source("embryo"),))))
    with pytest.raises(FileError, match="fit of layer 'embryo' is needed"):
        finish(iter_replay(unfitted, output=tmp_path))


def test_a_notebook_has_a_cell_for_every_step(macro, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed = replace(macro.steps[2], status="failed", note="no such channel")
    book = json.loads(notebook(Macro((*macro.steps, failed))))
    assert (book["nbformat"], book["cells"][0]["cell_type"]) == (4, "markdown")
    assert "no such channel" in book["cells"][0]["source"]
    code = [cell["source"] for cell in book["cells"] if cell["cell_type"] == "code"]
    assert len(code) == 1 + len(macro.steps)  # imports, and one for each step
    place = {}
    for source in code:
        exec(compile(source, "cell", "exec"), place)
    assert read("fine.tif").shape == (12, 8, 20)
    assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])


@pytest.mark.parametrize(
    ("action", "result", "times"),
    [
        ("reconstruct", "reconstructed · movie", "0.5,1.5s"),
        ("superresolve", "super-resolved · movie", "0.5,1.5"),
    ],
)
def test_times_of_a_reconstruction_are_seconds_whatever_the_unit_of_the_file(action, result, times):
    steps = (
        Step("open", (Source(path="movie.ome.tif"),), results=("movie",)),
        Step(action, (Source("movie"),), {"steps": 1}, (result,)),
        Step("render", (Source(result),), {"times": [0.5, 1.5]}, (f"rendered · {result}",)),
    )
    assert f"--times {times}" in script(Macro(steps), "cli").splitlines()[-1]
