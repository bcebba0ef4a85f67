"""Images that were stored twice are found where there is noise, and nothing else is."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.classic.frames.bad_frames import bad_frames
from napari_cellinr.classic.frames.repeats import repeats, without_repeats


def clean(shape=(8, 32, 32)):
    spots = (np.random.default_rng(0).random(shape) < 0.01).astype(float)
    spots = gaussian_filter(spots, 1.5)
    return 200 * spots / spots.max()


@pytest.mark.parametrize(("photons", "dtype"), [(0.002, np.uint8), (1.0, np.uint16), (50.0, float)])
def test_copies_are_found_at_any_light(photons, dtype):
    """Also where most pixels of a photon-counting image are 0."""
    volume = np.random.default_rng(1).poisson(photons * (clean() + 20)).astype(dtype)
    assert repeats(volume) == []
    volume[3], volume[6], volume[7] = volume[2], volume[5], volume[5]
    assert repeats(volume) == [3, 6, 7]


def test_what_has_no_noise_may_not_have_changed():
    assert repeats(clean()[[0, 1, 1, 2, 3, 4, 4]]) == []
    masks = (clean() > 50).astype(np.uint8)
    assert repeats(masks[[0, 1, 1, 2, 3, 4, 4]]) == []
    assert bad_frames(clean()[[0, 1, 1, 2, 3, 4]]) == {}


def test_planes_without_data_and_dark_borders_are_no_copies():
    volume = np.random.default_rng(1).poisson(clean() + 20).astype(np.uint16)
    volume[:2], volume[:, :8], volume[:, :, 28:] = 0, 0, 0
    assert repeats(volume) == []
    volume[5] = volume[4]
    assert repeats(volume) == [5]


def test_what_takes_their_place_lies_between_and_has_noise_of_its_own():
    volume = np.full((6, 64, 64), 100.0, np.float32) * np.arange(1, 7)[:, None, None]
    noise = Noise(0.0, 5.0)
    found = without_repeats(volume, [2, 3, 5], noise, np.random.default_rng(0))
    assert np.array_equal(found[[0, 1, 4]], volume[[0, 1, 4]])
    assert found.mean((1, 2))[[2, 3, 5]] == pytest.approx([300, 400, 500], abs=1)
    assert found.std((1, 2))[[2, 3, 5]] == pytest.approx([5, 5, 5], abs=0.5)
