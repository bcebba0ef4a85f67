"""What every method in the table has to hold; a new one is tested without being named here."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import napari_cellinr
from napari_cellinr import Image, api
from napari_cellinr.cli import make_parser
from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.problem import finish
from napari_cellinr.fitting.saved.query import Query
from napari_cellinr.fitting.saved.stored import stored, stored_of
from napari_cellinr.methods import METHODS, method_of_action, method_of_fit, roles_of
from napari_cellinr.methods.method import Lazy
from napari_cellinr.runs.request import RunRequest, start

SOURCE = Path(napari_cellinr.__file__).parent
GUIDE = Path(__file__).parents[2] / "docs" / "guide"
LAZY = ("job", "render", "geometry", "conventional", "cost", "tiles")


@pytest.fixture(scope="module", params=METHODS.values(), ids=METHODS)
def method(request):
    return request.param


@pytest.fixture(scope="module")
def movie():
    """Four frames that differ by noise and a small shift; every method can be fitted to them."""
    y, x = np.indices((16, 16))
    frames = [50 + 30 * np.sin((x + 0.3 * t) / 2) * np.cos(y / 3) for t in range(4)]
    noise = np.random.default_rng(0).normal(0, 1, (4, 16, 16))
    units = ("second", "micrometer", "micrometer")
    return Image(np.float32(frames) + noise, "TYX", (2.0, 0.5, 0.5), units, name="movie")


@pytest.fixture(scope="module")
def fitted(method, movie):
    config = method.config(preset="preview", steps=1)
    if "scale" in method.config.model_fields:
        config = config.replace(scale={"t": 2})
    return finish(start(RunRequest(method, movie, config)))


def test_records_are_found_by_name_and_by_action(method):
    assert METHODS[method.name] is method
    assert method_of_action(method.action) is method
    with pytest.raises(ConfigError, match="allowed are denoise"):
        method_of_action("sing")


def test_all_functions_of_a_record_are_there(method):
    given = {name: getattr(method, name) for name in LAZY}
    for name, function in given.items():
        if function is not None:
            assert isinstance(function, Lazy)
            assert callable(function.load()), name


def test_roles_begin_with_the_result_and_presets_are_valid(method):
    assert method.roles[0] == "result"
    for preset in method.config.PRESETS:
        assert method.config(preset=preset).preset == preset


def test_a_fit_says_its_method_and_at_least_the_roles_of_the_record(method, fitted):
    assert method_of_fit(fitted) is method
    assert set(method.roles) <= set(fitted.roles)
    kept = stored_of(fitted)
    assert roles_of(kept) == fitted.roles
    silent = {key: value for key, value in kept.header.items() if key != "roles"}
    assert roles_of(stored(silent, {})) == method.roles


def test_geometry_is_told_as_it_is_rendered(fitted, rendered_as_told):
    kept = stored_of(fitted)
    result = rendered_as_told(kept, Query())[0]
    assert result.dtype == np.float32
    part = rendered_as_told(kept, Query(crop={"Y": slice(3, 9)}))[0]
    np.testing.assert_allclose(part.sizes["Y"] * part.steps["Y"], 6 * result.steps["Y"])


def test_what_is_renderable_is_rendered(method, fitted, rendered_as_told):
    kept, can = stored_of(fitted), method.renderable
    for axis in set(can.scaled) & set("TYX"):
        finer = rendered_as_told(kept, Query(scale={axis: 1.5}))[0]
        np.testing.assert_allclose(
            finer.steps[axis], fitted.source["scale"]["TYX".index(axis)] / 1.5
        )
    between = Query(times=(3.0,))  # halfway between the second frame and the third one
    if can.any_time:
        assert rendered_as_told(kept, between)[0].sizes["T"] == 1
    else:
        with pytest.raises(ConfigError, match="time"):
            method.geometry(kept, between)


def test_there_is_a_conventional_result(method, movie):
    found = method.conventional(movie, method.config())
    assert set("YX") <= set(found.axes)
    assert np.isfinite(found.array()).all()


def test_a_larger_image_needs_more(method, movie):
    large = movie.like(np.broadcast_to(np.float32(0), (4, 640, 640)))
    few, many = (method.cost(image, method.config()) for image in (movie, large))
    assert 0 < few.memory < many.memory
    assert 0 < few.seconds <= many.seconds


def test_what_is_asked_before_a_run_loads_no_torch():
    code = """
import sys, numpy as np
from napari_cellinr import Image
from napari_cellinr.methods import METHODS
image = Image(np.zeros((3, 4, 9, 9), np.float32), "TZYX")
for method in METHODS.values():
    assert method.cost(image, method.config())
    assert method.tiles is None or method.tiles(image, method.config(), 1e6) > 0
    method.geometry.load()
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_method_has_function_command_dock_menu_and_guide(method):
    action = method.action
    assert callable(getattr(napari_cellinr, action))
    assert callable(getattr(api, f"iter_{action}"))
    words = [action, "in.tif", "out.tif"]
    assert make_parser().parse_args(words).command == action
    assert (SOURCE / "ui" / "docks" / f"{action}.py").is_file()
    manifest = (SOURCE / "napari.yaml").read_text(encoding="utf-8")
    assert f"python_name: napari_cellinr.ui.docks.{action}:" in manifest
    assert manifest.count(f"command: napari-cellinr.{action}\n") == 2  # a dock, a line of the menu
    assert (GUIDE / f"{action}.md").is_file()


def _words(node):
    """Return the texts that a literal or a comparison holds."""
    inner = node.keys if isinstance(node, ast.Dict) else ast.iter_child_nodes(node)
    return {one.value for one in inner if isinstance(one, ast.Constant)}


def test_no_other_module_has_a_table_of_methods_or_asks_for_one():
    names, actions = set(METHODS), {method.action for method in METHODS.values()}
    public = {SOURCE / "__init__.py", SOURCE / "api.py"}  # list the functions of the package
    public.add(SOURCE / "cli" / "shared" / "parser.py")  # old spellings of options, by command
    found = []
    for path in SOURCE.rglob("*.py"):
        if path in public or path.is_relative_to(SOURCE / "macro"):  # its actions say it so far
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Dict | ast.Tuple | ast.List | ast.Set):
                wrong = len(_words(node) & names) > 1 or len(_words(node) & actions) > 1
            else:
                wrong = isinstance(node, ast.Compare) and _words(node) & (names | actions)
            if wrong:
                found.append(f"{path.relative_to(SOURCE)}:{node.lineno}")
    assert not found
