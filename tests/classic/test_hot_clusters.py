"""Clusters of hot pixels are found where all planes have them; beads and fibres are not."""

import numpy as np
import pytest

from napari_cellinr.classic.camera.hot_clusters import hot_clusters

SHAPES = {"2 × 2": (2, 2), "3 × 2": (3, 2), "3 × 3": (3, 3), "1 × 2": (1, 2)}


def light(n_planes=12, size=48, width=1.2, depth=2.0, seed=0):
    """Return beads at random places, blurred by the microscope, but for one place."""
    random = np.random.default_rng(seed)
    places = random.uniform((0, 4, 4), (n_planes, size - 4, size - 4), (20, 3))
    places = places[np.hypot(places[:, 1] - 21, places[:, 2] - 31) > 9]
    z, y, x = np.indices((n_planes, size, size)).astype(float)
    return 20 + sum(
        400 * np.exp(-((z - a) ** 2 / depth**2 + ((y - b) ** 2 + (x - c) ** 2) / width**2) / 2)
        for a, b, c in places
    )


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("level", [2000, 60000])
def test_a_cluster_is_found_whole(kind, level):
    for seed in range(4):
        random = np.random.default_rng(seed)
        planes = random.poisson(light(seed=seed)).astype(np.float32)
        assert hot_clusters(planes) is None
        expected = np.zeros((48, 48), bool)
        expected[20 : 20 + SHAPES[kind][0], 30 : 30 + SHAPES[kind][1]] = True
        levels = level * random.uniform(0.5, 1, int(expected.sum()))
        planes[:, expected] += random.poisson(levels, (12, expected.sum()))
        found = hot_clusters(planes)
        assert found is not None
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("width", [0.6, 0.8, 1.2, 2.0])
@pytest.mark.parametrize("depth", [1.0, 3.0, 1e6])
@pytest.mark.parametrize("brightness", [0.1, 1.0, 100.0])
def test_beads_and_fibres_along_z_stay(width, depth, brightness):
    for seed in range(2):
        planes = np.random.default_rng(seed).poisson(brightness * light(width=width, depth=depth))
        assert hot_clusters(planes.astype(np.float32)) is None


@pytest.mark.parametrize("shift", [0, 0.5])
def test_a_small_bead_that_stays_in_focus_is_none(shift):
    y, x = np.indices((32, 32))
    bead = 20 + 2000 * np.exp(-((y - 16 - shift) ** 2 + (x - 12 - shift) ** 2) / 2 / 0.6**2)
    frames = np.random.default_rng(0).poisson(bead, (20, 32, 32)).astype(np.float32)
    assert hot_clusters(frames) is None


def test_what_few_planes_have_is_none():
    planes = np.random.default_rng(0).poisson(20.0, (12, 48, 48)).astype(np.float32)
    planes[3:7, 20:22, 20:22] += 500
    assert hot_clusters(planes) is None
    assert hot_clusters(planes[3:7]) is None


def test_what_a_lost_column_cuts_out_of_a_specimen_is_none():
    frames = np.random.default_rng(0).poisson(np.repeat(light()[:1], 8, 0)).astype(np.float32)
    frames[:, :, 20] = 0
    assert hot_clusters(frames) is None


@pytest.mark.parametrize("peak", [0.8, 1.0, 1.5, 2.5])
@pytest.mark.parametrize("width", [1.2, 1.6, 2.0])
def test_dim_beads_of_which_single_photons_are_counted_stay(peak, width):
    y, x = np.indices((64, 64))
    for seed in range(3):
        random = np.random.default_rng(seed)
        beads = sum(
            peak * np.exp(-((y - a) ** 2 + (x - b) ** 2) / 2 / width**2)
            for a, b in random.uniform(8, 56, (5, 2))
        )
        frames = random.poisson(beads + 0.02, (40, 64, 64)).astype(np.float32)
        assert hot_clusters(frames) is None
