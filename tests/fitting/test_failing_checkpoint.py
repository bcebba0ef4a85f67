"""A checkpoint that cannot be written is a warning; the fit goes on and has the same result."""

import shutil

import numpy as np
import pytest

from napari_cellinr import CellINRConfig, Image, denoise
from napari_cellinr.errors import FileError
from napari_cellinr.fitting.checkpoint import Checkpoint
from napari_cellinr.io.safety.manifest import identity_of
from napari_cellinr.methods import METHODS
from napari_cellinr.runs.request import CheckpointPlace, RunRequest, start
from napari_cellinr.runs.resume import resume, unfinished
from napari_cellinr.simulate.embryo import embryo

SETTINGS = {"steps": 6, "estimate": "nlm-2"}
FULL = OSError(28, "No space left on device")


@pytest.fixture(autouse=True)
def _each_step_is_reported(monkeypatch):
    monkeypatch.setattr("napari_cellinr.fitting.optimise.REPORT_SECONDS", 0)


@pytest.fixture(scope="module")
def movie():
    frames = [embryo("membranes", (4, 24, 24), seed=seed).raw.array() for seed in (0, 1)]
    return Image(np.stack(frames), "TZYX", (2, 0.4, 0.2, 0.2), name="movie")


@pytest.fixture(scope="module")
def whole(movie):
    return denoise(movie, **SETTINGS)


def stored(movie, place, *, every=0.0):
    config = CellINRConfig(**SETTINGS)
    return start(
        RunRequest(METHODS["cellinr"], movie, config, checkpoint=CheckpointPlace(place, every))
    )


def follow(job):
    """Return what a job returns, and its warnings, without repetition and in their order."""
    warnings = {}
    try:
        while True:
            warnings[next(job).warning] = None
    except StopIteration as end:
        return end.value, [text for text in warnings if text]


def assert_same(fitted, whole):
    for one, other in zip(fitted.images, whole.images, strict=True):
        np.testing.assert_array_equal(one.array(), other.array())


PLACES = {
    "manifest": "napari_cellinr.io.safety.checkpoint_folder.new_manifest",
    "list": "napari_cellinr.io.safety.checkpoint_folder.add_to_manifest",
    "lock": "napari_cellinr.fitting.checkpoint.lock.mark",
    "parts": "napari_cellinr.fitting.checkpoint.save_fitted",
}


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("manifest", FULL),
        ("list", FULL),
        ("lock", FileError("the disk is full")),
        ("parts", FileError("the disk is full")),
        ("parts", MemoryError()),
    ],
)
def test_the_fit_goes_on_with_one_warning(movie, whole, tmp_path, monkeypatch, place, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(PLACES[place], fail)
    fitted, warnings = follow(stored(movie, tmp_path / "job"))
    assert_same(fitted, whole)
    (warning,) = warnings
    assert "could not be stored" in warning
    assert fitted.report["warnings"].count(warning) == 1


def test_no_warning_without_a_failure(movie, whole, tmp_path):
    fitted, warnings = follow(stored(movie, tmp_path / "job"))
    assert warnings == []
    assert fitted.report["warnings"] == whole.report["warnings"]


def test_the_next_one_is_tried_when_it_is_due(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("napari_cellinr.fitting.checkpoint.time.monotonic", lambda: now[0])
    checkpoint = Checkpoint(tmp_path / "missing" / "job", every=10)
    (tmp_path / "missing").write_bytes(b"a file in the place of the folder")
    now[0] = 11
    assert checkpoint.is_due
    checkpoint.entry("steps").save({}, {})
    assert checkpoint.warning
    assert not checkpoint.is_due
    now[0] = 21
    assert checkpoint.is_due


@pytest.mark.parametrize("again", [False, True])
def test_a_folder_that_is_removed_is_made_again(movie, whole, tmp_path, again):
    place = tmp_path / "job"
    job = stored(movie, place)
    for progress in job:
        if progress.stage.startswith("fitting (image 1") and progress.step == 3:
            break
    shutil.rmtree(place)
    next(job)
    if again:
        job.close()
        assert [one.path for one in unfinished(tmp_path)] == [place]
        job = start(resume(place))
    fitted, warnings = follow(job)
    assert_same(fitted, whole)
    assert warnings == []
    assert not place.exists()


def test_the_checkpoint_of_another_fit_is_left_alone(movie, whole, tmp_path):
    place, other = tmp_path / "job", tmp_path / "other"
    job, another = stored(movie, place), stored(movie, other)
    for running in (job, another):
        next(progress for progress in running if progress.stage.startswith("fitting"))
        next(running)
    another.close()
    shutil.rmtree(place)
    other.rename(place)
    held = {path: path.read_bytes() for path in place.iterdir()}
    identity = identity_of(place)
    _, warnings = follow(job)
    assert "another fit" in warnings[0]
    assert identity_of(place) == identity
    assert {path: path.read_bytes() for path in place.iterdir()} == held


def test_a_finished_part_that_is_not_stored_removes_no_step(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "job", every=0)
    checkpoint.enter("frame-0")
    steps, done = checkpoint.entry("steps"), checkpoint.entry("done")
    steps.save({}, {"step": np.array([3])})
    with monkeypatch.context() as patch:
        patch.setattr(PLACES["parts"], lambda *_, **__: (_ for _ in ()).throw(FULL))
        done.save({}, {})
    checkpoint.remove_all_but(done)
    assert steps.load() is not None
    done.save({}, {})
    checkpoint.remove_all_but(done)
    assert steps.load() is None
