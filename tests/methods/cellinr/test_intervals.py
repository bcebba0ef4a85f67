"""Intervals of 90 % around a denoised image cover the truth of about nine in ten pixels."""

import numpy as np
import pytest

from napari_cellinr import denoise


@pytest.mark.parametrize("photons", [5, 30])
def test_intervals_cover_the_truth_in_each_third_of_brightness(photons):
    generator = np.random.default_rng(4)
    rows, columns = np.indices((96, 96))
    places = generator.uniform(0, 96, (80, 2))
    truth = 0.1 + sum(np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 4) for y, x in places)
    truth *= photons / truth.max()
    raw = 2 * generator.poisson(truth) + 100 + generator.standard_normal(truth.shape)
    fit = denoise(raw.astype(np.float32), background="keep")
    result, error = (fit.image(role).array() for role in ("result", "error"))
    inside = np.abs(result - (2 * truth + 100)) <= 1.645 * error
    third = np.digitize(result, np.quantile(result, (1 / 3, 2 / 3)))
    covered = [inside[third == number].mean() for number in range(3)]
    assert min(covered) > 0.85
    assert max(covered) < 0.98
