"""A part of a frame has the points, the flow and the motion that the whole frame has there."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_cellinr import Image
from napari_cellinr.config import SpatimeConfig
from napari_cellinr.fields.trajectory import control_size
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.methods.spatime.between.flow import coarser, optical_flow
from napari_cellinr.methods.spatime.between.tvl1 import Where, tvl1_flow
from napari_cellinr.methods.spatime.between.window import Window, between, resized
from napari_cellinr.methods.spatime.chosen import Chosen
from napari_cellinr.methods.spatime.job import Within, superresolve_job
from napari_cellinr.methods.spatime.model import MotionModel
from napari_cellinr.methods.spatime.series import Series
from napari_cellinr.methods.spatime.state import FinishedStages, interval_stage

WHOLE, CORNER, SHAPE = (90, 250), (0, 51), (90, 110)
INNER = slice(50, 60)
"""Columns in the middle of the part, at least 50 from what it does not see."""

REGION = tuple(slice(first, first + size) for first, size in zip(CORNER, SHAPE, strict=True))


def movie(n_frames=4, shape=WHOLE):
    """Return a texture that moves by 1.5 columns per frame, without noise, 0 to 1."""
    generator = np.random.default_rng(0)
    wide = gaussian_filter(generator.standard_normal((shape[0], shape[1] + 20)), 2.5)
    wide = (wide - wide.min()) / np.ptp(wide)
    columns = np.arange(shape[1])
    return np.stack(
        [
            np.stack([np.interp(columns + 1.5 * t, np.arange(len(row)), row) for row in wide])
            for t in range(n_frames)
        ]
    ).astype(np.float32)


@pytest.mark.parametrize("counts", [(23, 63), (45, 126), (2, 2), (90, 250)])
def test_points_of_a_part_are_points_of_the_whole(counts):
    lattice = Window(WHOLE, CORNER, SHAPE).lattice(counts)
    for axis, line in enumerate(lattice.lines):
        every = np.linspace(0, WHOLE[axis] - 1, counts[axis])
        first = lattice.first[axis]
        np.testing.assert_allclose(line + CORNER[axis], every[first : first + len(line)])
        assert line[0] <= 0
        assert line[-1] >= SHAPE[axis] - 1
        assert lattice.size[axis] == len(line)


def test_a_whole_frame_is_a_part_with_all_points():
    lattice = Window.of(WHOLE).lattice((23, 63))
    assert (lattice.size, lattice.first, lattice.origin) == ((23, 63), (0, 0), (0, 0))
    assert lattice.lengths == (89, 249)


def test_values_between_points_of_a_part_are_those_of_the_whole():
    window, counts = Window(WHOLE, CORNER, SHAPE), (23, 63)
    nodes = np.random.default_rng(0).random((2, *counts)).astype(np.float32)
    lattice = window.lattice(counts)
    own = nodes[:, :, lattice.first[1] : lattice.first[1] + lattice.size[1]]
    found = between(own, lattice, window.voxels)
    np.testing.assert_allclose(found, resized(nodes, WHOLE)[:, *REGION], atol=1e-5)


@pytest.mark.parametrize("level", [2, 4])
def test_coarser_frames_of_a_part_are_those_of_the_whole(level):
    frames, window = torch.from_numpy(movie()), Window(WHOLE, CORNER, SHAPE)
    whole = coarser(frames, level, 0.5)
    part = coarser(frames[:, *REGION], level, 0.5, window)
    first = window.lattice(whole.shape[1:]).first[1]
    inner = slice(8, part.shape[2] - 8)
    expected = whole[:, :, first + 8 : first + part.shape[2] - 8]
    np.testing.assert_allclose(part[:, :, inner], expected, atol=1e-5)


def test_a_part_that_is_all_of_an_image_has_its_flow():
    first, second = movie(2, (70, 83))
    settings = {"attachment": 50, "num_warp": 3, "num_iter": 10}
    whole = tvl1_flow(first, second, **settings)
    part = tvl1_flow(first, second, **settings, where=Where(first.shape, (0, 0)))
    np.testing.assert_allclose(part, whole, atol=1e-4)


def test_the_flow_of_a_part_is_that_of_the_whole():
    first, second = movie(2)
    whole = optical_flow(first, second)[:, *REGION][..., INNER]
    part = optical_flow(first[REGION], second[REGION], window=Window(WHOLE, CORNER, SHAPE))
    assert np.abs(whole[1] + 1.5).mean() < 0.1
    np.testing.assert_allclose(part[..., INNER], whole, atol=0.02)


@pytest.mark.parametrize("corner", [(0, 0), CORNER])
def test_frames_between_frames_of_a_part_are_those_of_the_whole(corner):
    """Their noise moves with them, so that they would show other motion at once."""
    generator = np.random.default_rng(1)
    frames = 200 * movie(5) + generator.normal(0, 10, (5, *WHOLE)).astype(np.float32)
    config = SpatimeConfig(scale={"t": 2})
    whole = finish(superresolve_job(Image(frames, "TYX"), config, Monitor()))
    chosen = replace(Chosen.of_fit(whole), corner=corner)
    region = tuple(slice(a, a + n) for a, n in zip(corner, SHAPE, strict=True))
    part = Image(np.ascontiguousarray(frames[:, *region]), "TYX")
    found = finish(superresolve_job(part, config, Monitor(), within=Within(chosen=chosen)))
    expected = whole.image("result").array()[:, *region]
    difference = (found.image("result").array() - expected)[1::2, 5:-5, INNER]
    assert np.sqrt(np.mean(difference**2)) < 0.05 * 10


def test_a_part_that_moves_to_the_cpu_has_the_same_motion():
    """GPU memory may be exhausted in a part whose first intervals are finished."""
    window = Window(WHOLE, CORNER, SHAPE)
    lattice = window.lattice(control_size(WHOLE, 4.0))
    series = Series(movie(3)[:, *REGION], "YX", (1.0, 1.0), part=window)
    series.motion[0] = MotionModel(SHAPE, 1, lattice.size, lattice)
    torch.nn.init.normal_(series.motion[0].control)
    expected = series.frame(0.5)
    state = SimpleNamespace(monitor=Monitor(), warnings=[], history=[], facts={})
    finished = FinishedStages(series, state, 0)
    finished.note(interval_stage(0), 1)
    finished.move_to_cpu()
    np.testing.assert_array_equal(series.frame(0.5), expected)


@pytest.mark.parametrize("name", ["mps", "cuda"])
def test_a_part_on_a_gpu(name, pretended):
    device, config = pretended(name), SpatimeConfig(scale={"t": 2}, refinement=0.1, device="cpu")
    frames = 200 * movie(5, (36, 60)) + np.random.default_rng(1).normal(0, 5, (5, 36, 60))
    whole = finish(superresolve_job(Image(np.float32(frames), "TYX"), config, Monitor()))
    within = Within(chosen=replace(Chosen.of_fit(whole), corner=(0, 9)))
    part = Image(np.float32(frames[:, :, 9:45]), "TYX")
    found = [
        finish(superresolve_job(part, config.replace(device=one), Monitor(), within=within))
        for one in (name, "cpu")
    ]
    assert device.sent > 0
    np.testing.assert_allclose(*[one.image("result").array() for one in found], atol=0.5)
