"""Signal and background are separated by structure; nothing but noise is taken from the signal."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.fields.grids.nodes import interpolate, node_weights
from napari_cellinr.methods.cellinr.initial.background import (
    Denoised,
    choose_width,
    is_dim,
    separate,
    separate_by_opening,
)

torch = pytest.importorskip("torch")

SHAPE = (80, 80)
NOISE = Noise(0.0, 4.0)


def at_voxels(parts, shape):
    weights = [
        node_weights(torch.arange(n), n, step) for n, step in zip(shape, parts.stride, strict=True)
    ]
    return interpolate(torch.from_numpy(parts.background)[None], weights)[0].numpy()


def scene(sign=1, remaining=1.0, shape=SHAPE, scale=(1.0, 1.0)):
    """Return lines on an uneven floor with some noise left, the floor, and the lines."""
    y, x = (np.arange(n, dtype=np.float32) for n in shape[-2:])
    floor = 100 + 30 * np.exp(-((y[:, None] - 40) ** 2 + (x - 40) ** 2) / 800)
    lines = np.zeros(shape[-2:], np.float32)
    lines[:, 8::16] = 60
    lines = gaussian_filter(lines, 1.0)
    confidence = (lines > 3).astype(np.float32)
    left = gaussian_filter(np.random.default_rng(0).normal(size=shape), 1)
    values = floor + sign * lines + remaining * left / left.std()
    arrays = [np.broadcast_to(a, shape).astype(np.float32) for a in (values, confidence)]
    return Denoised(*arrays, NOISE, scale, sign), floor, lines


@pytest.mark.parametrize("sign", [1, -1])
def test_uneven_background_is_found_better_than_by_opening(sign):
    given, floor, _ = scene(sign)
    errors = [
        np.abs(at_voxels(find(given, 16), SHAPE) - floor).mean()
        for find in (separate, separate_by_opening)
    ]
    assert errors[0] < 0.6 * errors[1]


def test_structures_count_fully_and_noise_does_not():
    given, _, lines = scene()
    factor = separate(given, 12).amplification / 255
    assert (factor[given.confidence > 0] == 1).all()
    assert factor[lines < 0.1].mean() < 0.1
    assert (separate_by_opening(given, 12).amplification == 255).all()


def test_what_is_brighter_than_noise_stays_without_any_confidence():
    """Soft confidence, never a deletion: a spot that was not recognised is kept."""
    given, _, _ = scene()
    values = given.values.copy()
    values[38:42, 30:34] += 40
    factor = separate(Denoised(values, given.confidence, NOISE, (1.0, 1.0)), 12).amplification / 255
    assert factor[38:42, 30:34].min() > 0.95


def test_the_same_length_along_every_axis():
    """Planes twice as far apart: half the voxels count as near."""
    given, floor, _ = scene(shape=(20, *SHAPE), scale=(2.0, 1.0, 1.0))
    parts = separate(given, 12)
    assert parts.stride == (1, 2, 2)
    assert np.abs(at_voxels(parts, (20, *SHAPE)) - floor).mean() < 1.5


@pytest.mark.parametrize("confidence", [0.0, 1.0])
def test_no_structure_or_nothing_else(confidence):
    values = np.random.default_rng(0).normal(50, 1, (24, 24)).astype(np.float32)
    given = Denoised(values, np.full_like(values, confidence), NOISE, (1.0, 1.0))
    parts = separate(given, choose_width(given.confidence, "sheet", (1.0, 1.0)))
    assert np.isfinite(parts.background).all()
    assert np.abs(at_voxels(parts, (24, 24)) - 50).max() < 4


def test_a_scene_of_one_value():
    values = np.full((4, 8, 8), 7, np.float32)
    given = Denoised(values, np.zeros_like(values), Noise(0.0, 1e-6), (1.0, 1.0, 1.0))
    assert np.allclose(separate(given, 7).background, 7)


def test_dim_structures_that_fill_the_image_are_not_taken_for_noise():
    """What denoising leaves is known to be small: a wider spread is structure."""
    given, _, lines = scene(remaining=0.3)
    nothing = Denoised(given.values, np.zeros_like(given.confidence), NOISE, (1.0, 1.0))
    factor = separate(nothing, 16).amplification / 255
    assert factor[lines > 20].mean() > 0.9


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("find", [separate, separate_by_opening])
def test_the_background_is_in_grey_levels_whatever_the_sign(find, sign):
    given, floor, _ = scene(sign)
    assert np.abs(at_voxels(find(given, 16), SHAPE) - floor).mean() < 8


def test_dim_structures_are_kept_where_there_is_hardly_any_light():
    """Structures of a quarter of the noise, blurred by denoising and not recognised."""
    y, x = (np.arange(n, dtype=np.float32) for n in (96, 96))
    lines = gaussian_filter(np.where((x % 12 < 2) & (y[:, None] > -1), 6.0, 0.0), 1.5)
    left = gaussian_filter(np.random.default_rng(0).normal(size=(96, 96)), 2)
    values = (100 + lines + 0.1 * left / left.std()).astype(np.float32)
    assert is_dim((values - 100) / NOISE.read_noise)
    kept = []
    for dim in (True, False):
        given = Denoised(values, np.zeros_like(values), NOISE, (1.0, 1.0), dim=dim)
        parts = separate(given, choose_width(given.confidence, "sheet", (1.0, 1.0), dim=dim))
        signal = np.maximum(values - at_voxels(parts, (96, 96)), 0) * parts.amplification / 255
        bright = lines > np.quantile(lines, 0.9)
        kept.append(signal[bright].mean() / lines[bright].mean())
    assert kept[0] > 0.85
    assert kept[0] > kept[1]


@pytest.mark.parametrize("dark", [False, True])
def test_what_is_dim(dark):
    estimate = np.zeros((50, 50), np.float32)
    estimate[10:14, 10:14] = -2 if dark else 2
    assert is_dim(estimate, dark=dark)
    assert not is_dim(2 * estimate, dark=dark)
