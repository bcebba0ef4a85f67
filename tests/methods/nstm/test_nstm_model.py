"""The space-time model: known answers, and the same values in fit, file and rendering."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_cellinr import FileError, Image, reconstruct
from napari_cellinr.api import render
from napari_cellinr.fitting.saved.query import Query
from napari_cellinr.fitting.saved.stored import header_of, stored, stored_of
from napari_cellinr.methods.nstm.geometry import geometry_nstm
from napari_cellinr.methods.nstm.model import SpaceTimeModel, SpaceTimeShape

SHAPE = SpaceTimeShape(
    scene=(16, 16), low=(-4.0, -4.0), high=(19.0, 19.0), canonical=(24, 24),
    scene_cells=((2, 2), (8, 8)), motion_cells=((3, 1, 1), (3, 2, 2)),
    motion_lattice=(5, 5), displacement=(4.0, 4.0),
)  # fmt: skip

TIMES = torch.linspace(0, 1, 4).view(4, 1, 1)


def test_the_model_starts_flat_and_static():
    model = SpaceTimeModel(SHAPE)
    with torch.no_grad():
        assert float(model.motion(TIMES, 1e5).abs().max()) < 0.01
        scene = model(TIMES)
    assert scene.shape == (4, 1, 16, 16)
    assert float(scene.std()) < 1e-3


def lively():
    """Return a model whose scene and motion are far from flat."""
    model = SpaceTimeModel(SHAPE, seed=3)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for grid in [*model.scene_grids.grids, *model.motion_grids.grids]:
            grid.copy_(torch.randn(grid.shape, generator=generator))
    return model


def test_without_motion_every_time_shows_the_middle_of_the_canonical_scene():
    """The grid of the canonical scene has one point per voxel, 4 of them before the scene."""
    model = lively()
    with torch.no_grad():
        model.motion_net.weights[-1].zero_()
        scene, canonical = model(TIMES), model.canonical(1e5)
    expected = canonical[:, 4:20, 4:20].expand(4, 1, 16, 16)
    torch.testing.assert_close(scene, expected, atol=1e-4, rtol=1e-4)


def test_a_constant_displacement_moves_the_canonical_scene_by_whole_voxels():
    model = lively()
    with torch.no_grad():
        model.motion_net.weights[-1].zero_()
        model.motion_net.biases[-1].copy_(torch.tensor([[0.5], [-0.25]]))  # times 4 voxels
        scene, canonical = model(TIMES), model.canonical(1e5)
    expected = canonical[:, 6:22, 3:19].expand(4, 1, 16, 16)
    torch.testing.assert_close(scene, expected, atol=1e-4, rtol=1e-4)


def test_one_call_is_what_fits_compute_in_steps():
    model = lively()
    with torch.no_grad():
        scene = model.scene(model.canonical(0.7), model.motion(TIMES, 0.7))
        torch.testing.assert_close(model(TIMES, 0.7), scene)
        torch.testing.assert_close(model(TIMES, 0.7, model.canonical(0.7)), scene)


@pytest.fixture(scope="module")
def fitted():
    random = np.random.default_rng(0)
    scene = np.clip(gaussian_filter(random.standard_normal((24, 24)), 2) * 8, 0, None)
    frames = np.stack([np.roll(scene, step, 1) for step in range(4)])
    data = frames + 0.05 * random.standard_normal(frames.shape)
    units = ("second", "micrometer", "micrometer")
    image = Image(data.astype(np.float32), "TYX", (2.0, 0.5, 0.5), units, name="cells")
    return reconstruct(image, steps=10, restart=False)


def saved(fitted, **changes):
    """Return a fit as it comes from a file, with another header."""
    header = json.loads(json.dumps(header_of(fitted) | changes))
    return stored(header, {name: tensor.numpy() for name, tensor in fitted.state.items()})


def test_settings_and_saved_tensors_render_the_images_of_the_fit(fitted):
    """To the bit, and without the report, which is output only."""
    kept = saved(fitted, report={})
    for again, before in zip(render(kept), fitted.images, strict=True):
        np.testing.assert_array_equal(again.array(), before.array())
        assert again.translate == before.translate
    assert "field" not in fitted.report


def test_a_file_of_version_0_1_renders_the_same(fitted):
    """It has the settings of the model in its report."""
    report = {**fitted.report, "field": dict(fitted.model)}
    old = saved(fitted, report=report, model={})
    query = {"times": (1.0, 3.5), "crop": {"Y": (2, 9)}}
    for again, before in zip(render(old), fitted.images, strict=True):
        np.testing.assert_array_equal(again.array(), before.array())
    (again,), (before,) = render(old, **query), render(saved(fitted), **query)
    np.testing.assert_array_equal(again.array(), before.array())


def test_the_geometry_needs_no_tensors(fitted):
    bare = replace(saved(fitted), tensors={})
    assert geometry_nstm(bare, Query()).shape == fitted.images[0].shape


def test_missing_parameters_are_said(fitted):
    fit = stored_of(fitted)
    tensors = {name: one for name, one in fit.tensors.items() if name != "scene_net.weights.0"}
    with pytest.raises(FileError, match="scene_net"):
        render(replace(fit, tensors=tensors))


def test_a_model_takes_the_motion_of_another_and_keeps_its_scene():
    moving, other = lively(), SpaceTimeModel(SHAPE, seed=5)
    scene = other.canonical(1e5)
    other.take_motion(moving)
    with torch.no_grad():
        assert torch.equal(other.motion(TIMES, 1e5), moving.motion(TIMES, 1e5))
        assert torch.equal(other.canonical(1e5), scene)
