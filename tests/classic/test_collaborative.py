"""Groups of alike patches in a plane, by their cosines."""

import numpy as np
import pytest
from scipy.fft import dct
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic import collaborative
from napari_cellinr.classic.collaborative import estimate_seconds, iter_collaborative, iter_estimate
from napari_cellinr.classic.groups import _covariance, groups_seconds, iter_groups
from napari_cellinr.errors import ConfigError


def finished(job, message=None):
    parts = []
    while True:
        try:
            parts.append(job.send(message if parts else None))
        except StopIteration as done:
            return done.value, parts


@pytest.fixture(scope="module")
def plane():
    """Return squares of different brightness, the same with noise, and a smooth estimate."""
    random = np.random.default_rng(0)
    truth = np.kron(random.normal(0, 3, (8, 9)), np.ones((9, 8)))
    values = truth + random.standard_normal(truth.shape)
    return truth, values, gaussian_filter(values, 1.2)


def error(result, truth):
    return float(((result - truth) ** 2).mean())


@pytest.mark.parametrize("large", [False, True])
def test_better_than_the_guide(plane, large):
    truth, values, guide = plane
    result, parts = finished(iter_collaborative(values, guide, large=large))
    assert result.shape == truth.shape
    assert result.dtype == np.float32
    assert error(result, truth) < 0.7 * error(guide, truth)
    assert parts == sorted(parts)
    assert parts[-1] == 1


@pytest.mark.parametrize("large", [False, True])
def test_bands_leave_no_trace(plane, monkeypatch, large):
    _, values, guide = plane
    whole = finished(iter_collaborative(values, guide, large=large))[0]
    monkeypatch.setattr("napari_cellinr.classic.collaborative._GROUPS", 1)
    banded = finished(iter_collaborative(values, guide, large=large))[0]
    np.testing.assert_allclose(banded, whole, atol=1e-4)


def test_large_patches_err_less_where_texture_is_wide_and_the_guide_has_little_noise():
    random = np.random.default_rng(2)
    y, x = np.mgrid[:96, :96]
    truth = 4 * np.sin(x / 2.1) * np.cos(y / 2.7)
    values = truth + random.standard_normal(truth.shape)
    guide = truth + 0.2 * gaussian_filter(random.standard_normal(truth.shape), 1)
    usual, large = (
        error(finished(iter_collaborative(values, guide, large=large))[0], truth)
        for large in (False, True)
    )
    assert large < usual


@pytest.mark.parametrize("size", [8, 15])
def test_planes_smaller_than_large_patches_are_filtered_too(size):
    random = np.random.default_rng(3)
    values = random.standard_normal((size, 40))
    result = finished(iter_collaborative(values, np.zeros_like(values), large=True))[0]
    assert np.square(result).mean() < 0.3 * np.square(values).mean()


def test_columns_of_tiles_leave_no_trace(plane, monkeypatch):
    _, values, guide = plane
    whole = finished(iter_collaborative(values, guide))[0]
    monkeypatch.setattr(collaborative, "_COLUMNS", 7)
    np.testing.assert_allclose(finished(iter_collaborative(values, guide))[0], whole, atol=1e-4)


@pytest.mark.parametrize("shape", [(16, 6000), (6000, 16)])
def test_memory_and_time_of_long_planes_grow_linearly(shape, monkeypatch):
    """What is compared at a time is bounded, and all of it is a few times the plane."""
    sizes = []

    def compared(image, *others):
        sizes.append(image.numel() * sum(others[-1]))
        return distances(image, *others)

    distances = collaborative.distances
    monkeypatch.setattr(collaborative, "distances", compared)
    monkeypatch.setattr(collaborative, "_REACH", 1)
    flat = np.zeros(shape, np.float32)
    finished(iter_collaborative(flat, flat))
    assert max(sizes) < 2**20
    assert sum(sizes) < 2**24


def test_a_clean_plane_with_itself_as_guide_stays_in_the_mean(plane):
    truth = 100 * plane[0]
    result, _ = finished(iter_collaborative(truth, truth))
    assert np.abs(result - truth).mean() < 0.01 * np.abs(truth).mean()


def test_noise_with_a_grain_is_told_from_structure():
    random = np.random.default_rng(1)
    noise = gaussian_filter(random.standard_normal((64, 64)), 0.8)
    noise /= noise.std()
    guide = gaussian_filter(noise, 2)
    plain, grained = (
        np.square(finished(iter_collaborative(noise, guide, grain=grain))[0]).mean()
        for grain in (0.0, 0.8)
    )
    assert grained < 0.8 * plain


def test_less_noise_is_filtered_less(plane):
    _, values, guide = plane
    far, near = (
        error(finished(iter_collaborative(values, guide, variance=variance))[0], values)
        for variance in (None, np.full(values.shape, 1e-4))
    )
    assert near < 0.5 * far


@pytest.mark.parametrize("shape", [(1, 1), (3, 20), (8, 8)])
def test_tiny_planes(shape):
    values = np.random.default_rng(0).normal(size=shape)
    result, _ = finished(iter_collaborative(values, np.zeros(shape)))
    assert np.isfinite(result).all()


def test_stop_keeps_the_guide_where_nothing_was_done(plane, monkeypatch):
    _, values, guide = plane
    monkeypatch.setattr("napari_cellinr.classic.collaborative._GROUPS", 1)
    result, parts = finished(iter_collaborative(values, guide), "stop")
    assert len(parts) == 1
    np.testing.assert_allclose(result[40:], guide[40:], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(72, 72), (1, 72, 72)])
def test_planes_get_the_mean_of_both_kinds(plane, shape):
    _, values, guide = (array[:72, :72].reshape(shape) for array in plane)
    both, parts = finished(iter_estimate(values, guide))
    one = finished(iter_groups(values, guide))[0]
    other = finished(iter_collaborative(values.reshape(72, 72), guide.reshape(72, 72)))[0]
    np.testing.assert_allclose(both, (one + other.reshape(shape)) / 2, atol=1e-5)
    assert parts == sorted(parts)
    assert estimate_seconds(shape) > groups_seconds(shape)


def test_volumes_are_left_to_groups():
    values = np.random.default_rng(0).normal(size=(6, 12, 12))
    both, one = (finished(job(values, 0 * values))[0] for job in (iter_estimate, iter_groups))
    np.testing.assert_array_equal(both, one)
    assert estimate_seconds(values.shape) == groups_seconds(values.shape)


def test_refuses_what_does_not_fit():
    with pytest.raises(ConfigError, match="planes"):
        next(iter_collaborative(np.zeros((4, 4)), np.zeros((4, 5))))


def test_covariance_of_noise_with_a_grain_is_that_of_a_gaussian():
    """In patches of `groups`, and in the cosines of patches here."""
    grain = 0.9
    wave = gaussian_filter(np.eye(1, 65, 32)[0], grain)
    correlated = np.correlate(wave, wave, "full")[64:] / np.sum(wave**2)
    along = correlated[np.abs(np.subtract.outer(np.arange(8), np.arange(8)))]
    found = _covariance((8,), grain, series=False)
    np.testing.assert_allclose(found, along, atol=2e-3)
    cosines = dct(np.eye(8), axis=0, norm="ortho")
    power = np.maximum(np.diag(cosines @ along @ cosines.T), 1e-4)
    flat = np.zeros((8, 8), np.float32)
    noise = collaborative._Job(flat, flat, None, grain).noise
    np.testing.assert_allclose(noise, np.kron(power, power), atol=0.02)


def test_a_hard_threshold_keeps_a_flat_plane_flat_and_removes_noise():
    noisy = np.random.default_rng(0).normal(5, 1, (40, 40)).astype(np.float32)
    flat = np.full_like(noisy, 5)
    np.testing.assert_allclose(
        finished(iter_collaborative(flat, flat, threshold=2.7))[0], 5, atol=1e-4
    )
    assert finished(iter_collaborative(noisy, flat, threshold=2.7))[0].std() < 0.4
