"""What version 0.1 has saved: it opens and renders as it did then, goes on, and replays.

The files and how they were made: `data/v0.1/README.md`. Everything here is done through the
command line and the names at the top of the package, in the spelling of version 0.1.
"""

import ast
import csv
import json
import os
import platform
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_cellinr import load_fit, read, render
from napari_cellinr.cli import main

DATA = Path(__file__).parent / "data" / "v0.1"

EXPECTED = json.loads((DATA / "expected.json").read_text("utf-8"))
"""Shape, mean and standard deviation of every result, as version 0.1 gave them."""

RENDERED = 1e-5  # relative
COMPUTED = 0.1
"""Relative tolerance of what is computed anew, by methods that have been improved since then."""

FITS = sorted(path.stem for path in (DATA / "fits").iterdir())

QUERIES = {
    "denoise": {"scale": {"Y": 2.0}, "crop": {"X": (3, 15)}},
    "denoise-paper": {"scale": {"Y": 1.5, "X": 2.0}},
    "denoise-series": {"times": (2.0,), "scale": {"X": 2.0}},
    "reconstruct-line-scan": {"times": (0.25, 0.75)},
    "reconstruct-time-lapse": {"times": (0.5,), "crop": {"Y": (2, 10)}},
    "superresolve": {"times": (0.2, 0.7), "scale": {"X": 2.0}},
    "superresolve-paper": {"times": (0.3,), "scale": {"Y": 2.0, "X": 1.5}},
}

COMMANDS = {
    "denoise": "denoise inputs/cells.tif",
    "denoise-series": "denoise inputs/series.tif",
    "reconstruct": "reconstruct inputs/movie.tif",
    "superresolve": "superresolve inputs/movie.tif",
    "superresolve-paper": "superresolve inputs/movie.tif",
}

SAVED = (
    "again.ome.tif", "background.tif", "clean.tif", "difference.tif", "finer.tif",
    "motion.csv", "rendered.tif", "scene.tif", "speed.tif",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a copy of the files in which the paths of macros and checkpoints are right."""
    place = tmp_path / "data"
    shutil.copytree(DATA, place)
    monkeypatch.chdir(place)
    return place


def numbers(values):
    values = np.asarray(values, np.float64)
    return {"shape": list(values.shape), "mean": values.mean(), "std": values.std()}


def check(name, values, tolerance):
    """Check that an array is what version 0.1 gave under this name."""
    expected, found = EXPECTED[name], numbers(values)
    assert found["shape"] == expected["shape"], name
    size = max(abs(expected["mean"]), expected["std"])
    for key in ("mean", "std"):
        assert found[key] == pytest.approx(expected[key], rel=0, abs=tolerance * size), name


def check_saved(place):
    """Check all files that the macro saves; how many arrows there are depends on the motion."""
    for name in SAVED:
        path = place / name
        if path.suffix == ".csv":
            assert table(path).shape[1] == EXPECTED[name]["shape"][1]
        elif name not in {"difference.tif", "speed.tif"}:  # small against what they depend on
            check(name, read(path).array(), COMPUTED)


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return np.array(list(csv.reader(file))[1:], np.float64)


@pytest.mark.parametrize("name", FITS)
def test_a_saved_fit_renders_what_it_was_and_more(name):
    fit = load_fit(DATA / "fits" / f"{name}.cellinr")
    for number, image in enumerate(render(fit, device="cpu")):
        check(f"{name} {number}", image.array(), RENDERED)
    image = render(fit, device="cpu", **QUERIES[name])[0]
    check(f"{name} query", image.array(), RENDERED)


def test_a_saved_fit_knows_axes_and_steps():
    image = render(load_fit(DATA / "fits" / "superresolve.cellinr"), device="cpu")[0]
    assert (image.axes, image.scale) == ("TYX", (0.25, 0.2, 0.2))
    assert image.units == ("second", "micrometer", "micrometer")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_checkpoint_that_a_killed_program_left_is_resumed(name, folder):
    checkpoint = folder / "checkpoints" / name
    killed = {"pid": 2**22 + 1, "started": 0.0, "computer": platform.node()}  # nobody has this
    (checkpoint / "holder.json").write_text(json.dumps(killed), "utf-8")
    words = COMMANDS[name].split()
    assert main([*words, "out.tif", "--resume", str(checkpoint)]) == 0
    check(f"{name} resumed", read("out.tif").array(), COMPUTED)
    assert not checkpoint.exists()


def test_a_fit_is_continued_and_starts_another(folder):
    words = ["denoise", "inputs/cells.tif"]
    more = ["--continue-from", "fits/denoise.cellinr", "--steps", "5"]
    assert main([*words, "more.tif", *more]) == 0
    check("continued", read("more.tif").array(), COMPUTED)
    warm = ["--warm-start", "fits/denoise.cellinr", "--steps", "5"]
    assert main([*words, "warm.tif", *warm]) == 0
    check("warm start", read("warm.tif").array(), COMPUTED)


@pytest.mark.parametrize("name", ["recipe.json", "console.py"])
def test_a_macro_replays(name, folder):
    assert main(["replay", f"macros/{name}", "--output", "saved"]) == 0
    check_saved(folder / "saved")


def test_the_python_script_runs(folder):
    text = (folder / "macros" / "headless.py").read_text("utf-8")
    exec(compile(text, "headless.py", "exec"), {})
    check_saved(folder)


def test_the_shell_script_runs(folder):
    lines = (folder / "macros" / "shell.sh").read_text("utf-8").splitlines()
    for line in lines:
        if words := shlex.split(line, comments=True):
            assert words[0] == "napari-cellinr"
            assert main(words[1:]) == 0, line
    check_saved(folder)


def test_the_names_that_the_script_for_napari_imports_are_there():
    pytest.importorskip("napari", reason="only napari's console runs this script")
    text = (DATA / "macros" / "console.py").read_text("utf-8")
    imports = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom)]
    assert imports
    exec(compile(ast.Module(imports, []), "console.py", "exec"), {})


def test_a_batch_passes_over_what_version_0_1_has_done(folder, capsys):
    os.utime("inputs/cells.tif", ns=(10**18, 10**18))  # as then: the mark holds the time
    words = ["batch", "macros/batch.json", "inputs/cells.tif", "--output", "batch"]
    assert main(words) == 0
    with Path("batch/summary.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["state"], row["results"]) == ("skipped", "batch/cells denoised.tif")
    before = read("batch/cells denoised.tif").array()
    assert main([*words, "--again"]) == 0
    after = read("batch/cells denoised.tif").array()
    np.testing.assert_allclose(after, before, rtol=0, atol=0.2 * np.abs(before).max())
    assert re.search("1 of 1", capsys.readouterr().out)
