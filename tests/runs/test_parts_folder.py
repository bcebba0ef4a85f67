"""The folder in which finished parts are noted: files of others stay, older folders go on."""

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellinr import Image, read, write
from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import FileError, FileWarning
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.runs.scale import make, state
from napari_cellinr.runs.scale.parts import part_job
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.source import Source
from napari_cellinr.runs.scale.state import State

FACTS = {"seconds": 1.0, "held_out": None, "warnings": ["dim"], "computer": "a"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A plan of four parts and one that makes coarser levels."""
    folder = tmp_path_factory.mktemp("recording")
    generator = np.random.default_rng(0)
    light = 50 + 40 * np.sin(np.arange(32) / 3)[:, None] * np.sin(np.arange(32) / 3)
    frames = generator.poisson(np.stack([light] * 4)).astype(np.uint16)
    write(folder / "in.zarr", Image(frames, axes="TYX"))
    config = CellINRConfig(preset="preview", steps=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_cellinr.io.lazy._CHUNK", 1)
        source, outputs = Source(str(folder / "in.zarr")), {"result": str(folder / "out.zarr")}
        plan = make.make_plan("denoise", source, config, outputs, 1e12)
    first = plan.parts[0]
    parts = [replace(first, frames=(n, n + 1), near=(n, n + 1)) for n in range(4)]
    return replace(plan, parts=tuple(parts))


def placed(plan, folder, **changes):
    return replace(plan, outputs={"result": str(folder / "out.zarr")}, **changes)


def as_before_manifests(plan, folder=None):
    """Make a folder as it was before notes named their plan."""
    folder = plan.folder if folder is None else folder
    (folder / "cellinr-parts.json").unlink()
    for path in folder.iterdir():
        if path.name == "created" or path.name == "stop":
            path.write_bytes(b"")
        elif path.suffix == ".lock":
            path.rename(folder / "created.lock")
        elif path.name.startswith("part-"):
            facts = json.loads(path.read_text())
            del facts["run"]
            path.write_text(json.dumps(facts))


NAMES = [
    "part-mine.json", "part-000001.json", "part-000004.json", "part-000000+2.json", "notes.txt",
    "created", "stop", "created.lock", "cellinr-parts.json", "a/part-000000.json", "raw.tif",
    ".hidden", "plan.json.bak", "part-000001.json.bak",
]  # fmt: skip
CONTENT = [
    b"", b"{}", b"mine", b"[" * 5000, b'{"seconds": 1}', b'{"run": "another", "warnings": []}',
]  # fmt: skip
foreign = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(CONTENT), max_size=6)


def planted(folder, files):
    """Put files where there are none of that name; return what they hold."""
    found = {}
    for name, content in files.items():
        path = folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            found[path] = content
    return found


def held(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@settings(max_examples=25, deadline=None)
@given(foreign, st.sampled_from(["before", "begun", "noted"]), st.integers(0, 5))
def test_what_is_put_into_the_folder_stays(made, files, when, count):
    with tempfile.TemporaryDirectory() as name:
        plan = placed(made, Path(name).resolve())
        there = planted(plan.folder, files) if when == "before" else {}
        State(plan).begin()
        if when == "begun":
            there = planted(plan.folder, files)
        for number in range(count):
            State(plan).note(number, FACTS)
        if when == "noted":
            there = planted(plan.folder, files)
        assert State(plan).done == set(range(count))
        assert State(plan).notes().keys() == set(range(count))
        assert State(plan).is_complete == (count == 5)
        assert not State(plan).is_stopped
        State(plan).stop()
        assert State(plan).is_stopped
        State(plan).go()
        assert not State(plan).is_stopped
        State(plan).begin()  # by another process
        State(plan).forget()
        assert {path: path.read_bytes() for path in there} == there
        left = held(plan.folder) if plan.folder.exists() else {}
        assert left == there


@settings(max_examples=12, deadline=None)
@given(foreign, st.booleans())
def test_the_folder_of_another_plan_is_replaced_but_for_files_of_others(made, files, is_old):
    with tempfile.TemporaryDirectory() as name:
        plan = placed(made, Path(name).resolve())
        State(plan).begin()
        State(plan).note(3, FACTS)
        if is_old:
            as_before_manifests(plan)
            files = {one: content for one, content in files.items() if content}
            files.pop("cellinr-parts.json", None)
        there = planted(plan.folder, files)
        other = replace(plan, warnings=("other",))
        with pytest.raises(FileError, match="belongs to another plan"):
            State(other).begin()
        State(other).begin(overwrite=True)
        assert State(other).done == set()
        State(other).forget()
        left = held(plan.folder) if plan.folder.exists() else {}
        assert left == there


def test_links_are_not_followed(made, tmp_path):
    plan, older = placed(made, tmp_path), tmp_path / "older"
    older.mkdir()
    State(plan).begin()
    for number in range(5):
        State(plan).note(number, FACTS)
    moved = plan.folder / "part-000002.json"
    moved.rename(older / "moved.json")
    moved.symlink_to(older / "moved.json")
    (plan.folder / "stop").symlink_to(older / "moved.json")
    before = held(older)
    assert State(plan).done == {0, 1, 3, 4}
    State(plan).note(2, FACTS)
    assert State(plan).is_complete
    State(plan).forget()
    assert held(older) == before
    assert sorted(path.name for path in plan.folder.iterdir()) == ["part-000002.json", "stop"]


@pytest.mark.parametrize("content", [b"", b"mine", b"{}"])
def test_a_plan_of_somebody_else_is_left_alone(made, tmp_path, content):
    plan = placed(made, tmp_path)
    there = planted(plan.folder, {"plan.json": content, "part-000000.json": b"mine"})
    for overwrite in (False, True):
        with pytest.raises(FileError, match=r"is no plan"):
            State(plan).begin(overwrite=overwrite)
    assert held(tmp_path) == there
    (plan.folder / "plan.json").rename(tmp_path / "elsewhere.json")
    (plan.folder / "plan.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(FileError, match="is no plain file"):
        State(plan).begin(overwrite=True)
    assert (tmp_path / "elsewhere.json").read_bytes() == content


def test_a_damaged_note_is_a_part_that_is_not_finished(made, tmp_path):
    plan = placed(made, tmp_path)
    expected = finish(run_plan(placed(made, tmp_path / "..")))
    assert expected.is_complete
    for number in (0, 1):
        finish(part_job(plan, number, Monitor()))
    (plan.folder / "part-000001.json").write_bytes(b'{"seconds": 1.0, "warn')
    assert State(plan).done == {0}
    assert finish(run_plan(plan)).is_complete
    whole = read(tmp_path.parent / "out.zarr").array()
    np.testing.assert_array_equal(read(plan.places[0]).array(), whole)
    assert [path.name for path in plan.folder.iterdir()] == ["part-000001.json"]


@pytest.mark.parametrize("killed", ["while it computed", "while it was stopped", "at its end"])
def test_a_folder_from_before_notes_named_their_plan_goes_on(made, tmp_path, killed, monkeypatch):
    monkeypatch.setattr(state, "_PATIENCE", 0.3)
    plan = placed(made, tmp_path)
    for number in range(4):
        finish(part_job(plan, number, Monitor()))
    if killed == "while it was stopped":
        State(plan).stop()
    if killed == "at its end":
        monkeypatch.setattr(State, "forget", lambda _: None)
        finish(run_plan(plan))
        monkeypatch.undo()
    as_before_manifests(plan)
    assert State(plan).done >= {0, 1, 2, 3}
    assert State(plan).is_stopped == (killed == "while it was stopped")
    finished = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out.zarr/0/c/**/*")}
    found = finish(run_plan(plan))
    assert found.is_complete
    assert finished == {path: path.stat().st_mtime_ns for path in finished}  # not done again
    assert not plan.folder.exists()


def test_a_folder_from_before_that_was_being_created_goes_on(made, tmp_path):
    plan = placed(made, tmp_path)
    State(plan).begin()
    as_before_manifests(plan)
    (plan.folder / "created").unlink()
    assert finish(run_plan(plan)).is_complete
    assert not plan.folder.exists()


@pytest.mark.parametrize("n_left", range(6))
def test_a_run_that_was_killed_while_it_forgot_leaves_a_folder_for_the_next(
    made, tmp_path, n_left, monkeypatch
):
    plan = placed(made, tmp_path)
    State(plan).begin()
    for number in range(5):
        State(plan).note(number, FACTS)
    removed = []

    def killed(paths):
        for path in paths:
            if len(removed) == n_left:
                raise KeyboardInterrupt
            removed.append(path)
            path.unlink(missing_ok=True)

    monkeypatch.setattr(state, "remove_files", killed)
    with pytest.raises(KeyboardInterrupt):
        State(plan).forget()
    monkeypatch.undo()
    monkeypatch.setattr(state, "_PATIENCE", 0.3)
    shutil.rmtree(plan.places[0])
    other = replace(plan, warnings=("other",))
    State(other).begin(overwrite=True)
    assert State(other).done == set()
    State(other).forget()
    assert not plan.folder.exists()


def test_edges_of_tiles_go_with_the_notes_and_those_of_others_stay(made, tmp_path):
    """The names of ours hold the identity of the plan, which nobody else's do."""
    plan = placed(made, tmp_path)
    kept = State(plan)
    kept.begin()
    own = kept.bands(2, "result")
    others = [own.parent / name for name in ("edges-000002-result.npy", "edges-mine.npy")]
    for path in (own, *others):
        path.write_bytes(b"edges")
    kept.forget()
    assert not own.exists()
    assert all(path.read_bytes() == b"edges" for path in others)


def test_edges_of_a_plan_that_is_replaced_go_with_its_notes(made, tmp_path):
    plan = placed(made, tmp_path)
    kept = State(plan)
    kept.begin()
    own = kept.bands(3, "result")
    own.write_bytes(b"edges")
    other = placed(made, tmp_path, settings={**made.settings, "seed": 7})
    State(other).begin(overwrite=True)
    assert not own.exists()


@pytest.mark.parametrize("fault", ["gone", "damaged", "another"])
def test_a_result_that_is_gone_is_begun_again_only_to_overwrite(made, tmp_path, fault):
    plan = placed(made, tmp_path)
    State(plan).begin()
    State(plan).note(1, FACTS)
    if fault == "damaged":
        (plan.places[0] / "zarr.json").write_text("{")
    else:
        shutil.rmtree(plan.places[0])
    if fault == "another":
        write(plan.places[0], Image(np.zeros((8, 8), np.float32), axes="YX"))
    with pytest.raises(FileError):
        State(plan).begin()
    assert State(plan).done == {1}
    if fault == "damaged":
        shutil.rmtree(plan.places[0])
    State(plan).begin(overwrite=True)
    assert State(plan).done == set()
    with pytest.warns(FileWarning, match="not finished"):
        assert read(plan.places[0]).array().shape == (4, 32, 32)
