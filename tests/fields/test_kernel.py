"""The field of local kernels: known values, and least squares that find known weights."""

import torch

from napari_cellinr.fields.kernel import GridField, solve_kernels


def test_a_field_of_equal_nodes_is_constant_at_any_position():
    field = GridField((12, 10), ((4, 4), (8, 8)), channels=3)
    with torch.no_grad():
        field.grids[0].fill_(1.5)
        field.grids[1].fill_(0.25)
        values = field([torch.tensor([-3.0, 0.3, 11.9, 40.0]), torch.arange(10)])
    assert values.shape == (3, 4, 10)
    torch.testing.assert_close(values, torch.full((3, 4, 10), 1.75))


def test_a_field_starts_at_zero():
    field = GridField((6, 6, 6), ((3, 3, 3),), channels=2)
    assert not field([torch.arange(6)] * 3).any()


def test_known_weights_are_recovered():
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(3, 2, 2, generator=generator)
    features = torch.randn(3, 50, 2, 2, generator=generator)
    target = (weights[:, None] * features).sum(0)
    moments = torch.einsum("insyx,jnsyx->ijsyx", *([features[:, :, None]] * 2))[:, :, 0] / 50
    right = (features * target).mean(1)
    moments = moments.reshape(3, 3, 2, 2)
    torch.testing.assert_close(solve_kernels(moments, right, 1e-9), weights, rtol=1e-4, atol=1e-4)


def test_the_ridge_shrinks_towards_zero():
    moments = torch.eye(2)[:, :, None]
    right = torch.ones(2, 1)
    assert torch.allclose(solve_kernels(moments, right, 1.0), torch.full((2, 1), 0.5))


def test_scattered_points_agree_with_whole_lattices():
    generator = torch.Generator().manual_seed(2)
    field = GridField((13, 9, 6), ((4, 3, 6), (8, 8, 3)), channels=2)
    for grid in field.grids:
        grid.data.normal_(generator=generator)
    lattice = field([torch.arange(size) for size in (13, 9, 6)])
    points = torch.tensor([[0, 0, 0], [12, 8, 5], [3, 7, 2], [5, 1, 4]])
    expected = torch.stack([lattice[(slice(None), *point)] for point in points.tolist()], dim=1)
    torch.testing.assert_close(field.at_points(points), expected)
