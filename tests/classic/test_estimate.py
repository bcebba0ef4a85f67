"""Non-local means: equal to its definition, the same in slabs, and quick to stop."""

import itertools
import threading

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic import estimate
from napari_cellinr.classic.camera.noise import Noise, stabilise, unstabilise
from napari_cellinr.classic.estimate import gaussian, iter_nlm, nlm, nlm_seconds
from napari_cellinr.errors import ConfigError
from napari_cellinr.metrics import psnr
from napari_cellinr.simulate.embryo import embryo


def noisy(shape, seed=0):
    generator = np.random.default_rng(seed)
    return generator.standard_normal(shape).astype(np.float32) + 3 * (np.indices(shape)[-1] > 4)


def by_definition(values, distance, strength, patch):
    """Weighted means, voxel by voxel, written as in the docstring."""
    half, n_axes = patch // 2, values.ndim
    margin = distance + half
    smooth = np.pad(gaussian_filter(values, 0.9), margin, mode="reflect")
    padded = np.pad(values, margin, mode="reflect")
    impulse = np.zeros((33,) * n_axes)
    impulse[(16,) * n_axes] = 1
    noise = 2 * np.sum(gaussian_filter(impulse, 0.9) ** 2)
    result = np.empty_like(values)
    for place in np.ndindex(values.shape):
        centre = np.array(place) + margin
        own = smooth[tuple(slice(c - half, c + half + 1) for c in centre)]
        total = weights = 0.0
        for shift in itertools.product(range(-distance, distance + 1), repeat=n_axes):
            other = centre + shift
            patch_there = smooth[tuple(slice(c - half, c + half + 1) for c in other)]
            excess = max(np.mean((own - patch_there) ** 2) - noise, 0)
            weight = max(1 - excess / (5 * (strength**2 + 2 * noise)), 0) ** 4
            total += weight * padded[tuple(other)]
            weights += weight
        result[place] = total / weights
    return result


@pytest.mark.parametrize(
    ("shape", "patch"), [((6, 7, 9), 3), ((12, 11), 5), ((12, 11), 1), ((7, 5, 8), 5)]
)
def test_equal_to_its_definition(shape, patch):
    values = noisy(shape)
    expected = by_definition(values, 2, 0.6, patch)
    found = nlm(values, distance=2, strength=0.6, patch=patch)
    assert found.dtype == np.float32
    assert np.allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize("shape", [(20, 31, 17), (40, 23), (1, 40, 23)])
def test_slabs_and_workers_change_nothing(monkeypatch, shape):
    values = noisy(shape)
    whole = nlm(values, distance=3)
    assert np.array_equal(whole, nlm(values, distance=3, n_workers=2))
    monkeypatch.setattr(estimate, "_SLAB", values.size // 7)
    assert np.array_equal(whole, nlm(values, distance=3, n_workers=3))


def test_quality_on_an_embryo():
    sample = embryo(size=(32, 64, 64))
    truth = sample.truth_with_background.data
    noise = Noise(2, 8)
    values = stabilise(sample.raw.data, noise)
    found = unstabilise(nlm(values, distance=3, n_workers=2), noise)
    simple = unstabilise(gaussian(values), noise)
    assert psnr(found, truth, 255) > psnr(simple, truth, 255) + 4.5
    assert psnr(found, truth, 255) > 39


def test_noise_with_a_grain_is_averaged_away_too():
    noise = gaussian_filter(np.random.default_rng(0).standard_normal((24, 40, 40)), 0.8)
    noise /= noise.std()
    assert nlm(noise, distance=3, grain=0.8).std() < 0.3
    assert nlm(noise, distance=3).std() > 0.4


def test_white_noise_is_averaged_away():
    values = np.random.default_rng(0).standard_normal((24, 24, 24)).astype(np.float32)
    assert nlm(values, distance=3).std() < 0.12
    assert nlm(np.full((5, 6, 7), 3.0)) == pytest.approx(3)


@pytest.mark.parametrize("shape", [(1, 12, 12), (2, 3, 20), (1, 1, 1), (1, 9), (3, 3)])
def test_thin_arrays(shape):
    values = noisy(shape)
    found = nlm(values, distance=4)
    assert found.shape == shape
    assert np.isfinite(found).all()
    assert found.min() >= values.min()
    assert found.max() <= values.max()


def test_distance_per_axis():
    values = noisy((6, 16, 16))
    planes = np.stack([nlm(plane[None], distance=(0, 2, 2))[0] for plane in values])
    assert not np.allclose(nlm(values, distance=2), planes)
    assert nlm(values, distance=(0, 2, 2)).shape == values.shape


def test_progress_rises_to_one():
    parts = list(iter_nlm(noisy((24, 64, 64)), distance=3, n_workers=2))
    assert parts == sorted(parts)
    assert parts[-1] == 1


def started(monkeypatch):
    monkeypatch.setattr(estimate, "_POLL", 0.02)
    values = noisy((40, 120, 120))
    job = iter_nlm(values, distance=8, n_workers=2)
    assert next(job) < 1
    return values, job


def test_stop_keeps_what_there_is(monkeypatch):
    values, job = started(monkeypatch)
    with pytest.raises(StopIteration) as done:
        job.send("stop")
    result = done.value.value
    assert np.isfinite(result).all()
    assert result.std() < values.std()


def test_close_ends_all_threads(monkeypatch):
    _, job = started(monkeypatch)
    job.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("nlm")]


def test_errors_in_a_thread_arrive(monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(estimate._Task, "_add", fail)
    with pytest.raises(MemoryError):
        nlm(noisy((8, 8)))


def test_predicted_time():
    assert nlm_seconds((24, 80, 80), 4) == pytest.approx(0.65, rel=0.35)  # as it was measured
    times = [nlm_seconds((70, 256, 356), distance) for distance in range(6)]
    assert times == sorted(times)
    assert nlm_seconds((70, 256, 356), 3, n_workers=2) < times[3]
    assert nlm_seconds((70, 256, 356), 3, patch=7) > times[3]


@pytest.mark.parametrize(
    "settings", [{"patch": 4}, {"strength": 0}, {"distance": -1}, {"distance": (1, 2, 3)}]
)
def test_refusals(settings):
    with pytest.raises(ConfigError):
        nlm(np.zeros((8, 8)), **settings)


def test_gaussian():
    assert gaussian(np.full((4, 5), 2)) == pytest.approx(2)
    assert gaussian(noisy((9, 9, 9))).dtype == np.float32
