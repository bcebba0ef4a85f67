"""Recordings, results and disks with faults: one sentence each, and finished parts are kept."""

import os
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellinr import Image, read, write
from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.io.zarr.missing import missing_chunks
from napari_cellinr.runs.scale import make, state
from napari_cellinr.runs.scale.methods import measured
from napari_cellinr.runs.scale.parts import part_job
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.source import Source, digest, is_same
from napari_cellinr.runs.scale.state import State


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Four frames, each a part that is read on its own."""
    monkeypatch.setattr("napari_cellinr.io.lazy._CHUNK", 1)
    generator = np.random.default_rng(0)
    light = 50 + 40 * np.sin(np.arange(32) / 3)[:, None] * np.sin(np.arange(32) / 3)
    frames = generator.poisson(np.stack([light] * 4)).astype(np.uint16)
    write(tmp_path / "in.zarr", Image(frames, axes="TYX"))
    return planned(tmp_path)


def planned(folder, **settings):
    config = CellINRConfig(preset="preview", steps=5, **settings)
    outputs = {"result": str(folder / "out.zarr")}
    return make.make_plan("denoise", Source(str(folder / "in.zarr")), config, outputs, 1e12)


def chunk(tmp_path, frame):
    """Return the file of the only chunk of a frame."""
    return tmp_path / "in.zarr" / "0" / "c" / str(frame) / "0" / "0"


def test_a_damaged_chunk_fails_its_part_only(plan, tmp_path):
    place = chunk(tmp_path, 2)
    good = place.read_bytes()
    place.write_bytes(good[: len(good) // 2])
    found = finish(run_plan(plan))
    assert set(found.failed) == {2}
    assert "is damaged: a chunk of 0 cannot be read" in found.failed[2]
    assert State(plan).done == {0, 1, 3}
    place.write_bytes(good)
    assert finish(run_plan(plan)).is_complete


def test_missing_chunks_are_counted(plan, tmp_path):
    assert missing_chunks(str(tmp_path / "in.zarr")) == []
    lost = chunk(tmp_path, 1)
    lost.unlink()
    (lost.parent / ".DS_Store").write_bytes(b"of another program")
    (text,) = missing_chunks(str(tmp_path / "in.zarr"))
    assert text.startswith("1 of 4 chunks of ")
    assert "1 of 4 chunks" in planned(tmp_path).warnings[-1]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_chunks_of_both_formats_are_counted(tmp_path, version):
    from napari_cellinr.io.zarr.writer import write as write_zarr

    image = Image(np.ones((3, 20, 300, 300), np.uint16), axes="TZYX")
    write_zarr(tmp_path / "a.zarr", image, version)
    assert missing_chunks(str(tmp_path / "a.zarr")) == []
    files = sorted(path for path in (tmp_path / "a.zarr" / "0").rglob("[0-9]") if path.is_file())
    assert len(files) == 3 * 2 * 2 * 2
    files[5].unlink()
    assert missing_chunks(str(tmp_path / "a.zarr"))[0].startswith("1 of 24 chunks")


def test_a_disk_that_will_be_full_is_named_before(plan, monkeypatch):
    needed = 4 * 4 / 3 * 4 * 32 * 32
    monkeypatch.setattr(make.shutil, "disk_usage", lambda _: SimpleNamespace(free=needed - 1))
    assert "Make room there" in make.check_space(plan)
    monkeypatch.setattr(make.shutil, "disk_usage", lambda _: SimpleNamespace(free=needed + 1))
    assert make.check_space(plan) == ""


def test_a_full_disk_keeps_the_finished_parts(plan, monkeypatch):
    from napari_cellinr.runs.scale import parts

    write_region, written = parts.write_region, []

    def until_full(place, where, values):
        if len(written) == 2:
            raise FileError(f"{place} cannot be written: No space left on device.")
        written.append(where)
        write_region(place, where, values)

    monkeypatch.setattr(parts, "write_region", until_full)
    found = finish(run_plan(plan))
    assert set(found.failed) == {2, 3}
    assert "No space left" in found.failed[2]
    assert State(plan).done == {0, 1}
    monkeypatch.setattr(parts, "write_region", write_region)
    assert finish(run_plan(plan)).is_complete


def test_another_file_in_the_place_of_the_result_is_kept(plan):
    write(plan.places[0], np.ones((4, 8, 8), np.float32), axes="TYX")
    with pytest.raises(FileError, match="exists; choose another name"):
        finish(run_plan(plan))
    assert read(plan.places[0]).shape == (4, 8, 8)


def test_a_result_that_was_removed_meanwhile_is_named(plan):
    State(plan).begin()
    shutil.rmtree(plan.places[0])
    with pytest.raises(FileError):
        finish(run_plan(plan))


def test_a_recording_is_recognised_by_the_blocks_that_can_be_read(plan, tmp_path):
    image = plan.source.image()
    assert is_same(digest(image), plan.digest)
    chunk(tmp_path, 2).write_bytes(b"")
    assert "?" in digest(image)
    assert is_same(digest(image), plan.digest)
    assert not is_same(digest(image.crop(Y=slice(0, 31))), plan.digest)
    assert not is_same("0", plan.digest)
    for frame in range(4):
        chunk(tmp_path, frame).write_bytes(b"")
    with pytest.raises(FileError, match="is damaged"):
        digest(plan.source.image())


def test_noise_that_does_not_grow_with_brightness_is_no_obstacle(tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    light = 500 + 200 * np.sin(np.arange(64) / 5)[:, None] * np.sin(np.arange(64) / 5)
    write(tmp_path / "in.zarr", Image(light + generator.normal(0, 5, (2, 64, 64)), axes="TYX"))
    estimated = measured.estimate_noise

    def flat(*given, **more):
        return replace(estimated(*given, **more), gain=0.0)

    monkeypatch.setattr(measured, "estimate_noise", flat)
    assert finish(run_plan(planned(tmp_path))).failed == {}


@pytest.mark.parametrize("before_manifests", [False, True])
def test_a_process_that_was_killed_while_it_created_the_results_is_replaced(
    plan, monkeypatch, before_manifests
):
    monkeypatch.setattr(state, "_PATIENCE", 0.3)
    plan.folder.mkdir()
    lock = "created.lock" if before_manifests else f"created.{plan.identity()}.lock"
    (plan.folder / lock).touch()
    State(plan).begin()
    assert (plan.folder / "created").is_file()
    assert plan.places[0].exists()


def test_a_run_that_was_killed_at_its_very_end_is_ended(plan, monkeypatch):
    from napari_cellinr.runs.scale import parts

    monkeypatch.setattr(parts.State, "forget", lambda _: None)
    assert finish(run_plan(plan)).is_complete
    monkeypatch.undo()
    assert (plan.folder / "plan.json").is_file()
    assert finish(run_plan(plan)).is_complete
    assert not plan.folder.exists()


def test_notes_that_were_left_by_a_kill_are_not_believed(plan):
    plan.folder.mkdir()
    (plan.folder / "part-000000.json").write_text("{}")
    State(plan).begin()
    assert State(plan).done == set()


def test_what_a_part_writes_is_on_the_disk_before_the_part_is_noted(plan, monkeypatch):
    order, usual_fsync, usual_note = [], os.fsync, State.note

    def fsync(number):
        order.append(os.fstat(number).st_ino)
        usual_fsync(number)

    def note(self, number, facts):
        order.append("noted")
        usual_note(self, number, facts)

    State(plan).begin()
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(State, "note", note)
    finish(part_job(plan, 0, Monitor()))
    before = order[: order.index("noted")]
    level = plan.places[0] / "0"
    written = [path for path in (level, *level.rglob("*")) if path.name != "zarr.json"]
    assert len(written) == 5  # the level, c, the folders of the chunk, and the chunk
    assert {path.stat().st_ino for path in written} <= set(before)


@pytest.mark.parametrize(
    "address",
    [
        "https://me:secret@example.org/cells.zarr",
        "https://example.org/cells.zarr?token=secret",
        "s3://key:secret@bucket/cells.zarr",
    ],
)
def test_no_password_is_written_into_a_plan(tmp_path, address):
    outputs = {"result": str(tmp_path / "out.zarr")}
    with pytest.raises(ConfigError, match="a password or parameters") as caught:
        make.make_plan("denoise", Source(address), CellINRConfig(), outputs, 1e12)
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
