"""`napari-cellinr demo`: what it prints and writes, and how it starts napari."""

import re
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from fake import FakeJobs
from PIL import Image as Picture

from napari_cellinr import Fitted, Image, NSTMConfig, read
from napari_cellinr.cli import demo
from napari_cellinr.config.optics.repeated import TimeLapse
from napari_cellinr.simulate.recordings import MotionSample

FILES = ["background", "raw", "result", "truth", "truth_with_background"]


@pytest.fixture
def small(monkeypatch, sample):
    """Let the demonstration use a small embryo."""
    monkeypatch.setattr("napari_cellinr.simulate.embryo.embryo", lambda *_, **__: sample)


def test_demo_writes_and_measures(run, jobs, small, tmp_path):
    status, out, error = run("demo", tmp_path / "new")
    assert (status, error) == (0, "")
    rows = [line.split("  ")[1] for line in out.splitlines() if "dB" in line]
    assert rows == ["raw", "Gaussian, σ 0.7", "CellINR", "raw", "Gaussian − opening", "CellINR"]
    assert all(re.fullmatch(r"  .{24} *-?\d+\.\d dB   [01-]\.\d{3}", line)
               for line in out.splitlines() if "dB" in line)  # fmt: skip
    paths = [tmp_path / "new" / f"{name}.tif" for name in FILES]
    assert all(read(path).is_calibrated for path in paths)
    assert sorted((tmp_path / "new").iterdir()) == sorted(
        [*paths, tmp_path / "new" / "picture.png"]
    )
    assert all(str(path) in out for path in paths)


def test_picture_shows_four_panels(run, jobs, small, tmp_path):
    run("demo", tmp_path)
    pixels = np.asarray(Picture.open(tmp_path / "picture.png"))
    height, width, _ = pixels.shape
    assert height > 4 * 16
    assert width > 4 * 4 * 20
    is_grey = np.ptp(pixels.astype(int), axis=-1) == 0
    assert is_grey[:, : width * 3 // 4 - 12].all()
    assert not is_grey[:, width * 3 // 4 :].all()


def test_demo_stopped_by_ctrl_c(run, small, put_job, tmp_path):
    class Interrupting(FakeJobs):
        def _run(self, image, config):
            import signal

            signal.raise_signal(signal.SIGINT)
            return (yield from super()._run(image, config))

    put_job("denoise", Interrupting())
    status, out, _ = run("demo", tmp_path)
    assert status == 130
    assert "(1 step)" in out
    assert (tmp_path / "result.tif").exists()


def test_folder_that_cannot_be_made(run, jobs, tmp_path):
    (tmp_path / "file").touch()
    status, _, error = run("demo", tmp_path / "file")
    assert status == 2
    assert error.startswith("error: ")
    assert jobs.calls == []


@pytest.mark.parametrize("status", [0, 1])
def test_gui_starts_a_child_process(run, monkeypatch, status):
    started = []

    def start(command, **options):
        started.append(command)
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr("subprocess.run", start)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "PySide6")
    result, _, error = run("demo", "--gui")
    assert result == status
    assert started == [[sys.executable, "-c", demo.START_NAPARI]]
    assert error.startswith("error: napari ended with exit status 1") == bool(status)


def test_gui_without_qt(run, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    status, _, error = run("demo", "--gui")
    assert status == 2
    assert "napari-cellinr[gui]" in error


@pytest.mark.gui
def test_what_gui_starts_exists_in_the_manifest():
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution("napari-cellinr")
    keys = [sample.key for sample in manifest.contributions.sample_data]
    assert "embryo-membranes" in keys
    assert "Denoise" in [widget.display_name for widget in manifest.contributions.widgets]


@pytest.mark.parametrize("job", demo.JOBS)
def test_every_demonstration_is_there(job, run, tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(demo, "_run_headless", lambda options: ran.append(demo._chosen(options)))
    for words in (["demo", job], ["demo", job, "place"]):
        run(*words)
    own = "demo-output" if job == "denoise" else f"demo-output/{job}"
    assert ran == [(job, own), (job, "place")]
    names = import_module(f"napari_cellinr.cli.demos.{job}").DEMO.names
    assert {"raw", "truth", "result"} <= set(names)


def test_a_single_word_is_the_folder_as_before(run, monkeypatch):
    ran = []
    monkeypatch.setattr(demo, "_run_headless", lambda options: ran.append(demo._chosen(options)))
    run("demo", "pictures")
    run("demo")
    assert ran == [("denoise", "pictures"), ("denoise", "demo-output")]


def test_an_unknown_job_is_explained(run):
    status, _, error = run("demo", "blur", "folder")
    assert (status, error.count("\n")) == (2, 1)
    assert "denoise, superresolve, reconstruct" in error


def made(images, roles, **report):
    return Fitted(tuple(images), NSTMConfig(), {}, (), "steps", report, roles=roles)


def test_scores_of_superresolution_know_the_right_answer():
    from napari_cellinr.cli.demos.superresolve import DEMO
    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.simulate.cells import cells

    sample = cells((3, 4, 12, 12), 1, refine=(2, 2), n_cells=1)
    config = SpatimeConfig(scale={"t": 2, "z": 2})
    fitted = Fitted((sample.truth,), config, {}, (), "steps", {}, roles=("result",))
    rows = [line for line in DEMO.table(sample, fitted) if "SpatimeINR" in line]
    assert all(line.endswith("1.000") for line in rows)
    assert len(rows) == 2
    shown = DEMO.panels(sample, fitted)
    np.testing.assert_array_equal(shown.result.array(), sample.truth.array()[3])
    assert shown.before.shape == shown.truth.shape == (8, 12, 12)
    assert list(DEMO.images(sample, fitted)) == list(DEMO.names)


def test_scores_of_a_reconstruction_know_the_right_answer(monkeypatch):
    from napari_cellinr.cli.demos import reconstruct

    generator = np.random.default_rng(0)
    truth = Image(generator.random((12, 2, 16, 16)).astype(np.float32), "TCYX")
    sample = MotionSample(truth.take("C", 0), truth, truth, TimeLapse())
    shifted = truth.like(truth.array() + 3)  # the mean of a phase is not determined
    motion = truth.like(truth.array() + np.array([3, 4], np.float32)[:, None, None])
    fitted = made((shifted, motion), ("result", "motion"))
    static = truth.crop(T=slice(0, 3))
    monkeypatch.setattr(reconstruct, "_conventional", lambda *_: static)
    lines = reconstruct.DEMO.table(sample, fitted)
    assert next(line for line in lines if "NSTM" in line).endswith("1.000")
    assert not next(line for line in lines if "conventional" in line).endswith("1.000")
    assert lines[-1].endswith("error 5.0")
    assert list(reconstruct.DEMO.images(sample, fitted)) == list(reconstruct.DEMO.names)
    shown = reconstruct.DEMO.panels(sample, fitted)
    np.testing.assert_allclose(shown.result.array(), shown.truth.array(), atol=1e-5)
