"""Linear interpolation along an axis: the same by looking up two nodes as by a matrix."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from napari_cellinr.fields.grids import hats
from napari_cellinr.fields.grids.hats import LARGEST_MATRIX, Hats
from napari_cellinr.fields.kernel import GridField
from napari_cellinr.fields.pyramid import GridPyramid, Lattice


class Largest(TorchDispatchMode):
    """Notes the number of elements of the largest tensor that is made."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.elements = max(self.elements, made.numel())
        return made


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("nodes", [1, 2, 9])
def test_two_nodes_give_the_values_and_gradients_of_the_matrix(monkeypatch, axis, nodes):
    generator = torch.Generator().manual_seed(0)
    shape = [3, 4, 5]
    shape[axis] = nodes
    values = torch.randn(shape, generator=generator, requires_grad=True)
    places = torch.rand(11, generator=generator) * (nodes - 1)
    found = []
    for limit in (LARGEST_MATRIX, 0):
        monkeypatch.setattr(hats, "LARGEST_MATRIX", limit)
        result = Hats(places, nodes).along(values, axis)
        (gradient,) = torch.autograd.grad(result.square().sum(), values)
        found.append((result, gradient))
    for by_matrix, by_nodes in zip(*found, strict=True):
        torch.testing.assert_close(by_nodes, by_matrix, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 100_000), (100_000, 2)])
def test_no_tensor_of_a_field_grows_faster_than_its_voxels(shape):
    field = GridField(shape, [(2, 2), (16, 16)], 2)
    with Largest() as largest, torch.no_grad():
        field([torch.arange(size) for size in shape])
    assert largest.elements <= max(LARGEST_MATRIX, 8 * 200_000)


def test_no_tensor_of_a_pyramid_grows_faster_than_its_positions():
    generator = torch.Generator().manual_seed(0)
    pyramid = GridPyramid([(1, 1, 50_000)], 2, generator)
    axes = [torch.linspace(0, 1, 2), torch.linspace(0, 1, 100_000)]
    with Largest() as largest, torch.no_grad():
        pyramid.on_lattice(Lattice(pyramid.cells, axes, torch.zeros(2, 1, 1)), (1.0,))
    assert largest.elements <= max(LARGEST_MATRIX, 8 * 200_000)


def test_rows_recorded_one_after_the_other_take_no_more_memory_for_more_moments():
    generator = torch.Generator().manual_seed(0)
    pyramid = GridPyramid([(200, 1, 1)], 1, generator)
    axes = [torch.linspace(0, 1, 10_000), torch.linspace(0, 1, 2)]
    with Largest() as largest, torch.no_grad():
        pyramid.on_lattice(
            Lattice(pyramid.cells, axes, torch.linspace(0, 1, 20_000).view(2, -1, 1)), (1.0,)
        )
    assert largest.elements <= 201 * 10_000 * 2  # the vertices at each position, not times shots
