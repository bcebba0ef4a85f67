"""Text from image files and from recipes of others stays text in every script."""

import ast
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from napari_cellinr import Image
from napari_cellinr.errors import CellINRError, ConfigError, FileError
from napari_cellinr.macro import Macro, Source, Step, parse_script, script
from napari_cellinr.macro.scripts import lines
from napari_cellinr.text import clean_name, one_line

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "faults"))

import script_text  # noqa: E402

PLANTED = "x\nimport os; os.abort()\n#"


@settings(max_examples=120, deadline=None)
@given(script_text.CASES)
def test_no_text_changes_what_a_script_does(case):
    assert script_text.outcome(*case) in {"same", "refused"}


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(script_text.CASES)
def test_a_shell_runs_the_same_commands(tmp_path, case):
    assert script_text.run_by_shell(*case, tmp_path) in {"same", "refused"}


@pytest.mark.parametrize("field", script_text.FIELDS)
def test_a_planted_line_stays_text_in_every_field(field, tmp_path):
    texts = ("--", PLANTED, "\ntouch planted\n", "-rf", "'; touch planted; '", "\u2028os.abort()")
    for text in texts:
        assert script_text.outcome(field, text) in {"same", "refused"}
        assert script_text.run_by_shell(field, text, tmp_path) in {"same", "refused"}


def test_harmless_names_are_left_alone():
    for name in ("embryo", "a  b", " raw ", "Zelle µm 細胞", "t*.tif", "a'b\"c"):
        assert clean_name(name) == name


def test_names_have_no_control_characters():
    text = "a\n\r\t\x1b[2Jb\x7f\x85c\u2028\u2029d\u202ee\u2066f\0"
    assert one_line(text) == "a [2Jb c d e f"
    assert clean_name("\n") == "unnamed"
    image = Image(
        np.zeros((2, 3, 4)), "CYX", units=("pixel", "\x1b[1m", "pixel"), name=text,
        channels=("g\nfp", "r\x1b[31m"), meta={"channel": "a\nb", "source": "a\nb.tif"},
    )  # fmt: skip
    assert image.name == one_line(text)
    assert image.channels == ("g fp", "r [31m")
    assert image.units[1] == "[1m"
    assert image.meta == {"channel": "a b", "source": "a\nb.tif"}  # a file has that very name
    assert image.take("C", 0).name == f"{one_line(text)} g fp"


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": {"seed=0)\nimport os #": 1}},
        {"arguments": {"import os": 1}},
        {"arguments": {"no_such_setting": 1}},
        {"arguments": []},
        {"arguments": {"preset": "a\0b"}},
        {"arguments": {"axes": ["Z"]}},
        {"arguments": {"axes": "--"}},
        {"results": "text"},
        {"results": [1]},
        {"roles": ["result:0)\nimport os #"]},
        {"roles": ["a b"]},
        {"versions": {"torch": 2}},
        {"versions": ["torch"]},
        {"note": ["a"]},
        {"note": 3},
        {"seed": "0); import os"},
        {"seed": True},
        {"seed": -1},
        {"status": "begun"},
        {"status": ["done"]},
        {"beginning": ["warm_start"]},
        {"action": ["denoise"]},
        {"action": "explode"},
        {"unknown": 1},
        {"sources": "text"},
        {"sources": [3]},
        {"sources": [{"layer": 3}]},
        {"sources": [{"layer": "a", "unknown": 1}]},
        {"sources": [{"layer": "a", "series": "0]; import os #"}]},
        {"sources": [{"layer": "a", "channel": -1}]},
        {"sources": [{"path": "folder", "files": ["../secret.tif"]}]},
        {"sources": [{"path": "a\0b"}]},
        {"sources": [{"path": "\ud800"}]},
        {"sources": [{"path": "a", "along": "Q"}]},
    ],
)
def test_a_recipe_with_anything_else_is_refused_with_one_sentence(change):
    recipe = Macro((Step("denoise", (Source("a"),), seed=0),)).as_dict()
    recipe["steps"][0].update(change)
    with pytest.raises(CellINRError) as error:
        Macro.from_json(json.dumps(recipe))
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("render", {"scale": {"Z\n": 2}}),
        ("render", {"crop": {"Z": 3}}),
        ("render", {"times": "0"}),
        ("show_motion", {"device": "cpu"}),
        ("save", {}),
        ("save", {"path": 3}),
        ("save", {"path": "a", "mode": "w"}),
        ("compare", {"against": "b"}),
        ("calibrate", {"unit": "pixel"}),
        ("calibrate", {"Z": "0.4"}),
    ],
)
def test_actions_take_their_own_arguments_only(action, arguments):
    with pytest.raises(ConfigError):
        Step(action, (Source("a"),), arguments)


def test_json_and_python_that_are_nested_too_deeply_are_refused():
    with pytest.raises(FileError):
        Macro.from_json("[" * 100_000)
    with pytest.raises(FileError):
        parse_script("(" * 5_000 + ")" * 5_000)
    with pytest.raises(FileError):
        parse_script("cellinr.open('a\0b')")


@pytest.mark.parametrize(
    "text",
    [
        "cellinr.denoise('a', **{'x': 1})",
        "cellinr.use('a', 'b', digest='c')",
        "cellinr.open('a', 'b')",
        "cellinr.save('a', 'b', 'c')",
        "cellinr.save('a', 'b', mode='w')",
    ],
)
def test_a_script_with_other_arguments_is_refused(text):
    with pytest.raises(FileError):
        parse_script(text)


def test_only_identifiers_known_functions_and_plain_values_become_code():
    for word in ("a b", "import", "a;b", "é", "", "a\n"):
        with pytest.raises(ValueError, match="no name"):
            lines.name(word)
    with pytest.raises(ValueError, match="no function"):
        lines.call("eval")
    with pytest.raises(ValueError, match="no command"):
        lines.command("rm")
    with pytest.raises(ValueError, match="no name of an option"):
        lines.option("--a b", "c")
    with pytest.raises(TypeError):
        lines.value(Path("a"))
    assert lines.command("convert", lines.place("-x.tif"), lines.place("a b")).text == (
        "napari-cellinr convert ./-x.tif 'a b'"
    )
    assert lines.option("--axes", "-Z").texts == ("--axes=-Z",)
    assert lines.comment("a\nrm b").text == "# a rm b"


def test_only_one_module_makes_lines():
    """No other module constructs a line, or code, or quotes words for a shell."""
    for path in (ROOT / "src" / "napari_cellinr" / "macro").rglob("*.py"):
        if path.name == "lines.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                function = node.func
                word = getattr(function, "attr", getattr(function, "id", ""))
                assert word not in {"Line", "Code", "Words"}, (path.name, node.lineno)
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "shlex" not in {one.name for one in node.names}, path.name


def test_the_script_of_an_older_version_is_still_read():
    text = (
        "# Recorded by napari-cellinr\n# with torch 2.9\nimport napari\n"
        "from napari_cellinr.ui.console import console_of\n\nviewer = napari.current_viewer()\n"
        "cellinr = console_of(viewer)\ncellinr.use('embryo', '/data/embryo.tif')\n"
        "cellinr.calibrate('embryo', Z=0.4)\ncellinr.denoise('embryo', background='keep', seed=3)\n"
        "cellinr.save('embryo denoised', '/data/clean.tif')\n"
    )
    macro = parse_script(text)
    written = script(macro).splitlines()
    assert written[1:] == text.splitlines()[2:]


@pytest.mark.parametrize(
    "call",
    [
        "denoise()",
        "render()",
        'calibrate("a", "b", Z=1.0)',
        "compare()",
        'compare("a", "b", "c")',
        "show_motion()",
    ],
)
def test_a_step_needs_as_many_layers_as_its_action_takes(call):
    with pytest.raises(FileError, match=r"line 1: .* layers or files; .* needed"):
        parse_script(f"cellinr.{call}")


def test_two_stars_in_a_call_are_refused():
    with pytest.raises(FileError, match=r"line 1, has \*\* in a call; write each argument"):
        parse_script('cellinr.denoise("a", **{"steps": 3})')
