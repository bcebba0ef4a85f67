"""A folder says which process works in it."""

import json
import os
import platform
import subprocess
import sys
import time

import psutil
import pytest

from napari_cellinr.errors import FileError
from napari_cellinr.io.safety.lock import HOLDER_FILE, check_free, hold, is_held, mark, release


@pytest.fixture
def other():
    """Return another process, which is alive until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def write(folder, pid, started, computer=None):
    who = {"pid": pid, "started": started, "computer": computer or platform.node()}
    (folder / HOLDER_FILE).write_text(json.dumps(who))


def test_a_folder_is_held_by_another_process_until_that_ends(tmp_path, other):
    write(tmp_path, other.pid, psutil.Process(other.pid).create_time())
    assert is_held(tmp_path)
    for take in (hold, mark, check_free):
        with pytest.raises(FileError, match="is in use"):
            take(tmp_path)
    release(tmp_path)  # it is not ours
    assert is_held(tmp_path)
    other.kill()
    if sys.platform != "win32":
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # a zombie, which nobody waited for
        assert not is_held(tmp_path)
    other.wait()
    assert not is_held(tmp_path)
    hold(tmp_path)
    release(tmp_path)


def test_a_process_that_got_the_number_of_another_holds_nothing(tmp_path, other):
    write(tmp_path, other.pid, psutil.Process(other.pid).create_time() - 1000)
    assert not is_held(tmp_path)


def test_the_own_process_holds_a_folder_under_whatever_name_and_before_it_exists(tmp_path):
    folder = tmp_path / "job"
    hold(folder)
    assert not folder.exists()
    assert is_held(tmp_path / "other" / ".." / "job")
    with pytest.raises(FileError, match="is in use"):
        hold(folder)
    folder.mkdir()
    mark(folder)
    who = json.loads((folder / HOLDER_FILE).read_text())
    assert who["pid"] == os.getpid()
    assert who["started"] == pytest.approx(psutil.Process().create_time(), abs=1)
    release(folder)
    release(folder)
    assert list(folder.iterdir()) == []
    write(folder, **{**who, "computer": None})  # as a crash leaves it, if the number is ours now
    assert not is_held(folder)


def test_a_process_on_another_computer_counts_while_it_gives_signs(tmp_path):
    write(tmp_path, 1, 0.0, "another one")
    assert is_held(tmp_path)
    with pytest.raises(
        FileError, match=r"another one\. Wait .* delete .*holder\.json if it has ended"
    ):
        check_free(tmp_path)
    before = time.time() - 7200
    os.utime(tmp_path / HOLDER_FILE, (before, before))
    assert not is_held(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nonsense",
        b"\xff\xfe\x00",
        b"[1, 2]",
        b"7",
        b"{}",
        b'{"pid": "one", "started": 1, "computer": ""}',
        b'{"pid": -1, "started": 1, "computer": ""}',
        b'{"pid": 1, "started": "soon", "computer": ""}',
        b'{"pid": 1, "started": NaN, "computer": ""}',
        b'{"pid": 1, "started": 1e999, "computer": ""}',
        b"[" * 4000,
        b" " * 100_000 + b"{}",
    ],
)
def test_a_foreign_or_damaged_file_holds_nothing_and_is_left_alone(tmp_path, text):
    (tmp_path / HOLDER_FILE).write_bytes(text)
    assert not is_held(tmp_path)
    for take in (hold, mark):
        with pytest.raises(FileError, match="was not written by this program"):
            take(tmp_path)
    assert not is_held(tmp_path)
    release(tmp_path)
    assert (tmp_path / HOLDER_FILE).read_bytes() == text


@pytest.mark.parametrize("pid", [2**31 - 1, 2**40, 10**30])
def test_a_number_that_no_process_has_holds_nothing(tmp_path, pid):
    write(tmp_path, pid, 1.0)
    assert not is_held(tmp_path)


def test_a_folder_in_the_place_of_the_file_holds_nothing(tmp_path):
    (tmp_path / HOLDER_FILE).mkdir()
    assert not is_held(tmp_path)
    assert not is_held(tmp_path / "none")
