"""Motion of parts of a phase, whose scene is integrated out."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from random_phase import NOISE, TIMES, recording, transfers
from scipy.ndimage import gaussian_filter

from napari_cellinr import Image, load_fit, reconstruct, render
from napari_cellinr.config.nstm import EXTRAS, NSTMConfig
from napari_cellinr.errors import FileError
from napari_cellinr.fitting.checkpoint import Checkpoint
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.fitting.problem import finish
from napari_cellinr.methods import method_of_action
from napari_cellinr.methods.nstm import job
from napari_cellinr.methods.nstm.checks import halves
from napari_cellinr.methods.nstm.checks.halves import Halves
from napari_cellinr.methods.nstm.costs import PART_FITS, cost, usual_steps
from napari_cellinr.methods.nstm.phases import choice
from napari_cellinr.methods.nstm.phases.likelihood import (
    LocalMotion,
    _likelihood,
    local_motion,
)
from napari_cellinr.methods.nstm.phases.seen import FEW_FRAMES, filled, motion_of_seen
from napari_cellinr.methods.nstm.phases.spectra import (
    inverse_covariance,
    products_at_rest,
    smaller_transfer,
)
from napari_cellinr.methods.nstm.phases.start import (
    ADDED_NOISE,
    ERROR_FACTOR,
    LEAST_GAIN,
    MANY_FRAMES,
    PART_ATTEMPTS,
    resting_limit,
)
from napari_cellinr.methods.nstm.rendering.saved import PLACES
from napari_cellinr.methods.nstm.resources import Resources
from napari_cellinr.runs.request import RunRequest, start
from napari_cellinr.runs.starts import Continued

MOTION = LocalMotion(np.zeros((1, 2)), np.zeros((1, 4, 2)), np.ones(1), LEAST_GAIN, np.inf)


def image_of(frames):
    raw = (2000 * (1 + frames)).astype(np.float32)
    return Image(raw, "TYX", (1.0, 0.454, 0.454), ("second", "micrometer", "micrometer"))


def moved(found):
    return found.shifts[:, -1] - found.shifts[:, 0]


@pytest.mark.parametrize(("noise", "limit"), [(0.02, 0.3), (0.1, 0.6)])
def test_two_halves_that_move_apart_are_told_from_each_other(noise, limit):
    frames, transfer = recording(((0.0, 6.0), (2.0, -6.0)), noise=noise)
    found = local_motion(frames, transfer, (64, 64), TIMES, noise)
    away = np.abs(found.places[:, 0] - 32) > 16
    true = np.where(found.places[:, :1] < 32, (0.0, 6.0), (2.0, -6.0))
    error = np.linalg.norm(moved(found) - true, axis=1)[away]
    assert np.median(error) < limit
    assert found.gain > LEAST_GAIN
    assert resting_limit(found) == np.inf


def test_a_specimen_at_rest_excludes_motion():
    frames, transfer = recording(((0.0, 0.0), (0.0, 0.0)), noise=0.1)
    found = local_motion(frames, transfer, (64, 64), TIMES, 0.1)
    assert found.gain < LEAST_GAIN
    assert 1 <= resting_limit(found) <= 3


def test_noise_without_structure_excludes_nothing():
    frames = np.random.default_rng(1).standard_normal((4, 64, 64)) * NOISE
    found = local_motion(frames, transfers(64), (64, 64), TIMES, NOISE)
    assert found.gain < LEAST_GAIN
    assert resting_limit(found) is None


def test_the_likelihood_is_that_of_gaussian_frames():
    """Of whole frames, differences equal those of the quadratic form with the moved covariance."""
    frames, transfer = recording(((1.0, 2.0), (1.0, 2.0)))
    inverse = inverse_covariance(products_at_rest(frames, (64, 64)), transfer, (64, 64), NOISE)
    likely = _likelihood(frames, inverse, (64, 64), np.full((4, 2), 31.5), 1e6)
    spectrum = np.moveaxis(np.fft.fft2(frames), 0, -1) / 64
    ky, kx = np.fft.fftfreq(64)[:, None, None], np.fft.fftfreq(64)[None, :, None]
    whole = np.empty((64, 64, 4, 4), complex)
    whole[:, :33] = inverse
    whole[:, 33:] = np.roll(inverse[::-1], 1, axis=0)[:, 31:0:-1].conj()

    def direct(speed):
        back = np.exp(2j * np.pi * (TIMES - 0.5) * (ky * speed[0] + kx * speed[1]))
        still = spectrum * back
        return -0.5 * np.einsum("yxk,yxkl,yxl->", still.conj(), whole, still).real

    def by_pairs(speed):
        steps = [(a, b) for a in range(4) for b in range(a + 1, 4)]
        shifts = [np.reshape(speed, (2, 1, 1)) * (TIMES[b] - TIMES[a]) for a, b in steps]
        return sum(likely(*pair, s)[0, 0] for pair, s in zip(steps, shifts, strict=True))

    for speed in ((3.0, 0.0), (0.0, 6.0), (-3.0, 3.0)):
        expected = direct(speed) - direct((0.0, 0.0))
        # A Gaussian window has twice as many independent values as its squared weights count.
        assert (by_pairs(speed) - by_pairs((0.0, 0.0))) / 2 == pytest.approx(expected, rel=1e-3)


def test_larger_frames_are_looked_at_in_smaller_transforms():
    frames, transfer = recording(((0.0, 4.0), (0.0, 4.0)), side=128)
    found = local_motion(frames, transfer, (128, 128), TIMES, NOISE)
    inside = ((found.places > 20) & (found.places < 108)).all(1)
    assert np.median(np.linalg.norm(moved(found) - (0.0, 4.0), axis=1)[inside]) < 0.2


def test_smaller_transfer_functions_have_the_same_response():
    big = transfers(128)
    small, grid = smaller_transfer(big, (128, 128))
    assert grid == (64, 64)
    whole, part = np.fft.irfft2(big[1], (128, 128)), np.fft.irfft2(small[1], grid)
    np.testing.assert_allclose(part[:, :8, :8], whole[:, :8, :8], atol=1e-12)


def test_seen_pixels_stay_and_gaps_are_like_their_surroundings():
    frames = gaussian_filter(np.random.default_rng(0).standard_normal((2, 32, 32)), (0, 4, 4))
    seen = np.ones(frames.shape, bool)
    seen[:, 8:12, 8:12] = False
    gaps = np.where(seen, frames, np.nan)
    whole = filled(np.nan_to_num(gaps), seen)
    np.testing.assert_array_equal(whole[seen], frames[seen])
    assert np.abs(whole - frames)[~seen].max() < 0.3 * np.ptp(frames)


def test_fits_that_check_see_as_much_as_three_quarters_of_the_pixels():
    """The mean of frames with the added noise is as uncertain as that of ¾ of their pixels."""
    values = NOISE * np.random.default_rng(0).standard_normal((4000, 100))
    added = ADDED_NOISE * NOISE * np.random.default_rng(1).standard_normal(values.shape)
    with_noise, fewer = (values + added).mean(1).std(), values[:, :75].mean(1).std()
    assert with_noise == pytest.approx(fewer, rel=0.05)
    assert with_noise > 1.1 * values.mean(1).std()


@pytest.mark.parametrize("border", ["left", "around", "another in each frame"])
@pytest.mark.parametrize("speed", [0.0, 4.0])
def test_a_border_without_data_changes_nothing_beside_it(border, speed):
    frames, transfer = recording(((0.0, speed), (0.0, speed)), noise=0.05, seed=11)
    seen = np.zeros(frames.shape, bool)
    if border == "left":
        seen[:, :, 20:] = True
    elif border == "around":
        seen[:, 8:-8, 8:-8] = True
    else:
        for number, width in enumerate((0, 6, 12, 3)):
            seen[number, :, width:] = True
    found = motion_of_seen(np.where(seen, frames, -1), transfer, (64, 64), TIMES, 0.05, seen)
    rows, columns = (np.flatnonzero(seen.all(0).any(axis)) for axis in (1, 0))
    assert (found.places >= (rows[0], columns[0])).all()
    assert (found.places <= (rows[-1], columns[-1])).all()
    assert (found.gain > LEAST_GAIN) == (speed > 0)
    assert np.median(np.linalg.norm(moved(found) - (0.0, speed), axis=1)) < 0.5


def test_a_frame_without_data_takes_no_part():
    frames, transfer = recording(((0.0, 4.0), (0.0, 4.0)), noise=0.05)
    seen = np.ones(frames.shape, bool)
    seen[1] = False
    found = motion_of_seen(np.where(seen, frames, -1), transfer, (64, 64), TIMES, 0.05, seen)
    assert found.shifts.shape[1] == len(frames)
    assert np.median(np.linalg.norm(moved(found) - (0.0, 4.0), axis=1)) < 0.5
    np.testing.assert_allclose(found.shifts[:, 1], found.shifts[:, [0, 2]].mean(1))


@pytest.mark.parametrize("kept", [[], [0, 2]])
def test_too_few_frames_exclude_nothing(kept):
    frames, transfer = recording(((0.0, 4.0), (0.0, 4.0)))
    seen = np.zeros(frames.shape, bool)
    seen[kept] = True
    found = motion_of_seen(frames, transfer, (64, 64), TIMES, NOISE, seen)
    assert not len(found.places)
    assert found.gain < LEAST_GAIN
    assert resting_limit(found) is None


def test_the_look_at_parts_ends_when_the_job_is_stopped():
    frames, transfer = recording(((0.0, 4.0), (0.0, 4.0)))
    asked = []

    def is_stopped():
        asked.append(None)
        return len(asked) > 2

    assert local_motion(frames, transfer, (64, 64), TIMES, NOISE, is_stopped=is_stopped) is None
    assert len(asked) == 3


@pytest.mark.parametrize("why", ["stopped", "late"])
def test_parts_are_not_looked_at_once_the_job_is_to_end(why):
    monitor = Monitor()
    monitor.stopped = why == "stopped"
    monitor.deadline = 0.0 if why == "late" else None
    best = (SimpleNamespace(halves=Halves((), False, 1.3, 1.4)), None)
    with pytest.raises(StopIteration) as end:
        next(choice.better_by_parts(best, None, monitor))
    assert end.value.value is best


def test_attempts_with_parts_leave_the_numbers_of_other_entries_alone():
    def names(parts):
        checkpoint, found, tried = Checkpoint(None), [], []
        for name in ("as given", *parts, "static"):
            layers = MOTION if name in parts else None
            with job._scope(checkpoint, tried, layers, Resources(torch.device("cpu"))):
                found.append(checkpoint.entry("steps").name)
            tried.append({"attempt": name})
        return found

    alone, with_parts = names(()), names(tuple(PART_ATTEMPTS))
    assert alone == ["steps.0", "steps.1"]
    assert [with_parts[0], with_parts[-1]] == alone
    assert len(set(with_parts)) == 4


STEPS = []
"""Steps of each fit of `guided_fit`."""


@pytest.fixture(scope="module")
def guided_fit():
    """Return frames, and a fit to them whose motion is that of parts."""

    def counted(problem, config, monitor):
        STEPS.append(config.steps)
        return optimise(problem, config, monitor)

    frames, _ = recording(((0.0, 6.0), (2.0, -6.0)), side=48, noise=0.05)
    with pytest.MonkeyPatch.context() as patched:
        for module in (job, halves):
            patched.setattr(module, "optimise", counted)
        fitted = reconstruct(image_of(frames), OPTICS, device="cpu", steps=60)
    return image_of(frames), fitted


def test_the_estimate_counts_the_attempts_with_parts(guided_fit):
    image, fitted = guided_fit
    assert [one["attempt"] for one in fitted.report["attempts"]][-2:] == list(PART_ATTEMPTS)
    assert len(PART_ATTEMPTS) == PART_FITS
    assert usual_steps(image, fitted.config) == pytest.approx(sum(STEPS), rel=0.3)
    alone = usual_steps(image, fitted.config.replace(restart=False))
    assert alone < 0.6 * sum(STEPS)


def test_a_saved_fit_tells_the_error_of_its_parts_again(guided_fit, tmp_path):
    _, fitted = guided_fit
    fitted.save(tmp_path / "fit.cellinr")
    kept = load_fit(tmp_path / "fit.cellinr")
    assert kept.tensors[PLACES].shape[1:] == (4, 2)
    for one, other in zip(render(kept), fitted.images, strict=True):
        np.testing.assert_allclose(one.array(), other.array(), atol=1e-3)
    bare = {name: one for name, one in kept.tensors.items() if name != PLACES}
    without = render(replace(kept, tensors=bare))[4].array()  # as versions before have it
    assert np.abs(without - fitted.images[4].array()).max() > 0.1
    damaged = {PLACES: kept.tensors[PLACES][:-1]}, {PLACES: kept.tensors[PLACES] * np.nan}
    for wrong in damaged:
        with pytest.raises(FileError, match=PLACES):
            render(replace(kept, tensors={**kept.tensors, **wrong}))


def test_a_fit_with_the_motion_of_parts_continues_as_one(guided_fit):
    image, first = guided_fit
    assert first.model["error_factor"] == ERROR_FACTOR
    how = RunRequest(method_of_action("reconstruct"), image, first.config, Continued(first, 20))
    more = finish(start(how))
    assert more.model["error_factor"] == ERROR_FACTOR
    assert more.report["moves"]
    apart = np.abs(first.image("motion").array() - more.image("motion").array())
    assert np.median(apart) < 0.1
    errors = [np.median(one.image("motion-error").array()) for one in (first, more)]
    assert errors[1] > 0.7 * errors[0]


OPTICS = {
    "kind": "dpc",
    "wavelength": 0.525,
    "na": 0.25,
    "na_illumination": 0.25,
    "pixel_size": 0.454,
    "rotations": [0, 180, 90, 270],
}


def fit(speeds, noise, steps):
    frames, _ = recording(speeds, side=48, noise=noise)
    return reconstruct(image_of(frames), OPTICS, device="cpu", steps=steps)


def test_parts_that_move_are_tried_and_doubt_a_static_result():
    fitted = fit(((0.0, 6.0), (2.0, -6.0)), 0.1, 24)
    names = [one["attempt"] for one in fitted.report["attempts"]]
    assert set(PART_ATTEMPTS) <= set(names)
    doubted = any("Do not" in text for text in fitted.report["warnings"])
    assert doubted or fitted.report["moves"]


@pytest.mark.parametrize(
    ("held_out", "moves", "moving", "taken"),
    [
        (1.1, True, 1.2, True),
        (1.19, True, 1.2, False),  # hardly better than 1.2
        (1.1, False, 1.2, False),
        (1.1, True, 1.31, False),  # the fits that check it are worse than 1.3
    ],
)
def test_motion_of_parts_is_taken_if_it_predicts_unseen_pixels_better(
    monkeypatch, held_out, moves, moving, taken
):
    def checks(*_):
        return Halves((), moves, moving, 1.4)
        yield

    def looked(_, work, *__, **___):
        return work()
        yield

    def attempt(name, settings, extras, found):
        tried.append((name, found.given))
        return SimpleNamespace(halves=None), SimpleNamespace(held_out=held_out, stopped="steps")
        yield

    tried = []
    found = MOTION
    monkeypatch.setattr(choice, "fit_halves", checks)
    monkeypatch.setattr(choice, "in_background", looked)
    monkeypatch.setattr(choice, "is_known", lambda best: False)
    monkeypatch.setattr(choice, "motion_of_parts", lambda problem, monitor: found)
    extras = dict.fromkeys(EXTRAS, False)
    problem = SimpleNamespace(
        halves=Halves((), True, 1.3, 1.4),
        config=NSTMConfig(optics=OPTICS),
        extras=SimpleNamespace(chosen=extras),
    )
    best = (problem, SimpleNamespace(held_out=1.2))
    steps = choice.better_by_parts(best, attempt, Monitor())
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert (end.value.value is not best) == taken
    assert tried == list(PART_ATTEMPTS.items())
    assert problem.halves.smallest == np.inf


def test_parts_at_rest_are_not_tried():
    fitted = fit(((0.0, 0.0), (0.0, 0.0)), 0.1, 24)
    names = [one["attempt"] for one in fitted.report["attempts"]]
    assert not set(PART_ATTEMPTS) & set(names)
    assert not fitted.report["moves"]
    assert not any("Do not take the specimen" in text for text in fitted.report["warnings"])


@pytest.mark.parametrize(("frames", "looked"), [(2, False), (3, True), (8, True), (9, False)])
def test_the_estimate_counts_the_look_at_parts_of_few_frames(frames, looked):
    image = Image(np.zeros((frames, 64, 64), np.float32), "TYX")
    config = NSTMConfig(optics=OPTICS)
    more = cost(image, config).seconds - cost(image, config.replace(restart=False)).seconds
    assert (more > 0) == looked
    assert looked == (FEW_FRAMES <= frames <= MANY_FRAMES)
