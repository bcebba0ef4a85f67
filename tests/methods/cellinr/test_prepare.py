"""The initial estimate: unused held-out voxels, probes, cheaper estimates if time is short."""

import time

import numpy as np
import pytest

from napari_cellinr import Image, denoise
from napari_cellinr.classic.camera.pixels import hold_out
from napari_cellinr.classic.estimate import gaussian
from napari_cellinr.classic.features import features
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.methods.cellinr.initial import series
from napari_cellinr.methods.cellinr.initial.estimate import (
    PROBE,
    EstimateBudget,
    Guides,
    InitialEstimate,
    choose_estimate,
    group,
    initial_estimate,
)
from napari_cellinr.methods.cellinr.initial.kernels import solve
from napari_cellinr.methods.cellinr.initial.probe import probe_of


def probe(values, grain=0.0):
    """Return the probe of a whole image."""
    everything = [slice(0, size) for size in values.shape]
    return probe_of(everything, values.shape, grain, np.random.default_rng(0))


def finish(job, answer=None):
    """Return what a generator returns, sending `answer` after the first report."""
    message = None
    while True:
        try:
            job.send(message)
        except StopIteration as done:
            return done.value
        message = answer


def test_held_out_values_leave_no_trace():
    random = np.random.default_rng(0)
    values = random.normal(size=(6, 20, 20)).astype(np.float32)
    held, replaced = hold_out(values, 0.1, np.random.default_rng(1))
    changed = np.where(held, values + 100, values).astype(np.float32)
    again, replaced_again = hold_out(changed, 0.1, np.random.default_rng(1))
    assert (held == again).all()
    np.testing.assert_allclose(replaced, replaced_again, rtol=1e-5, atol=1e-5)
    assert (replaced[~held] == values[~held]).all()
    assert 0.05 < held.mean() < 0.15


def test_at_least_one_voxel_is_held_out():
    held, _ = hold_out(np.zeros((2, 2), np.float32), 1e-9, np.random.default_rng(0))
    assert held.sum() == 1


def test_features_of_a_constant_are_the_constant_and_zeros():
    parts = features(np.full((5, 8, 8), 3.0, np.float32))
    assert parts.shape == (9, 5, 8, 8)
    np.testing.assert_allclose(parts[0], 3)
    np.testing.assert_allclose(parts[1:], 0, atol=1e-3)  # kernels end somewhere


@pytest.mark.parametrize(("shape", "count"), [((8, 8), 6), ((1, 8, 8), 6), ((4, 8, 8), 9)])
def test_axes_of_one_voxel_have_no_derivatives(shape, count):
    assert len(features(np.zeros(shape, np.float32))) == count


def test_the_estimate_gets_cheaper_with_less_time():
    shape = (70, 256, 356)
    names = [choose_estimate(shape, seconds, 2) for seconds in (None, 1e4, 20, 1e-3)]
    assert names[0] == names[1] == "groups"
    assert names[-1] == "gaussian"


@pytest.mark.parametrize("name", ["groups", "nlm-5", "nlm-4", "nlm-3", "nlm-2"])
def test_an_estimate_that_is_too_slow_is_replaced_by_a_cheaper_one(name):
    values = np.random.default_rng(0).normal(size=(16, 48, 48)).astype(np.float32)
    job = initial_estimate(
        values,
        name,
        probe(values),
        EstimateBudget(seconds=1e-4),
        Monitor(),
    )
    found = finish(job)
    assert found.name == "gaussian"
    assert found.complete


def test_stopping_returns_what_there_is():
    values = np.random.default_rng(0).normal(size=(24, 64, 64)).astype(np.float32)
    job = initial_estimate(
        values,
        "nlm-5",
        probe(values),
        EstimateBudget(),
        Monitor(),
    )
    found = finish(job, "stop")
    assert not found.complete
    assert found.estimate.shape == values.shape
    assert np.isfinite(found.estimate).all()


def test_the_probe_has_the_grain_of_the_noise():
    values = np.zeros((8, 64, 64), np.float32)
    lags = []
    for grain in (0.0, 0.8):
        noise = probe(values, grain)
        lags.append(float((noise[..., 1:] * noise[..., :-1]).mean()))
        assert noise.std() == pytest.approx(1, abs=0.02)
    assert abs(lags[0]) < 0.02
    assert lags[1] == pytest.approx(np.exp(-1 / (4 * 0.8**2)), abs=0.06)


def test_without_a_probe_there_is_one_estimate():
    values = np.random.default_rng(0).normal(size=(8, 32, 32)).astype(np.float32)
    found = finish(initial_estimate(values, "nlm-2", None, EstimateBudget(), Monitor()))
    assert found.complete
    assert not found.probe.any()
    np.testing.assert_array_equal(found.shifted, found.estimate)


def test_the_probe_of_a_tile_is_drawn_for_the_first_frame_only(monkeypatch):
    """It takes long in large volumes, since all before it in the whole is drawn, too."""
    drawn = []
    real = series.probe_of
    monkeypatch.setattr(series, "probe_of", lambda *given: drawn.append(given) or real(*given))
    frames = np.random.default_rng(0).poisson(9, (4, 32, 32)).astype(np.float32)
    denoise(Image(frames, "TYX"), "fast", coupling=True, steps=2)
    assert len(drawn) == 1


def grouped(budget, monitor):
    random = np.random.default_rng(0)
    values = random.normal(size=(40, 48)).astype(np.float32)
    guide = gaussian(values, 2)
    found = InitialEstimate(
        guide, guide, random.normal(size=values.shape).astype(np.float32), "groups"
    )
    return found, values, group(values, found, Guides(guide, guide), budget, monitor)


def test_groups_that_are_too_slow_leave_non_local_means():
    found, _, job = grouped(EstimateBudget(seconds=1e-4), Monitor(time.monotonic() - 10))
    result = finish(job)
    assert result.name == "nlm-5"
    assert result.estimate is found.estimate
    assert result.complete


def test_stopped_groups_return_what_there_is():
    _, values, job = grouped(EstimateBudget(), Monitor())
    result = finish(job, "stop")
    assert not result.complete
    assert np.isfinite(result.estimate).all()
    assert result.estimate.shape == values.shape


def planes(variance):
    """Return a plane of waves, what it is without noise, and its smoothing and that of a probe."""
    random = np.random.default_rng(0)
    rows, columns = np.indices((96, 96))
    truth = (3 * np.sin(rows / 4) * np.cos(columns / 5)).astype(np.float32)
    values = truth + np.sqrt(variance) * random.normal(size=truth.shape).astype(np.float32)
    held, replaced = hold_out(values.astype(np.float32), 0.05, random)
    probe = random.normal(size=truth.shape).astype(np.float32)
    found = InitialEstimate(
        gaussian(replaced, 1.5), gaussian(replaced + PROBE * probe, 1.5), probe, "x"
    )
    return truth, values.astype(np.float32), held, found


def test_kernels_bring_back_what_smoothing_took():
    truth, values, held, found = planes(1.0)
    kernels = solve(found, values, held, 16)
    before, after = (np.mean((x - truth) ** 2) for x in (found.estimate, kernels.result()))
    assert after < 0.8 * before
    np.testing.assert_allclose(kernels.applied(found.estimate), kernels.result(), atol=1e-4)


def test_kernels_that_the_held_out_voxels_refute_are_left_out():
    """Noise without any structure, and an estimate that already is the truth."""
    truth, values, held, found = planes(4.0)  # the noise is twice what is assumed
    exact = InitialEstimate(truth, truth, found.probe, "x")
    kernels = solve(exact, values, held, 16)
    assert kernels.trust < 0.5
    assert np.mean((kernels.result() - truth) ** 2) < 0.01
