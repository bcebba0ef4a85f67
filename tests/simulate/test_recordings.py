"""The samples move as they say, and their optics are those that recorded them."""

import numpy as np
import pytest
import torch

from napari_cellinr.acquisition import prepare
from napari_cellinr.config.optics import optics_from_dict
from napari_cellinr.errors import ConfigError
from napari_cellinr.io import write
from napari_cellinr.simulate.recordings import MOTIONS, moving
from napari_cellinr.simulate.shapes import Ball, Beads, Cell, Worm


@pytest.fixture(scope="module", params=list(MOTIONS))
def sample(request):
    return moving(request.param)


@pytest.mark.parametrize(
    ("specimen", "size"),
    [(Worm, (40, 60)), (Beads, (30, 30)), (Cell, (9, 30, 30)), (Ball, (40, 40))],
)
def test_motion_has_its_inverse(specimen, size):
    shape = specimen(size, np.random.default_rng(0))
    points = np.random.default_rng(1).random((len(size), 5, *(1 for _ in size[1:]))) * 30
    for s in (0.0, 0.4, 1.0):
        np.testing.assert_allclose(shape.forward(shape.backward(points, s), s), points, atol=1e-9)


def test_motion_carries_the_truth(sample):
    """What is at a place in the first frame is where the motion says in every other frame."""
    truth, motion = sample.truth, sample.motion
    fine = np.array([truth.steps[axis] for axis in "ZYX" if axis in truth.axes])
    steps = motion.array() / fine.reshape(-1, *(1 for _ in fine))
    assert motion.shape[0] == truth.shape[0]
    assert motion.shape[1] == len(fine)
    assert np.abs(steps[0]).max() < 1e-4
    moved = np.linalg.norm(steps[-1], axis=0)
    assert 2 < moved.max() < 30
    values = truth.array()
    values = values if "C" not in truth.axes else values[:, 1]
    place = np.unravel_index(values[0].argmax(), values[0].shape)
    for frame in (1, len(values) - 1):
        to = np.array(place) + steps[(frame, slice(None), *place)]
        whole = tuple(np.round(to).astype(int))
        if all(0 <= w < n for w, n in zip(whole, values[0].shape, strict=True)):
            assert values[frame][whole] > 0.7 * values[0][place]


def test_the_optics_are_those_that_recorded_it(sample, tmp_path):
    """The model of the optics, given the true scene at every shot, gives the raw frames."""
    values = sample.optics.as_dict()
    assert sample.raw.meta["optics"] == values
    if sample.psf is not None:
        values["psf"] = str(write(tmp_path / "psf.tif", sample.psf))
    measured = prepare(sample.raw, optics_from_dict(values))
    is_one_picture = values["kind"] == "rolling-shutter" and "T" not in sample.raw.axes
    assert len(measured.warnings) == is_one_picture
    model = measured.model
    kind = values["kind"]
    if kind == "z-scan":
        return  # the truth is at the starts of the stacks only
    truth = torch.from_numpy(sample.truth.array())
    scene = truth if "C" in sample.truth.axes else truth[:, None]
    scene = scene.repeat_interleave(model.samples, 0)
    frames = model(scene, torch.arange(model.n_shots)).numpy()
    inner = (slice(None), slice(6, -6), slice(6, -6)) if kind != "rolling-shutter" else ()
    same = np.corrcoef(frames[inner].ravel(), measured.frames[inner].ravel())[0, 1]
    assert same > 0.93


def test_same_seed_same_sample():
    first, same, other = (moving("beads", seed) for seed in (1, 1, 2))
    assert np.array_equal(first.raw.array(), same.raw.array())
    assert not np.array_equal(first.raw.array(), other.raw.array())


def test_unknown_kind():
    with pytest.raises(ConfigError, match="worm, beads, cell, ball"):
        moving("fish")
