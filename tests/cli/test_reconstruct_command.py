"""`reconstruct`: optics by kind or file, every output, and one line for every mistake."""

import csv
import json
import signal

import numpy as np
import pytest
import tifffile

from napari_cellinr import Image, read, write
from napari_cellinr.fitting.problem import finish
from napari_cellinr.io.tracks import grid_seeds

QUICK = (
    "--set", "steps=12", "--set", "restart=no", "--set", "check_motion=no", "--set",
    "unexplained=off",
)  # fmt: skip


@pytest.fixture
def movie_file(tmp_path):
    y, x = np.indices((20, 24)).astype(np.float32)
    frames = [np.exp(-((y - 9) ** 2 + (x - 10 - shift) ** 2) / 8) for shift in (0, 1, 2)]
    image = Image(
        np.stack(frames).astype(np.float32) * 1000,
        "TYX",
        scale=(2.0, 0.25, 0.25),
        units=("second", "micrometer", "micrometer"),
    )
    return str(write(tmp_path / "movie.tif", image))


def test_everything_is_written(run, movie_file, tmp_path):
    seeds = tmp_path / "seeds.csv"
    seeds.write_text("y,x\n9,10\n5,6\n")
    out = {name: tmp_path / f"{name}.tif" for name in ("result", "motion", "speed", "confidence")}
    status, _, error = run(
        "reconstruct", movie_file, out["result"], "--optics", "time-lapse", "--frames", "5",
        "--output", *(f"{name}={out[name]}" for name in ("motion", "speed", "confidence")),
        "--output", f"tracks={tmp_path / 'tracks.csv'}", "--seeds", seeds,
        "--report", tmp_path / "r.json",
        "--save-fit", tmp_path / "fit.cellinr", "--compare", tmp_path / "compare", *QUICK,
    )  # fmt: skip
    assert status == 0, error
    motion = read(out["motion"])
    assert (motion.axes, motion.shape, motion.dtype) == ("TCYX", (5, 2, 20, 24), np.float32)
    assert np.abs(motion.array()[0]).max() < 1e-3
    assert read(out["result"]).shape == (5, 20, 24)
    rows = list(csv.DictReader((tmp_path / "tracks.csv").read_text().splitlines()))
    assert len(rows) == 10
    assert [float(row["time_s"]) for row in rows[:5]] == [0, 1, 2, 3, 4]
    assert (float(rows[0]["y"]), float(rows[0]["x"])) == pytest.approx((9, 10), abs=0.02)
    assert json.loads((tmp_path / "r.json").read_text())["config"]["optics"]["kind"] == "time-lapse"
    assert {path.name for path in (tmp_path / "compare").iterdir()} == {
        "conventional.tif", "static.tif",
    }  # fmt: skip


def test_optics_come_from_a_file_and_tracks_from_a_grid(run, movie_file, tmp_path):
    optics = tmp_path / "microscope" / "scan.json"
    optics.parent.mkdir()
    write(optics.parent / "point.tif", Image(np.pad(np.ones((1, 1), np.float32), 1)))
    scan = {"kind": "line-scan", "row_time": 0.01, "psf": "point.tif", "_help": {}}
    optics.write_text(json.dumps(scan))
    status, _, error = run(
        "reconstruct", movie_file, tmp_path / "out.tif", "--optics", optics,
        "--output", f"tracks={tmp_path / 'tracks.csv'}", "--seeds", "grid:3",
        "--times", "0,1.5", *QUICK,
    )  # fmt: skip
    assert status == 0, error
    rows = list(csv.DictReader((tmp_path / "tracks.csv").read_text().splitlines()))
    assert len(rows) == 9 * 2


def test_ctrl_c_is_obeyed_and_told_while_the_static_fit_runs(
    run, movie_file, tmp_path, monkeypatch
):
    def follow(job, interruption):
        interruption(signal.SIGINT, None)
        return finish(job)

    monkeypatch.setattr("napari_cellinr.cli.reconstruct.follow", follow)
    folder = tmp_path / "compare"
    words = ("reconstruct", movie_file, tmp_path / "out.tif", "--compare", folder, *QUICK)
    status, _, error = run(*words)
    assert status == 130
    assert "static.tif is a partial result" in error


@pytest.mark.parametrize("calibrated", [True, False])
def test_motion_counts_from_the_reference_in_its_unit(run, movie_file, tmp_path, calibrated):
    """Axes, components, unit and reference of the file of the motion, and of the tracks."""
    if not calibrated:
        write(movie_file, Image(read(movie_file).array(), "TYX"))
    place = tmp_path / "motion.tif"
    status, _, error = run(
        "reconstruct", movie_file, tmp_path / "out.tif", "--optics", "time-lapse",
        "--reference", "2", "--output", f"motion={place}", f"tracks={tmp_path / 't.csv'}", *QUICK,
    )  # fmt: skip
    assert status == 0, error
    motion = read(place)
    assert (motion.axes, motion.dtype, motion.shape) == ("TCYX", np.float32, (3, 2, 20, 24))
    assert list(motion.channels) == ["y", "x"]
    assert np.abs(motion.array()[2]).max() < 1e-3
    unit = "micrometer" if calibrated else "pixel"
    assert motion.units[2:] == (unit, unit)
    with tifffile.TiffFile(place) as file:
        note = json.loads(file.imagej_metadata["napari_cellinr"])["napari_cellinr"]
    assert note["displacement_unit"] == unit
    rows = list(csv.reader((tmp_path / "t.csv").read_text().splitlines()))
    time = "time_s" if calibrated else "time_frames"
    assert rows[0] == [
        "track_id", "t", "z", "y", "x", time, "inside", "speed", "distance",
    ]  # fmt: skip
    last = [row for row in rows[1:] if row[1] == "2"]
    seeds = grid_seeds((20, 24), 8)
    np.testing.assert_allclose([[float(v) for v in row[3:5]] for row in last], seeds, atol=0.01)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--optics", "telescope"), "time-lapse"),
        (("--optics", "dpc"), "dpc needs constants that neither the optics nor the image state"),
        (("--optics", "missing.json"), "cannot be read"),
        (("--times", "3,1"), "increasing times"),
        (("--times", "0,99"), "lasts from 0 to 4"),
        (("--reference", "7"), "3 frames"),
        (("--output", "tracks=t.csv", "--seeds", "grid:no"), "grid:8"),
        (("--output", "tracks=t.csv", "--seeds", "[[1,2],[3]]"), "grid:8"),
        (("--output", "tracks=t.csv", "--seeds", '[["a","b"]]'), "grid:8"),
        (("--times", "abc"), "times such as 0,2.5,5"),
        (("--output", "tracks=t.csv", "--seeds", "missing.csv"), "cannot be read"),
    ],
)
def test_mistakes_are_told_in_one_line(run, movie_file, tmp_path, monkeypatch, words, what):
    monkeypatch.chdir(tmp_path)
    status, _, error = run("reconstruct", movie_file, "out.tif", *words, *QUICK)
    assert status == 2
    assert what in error
    assert error.strip().splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "out.tif").exists()
