"""Motion of parts of a phase, whose scene is integrated out."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr import Image, reconstruct
from napari_cellinr.config.nstm import EXTRAS, NSTMConfig
from napari_cellinr.methods.nstm.checks.halves import Halves
from napari_cellinr.methods.nstm.phases import choice
from napari_cellinr.methods.nstm.phases.likelihood import (
    CLEAR,
    LocalMotion,
    _at_rest,
    _inverse_covariance,
    _likelihood,
    _smaller,
    filled,
    local_motion,
)
from napari_cellinr.methods.nstm.phases.start import (
    LESS,
    MOVES,
    SHARED,
    WAYS,
    WIDTHS,
    resting_limit,
)
from napari_cellinr.optics.dpc import half_discs, transfer_functions

TIMES = np.linspace(0, 1, 4)
NOISE = 0.02


def transfers(side):
    sources = half_discs((side, side), 0.454, 0.525, (0, 180, 90, 270), 0.25)
    found = transfer_functions(sources, 0.454, 0.525, 0.25)
    return tuple(part.numpy() for part in found)


def recording(speeds, side=64, noise=NOISE, seed=0):
    """Return frames of a random phase of which each half of the rows moves, and the transfer."""
    rng = np.random.default_rng(seed)
    transfer = transfers(side)
    phase = gaussian_filter(rng.standard_normal((side, side)), 2, mode="wrap")
    phase *= 0.3 / phase.std()
    ky, kx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    upper = (np.arange(side) < side // 2)[:, None]
    frames = []
    for time, transmitted in zip(TIMES, transfer[1], strict=True):
        moved = [
            np.fft.irfft2(
                np.fft.rfft2(phase) * np.exp(-2j * np.pi * (time - 0.5) * (ky * v[0] + kx * v[1])),
                (side, side),
            )
            for v in speeds
        ]
        scene = np.where(upper, *moved)
        frames.append(np.fft.irfft2(np.fft.rfft2(scene) * transmitted, (side, side)))
    return np.stack(frames) + noise * rng.standard_normal((4, side, side)), transfer


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
    assert found.gain > MOVES
    assert resting_limit(found) == np.inf


def test_a_specimen_at_rest_excludes_motion():
    frames, transfer = recording(((0.0, 0.0), (0.0, 0.0)), noise=0.1)
    found = local_motion(frames, transfer, (64, 64), TIMES, 0.1)
    assert found.gain < MOVES
    assert 1 <= resting_limit(found) <= 3


def test_noise_without_structure_excludes_nothing():
    frames = np.random.default_rng(1).standard_normal((4, 64, 64)) * NOISE
    found = local_motion(frames, transfers(64), (64, 64), TIMES, NOISE)
    assert found.gain < MOVES
    assert resting_limit(found) is None


def test_the_likelihood_is_that_of_gaussian_frames():
    """Of whole frames, differences equal those of the quadratic form with the moved covariance."""
    frames, transfer = recording(((1.0, 2.0), (1.0, 2.0)))
    inverse = _inverse_covariance(_at_rest(frames, (64, 64)), transfer, (64, 64), NOISE)
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
    small, grid = _smaller(big, (128, 128))
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


def test_checks_see_three_quarters_of_the_information():
    assert pytest.approx(0.75) == 1 / (1 + LESS**2)
    assert WIDTHS[1] < WIDTHS[0] < WIDTHS[2]
    assert SHARED > 1
    assert CLEAR < MOVES


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
    raw = (2000 * (1 + frames)).astype(np.float32)
    image = Image(raw, "TYX", (1.0, 0.454, 0.454), ("second", "micrometer", "micrometer"))
    return reconstruct(image, OPTICS, device="cpu", steps=steps)


def test_parts_that_move_are_tried_and_doubt_a_static_result():
    fitted = fit(((0.0, 6.0), (2.0, -6.0)), 0.1, 24)
    names = [one["attempt"] for one in fitted.report["attempts"]]
    assert set(WAYS) <= set(names)
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
    found = LocalMotion(np.zeros((1, 2)), np.zeros((1, 4, 2)), np.ones(1), MOVES, np.inf)
    monkeypatch.setattr(choice, "fit_halves", checks)
    monkeypatch.setattr(choice, "in_background", looked)
    monkeypatch.setattr(choice, "is_known", lambda best: False)
    monkeypatch.setattr(choice, "motion_of_parts", lambda problem: found)
    extras = dict.fromkeys(EXTRAS, False)
    problem = SimpleNamespace(
        halves=Halves((), True, 1.3, 1.4), config=NSTMConfig(optics=OPTICS), **extras
    )
    best = (problem, SimpleNamespace(held_out=1.2))
    steps = choice.better_by_parts(best, attempt, None)
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert (end.value.value is not best) == taken
    assert tried == list(WAYS.items())
    assert problem.halves.smallest == np.inf


def test_parts_at_rest_are_not_tried():
    fitted = fit(((0.0, 0.0), (0.0, 0.0)), 0.1, 24)
    names = [one["attempt"] for one in fitted.report["attempts"]]
    assert not set(WAYS) & set(names)
    assert not fitted.report["moves"]
    assert not any("Do not take the specimen" in text for text in fitted.report["warnings"])
