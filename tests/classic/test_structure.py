"""Sheets, filaments and blobs are found, told apart, and not seen in noise."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic import structure as module
from napari_cellinr.classic.camera.noise import Noise, stabilise
from napari_cellinr.classic.estimate import nlm
from napari_cellinr.classic.structure import find_kind, hessian_eigenvalues, structure
from napari_cellinr.errors import ConfigError
from napari_cellinr.simulate.embryo import VOXEL_SIZE, embryo

SHAPE = (30, 40, 44)


def shape_of(kind, shape=SHAPE):
    """A sheet across the first axis, a line along the last one, or a ball, blurred, 0 to 10."""
    drawn = np.zeros(shape)
    if kind == "sheet":
        drawn[15] = 1
    elif kind == "filament":
        drawn[15, 20] = 1
    else:
        distance = np.linalg.norm(np.indices(shape).T - np.array((15, 20, 22)), axis=-1).T
        drawn[distance < 4] = 1
    blurred = gaussian_filter(drawn, 1)
    return (10 * blurred / blurred.max()).astype(np.float32)


def test_eigenvalues_of_a_parabola():
    z, y, x = np.indices((25, 25, 25)) - 12.0
    values = -3 * z**2 + y**2 - 0.5 * x**2 + 2 * y * x
    expected = np.linalg.eigvalsh([[-6, 0, 0], [0, 2, 2], [0, 2, -1]])
    assert np.allclose(hessian_eigenvalues(values, (1, 1, 1), 1.0)[12, 12, 12], expected, atol=0.02)
    wide = hessian_eigenvalues(values, (2, 1, 1), 1.0)[12, 12, 12]
    expected = np.linalg.eigvalsh([[-1.5, 0, 0], [0, 2, 2], [0, 2, -1]])
    assert np.allclose(wide, expected, atol=0.02)
    plane = hessian_eigenvalues(values[12], (1, 1), 1.0)[12, 12]
    assert np.allclose(plane, np.linalg.eigvalsh([[2, 2], [2, -1]]), atol=0.02)


def test_closed_form_equals_lapack_and_slabs_change_nothing(monkeypatch):
    values = np.random.default_rng(0).standard_normal((20, 16, 18)).astype(np.float32)
    whole = hessian_eigenvalues(values, (2, 1, 1), 1.2)
    parts = module._derivatives(values, (0.8, 1.2, 1.2), (2.0, 1.0, 1.0))
    matrices = np.empty((*values.shape, 3, 3))
    for (i, j), part in parts.items():
        matrices[..., i, j] = matrices[..., j, i] = part
    assert np.allclose(whole, np.linalg.eigvalsh(matrices), atol=1e-5)
    monkeypatch.setattr(module, "_SLAB", values.size // 6)
    assert np.allclose(whole, hessian_eigenvalues(values, (2, 1, 1), 1.2), atol=1e-6)
    assert not hessian_eigenvalues(np.zeros((5, 5, 5)), (1, 1, 1), 1).any()


@pytest.mark.parametrize("kind", ["sheet", "filament", "blob"])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_structure_is_found_and_nothing_else(kind, sign):
    drawn = shape_of(kind)
    found = structure(sign * drawn, kind=kind, sign=sign, noise_sd=0.05)
    assert found.shape == drawn.shape
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    assert found[drawn > 7].min() > 0.9
    assert found[drawn < 0.01].mean() < 0.05
    opposite = structure(sign * drawn, kind=kind, sign=-sign, noise_sd=0.05)
    assert opposite[drawn > 7].max() < 0.5


@pytest.mark.parametrize("kind", ["sheet", "filament", "blob"])
def test_kinds_are_told_apart(kind):
    noise = np.random.default_rng(0).standard_normal(SHAPE)
    assert find_kind(3 * shape_of(kind) + noise) == kind
    assert find_kind(-3 * shape_of(kind) + noise, sign=-1) == kind


@pytest.mark.parametrize(("kind", "expected"), [("membranes", "sheet"), ("nuclei", "blob")])
@pytest.mark.parametrize("size", [(48, 96, 96), (200, 200)])
def test_embryos(kind, expected, size):
    sample = embryo(kind, size)
    values = stabilise(sample.raw.data, Noise(2, 8))
    scale = VOXEL_SIZE[-len(size) :]
    assert find_kind(values, scale) == expected
    found = structure(nlm(values, distance=2), scale, noise_sd=0.3) > 0.5
    stained = sample.truth.data > 20
    assert (found & stained).sum() > 0.65 * stained.sum()
    assert (found & stained).sum() > 0.7 * found.sum()


@pytest.mark.parametrize("kind", ["sheet", "filament", "blob"])
def test_structures_have_the_same_size_in_space_whatever_the_voxels(kind):
    """Every second plane, twice as far apart, shows the same structure."""
    drawn = shape_of(kind)
    fine = structure(drawn, kind=kind, noise_sd=0.05)[1::2]
    coarse = structure(drawn[1::2], (2.0, 1.0, 1.0), kind=kind, noise_sd=0.05)
    assert np.corrcoef(fine.ravel(), coarse.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("shape", [(24, 40, 40), (120, 120)])
@pytest.mark.parametrize("kind", ["sheet", "filament", "blob"])
def test_noise_is_no_structure(shape, kind):
    noise = np.random.default_rng(5).standard_normal(shape)
    assert (structure(noise, kind=kind) > 0.5).mean() < 0.1
    blurred = gaussian_filter(noise, 0.8)
    blurred /= blurred.std()
    assert (structure(blurred, kind=kind, grain=0.8) > 0.5).mean() < 0.1
    assert structure(np.full(shape, 3.0), kind=kind).max() < 0.5


@pytest.mark.parametrize("shape", [(1, 12, 12), (2, 3, 9), (1, 1)])
def test_thin_arrays(shape):
    values = np.random.default_rng(0).standard_normal(shape)
    assert np.isfinite(structure(values)).all()


@pytest.mark.parametrize(
    "settings",
    [{"kind": "cube"}, {"sign": 0}, {"smoothing": 0}, {"noise_sd": -1}, {"scale": (1, 1)}],
)
def test_refusals(settings):
    with pytest.raises(ConfigError):
        structure(np.zeros((5, 5, 5)), **settings)


def test_mixed_derivatives_follow_the_voxel_size_of_both_axes():
    z, _, x = (place - place.mean() for place in np.indices((21, 9, 31)))
    centre = hessian_eigenvalues(z * x, (2.0, 1.0, 0.5), 1.0)[10, 4, 15]
    assert centre == pytest.approx([-1, 0, 1], abs=0.02)
    centre = hessian_eigenvalues((z * x)[:, 4], (3.0, 0.5), 1.0)[10, 15]
    assert centre == pytest.approx([-1 / 1.5, 1 / 1.5], abs=0.02)
