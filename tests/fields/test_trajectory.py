"""Trajectories are polynomials of time, can be followed back, and images are read along them."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates, spline_filter

from napari_cellinr.fields.trajectory import (
    at_time,
    control_size,
    displacement,
    linear,
    mirrored,
    node_weights,
    on_lattice,
    positions,
    spline_values,
    values_at,
)


def test_control_points_are_no_further_apart_than_asked():
    assert control_size((9, 10, 1, 2), 4) == (3, 4, 1, 2)


def test_positions_are_voxels_in_order():
    assert positions((2, 3)).tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]


def test_displacement_is_a_polynomial_of_time():
    control = torch.zeros(2, 2, 3, 3)
    control[0, 0], control[1, 1] = 1.0, 0.5  # along y linear, along x quadratic
    moved = displacement(
        control, torch.tensor([[1.0, 2.0]]), torch.tensor([0.0, 2.0, -3.0]), (5, 5)
    )
    assert moved[:, 0].tolist() == [[0, 0], [2, 2], [-3, 4.5]]


def test_control_points_span_the_frame():
    control = torch.zeros(1, 2, 2, 2)
    control[0, 0, 1] = 4.0  # from 0 at the first to 4 at the last row
    moved = displacement(control, positions((5, 3)), torch.ones(1), (5, 3))[0]
    torch.testing.assert_close(moved[:, 0], torch.arange(5.0).repeat_interleave(3))


def test_trajectories_are_followed_back():
    control = torch.zeros(1, 2, 2, 2)
    control[0, 1, :, 1] = 2.0  # 0.1 of the place along x, per frame
    places = torch.tensor([[3.0, 11.0], [5.0, 16.5]])
    found = at_time(control, places, 1.0, (21, 21))
    torch.testing.assert_close(found, torch.tensor([[3.0, 10.0], [5.0, 15.0]]), atol=2e-3, rtol=0)


def scaled(places, shape):
    """Places in voxels as `values_at` takes them: -1 to 1, the last axis first."""
    last = torch.tensor([max(n - 1, 1) for n in shape])
    return (2 * places / last - 1).flip(-1).T


@pytest.mark.parametrize("shape", [(7, 9), (5, 6, 8), (1, 6, 8)])
def test_images_between_voxels_are_those_of_scipy(shape):
    generator = np.random.default_rng(0)
    image = generator.random(shape).astype(np.float32)
    places = generator.uniform(0, 1, (40, len(shape))) * (np.array(shape) - 1)
    at = torch.tensor(places, dtype=torch.float32)
    found = values_at(torch.tensor(image)[None], scaled(at, shape)[None])[0]
    np.testing.assert_allclose(found, map_coordinates(image, places.T, order=1), atol=1e-5)
    if min(shape) > 1:
        coefficients = torch.tensor(spline_filter(image, 3, np.float32, mode="mirror"))
        cubic = map_coordinates(image, places.T, order=3, mode="mirror")
        np.testing.assert_allclose(spline_values(mirrored(coefficients), at), cubic, atol=1e-5)


def test_outside_is_as_on_the_border():
    image = torch.arange(12.0).reshape(3, 4)
    outside = torch.tensor([[-2.0, -1.0], [5.0, 9.0], [1.0, 7.0]])
    assert values_at(image[None], scaled(outside, (3, 4))[None])[0].tolist() == [0, 11, 7]


@pytest.mark.parametrize(("shape", "nodes"), [((9, 12), (3, 5)), ((1, 9, 12), (1, 2, 12))])
def test_values_on_a_lattice_are_those_at_its_places(shape, nodes):
    generator = np.random.default_rng(0)
    values = torch.tensor(generator.random((4, *nodes)), dtype=torch.float32)
    axes = [np.sort(generator.uniform(-1, n, 6)) for n in shape]  # some lie outside
    weights = [node_weights(*given) for given in zip(axes, shape, nodes, strict=True)]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(shape))
    expected = linear(values[None], torch.tensor(places, dtype=torch.float32), shape)[0]
    torch.testing.assert_close(on_lattice(values, weights), expected)
