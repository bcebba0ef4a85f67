"""What a run needs is said before it begins, and about holds; torch is not loaded for it."""

import numpy as np
import pytest

from napari_cellinr import Image
from napari_cellinr.config import CellINRConfig, NSTMConfig, SpatimeConfig
from napari_cellinr.methods import METHODS, Cost
from napari_cellinr.runs.estimates import cost, shortage
from napari_cellinr.simulate.embryo import embryo
from napari_cellinr.simulate.recordings import moving


def image(shape, axes):
    return Image(np.broadcast_to(np.float32(0), shape), axes)


def test_larger_images_need_more_and_a_limit_holds():
    small, large = (image((2, n, 256, 256), "TZYX") for n in (8, 80))
    for name, config in (("cellinr", CellINRConfig()), ("nstm", NSTMConfig())):
        needs = [cost(METHODS[name], one, config) for one in (small, large)]
        assert needs[0].seconds < needs[1].seconds
        assert needs[0].memory < needs[1].memory
        assert cost(METHODS[name], large, config.replace(max_seconds=1)).seconds == 1
    method = METHODS["spatime"]
    finer = [cost(method, small, SpatimeConfig(scale={"Z": n})) for n in (1, 4)]
    assert finer[0].memory < finer[1].memory
    assert cost(method, small.take("T", 0), SpatimeConfig(scale={"T": 2})) is None


@pytest.mark.parametrize(
    ("shape", "axes", "measured"),
    [
        ((20, 128, 178), "ZYX", 10.3),
        ((512, 512), "YX", 14.1),
        ((24, 96, 96), "ZYX", 7.8),
        ((48, 96, 96), "ZYX", 10.1),
        ((70, 256, 356), "ZYX", 68),
    ],
)
def test_denoising_is_estimated_as_it_was_measured(shape, axes, measured):
    """CPU seconds of `docs/benchmarks/estimates.md`, which `benchmarks/estimates.py` measures."""
    estimated = cost(METHODS["cellinr"], image(shape, axes), CellINRConfig()).seconds
    assert estimated == pytest.approx(measured, rel=0.3)


@pytest.mark.parametrize(
    ("shape", "axes", "measured"),
    [
        ((24, 96, 96), "ZYX", 0.44),
        ((6, 200, 200), "TYX", 0.34),
        ((512, 512), "YX", 0.53),
        ((16, 20_000), "YX", 0.47),
        ((48, 96, 96), "ZYX", 0.50),
        ((70, 256, 356), "ZYX", 1.18),
        ((1000, 1000), "YX", 0.68),
    ],
)
def test_memory_of_denoising_is_estimated_as_it_was_measured(shape, axes, measured, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    estimated = cost(METHODS["cellinr"], image(shape, axes), CellINRConfig()).memory / 1e9
    assert estimated == pytest.approx(measured, rel=0.3)


@pytest.mark.parametrize(
    ("shape", "axes", "measured"), [((300, 300), "YX", 0.46), ((24, 96, 96), "ZYX", 0.58)]
)
def test_memory_of_denoising_grows_with_the_threads(shape, axes, measured, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    estimated = cost(METHODS["cellinr"], image(shape, axes), CellINRConfig()).memory / 1e9
    assert estimated == pytest.approx(measured, rel=0.3)


@pytest.mark.parametrize(
    ("shape", "measured"),
    [
        ((3, 2, 25_000), 0.61),
        ((3, 500, 640), 0.93),
        ((3, 16, 20_000), 0.85),
        ((2, 2, 50_000), 0.77),  # 0.46 if only the pixels count, and not the margins
    ],
)
def test_memory_of_narrow_recordings_is_estimated_as_it_was_measured(shape, measured):
    estimated = cost(METHODS["nstm"], image(shape, "TYX"), NSTMConfig()).memory / 1e9
    assert estimated == pytest.approx(measured, rel=0.3)


def test_a_rolling_shutter_is_estimated_as_it_was_measured():
    """CPU seconds of the sample *ball*: 540 steps of 24 ms, and a check that takes 29 s."""
    rolling = NSTMConfig(optics=moving("ball").optics)
    seconds = cost(METHODS["nstm"], image((120, 120), "YX"), rolling).seconds
    assert seconds == pytest.approx(42, rel=0.3)


@pytest.mark.parametrize(("kind", "measured"), [("worm", 57), ("cell", 236), ("ball", 38)])
def test_reconstructions_of_samples_are_estimated_as_they_were_measured(kind, measured):
    """CPU seconds with all attempts: one of planes, three of the volume."""
    sample = moving(kind)
    config = NSTMConfig(optics=sample.optics)
    assert cost(METHODS["nstm"], sample.raw, config).seconds == pytest.approx(measured, rel=0.3)


def test_attempts_of_volumes_are_counted_and_said():
    sample = moving("cell")
    config = NSTMConfig(optics=sample.optics, check_motion=False)
    several = cost(METHODS["nstm"], sample.raw, config)
    one = cost(METHODS["nstm"], sample.raw, config.replace(restart=False))
    assert several.seconds == pytest.approx(3 * one.seconds)
    assert several.note.startswith("An easy motion takes half of it")
    plane = cost(METHODS["nstm"], moving("worm").raw, NSTMConfig(optics=moving("worm").optics))
    assert plane.note == "A difficult motion takes up to five times as long."


@pytest.mark.parametrize(
    ("shape", "axes", "scale", "measured"),
    [
        ((2, 100_000), "YX", {"Y": 2, "X": 2}, 0.34),
        ((256, 256), "YX", {"Y": 2, "X": 2}, 0.37),
        ((16, 256, 256), "ZYX", {"Y": 2, "X": 2}, 0.52),
        ((3, 2, 25_000), "TYX", {"T": 2}, 0.35),
        ((3, 2, 100_000), "TYX", {"T": 2}, 0.50),
        ((5, 12, 64, 64), "TZYX", {"T": 2, "Z": 2}, 0.60),
        ((5, 70, 256, 356), "TZYX", {"T": 2}, 1.74),
    ],
)
def test_memory_of_superresolution_is_estimated_as_it_was_measured(shape, axes, scale, measured):
    estimated = cost(METHODS["spatime"], image(shape, axes), SpatimeConfig(scale=scale)).memory
    assert estimated / 1e9 == pytest.approx(measured, rel=0.3)


@pytest.mark.parametrize(
    ("shape", "axes", "measured"),
    [
        ((16, 256, 256), "TYX", 7.0),
        ((8, 512, 512), "TYX", 11.0),
        ((8, 16, 96, 96), "TZYX", 8.7),
        ((10, 70, 256, 356), "TZYX", 247.0),
    ],
)
def test_time_of_superresolution_is_estimated_as_it_was_measured(shape, axes, measured):
    found = cost(METHODS["spatime"], image(shape, axes), SpatimeConfig(scale={"T": 2}))
    assert found.seconds == pytest.approx(measured, rel=0.2)


def test_a_want_of_memory_is_said_in_words(capsys, tmp_path, monkeypatch):
    assert shortage(Cost(1, 2e9), 3e9) == shortage(None, 0) == ""
    assert "about 4 GB are needed, 3 GB are free" in shortage(Cost(1, 4e9), 3e9)
    from napari_cellinr import write
    from napari_cellinr.cli import main

    class Poor:
        available = 1e6

    monkeypatch.setattr("psutil.virtual_memory", Poor)
    path = write(tmp_path / "in.tif", embryo("nuclei", (4, 16, 16), seed=0).raw)
    words = [str(path), str(tmp_path / "out.tif"), "--steps", "1", "--set", "estimate=gaussian"]
    assert main(["denoise", *words]) == 0
    assert "0.001 GB are free" in capsys.readouterr().err
