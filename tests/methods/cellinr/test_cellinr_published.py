"""The published method at toy size: what every Problem keeps, and what this one promises."""

import time

import numpy as np
import pytest
import torch

from napari_cellinr.api import denoise, iter_denoise
from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.config import CellINRConfig
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import PreviewRequest, Schedule
from napari_cellinr.methods.cellinr.published.problem import absolute_variation, prepare_published
from napari_cellinr.simulate.embryo import embryo

TOY = {"steps": 60, "points": 8, "batch": 64, "neurons": 16, "device": "cpu"}
SWITCHES = [
    {},
    {"total_variation": 0},
    {"blind_convolution": False},
    {"structure": "none"},
    {"total_variation": 0, "blind_convolution": False, "structure": "none"},
]


@pytest.fixture(scope="module")
def raw():
    return embryo("membranes", (6, 16, 16), seed=0).raw


@pytest.fixture(scope="module")
def fitted(raw):
    return denoise(raw, "paper", **TOY)


def finish(job, answer=lambda progress: None):
    message = None
    while True:
        try:
            progress = job.send(message)
        except StopIteration as finished:
            return finished.value
        message = answer(progress)


USUAL = Noise(2.0, 8.0)


def published(image, noise=USUAL, **settings):
    """Return the problem of an image."""
    config = CellINRConfig(preset="paper", **settings)
    return finish(prepare_published(image, config, noise, torch.device("cpu"), Monitor()))


def test_results_are_like_the_source(raw, fitted):
    result, removed = fitted.images
    for image in fitted.images:
        assert (image.shape, image.axes, image.scale) == (raw.shape, raw.axes, raw.scale)
        assert image.dtype == np.float32
        assert image.array().min() >= 0
    assert result.name == f"{raw.name} denoised"
    assert 0 < result.array().mean() < raw.array().max()
    expected = np.maximum(raw.array() - result.array(), 0)
    np.testing.assert_allclose(removed.array(), expected, atol=1e-4)


def test_the_report_is_complete(fitted):
    assert fitted.stopped == "steps"
    warnings = " ".join(fitted.report["warnings"])  # a few steps of it are far from an end
    assert fitted.report["converged"] == ("had not converged" not in warnings)
    assert (fitted.report["held_out"] > 1.5) == ("error on held-out voxels" in warnings)
    assert fitted.config.preset == "paper"
    assert CellINRConfig(**fitted.config.as_dict()) == fitted.config


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_the_loss_falls_with_every_switch(raw, switches):
    """Without total variation, the error rises until step 60 before it falls."""
    history = denoise(raw, "paper", **{**TOY, **switches, "steps": 240}).history
    assert history[-1]["held_out"] < 0.7 * history[0]["held_out"]
    assert ("variation" in history[-1]) == ("total_variation" not in switches)
    assert ("coarse" in history[-1]) == ("blind_convolution" not in switches)


def test_the_same_seed_repeats_the_fit_and_another_does_not(raw, fitted):
    same, other = (denoise(raw, "paper", **TOY, seed=seed) for seed in (0, 1))
    assert np.array_equal(fitted.images[0].array(), same.images[0].array())
    assert not np.array_equal(fitted.images[0].array(), other.images[0].array())


def test_planes_work(raw):
    plane = raw.take("Z", 3)
    result = denoise(plane, "paper", **TOY).images[0]
    assert result.shape == plane.shape


def test_a_stack_of_one_plane_works(raw):
    result = denoise(raw.crop(Z=slice(2, 3)), "paper", **TOY).images[0]
    assert result.shape == (1, 16, 16)


def test_stop_gives_what_there_is(raw, monkeypatch):
    monkeypatch.setattr("napari_cellinr.fitting.optimise.REPORT_SECONDS", 0)
    config = CellINRConfig(preset="paper", **{**TOY, "steps": 1000})
    fitted = finish(
        iter_denoise(raw, config), lambda progress: "stop" if progress.step >= 5 else None
    )
    assert fitted.stopped == "user"
    assert fitted.report["steps"] < 50
    assert fitted.images[0].shape == raw.shape
    assert any("not converged" in text for text in fitted.report["warnings"])


def test_a_preview_is_the_plane_that_was_asked_for(raw, monkeypatch):
    monkeypatch.setattr("napari_cellinr.fitting.optimise.REPORT_SECONDS", 0)
    requests = iter([PreviewRequest({"Z": 4}), PreviewRequest(max_voxels=200)])
    previews = []

    def answer(progress):
        if progress.preview is not None:
            previews.append(progress.preview)
        return next(requests, None) if progress.step else None

    finish(iter_denoise(raw, CellINRConfig(preset="paper", **TOY)), answer)
    assert previews[0].shape == (1, 16, 16)
    assert previews[0].translate[0] == pytest.approx(4 * raw.scale[0])
    assert previews[1].array().size <= 200


def test_keeping_the_background_is_possible_and_told(raw, fitted):
    kept = denoise(raw, "paper", background="keep", **TOY)
    assert any(
        "published method has no background=keep" in text for text in kept.report["warnings"]
    )
    assert kept.images[0].array().mean() > fitted.images[0].array().mean()


def test_the_report_says_how_long_a_cpu_takes(raw):
    assert any("12 days" in text for text in published(raw).facts()["warnings"])


def test_the_learning_rate_falls_by_the_same_amount_with_each_step(raw):
    """As printed: linearly from 2e-3 to 2e-5."""
    problem = published(raw)
    schedule, config = problem.schedule(), problem.config
    rates = [
        config.learning_rate * schedule.factor(step, config.steps) for step in (100, 25_000, 49_999)
    ]
    assert rates == pytest.approx([2e-3 - 1.98e-3 / 500, 1.01e-3, 2e-5], rel=0.01)
    assert not schedule.averages
    assert not published(raw, annealing="exponential").schedule().linear


def test_an_exponential_rate_falls_by_the_same_factor_with_each_step():
    schedule = Schedule(decay=0.01)
    factors = [schedule.factor(step, 1001) for step in (10, 505, 1000)]
    assert factors[2] == pytest.approx(0.01)
    assert factors[1] == pytest.approx((factors[0] * factors[2]) ** 0.5)
    assert not schedule.averages
    assert Schedule().averages
    assert Schedule().factor(50, 100) == 1


def test_variation_is_a_mean_and_takes_slopes_per_length():
    ramp = torch.arange(5.0)[:, None, None].expand(5, 4, 3)
    assert absolute_variation(ramp, (1, 1, 1)) == 1
    assert absolute_variation(ramp, (2, 1, 1)) == 0.5
    assert absolute_variation(torch.ones(1, 3), (1, 1)) == 0


EVEN_NOISE = {"gain": 1e-9, "read_noise": 10}


def test_dark_structures_have_the_target_of_the_image_turned_over(raw):
    """The threshold of structures is a bin of a histogram, which rounding may move by one."""
    images = {False: raw, True: raw.like(200 - raw.array())}
    bright, dark = (
        published(image, Noise(1e-9, 10.0), dark=is_dark).prepared
        for is_dark, image in images.items()
    )
    assert dark.dark + 200 == pytest.approx(bright.dark, abs=1e-3)
    assert dark.contrast == pytest.approx(bright.contrast, rel=1e-5)
    np.testing.assert_allclose(dark.target, bright.target, atol=0.02)
    assert np.abs(dark.target - bright.target).mean() < 0.002
    assert np.ptp(bright.target) > 0.9


@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [
        ({"background": "keep"}, 1e-4),
        ({"background": "subtract", "structure": "none"}, 1e-4),
        ({"background": "subtract", "steps": 20}, 0.02),  # later the targets' difference grows
    ],
    ids=str,
)
def test_dark_structures_are_the_bright_ones_of_the_image_turned_over(raw, settings, tolerance):
    turned = raw.like(200 - raw.array())
    settings = {**TOY, **EVEN_NOISE, **settings}
    bright, dark = (
        denoise(image, "paper", dark=image is turned, **settings).images[0].array()
        for image in (raw, turned)
    )
    expected = 200 - bright if settings["background"] == "keep" else bright
    np.testing.assert_allclose(dark, expected, atol=tolerance * np.ptp(bright))


def test_stop_while_structures_are_looked_for(raw, monkeypatch):
    slow = "napari_cellinr.methods.cellinr.published.problem.structure"
    monkeypatch.setattr(slow, lambda *_, **__: time.sleep(1))
    job, message = iter_denoise(raw, CellINRConfig(preset="paper", **TOY)), None
    while True:
        try:
            progress = job.send(message)
        except StopIteration as done:
            fitted = done.value
            break
        message = "stop" if progress.stage == "looking for structures" else None
    assert fitted.stopped == "user"
    assert fitted.report["steps"] == 0
