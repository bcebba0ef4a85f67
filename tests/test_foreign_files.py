"""Files that the package did not write are as they were, byte for byte, whatever is deleted."""

import json
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellinr import CellINRConfig, Image, read, write
from napari_cellinr.errors import FileError
from napari_cellinr.fitting.problem import Fitted, Progress, finish
from napari_cellinr.io import load_fitted, save_fitted, write_in_steps
from napari_cellinr.io.safety import atomic, owned
from napari_cellinr.io.safety.manifest import MANIFEST_FILE, identity_of, read_manifest
from napari_cellinr.macro import Macro, Source, Step
from napari_cellinr.macro.batch.run import SUMMARY, iter_batch
from napari_cellinr.methods import METHODS
from napari_cellinr.runs.request import CheckpointPlace, RunRequest, start
from napari_cellinr.runs.resume import (
    checkpoint_in,
    discard,
    found_checkpoint,
    resume,
    unfinished,
)

IMAGE = Image(np.arange(24, dtype=np.float32).reshape(2, 3, 4), "ZYX", name="image")
KEPT = {"method": "cellinr", "config": {}, "report": {}, "image": {}, "history": []}
OF_ANOTHER = {"checkpoint": "0123456789abcdef"}
N_PARTS = 9  # how often the job says something


def job_that_stores(image, config, monitor):
    """Store the steps of three frames, and each frame when it is done."""
    for frame in range(3):
        monitor.checkpoint.enter(f"frame-{frame}")
        done = monitor.checkpoint.entry("done")
        if done.load() is None:
            steps = monitor.checkpoint.entry("steps")
            found = steps.load()
            for step in range(0 if found is None else int(found[1]["step"][0]) + 1, 3):
                steps.save({}, {"step": np.array([step])})
                yield Progress("fitting", step, 3)
            done.save({}, {"frame": np.array([frame])})
            monitor.checkpoint.remove_all_but(done)
    return Fitted((image,), config, {}, (), "steps", {})


STORING = replace(METHODS["cellinr"], job=job_that_stores)


def begun(place, count):
    """Return a job that has stored `count` parts."""
    checkpoint = CheckpointPlace(place, every=0)
    job = start(RunRequest(STORING, IMAGE, CellINRConfig(), checkpoint=checkpoint))
    for _ in range(count):
        next(job)
    return job


def interrupted(place, count=5):
    begun(place, count).close()
    return place


def killed(place, count):
    """Leave a checkpoint as a process leaves it that is killed while it writes."""
    job = begun(place, count)
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    job.close()
    for name, content in before.items():
        (place / name).write_bytes(content)
    half = owned.new_temporary(place, ".cellinr")
    half.write_bytes(b"half of a part")
    with (place / MANIFEST_FILE).open("ab") as file:
        file.write(b'["frame-9.steps.0", "frame-')  # a line that was cut short
    return place


def as_of_0_1(place):
    """Make a checkpoint as version 0.1 wrote it: the same files, no manifest, no identity."""
    manifest = read_manifest(place)
    for file in set(manifest.files.values()):
        if (place / file).exists():
            header, tensors = load_fitted(place / file)
            del header["checkpoint"]
            save_fitted(place / file, header=header, tensors=tensors)
    (place / MANIFEST_FILE).unlink()
    return place


NAMES = [
    "notes.txt", "raw.tif", ".hidden", "job.cellinr.bak", "job", "holder.json.txt", "a/b/c.txt",
    "a/job.cellinr", "steps.0.cellinr", "frame-1.steps.0.cellinr", "frame-2.done.0.cellinr",
    "frame-7.steps.0.cellinr", "frame-0.steps.0+2.cellinr", "frame-1.cellinr", "model.cellinr",
    ".cellinr-0123456789ab.cellinr", ".cellinr-0123456789ab", "zarr.json", "0", "c/0/0", ".zattrs",
]  # fmt: skip

content = st.one_of(st.binary(max_size=40), st.sampled_from([KEPT, OF_ANOTHER]))
foreign = st.dictionaries(st.sampled_from(NAMES), content, max_size=6)


def planted(folder, files):
    """Put files into a folder where there are none of that name; return what they hold."""
    found = {}
    for name, what in files.items():
        path = folder / name
        if path.exists() or any(parent.is_file() for parent in path.parents):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(what, dict):
            save_fitted(path, header=what, tensors={"step": np.array([1])})
        else:
            path.write_bytes(what)
        found[path] = path.read_bytes()
    return found


def held(folder):
    """Return the files under a folder and what they hold; links are not followed."""
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


@contextmanager
def new_folder():
    with tempfile.TemporaryDirectory() as name:
        yield Path(name).resolve()


ENDS = {
    "finish": lambda place, count: finish(begun(place, count)),
    "close and discard": lambda place, count: discard(interrupted(place, count)),
    "close and resume": lambda place, count: finish_again(interrupted(place, count)),
    "kill and resume": lambda place, count: finish_again(killed(place, count)),
    "kill and discard": lambda place, count: discard(killed(place, count)),
}


def finish_again(place):
    return finish(start(replace(resume(place, every=0), method=STORING)))


@settings(max_examples=40, deadline=None)
@given(foreign, st.integers(1, N_PARTS), st.sampled_from(sorted(ENDS)))
def test_what_is_around_a_checkpoint_stays(files, count, end):
    with new_folder() as folder:
        there = planted(folder, files)
        place = checkpoint_in(folder, "out.tif")
        ENDS[end](place, count)
        assert not place.exists()
        assert held(folder) == there


@settings(max_examples=60, deadline=None)
@given(foreign, st.integers(1, N_PARTS), st.sampled_from(["go on", "resume", "discard", "kill"]))
def test_what_is_put_into_a_checkpoint_stays(files, count, end):
    with new_folder() as folder:
        place = checkpoint_in(folder, "out.tif")
        job = begun(place, count)
        there = planted(place, files)
        if end == "go on":
            finish(job)
        else:
            job.close()
            assert [one.path for one in unfinished(folder)] == [place]
        if end == "kill":
            (place / f".cellinr-{identity_of(place)}-0123.cellinr").write_bytes(b"half")
        if end in {"resume", "kill"}:
            finish_again(place)
        discard(place)
        assert held(folder) == there
        assert place.exists() == bool(there)


@settings(max_examples=60, deadline=None)
@given(foreign, st.integers(1, N_PARTS), st.booleans())
def test_a_checkpoint_of_version_0_1_goes_on_and_takes_only_its_own_files(files, count, go_on):
    with new_folder() as folder:
        place = as_of_0_1(interrupted(folder / "out.tif.checkpoint", count))
        there = planted(place, files)
        assert [one.path for one in unfinished(folder)] == [place]
        assert found_checkpoint(place) == place
        if go_on:
            steps = [
                progress.step for progress in start(replace(resume(place, every=0), method=STORING))
            ]
            assert len(steps) <= N_PARTS - count  # what was stored is not done again
        else:
            discard(place)
        assert held(folder) == there


@settings(max_examples=40, deadline=None)
@given(foreign.filter(bool))
def test_a_folder_with_anything_else_is_no_checkpoint(files):
    with new_folder() as folder:
        there = planted(folder, files)
        with pytest.raises(FileError, match=r"no part of a checkpoint; nothing there is touched"):
            begun(folder, 1)
        discard(folder)
        assert held(folder) == there


def test_a_file_in_the_place_of_a_folder_is_said_at_once(tmp_path):
    (tmp_path / "results").write_bytes(b"older")
    with pytest.raises(FileError, match=r"is no folder\. Give another folder"):
        begun(checkpoint_in(tmp_path / "results", "out.tif"), 1)
    with pytest.raises(FileError, match="Give another folder"):
        begun(tmp_path / "results", 1)
    assert (tmp_path / "results").read_bytes() == b"older"


@pytest.mark.parametrize("end", ["finish", "discard"])
def test_links_are_not_followed(tmp_path, end):
    older = tmp_path / "older"
    older.mkdir()
    (older / "result.tif").write_bytes(b"older")
    place = checkpoint_in(tmp_path, "out.tif")
    interrupted(place)
    inside = place / "frame-1.steps.0.cellinr"
    inside.rename(older / "moved.cellinr")
    inside.symlink_to(older / "moved.cellinr")
    (place / "link").symlink_to(older, target_is_directory=True)
    before = held(older)
    finish_again(place) if end == "finish" else discard(place)
    assert held(older) == before
    assert sorted(path.name for path in place.iterdir()) == [inside.name, "link"]


@pytest.mark.parametrize(
    "file", ["../raw.cellinr", "/raw.cellinr", "a/b.cellinr", "..", "raw.tif", "", None, 7, ["x"]]
)
def test_a_manifest_cannot_name_files_elsewhere(tmp_path, file):
    (tmp_path / "a").mkdir()
    save_fitted(tmp_path / "raw.cellinr", header={}, tensors={})
    place = interrupted(checkpoint_in(tmp_path, "out.tif"))
    (place / "raw.tif").write_bytes(b"raw")
    with (place / MANIFEST_FILE).open("a") as manifest:
        manifest.write(json.dumps(["frame-9.steps.0", file]) + "\n")
    discard(place)
    assert held(tmp_path).keys() == {tmp_path / "raw.cellinr", place / "raw.tif"}


@pytest.mark.parametrize(
    "text", [b"", b"[" * 5000, b"{}\n", b'{"format": "napari-cellinr checkpoint"}', b"\xff\n"]
)
def test_a_damaged_manifest_marks_nothing(tmp_path, text):
    place = interrupted(checkpoint_in(tmp_path, "out.tif"))
    (place / MANIFEST_FILE).write_bytes(text)
    before = held(place)
    discard(place)
    assert held(place) == before


def test_what_the_desktop_puts_into_a_folder_stays_and_is_no_reason_to_refuse(tmp_path):
    place = checkpoint_in(tmp_path, "out.tif")
    place.mkdir()
    (place / ".DS_Store").write_bytes(b"view")
    finish(begun(place, 3))
    assert held(tmp_path) == {place / ".DS_Store": b"view"}


def test_a_checkpoint_whose_job_is_gone_is_not_gone_on_with(tmp_path):
    """Parts of a fit that cannot be resumed any more are not mixed with those of the next."""
    place = interrupted(checkpoint_in(tmp_path, "out.tif"))
    (place / "job.cellinr").unlink()
    job = begun(place, 1)
    assert sorted(path.name for path in place.glob("*.cellinr")) == [
        "frame-0.steps.0.cellinr", "job.cellinr",
    ]  # fmt: skip
    finish(job)
    assert not place.exists()


@pytest.mark.parametrize(
    "name", ["out.tif", "a b:c.tif", "../../etc", "..", "", "x" * 400, "µm/図.tif", "a\nb"]
)
def test_the_folder_of_a_checkpoint_lies_in_the_one_that_was_given(tmp_path, name):
    place = checkpoint_in(tmp_path, name)
    assert place.parent == tmp_path
    assert place.resolve() == place
    assert place.name.endswith(".cellinr-checkpoint")
    place.mkdir()


def test_names_that_would_be_the_same_are_told_apart(tmp_path):
    names = ["a:b", "a;b", "a_b", "x" * 60, "x" * 61]
    assert len({checkpoint_in(tmp_path, name) for name in names}) == len(names)


def test_of_several_checkpoints_one_is_to_be_given(tmp_path):
    for name in ("a.tif", "b.tif"):
        interrupted(checkpoint_in(tmp_path, name))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "job.cellinr").write_bytes(b"no checkpoint")
    with pytest.raises(FileError, match=r"2 checkpoints; .*a\.tif\.cellinr-.*, b\.tif\.cellinr-"):
        found_checkpoint(tmp_path)
    discard(checkpoint_in(tmp_path, "a.tif"))
    assert found_checkpoint(tmp_path) == checkpoint_in(tmp_path, "b.tif")


IN_A_ZARR = [
    "notes.txt", "0/notes.txt", "0/c/notes.txt", "0/c/0/notes.txt", "labels/x.txt", "3",
    "OME/METADATA.ome.xml", ".DS_Store", "extra/zarr.json", "extra/0", "c/0/0", "0/c/0/zarr.json",
]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(IN_A_ZARR), st.binary(max_size=9), min_size=1), foreign)
def test_a_zarr_with_anything_else_is_not_replaced(inside, around):
    with new_folder() as folder:
        path = write(folder / "image.zarr", IMAGE)
        planted(folder, around)
        there = planted(path, inside)
        before = held(folder)
        with pytest.raises(FileError, match="no part of a Zarr"):
            write(path, IMAGE.like(IMAGE.array() + 1))
        assert held(folder) == before
        for one in there:
            one.unlink()


@settings(max_examples=15, deadline=None)
@given(foreign, st.sampled_from(["write", "fail", "stop"]))
def test_what_is_around_a_zarr_that_is_replaced_stays(around, end):
    with new_folder() as folder:
        path = write(folder / "image.zarr", IMAGE)
        there = planted(folder, around)
        before = held(path)
        job = write_in_steps(path, IMAGE.like(IMAGE.array() + 1))
        next(job)
        if end == "write":
            list(job)
            np.testing.assert_array_equal(read(path).array(), IMAGE.array() + 1)
        elif end == "fail":
            there |= planted(path, {"put there meanwhile.txt": b"raw"})
            with pytest.raises(FileError, match="put there meanwhile"):
                list(job)
            assert held(path).items() >= before.items()
        else:
            job.close()
            assert held(path) == before
        files = held(folder)
        assert {one: files.get(one) for one in there} == there
        inside = {one for one in files if path in one.parents}
        assert files.keys() - inside == there.keys() - inside


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_every_file_of_a_zarr_is_known_as_one(tmp_path, version):
    from napari_cellinr.io.zarr import parts as zarr_parts
    from napari_cellinr.io.zarr import writer as zarr_writer

    large = Image(np.ones((2, 3, 300, 520), np.uint16), "CZYX")
    zarr_writer.write(tmp_path / "image.zarr", large, version)
    parts = zarr_parts.zarr_parts(tmp_path / "image.zarr")
    assert set(parts.files) == set(held(tmp_path))
    assert parts.others == []
    assert zarr_parts.remove_zarr(tmp_path / "image.zarr")
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_a_zarr_is_not_followed(tmp_path):
    path, older = write(tmp_path / "image.zarr", IMAGE), tmp_path / "older"
    older.mkdir()
    (older / "0").write_bytes(b"older")
    (path / "0" / "c" / "9").symlink_to(older, target_is_directory=True)
    with pytest.raises(FileError, match="no part of a Zarr"):
        write(path, IMAGE)
    assert (older / "0").read_bytes() == b"older"


def test_a_name_that_is_taken_is_not_tried(tmp_path, monkeypatch):
    taken = tmp_path / ".cellinr-taken"
    taken.write_bytes(b"raw")
    monkeypatch.setattr(atomic, "new_temporary", lambda *_: taken)
    with pytest.raises(FileError, match="cannot be written"):
        atomic.check_place(tmp_path / "out.tif")
    assert taken.read_bytes() == b"raw"


RECIPE = Macro((Step("denoise", (Source("embryo"),), {}, seed=1),))
IN_A_BATCH = [
    ".done/notes.txt", ".done/raw.json", ".done/other.json", ".done/a/b.json", "older.tif",
    "raw/clean.tif", "summary.txt",
]  # fmt: skip
marks = st.sampled_from([b"", b"{}", b"nonsense", b'{"key": 3}', b"[" * 5000])


@settings(max_examples=10, deadline=None)
@given(st.dictionaries(st.sampled_from(IN_A_BATCH), marks))
def test_a_batch_that_is_done_again_leaves_other_files(files):
    def job(image, config, monitor):
        yield Progress("fitting", 1, 1)
        return Fitted((image.like(image.data, name="raw denoised"),), config, {}, (), "steps", {})

    with new_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setitem(METHODS, "cellinr", replace(METHODS["cellinr"], job=job))
        raw, out = write(folder / "raw.tif", IMAGE), folder / "out"
        there = planted(out, files) | {raw: raw.read_bytes()}
        for again in (False, True):
            rows = finish(iter_batch(RECIPE, [raw], out, again=again))
            assert [row.state for row in rows] == ["done"]
        (row,) = finish(iter_batch(RECIPE, [raw], out))
        assert row.state == "skipped"
        files = held(folder)
        assert {one: files.get(one) for one in there} == there


def test_a_table_of_somebody_else_is_not_replaced(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / SUMMARY).write_text("cell,area\n1,3.5\n")
    with pytest.raises(FileError, match="is not the summary of a batch"):
        finish(iter_batch(RECIPE, [tmp_path / "raw.tif"], out))
    assert (out / SUMMARY).read_text() == "cell,area\n1,3.5\n"
