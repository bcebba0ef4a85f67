"""Points of cells: even around the voxel, in any number of axes; means that are means."""

import pytest
import torch

from napari_cellinr.fields.grids.cell import (
    points_per_axis,
    resample,
    sample_cells,
    shell_weights,
    weighted_mean,
)

AXES = [2, 3]


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("n_axes", AXES)
@pytest.mark.parametrize("per_axis", [1, 2, 3])
def test_points_lie_evenly_around_the_centre(n_axes, per_axis, generator):
    offsets = sample_cells(5000, n_axes, per_axis, generator)
    assert offsets.shape == (5000, per_axis**n_axes, n_axes)
    assert offsets.abs().max() <= 1
    error = 5 * (1 / 3 / offsets.shape[0] / offsets.shape[1]) ** 0.5
    assert offsets.mean(dim=(0, 1)).abs().max() < error
    torch.testing.assert_close((offsets**2).mean(), torch.tensor(1 / 3), atol=0.02, rtol=0)


@pytest.mark.parametrize("n_axes", AXES)
def test_every_part_of_a_cell_has_one_point(n_axes, generator):
    offsets = sample_cells(50, n_axes, 3, generator)
    parts = torch.floor((offsets + 1) / 2 * 3).clamp(max=2).long()
    numbers = (parts * 3 ** torch.arange(n_axes)).sum(-1)
    assert all(len(set(row.tolist())) == 3**n_axes for row in numbers)


@pytest.mark.parametrize(("n_points", "n_axes", "side"), [(27, 3, 3), (8, 3, 2), (27, 2, 5)])
def test_the_number_of_points_becomes_a_lattice(n_points, n_axes, side):
    assert points_per_axis(n_points, n_axes) == side


@pytest.mark.parametrize("n_axes", AXES)
def test_weights_of_a_cell_sum_to_one(n_axes, generator):
    offsets = sample_cells(40, n_axes, 2, generator)
    density = 10 * torch.randn(offsets.shape[:2], generator=generator)
    weights = shell_weights(offsets, density)
    assert weights.min() >= 0
    torch.testing.assert_close(weights.sum(-1), torch.ones(40))


@pytest.mark.parametrize("n_axes", AXES)
def test_added_points_stay_in_the_cell_and_even(n_axes, generator):
    offsets = sample_cells(20_000, n_axes, 2, generator)
    more = resample(offsets, shell_weights(offsets, torch.zeros(offsets.shape[:2])), 8, generator)
    assert more.shape == (20_000, 8, n_axes)
    assert more.abs().max() <= 1
    assert more.mean(dim=(0, 1)).abs().max() < 0.01


def test_added_points_lie_where_the_weights_are(generator):
    offsets = sample_cells(500, 3, 3, generator)
    distance = offsets.abs().amax(-1)
    near = resample(offsets, (distance < 0.5).float(), 16, generator).abs().amax(-1)
    far = resample(offsets, (distance > 0.9).float(), 16, generator).abs().amax(-1)
    assert near.mean() < 0.5
    assert far.mean() > 0.8


def test_added_points_carry_no_gradient(generator):
    offsets = sample_cells(4, 3, 2, generator)
    density = torch.zeros(offsets.shape[:2], requires_grad=True)
    assert not resample(offsets, shell_weights(offsets, density), 8, generator).requires_grad


def test_a_constant_field_renders_as_that_constant(generator):
    values = torch.full((7, 54), 0.37)
    logits = 30 * torch.randn(7, 54, generator=generator)
    torch.testing.assert_close(weighted_mean(values, logits), torch.full((7,), 0.37))


def test_a_mean_lies_between_the_values(generator):
    values = torch.rand(100, 16, generator=generator)
    mean = weighted_mean(values, torch.randn(100, 16, generator=generator))
    assert (mean >= values.amin(-1)).all()
    assert (mean <= values.amax(-1)).all()


def test_equal_densities_weigh_points_by_the_area_of_their_shell():
    offsets = torch.tensor([[[0.5, 0.1, 0.0], [-1.0, 0.2, 0.3]]])
    weights = shell_weights(offsets, torch.zeros(1, 2))
    torch.testing.assert_close(weights, torch.tensor([[0.2, 0.8]]))  # 0.5² and 1²
