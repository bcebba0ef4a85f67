"""A job that was interrupted goes on, and ends as if nothing had happened."""

import json
import os
import platform
import shutil

import numpy as np
import psutil
import pytest
import safetensors
import torch

from napari_cellinr import CellINRConfig, Image, NSTMConfig, SpatimeConfig, api, denoise
from napari_cellinr.config.base import CHECKPOINT_SECONDS
from napari_cellinr.errors import ConfigError, FileError, FitError
from napari_cellinr.fitting.checkpoint import Checkpoint
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.fitting.problem import finish
from napari_cellinr.fitting.saved.stored import header_of, stored
from napari_cellinr.io import load_fitted, save_fitted
from napari_cellinr.methods import method_of_action, method_of_fit
from napari_cellinr.methods.nstm import job as nstm_job
from napari_cellinr.methods.spatime.channel import ChannelFit
from napari_cellinr.runs.request import CheckpointPlace, RunRequest, start
from napari_cellinr.runs.resume import discard, new_checkpoint, resume, unfinished
from napari_cellinr.runs.starts import Continued, New, WarmStart, start_from
from napari_cellinr.simulate.embryo import embryo

SETTINGS = {"steps": 23, "estimate": "nlm-2"}


@pytest.fixture(autouse=True)
def _talkative(monkeypatch):
    monkeypatch.setattr("napari_cellinr.fitting.optimise.REPORT_SECONDS", 0)


@pytest.fixture(scope="module")
def movie():
    # seeds of images with kernels that the held-out voxels confirm: the others have no steps
    frames = [embryo("membranes", (6, 24, 24), seed=seed).raw.array() for seed in (5, 9)]
    return Image(np.stack(frames), "TZYX", (2, 0.4, 0.2, 0.2), name="movie")


@pytest.fixture(scope="module")
def whole(movie):
    return denoise(movie, **SETTINGS)


def checkpointed(
    action,
    image,
    config,
    folder,
    *,
    every=CHECKPOINT_SECONDS,
    origin="",
    begun=New(),  # noqa: B008
):
    place = CheckpointPlace(folder, every, origin)
    return start(RunRequest(method_of_action(action), image, config, begun, place))


def resumed(path, image=None, **options):
    return start(resume(path, image, **options))


def iter_continued(fit, image, steps):
    method = method_of_fit(fit)
    return start(RunRequest(method, image, method.config(), Continued(fit, steps)))


def iter_warm_started(fit, image, config):
    return start(RunRequest(method_of_fit(fit), image, config, WarmStart(fit)))


def advance(job, stage, step=0):
    """Run a job up to a step of a stage."""
    for progress in job:
        if progress.stage.startswith(stage) and progress.step >= step:
            return
    raise AssertionError(stage)


def _stop(job):
    while True:
        job.send("stop")


def assert_same(fitted, whole):
    for one, other in zip(fitted.images, whole.images, strict=True):
        np.testing.assert_array_equal(one.array(), other.array())
        assert (one.name, one.scale, one.axes) == (other.name, other.scale, other.axes)
    assert (fitted.stopped, fitted.history, fitted.config) == (
        whole.stopped, whole.history, whole.config,
    )  # fmt: skip
    assert fitted.report["steps"] == whole.report["steps"]
    for name, tensor in whole.state.items():
        np.testing.assert_array_equal(fitted.state[name].numpy(), tensor.numpy())


@pytest.mark.parametrize(
    ("stage", "step"),
    [("fitting (image 1", 7), ("fitting (image 2", 11), ("initial estimate (image 2", 0)],
)
@pytest.mark.parametrize("crash", [False, True])
def test_a_job_goes_on_after_an_interruption(movie, whole, tmp_path, stage, step, crash):
    place = tmp_path / "job"
    job = checkpointed("denoise", movie, CellINRConfig(**SETTINGS), place, every=0, origin="m.tif")
    advance(job, stage, step)
    if crash:  # nothing can be written any more: only what is on the disk already counts
        place = shutil.copytree(place, tmp_path / "left")
    job.close()
    (found,) = [one for one in unfinished(tmp_path) if one.path == place]
    assert (found.action, found.origin, found.source["name"]) == ("denoise", "m.tif", "movie")
    assert_same(finish(resumed(place, every=0)), whole)
    assert not place.exists()


@pytest.mark.parametrize("last", [0, 1, 2])
def test_a_coupled_series_goes_on_too(movie, tmp_path, last):
    values = movie.array()
    series = movie.like(np.concatenate([values, values[:1, :, ::-1]])[:3, 2:5])
    config = CellINRConfig(estimate="groups")
    place = tmp_path / "job"
    job = checkpointed("denoise", series, config, place, every=0)
    count = 0
    for _ in job:  # until something is stored for as many frames, or the groups are
        count = len(list(place.glob("*guide*")))
        if count > last and (last < 2 or list(place.glob("*groups*"))):
            break
    assert count == last + 1
    job.close()
    assert_same(finish(resumed(place)), denoise(series, **config.changes()))


def test_what_was_computed_is_not_computed_again(movie, whole, tmp_path, monkeypatch):
    job = checkpointed("denoise", movie, CellINRConfig(**SETTINGS), tmp_path / "job", every=0)
    advance(job, "fitting (image 2", 9)
    job.close()
    monkeypatch.setattr("napari_cellinr.methods.cellinr.initial.part.initial_estimate", None)
    steps = []
    job = resumed(tmp_path / "job", movie)
    for progress in job:
        steps += [progress.step] if progress.stage.startswith("fitting") else []
    assert min(steps) >= 9


def test_a_stopped_job_keeps_its_checkpoint_and_a_finished_one_does_not(movie, whole, tmp_path):
    place = tmp_path / "job"
    job = checkpointed("denoise", movie, CellINRConfig(**SETTINGS), place, every=0)
    advance(job, "fitting (image 1", 8)
    with pytest.raises(StopIteration) as end:
        _stop(job)
    assert end.value.value.stopped == "user"
    assert_same(finish(resumed(place)), whole)
    assert unfinished(tmp_path) == []


def test_a_short_job_leaves_no_trace(movie, tmp_path):
    place = new_checkpoint(tmp_path / "jobs")
    finish(checkpointed("denoise", movie, CellINRConfig(steps=1, estimate="gaussian"), place))
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_checkpoint_is_refused(movie, tmp_path):
    place = tmp_path / "job"
    job = checkpointed("denoise", movie, CellINRConfig(**SETTINGS), place, every=0)
    advance(job, "fitting", 3)
    job.close()
    with pytest.raises(FileError, match="another image"):
        resumed(place, movie.crop(Z=slice(0, 4)))
    (place / "job.cellinr").write_bytes(b"nonsense")
    with pytest.raises(FileError, match="damaged"):
        resumed(place)
    assert unfinished(tmp_path) == []
    discard(place)  # what is damaged cannot be told from a file of somebody else's
    assert [path.name for path in place.iterdir()] == ["job.cellinr"]
    (place / "job.cellinr").unlink()
    with pytest.raises(FileError, match="no checkpoint"):
        resumed(place)


def test_a_job_that_runs_is_not_offered_nor_begun_twice_nor_deleted(movie, whole, tmp_path):
    place = tmp_path / "job"
    job = checkpointed("denoise", movie, CellINRConfig(**SETTINGS), place, every=0)
    advance(job, "fitting (image 1", 8)
    assert unfinished(tmp_path) == []
    discard(place)
    with pytest.raises(FileError, match="is in use"):
        resumed(place)
    with pytest.raises(FileError, match="is in use"):
        checkpointed("denoise", movie, CellINRConfig(**SETTINGS), place)
    job.close()
    twice = [resumed(place, every=0) for _ in range(2)]  # both saw it free
    next(twice[0])
    with pytest.raises(FileError, match="is in use"):
        next(twice[1])
    assert unfinished(tmp_path) == []
    assert_same(finish(twice[0]), whole)
    assert not place.exists()


def test_what_another_process_stores_is_left_alone(movie, tmp_path):
    place = tmp_path / "job"
    job = checkpointed("denoise", movie, CellINRConfig(**SETTINGS), place)
    advance(job, "fitting (image 1", 3)  # nothing is stored yet
    other = checkpointed("denoise", movie, CellINRConfig(**SETTINGS), tmp_path / "b", every=0)
    advance(other, "fitting (image 1", 3)
    other.close()
    (tmp_path / "b").rename(place)  # as if another process had begun meanwhile
    parent = psutil.Process(os.getppid())
    who = {"pid": parent.pid, "started": parent.create_time(), "computer": platform.node()}
    (place / "holder.json").write_text(json.dumps(who))
    before = {path: path.read_bytes() for path in place.iterdir()}
    assert unfinished(tmp_path) == []
    discard(place)
    with pytest.raises(FileError, match="is in use"):
        resumed(place)
    with pytest.raises(StopIteration) as end:
        _stop(job)
    assert end.value.value.stopped == "user"
    assert {path: path.read_bytes() for path in place.iterdir()} == before


def test_looking_for_interrupted_jobs_reads_no_tensor(movie, tmp_path, monkeypatch):
    job = checkpointed("denoise", movie, CellINRConfig(**SETTINGS), tmp_path / "job", every=0)
    advance(job, "fitting", 3)
    job.close()
    whole_file, read = safetensors.safe_open, []

    class Watched:
        """A file that notes the tensors that are read."""

        def __init__(self, *arguments, **options):
            self.file = whole_file(*arguments, **options)
            self.metadata, self.keys = self.file.metadata, self.file.keys

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def get_tensor(self, name):
            read.append(name)
            return self.file.get_tensor(name)

    monkeypatch.setattr(safetensors, "safe_open", Watched)
    assert [job.source["name"] for job in unfinished(tmp_path)] == ["movie"]
    assert read == []
    resumed(tmp_path / "job")
    assert read == ["input"]  # so it would have been noticed


def kept(fitted, folder):
    save_fitted(folder / "fit.cellinr", header=header_of(fitted), tensors=fitted.state)
    return stored(*load_fitted(folder / "fit.cellinr"))


def test_a_fit_that_is_continued_is_one_of_as_many_steps(movie, whole, tmp_path):
    first = kept(denoise(movie, **{**SETTINGS, "steps": 8}), tmp_path)
    assert_same(finish(iter_continued(first, movie, 15)), whole)
    with pytest.raises(ConfigError, match="another image"):
        iter_continued(first, movie.crop(Z=slice(0, 4)), 5)
    first.tensors.clear()
    with pytest.raises(ConfigError, match="Fit again"):
        iter_continued(first, movie, 5)
    rough = api.superresolve(movie.take("Z", 0), preset="preview", scale={"T": 2})
    with pytest.raises(ConfigError, match="no other fit can start from this one"):
        iter_continued(rough, movie.take("Z", 0), 5)


def ended(job):
    """Return what a job returns that is told to stop as soon as it says anything."""
    message = None
    try:
        while True:
            job.send(message)
            message = "stop"
    except StopIteration as finished:
        return finished.value


def test_a_fit_that_is_stopped_before_it_could_go_on(movie, tmp_path):
    first = kept(denoise(movie, **{**SETTINGS, "steps": 8}), tmp_path)
    with pytest.raises(FitError, match="the saved fit of 8 steps is unchanged"):
        ended(iter_continued(first, movie, 15))


OTHERS = [
    ("reconstruct", NSTMConfig(steps=12, restart=False)),
    (
        "superresolve",
        SpatimeConfig(preset="paper", steps=6, latent=4, neurons=8, batch=64, scale={"T": 2}),
    ),
]


@pytest.fixture
def series():
    """Stripes that drift by half a pixel per frame, with noise."""
    random = np.random.default_rng(0)
    x = np.arange(24)[None, None] - 0.5 * np.arange(4)[:, None, None]
    frames = 100 + 50 * np.sin(x) + random.normal(0, 5, (4, 24, 24))
    units = ("second", "micrometer", "micrometer")
    return Image(frames.astype(np.float32), "TYX", (2, 0.2, 0.2), units)


def small(series):
    """Return a corner, for fits in many attempts."""
    return series.crop(Y=slice(0, 16), X=slice(0, 16))


@pytest.mark.parametrize(("action", "config"), OTHERS)
def test_fits_of_other_methods_are_continued_and_begun_with(series, tmp_path, action, config):
    config = config.replace(device="cpu")
    first = finish(getattr(api, f"iter_{action}")(series, config))
    stored_fit = kept(first, tmp_path)
    render = api.render(stored_fit, device="cpu")  # what is kept to go on with is in no way
    np.testing.assert_allclose(render[0].array(), first.images[0].array(), rtol=1e-4, atol=1e-3)
    none = finish(iter_continued(stored_fit, series, 0))
    np.testing.assert_array_equal(none.images[0].array(), first.images[0].array())
    more = finish(iter_continued(stored_fit, series, 2 * config.steps))
    assert more.history[: len(first.history) - 1] == first.history[:-1]
    assert more.history[-1]["step"] == 3 * config.steps == more.config.steps
    errors = [fit.history[-1]["held_out"] for fit in (first, more)]
    assert errors[1] < errors[0]
    with pytest.raises(ConfigError, match="another image"):
        iter_continued(stored_fit, series.crop(Y=slice(0, 20)), 5)
    cold, warm = first, finish(iter_warm_started(stored_fit, series, config))
    assert warm.history[0]["held_out"] < cold.history[0]["held_out"]


def test_a_paper_fit_that_was_stopped_goes_on_from_there(series):
    config = OTHERS[1][1].replace(device="cpu", steps=500)
    first = ended(api.iter_superresolve(series, config))
    reached = first.report["steps"]
    assert 0 < reached == first.config.steps < 500
    assert finish(iter_continued(first, series, 3)).config.steps == reached + 3


def test_a_warm_start_is_taken_where_it_is_better(movie, tmp_path):
    frame = movie.take("T", 0)
    first = kept(denoise(frame, **{**SETTINGS, "steps": 40}), tmp_path)
    config = CellINRConfig(**{**SETTINGS, "steps": 1})
    cold, warm = denoise(frame, **config.changes()), finish(iter_warm_started(first, frame, config))
    assert warm.history[0]["held_out"] < cold.history[0]["held_out"]
    other = embryo("nuclei", (6, 24, 24), seed=5).raw
    cold, warm = denoise(other, **config.changes()), finish(iter_warm_started(first, other, config))
    assert warm.history[0]["held_out"] <= cold.history[0]["held_out"]
    with pytest.raises(FitError, match="another size"):
        finish(iter_warm_started(first, embryo("nuclei", (6, 48, 48), seed=5).raw, config))


@pytest.fixture(params=["continue_from", "warm_start"])
def beginning(request):
    return request.param


def assert_goes_on(action, image, config, begun, place, *, until):
    """Interrupt a job that begins with another fit; it gives what one without interruption does."""
    whole = finish(start(RunRequest(method_of_action(action), image, config, begun)))
    job = checkpointed(action, image, config, place, every=0, begun=begun)
    advance(job, *until)
    job.close()
    (found,) = unfinished(place.parent)
    assert (type(found.start), found.start.note) == (type(begun), begun.note)
    assert found.start.fit.config == begun.fit.config
    again = finish(resumed(place, every=0))
    assert_same(again, whole)
    assert again.report["warnings"] == whole.report["warnings"]
    assert not place.exists()


@pytest.mark.parametrize(("action", "config"), OTHERS)
def test_fits_that_begin_with_another_go_on(series, tmp_path, action, config, beginning):
    config = config.replace(device="cpu")
    first = kept(finish(getattr(api, f"iter_{action}")(series, config)), tmp_path)
    other = start_from(beginning, first, config.steps, {"layer": "before"})
    last = 2 * config.steps if beginning == "continue_from" else config.steps
    until = ("fitting", last - 2)
    assert_goes_on(action, series, config, other, tmp_path / "jobs" / "job", until=until)


@pytest.mark.parametrize("stage", ["fitting (image 1", "fitting (image 2"])
def test_frames_that_begin_with_another_fit_go_on(movie, tmp_path, beginning, stage):
    few = CellINRConfig(**{**SETTINGS, "steps": 4})
    first = kept(denoise(movie, **few.changes()), tmp_path)
    config = CellINRConfig(**{**SETTINGS, "steps": 6})
    until = (stage, 9 if beginning == "continue_from" else 5)
    place = tmp_path / "jobs" / "job"
    assert_goes_on(
        "denoise", movie, config, start_from(beginning, first, config.steps), place, until=until
    )


def test_a_fit_that_begins_with_no_other_says_so(series):
    config = OTHERS[1][1].replace(device="cpu")
    first = finish(api.iter_superresolve(series, config))
    rough = SpatimeConfig(preset="preview", scale={"T": 2})
    quick, learnt = (finish(iter_warm_started(first, series, c)) for c in (rough, config))
    assert "was not used" in quick.report["warnings"][-1]
    assert "was not used" not in str(learnt.report["warnings"])
    assert [w for w in quick.report["warnings"] if "was not used" not in w] == list(
        finish(api.iter_superresolve(series, rough)).report["warnings"]
    )


QUICK = SpatimeConfig(scale={"t": 2, "z": 2}, steps=4, refinement=0.1, device="cpu")


@pytest.fixture(scope="module")
def cells():
    """Two channels of blobs that drift, of which planes are coarse."""
    t, c, z, y, x = np.indices((4, 2, 5, 16, 18), np.float32)
    far = (z - 2) ** 2 * 4 + (y - 8) ** 2 + (x - 6 - 2 * t - 3 * c) ** 2
    noise = np.random.default_rng(0).normal(0, 2, far.shape)
    units = ("second", "pixel", *("micrometer",) * 3)
    values = (100 * np.exp(-far / 20) + 10 + noise).astype(np.float32)
    return Image(values, "TCZYX", (30, 1, 1.0, 0.5, 0.5), units, channels=("a", "b"))


@pytest.fixture(scope="module")
def finer(cells):
    return finish(api.iter_superresolve(cells, QUICK))


@pytest.fixture(scope="module")
def thinner(cells):
    return finish(api.iter_superresolve(cells, QUICK.replace(planes="thin")))


@pytest.mark.parametrize(
    ("planes", "stage", "step"),
    [
        ("thick", "learning finer planes", 0),
        ("thick", "following motion, interval 2", 0),
        ("thick", "rendering frame 6", 0),
        ("thick", "testing motion on held-out frames", 49),
        ("thin", "learning finer planes", 0),
        ("thin", "rendering frame 6", 0),
    ],
)
def test_super_resolution_goes_on_stage_by_stage(
    cells, finer, thinner, tmp_path, stage, step, planes
):
    config = QUICK.replace(planes=planes)
    whole = finer if planes == "thick" else thinner
    job = checkpointed("superresolve", cells, config, tmp_path / "job", every=0)
    advance(job, stage, step)
    job.close()
    going = resumed(tmp_path / "job")
    fitted = finish(going)
    assert_same(fitted, whole)
    for name, value in whole.state.items():
        assert torch.equal(fitted.state[name], value), name
    for fact in ("steps", "fits", "warnings"):
        assert fitted.report[fact] == whole.report[fact]
    assert fitted.history == whole.history


def test_stages_that_were_finished_are_not_done_again(cells, finer, tmp_path, monkeypatch):
    job = checkpointed("superresolve", cells, QUICK, tmp_path / "job", every=0)
    advance(job, "following motion, interval 3")
    job.close()
    fitted, tested = [], []
    follow, test = ChannelFit._follow_motion, ChannelFit._tests

    def follow_motion(channel, series, interval, *others):
        if series is channel.series:  # not two of its frames, between which one is held out
            fitted.append(interval)
        return follow(channel, series, interval, *others)

    monkeypatch.setattr(ChannelFit, "_follow_motion", follow_motion)
    monkeypatch.setattr(ChannelFit, "_tests", lambda channel: tested.append(1) or test(channel))
    assert_same(finish(resumed(tmp_path / "job")), finer)
    assert fitted == [2, 0, 1, 2]  # the last one of the first channel, and the second channel
    assert tested == [1]


def test_a_damaged_part_of_a_checkpoint_is_computed_again(movie, whole, tmp_path):
    place = tmp_path / "job"
    job = checkpointed("denoise", movie, CellINRConfig(**SETTINGS), place, every=0)
    advance(job, "fitting (image 2", 6)
    job.close()
    (place / "frame-1.steps.0.cellinr").write_bytes(b"nonsense")
    assert_same(finish(resumed(place)), whole)


def test_the_steps_of_another_problem_are_refused(movie, tmp_path):
    from test_problem import Parabola

    checkpoint = Checkpoint(tmp_path / "job", every=0)
    job = optimise(Parabola(), CellINRConfig(steps=50), Monitor(checkpoint=checkpoint))
    advance(job, "fitting", 9)
    job.close()
    problem = Parabola()
    problem.place = torch.nn.Parameter(torch.zeros(4))
    problem.goal = torch.zeros(4)
    monitor = Monitor(checkpoint=Checkpoint(tmp_path / "job"))
    with pytest.raises(FitError, match="another image"):
        finish(optimise(problem, CellINRConfig(steps=50), monitor))


def test_a_checkpoint_is_not_overwritten(movie, tmp_path):
    job = checkpointed("denoise", movie, CellINRConfig(**SETTINGS), tmp_path / "job", every=0)
    advance(job, "fitting", 3)
    job.close()
    with pytest.raises(FileError, match="resume it"):
        checkpointed("denoise", movie, CellINRConfig(**SETTINGS), tmp_path / "job")


@pytest.mark.parametrize(("action", "config"), OTHERS)
def test_the_loops_of_other_methods_go_on_too(tmp_path, action, config):
    frames = np.random.default_rng(0).random((4, 16, 16)).astype(np.float32) * 100
    image = Image(frames, "TYX", (2, 0.2, 0.2), ("second", "micrometer", "micrometer"))
    config = config.replace(device="cpu")
    if action == "reconstruct":
        config = config.replace(restart=True)  # several attempts
    whole = finish(getattr(api, f"iter_{action}")(image, config))
    job = checkpointed(action, image, config, tmp_path / "job", every=0)
    advance(job, "fitting", 4)
    job.close()
    assert_same(finish(resumed(tmp_path / "job")), whole)


@pytest.mark.parametrize("now", [8.6e6, 64e9], ids=["as little memory", "more memory"])
def test_tiles_go_on_however_much_memory_is_free(tmp_path, monkeypatch, now):
    class Memory:
        available = 8.6e6

    monkeypatch.setattr("psutil.virtual_memory", Memory)
    image, config = embryo("membranes", (6, 40, 72), seed=2).raw, CellINRConfig(**SETTINGS)
    tiled = denoise(image, **SETTINGS)
    assert "fitted in 2 tiles" in tiled.report["warnings"][0]
    job = checkpointed("denoise", image, config, tmp_path / "job", every=0)
    advance(job, "fitting (tile 2", 9)
    job.close()
    Memory.available = now
    stages = []
    job = resumed(tmp_path / "job", every=0)
    while True:
        try:
            stages.append(next(job))
        except StopIteration as end:
            assert_same(end.value, tiled)
            break
    fits = [one for one in stages if one.stage.startswith("fitting (tile 2")]
    assert min(one.step for one in fits) >= 9
    assert not (tmp_path / "job").exists()


def test_a_failure_while_the_result_is_written_says_what_to_do(series):
    def finish_it(fitted, monitor):
        yield from monitor.report("writing")
        raise RuntimeError("out of memory")

    config = CellINRConfig(steps=1, estimate="nlm-2")
    request = RunRequest(method_of_action("denoise"), series, config, finish=finish_it)
    with pytest.raises(FitError, match="fit a crop"):
        finish(start(request))


def test_a_warm_start_of_more_frames_is_from_the_last_one():
    checkpoint = Checkpoint(None)
    checkpoint.initial = {f"frame-{number}": {"best.0": number} for number in (0, 10, 2)}
    checkpoint.enter("frame-11")
    assert checkpoint.initial_parameters() == {"best.0": 10}


def test_a_full_disk_when_a_job_is_closed_is_a_warning(movie, tmp_path, monkeypatch, caplog):
    job = checkpointed("denoise", movie, CellINRConfig(**SETTINGS), tmp_path / "job", every=0)
    advance(job, "fitting", 9)

    def full(*_, **__):
        raise FileError("no space left on the device")

    monkeypatch.setattr("napari_cellinr.fitting.checkpoint.save_fitted", full)
    job.close()
    assert "no space left" in caplog.text


@pytest.mark.parametrize("short", [False, True], ids=["memory is free again", "still short"])
def test_each_attempt_of_a_reconstruction_finds_its_own_state(series, tmp_path, monkeypatch, short):
    """The first attempt was repeated with less memory; the state of this is not the second's."""
    real, scarce, starts = nstm_job.NSTMProblem, True, []

    def problem(*given, recompute, **named):
        if scarce and not recompute:
            raise MemoryError
        return real(*given, recompute=recompute, **named)

    monkeypatch.setattr(nstm_job, "NSTMProblem", problem)
    monkeypatch.setattr(nstm_job, "AT_THE_FLOOR", 0)
    config = NSTMConfig(steps=6, device="cpu", motion_layers=1)
    job = checkpointed("reconstruct", small(series), config, tmp_path / "job", every=0)
    advance(job, "fitting", 4)
    job.close()
    scarce = short
    job = resumed(tmp_path / "job", every=0)
    before = 0
    for progress in job:
        if progress.stage.startswith("fitting (attempt"):
            if progress.step < before or not starts:
                starts.append(progress.step)
            before = progress.step
    assert len(starts) > 1
    assert starts[0] == (5 if short else 1)
    assert set(starts[1:]) == {1}


@pytest.mark.parametrize(
    ("action", "config", "shape"),
    [
        ("denoise", CellINRConfig(steps=4, estimate="gaussian"), (2, 6, 24, 24)),
        ("reconstruct", NSTMConfig(steps=4, device="cpu", motion_layers=1), (4, 16, 16)),
    ],
)
def test_a_fit_that_was_killed_after_its_last_step_ends_as_without(
    action, config, shape, series, tmp_path
):
    """The last step is stored before it is evaluated, with which the best average may change."""
    frames = [embryo("membranes", shape[1:], seed=seed).raw.array() for seed in (0, 1)]
    image = Image(np.stack(frames), "CZYX") if len(shape) == 4 else small(series)
    job, left = checkpointed(action, image, config, tmp_path / "job", every=0), []
    while True:
        try:
            progress = next(job)
        except StopIteration as end:
            whole = end.value
            break
        if progress.step == config.steps or left:  # from the last step of the first part on
            left.append(shutil.copytree(tmp_path / "job", tmp_path / f"left-{len(left)}"))
    assert left
    for place in left[:: max(1, len(left) // 4)]:
        (place / "holder.json").unlink()
        fitted = finish(resumed(place, every=0))
        assert_same(fitted, whole)
