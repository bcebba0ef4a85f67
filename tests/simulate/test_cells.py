"""The simulated cells are what the benchmarks say they are."""

import numpy as np
import pytest

from napari_cellinr.errors import ConfigError
from napari_cellinr.image import Image
from napari_cellinr.simulate.cells import cells, thinned


@pytest.fixture(scope="module")
def sample():
    return cells((4, 6, 40, 40), seed=1, refine=(6, 2), n_cells=4)


def test_sizes_steps_and_edges(sample):
    assert sample.raw.shape == (4, 6, 40, 40)
    assert sample.truth.shape == sample.labels.shape == (19, 12, 40, 40)
    assert sample.truth.steps == {"T": 10, "Z": 0.5, "Y": 0.25, "X": 0.25}
    assert sample.raw.steps == {"T": 60, "Z": 1, "Y": 0.25, "X": 0.25}
    edges = [i.translate[1] - i.scale[1] / 2 for i in (sample.raw, sample.truth)]
    assert edges == [0, 0]
    assert sample.raw.array().dtype == sample.truth.array().dtype == np.float32


def test_the_movie_is_the_truth_thinned(sample):
    expected = thinned(sample.truth, {"t": 6, "z": 2})
    np.testing.assert_array_equal(sample.raw.array(), expected.array())
    assert sample.raw.scale == expected.scale
    assert sample.raw.translate == expected.translate


def test_same_seed_same_voxels_and_finer_truth_is_the_same_movie(sample):
    other = cells((4, 6, 40, 40), seed=1, refine=(3, 2), n_cells=4)
    np.testing.assert_allclose(other.truth.array(), sample.truth.array()[::2], atol=1e-3)
    different = cells((1, 6, 40, 40), seed=2, refine=(1, 1), n_cells=4)
    assert np.abs(different.raw.array()[0] - sample.raw.array()[0]).max() > 50


def centres(labels, cell):
    return np.array([np.argwhere(frame == cell).mean(axis=0) for frame in labels])


def test_cells_move_and_not_in_straight_lines(sample):
    labels = sample.labels.array()
    whole = [c for c in np.unique(labels)[1:] if all((frame == c).any() for frame in labels)]
    assert whole
    bends = []
    for cell in whole:
        path = centres(labels, cell)[:, 1:]
        steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
        assert steps.sum() > 2
        bends.append(steps.sum() / max(np.linalg.norm(path[-1] - path[0]), 1e-9))
    assert max(bends) > 1.05


def test_some_divide_and_keep_their_volume(sample):
    labels = sample.labels.array()
    first, last = (set(np.unique(frame)[1:]) for frame in labels[[0, -1]])
    assert len(last) > len(first)
    born = last - first
    assert len(born) % 2 == 0
    assert 0.7 < (labels[-1] > 0).sum() / (labels[0] > 0).sum() < 1.4


def test_bright_inside_and_dark_outside(sample):
    truth, labels = sample.truth.array() - 10, sample.labels.array()
    assert truth[labels > 0].mean() > 5 * truth[labels == 0].mean()
    assert truth.min() == pytest.approx(0, abs=0.1)


def test_noise_has_mean_zero():
    quiet, noisy = (
        cells((1, 6, 40, 40), seed=3, refine=(1, 1), n_cells=3, gain=g, read_noise=r)
        for g, r in ((0, 0), (1, 4))
    )
    noise = noisy.raw.array() - quiet.raw.array()
    assert abs(noise.mean()) < 0.3
    expected = np.sqrt(16 + quiet.raw.array().mean())
    assert noise.std() == pytest.approx(expected, rel=0.05)


def test_thinned_keeps_first_frames_and_means():
    image = Image(np.arange(7 * 5 * 2 * 2, dtype=float).reshape(7, 5, 2, 2))
    result = thinned(image, {"t": 3, "z": 2})
    assert result.shape == (3, 2, 2, 2)
    np.testing.assert_allclose(result.array()[1, 1], image.array()[3, 2:4].mean(axis=0))
    assert result.translate == (0, 0.5, 0, 0)


@pytest.mark.parametrize(
    "given",
    [{"size": (1, 2, 8, 8)}, {"refine": (0, 1)}, {"n_cells": 0}, {"gain": -1.0}],
)
def test_refused(given):
    with pytest.raises(ConfigError, match=r"given|asked for"):
        cells(**given)
