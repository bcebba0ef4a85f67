"""Steps, their three renderings, and a replay without a viewer."""

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_cellinr import Image, read, write
from napari_cellinr.cli.shared.outputs import ROLES
from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.fitting.problem import Fitted, Progress, finish
from napari_cellinr.macro import (
    Macro,
    Recorder,
    Source,
    Step,
    fit_step,
    iter_replay,
    load_macro,
    parse_script,
    script,
)
from napari_cellinr.macro.naming import file_name
from napari_cellinr.methods import METHODS

DENOISED = ("embryo denoised", "embryo background")

OPEN = Step("open", (Source(path="/data/embryo.tif"),), results=("embryo",))
CALIBRATE = Step("calibrate", (Source("embryo"),), {"Z": 0.4, "Y": 0.1, "X": 0.1})
DENOISE = Step(
    "denoise",
    (Source("embryo", "/data/embryo.tif"),),
    {"background": "keep", "learning_rate": 2e-5, "axes": "ZYX"},
    DENOISED,
    seed=3,
    versions={"torch": "2.9"},
)
SAVE = Step("save", (Source("embryo denoised"),), {"path": "clean.tif"})
COMPARE = Step("compare", (Source("embryo denoised"), Source("embryo")), results=("difference",))
MACRO = Macro((OPEN, CALIBRATE, DENOISE, SAVE, COMPARE))


def fake_job(image, config, monitor):
    yield Progress("fitting", 1, 2)
    data = np.asarray(image.data, np.float32) * (2 if config.background == "keep" else 3)
    result = image.like(data, name=f"{image.name} denoised")
    background = image.like(data + 1, name=f"{image.name} background")
    return Fitted((result, background), config, {}, (), "steps", {"steps": 7})


@pytest.fixture
def job(put_job):
    put_job("denoise", fake_job)


@pytest.mark.parametrize("role", sorted({*ROLES, *(r for m in METHODS.values() for r in m.roles)}))
def test_a_result_of_any_role_is_recorded(role):
    step = Step("reconstruct", (Source("worm", "worm.tif"),), {}, ("a", "b"), ("result:1", role))
    text = Macro((step,)).as_json()
    assert Macro.from_json(text).steps[0].roles == ("result:1", role)


def test_the_script_for_napari_reads_back_as_the_same_steps():
    text = script(MACRO, "console")
    compile(text, "macro", "exec")
    back = parse_script(text)
    assert [step.action for step in back.steps] == [step.action for step in MACRO.steps]
    for step, original in zip(back.steps, MACRO.steps, strict=True):
        assert step.arguments == original.arguments
        assert step.seed == original.seed
        assert [one.layer for one in step.sources] == [one.layer for one in original.sources]
    assert script(back, "console").splitlines()[1:] == text.splitlines()[2:]
    assert "torch 2.9" in text


def test_only_what_differs_from_the_defaults_is_printed():
    config = CellINRConfig(background="keep", seed=5)
    fitted = Fitted((), config, {}, (), "converged", {"steps": 9})
    step = fit_step("denoise", Source("a"), config, fitted, DENOISED)
    assert (step.arguments, step.seed) == ({"background": "keep"}, 5)
    assert "cellinr.denoise('a', background='keep', seed=5)" in script(Macro((step,)))


def test_a_fit_that_was_stopped_is_done_again_by_its_steps():
    config = CellINRConfig(max_seconds=9.0)
    fitted = Fitted((), config.replace(steps=17), {}, (), "user", {"steps": 17})
    step = fit_step("denoise", Source("a"), config, fitted, DENOISED)
    assert step.arguments == {"steps": 17}
    assert step.status == "stopped"
    assert "stopped after 17 steps" in script(Macro((step,)))


def test_the_python_script_does_the_same_on_files(tmp_path, job, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = Image(np.arange(60, dtype=np.float32).reshape(3, 4, 5), "ZYX", name="embryo")
    write(tmp_path / "embryo.tif", image)
    text = script(MACRO, "headless").replace("/data/", "")
    exec(compile(text, "macro", "exec"), {})
    clean = read(tmp_path / "clean.tif")
    np.testing.assert_array_equal(clean.array(), 2 * image.array())
    assert clean.steps["Z"] == pytest.approx(0.4)


def test_the_command_line_is_one_line_per_step_that_makes_a_file():
    lines = script(MACRO, "cli").splitlines()
    line, compared = [one for one in lines if one.startswith("napari-cellinr")]
    assert compared == (
        "napari-cellinr compare clean.tif /data/embryo.tif --difference difference.tif"
    )
    assert line == (
        "napari-cellinr denoise /data/embryo.tif clean.tif --axes ZYX --voxel Z=0.4,Y=0.1,X=0.1 "
        "--set background=keep --set learning_rate=2e-05 --set seed=3"
    )
    from napari_cellinr.cli import make_parser
    from napari_cellinr.cli.shared.options import read_config

    options = make_parser().parse_args(line.split()[1:])
    assert read_config(options, CellINRConfig) == CellINRConfig(**DENOISE.settings)


def test_a_series_is_made_one_file_where_a_command_takes_no_other():
    movie = Source("t", "/data/t*.tif", along="T")
    fit = Step("denoise", (movie,), {}, ("t denoised",), seed=0)
    compare = Step("compare", (Source("t denoised"), movie), results=("difference",))
    lines = script(Macro((fit, compare)), "cli").splitlines()[-3:]
    assert lines == [
        "napari-cellinr denoise '/data/t*.tif' 't denoised.tif' --stack T --set seed=0",
        "napari-cellinr convert '/data/t*.tif' t.tif --stack T",
        "napari-cellinr compare 't denoised.tif' t.tif --difference difference.tif",
    ]
    some = replace(movie, path="/data", files=("t1.tif", "t3.tif"))
    text = script(Macro((replace(fit, sources=(some,)),)), "cli")
    assert "# 2 of the files of /data are one series: put them into a folder" in text


def test_a_replay_gives_the_same_on_another_file(tmp_path, job):
    other = Image(np.ones((2, 4, 5), np.float32), "ZYX", name="other")
    write(tmp_path / "other.tif", other)
    (tmp_path / "macro.py").write_text(script(MACRO))
    macro = load_macro(tmp_path / "macro.py")
    written = finish(iter_replay(macro, source=tmp_path / "other.tif", output=tmp_path / "out"))
    assert written == [tmp_path / "out" / "clean.tif"]
    np.testing.assert_array_equal(read(written[0]).array(), 2 * other.array())
    with pytest.raises(FileError, match=r"embryo\.tif"):
        finish(iter_replay(macro))


def test_without_a_saving_step_the_results_are_written(tmp_path, job):
    write(tmp_path / "a.tif", Image(np.ones((2, 4, 5), np.float32), "ZYX"))
    recipe = Macro((Step("denoise", (Source("layer"),), seed=0),))
    (tmp_path / "recipe.json").write_text(recipe.as_json())
    macro = load_macro(tmp_path / "recipe.json")
    assert macro == recipe
    written = finish(iter_replay(macro, source=tmp_path / "a.tif", output=tmp_path))
    assert [path.name for path in written] == ["a denoised.tif"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cellinr.denoise(", "line 1, is not Python"),
        ("import os\nos.remove('a')", "line 2, is not a step"),
        ("cellinr.denoise(open('a').read())", "line 1, is not a step"),
        ("cellinr.explode('a')", "explode is not known"),
        ("for i in range(3):\n    cellinr.denoise('a')", "line 1, is not a step"),
    ],
)
def test_other_python_is_refused_and_never_run(text, words):
    with pytest.raises(FileError, match=words):
        parse_script(text)


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"format": "napari-cellinr recipe", "version": 99, "steps": []}', "x"]
)
def test_a_recipe_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FileError):
        load_macro(tmp_path / "a.json")


def test_arguments_are_copied_and_must_be_plain():
    values = {"crop": {"Z": [0, 3]}}
    step = Step("render", (Source("a"),), values)
    values["crop"]["Z"][0] = 2
    assert step.arguments["crop"]["Z"] == [0, 3]
    with pytest.raises(ConfigError, match="cannot be recorded"):
        Step("render", (Source("a"),), {"crop": object()})
    assert Macro.from_json(json.dumps(Macro((step,)).as_dict())) == Macro((step,))


def test_the_recorder_follows_names_and_can_be_switched_off():
    heard = []
    recorder = Recorder(lambda: heard.append(1))
    recorder.record(DENOISE)
    recorder.renamed("embryo denoised", "best")
    recorder.record(Step("save", (Source("best"),), {"path": "a.tif"}))
    assert recorder.last.source.layer == "embryo denoised"
    recorder.stop()
    recorder.record(SAVE)
    assert len(recorder.macro.steps) == 2
    recorder.start()
    recorder.clear()
    assert recorder.macro == Macro()
    assert len(heard) >= 4


@pytest.mark.parametrize(
    ("layer", "proposed"),
    [
        ("cells · day 1", "cells · day 1"),
        ("cells · day 1 [2]", "cells · day 1 [2]"),
        ("denoised · cells · day 1", "cells · day 1 denoised"),
        ("rendered · denoised · cells · day 1 [1]", "cells · day 1 denoised rendered [1]"),
        ("minus WBNS · denoised · a · b", "a · b denoised minus WBNS"),
        ("reconstructed phase · a/b · c", "a-b · c reconstructed phase"),
        ("denoised · embryo", "embryo denoised"),
    ],
)
def test_a_file_is_called_after_the_layer(layer, proposed):
    """The source of a result comes first; a layer of the user keeps its name."""
    assert file_name(layer) == proposed


def sources_and_results(recorder):
    return [([one.layer for one in s.sources], list(s.results)) for s in recorder.macro.steps]


def test_results_of_a_renamed_file_have_the_names_that_a_replay_gives_them():
    """It opens the file with its own name, whatever the layer is called now."""
    recorder = Recorder()
    recorder.record(Step("open", (Source(path="cell [1].tif"),), results=("cell [1]",)))
    recorder.record(Step("denoise", (Source("cell [1]"),), results=("denoised · cell [1]",)))
    recorder.renamed("cell [1]", "best")
    recorder.record(Step("denoise", (Source("best"),), results=("denoised · best",)))
    recorder.renamed("denoised · best", "clean")
    recorder.record(
        Step("compare", (Source("clean"), Source("best")), results=("minus best · clean",))
    )
    recorder.record(Step("save", (Source("minus best · clean"),), {"path": "d.tif"}))
    first, second = "denoised · cell [1]", "denoised · cell [1] [1]"
    difference = f"minus cell [1] · {second}"
    assert sources_and_results(recorder) == [
        ([""], ["cell [1]"]),
        (["cell [1]"], [first]),
        (["cell [1]"], [second]),
        ([second, "cell [1]"], [difference]),
        ([difference], []),
    ]


def test_results_of_a_renamed_layer_are_renamed_with_it_in_all_steps():
    recorder = Recorder()
    recorder.record(Step("denoise", (Source("a"),), results=("denoised · a", "background · a")))
    recorder.record(Step("denoise", (Source("a"),), results=("denoised · a [1]",)))
    recorder.record(Step("render", (Source("denoised · a"),), results=("rendered · denoised · a",)))
    recorder.record(Step("denoise", (Source("other"),), results=("denoised · b · a",)))
    recorder.renamed("a", "b")
    recorder.record(Step("save", (Source("denoised · a"),), {"path": "d.tif"}))
    recorder.renamed("denoised · a [1]", "mine")
    recorder.record(Step("save", (Source("mine"),), {"path": "e.tif"}))
    assert sources_and_results(recorder) == [
        (["b"], ["denoised · b", "background · b"]),
        (["b"], ["denoised · b [1]"]),
        (["denoised · b"], ["rendered · denoised · b"]),
        (["other"], ["denoised · b · a"]),
        (["denoised · b"], []),
        (["denoised · b [1]"], []),
    ]


@pytest.mark.parametrize("renamed", ["denoised · a", "a"])
def test_the_same_result_again_is_told_from_one_that_was_renamed(renamed):
    """A replay makes both: the second has a number, as in the viewer."""
    recorder = Recorder()
    recorder.record(Step("denoise", (Source("a"),), {"steps": 1}, ("denoised · a",)))
    recorder.renamed(renamed, "b")
    source, first = ("a", "b") if renamed != "a" else ("b", "denoised · a")
    second = f"denoised · {source}"
    recorder.record(Step("denoise", (Source(source),), {"steps": 2}, (second,)))
    recorder.record(Step("compare", (Source(first), Source(second)), {}, ("difference",)))
    assert sources_and_results(recorder) == [
        ([source], [second]),
        ([source], [f"{second} [1]"]),
        ([second, f"{second} [1]"], ["difference"]),
    ]


def test_the_end_of_another_name_is_not_renamed():
    recorder = Recorder()
    sources = Source("denoised · day · a"), Source("a")
    recorder.record(Step("compare", sources, results=("minus a · denoised · day · a",)))
    recorder.renamed("a", "b")
    assert sources_and_results(recorder) == [
        (["denoised · day · a", "b"], ["minus b · denoised · day · a"])
    ]


def test_a_figure_does_not_stand_for_the_results():
    steps = (
        Step("denoise", (Source("a"),), {}, ("b",)),
        Step("figure", (Source("b"),), {"path": "f.png"}),
    )
    assert not Macro(steps).saves_results
    assert Macro((*steps, Step("save", (Source("b"),), {"path": "b.tif"}))).saves_results
