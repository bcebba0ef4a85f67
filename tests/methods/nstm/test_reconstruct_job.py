"""Attempts of a reconstruction: which is kept, what a stop leaves, what a fit that goes on has."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from napari_cellinr import Image, NSTMConfig, reconstruct
from napari_cellinr.api import iter_reconstruct
from napari_cellinr.config.nstm import EXTRAS
from napari_cellinr.fitting.saved.stored import header_of, stored
from napari_cellinr.methods.nstm import job
from napari_cellinr.methods.nstm.attempts import LAYERS, layers_left
from napari_cellinr.methods.nstm.checks import halves
from napari_cellinr.methods.nstm.costs import EACH_LAYER, check_steps, lasting, later_steps
from napari_cellinr.runs.warm_start import continue_fit, warm_start


@pytest.fixture(autouse=True)
def _talkative(monkeypatch):
    monkeypatch.setattr("napari_cellinr.fitting.optimise.REPORT_SECONDS", 0)


def movie(seed=0, pixels=4.0, size=24):
    """Return blobs that drift to the right by so many pixels in all, in five frames."""
    generator = np.random.default_rng(seed)
    scene = np.clip(gaussian_filter(generator.standard_normal((size, size)), 2.0) * 8, 0, None)
    frames = [shift(scene, (0, pixels * part), mode="reflect") for part in np.linspace(0, 1, 5)]
    data = np.stack(frames) + 0.05 * generator.standard_normal((5, size, size))
    units = ("second", "micrometer", "micrometer")
    return Image(data.astype(np.float32), "TYX", (2.0, 0.5, 0.5), units, name="cells")


def stopped_in(attempt, image, **settings):
    """Return the result of a job that is stopped in the middle of an attempt, counted from 1."""
    job = iter_reconstruct(image, NSTMConfig(**settings))
    message = None
    try:
        while True:
            progress = job.send(message)
            is_there = progress.stage.startswith(f"fitting (attempt {attempt} of up to ")
            message = "stop" if is_there and progress.step >= 3 else None
    except StopIteration as finished:
        return finished.value


def test_a_stop_while_another_way_is_tried():
    """It is no complete result, nothing else is tried, and repeating it gives the same."""
    image = movie()
    fitted = stopped_in(2, image, steps=12)
    assert [attempt["stopped"] for attempt in fitted.report["attempts"]] == ["steps", "user"]
    assert fitted.stopped == "user"
    assert not fitted.report["converged"]
    assert "was stopped" in fitted.report["warnings"][0]
    again = reconstruct(image, **{k: v for k, v in fitted.config.changes().items() if k != "seed"})
    assert len(again.report["attempts"]) == 1
    np.testing.assert_array_equal(again.images[0].array(), fitted.images[0].array())


def test_a_scene_at_rest_that_was_not_finished_is_no_measure(monkeypatch):
    none = dict.fromkeys(EXTRAS, False)
    only = "napari_cellinr.methods.nstm.job.attempts_for"
    monkeypatch.setattr(only, lambda _, config, planned: [("as given", config, none)])
    fitted = stopped_in(2, movie(), steps=12, check_motion=False)
    assert fitted.report["attempts"][1]["attempt"] == "static"
    assert fitted.report["explained_by_motion"] is None
    assert not fitted.report["converged"]


@pytest.mark.parametrize("moves", [True, False])
def test_more_steps_know_what_the_scene_was_compared_with(moves, monkeypatch):
    monkeypatch.setattr("napari_cellinr.methods.nstm.job._is_better", lambda *_: moves)
    fitted = reconstruct(movie(), steps=12, check_motion=False, motion_layers=1)
    assert fitted.report["attempts"][-1]["attempt"] == "static"
    assert fitted.report["moves"] == moves
    kept = stored(header_of(fitted), {name: value.numpy() for name, value in fitted.state.items()})
    more = continue_fit(kept, movie(), 5)
    assert [attempt["attempt"] for attempt in more.report["attempts"]] == ["as given"]
    assert (more.report["explained_by_motion"] is not None) == moves
    assert ("No motion was found" in " ".join(more.report["warnings"])) == (not moves)


def test_a_scene_at_rest_that_was_asked_for_says_so():
    report = reconstruct(movie(), steps=12, moving=False).report
    assert "A static image does not explain the frames" in report["warnings"][0]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"brightness": "on", "unexplained": "on"}, {}),
        ({}, {"brightness": "on"}),
        ({"moving": False, "brightness": "on"}, {}),
    ],
)
def test_a_warm_start_takes_scene_and_motion_whatever_else_is_fitted(before, after):
    first = reconstruct(movie(), steps=12, restart=False, check_motion=False, **before)
    following = warm_start(first, movie(), steps=12, restart=False, check_motion=False, **after)
    alone = reconstruct(
        movie(), steps=12, restart=False, check_motion=False, motion_layers=1, **after
    )
    assert following.history[0]["held_out"] < alone.history[0]["held_out"]


@pytest.mark.parametrize("slow_first", [True, False])
def test_the_attempt_with_the_lower_held_out_error_is_kept(slow_first, monkeypatch):
    config = NSTMConfig(steps=12, restart=False, check_motion=False)
    none = dict.fromkeys(EXTRAS, False)
    attempts = [("slow", config.replace(learning_rate=1e-6), none), ("usual", config, none)]
    tried = attempts if slow_first else attempts[::-1]
    monkeypatch.setattr("napari_cellinr.methods.nstm.job.attempts_for", lambda *_: tried)
    fitted = reconstruct(movie(), steps=12, restart=False, check_motion=False)
    errors = [attempt["held_out"] for attempt in fitted.report["attempts"]]
    assert len(errors) == 2
    assert fitted.report["held_out"] == min(errors)
    assert fitted.config.learning_rate == config.learning_rate


def test_every_fit_begins_without_the_memory_of_the_one_before(monkeypatch):
    """Else a recording of 3 × 2 × 100000 pixels takes 1.14 GB instead of 0.9."""
    calls = []

    def trimmed(optimise):
        def fit(problem, config, monitor):
            assert calls[-1] == "given back"
            calls.append("fitted")
            return (yield from optimise(problem, config, monitor))

        return fit

    for module in (job, halves):
        monkeypatch.setattr(module, "give_back", lambda: calls.append("given back"))
        monkeypatch.setattr(module, "optimise", trimmed(module.optimise))
    reconstruct(movie(size=16), steps=2)
    assert calls[-1] == "given back"
    assert calls.count("fitted") >= 4


def test_the_time_left_counts_all_attempts_once_the_first_has_failed(monkeypatch):
    """It does not get longer when the next attempt begins."""
    begun = []

    def noted(progress, later):
        if progress.step == 1:
            begun.append(later)
        return lasting(progress, later)

    monkeypatch.setattr(job, "lasting", noted)
    monkeypatch.setattr(job, "_explains", lambda _: False)
    fitted = reconstruct(movie(), steps=12, motion_layers=1)
    names = [one["attempt"] for one in fitted.report["attempts"]]
    assert names[:3] == ["as given", "faster motion", "with what motion does not explain"]
    check = check_steps(NSTMConfig(steps=12))
    assert check == 18
    assert begun[:3] == [check, 12 + check, check]


@pytest.mark.parametrize("layers", [2, 3, 4])
def test_the_time_left_does_not_get_longer_when_layers_are_tried(layers):
    """Steps of the present attempt and of what follows, each in the time of one with one motion."""
    one = NSTMConfig(steps=100)
    several = one.replace(motion_layers=layers)
    fits = [("as given", one), ("faster motion", one), (LAYERS, several), ("more", several)]
    attempts = [(name, config, {}) for name, config in fits]
    left = []
    for number, (_, config) in enumerate(fits):
        later = later_steps(config, layers_left(attempts, number, 1))
        each = 1 + EACH_LAYER * (config.fixed_layers() - 1)
        left.append(each * (config.steps + later))
    assert left[0] == 100 + 150
    assert left[1] == 100 + 2 * 250 + 350
    assert left[1] > left[2] > left[3]
    each = 1 + EACH_LAYER * (layers - 1)
    assert left[3] == pytest.approx(100 * each + 50 * (2 + 2 * each))


def test_the_first_fit_of_a_volume_expects_those_that_most_volumes_need():
    attempts = [(name, NSTMConfig(), {}) for name in ("as given", "faster motion", "more")]
    assert layers_left(attempts, 0, 3) == [False, False]
    assert layers_left(attempts, 1, 3) == [False]
    assert layers_left(attempts, 2, 3) == []
