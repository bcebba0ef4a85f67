"""Command line and Python interface need neither napari nor Qt, and every import is declared."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import tifffile

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "napari_cellinr"

VIEWER = {
    "napari", "npe2", "magicgui", "app_model", "qtpy", "PySide6", "PyQt6", "superqt", "pyqtgraph",
    "vispy",
}  # fmt: skip

HEADLESS = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {VIEWER!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
import napari_cellinr
from napari_cellinr.cli import main

for name in napari_cellinr.__all__:
    getattr(napari_cellinr, name)
main(["info", "data.tif"])
main(["replay", "steps.py", "--plan"])
"""

OPTIONAL = {"lpips", "tqdm", "xarray"}
"""Used if they are there; a message says what to install, or nothing is lost without them."""

NAMES = {"skimage": "scikit-image", "PIL": "pillow", "mpl_toolkits": "matplotlib"}
"""Packages whose modules have another name."""


def test_nothing_but_ui_needs_a_viewer(tmp_path):
    tifffile.imwrite(tmp_path / "data.tif", np.zeros((8, 8), np.uint8))
    (tmp_path / "steps.py").write_text('cellinr.open("data.tif")\n')
    subprocess.run([sys.executable, "-c", HEADLESS], cwd=tmp_path, check=True, timeout=300)


def imported(folder, *, without=()):
    """Return the names of the packages that the modules of a folder import."""
    found = set()
    for path in folder.rglob("*.py"):
        if path.relative_to(folder).parts[0] in without:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    found -= {*sys.stdlib_module_names, "napari_cellinr"}
    return {NAMES.get(name, name).replace("_", "-") for name in found}


def declared(*extras):
    """Return the names of the packages that the project needs, with some of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return {re.match(r"[\w-]+", line)[0].lower() for line in lines}


def test_what_the_package_imports_is_declared():
    outside = imported(PACKAGE, without={"ui"})
    assert outside - declared("cluster", "figures", "formats") <= OPTIONAL
    assert imported(PACKAGE / "ui") - declared("napari") == set()


def test_the_base_dependencies_bring_no_viewer():
    # pyqtgraph needs no Qt binding, and a napari's plugin manager would not bring it
    assert declared() & {name.lower() for name in VIEWER} == {"pyqtgraph"}
    assert declared("napari") & {"pyside6", "pyqt6"} == set()
