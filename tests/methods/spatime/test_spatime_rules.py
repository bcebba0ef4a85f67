"""Rules of super-resolution with known answers: blending, what is held out, what is kept."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_cellinr.config import SpatimeConfig
from napari_cellinr.fitting.problem import Outcome
from napari_cellinr.methods.spatime.blending import BlendWeights, Predictions, blended
from napari_cellinr.methods.spatime.channel import ChannelFit, _has_gained
from napari_cellinr.methods.spatime.model import MotionModel
from napari_cellinr.methods.spatime.motion import OUTER, MotionProblem, MotionSettings
from napari_cellinr.methods.spatime.planes import FEWEST, PlanesProblem, TrainingPlanes
from napari_cellinr.methods.spatime.series import Series


def predictions(part):
    random = np.random.default_rng(0)
    values = [random.standard_normal((12, 12)).astype(np.float32) for _ in range(5)]
    return Predictions(values[0], values[1], values[2], (values[3], values[4]), part)


def test_at_a_given_frame_nothing_is_attenuated():
    """The factor t (1 - t) is 0 at both frames, so the blend is the frame itself."""
    weights = BlendWeights(1.0, False, 4.0)
    for part in (0.0, 1.0):
        of = predictions(part)
        expected = of.after if part else of.before
        np.testing.assert_allclose(blended(of, weights, (1.0, 1.0)), expected, atol=1e-5)


def test_a_blend_is_linear_in_time():
    of = predictions(0.25)
    found = blended(of, BlendWeights(0.5, False, 0.0), (1.0, 1.0))
    line = 0.75 * of.before + 0.25 * of.after
    static = 0.75 * of.static[0] + 0.25 * of.static[1]
    np.testing.assert_allclose(found, 0.5 * line + 0.5 * static, atol=1e-6)


def test_planes_are_kept_only_if_held_out_ones_are_better():
    row = {"step": 0, "held_out": 2.0}
    assert _has_gained(Outcome("steps", 5, 1.9, (row,)))
    assert not _has_gained(Outcome("steps", 5, 2.0, (row,)))


def test_every_fifth_plane_is_held_out_and_never_learnt_from():
    planes = np.arange(10, dtype=np.float32)[:, None, None] * np.ones((1, 24, 24), np.float32)
    examples = TrainingPlanes(planes, 2.0, 0.0)
    of = PlanesProblem(
        examples, 2.0, latent=4, steps=2, rate=1e-3, seed=0, device=torch.device("cpu")
    )
    held = list(range(FEWEST - 1, 10, FEWEST))
    assert of._held[:, 0, 0].tolist() == held
    assert of._training[:, 0, 0].tolist() == [n for n in range(10) if n not in held]


def test_the_interval_itself_counts_fully_and_its_neighbours_less():
    """Frames 0, 1 and 3 of brightness differ; without motion the loss is known."""
    images = torch.stack([torch.full((8, 8), value) for value in (0.0, 1.0, 4.0, 4.0)])
    model = MotionModel((8, 8), 1, (2, 2))
    of = MotionProblem(
        model, images, (-1.5, -0.5, 0.5, 1.5), MotionSettings(), 0, torch.Generator()
    )
    loss = of.loss(0, torch.Generator())
    expected = (OUTER * 1 + 3 + OUTER * 0) / float(images.std())
    assert float(loss["difference"].detach()) == pytest.approx(expected, rel=0.05)
    assert float(loss["roughness"].detach()) == 0


def test_motion_that_changes_its_speed_is_rougher():
    """Twice the mean square of the second coefficient, besides slopes between control points."""
    model = MotionModel((8, 8), 2, (2, 2))
    model.control.data[1] = 0.5
    images = torch.rand((3, 8, 8), generator=torch.Generator().manual_seed(0))
    settings = MotionSettings(smooth=1.0)
    of = MotionProblem(model, images, (-0.5, 0.5, 1.5), settings, 0, torch.Generator())
    assert float(of.loss(0, torch.Generator())["roughness"].detach()) == pytest.approx(0.5)


def test_a_held_out_frame_is_the_one_between_its_two_neighbours(monkeypatch):
    """Of every other frame, the one in the middle of an interval was left out."""
    frames = np.arange(7, dtype=np.float32)[:, None, None] * np.ones((1, 8, 8), np.float32)

    def predicted(series, interval, part, where):
        return (1 - part) * series.frames[interval][where] + part * series.frames[interval + 1][
            where
        ]

    monkeypatch.setattr(Series, "predictions", predicted)
    fit = object.__new__(ChannelFit)
    fit.series, fit.config = Series(frames, "YX", (1.0, 1.0)), SpatimeConfig()
    fit.state = SimpleNamespace(over=False, step=0)
    found = []
    fit._follow_motion = lambda *_: iter(())
    fit._choose_weights = lambda tests, _: found.extend(tests)
    for _ in fit._tests():
        pass
    assert len(found) == 4
    for prediction, truth in found:
        np.testing.assert_allclose(prediction, truth)
