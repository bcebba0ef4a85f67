"""The whole space-time model against its definition, evaluated point by point in loops.

The published method asks both networks for every place and time. This does the same with plain
NumPy: corners of every grid, networks, displacement, then the scene at the displaced place.
"""

import itertools
import math

import numpy as np
import pytest
import torch

from napari_cellinr.fields.pyramid import window
from napari_cellinr.methods.nstm.model import SpaceTimeModel, SpaceTimeShape


def shape_of(scene, finer=1):
    low = tuple(-4.0 for _ in scene)
    high = tuple(n + 3.0 for n in scene)
    n_axes = len(scene)
    return SpaceTimeShape(
        scene=scene,
        low=low,
        high=high,
        canonical=tuple(finer * (n + 7) + 1 for n in scene),
        scene_cells=((2,) * n_axes, (4,) * n_axes, (7,) * n_axes),
        motion_cells=((1,) * (n_axes + 1), (2, *(2,) * n_axes), (3, *(3,) * n_axes)),
        motion_lattice=scene,
        displacement=tuple(3.0 for _ in scene),
        channels=2,
    )


def lively(shape):
    """Return a field whose grids are far from flat, so that every part of it matters."""
    field = SpaceTimeModel(shape, width=8, motion_width=8, seed=3)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for grid in [*field.scene_grids.grids, *field.motion_grids.grids]:
            grid.copy_(torch.randn(grid.shape, generator=generator))
    return field


def features(pyramid, place, weights):
    """Return the encoding of one place, 0 to 1 along each axis: corners and their weights."""
    found = []
    for grid, cells, weight in zip(pyramid.grids, pyramid.cells, weights, strict=True):
        values = grid.detach().double().numpy()
        inside = [min(max(p, 0.0), 1.0) * n for p, n in zip(place, cells, strict=True)]
        low = [min(math.floor(p), n - 1) for p, n in zip(inside, cells, strict=True)]
        total = np.zeros(len(values))
        for corner in itertools.product((0, 1), repeat=len(cells)):
            share = math.prod(
                (p - i) if c else 1 - (p - i) for p, i, c in zip(inside, low, corner, strict=True)
            )
            index = tuple(i + c for i, c in zip(low, corner, strict=True))
            total += share * values[(slice(None), *index)]
        found.append(weight * total)
    return np.concatenate(found)


def network(net, values):
    last = len(net.weights) - 1
    for layer, (weight, bias) in enumerate(zip(net.weights, net.biases, strict=True)):
        values = weight.detach().double().numpy() @ values + bias.detach().double().numpy()[:, 0]
        if layer < last:
            values = values / (1 + np.exp(-values))
    return values


def by_points(field, time, place, alpha):
    """Return scene (channels,) and displacement (axes,) at one place in voxels and one time."""
    shape = field.shape
    levels = window(alpha, len(shape.scene_cells))
    relative = [p / (n - 1) for p, n in zip(place, shape.scene, strict=True)]
    moved = network(field.motion_net, features(field.motion_grids, [time, *relative], levels))
    moved = moved * np.array(shape.displacement)
    canonical = [
        (p + d - low) / (high - low)
        for p, d, low, high in zip(place, moved, shape.low, shape.high, strict=True)
    ]
    return network(field.scene_net, features(field.scene_grids, canonical, levels)), moved


@pytest.mark.parametrize("alpha", [0.5, 1e5])
@pytest.mark.parametrize("scene", [(9, 12), (5, 7, 8)])
def test_the_engine_is_the_model(scene, alpha):
    """Motion is exact; the scene is but for one resampling, which vanishes on finer lattices."""
    times = torch.tensor([0.0, 0.37, 1.0])
    errors = []
    for finer in (1, 4):
        field = lively(shape_of(scene, finer))
        with torch.no_grad():
            motion = field.motion(times.view(-1, *[1] * len(scene)), alpha)
            found = field.scene(field.canonical(alpha), motion)
        places = list(itertools.product(*(range(0, n, 2) for n in scene)))
        wanted, moved = [], []
        for time in times:
            both = [by_points(field, float(time), place, alpha) for place in places]
            wanted.append([one for one, _ in both])
            moved.append([one for _, one in both])
        chosen = (slice(None), slice(None), *np.array(places).T)
        np.testing.assert_allclose(motion[chosen].movedim(1, 2), moved, atol=2e-4)
        error = found[chosen].movedim(1, 2).numpy() - np.array(wanted)
        errors.append(float(np.sqrt((error**2).mean()) / np.std(wanted)))
    assert errors[0] < 0.2, errors  # cells of two voxels, the least that settings allow
    assert errors[1] < min(0.02, 0.4 * errors[0]), errors


def test_motion_on_a_coarse_lattice_is_that_between_its_points():
    """The lattice of the motion holds every vertex of its grids, or is finer than their cells."""
    field = lively(shape_of((13, 13)))
    times = torch.tensor([0.5]).view(1, 1, 1)
    with torch.no_grad():
        fine = field.motion(times, 1e5, (13, 13))
        coarse = field.motion(times, 1e5, (7, 7))
        back = torch.nn.functional.interpolate(
            coarse, size=(13, 13), mode="bilinear", align_corners=True
        )
    assert float((back - fine).abs().mean()) < 0.1 * float(fine.std())
