"""Every registered action keeps the contract of `macro.actions.base.Action`.

The example of each action is written as every kind of script, read again and run: a new action
is tested here without a change of this file.
"""

import ast
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

import napari_cellinr
from napari_cellinr import Image, reconstruct, write
from napari_cellinr.cli import make_parser
from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.problem import finish
from napari_cellinr.macro import Macro, Source, Step, actions, parse_script, script
from napari_cellinr.macro.actions import ACTIONS, FITS, action_of, to_console
from napari_cellinr.macro.plan import Rules, saved_files
from napari_cellinr.macro.replay.run import Replay
from napari_cellinr.macro.scripts import lines
from napari_cellinr.macro.scripts.notebook import notebook
from napari_cellinr.methods import method_of_action

PACKAGE = Path(napari_cellinr.__file__).parent

SCENE = "movie reconstructed"

NAMES = sorted(ACTIONS)


def movie():
    """Return three frames of a spot that moves one pixel per frame."""
    y, x = np.mgrid[:16, :20]
    spots = [100 * np.exp(-((y - 8) ** 2 + (x - 6 - t) ** 2) / 8) + 5 for t in range(3)]
    frames = np.stack(spots) + np.random.default_rng(0).normal(0, 1, (3, 16, 20))
    units = ("second", "micrometer", "micrometer")
    return Image(frames.astype(np.float32), "TYX", (1, 0.5, 0.5), units, name="movie")


def example(name):
    """Return the example of an action: a fit works on the movie, other actions on a result."""
    action = ACTIONS[name]
    if action.opens:
        return Step(name, (Source(path="movie.tif"),), action.example, ("movie",))
    if name in FITS:
        settings = {**action.example, **method_of_action(name).needed}
        return Step(name, (Source("movie"),), settings, (f"movie {name}",), seed=1)
    return Step(name, (Source(SCENE),), action.example, (f"{name} 1", f"{name} 2"))


def macro_with(step):
    opened = Step("open", (Source(path="movie.tif"),), results=("movie",))
    fit = Step("reconstruct", (Source("movie"),), {"steps": 2}, (SCENE,), ("result",), seed=0)
    return Macro((opened, fit, step))


@pytest.fixture(scope="module")
def fitted():
    return reconstruct(movie(), steps=2, restart=False, seed=0)


@pytest.fixture
def replay(tmp_path, monkeypatch, fitted):
    """Return a replay that has opened the movie and fitted it."""
    monkeypatch.chdir(tmp_path)
    write("movie.tif", movie())
    found = Replay(Rules(Path()))
    found.read("movie", Source("movie", "movie.tif"))
    found.images[SCENE] = fitted.image("result")
    found.fits[SCENE] = fitted
    found.fitted[SCENE] = movie()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_its_call_in_the_console_reads_back_as_the_same_step(name):
    step = example(name)
    text = to_console(step).text
    (back,) = parse_script(text).steps
    assert to_console(back).text == text
    assert (back.action, back.arguments, back.seed) == (name, step.arguments, step.seed)
    assert [source.layer for source in back.sources] == [source.layer for source in step.sources]


@pytest.mark.parametrize("name", NAMES)
def test_its_recipe_reads_back_as_the_same_macro(name):
    macro = macro_with(example(name))
    assert Macro.from_json(macro.as_json()) == macro


@pytest.mark.parametrize("name", NAMES)
def test_every_script_of_it_can_be_parsed(name):
    macro = macro_with(example(name))
    for style in ("console", "headless"):
        ast.parse(script(macro, style))
    for cell in json.loads(notebook(macro))["cells"]:
        if cell["cell_type"] == "code":
            ast.parse(cell["source"])
    commands = [one for one in script(macro, "cli").splitlines() if not one.startswith("#")]
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "napari-cellinr"
        make_parser().parse_args(arguments)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_that_failed_is_a_comment_in_every_script(name):
    step = example(name)
    failed = Step(name, step.sources, step.arguments, seed=step.seed, status="failed", note="why")
    call = to_console(failed).text
    for style in ("console", "headless", "cli"):
        assert f"# failed: {call}: why" in script(macro_with(failed), style)


@pytest.mark.parametrize("name", NAMES)
def test_a_replay_does_it(name, replay):
    action, step = ACTIONS[name], example(name)
    before = {*replay.images, *replay.tables}
    finish(action.run(step, replay))
    if not action.opens:
        assert ({*replay.images, *replay.tables} > before) == action.makes_layers
    assert [path.name for path in replay.written] == [action.writes(step)] * bool(replay.written)
    assert bool(replay.written) == bool(action.writes(step))
    if name in FITS:
        assert replay.fits[step.results[0]].config.steps == 2


def test_a_layer_that_a_replay_has_is_not_read_again(replay):
    """So a macro can be done on another image in the place of the recorded one."""
    replay.images["movie"] = other = movie()
    finish(ACTIONS["open"].run(example("open"), replay))
    assert replay.images["movie"] is other
    del replay.images["movie"]
    finish(ACTIONS["open"].run(example("open"), replay))
    np.testing.assert_array_equal(replay.images["movie"].array(), other.array())


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_of_a_macro_has_the_files_that_it_writes(name):
    step = example(name)
    places = [str(place) for place in saved_files(Macro((step,)))]
    assert places == [path for path in [ACTIONS[name].writes(step)] if path]


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_argument_is_refused_with_one_sentence(name):
    step = example(name)
    for unknown in ("no such argument", "import os\nos.abort()"):
        with pytest.raises(ConfigError) as error:
            Step(name, step.sources, {**step.arguments, unknown: 1})
        (line,) = str(error.value).splitlines()
        assert line.startswith(f"{name} was given {unknown!r}")


@pytest.mark.parametrize("name", NAMES)
def test_a_required_argument_must_be_given(name):
    action, step = ACTIONS[name], example(name)
    for missing in action.required:
        rest = {key: value for key, value in step.arguments.items() if key != missing}
        with pytest.raises(ConfigError, match=f"no {missing}"):
            Step(name, step.sources, rest)


@pytest.mark.gui
@pytest.mark.parametrize("name", NAMES)
def test_the_console_and_the_dispatcher_have_it(name):
    from napari_cellinr.ui.session.console import Console
    from napari_cellinr.ui.session.dispatcher import Dispatcher

    console = Console(Dispatcher.__new__(Dispatcher))
    for method in ACTIONS[name].methods or (name,):
        assert method in dir(console)
        assert getattr(console, method).__doc__
    assert callable(getattr(Dispatcher, "fit" if name in FITS else name))


NEW_ACTION = """
from napari_cellinr.macro.actions.base import Action
from napari_cellinr.macro.values import NUMBER


class Mirror(Action):
    name = "mirror"
    makes_layers = True
    arguments = {"angle": NUMBER}
    example = {"angle": 90}

    def run_at_once(self, step, replay):
        image = replay.image(step.source.layer)
        replay.add_images(step, (image.like(image.array()[..., ::-1]),))


ACTIONS = (Mirror(),)
"""


def test_a_new_action_is_one_file(tmp_path, monkeypatch, replay):
    (tmp_path / "mirror.py").write_text(NEW_ACTION)
    monkeypatch.setattr(actions, "__path__", [*actions.__path__, str(tmp_path)])
    monkeypatch.setattr(lines, "_functions", set(lines._functions))
    found = actions.find_actions()
    assert set(found) == {*ACTIONS, "mirror"}
    monkeypatch.setitem(ACTIONS, "mirror", found["mirror"])
    step = example("mirror")
    test_its_call_in_the_console_reads_back_as_the_same_step("mirror")
    test_its_recipe_reads_back_as_the_same_macro("mirror")
    test_every_script_of_it_can_be_parsed("mirror")
    test_an_unknown_argument_is_refused_with_one_sentence("mirror")
    finish(action_of(step).run(step, replay))
    mirrored = replay.images["mirror 1"].array()
    np.testing.assert_array_equal(mirrored, replay.images[SCENE].array()[..., ::-1])


def test_only_the_registry_allows_functions_in_scripts():
    callers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "lines.allow"
    }
    assert callers == {"macro/actions/__init__.py"}


def test_nothing_branches_on_the_name_of_an_action():
    """No comparison of an action with text, as in `step.action == "open"`."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Compare):
                continue
            sides = [node.left, *node.comparators]
            texts = {one.value for side in sides for one in ast.walk(side) if _is_text(one)}
            is_action = any(
                getattr(side, "attr", getattr(side, "id", "")) == "action" for side in sides
            )
            assert not (is_action and texts), (path.name, node.lineno, texts)


def _is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
