"""Steps can be deleted and disabled, with those that need them; unused files are left out."""

import pytest

from napari_cellinr.macro import Macro, Recorder, Source, Step, parse_script, script


def steps():
    return (
        Step("open", (Source(path="a.tif"),), results=("a",)),
        Step("open", (Source(path="unused.tif"),), results=("unused",)),
        Step("denoise", (Source("a", "a.tif"),), results=("a denoised",), seed=0),
        Step("save", (Source("a denoised"),), {"path": "out.tif"}),
        Step("denoise", (Source("a", "a.tif"),), {"steps": 7}, results=("a denoised [1]",), seed=0),
    )


@pytest.fixture
def recorder():
    recorder = Recorder()
    for step in steps():
        recorder.record(step)
    return recorder


def test_a_step_is_deleted_with_those_that_need_it(recorder):
    removed = recorder.remove(2)
    assert [step.action for step in removed] == ["denoise", "save"]
    assert [step.action for step in recorder.macro.steps] == ["open", "open", "denoise"]
    recorder.remove(0)  # the file is opened again where it is needed
    assert "cellinr.use('a', 'a.tif')" in script(recorder.macro)


def test_a_disabled_step_is_skipped_and_stays_in_recipes(recorder):
    recorder.disable(2)
    macro = recorder.macro
    assert [step.disabled for step in macro.steps] == [False, False, True, True, False]
    for style in ("console", "headless", "cli"):
        text = script(macro, style)
        assert "# disabled: cellinr.denoise('a'" in text
        assert not any("out.tif" in line for line in text.splitlines() if line[:1] != "#")
    assert len(parse_script(script(macro)).steps) == 2
    assert Macro.from_json(macro.as_json()) == macro
    assert "disabled" not in Macro(steps()).as_json()
    recorder.disable(3, disabled=False)  # what it needs is enabled, too
    assert not any(step.disabled for step in recorder.macro.steps)


def test_files_that_are_not_used_are_not_in_the_script():
    macro = Macro(steps())
    for style in ("console", "headless", "cli"):
        assert "unused.tif" not in script(macro, style)
        assert "a.tif" in script(macro, style)
    opened = Macro(steps()[:2])
    assert "unused.tif" in script(opened)
