"""Groups of alike patches: better than their guide, the same in any number of threads."""

import threading

import numpy as np
import pytest

from napari_cellinr.classic import groups
from napari_cellinr.classic.estimate import nlm
from napari_cellinr.classic.groups import groups_seconds, iter_groups
from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.problem import finish


def pair(shape, seed=0):
    """Return waves, and the same with noise of standard deviation 1."""
    random = np.random.default_rng(seed)
    places = np.indices(shape).astype(np.float32)
    clean = 4 * np.prod([np.sin(place / 3) for place in places[-2:]], axis=0) + places[0] / 8
    return clean, (clean + random.normal(size=shape)).astype(np.float32)


def error(result, clean):
    return float(np.mean((result - clean) ** 2))


@pytest.mark.parametrize("shape", [(64, 64), (12, 24, 24), (1, 64, 64), (2, 40, 40)])
def test_better_than_the_guide(shape):
    clean, noisy = pair(shape)
    guide = nlm(noisy, distance=3)
    result = finish(iter_groups(noisy, guide))
    assert result.dtype == np.float32
    assert result.shape == shape
    assert error(result, clean) < 0.8 * error(guide, clean)


def test_the_same_with_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(groups, "_TILE", 64)
    _, noisy = pair((50, 70))
    guide = nlm(noisy, distance=3)
    results = [finish(iter_groups(noisy, guide, n_workers=n)) for n in (1, 3)]
    assert np.array_equal(*results)


def test_tiles_leave_no_trace(monkeypatch):
    _, noisy = pair((60, 60))
    guide = nlm(noisy, distance=3)
    whole = finish(iter_groups(noisy, guide))
    monkeypatch.setattr(groups, "_TILE", 32)
    np.testing.assert_allclose(finish(iter_groups(noisy, guide)), whole, atol=1e-3)


def test_without_structure_only_the_mean_is_left():
    noisy = np.random.default_rng(0).normal(5, 1, (64, 64)).astype(np.float32)
    result = finish(iter_groups(noisy, np.full_like(noisy, 5.0)))
    assert np.std(result) < 0.15
    assert np.mean(result) == pytest.approx(5, abs=0.05)


def test_without_noise_nothing_changes():
    clean, _ = pair((48, 48))
    variance = np.full(clean.shape, 1e-4, np.float32)
    np.testing.assert_allclose(
        finish(iter_groups(clean, clean, variance=variance)), clean, atol=0.02
    )


def test_noise_that_is_nothing_beside_the_structure_is_left_alone():
    clean = np.pad(np.full((10, 10), 1e6, np.float32), 10)
    np.testing.assert_allclose(finish(iter_groups(clean, clean)), clean, atol=1)


def test_noise_with_a_grain_is_told_from_structure():
    from scipy.ndimage import gaussian_filter

    clean, _ = pair((64, 64))
    noise = gaussian_filter(np.random.default_rng(1).normal(size=clean.shape), 0.8)
    noisy = clean + noise / noise.std()
    guide = nlm(noisy, distance=3, grain=0.8)
    aware, blind = (finish(iter_groups(noisy, guide, grain=grain)) for grain in (0.8, 0.0))
    assert error(aware, clean) < error(blind, clean)


@pytest.mark.parametrize("shape", [(1, 2), (3, 3), (1, 1, 9), (2, 2, 2)])
def test_tiny_images(shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert np.isfinite(finish(iter_groups(values, values))).all()


def test_stop_keeps_what_there_is(monkeypatch):
    monkeypatch.setattr(groups, "_TILE", 256)
    _, noisy = pair((160, 160))
    guide = nlm(noisy, distance=2)
    job = iter_groups(noisy, guide, n_workers=2)
    assert next(job) < 1
    with pytest.raises(StopIteration) as done:
        job.send("stop")
    assert np.isfinite(done.value.value).all()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("groups")]


def test_refuses_what_does_not_fit():
    with pytest.raises(ConfigError, match="same"):
        next(iter_groups(np.zeros((8, 8)), np.zeros((8, 9))))


def test_predicted_time_grows_with_the_image():
    assert groups_seconds((48, 96, 96)) < groups_seconds((70, 256, 356))
    assert groups_seconds((48, 96, 96), 2) < groups_seconds((48, 96, 96))


def test_groups_whose_matrix_has_no_factor_keep_their_values(monkeypatch):
    """Rounding may leave a matrix without one; what its factor would give is no image."""
    _, noisy = pair((40, 40))
    guide = nlm(noisy, distance=3)
    factor = groups.torch.linalg.cholesky_ex

    def failing(products, *, upper):
        found = factor(products, upper=upper)
        return type(found)((found.L * float("nan"), found.info + 1))

    monkeypatch.setattr(groups.torch.linalg, "cholesky_ex", failing)
    np.testing.assert_allclose(finish(iter_groups(noisy, guide)), noisy, atol=1e-3)
