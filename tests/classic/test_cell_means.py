"""Means over cells: cosines have a known one, and means of a finer image are the coarse one."""

import tracemalloc

import numpy as np
import pytest

from napari_cellinr.classic import cell_means as module
from napari_cellinr.classic.cell_means import overlap_means, spline_means

SIZE = 24


def cosine_means(edges, waves):
    """Return the mean of cos(π waves x / SIZE), which a mirror at 0 and SIZE continues."""
    k = np.pi * waves / SIZE
    return np.diff(np.sin(k * edges)) / (k * np.diff(edges))


@pytest.mark.parametrize(("waves", "tolerance"), [(1, 1e-6), (6, 2e-4), (12, 7e-3)])
@pytest.mark.parametrize("factor", [0.5, 1.5, 3])
def test_means_of_cosines(waves, tolerance, factor):
    edges = np.linspace(0, SIZE, round(SIZE * factor) + 1)
    data = cosine_means(np.arange(SIZE + 1.0), waves).astype(np.float32)
    expected = cosine_means(edges, waves)
    np.testing.assert_allclose(spline_means(data, edges), expected, atol=tolerance)


def test_means_of_the_result_are_the_input():
    data = np.random.default_rng(0).random((9, 4, 5)).astype(np.float32)
    fine = spline_means(data, np.linspace(0, 9, 37))
    np.testing.assert_allclose(fine.reshape(9, 4, 4, 5).mean(axis=1), data, atol=1e-5)


def test_overlaps_of_cells():
    found = overlap_means(np.eye(3, dtype=np.float32), np.array([-1.0, 0.5, 1.0, 2.5, 4.0]))
    expected = [[1, 0, 0], [1, 0, 0], [0, 2 / 3, 1 / 3], [0, 0, 1]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("edges", [np.linspace(0, 9, 21), np.linspace(-3.2, 10.1, 8)])
def test_splines_equal_the_product_with_their_weights(monkeypatch, edges):
    data = np.random.default_rng(0).random((9, 40)).astype(np.float32)
    by_matrix = spline_means(data, edges)
    monkeypatch.setattr(module, "LARGEST_MATRIX", 0)
    monkeypatch.setattr(module, "AT_ONCE", 50)  # a few columns at a time
    np.testing.assert_allclose(spline_means(data, edges), by_matrix, atol=1e-6)


@pytest.mark.parametrize("means", [overlap_means, spline_means])
def test_memory_grows_with_the_cells_not_with_their_square(means):
    data = np.ones((20_000, 2), np.float32)
    tracemalloc.start()
    try:
        found = means(data, np.linspace(0, 20_000, 30_001))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_allclose(found, 1, atol=1e-6)
    assert most < 20 * 8 * 2 * 30_000  # twenty arrays; the weights would take 2.4 GB
