"""What a killed writer leaves is removed by the next one; what others write is left alone."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_cellinr import Image, read, write
from napari_cellinr.errors import FileError
from napari_cellinr.io import write_in_steps
from napari_cellinr.io.safety import atomic, owned
from napari_cellinr.io.safety.leftovers import recover, remove_leftovers
from napari_cellinr.io.safety.process import Writer, this_process

OLD = Image(np.arange(24, dtype=np.float32).reshape(2, 3, 4), "ZYX", name="image")
NEW = OLD.like(OLD.array() + 1)


@pytest.fixture(scope="module")
def gone():
    """The mark of a process on this computer that has ended."""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    found = replace(this_process(), pid=process.pid)
    process.wait()
    return found


@contextmanager
def written_by(writer):
    """Let temporary files have the name of another process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owned, "this_process", lambda: writer)
        yield


def left(folder, writer, suffix=".tif"):
    with written_by(writer):
        path = owned.new_temporary(folder, suffix)
    path.write_bytes(b"half")
    return path


def test_a_mark_names_its_process():
    own = this_process()
    assert own.pid == os.getpid()
    assert not own.is_gone
    assert Writer.of_mark(own.mark) == own
    assert Writer.of_mark("p1s2hxyz") is None


@pytest.mark.parametrize("suffix", ["", ".tif", ".ome.tif", ".nii.gz", ".cellinr", ".json"])
def test_files_of_a_process_that_has_ended_are_removed_with_the_next_write(tmp_path, gone, suffix):
    left(tmp_path, gone, suffix)
    path = write(tmp_path / "image.tif", OLD)
    assert list(tmp_path.iterdir()) == [path]


def test_files_of_others_stay(tmp_path, gone):
    own = this_process()
    elsewhere = replace(gone, host="0" * 8 if own.host != "0" * 8 else "1" * 8)
    kept = [
        left(tmp_path, own),
        left(tmp_path, replace(own, pid=os.getppid(), started=started_of(os.getppid()))),
        left(tmp_path, elsewhere),
        tmp_path / ".cellinr-0123456789ab.tif",
        tmp_path / f".cellinr-{gone.mark}.tif",
        tmp_path / f".cellinr-{gone.mark}-0123456789ab copy.tif",
    ]
    for path in kept[3:]:
        path.write_bytes(b"of another program")
    (tmp_path / f".cellinr-{gone.mark}-0123456789ac").symlink_to(kept[3])
    (tmp_path / f".cellinr-{gone.mark}-0123456789ad.zarr").mkdir()
    (tmp_path / f".cellinr-{gone.mark}-0123456789ad.zarr" / "notes.txt").write_bytes(b"notes")
    before = sorted(tmp_path.rglob("*"))
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def started_of(pid):
    return int(psutil.Process(pid).create_time())


@pytest.mark.parametrize("n_pieces", [0, 1, 2])
def test_a_half_written_zarr_is_removed(tmp_path, gone, n_pieces):
    image = Image(np.zeros((40, 8, 8), np.float32), "ZYX")
    with written_by(gone):
        job = write_in_steps(tmp_path / "image.zarr", image)
        for _ in range(n_pieces):
            next(job)
    (folder,) = list(tmp_path.iterdir()) if n_pieces else [left_folder(tmp_path, gone)]
    (folder / "1").mkdir()
    (folder / "1" / f"zarr.json.{'0' * 32}.partial").write_bytes(b"{")
    path = write(tmp_path / "other.tif", OLD)
    assert [one for one in tmp_path.iterdir() if one != path] == []
    job.close()


def left_folder(folder, writer):
    with written_by(writer):
        path = owned.new_temporary(folder, ".zarr")
    path.mkdir()
    return path


class KilledError(BaseException):
    """Stands for the end of the process: from here on, nothing on the disk changes."""


@contextmanager
def killed_at(number, *, exchange):
    """End the process before its call of this number that changes names, or after all."""
    count = [0]

    def counted(call):
        def counting(*arguments, **options):
            count[0] += 1
            if count[0] >= number:
                raise KilledError
            return call(*arguments, **options)

        return counting

    with pytest.MonkeyPatch.context() as patch:
        for name in ("rename", "replace", "unlink", "rmdir"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        one_step = counted(owned._exchange) if exchange else lambda *_: False
        patch.setattr(owned, "_exchange", one_step)
        yield count


@pytest.mark.parametrize("exchange", [True, False], ids=["exchanged", "renamed twice"])
@pytest.mark.parametrize("way", ["read", "write"])
def test_a_kill_between_any_two_calls_leaves_old_or_new(tmp_path, gone, exchange, way):
    number, is_whole, found = 1, False, set()
    while not is_whole:
        folder = tmp_path / str(number)
        folder.mkdir()
        path = write(folder / "image.zarr", OLD)
        with written_by(gone), killed_at(number, exchange=exchange):
            try:
                write(path, NEW)
                is_whole = True
            except KilledError:
                pass
        if way == "write":
            write(folder / "other.tif", OLD)
            write(path, OLD)
            assert {one.name for one in folder.iterdir()} == {"image.zarr", "other.tif"}
        values = read(path).array()
        found.add("old" if np.array_equal(values, OLD.array()) else "new")
        assert np.array_equal(values, OLD.array()) or np.array_equal(values, NEW.array())
        number += 1
    assert number > 5
    assert way == "write" or found == {"old", "new"}


def test_what_a_live_writer_replaces_is_not_put_back(tmp_path):
    path = write(tmp_path / "image.zarr", OLD)
    old = owned.new_temporary(tmp_path, owned.replaced_mark(path))
    path.rename(old)
    recover(path)
    assert old.exists()
    with pytest.raises(FileError, match="no file"):
        read(path)


@pytest.mark.parametrize("number", [22, 38, 95])
def test_without_the_exchange_of_the_system_two_renames_do(tmp_path, monkeypatch, number):
    """Such as ENOSYS of an old kernel, EINVAL of a file system that cannot."""
    path = write(tmp_path / "image.zarr", OLD)

    class Library:
        def __init__(self, *_, **__):
            self.renameat2 = lambda *_: -1

    monkeypatch.setattr(owned.ctypes, "CDLL", Library)
    monkeypatch.setattr(owned.ctypes, "get_errno", lambda: number)
    write(path, NEW)
    np.testing.assert_array_equal(read(path).array(), NEW.array())
    assert list(tmp_path.iterdir()) == [path]


def test_threads_that_still_write_leave_nothing(tmp_path, monkeypatch):
    """As those of the library zarr, after a signal has interrupted it."""
    late = [True, True, False]
    job = write_in_steps(tmp_path / "image.zarr", OLD)
    next(job)
    (temporary,) = tmp_path.iterdir()

    def wait(_):
        if late.pop(0):
            (temporary / "0" / "c" / "1").mkdir(parents=True)
            (temporary / "0" / "c" / "1" / "0").write_bytes(b"chunk")

    monkeypatch.setattr(atomic.time, "sleep", wait)
    job.close()
    assert list(tmp_path.iterdir()) == []
    assert late == []


def test_a_zarr_whose_folder_is_removed_meanwhile_is_not_half_there(tmp_path):
    (tmp_path / "results").mkdir()
    image = Image(np.zeros((40, 8, 8), np.float32), "ZYX")
    job = write_in_steps(tmp_path / "results" / "image.zarr", image)
    next(job)
    shutil.rmtree(tmp_path / "results")
    with pytest.raises(FileError, match="was removed while"):
        list(job)
    assert not (tmp_path / "results" / "image.zarr").exists()


@pytest.mark.parametrize("call", ["touch", "unlink"])
def test_a_signal_leaves_no_trial_file(tmp_path, monkeypatch, call):
    """It may come right after the file was made, or right before it is deleted."""
    real, came = getattr(Path, call), []

    def interrupted(path, *args, **options):
        if call == "touch":
            real(path, *args, **options)
        if not came:
            came.append(path)
            raise KeyboardInterrupt
        if call == "unlink":
            real(path, *args, **options)

    monkeypatch.setattr(Path, call, interrupted)
    with pytest.raises(KeyboardInterrupt):
        atomic.check_place(tmp_path / "result.tif")
    assert came
    assert list(tmp_path.iterdir()) == []
