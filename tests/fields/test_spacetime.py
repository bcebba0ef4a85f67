"""The space-time field: grids, windows, warps and trajectories against closed forms."""

import itertools
import math

import pytest
import torch

from napari_cellinr.fields.material import at_points, follow
from napari_cellinr.fields.pyramid import GridPyramid, Lattice, level_cells, window
from napari_cellinr.fields.warp import bending, folding, warp


@pytest.mark.parametrize(
    ("alpha", "weights"),
    [
        (0, (0, 0, 0, 0)),
        (1 / 8, (0.5, 0, 0, 0)),
        (0.5, (1, 1, 0, 0)),
        (1, (1, 1, 1, 1)),
        (1e5, (1, 1, 1, 1)),
    ],
)
def test_levels_begin_one_after_the_other(alpha, weights):
    assert window(alpha, 4) == pytest.approx(weights)


def test_cells_grow_by_one_factor():
    assert level_cells([2.0], [16.0], 4) == ((2,), (4,), (8,), (16,))


def test_times_outside_of_the_recording_are_its_ends():
    generator = torch.Generator().manual_seed(0)
    pyramid = GridPyramid([(3, 1, 1)], 1, generator)
    axes = [torch.zeros(1), torch.zeros(1)]
    times = torch.tensor([-1.0, 0.0, 0.5, 0.9, 1.0, 2.0]).view(6, 1, 1)
    found = pyramid.on_lattice(Lattice(pyramid.cells, axes, times), (1.0,)).flatten()
    first, second, third, fourth = pyramid.grids[0][0, :, 0, 0]
    middle, late = (second + third) / 2, 0.3 * third + 0.7 * fourth
    torch.testing.assert_close(found, torch.stack([first, first, middle, late, fourth, fourth]))


def test_each_row_has_times_of_its_own():
    generator = torch.Generator().manual_seed(0)
    pyramid = GridPyramid([(3, 2, 1), (5, 4, 2)], 2, generator)
    axes = [torch.linspace(0, 1, 4), torch.linspace(0, 1, 3)]
    times = torch.rand(2, 4, 1, generator=generator)
    found = pyramid.on_lattice(Lattice(pyramid.cells, axes, times), (1.0, 0.5))
    for shot, row in itertools.product(range(2), range(4)):
        same = pyramid.on_lattice(
            Lattice(pyramid.cells, axes, times[shot, row].view(1, 1, 1)), (1.0, 0.5)
        )
        torch.testing.assert_close(found[:, shot, row], same[:, 0, row])


def test_the_encoding_equals_a_loop_over_corners():
    generator = torch.Generator().manual_seed(0)
    pyramid = GridPyramid([(2, 3, 1), (3, 5, 4)], 2, generator)
    axes = [torch.linspace(0, 1, 7), torch.linspace(0, 1, 6)]
    times = torch.tensor([0.0, 0.35, 1.0]).view(3, 1, 1)
    found = pyramid.on_lattice(Lattice(pyramid.cells, axes, times), (1.0, 0.5))
    for t, y, x in itertools.product(range(3), range(7), range(6)):
        place = (float(times[t]), float(axes[0][y]), float(axes[1][x]))
        for level, weight in enumerate((1.0, 0.5)):
            expected = weight * _by_hand(pyramid.grids[level], pyramid.cells[level], place)
            torch.testing.assert_close(found[2 * level : 2 * level + 2, t, y, x], expected)


def _by_hand(grid, cells, place):
    low = [min(math.floor(p * n), n - 1) for p, n in zip(place, cells, strict=True)]
    part = [p * n - i for p, n, i in zip(place, cells, low, strict=True)]
    total = torch.zeros(len(grid))
    for corner in itertools.product((0, 1), repeat=3):
        weight = math.prod(f if c else 1 - f for f, c in zip(part, corner, strict=True))
        index = tuple(i + c for i, c in zip(low, corner, strict=True))
        total = total + weight * grid[(slice(None), *index)].detach()
    return total


def test_places_may_have_times_of_their_own():
    generator = torch.Generator().manual_seed(0)
    pyramid = GridPyramid([(3, 2, 2)], 2, generator)
    axes = [torch.linspace(0, 1, 5), torch.linspace(0, 1, 4)]
    rows = torch.linspace(0, 1, 5)
    scanned = pyramid.on_lattice(Lattice(pyramid.cells, axes, rows.view(1, 5, 1)), (1.0,))
    for row, time in enumerate(rows):
        instant = pyramid.on_lattice(Lattice(pyramid.cells, axes, time.view(1, 1, 1)), (1.0,))
        torch.testing.assert_close(scanned[:, 0, row], instant[:, 0, row])


@pytest.mark.parametrize("shape", [(9, 12), (5, 9, 12)])
def test_a_scene_moved_by_whole_voxels(shape):
    canonical = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0))
    places = [torch.arange(n).float() for n in shape]
    displacement = torch.zeros(1, len(shape), *shape)
    displacement[:, -1] = 2
    moved = warp(canonical, displacement, places, [0] * len(shape), [n - 1 for n in shape])
    torch.testing.assert_close(moved[0, ..., :-2], canonical[..., 2:])
    torch.testing.assert_close(
        moved[0, ..., -2:], canonical[..., -1:].expand(*moved.shape[1:-1], 2)
    )


def test_affine_motion_neither_bends_nor_folds():
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")
    affine = torch.stack([0.1 * y - 0.3 * x + 2, 0.2 * y + 0.1 * x])[None]
    assert float(bending(affine, (1, 1), 0.1)) == pytest.approx(0, abs=1e-10)
    determinant = 1.1 * 1.1 - (-0.3) * 0.2
    torch.testing.assert_close(folding(affine, (1, 1)), torch.full((1, 4, 5), determinant))
    assert float(bending(torch.stack([y**2, x])[None], (1, 1), 0.1)) > 0.1


def test_bending_is_the_norm_of_second_derivatives_above_its_knee():
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")
    curved = torch.stack([1.5 * y**2, 2 * x**2])[None]  # second derivatives 3 and 4
    assert float(bending(curved, (1, 1), 1e-4)) == pytest.approx(5, abs=1e-3)
    assert float(bending(curved, (1, 1), 100.0)) == pytest.approx(5**2 / 200, rel=1e-2)


def test_material_is_followed_whatever_the_canonical_scene():
    """p + a(p) = q + b(q): a rotation as seen from a canonical scene that is itself sheared."""
    shape = (33, 33)
    grid = torch.stack(torch.meshgrid(*[torch.arange(33.0)] * 2, indexing="ij"))
    sheared = grid - 16
    sheared = torch.stack([sheared[0], sheared[1] + 0.2 * sheared[0]]) + 16
    angle = math.radians(10)
    turn = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    back = torch.einsum("ij,jyx->iyx", turn.T, grid - 16) + 16  # q -> p
    later = torch.stack([back[0] - 16, back[1] - 16 + 0.2 * (back[0] - 16)]) + 16 - grid
    points = torch.tensor([[16.0, 20.0, 10.0], [16.0, 12.0, 22.0]])
    found = follow(sheared - grid, later, points, shape)
    torch.testing.assert_close(found, turn @ (points - 16) + 16, atol=2e-2, rtol=0)


def test_fields_are_read_between_their_points():
    field = torch.arange(6.0).view(1, 2, 3)
    found = at_points(field, torch.tensor([[0.0, 4.0], [0.0, 2.0]]), (9, 5))
    torch.testing.assert_close(found, torch.tensor([[0.0, 2.5]]))


def test_levels_come_in_by_a_raised_cosine():
    assert window(0.125, 2) == pytest.approx((0.5 * (1 - math.cos(math.pi / 4)), 0))


def test_mixed_derivatives_bend_twice():
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    twisted = torch.stack([0.1 * y * x, torch.zeros_like(x)])[None]
    expected = 0.1 / (2 * 0.5) * math.sqrt(2)  # xy and yx, per square of the steps
    assert float(bending(twisted, (2.0, 0.5), 1e-4)) == pytest.approx(expected, rel=2e-3)
