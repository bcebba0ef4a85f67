"""The examples run as they are, are short, and become notebooks with the same code."""

import ast
import importlib.util
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(ROOT.glob("examples/*.py"))


def test_there_is_one_for_each_job():
    text = "".join(path.read_text("utf-8") for path in EXAMPLES)
    assert len(EXAMPLES) >= 6
    for job in ("denoise(", "superresolve(", "reconstruct(", "render(", '"batch"', "ForwardModel"):
        assert job in text


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_run_without_arguments(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = {"denoise_stack.py": ["small.tif", "10"]}.get(path.name, [])
    if arguments:
        from napari_cellinr import write
        from napari_cellinr.simulate.embryo import embryo

        write("small.tif", embryo("membranes", (8, 24, 24), seed=1).raw)
    monkeypatch.setattr(sys, "argv", [str(path), *arguments])
    if path.name == "own_microscope.py":  # its kind of microscope must not stay in this process
        subprocess.run([sys.executable, path], check=True)
    else:
        runpy.run_path(str(path), run_name="__main__")
    assert len(path.read_text("utf-8").splitlines()) < 60
    assert any(file.suffix in {".tif", ".csv"} for file in tmp_path.rglob("*"))


def maker():
    spec = importlib.util.spec_from_file_location("notebooks", ROOT / "docs" / "notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_notebooks_have_the_code_of_the_examples(path):
    source = path.read_text("utf-8")
    found = maker().notebook(source)
    code = "\n".join(c["source"] for c in found["cells"] if c["cell_type"] == "code")
    tree = ast.parse(source)
    tree.body = tree.body[1:]  # the docstring is a cell of text
    assert ast.dump(ast.parse(code)) == ast.dump(tree)
    kinds = [cell["cell_type"] for cell in found["cells"]]
    assert kinds[:2] == ["markdown", "code"]
    assert kinds.count("code") >= 3
    assert len({cell["id"] for cell in found["cells"]}) == len(kinds)


def test_one_command_writes_all_notebooks(tmp_path):
    maker().main(tmp_path / "made")
    names = {path.stem for path in (tmp_path / "made").iterdir()}
    assert names == {path.stem for path in EXAMPLES}
