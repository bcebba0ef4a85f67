"""The schema of recipes, and the macros and recipes of the guide, fit what the package does."""

import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from napari_cellinr import Image, write
from napari_cellinr.cli import main
from napari_cellinr.macro import Macro, load_macro, parse_script
from napari_cellinr.macro.actions import ACTIONS
from napari_cellinr.macro.schema import PLACE, recipe_schema

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guide" / "recipes.md"


def blocks(language):
    text = PAGE.read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


MACROS = [block for block in blocks("python") if block.startswith("cellinr.")]


def is_valid(values):
    return not list(jsonschema.Draft202012Validator(recipe_schema()).iter_errors(values))


def test_the_schema_that_ships_is_that_of_the_code():
    assert json.loads(PLACE.read_text("utf-8")) == json.loads(json.dumps(recipe_schema()))
    jsonschema.Draft202012Validator.check_schema(recipe_schema())


def test_the_page_names_every_action():
    text = PAGE.read_text("utf-8")
    assert [name for name in ACTIONS if f"`{name}(" not in text] == []


@pytest.mark.parametrize("text", MACROS)
def test_recorded_recipes_are_valid(text):
    assert is_valid(parse_script(text).as_dict())


@pytest.mark.parametrize("text", blocks("json"))
def test_recipes_of_the_guide(text):
    values = json.loads(text)
    assert is_valid(values)
    assert len(Macro.from_json(text).steps) == 3


@pytest.mark.parametrize(
    "step",
    [
        {"action": "denoise", "sources": [{"layer": "a"}], "arguments": {"sharpness": 3}},
        {"action": "denoise", "sources": []},
        {"action": "denoise", "sources": [{"layer": "a"}], "arguments": {"preset": "best of all"}},
        {"action": "save", "sources": [{"layer": "a"}]},
        {"action": "sharpen", "sources": [{"layer": "a"}]},
        {"action": "open", "sources": [{"file": "a.tif"}]},
        {"action": "calibrate", "sources": [{"layer": "a"}], "arguments": {"Z": "thick"}},
    ],
)
def test_mistakes_are_found(step):
    assert not is_valid({"format": "napari-cellinr recipe", "version": 1, "steps": [step]})


@pytest.mark.parametrize("text", MACROS)
def test_macros_of_the_guide_run(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = np.random.default_rng(0).poisson(50, (2, 3, 16, 16)).astype(np.uint16)
    write("embryo.tif", values[0, 0])
    write("cells.tif", Image(values, "CTYX"))
    Path("movie").mkdir()
    for number in range(3):
        write(f"movie/t{number}.tif", values[0, number])
    Path("macro.py").write_text(text)
    assert main(["replay", "macro.py", "--folder", "out"]) == 0
    assert list(Path("out").iterdir())


def test_a_recipe_of_the_guide_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("embryo.tif", np.random.default_rng(0).poisson(50, (16, 16)).astype(np.uint16))
    Path("recipe.json").write_text(blocks("json")[0])
    assert main(["replay", "recipe.json"]) == 0
    assert Path("clean.tif").exists()
    assert load_macro("recipe.json").steps[1].results == ("denoised · embryo",)
