"""What the documents say is there is there, and their commands and scripts run."""

import re
import shlex
import subprocess
from functools import partial
from pathlib import Path

import pytest
from npe2 import PluginManifest

from napari_cellinr import denoise, write
from napari_cellinr.cli import make_parser
from napari_cellinr.simulate.embryo import embryo

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)


def test_command_lines_are_understood():
    text = "".join(block for path in DOCUMENTS for block in blocks(path, "sh"))
    commands = [line for line in text.splitlines() if line.startswith("napari-cellinr ")]
    assert len(commands) > 20
    parser = make_parser()
    for line in commands:
        parser.parse_args(shlex.split(line)[1:])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text("utf-8")):
        assert target.startswith("https://") or (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_tests_that_a_document_names_exist(path):
    for file, name in re.findall(r"`([\w/]+\.py)::(\w+)`", path.read_text("utf-8")):
        text = (ROOT / "tests" / file).read_text("utf-8")
        assert re.search(rf"^def {name}\(", text, re.M), f"{file}::{name}"


def test_commands_of_the_readme_exist():
    commands = re.findall(r"\./run (\w+)", (ROOT / "README.md").read_text("utf-8"))
    assert set(commands) == {"demo", "test"}
    script = (ROOT / "run").read_text()
    assert all(f'"{command} "*' in script for command in commands)


def test_run_explains_itself():
    result = subprocess.run([ROOT / "run"], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "./run demo" in result.stdout
    assert "./run test" in result.stdout


def test_constraints_pin_what_the_package_needs():
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    names = {line.split("==")[0].lower() for line in pins if line and line[0] != "#"}
    assert "torch==2.13.0" in pins
    project = (ROOT / "pyproject.toml").read_text()
    needed = re.findall(r'^    "([A-Za-z0-9_-]+)(?:\[\w+\])?>=', project, re.M)
    assert len(needed) > 10
    assert {name.lower() for name in needed} <= names


def test_architecture_names_every_file_where_it_is():
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    package = ROOT / "src" / "napari_cellinr"
    named, folder = set(), package
    for heading, file in re.findall(r"^### `([\w/]+)/`|^- `(\w+\.py)`", text, re.M):
        if heading:
            folder = package if heading == package.name else package / heading
        else:
            named.add(folder / file)
    there = {path for path in package.rglob("*.py") if path.name != "__init__.py"}
    assert named == there


def test_architecture_points_to_files_that_exist():
    package = ROOT / "src" / "napari_cellinr"
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition("## Files")[0]
    for name in re.findall(r"`([a-z_]+/[\w/]+\.py|[a-z_]+(?:/[a-z_]+)*/)`", text):
        assert (package / name).exists() or (ROOT / name).exists(), name


def test_the_guide_names_every_preference():
    manifest = PluginManifest.from_file(ROOT / "napari.yaml")
    text = (ROOT / "docs" / "guide" / "docks.md").read_text("utf-8")
    page = text.partition("## Preferences")[2]
    titles = [
        one.title
        for section in manifest.contributions.configurations.values()
        for one in section.properties.values()
    ]
    assert len(titles) > 5
    assert [title for title in titles if f"| *{title}* |" not in page] == []


def test_python_of_the_guide_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = {}
    for code in blocks(ROOT / "docs" / "guide" / "python.md", "python"):
        exec(compile(code, "python.md", "exec"), place)
    assert (tmp_path / "clean.ome.tif").exists()
    assert (tmp_path / "movie.cellinr").exists()


def test_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write("embryo.tif", embryo("membranes", (8, 24, 24), seed=1).raw)
    quick = partial(denoise, steps=3)
    monkeypatch.setattr("napari_cellinr.denoise", quick, raising=False)
    for code in blocks(ROOT / "README.md", "python"):
        exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "embryo-clean.tif").exists()
