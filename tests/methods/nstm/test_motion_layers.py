"""Objects that cross: the light that moves, its division into layers, and fits with several."""

import numpy as np
import pytest
import torch

from napari_cellinr import Image, NSTMConfig, load_fit, reconstruct, render, warm_start
from napari_cellinr.errors import ConfigError
from napari_cellinr.methods.nstm.layers import start
from napari_cellinr.methods.nstm.layers.decomposition import MovingLight, moving_light
from napari_cellinr.methods.nstm.layers.division import (
    conflicts,
    crossing_part,
    divided,
    without_ghosts,
)
from napari_cellinr.methods.nstm.layers.start import layers_needed
from napari_cellinr.methods.nstm.model import ALL_LEVELS, SpaceTimeModel, SpaceTimeShape
from napari_cellinr.methods.nstm.rendering.material import Material

FRAMES, SIZE = 8, 32


def blobs(starts, ends, noise=0.02, width=1.7):
    """Return frames of blobs that move straight, (T, Y, X), with the brightness 100 and noise."""
    grid = np.mgrid[:SIZE, :SIZE]
    frames = []
    for part in np.linspace(0, 1, FRAMES):
        places = np.asarray(starts) + part * (np.asarray(ends) - np.asarray(starts))
        squares = [(grid[0] - y) ** 2 + (grid[1] - x) ** 2 for y, x in places]
        frames.append(sum(np.exp(-one / (2 * width**2)) for one in squares))
    data = np.stack(frames) + noise * np.random.default_rng(0).standard_normal((FRAMES, SIZE, SIZE))
    return (10 + 100 * data).astype(np.float32)


CROSSING = blobs([(16, 11), (16, 21)], [(16, 21), (16, 11)])


def light_of(frames, reach=12.0, counted=None):
    values = torch.from_numpy(frames)
    counted = torch.ones_like(values, dtype=torch.bool) if counted is None else counted
    times = torch.linspace(0, 1, len(values))
    return without_ghosts(moving_light(values, counted, times, (reach, reach), 2.0))


@pytest.fixture(scope="module")
def crossing_light():
    return light_of(CROSSING)


@pytest.mark.parametrize("seen", [1.0, 0.5])
def test_light_is_found_at_the_velocities_of_objects_that_cross(crossing_light, seen):
    found = crossing_light
    if seen < 1:
        chance = torch.rand(CROSSING.shape, generator=torch.Generator().manual_seed(0))
        found = light_of(CROSSING, counted=chance < seen)
    right = np.linalg.norm(found.velocities - (0, 10), axis=1) < 2
    left = np.linalg.norm(found.velocities - (0, -10), axis=1) < 2
    assert found.light[right].sum() == pytest.approx(found.light[left].sum(), rel=0.3)
    assert found.light[right | left].sum() > 0.8 * found.light.sum()
    middle = found.light[right] @ found.places[right] / found.light[right].sum()
    np.testing.assert_allclose(middle, (16, 16), atol=1)


def test_what_crosses_is_divided(crossing_light):
    found = crossing_light
    layers = divided(found, 2)
    assert crossing_part(found) > 0.5
    assert crossing_part(found, layers) < 0.05
    right = found.velocities[:, 1] > 0
    light = [found.light[right & (layers == layer)].sum() for layer in (0, 1)]
    assert max(light) > 0.9 * found.light[right].sum()


def test_a_conflict_needs_that_things_meet_and_move_differently():
    def two(places, velocities):
        found = MovingLight(np.array(places, float), np.array(velocities, float), np.ones(2) / 2, 2)
        matrix = conflicts(found)
        np.testing.assert_array_equal(matrix, matrix.T)
        assert matrix[0, 0] == matrix[1, 1] == 0
        return matrix[0, 1]

    meet = two([(0, 0), (0, 0)], [(0, 9), (0, -9)])
    assert meet == pytest.approx(0.25)
    assert two([(0, 0), (0, 0)], [(0, 9), (0, 9)]) == 0
    assert two([(0, 0), (50, 0)], [(0, 9), (0, -9)]) == 0
    # 18 apart at the middle, 9 apart at the end: 18 / (9 + 2) is too much by more than 1 of it.
    assert two([(0, 0), (0, 18)], [(0, 9), (0, -9)]) == pytest.approx(0.25)
    # 20 apart at the middle, 17 at the end: 6 / (17 + 2) is what bending allows.
    assert two([(0, 0), (0, 20)], [(0, 2), (0, -4)]) == 0


def test_faint_light_at_brighter_light_is_a_ghost():
    found = MovingLight(
        np.array([(0.0, 0), (1, 0), (40, 0)]),
        np.array([(0.0, 8), (8, 0), (8, 0)]),
        np.array([0.8, 0.1, 0.1]),
        3.0,
    )
    np.testing.assert_array_equal(without_ghosts(found).places, [(0, 0), (40, 0)])


def shape_of(layers):
    return SpaceTimeShape(
        scene=(12, 10),
        low=(-3.0, -3.0),
        high=(14.0, 12.0),
        canonical=(18, 16),
        scene_cells=((2, 2), (9, 8)),
        motion_cells=((1, 1, 1), (2, 2, 2)),
        motion_lattice=(5, 5),
        displacement=(2.0, 3.0),
        layers=layers,
    )


def random_model(layers):
    model = SpaceTimeModel(shape_of(layers))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


def test_layers_are_moved_by_their_own_motion_and_add_up():
    model = random_model(2)
    moment = torch.full((1, 1, 1), 0.4)
    with torch.no_grad():
        still, moved = model.canonical(ALL_LEVELS), model.motion(moment, ALL_LEVELS)
        assert still.shape == (2, 18, 16)
        assert moved.shape == (1, 4, 5, 5)
        parts = [model.scene(still[n : n + 1], moved[:, 2 * n : 2 * n + 2]) for n in (0, 1)]
        np.testing.assert_allclose(model(moment), sum(parts), atol=1e-6)


def test_material_is_that_of_the_brighter_layer():
    model = random_model(2)
    points = torch.tensor([[6.0], [5.0]])
    times = [torch.full((1, 1, 1), part) for part in (0.0, 1.0)]
    with torch.no_grad():
        motions = [model.motion(time, ALL_LEVELS)[0] for time in times]
    found = []
    for bright in (0, 1):
        canonical = torch.zeros(2, 18, 16)
        canonical[bright, 6:12, 5:11] = 5.0
        model.canonical = lambda alpha, image=canonical: image
        found.append(Material(model, times[0], points).at(times[1]))
    one = SpaceTimeModel(shape_of(1))
    for layer, there in enumerate(found):
        part = slice(2 * layer, 2 * layer + 2)
        kept = iter([motions[0][part][None], motions[1][part][None]])
        one.motion = lambda moment, alpha, kept=kept: next(kept)
        np.testing.assert_allclose(Material(one, times[0], points).at(times[1]), there, atol=1e-5)
    assert (found[0] - found[1]).abs().max() > 0.1


def movie(frames):
    return Image(frames, "TYX", (1.0, 1, 1), ("second", "pixel", "pixel"), name="blobs")


@pytest.fixture(scope="module")
def crossing_fit():
    settings = {"steps": 200, "bleaching": "off", "unexplained": "off", "brightness": "off"}
    return reconstruct(movie(CROSSING), "time-lapse", device="cpu", **settings)


def test_objects_that_cross_are_followed_by_layers(crossing_fit):
    fit = crossing_fit
    assert fit.report["motion_layers"] == 2
    assert fit.report["warnings"] == []
    assert fit.config.motion_layers == "2"
    motion = fit.image("motion").array()
    assert motion[-1, 1, 16, 11] == pytest.approx(10, abs=1)
    assert motion[-1, 1, 16, 21] == pytest.approx(-10, abs=1)
    assert np.abs(motion[-1, 0, 16, [11, 21]]).max() < 1


def test_a_saved_fit_with_layers_is_rendered_alike(crossing_fit, tmp_path):
    fit = crossing_fit
    fit.save(tmp_path / "fit.cellinr")
    again = render(load_fit(tmp_path / "fit.cellinr"))
    for one, other in zip(again, fit.images, strict=True):
        np.testing.assert_allclose(one.array(), other.array(), atol=1e-3)


def test_one_motion_needs_no_layers():
    frames = blobs([(10, 8), (24, 12)], [(10, 13), (24, 17)])
    fit = reconstruct(movie(frames), "time-lapse", device="cpu", steps=120)
    assert fit.report["motion_layers"] == 1
    motion = fit.image("motion").array()[-1]
    np.testing.assert_allclose(motion[:, [10, 24], [8, 12]], [[0, 0], [5, 5]], atol=0.5)


@pytest.mark.parametrize("given", [0, 5, "many"])
def test_other_numbers_of_layers_are_refused(given):
    with pytest.raises(ConfigError, match="motion_layers"):
        NSTMConfig(motion_layers=given)


def test_layers_need_several_planes_of_light():
    with pytest.raises(ConfigError, match="4 or more frames"):
        reconstruct(movie(CROSSING[:3]), "time-lapse", device="cpu", motion_layers=2)


def test_light_is_found_beside_pixels_without_data():
    values, counted = CROSSING.copy(), np.ones(CROSSING.shape, bool)
    values[:, 5], counted[:, 5] = np.nan, False
    found = light_of(values, counted=torch.from_numpy(counted))
    assert found.light.sum() > 0.5
    assert np.isfinite(found.places).all()
    nothing = light_of(values, counted=torch.zeros(values.shape, dtype=torch.bool))
    assert len(nothing.light) == 0
    assert layers_needed(nothing) == 1


def test_a_strip_is_reconstructed_without_layers():
    strip = np.repeat(CROSSING[:4, 12:20], 12, axis=2)
    fit = reconstruct(movie(strip), "time-lapse", device="cpu", steps=3, check_motion=False)
    assert fit.report["motion_layers"] == 1
    with pytest.raises(ConfigError, match="narrow strip"):
        reconstruct(movie(strip), "time-lapse", device="cpu", motion_layers=2)


def test_the_start_is_as_bright_as_the_pixels_that_count(monkeypatch):
    frames = CROSSING.copy()
    frames[:, :, 3] = 65535.0
    light = []
    monkeypatch.setattr(
        "napari_cellinr.methods.nstm.layers.start._targets",
        lambda *given, made=start._targets: light.append(made(*given)[1]) or made(*given),
    )
    job = {"steps": 2, "motion_layers": 2, "check_motion": False, "restart": False}
    reconstruct(movie(frames), "time-lapse", device="cpu", unexplained="off", **job)
    assert 0.2 < float(light[0].max()) < 1.5


@pytest.mark.parametrize("moving", [True, False])
def test_a_warm_start_from_layers_may_find_nothing_that_moves(crossing_fit, moving):
    still = np.repeat(CROSSING[:1], FRAMES, axis=0)
    still = still + np.random.default_rng(1).normal(0, 2, still.shape).astype(np.float32)
    following = warm_start(crossing_fit, movie(still), steps=20, moving=moving, device="cpu")
    assert not following.report["moves"]
