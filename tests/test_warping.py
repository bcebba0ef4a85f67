"""Frames that the benchmarks interpolate along optical flow, to compare with, follow the motion."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_cellinr.classic.interpolate import resample
from napari_cellinr.errors import AxesError, ConfigError

FOLDER = Path(__file__).parents[1] / "benchmarks" / "common"


@pytest.fixture
def between_frames(monkeypatch):
    if not FOLDER.is_dir():
        pytest.skip("the benchmarks are not part of this copy")
    monkeypatch.syspath_prepend(FOLDER)
    yield importlib.import_module("warping").between_frames
    sys.modules.pop("warping", None)


def moving_blob(times, n_axes):
    """A blob that moves 3 voxels per frame along the last axis."""
    grid = np.indices((20,) * (n_axes - 1) + (32,)).astype(float)
    middle = np.array([9.5] * (n_axes - 1) + [12.0]).reshape(-1, *[1] * n_axes)
    frames = []
    for t in times:
        move = np.zeros_like(middle)
        move[-1] = 3 * t
        frames.append(np.exp(-np.sum((grid - middle - move) ** 2, axis=0) / 30))
    return np.stack(frames).astype(np.float32)


@pytest.mark.parametrize("kind", ["ilk", "tvl1", "shift"])
@pytest.mark.parametrize("n_axes", [2, 3])
def test_warping_follows_motion_that_blending_does_not(between_frames, kind, n_axes):
    settings = {"num_warp": 3, "num_iter": 5} if (kind, n_axes) == ("tvl1", 3) else {}
    frames, truth = moving_blob([0, 1], n_axes), moving_blob([0, 0.5, 1], n_axes)
    found = between_frames(frames, np.array([0, 0.5, 1]), kind, **settings)
    np.testing.assert_allclose(found[[0, 2]], frames, atol=1e-6)
    blended = resample(frames, np.array([0.5]), 0, "linear")[0]
    errors = [float(np.abs(f - truth[1]).mean()) for f in (found[1], blended)]
    assert errors[0] < 0.5 * errors[1]


def test_a_shift_of_the_whole_frame_is_found(between_frames):
    frame = np.random.default_rng(0).random((40, 40))
    moved = np.roll(frame, 4, axis=1)
    found = between_frames(np.stack([frame, moved]), np.array([0.5]), "shift")[0]
    np.testing.assert_allclose(found[:, 8:-8], np.roll(frame, 2, axis=1)[:, 8:-8], atol=1e-5)


def test_warping_refuses(between_frames):
    with pytest.raises(AxesError, match="T, Z, Y, X"):
        between_frames(np.zeros((3, 3)), np.zeros(1))
    with pytest.raises(ConfigError, match="between 0 and 1"):
        between_frames(np.zeros((2, 3, 3)), np.array([1.5]))
