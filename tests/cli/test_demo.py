"""`napari-cellinr demo`: what it prints and writes, and how it starts napari."""

import re
import subprocess
import sys

import numpy as np
import pytest
from fake import FakeJobs
from PIL import Image as Picture

from napari_cellinr import read
from napari_cellinr.cli import demo

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
    assert "(1 steps)" in out
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
