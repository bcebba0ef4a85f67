"""`napari-cellinr superresolve`: from words to settings, from file to file, and what is refused."""

import json
from collections import deque
from itertools import repeat

import numpy as np
import pytest
from fake import FakeJobs

from napari_cellinr import Image, SpatimeConfig, read, superresolve, write
from napari_cellinr.cli.superresolve import _write_pieces
from napari_cellinr.errors import FileError
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.saved.stored import save_fit
from napari_cellinr.methods import METHODS
from napari_cellinr.runs.request import CheckpointPlace, RunRequest, start

QUICK = ("--preset", "preview", "--device", "cpu", "--set", "refinement=0.1")


@pytest.fixture
def movie_file(tmp_path):
    t, z, y, x = np.indices((3, 4, 12, 14)).astype(float)
    data = 90 * np.exp(-((z - 1.5) ** 2 + (y - 6) ** 2 + (x - 4 - 2 * t) ** 2) / 8) + 10
    units = ("second", *("micrometer",) * 3)
    image = Image(data.astype(np.float32), "TZYX", (30, 1, 0.25, 0.25), units, "movie")
    return str(write(tmp_path / "movie.tif", image))


@pytest.fixture
def jobs(put_job):
    jobs = FakeJobs()
    put_job("superresolve", jobs)
    return jobs


def test_words_become_settings(run, jobs, movie_file, tmp_path):
    words = "--scale t=2,z=2.5 --isotropic --motion never --steps 7 --set latent=8".split()  # noqa: SIM905
    assert run("superresolve", movie_file, tmp_path / "out.tif", *words)[0] == 0
    config = jobs.calls[0][1]
    assert dict(config.scale) == {"t": 2, "z": 2.5}
    assert (config.isotropic, config.motion, config.steps, config.latent) == (True, "never", 7, 8)


def test_times_and_voxel_size_instead_of_factors(run, jobs, movie_file, tmp_path):
    words = "--times 0,15,45.5 --target-voxel z=0.5 --steps 1".split()  # noqa: SIM905
    assert run("superresolve", movie_file, tmp_path / "out.tif", *words)[0] == 0
    config = jobs.calls[0][1]
    assert config.times == (0, 15, 45.5)
    words[1] = "0,0.25,0.5min"
    assert run("superresolve", movie_file, tmp_path / "minutes.tif", *words)[0] == 0
    assert jobs.calls[1][1].times == (0, 15, 30)
    assert dict(config.target_voxel) == {"z": 0.5}


def test_from_file_to_file_and_again_from_the_kept_fit(run, movie_file, tmp_path):
    out, model, report = (tmp_path / name for name in ("out.tif", "fit.cellinr", "report.json"))
    status, said, error = run(
        "superresolve", movie_file, out, "--scale", "t=2,z=2", "--save-fit", model,
        "--report", report, *QUICK,
    )  # fmt: skip
    assert (status, error) == (0, "")
    assert said.startswith(f"wrote {out}: 5×8×12×14 voxels")
    result = read(out)
    assert result.axes == "TZYX"
    assert result.scale == pytest.approx((15, 0.5, 0.25, 0.25))
    facts = json.loads(report.read_text())
    assert facts["config"]["scale"] == {"t": 2, "z": 2}
    again = tmp_path / "again.tif"
    assert run("render", model, again, "--times", "7.5", "--crop", "z=1:3")[0] == 0
    assert read(again).array().shape[-2:] == (12, 14)


def test_zarr_is_written_in_pieces_and_is_the_same(run, movie_file, tmp_path):
    outs = [tmp_path / "out.tif", tmp_path / "out.ome.zarr"]
    for out in outs:
        status, said, error = run("superresolve", movie_file, out, "--scale", "t=2,z=2", *QUICK)
        assert (status, error) == (0, "")
        assert said.startswith(f"wrote {out}: 5×8×12×14 voxels")
    whole, pieces = (read(out) for out in outs)
    np.testing.assert_allclose(pieces.array(), whole.array(), atol=1e-3)
    assert pieces.scale == pytest.approx(whole.scale)


def test_a_fit_that_goes_on_is_written_in_pieces_too(run, movie_file, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_cellinr.fitting.optimise.REPORT_SECONDS", 0)
    small = {"latent": 4, "neurons": 8, "batch": 64, "device": "cpu", "scale": {"t": 2}}
    config = SpatimeConfig(preset="paper", steps=20, **small)
    place, model = tmp_path / "checkpoint", tmp_path / "fit.cellinr"
    image = read(movie_file)
    save_fit(model, superresolve(image, preset="paper", steps=2, **small))
    checkpoint = CheckpointPlace(place, every=0)
    job = start(RunRequest(METHODS["spatime"], image, config, checkpoint=checkpoint))
    while next(job).step < 5:
        pass
    job.close()
    lazily = []
    monkeypatch.setattr(
        "napari_cellinr.methods.spatime.job.check_memory", lambda *_, **how: lazily.append(how)
    )
    begun = "--preset paper --steps 2 --scale t=2 --device cpu --set latent=4 --set neurons=8"
    for number, words in enumerate(
        (
            ("--resume", place),
            ("--continue-from", model, "--steps", 1),
            ("--warm-start", model, *begun.split(), "--set", "batch=64"),
        )
    ):
        out = tmp_path / f"{number}.ome.zarr"
        assert run("superresolve", movie_file, out, *words)[0] == 0
        assert read(out).shape == (5, 4, 12, 14)
    assert lazily == [{"lazily": True}] * 3
    assert not place.exists()


def test_write_pieces_that_is_stopped_leaves_nothing(tmp_path):
    fitted = superresolve(
        Image(np.random.default_rng(0).random((4, 9, 9)), "TYX"),
        times=(0, 1, 2, 3),
        motion="never",
        lazily=True,
    )

    out = tmp_path / "out.ome.zarr"
    job = _write_pieces(str(out), fitted, Monitor())
    assert next(job).stage == f"writing {out}"
    with pytest.raises(FileError, match="stopped after 1 of 4 pieces"):
        deque(map(job.send, repeat("stop")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scale", "t=0"], "more than 0 and at most 16"),
        (["--scale", "z=17"], "more than 0 and at most 16"),
        (["--scale", "t=1"], "all factors are 1"),
        (["--scale", "two"], "write a factor such as 2"),
        (["--scale", "t=2", "--times", "0,30"], "give only one of them"),
        (["--times", "0,600"], "must lie between 0 and 60"),
        (["--crop", "t=0:1", "--scale", "t=2"], "only one frame"),
        (["--set", "stamps=0,1", "--scale", "t=2"], "2 time stamps were given for 3 frames"),
        (["--scale", "t=2", "--preset", "paper", "--steps", "0"], "at least 1 step"),
    ],
)
def test_what_is_refused_is_one_sentence(run, movie_file, tmp_path, words, said):
    status, out, error = run("superresolve", movie_file, tmp_path / "out.tif", *words)
    assert (status, out) == (2, "")
    assert error.startswith("error: ")
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out.tif").exists()


def test_a_single_factor_is_for_the_spatial_axes_that_the_image_has(run, jobs, tmp_path):
    path = write(tmp_path / "movie.tif", Image(np.ones((3, 8, 9), np.float32), "TYX"))
    assert run("superresolve", path, tmp_path / "out.tif", "--scale", "2")[0] == 0
    assert jobs.calls[0][1].scale == {"y": 2, "x": 2}


def test_isotropic_needs_a_voxel_size(run, tmp_path):
    path = write(tmp_path / "plain.tif", Image(np.random.default_rng(0).random((3, 8, 9))))
    status, _, error = run("superresolve", path, tmp_path / "out.tif", "--isotropic")
    assert status == 2
    assert "voxel size is not known" in error


def test_no_factor_is_an_error(run, movie_file, tmp_path):
    status, _, error = run("superresolve", movie_file, tmp_path / "out.tif")
    assert status == 2
    assert "no factor was given" in error
    assert not (tmp_path / "out.tif").exists()


def test_the_confidence_of_frames_between_frames_is_saved(run, movie_file, tmp_path):
    words = ("--scale", "t=2", "--preset", "preview", "--set", "refinement=0.1")
    confidence = tmp_path / "confidence.tif"
    out = tmp_path / "out.tif"
    status, _, _ = run(
        "superresolve", movie_file, out, *words, "--output", f"confidence={confidence}"
    )
    assert status == 0
    assert read(confidence).shape == read(out).shape
    values = read(confidence).array()
    assert values.min() >= 0
    assert values[::2].min() == 1


def test_long_fits_are_warnings(run, jobs, movie_file, tmp_path):
    words = ("--preset", "paper", "--steps", "30", "--set", "batch=1000000", "--scale", "t=2")
    _, _, error = run("superresolve", movie_file, tmp_path / "two.tif", *words)
    assert "needs a GPU" in error
