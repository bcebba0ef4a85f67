"""Fits on the command line that are interrupted, go on, and start from others."""

import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_cellinr import Image, read, write
from napari_cellinr.config.optics import template
from napari_cellinr.fitting import optimise as optimise_module

WORDS = ["--set", "estimate=nlm-2"]


def test_a_killed_fit_is_resumed_with_the_same_result(run, raw_file, tmp_path):
    whole, out, place = (
        tmp_path / "whole.tif",
        tmp_path / "out.tif",
        tmp_path / "out.tif.cellinr-checkpoint",
    )
    assert (
        run("denoise", raw_file, whole, "--steps", 500, "--set", "learning_rate=1e-9", *WORDS)[0]
        == 0
    )
    words = ["denoise", raw_file, out, "--steps", 500, "--set", "learning_rate=1e-9", *WORDS]
    words += ["--checkpoint-seconds", 0.001]
    code = "import sys; from napari_cellinr.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, words)])
    limit = time.monotonic() + 60
    while not list(place.glob("*steps*")) and time.monotonic() < limit:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert place.exists()
    assert not out.exists()
    status, _, error = run(*words)
    assert (status, error.count("\n")) == (2, 1)
    assert f"--resume {place}" in error
    assert run("denoise", raw_file, out, "--resume", place)[::2] == (0, "")
    np.testing.assert_array_equal(read(out).array(), read(whole).array())
    assert not place.exists()


def crash_at(monkeypatch, step):
    """Interrupt the next fit at a step, as an error would."""
    advance = optimise_module._Loop.advance

    def crash(loop):
        if loop.step == step:
            raise KeyboardInterrupt
        return advance(loop)

    monkeypatch.setattr(optimise_module._Loop, "advance", crash)


@pytest.mark.parametrize("is_interrupted", [False, True])
@pytest.mark.parametrize("given", [".", "results"])
def test_a_checkpoint_deletes_nothing_but_itself(
    run, raw_file, tmp_path, monkeypatch, given, is_interrupted
):
    monkeypatch.chdir(tmp_path)
    results = tmp_path / "results"
    (results / "older").mkdir(parents=True)
    for name in ("mine.tif", "older/result.tif", "steps.0.cellinr", "notes.txt", "holder.json"):
        (results / name).write_bytes(b"older")
        (tmp_path / Path(name).name).write_bytes(b"older")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    words = ["denoise", "raw.tif", "out.tif", "--steps", 12, "--set", "learning_rate=1e-9", *WORDS]
    words += ["--checkpoint", given, "--checkpoint-seconds", 1e-6]
    place = tmp_path / given / "out.tif.cellinr-checkpoint"
    if is_interrupted:
        with monkeypatch.context() as patch:
            crash_at(patch, 9)
            assert run(*words)[0] != 0
        assert list(place.glob("*steps*"))
        words = ["denoise", "raw.tif", "out.tif", "--resume", given]
    assert run(*words)[::2] == (0, "")
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after.pop(tmp_path / "out.tif")
    assert after == before
    assert not place.exists()


def test_a_folder_that_is_no_checkpoint_is_refused(run, raw_file, tmp_path):
    place = tmp_path / "out.tif.cellinr-checkpoint"
    place.mkdir()
    (place / "mine.txt").write_text("mine")
    status, _, error = run("denoise", raw_file, tmp_path / "out.tif", *WORDS)
    assert (status, error.count("\n")) == (2, 1)
    assert f"{place} holds mine.txt, which is no part of a checkpoint" in error
    assert (place / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("option", ["--continue-from", "--warm-start"])
def test_a_killed_fit_that_began_with_another_is_resumed(
    run, raw_file, tmp_path, monkeypatch, option
):
    model, out, place = (
        tmp_path / "m.cellinr",
        tmp_path / "out.tif",
        tmp_path / "out.tif.cellinr-checkpoint",
    )
    slow = ["--set", "learning_rate=1e-9", *WORDS]
    first = ["denoise", raw_file, out, "--steps", 2, "--save-fit", model, *slow]
    assert run(*first)[0] == 0
    words = ["denoise", raw_file, out, "--overwrite", option, model, "--steps", 12]
    words += slow if option == "--warm-start" else []
    assert run(*words)[0] == 0
    whole = read(out).array()
    crash_at(monkeypatch, 9)
    assert run(*words, "--checkpoint-seconds", 1e-6)[0] != 0
    monkeypatch.undo()
    model.unlink()  # the checkpoint holds what it needs
    assert list(place.glob("*steps*"))
    assert run("denoise", raw_file, out, "--overwrite", "--resume", place)[::2] == (0, "")
    np.testing.assert_array_equal(read(out).array(), whole)
    assert not place.exists()


def test_a_fit_of_another_method_is_refused(run, raw_file, tmp_path):
    model = tmp_path / "m.cellinr"
    out = tmp_path / "out.tif"
    assert run("denoise", raw_file, out, "--steps", 1, "--save-fit", model, *WORDS)[0] == 0
    for words in (["--continue-from", model, "--steps", 2], ["--warm-start", model]):
        status, _, error = run("superresolve", raw_file, tmp_path / "two.tif", *words)
        assert (status, error.count("\n")) == (2, 1)
        assert "is a fit of denoise; a fit of superresolve is needed" in error


def test_a_checkpoint_in_use_is_refused(run, raw_file, tmp_path):
    out, place = tmp_path / "out.tif", tmp_path / "place"
    place.mkdir()
    (place / "job.cellinr").touch()
    parent = psutil.Process(os.getppid())  # another process, which is alive
    who = {"pid": parent.pid, "started": parent.create_time(), "computer": platform.node()}
    (place / "holder.json").write_text(json.dumps(who))
    for option in ("--resume", "--checkpoint"):
        status, _, error = run("denoise", raw_file, out, option, place)
        assert (status, error.count("\n")) == (2, 1)
        assert f"{place} is in use" in error
        assert "Wait for its end" in error


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process")
def test_ctrl_c_says_how_to_go_on(run, raw_file, tmp_path):
    out, here = tmp_path / "out.tif", tmp_path / "here"
    place = here / "out.tif.cellinr-checkpoint"
    words = ["denoise", raw_file, out, "--steps", 1_000_000, "--preset", "paper"]
    words += ["--set", "neurons=4", "--set", "batch=16", "--set", "points=1"]
    words += ["--checkpoint", here, "--checkpoint-seconds", 0.01]
    code = "import sys; from napari_cellinr.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *map(str, words)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    limit = time.monotonic() + 60
    while not list(place.glob("*steps*")) and time.monotonic() < limit:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.endswith(
        f"the partial result is in {out}. Resume with --resume {place} --overwrite.\n"
    )
    assert out.exists()


def test_a_kept_fit_is_continued_and_starts_another(run, raw_file, tmp_path):
    model, whole, out = tmp_path / "m.cellinr", tmp_path / "whole.tif", tmp_path / "out.tif"
    assert run("denoise", raw_file, whole, "--steps", 12, *WORDS)[0] == 0
    assert run("denoise", raw_file, out, "--steps", 5, "--save-fit", model, *WORDS)[0] == 0
    assert (
        run("denoise", raw_file, out, "--overwrite", "--continue-from", model, "--steps", 7)[0] == 0
    )
    np.testing.assert_array_equal(read(out).array(), read(whole).array())
    words = ["--warm-start", model, "--steps", 2, *WORDS, "--overwrite"]
    assert run("denoise", raw_file, out, *words)[0] == 0


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--resume", "none"], "no checkpoint"),
        (["--resume", "none", "--warm-start", "m"], "only one of them is allowed"),
        (["--resume", "none", "--seed", "3"], "'seed' was given with --resume"),
        (["--continue-from", "none"], "number of additional"),
        (["--continue-from", "none", "--steps", "3"], "there is no file"),
        (["--checkpoint-seconds", "soon"], "seconds from 0"),
    ],
)
def test_wrong_options_are_one_line(run, raw_file, tmp_path, monkeypatch, words, part):
    monkeypatch.chdir(tmp_path)
    status, _, error = run("denoise", raw_file, "out.tif", *words)
    assert (status, error.count("\n")) == (2, 1)
    assert part in error


def test_other_optics_are_refused_with_a_fit_that_goes_on(run, raw_file, tmp_path):
    status, _, error = run(
        "reconstruct", raw_file, tmp_path / "o.tif", "--optics", "z-scan", "--resume", "none"
    )
    assert (status, error.count("\n")) == (2, 1)
    assert "'optics' was given with --resume" in error


def test_what_a_fit_that_goes_on_is_compared_with(run, tmp_path, monkeypatch):
    """With the optics of the fit, which are not said again."""
    monkeypatch.chdir(tmp_path)
    frames = 100 + np.random.default_rng(0).random((8, 16, 16), np.float32)
    units = ("second", "micrometer", "micrometer")
    write("raw.tif", Image(frames, "TYX", (1.0, 0.5, 0.5), units))
    (tmp_path / "dpc.json").write_text(template("dpc"), encoding="utf-8")
    words = ["--steps", 2, "--optics", "dpc.json", "--set", "restart=no", "--save-fit", "m.cellinr"]
    assert run("reconstruct", "raw.tif", "a.tif", *words)[0] == 0
    words = ["--continue-from", "m.cellinr", "--steps", 1, "--compare", "others"]
    assert run("reconstruct", "raw.tif", "b.tif", *words)[0] == 0
    found = read("others/conventional.tif")
    assert (found.axes, found.channels) == ("TCYX", read("b.tif").channels)
    assert read("others/static.tif").axes == "TCYX"
