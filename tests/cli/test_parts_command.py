"""Commands that compute in parts: what goes on, and what begins anew."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellinr import FitError, Image, read, write
from napari_cellinr.cli.shared import scale
from napari_cellinr.runs.scale.methods import denoise
from napari_cellinr.runs.scale.plan import save_plan
from napari_cellinr.runs.scale.state import PLAN_FILE


@pytest.fixture
def computed(monkeypatch):
    """The parts that were computed; those in `fails` fail."""
    found = SimpleNamespace(done=[], fails=())

    def job(block, plan, part, monitor):
        yield from monitor.report("denoising")
        if part.frames[0] in found.fails:
            raise FitError("no luck.")
        found.done.append(part.frames[0])
        result = block.like(np.asarray(block.array(), np.float32))
        return SimpleNamespace(
            stopped="steps", roles=("result",), report={}, image=lambda role: result
        )

    monkeypatch.setattr(denoise.METHOD, "job", job)
    monkeypatch.setattr(denoise.METHOD, "frames", lambda plan, part: list(range(*part.near)))
    monkeypatch.setattr(denoise.METHOD, "measured", lambda image, config: ([{"settings": {}}], []))
    return found


@pytest.fixture
def words(tmp_path):
    data = np.random.default_rng(0).integers(0, 900, (3, 32, 32)).astype(np.uint16)
    write(tmp_path / "in.zarr", Image(data, "TYX"))
    out = tmp_path / "out.zarr"
    return ["denoise", tmp_path / "in.zarr", out, "--parts", "--preset", "preview"], out, data


def test_an_unfinished_result_goes_on_unless_it_is_to_be_replaced(run, computed, words):
    command, out, data = words
    computed.fails = (1,)
    assert run(*command)[0] == 1
    assert sorted(computed.done) == [0, 2]
    computed.fails, computed.done = (), []
    assert run(*command, "--resume", f"{out}.parts")[0] == 0
    assert computed.done == [1]
    np.testing.assert_array_equal(read(out).array(), data)


def test_a_complete_result_leaves_nothing_to_go_on_with(run, computed, words):
    command, out, data = words
    assert run(*command)[0] == 0
    computed.done = []
    status, _, error = run(*command, "--resume", f"{out}.parts")
    assert status == 2
    assert "nothing to go on with" in error
    assert "--overwrite" in error
    assert computed.done == []
    np.testing.assert_array_equal(read(out).array(), data)


def test_overwrite_begins_anew(run, computed, words):
    command, out, data = words
    computed.fails = (1,)
    assert run(*command)[0] == 1
    computed.fails, computed.done = (), []
    assert run(*command, "--overwrite")[0] == 0
    assert computed.done == [0, 1, 2]
    np.testing.assert_array_equal(read(out).array(), data)


def test_resume_with_overwrite_goes_on(run, computed, words):
    command, out, _ = words
    computed.fails = (1,)
    assert run(*command)[0] == 1
    computed.fails, computed.done = (), []
    assert run(*command, "--resume", f"{out}.parts", "--overwrite")[0] == 0
    assert computed.done == [1]


@pytest.mark.parametrize("option", [("--seed", 7), ("--set", "seed=7")])
def test_other_settings_than_those_of_the_run_are_named(run, computed, words, option):
    command, out, _ = words
    computed.fails = (1,)
    assert run(*command)[0] == 1
    computed.fails, computed.done = (), []
    status, _, error = run(*command, *option, "--resume", f"{out}.parts")
    assert status == 2
    assert "seed=7 was given with --resume, and the run that goes on has seed=0" in error
    assert computed.done == []
    assert run(*command, "--set", "max_seconds=900", "--resume", f"{out}.parts")[0] == 0
    assert computed.done == [1]


METHODS = {
    "superresolve": ("--scale", "t=2", "--motion", "never"),
    "reconstruct": ("--optics", '{"kind": "time-lapse", "frame_time": 2}'),
}
OTHERS = [
    ("superresolve", "scale", ("--scale", "t=4", "--motion", "never")),
    ("superresolve", "motion", ("--motion", "always")),
    ("reconstruct", "optics", ("--optics", '{"kind": "time-lapse", "frame_time": 3}')),
    ("reconstruct", "times", ("--times", "0,2")),
    ("reconstruct", "times", ("--frames", "9")),
]


@pytest.fixture
def planned(run, tmp_path, monkeypatch):
    """Return a function that begins a command and is interrupted, and one that lists what ran."""
    ran = []

    def begun(options, plan):
        plan.folder.mkdir(exist_ok=True)
        save_plan(plan, plan.folder / PLAN_FILE)
        ran.append(plan)
        return 0

    monkeypatch.setattr(scale, "run_parts", begun)
    data = np.random.default_rng(0).poisson(90, (5, 48, 48)).astype(np.uint16)
    place = (2.0, 0.1, 0.1), ("second", "micrometer", "micrometer")
    write(tmp_path / "in.zarr", Image(data, "TYX", *place))

    def command(action, words, *more):
        return run(action, tmp_path / "in.zarr", tmp_path / "out.zarr", "--parts", *words, *more)

    return command, ran, f"{tmp_path / 'out.zarr'}.parts"


@pytest.mark.parametrize("action", METHODS)
def test_the_same_settings_go_on(planned, action):
    command, ran, folder = planned
    for more in ((), ("--resume", folder)):
        status, _, error = command(action, METHODS[action], *more)
        assert status == 0, error
    assert command(action, (), "--resume", folder)[0] == 0
    assert [plan.settings for plan in ran[1:]] == [ran[0].settings] * 2


@pytest.mark.parametrize(("action", "name", "words"), OTHERS)
def test_other_settings_of_any_method_are_named(planned, action, name, words):
    command, ran, folder = planned
    assert command(action, METHODS[action])[0] == 0
    status, _, error = command(action, words, "--resume", folder)
    assert status == 2
    assert f"{name}=" in error
    assert "was given with --resume, and the run that goes on has" in error
    assert len(ran) == 1


def test_finished_parts_are_kept_if_there_is_no_such_device(run, computed, words):
    command, out, _ = words
    computed.fails = (1,)
    assert run(*command)[0] == 1
    computed.fails, computed.done = (), []
    status, _, error = run(*command, "--overwrite", "--device", "cuda:98,cuda:99")
    assert status == 2
    assert "cuda:98" in error
    assert run(*command, "--resume", f"{out}.parts")[0] == 0
    assert computed.done == [1]


@pytest.mark.parametrize(
    "result", [(), ("--result", "in.zarr"), ("--result", "in.zarr/0"), ("--result", "taken.zarr")]
)
def test_a_result_that_cannot_be_written_is_named_before_anything_is_measured(
    run, words, tmp_path, monkeypatch, result
):
    """By default, the result is beside the plan with its name: here, that of the input."""
    write(tmp_path / "taken.zarr", Image(np.zeros((2, 8, 8)), "TYX"))

    def measured(image, config):
        raise AssertionError("it was measured first")

    monkeypatch.setattr(denoise.METHOD, "measured", measured)
    monkeypatch.chdir(tmp_path)
    status, _, errors = run("plan", "in.zarr", "in.json", *result)
    assert status != 0
    assert "exists" in errors if "taken.zarr" in result else "would overwrite the input" in errors
    assert not (tmp_path / "in.json").exists()


def test_a_folder_to_resume_that_is_missing_is_named_before_settings(run, computed, words):
    command, out, _ = words
    status, _, error = run(
        *command, "--resume", f"{out}.elsewhere.parts", "--set", "preset=preview"
    )
    assert status == 2
    assert f"--resume {out}.elsewhere.parts was given, and there is no such folder" in error


def test_an_unfinished_run_in_the_place_of_the_result_is_named(run, computed, words):
    command, out, _ = words
    computed.fails = (1,)
    assert run(*command)[0] == 1
    status, _, error = run(*command, "--steps", "7")
    assert status == 2
    assert f"{out} exists; it is the result of a run in parts that is not finished" in error
    assert f"--resume {out}.parts" in error
    computed.fails = ()
    assert run(*command, "--overwrite")[0] == 0
    assert "not finished" not in run(*command)[2]
