"""`napari-cellinr denoise`: every option, and what is left behind when something goes wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fake import REPORT_KEYS, FakeJobs

from napari_cellinr import CellINRConfig, Image, read, write
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.io import load_fitted


def test_result_keeps_axes_voxel_size_and_units(run, jobs, raw_file, tmp_path, sample):
    status, out, error = run("denoise", raw_file, tmp_path / "out.tif")
    result = read(tmp_path / "out.tif")
    assert (status, error) == (0, "")
    assert out.startswith(f"wrote {tmp_path / 'out.tif'}: 8×16×20 voxels of 0.5×0.25×0.25 µm, 100")
    assert (result.axes, result.dtype) == ("ZYX", np.float32)
    assert result.scale == pytest.approx(sample.raw.scale)
    assert result.units == ("micrometer",) * 3
    np.testing.assert_array_equal(result.array(), sample.raw.array() - 5)


def test_every_setting_reaches_the_config(run, jobs, raw_file, tmp_path, monkeypatch):
    words = "--preset preview --device cpu --seed 3 --steps 7 --max-seconds 50".split()  # noqa: SIM905
    words += "--background keep --structure sheet --set held_out=0.05 --set gain=none".split()  # noqa: SIM905
    monkeypatch.setattr("napari_cellinr.cli.time", SimpleNamespace(monotonic=lambda: 50.0))
    assert run("denoise", raw_file, tmp_path / "out.tif", *words)[0] == 0
    (_, config, started) = jobs.calls[0]
    assert config == CellINRConfig(
        preset="preview", device="cpu", seed=3, steps=7, max_seconds=50, background="keep",
        structure="sheet", held_out=0.05,
    )  # fmt: skip
    assert started == 50.0


def test_axes_channel_voxel_and_crop(run, jobs, tmp_path):
    values = np.arange(2 * 6 * 8 * 10, dtype=np.float32).reshape(2, 6, 8, 10)
    path = write(tmp_path / "in.tif", Image(values, "CZYX"))
    words = "--channel 1 --voxel z=0.4,y=0.1,X=0.1 --crop z=1:4,y=:5,x=2:".split()  # noqa: SIM905
    status, _, error = run("denoise", path, tmp_path / "out.tif", *words)
    assert (status, error) == (0, "")
    image = jobs.calls[0][0]
    assert (image.axes, image.scale) == ("ZYX", (0.4, 0.1, 0.1))
    assert image.translate == pytest.approx((0.4, 0, 0.2))
    np.testing.assert_array_equal(image.array(), values[1, 1:4, :5, 2:])


def test_axes_are_taken_as_given(run, jobs, raw_file, tmp_path):
    assert run("denoise", raw_file, tmp_path / "out.tif", "--axes", "tyx")[0] == 0
    assert jobs.calls[0][0].axes == "TYX"


def test_missing_voxel_size_is_a_warning(run, jobs, plain_file, tmp_path):
    status, out, error = run("denoise", plain_file, tmp_path / "out.tif")
    assert status == 0
    assert error.startswith("warning: ")
    assert error.count("\n") == 1
    assert "--voxel" in error
    assert "voxels of unknown size" in out


def test_a_plane_of_unknown_pixel_size_is_not_asked_for_a_z_step(run, jobs, sample, tmp_path):
    path = write(tmp_path / "movie.tif", Image(sample.raw.array(), "TYX"))
    _, _, error = run("denoise", path, tmp_path / "out.tif")
    assert "so pixels are assumed to be squares; give the size as --voxel y=…,x=… in µm." in error


def test_a_file_of_which_only_the_z_step_is_unknown_is_not_said_to_have_no_voxel_size(
    run, jobs, sample, tmp_path
):
    units = ("pixel", "micrometer", "micrometer")
    path = write(tmp_path / "flat.tif", Image(sample.raw.array(), "ZYX", (1, 0.2, 0.2), units))
    status, out, error = run("convert", path, tmp_path / "out.tif")
    assert status == 0
    assert "no voxel size" not in error
    assert "voxels of 0.2×0.2 µm along Y, X, of unknown size along Z" in out


def test_other_outputs(run, jobs, raw_file, tmp_path):
    jobs.warnings = ["the image is\nvery dark."]
    names = {
        "--save-fit": tmp_path / "model.cellinr",
        "--report": tmp_path / "report.json",
    }
    words = [word for pair in names.items() for word in pair]
    haze = tmp_path / "haze.ome.tif"
    words += ["--output", f"background={haze}"]
    status, _, error = run("denoise", raw_file, tmp_path / "out.tif", "--steps", 3, *words)
    assert (status, error) == (0, "warning: the image is very dark.\n")
    assert np.all(read(haze).array() == 5)
    header, tensors = load_fitted(names["--save-fit"])
    assert header["config"]["steps"] == 3
    assert header["image"]["axes"] == "ZYX"
    assert header["history"] == [{"step": 1, "held_out": None}]
    np.testing.assert_array_equal(tensors["grid"], np.arange(6))
    report = json.loads(names["--report"].read_text())
    assert set(report) == REPORT_KEYS
    assert report["held_out"] is None
    assert report["config"]["steps"] == report["steps"] == 3
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "haze.ome.tif", "model.cellinr", "out.tif", "raw.tif", "report.json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--steps", "many"], "steps = 'many'"),
        (["--steps", "0"], "greater than or equal to 1"),
        (["--preset", "finest"], "invalid choice"),
        (["--set", "hold_out=1"], "no setting 'hold_out'; the settings are preset, device"),
        (["--set", "seed"], "NAME=VALUE"),
        (["--set", "seed=1", "--seed", "2"], "'seed' was given twice"),
        (["--axes", "ZY"], "ZY"),
        (["--axes", "ZYQ"], "ZYQ"),
        (["--channel", "0"], "axis 'C'"),
        (["--channel", "x"], "invalid int value"),
        (["--voxel", "0.4,0.1,0.1"], "such as z=0.4,y=0.1,x=0.1"),
        (["--voxel", "z=a"], "write a number"),
        (["--voxel", "z=0"], "positive number"),
        (["--voxel", "t=3"], "axis 'T'"),
        (["--crop", "z=3"], "a range such as 0:20"),
        (["--crop", "z=3:2"], "leaves nothing"),
        (["--crop", "q=3:5"], "z=0:20"),
        (["--crop", "z=0:2,z=3:4"], "names an axis twice"),
        (["--report", "no/such/folder.json"], "does not exist"),
        (["--save-fit", "out.tif"], "was given twice"),
        (["--output", "background=haze.png"], ".png"),
        (["--nonsense"], "unrecognized arguments"),
    ],
)
def test_wrong_options(run, jobs, raw_file, tmp_path, monkeypatch, words, part):
    monkeypatch.chdir(tmp_path)
    status, out, error = run("denoise", raw_file, "out.tif", *words)
    _assert_one_error(status, error, 2, part)
    assert (out, jobs.calls) == ("", [])
    assert [p.name for p in tmp_path.iterdir()] == ["raw.tif"]


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda path: None, "there is no file"),
        (lambda path: path.write_text("not an image"), "in.tif"),
        (lambda path: path.mkdir(), "folder"),
    ],
)
def test_wrong_input_file(run, jobs, tmp_path, make, part):
    make(tmp_path / "in.tif")
    status, _, error = run("denoise", tmp_path / "in.tif", tmp_path / "out.tif")
    _assert_one_error(status, error, 2, part)
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.parametrize(
    ("output", "part"),
    [
        ("out.xyz", ".xyz"),
        ("missing/out.tif", "does not exist"),
        ("raw.tif", "would overwrite the input"),
        (".", "."),
    ],
)
def test_output_is_checked_before_the_fit(run, jobs, raw_file, tmp_path, output, part):
    status, _, error = run("denoise", raw_file, tmp_path / output)
    _assert_one_error(status, error, 2, part)
    assert jobs.calls == []


def test_failed_fit_leaves_the_old_result(run, jobs, raw_file, tmp_path):
    (tmp_path / "out.tif").write_bytes(b"precious")
    jobs.error = "out of memory\nin step 2; crop the image."
    status, out, error = run("denoise", raw_file, tmp_path / "out.tif", "--overwrite")
    _assert_one_error(status, error, 1, "out of memory in step 2; crop the image.")
    assert out == ""
    assert (tmp_path / "out.tif").read_bytes() == b"precious"


def test_no_bar_when_piped_and_one_on_a_terminal(run, jobs, raw_file, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    _, _, error = run("denoise", raw_file, tmp_path / "out.tif", "--steps", 4)
    lines = error.split("\r")
    assert "fitting  [############------------]  2/4  held-out error 1.050 σ  2 s left" in error
    assert max(map(len, lines)) <= 79
    assert lines[-1] == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    assert run("denoise", raw_file, tmp_path / "two.tif", "--steps", 4)[2] == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process")
def test_ctrl_c_saves_the_partial_result(raw_file, tmp_path):
    report = tmp_path / "report.json"
    words = ["denoise", raw_file, tmp_path / "out.tif", "--steps", 10_000, "--report", report]
    process = _start(words)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert error.endswith(f"warning: stopped by Ctrl-C; the partial result is in {words[2]}.\n")
    assert read(words[2]).shape == (8, 16, 20)
    assert json.loads(report.read_text())["stopped"] == "user"


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process")
def test_ctrl_c_twice_ends_at_once(raw_file, tmp_path):
    process = _start(["denoise", raw_file, tmp_path / "out.tif", "--steps", 10_000], pause=5)
    for _ in range(2):
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=4)
    _assert_one_error(process.returncode, error.splitlines(keepends=True)[-1], 130, "Ctrl-C")
    assert not (tmp_path / "out.tif").exists()


def _start(words, pause=0.05):
    """Return the process of a long job, as soon as that has begun."""
    command = [sys.executable, Path(__file__).with_name("fake.py"), str(pause), *words]
    process = subprocess.Popen(
        [str(word) for word in command], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "begun\n"
    return process


def _assert_one_error(status, error, expected_status, part):
    assert status == expected_status, error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert part in error


@pytest.mark.parametrize("background", ["keep", "subtract"])
def test_signal_background_and_both_are_saved_from_one_fit(
    run, jobs, raw_file, tmp_path, sample, background
):
    paths = [tmp_path / f"{name}.tif" for name in ("out", "haze", "signal", "kept")]
    words = ["--output", f"background={paths[1]}", f"signal={paths[2]}"]
    words += ["--output", f"with-background={paths[3]}"]
    assert run("denoise", raw_file, paths[0], "--background", background, *words)[0] == 0
    out, haze, signal, kept = (read(path).array() for path in paths)
    np.testing.assert_allclose(signal + haze, kept, atol=1e-5)
    np.testing.assert_array_equal(out, kept if background == "keep" else signal)


def test_the_paper_makes_only_what_was_asked_for(run, jobs, raw_file, tmp_path):
    words = ["--preset", "paper", "--output", f"with-background={tmp_path / 'kept.tif'}"]
    status, _, error = run("denoise", raw_file, tmp_path / "out.tif", *words)
    assert (status, error.count("\n")) == (2, 1)
    assert "--output with-background" in error


def test_memory_error_is_a_failed_fit(run, put_job, raw_file, tmp_path):
    def too_large(*_, **__):
        raise MemoryError

    put_job("denoise", too_large)
    status, _, error = run("denoise", raw_file, tmp_path / "out.tif")
    assert (status, error[:52]) == (1, "error: there was not enough memory (MemoryError); fi")
    assert error.count("\n") == 1


def test_fake_job_answers_like_the_real_one():
    job = FakeJobs()(Image(np.zeros((4, 4))), CellINRConfig(steps=3), Monitor())
    assert next(job).step == 1
    with pytest.raises(StopIteration) as end:
        job.send("stop")
    assert end.value.value.stopped == "user"
