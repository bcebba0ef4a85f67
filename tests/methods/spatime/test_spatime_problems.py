"""The two problems of SpatimeINR in the loop: known answers, seeds, and what a stop keeps."""

import numpy as np
import pytest
import torch

from napari_cellinr import Image, SpatimeConfig, superresolve
from napari_cellinr.api import render
from napari_cellinr.fields.trajectory import positions
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.fitting.problem import finish
from napari_cellinr.fitting.saved.stored import header_of, stored
from napari_cellinr.methods.spatime.between.motion import MotionSettings, motion_problems
from napari_cellinr.methods.spatime.between.places import Places
from napari_cellinr.methods.spatime.finer.planes import FEWEST, PlanesProblem, TrainingPlanes
from napari_cellinr.methods.spatime.finer.sections import Samples

SHIFT = (0.7, -1.3)


@pytest.fixture(autouse=True)
def _talkative(monkeypatch):
    monkeypatch.setattr("napari_cellinr.fitting.optimise.REPORT_SECONDS", 0)


def shifted(n_frames=4):
    """A smooth image that moves by a constant shift per frame, (T, Y, X)."""
    y, x = np.indices((32, 36)).astype(float)
    frames = []
    for t in range(n_frames):
        v, u = y - SHIFT[0] * t, x - SHIFT[1] * t
        frames.append(0.5 + 0.25 * np.sin(0.55 * v + 0.2 * u) + 0.25 * np.cos(0.5 * u - 0.15 * v))
    return torch.tensor(np.stack(frames), dtype=torch.float32)


def problems(settings, seed=0):
    """The motion between frames 1 and 2, from rest."""
    return motion_problems(
        shifted(), range(4), 1, torch.zeros(2, 9, 10), settings, Places((32, 36), seed)
    )


def motion(settings, seed=0):
    for problem in problems(settings, seed):
        finish(optimise(problem, SpatimeConfig(), Monitor()))
    return problem.model


def test_a_constant_shift_is_recovered():
    model = motion(MotionSettings())
    places = positions((32, 36))
    inside = ((places >= 5) & (places < torch.tensor([27, 31]))).all(1)
    with torch.no_grad():
        first, last = model(places[inside], torch.tensor([-0.5, 0.5]))
        origins = model.origins(places[inside] + last, 0.5)
    assert (last - first - torch.tensor(SHIFT)).abs().max() < 0.05
    np.testing.assert_allclose(origins, places[inside], atol=0.01)


def test_the_seed_decides_where_frames_are_compared():
    few = MotionSettings(steps=(5, 5), batch=200)
    first, same, other = (motion(few, seed).control for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def stopped(problem, step):
    """Stop a fit after a step; return what it had reached then, and its outcome."""
    job = optimise(problem, SpatimeConfig(), Monitor())
    while next(job).step < step:
        pass
    (parameters,) = (group["params"] for group in problem.param_groups())
    reached = [parameter.detach().clone() for parameter in parameters]
    with pytest.raises(StopIteration) as ended:
        job.send("stop")
    return reached, ended.value.value


def test_a_stop_keeps_the_last_motion():
    problem = next(problems(MotionSettings()))
    (reached,), outcome = stopped(problem, 7)
    assert (outcome.stopped, outcome.steps, outcome.history) == ("user", 7, ())
    assert torch.equal(problem.model.control, reached)
    assert reached.abs().max() > 0


def separable(n_planes=10):
    """Planes that are products of a function of y and the same of x, with phases of their own."""
    random, places = np.random.default_rng(0), np.arange(48)
    waves = [np.sin(0.55 * places + phase) for phase in random.uniform(0, 6, (n_planes, 2)).ravel()]
    pairs = np.reshape(waves, (n_planes, 2, 48))
    planes = 0.5 + 0.5 * pairs[:, 0, :, None] * pairs[:, 1, None, :]
    return TrainingPlanes(planes.astype(np.float32), 4.0, 0.0, Samples("cubic"))


def planes(examples=None, steps=80, rate=4e-3, seed=0):
    return PlanesProblem(
        examples or separable(), 4.0, latent=4, steps=steps, rate=rate, seed=seed,
        device=torch.device("cpu"),
    )  # fmt: skip


def test_rows_of_a_separable_function_are_learnt():
    problem = planes()
    examples, random = separable(), np.random.default_rng(1)
    plane = examples.planes[FEWEST - 1]  # held out
    coarse, base, truth, places, cell = examples.pair(plane, 4.0, random)
    np.testing.assert_allclose(truth, plane, atol=1e-6)
    before = problem.held_out()
    outcome = finish(optimise(problem, SpatimeConfig(), Monitor()))
    rows = torch.tensor(places, dtype=torch.float32)
    with torch.no_grad():
        found = problem.model(torch.tensor(coarse)[None], torch.tensor(base)[None], rows, cell)
    learnt, interpolated = (np.mean((v - truth) ** 2) for v in (found[0].numpy(), base))
    assert outcome.history[0]["held_out"] == before
    assert outcome.held_out < 0.3 * before
    assert learnt < 0.3 * interpolated


def test_before_the_first_step_the_planes_are_interpolated():
    examples = separable()
    held = examples.planes[FEWEST - 1 :: FEWEST]
    pairs = [examples.pair(plane, 4.0, np.random.default_rng(0)) for plane in held]
    expected = np.mean([np.mean((base - truth) ** 2) for _, base, truth, _, _ in pairs])
    assert planes().held_out() == pytest.approx(expected, rel=1e-6)


def test_the_best_planes_are_kept_even_if_none_is_better_than_interpolation():
    problem = planes(rate=0.5, steps=45)
    outcome = finish(optimise(problem, SpatimeConfig(), Monitor()))
    errors = [row["held_out"] for row in outcome.history]
    assert [row["step"] for row in outcome.history] == [0, 40, 45]
    assert min(errors[1:]) > errors[0] == outcome.held_out == problem.held_out()


def test_a_stop_keeps_the_best_planes():
    problem = planes(rate=0.5)
    _, outcome = stopped(problem, 3)
    assert outcome.stopped == "user"
    assert outcome.held_out == outcome.history[0]["held_out"] == problem.held_out()
    problem = planes()
    reached, outcome = stopped(problem, 3)
    assert outcome.held_out < outcome.history[0]["held_out"]
    assert all(map(torch.equal, problem.model.parameters(), reached))


def test_the_seed_of_planes_repeats_a_fit():
    problems = [planes(seed=seed, steps=2) for seed in (3, 3, 4)]
    for problem in problems:
        finish(optimise(problem, SpatimeConfig(), Monitor()))
    first, same, other = (problem.model.decoder[0].weight for problem in problems)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@pytest.fixture(scope="module")
def movie():
    t, z, y, x = np.indices((3, 5, 20, 20)).astype(float)
    data = 90 * np.exp(-((z - 2) ** 2 + (y - 10) ** 2 + (x - 6 - 3 * t) ** 2) / 10) + 10
    return Image(data.astype(np.float32), "TZYX", (1, 1, 0.5, 0.5))


def as_in_version_01(fitted):
    """The same fit as version 0.1 saved it: shape and settings are tensors, there is no model."""
    header = {key: value for key, value in header_of(fitted).items() if key != "model"}
    tensors = {name: value.numpy() for name, value in fitted.state.items()}
    (settings,) = fitted.model["channels"]
    if "published" in settings:
        model = settings["published"]
        sizes = [model[k] for k in ("latent", "neurons", "width", "groups", "blocks", "rendering")]
        tensors |= {"0.sizes": np.array(sizes, np.int64), "0.levels": np.array(settings["levels"])}
        return stored(header, tensors)
    tensors["0.aspect"] = np.array(settings["aspect"], np.float32)
    tensors["0.recipe"] = np.array(list(settings["blending"].values()), np.float32)
    if settings["sections"] != "means":
        number = ("linear", "cubic", "spline").index(settings["sections"])
        tensors["0.sections"] = np.array([number])
    if settings["planes"]:
        tensors["0.planes.latent"] = np.array(list(settings["planes"].values()), np.int64)
    return stored(header, tensors)


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 20, "refinement": 0.1, "motion": "always"},
        {"steps": 20, "planes": "thin", "motion": "never"},
        {"preset": "paper", "steps": 3, "latent": 4, "neurons": 8, "batch": 64},
    ],
)
def test_fits_of_version_01_are_rendered(movie, settings):
    fitted = superresolve(movie, scale={"t": 2, "z": 2}, device="cpu", **settings)
    old, new = as_in_version_01(fitted), stored(*_saved(fitted))
    assert new.model == header_of(fitted)["model"]
    for fit in (old, new):
        found = render(fit, device="cpu")[0].array()
        np.testing.assert_allclose(found, fitted.images[0].array(), rtol=1e-5)


def _saved(fitted):
    return header_of(fitted), {name: value.numpy() for name, value in fitted.state.items()}
