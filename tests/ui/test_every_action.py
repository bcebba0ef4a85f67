"""Every action: a method of `cellinr`, recorded, and done again by each of the three renderings.

Real fits of toy images: what is rendered, kept and opened again has to be a real field.
"""

import shlex
from typing import get_args

import numpy as np
import pytest

from napari_cellinr import Image, read, write
from napari_cellinr.cli import main
from napari_cellinr.errors import AxesError, ConfigError
from napari_cellinr.fitting.problem import finish
from napari_cellinr.macro import ACTIONS, Macro, iter_replay, parse_script, script
from napari_cellinr.runs.warm_start import Beginning
from napari_cellinr.ui.docks.denoise import DenoiseDock
from napari_cellinr.ui.panels.fit import fit_buttons as fit_actions
from napari_cellinr.ui.session.console import console_of

pytestmark = pytest.mark.gui

TOY = {"steps": 1, "estimate": "gaussian"}
MOVING = {"steps": 40, "restart": False, "check_motion": False}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0)
    stack = noise.poisson(30, (4, 16, 16)).astype(np.float32)
    write("embryo.tif", Image(stack, "ZYX", (0.4, 0.2, 0.2), ("micrometer",) * 3))
    write("next.tif", Image(stack[::-1].copy(), "ZYX", (0.4, 0.2, 0.2), ("micrometer",) * 3))
    y, x = np.mgrid[:16, :20]
    spots = [100 * np.exp(-((y - 8) ** 2 + (x - 6 - t) ** 2) / 8) + 5 for t in range(3)]
    movie = np.stack(spots).astype(np.float32) + noise.normal(0, 1, (3, 16, 20))
    units = ("second", "micrometer", "micrometer")
    write("movie.tif", Image(movie.astype(np.float32), "TYX", (1, 0.5, 0.5), units))
    return tmp_path


@pytest.fixture
def cellinr(viewer):
    return console_of(viewer)


STORIES = {
    "open": [("open", ("embryo.tif",), {})],
    "calibrate": [
        ("open", ("embryo.tif",), {}),
        ("calibrate", ("embryo",), {"Z": 0.5, "Y": 0.25, "X": 0.25}),
        ("save", ("embryo", "known.tif"), {}),
    ],
    "crop": [
        ("open", ("embryo.tif",), {}),
        ("crop", ("embryo",), {"Y": [2, 14], "X": [0, 12]}),
        ("save", ("region · embryo", "part.tif"), {}),
        ("denoise", ("region · embryo",), TOY),
        ("save", ("denoised · region · embryo", "clean.tif"), {}),
    ],
    "denoise": [
        ("open", ("embryo.tif",), {}),
        ("denoise", ("embryo",), TOY),
        ("save", ("denoised · embryo", "clean.tif"), {}),
        ("save", ("background · embryo", "haze.tif"), {}),
        ("save", ("with background · embryo", "both.tif"), {}),
    ],
    "superresolve": [
        ("open", ("movie.tif",), {}),
        ("superresolve", ("movie",), {"preset": "preview", "scale": {"t": 2.0}}),
        ("save", ("super-resolved · movie", "fine.tif"), {}),
    ],
    "reconstruct": [
        ("open", ("movie.tif",), {}),
        ("reconstruct", ("movie",), MOVING),
        ("save", ("reconstructed · movie", "scene.tif"), {}),
        ("save", ("speed · movie", "speed.tif"), {}),
    ],
    "render": [
        ("open", ("embryo.tif",), {}),
        ("denoise", ("embryo",), TOY),
        ("render", ("denoised · embryo",), {"crop": {"Y": [2, 10]}}),
        ("save", ("rendered · denoised · embryo", "part.tif"), {}),
    ],
    "show_motion": [
        ("open", ("movie.tif",), {}),
        ("reconstruct", ("movie",), MOVING),
        ("show_motion", ("reconstructed · movie",), {"every": 2, "shortest": 0.01}),
        ("save", ("motion", "arrows.csv"), {}),
        ("show_motion", ("reconstructed · movie",), {"points": [[8.0, 7.5], [4.0, 4.0]]}),
        ("save", ("tracks · reconstructed · movie", "paths.csv"), {}),
    ],
    "save": [
        ("open", ("embryo.tif",), {}),
        ("denoise", ("embryo",), TOY),
        ("save", ("denoised · embryo", "kept.cellinr"), {}),
        ("save", ("denoised · embryo", "clean.tif"), {}),
    ],
    "compare": [
        ("open", ("embryo.tif",), {}),
        ("denoise", ("embryo",), TOY),
        ("compare", ("denoised · embryo",), {}),
        ("save", ("WBNS · embryo", "conventional.tif"), {}),
        ("save", ("minus WBNS · denoised · embryo", "difference.tif"), {}),
        ("compare", ("denoised · embryo", "embryo"), {}),
        ("save", ("minus embryo · denoised · embryo", "taken.tif"), {}),
    ],
    "figure": [
        ("open", ("embryo.tif",), {}),
        ("figure", ("embryo",), {"path": "embryo.png", "at": {"Z": 2}, "dpi": 40}),
    ],
    "movie": [
        ("open", ("movie.tif",), {}),
        ("movie", ("movie",), {"path": "movie.gif", "dpi": 40}),
    ],
    "continue_from": [
        ("open", ("embryo.tif",), {}),
        ("denoise", ("embryo",), {**TOY, "background": "keep"}),
        ("denoise", ("embryo",), {"continue_from": "denoised · embryo", "steps": 3}),
        ("save", ("denoised · embryo [1]", "more.tif"), {}),
        ("save", ("denoised · embryo [1]", "longer.cellinr"), {}),
    ],
    "warm_start": [
        ("open", ("embryo.tif",), {}),
        ("open", ("next.tif",), {}),
        ("denoise", ("embryo",), {**TOY, "steps": 5}),
        ("denoise", ("next",), {**TOY, "warm_start": "denoised · embryo", "seed": 3}),
        ("save", ("denoised · next", "clean.tif"), {}),
    ],
}
"""What a user does in the console, by the action or the beginning that it is about."""


def tell(cellinr, story):
    for method, given, named in story:
        getattr(cellinr, method)(*given, **named)
        cellinr.wait()


def written(folder):
    """Return what the story has written, and take it away."""
    found = {}
    for path in sorted(folder.glob("*")):
        if path.name in {"embryo.tif", "movie.tif", "next.tif"} or path.is_dir():
            continue
        is_image = path.suffix == ".tif"
        found[path.name] = read(path).array() if is_image else path.read_text(errors="replace")
        path.unlink()
    return found


def assert_same(found, expected):
    assert set(found) >= set(expected)
    for name, values in expected.items():
        if name.endswith(".tif"):
            np.testing.assert_allclose(found[name], values, rtol=1e-6, atol=1e-5, err_msg=name)
        elif name.endswith(".csv"):
            assert found[name] == values, name


def test_there_is_a_story_for_every_action():
    assert set(STORIES) == {*ACTIONS, *get_args(Beginning)}


@pytest.mark.parametrize("action", STORIES)
def test_an_action_is_recorded_and_done_again(action, viewer, cellinr, folder):
    tell(cellinr, STORIES[action])
    recorded = cellinr._dispatcher.recorder.macro
    assert [step.action for step in recorded.steps] == [one[0] for one in STORIES[action]]
    assert all(step.status == "done" for step in recorded.steps)
    names = [layer.name for layer in viewer.layers]
    numbers = {layer.name: np.array(layer.data) for layer in viewer.layers if layer.ndim < 5}
    files = written(folder)
    text = str(cellinr.macro)

    viewer.layers.clear()  # record, clear, run
    cellinr.clear()
    exec(compile(text, "macro", "exec"), {})
    cellinr.wait()
    assert [layer.name for layer in viewer.layers] == names
    for name, values in numbers.items():
        np.testing.assert_array_equal(viewer.layers[name].data, values, err_msg=name)
    assert_same(written(folder), files)
    again = cellinr._dispatcher.recorder.macro
    assert [step.beginning for step in again.steps] == [s.beginning for s in recorded.steps]
    assert [step.arguments for step in again.steps] == [step.arguments for step in recorded.steps]

    exec(compile(script(recorded, "headless"), "headless", "exec"), {})
    headless = written(folder)
    for line in script(recorded, "cli").splitlines():
        if line.startswith("napari-cellinr"):
            assert main(shlex.split(line)[1:]) == 0, line
    shell = written(folder)
    drawn = {name for name in files if name.endswith((".png", ".gif"))}  # not by commands
    assert_same(shell, {name: values for name, values in files.items() if name not in drawn})
    assert_same(headless, files)

    finish(iter_replay(Macro.from_json(recorded.as_json()), output=folder))
    assert_same(written(folder), files)


def test_tracks_that_came_with_a_result_are_a_table_in_every_rendering(viewer, cellinr, folder):
    tell(cellinr, [*STORIES["reconstruct"][:2], ("save", ("tracks", "followed.csv"), {})])
    recorded = cellinr._dispatcher.recorder.macro
    *_, shown, saved = recorded.steps
    assert (shown.action, shown.source.layer) == ("show_motion", "reconstructed · movie")
    assert saved.source.layer == shown.results[0] == "tracks of reconstructed · movie"
    files = written(folder)
    rows = files["followed.csv"].splitlines()[1:]
    inside = [row for row in rows if row.split(",")[6] == "1"]
    assert len(inside) == len(viewer.layers["tracks · movie"].data) > 0
    exec(compile(script(recorded, "headless"), "headless", "exec"), {})
    assert_same(written(folder), files)
    for line in script(recorded, "cli").splitlines():
        if line.startswith("napari-cellinr"):
            assert main(shlex.split(line)[1:]) == 0, line
    assert_same(written(folder), files)
    text = str(cellinr.macro)
    viewer.layers.clear()
    exec(compile(text, "macro", "exec"), {})
    cellinr.wait()
    assert_same(written(folder), files)
    finish(iter_replay(Macro.from_json(recorded.as_json()), output=folder))
    assert_same(written(folder), files)


def test_more_steps_are_a_longer_fit_and_the_other_image_is_refused(viewer, cellinr, folder):
    tell(cellinr, STORIES["continue_from"][:2])
    cellinr.continue_fit("denoised · embryo", 3)
    cellinr.wait()
    cellinr.denoise("embryo", **{**TOY, "steps": 4, "background": "keep"})
    cellinr.wait()
    more, longer = (viewer.layers[f"denoised · embryo [{n}]"].data for n in (1, 2))
    np.testing.assert_array_equal(more, longer)
    assert str(cellinr.macro).count("continue_from='denoised · embryo', steps=3") == 1
    cellinr.open("next.tif")
    cellinr.denoise("next", continue_from="denoised · embryo", steps=3)
    cellinr.wait()
    asked = "cellinr.denoise('next', continue_from='denoised · embryo', steps=3)"
    assert f"# failed: {asked}: the fit is" in str(cellinr.macro)
    cellinr.open("movie.tif")
    with pytest.raises(ConfigError, match="one of superresolve is needed"):
        cellinr.superresolve("movie", warm_start="denoised · embryo")
    with pytest.raises(ConfigError, match="steps alone is needed"):
        cellinr.denoise("embryo", continue_from="denoised · embryo", steps=3, background="keep")


def test_what_is_asked_for_at_once_is_done_when_it_is_its_turn(viewer, cellinr, folder):
    cellinr.open("embryo.tif")
    cellinr.denoise("embryo", **TOY)
    cellinr.continue_fit("denoised · embryo", 2)
    cellinr.render("denoised · embryo [1]", crop={"Y": [2, 10]})
    cellinr.wait()
    assert "rendered · denoised · embryo [1]" in viewer.layers
    assert str(cellinr.macro).count("continue_from='denoised · embryo', steps=2") == 1


def test_other_images_begin_with_the_kept_fit_of_a_recipe(viewer, cellinr, folder):
    tell(cellinr, [*STORIES["save"][:3], ("open", ("kept.cellinr",), {})])
    kept = "denoised · embryo [1]"
    cellinr.clear()
    cellinr.denoise("embryo", warm_start=kept, **TOY)
    cellinr.wait()
    recipe = cellinr._dispatcher.recorder.macro
    files = finish(iter_replay(recipe, source="next.tif", output=folder / "out"))
    assert [path.name for path in files] == ["next denoised.tif"]
    cellinr.clear()
    cellinr.denoise("embryo", continue_from=kept, steps=2)
    cellinr.wait()
    recipe = cellinr._dispatcher.recorder.macro
    with pytest.raises(ConfigError, match="another image"):
        finish(iter_replay(recipe, source="next.tif", output=folder / "out"))


def test_a_kept_fit_that_is_opened_again_is_rendered_and_shows_its_motion(viewer, cellinr, folder):
    tell(
        cellinr,
        [
            ("open", ("movie.tif",), {}),
            ("reconstruct", ("movie",), MOVING),
            ("save", ("reconstructed · movie", "movie.cellinr"), {}),
            ("show_motion", ("reconstructed · movie",), {"every": 2, "shortest": 0.01}),
        ],
    )
    arrows = np.array(viewer.layers["motion · movie"].data)
    scene = np.array(viewer.layers["reconstructed · movie"].data)
    viewer.layers.clear()
    cellinr.clear()
    cellinr.open("movie.cellinr")
    assert [one.name for one in viewer.layers if one.visible] == ["reconstructed · movie"]
    np.testing.assert_allclose(viewer.layers["reconstructed · movie"].data, scene, atol=1e-4)
    tell(
        cellinr,
        [
            ("show_motion", ("reconstructed · movie",), {"every": 2, "shortest": 0.01}),
            ("render", ("reconstructed · movie",), {"times": [0.5, 1.5]}),
            ("save", ("reconstructed · movie", "copy.cellinr"), {}),
        ],
    )
    shown = viewer.layers["motion · reconstructed · movie"]
    np.testing.assert_allclose(shown.data, arrows, atol=1e-4)
    assert viewer.layers["rendered · reconstructed · movie"].data.shape == (2, 16, 20)
    first, second = (path.read_bytes() for path in sorted(folder.glob("*.cellinr")))
    assert len(first) == len(second)
    assert "cellinr.use('reconstructed · movie', 'movie.cellinr')" in str(cellinr.macro)
    written(folder)


def test_other_images_of_a_saved_fit_are_layers_on_request(viewer, cellinr, folder):
    """A script names them as after a run; it is done again with and without a viewer."""
    tell(cellinr, [*STORIES["save"][:2], ("save", ("denoised · embryo", "kept.cellinr"), {}),
                   ("save", ("background · embryo", "as-run.tif"), {})])  # fmt: skip
    viewer.layers.clear()
    cellinr.clear()
    cellinr.open("kept.cellinr")
    assert [one.name for one in viewer.layers] == ["denoised · embryo"]
    tell(cellinr, [("save", ("background · embryo", "opened.tif"), {})])
    assert {one.name for one in viewer.layers} == {"denoised · embryo", "background · embryo"}
    text = str(cellinr.macro)
    assert "cellinr.use('background · embryo', 'kept.cellinr')" in text
    assert "only in the viewer: cellinr.save('background · embryo'" in script(
        parse_script(text), "headless"
    )
    viewer.layers.clear()
    (folder / "opened.tif").rename(folder / "first.tif")
    exec(compile(text, "macro", "exec"), {})
    cellinr.wait()
    assert "background · embryo" in viewer.layers
    (folder / "opened.tif").rename(folder / "second.tif")
    finish(iter_replay(parse_script(text)))
    wanted = read(folder / "as-run.tif").array()
    for name in ("first", "second", "opened"):
        np.testing.assert_allclose(read(folder / f"{name}.tif").array(), wanted, atol=1e-4)


def test_what_cannot_be_shown_is_said(viewer, cellinr, folder):
    tell(cellinr, [("open", ("embryo.tif",), {}), ("denoise", ("embryo",), TOY)])
    with pytest.raises(AxesError, match="has no fit"):
        cellinr.render("embryo")
    with pytest.raises(ConfigError, match="every=0"):
        cellinr.show_motion("denoised · embryo", every=0)
    with pytest.raises(AxesError, match="was given; a table"):
        cellinr.save("denoised · embryo", "motion.csv")
    cellinr.show_motion("denoised · embryo")  # begins, and fails: a fit that has no motion
    cellinr.wait()
    last = cellinr._dispatcher.recorder.last
    assert (last.action, last.status) == ("show_motion", "failed")


def test_a_step_that_failed_is_a_comment_and_is_not_done_again(viewer, cellinr, folder):
    tell(cellinr, [("open", ("embryo.tif",), {}), ("denoise", ("embryo",), TOY)])
    cellinr.render("denoised · embryo", times=[3.0])
    cellinr.wait()
    text = str(cellinr.macro)
    (line,) = [one for one in text.splitlines() if one.startswith("# failed")]
    assert "cellinr.render('denoised · embryo', times=[3.0])" in line
    assert "no time axis" in line
    macro = cellinr._dispatcher.recorder.macro
    assert [step.action for step in macro.repeatable] == ["open", "denoise"]
    for style in ("headless", "cli"):
        assert "# failed" in script(macro, style)
        assert "times" not in "".join(
            one for one in script(macro, style).splitlines() if not one.startswith("#")
        )
    assert Macro.from_json(macro.as_json()) == macro


def test_a_recipe_knows_its_data(viewer, cellinr, folder):
    tell(cellinr, [("open", ("embryo.tif",), {}), ("denoise", ("embryo",), TOY)])
    macro = cellinr._dispatcher.recorder.macro
    digest = macro.steps[1].source.digest
    assert len(digest) == 32
    assert f"# data of embryo: blake2b {digest}" in str(cellinr.macro)
    told = []
    finish(iter_replay(macro, output="out", tell=told.append))
    assert told == []
    write("embryo.tif", Image(read("embryo.tif").array() + 1, "ZYX"))
    finish(iter_replay(macro, output="out", tell=told.append))
    assert "differ from those" in told[0]


def test_a_fit_is_kept_by_its_button(viewer, cellinr, folder, monkeypatch):
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise")
    cellinr.open("embryo.tif")
    assert not dock.fit_actions.save_button.isVisibleTo(dock)
    cellinr.denoise("embryo", **TOY)
    cellinr.wait()
    assert dock.fit_actions.save_button.isVisibleTo(dock)
    asked = []

    def answer(parent, title, usual, filters):
        asked.append(usual)
        return str(folder / "mine"), filters

    monkeypatch.setattr(fit_actions.QFileDialog, "getSaveFileName", answer)
    dock.fit_actions.save_button.click()
    assert asked == ["embryo denoised.cellinr"]
    assert (folder / "mine.cellinr").is_file()
    assert "mine.cellinr" in str(cellinr.last)
    viewer.layers.remove("denoised · embryo")
    assert not dock.fit_actions.save_button.isVisibleTo(dock)
    cellinr.open("mine.cellinr")
    assert "denoised · embryo" in viewer.layers
