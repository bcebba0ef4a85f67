"""Results are on the disk before the checkpoint goes; what is not written can be had again."""

import shlex
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from napari_cellinr import io, read
from napari_cellinr.cli.shared import saving
from napari_cellinr.errors import FileError

WORDS = ["--steps", 5, "--set", "estimate=gaussian"]


@pytest.fixture
def refuse(monkeypatch):
    """Return a function that lets the writing of some files fail, as on a full disk."""

    def refuse(*names):
        write = io.write

        def fail(path, *arguments, **options):
            if any(str(path).endswith(name) for name in names):
                raise FileError(f"{path} cannot be written: No space left on device.")
            return write(path, *arguments, **options)

        monkeypatch.setattr(io, "write", fail)

    return refuse


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_cellinr.runs.resume.jobs_folder", lambda: tmp_path / "home/jobs")


def words_of(error, place):
    """Return the command that an error advises, with a place for its output."""
    command = shlex.split(error.strip().split("lost: ")[1])
    assert command[0] == "napari-cellinr"
    return [str(place) if word == "ELSEWHERE" else word for word in command[1:]]


@pytest.mark.parametrize("every", [0.001, 60])
def test_one_file_that_fails_leaves_the_others_and_the_fit(
    run, raw_file, tmp_path, refuse, monkeypatch, every
):
    whole, out = tmp_path / "whole.tif", tmp_path / "out.tif"
    assert run("denoise", raw_file, whole, *WORDS)[0] == 0
    also = {
        "--output=background=": tmp_path / "background.tif",
        "--output=conventional=": tmp_path / "conventional.tif",
        "--save-fit=": tmp_path / "fit.cellinr",
        "--report=": tmp_path / "report.json",
    }
    options = [f"{option}{path}" for option, path in also.items()]
    refuse("out.tif", "conventional.tif")
    options += ["--checkpoint-seconds", every]
    status, _, error = run("denoise", raw_file, out, *WORDS, *options)
    monkeypatch.undo()
    assert (status, error.count("\n")) == (2, 1)
    assert error.count("No space left") == 2
    written = {path for path in also.values() if path.exists()}
    assert written == {also[name] for name in ("--output=background=", "--save-fit=", "--report=")}
    assert not out.exists()
    again = tmp_path / "again.tif"
    assert run(*words_of(error, again))[0] == 0
    np.testing.assert_array_equal(read(again).array(), read(whole).array())
    assert not list(tmp_path.glob("*checkpoint"))


def test_a_zarr_that_fails_leaves_the_others_and_the_fit(run, raw_file, tmp_path, monkeypatch):
    out, fit = tmp_path / "out.zarr", tmp_path / "fit.cellinr"
    words = ["superresolve", raw_file, out, "--scale", "z=2", "--preset", "preview"]
    with monkeypatch.context() as patch:

        def fail(*_):
            raise OSError(28, "No space left on device")

        patch.setattr("napari_cellinr.io.zarr.writer._write_piece", fail)
        status, _, error = run(*words, "--save-fit", fit)
    assert status == 2
    assert "No space left" in error
    assert fit.exists()
    assert not out.exists()
    again = tmp_path / "again.zarr"
    assert run(*words_of(error, again))[0] == 0
    assert read(again).sizes["Z"] > 8


def test_without_a_checkpoint_the_fit_is_saved_elsewhere(run, raw_file, tmp_path, refuse):
    refuse("out.tif")
    status, _, error = run(
        "denoise", raw_file, tmp_path / "out.tif", *WORDS, "--checkpoint-seconds", 0
    )
    assert status == 2
    again = tmp_path / "again.tif"
    command = words_of(error, again)
    assert command[0] == "render"
    assert tmp_path / "home" in Path(command[1]).parents
    assert run(*command)[0] == 0


def test_where_nothing_can_be_written_it_says_so(run, raw_file, tmp_path, refuse, monkeypatch):
    (tmp_path / "home").write_bytes(b"in the place of a folder")
    refuse("out.tif")
    words = ["denoise", raw_file, tmp_path / "out.tif", *WORDS, "--checkpoint-seconds", 0]
    status, _, error = run(*words)
    assert status == 2
    assert error.strip().endswith("Start the fit again with another place for its result.")


def test_the_checkpoint_is_there_until_all_is_written(run, raw_file, tmp_path, monkeypatch):
    seen = []
    write_report = saving.write_report

    def note(options, fitted):
        write_report(options, fitted)
        names = ("out.tif", "report.json", "out.tif.cellinr-checkpoint")
        seen.extend(name for name in names if (tmp_path / name).exists())

    monkeypatch.setattr(saving, "write_report", note)
    words = ["--report", tmp_path / "report.json", "--checkpoint-seconds", 0.001]
    assert run("denoise", raw_file, tmp_path / "out.tif", *WORDS, *words)[0] == 0
    assert seen == ["out.tif", "report.json", "out.tif.cellinr-checkpoint"]
    assert not (tmp_path / "out.tif.cellinr-checkpoint").exists()


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("options", "needed"),
    [([], 1), (["--output", "background=b.nii"], 2), (["--output", "background=b.nii.gz"], 1)],
)
def test_room_is_checked_before_the_fit(
    run, jobs, raw_file, tmp_path, sample, monkeypatch, options, needed
):
    monkeypatch.chdir(tmp_path)
    size = needed * sample.raw.array().size * 4
    for free in (size - 1, size):
        monkeypatch.setattr(saving.shutil, "disk_usage", lambda _, free=free: Usage(0, 0, free))
        status, _, error = run("denoise", raw_file, "out.tif", "--steps", 2, *options)
        assert status == (0 if free == size else 2)
        assert ("GB are free" in error) == (free < size)
        assert len(jobs.calls) == (free == size)
