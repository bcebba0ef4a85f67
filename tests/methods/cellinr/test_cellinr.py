"""CellINR as a Problem: what holds for every one, and what it is for."""

import threading

import numpy as np
import pytest
import torch

from napari_cellinr import CellINRConfig, Image, denoise
from napari_cellinr.api import iter_denoise
from napari_cellinr.fitting.problem import PreviewRequest
from napari_cellinr.methods.cellinr.initial import noise
from napari_cellinr.metrics import psnr
from napari_cellinr.simulate.embryo import embryo

TOY = {"steps": 8, "estimate": "nlm-2"}


@pytest.fixture(scope="module")
def sample():
    return embryo("membranes", size=(16, 48, 48), seed=3)


@pytest.fixture(scope="module")
def fitted(sample):
    return denoise(sample.raw, background="keep", **TOY)


def collect(job, answer=lambda progress: None):
    message, seen = None, []
    while True:
        try:
            progress = job.send(message)
        except StopIteration as finished:
            return finished.value, seen
        seen.append(progress)
        message = answer(progress)


def test_the_result_is_like_the_input_but_for_its_values(sample, fitted):
    for image in fitted.images:
        assert image.dtype == np.float32
        for key in ("axes", "shape", "scale", "units", "translate"):
            assert getattr(image, key) == getattr(sample.raw, key)


def test_noise_is_removed(sample, fitted):
    truth = sample.truth_with_background.array()
    before, after = (psnr(image.array(), truth, 255) for image in (sample.raw, fitted.images[0]))
    assert after > before + 8


def test_background_is_removed(sample):
    fitted = denoise(sample.raw, **TOY)
    signal, background = (fitted.image(role).array() for role in ("result", "background"))
    truth = sample.truth.array()
    assert psnr(signal, truth, 255) > psnr(sample.raw.array(), truth, 255) + 8
    assert (signal >= 0).all()
    true_background = sample.truth_with_background.array() - truth
    assert np.abs(background - true_background).mean() < 0.35 * true_background.mean()


def test_subtract_and_keep_come_from_one_fit(sample, fitted):
    """Either setting gives all three: signal, background, and both together."""
    subtracted = denoise(sample.raw, background="subtract", **TOY)
    assert fitted.roles == ("result", "background", "signal")
    assert subtracted.roles == ("result", "background", "kept")
    pairs = [("signal", "result"), ("background", "background"), ("result", "kept")]
    for kept, of_subtracted in pairs:
        one, other = fitted.image(kept).array(), subtracted.image(of_subtracted).array()
        np.testing.assert_array_equal(one, other)


def test_signal_is_what_is_above_the_background_but_for_noise():
    sample = embryo("membranes", size=(24, 64, 64), seed=3)
    fitted = denoise(sample.raw, background="keep", steps=1, estimate="groups")
    kept, background, signal = (image.array() for image in fitted.images[:3])
    above = np.maximum(kept - background, 0)
    assert (signal <= above + 1e-4).all()
    bright = sample.truth.array() > 60
    assert signal[bright].mean() > 0.98 * above[bright].mean()
    nothing = sample.truth.array() < 1
    assert signal[nothing].mean() < 0.5 * above[nothing].mean()


def test_the_fit_is_never_worse_than_its_start(fitted):
    assert fitted.report["held_out"] <= fitted.history[0]["held_out"]


def test_the_same_seed_gives_the_same_bits_and_another_does_not(sample, fitted):
    again = denoise(sample.raw, background="keep", **TOY)
    other = denoise(sample.raw, background="keep", seed=1, **TOY)
    assert (again.images[0].array() == fitted.images[0].array()).all()
    assert (other.images[0].array() != fitted.images[0].array()).any()


def test_the_settings_in_the_result_repeat_it(sample):
    first = denoise(sample.raw, preset="preview", steps=6)
    second = denoise(sample.raw, **first.config.as_dict())
    assert first.config.estimate != "auto"
    assert (first.images[0].array() == second.images[0].array()).all()


def test_brightness_and_units_are_those_of_the_input(sample):
    """Grey levels times 100 give the result times 100: nothing is stretched."""
    brighter = sample.raw.like(sample.raw.array() * 100)
    one = denoise(sample.raw, background="keep", **TOY).images[0].array()
    hundred = denoise(brighter, background="keep", **TOY).images[0].array()
    np.testing.assert_allclose(hundred / 100, one, atol=0.02 * np.ptp(one))


def test_a_plane_and_a_coarse_volume_can_be_previewed(sample):
    requests = iter([PreviewRequest({"Z": 5}), PreviewRequest({}, max_voxels=5000)])

    def ask(progress):
        return next(requests, None) if progress.stage == "fitting" else None

    _, seen = collect(iter_denoise(sample.raw, CellINRConfig(**TOY)), ask)
    plane, volume = [progress for progress in seen if progress.preview is not None]
    assert plane.preview.shape == (1, 48, 48)
    assert plane.preview_index == {"Z": 5}
    assert plane.preview.translate[0] == 5 * sample.raw.scale[0]
    assert np.prod(volume.preview.shape) <= 5000
    factor = volume.preview.scale[0] / sample.raw.scale[0]
    assert factor == volume.preview.scale[2] / sample.raw.scale[2] > 1


def test_the_preview_of_a_plane_is_that_of_the_volume(sample):
    whole, plane = PreviewRequest({}, max_voxels=10**9), PreviewRequest({"Z": 5})
    messages = iter(["pause", whole, plane, "resume"])

    def ask(progress):
        is_fitted = progress.stage in {"fitting", "paused"} and progress.step > 5
        return next(messages, None) if is_fitted else None

    config = CellINRConfig(steps=20, estimate="groups")
    _, seen = collect(iter_denoise(sample.raw.crop(Z=slice(0, 8)), config), ask)
    volume, one = [progress for progress in seen if progress.preview is not None]
    assert volume.step == one.step > 5
    np.testing.assert_allclose(one.preview.array()[0], volume.preview.array()[5], rtol=1e-5)


STAGES = [
    "estimating the noise",
    "initial estimate",
    "comparing the mean brightness",
    "preparing the fit",
    "fitting",
]


@pytest.mark.parametrize("stage", STAGES)
def test_one_stop_gives_the_partial_result_from_any_stage(sample, stage):
    settings = CellINRConfig(steps=100_000, estimate="nlm-5")
    told = []

    def answer(progress):
        if progress.stage == stage and not told:
            told.append(stage)
            return "stop"
        return None

    fitted, _ = collect(iter_denoise(sample.raw, settings), answer)
    assert fitted.stopped == "user"
    assert not fitted.report["converged"]
    assert "it was stopped" in fitted.report["warnings"][-1]
    assert np.isfinite(fitted.images[0].array()).all()
    if stage != "fitting":
        assert fitted.report["steps"] == 0


def test_a_stop_does_not_wait_for_the_noise(sample, monkeypatch):
    """It is estimated again from a small part, and what took long is dropped."""
    real, release, asked, ended = noise.estimate_noise, threading.Event(), [], []

    def slow(values, **how):
        asked.append(values.shape)
        if len(asked) == 1:
            release.wait(60)
            ended.append("the slow one")
        return real(values, **how)

    monkeypatch.setattr("napari_cellinr.methods.cellinr.initial.noise.estimate_noise", slow)
    monkeypatch.setitem(noise.GLANCE, "Z", 8)
    job = iter_denoise(sample.raw, CellINRConfig(estimate="nlm-2"))
    fitted, _ = collect(job, lambda progress: "stop")
    assert not ended
    release.set()
    assert asked == [sample.raw.shape, (8, 48, 48)]
    assert fitted.stopped == "user"
    assert fitted.report["noise"]["read_noise"] > 0


def test_previews_can_be_asked_for_in_every_stage(sample):
    request = PreviewRequest({"Z": 3})
    fitted, seen = collect(iter_denoise(sample.raw, CellINRConfig(**TOY)), lambda _: request)
    assert {"initial estimate", "fitting"} <= {progress.stage for progress in seen}
    assert fitted.stopped in {"steps", "converged"}


def test_a_pause_holds_the_initial_estimate(sample):
    parts = []

    def answer(progress):
        if progress.stage not in {"initial estimate", "paused"}:
            return None
        parts.append(progress.step)
        return "pause" if len(parts) == 1 else "resume" if len(parts) == 8 else None

    collect(iter_denoise(sample.raw, CellINRConfig(steps=1, estimate="nlm-5")), answer)
    assert parts[3] == parts[7] < 100  # a shift that had begun may still be counted


def test_everything_in_the_result_is_on_the_cpu(fitted):
    assert all(value.device == torch.device("cpu") for value in fitted.state.values())


@pytest.mark.parametrize(
    ("shape", "axes"), [((40, 36), "YX"), ((2, 30, 30), "ZYX"), ((5, 3, 40), "ZYX")]
)
def test_small_and_flat_images_work(shape, axes):
    random = np.random.default_rng(0)
    image = Image(random.poisson(20, shape).astype(np.uint16), axes)
    result = denoise(image, **TOY).images[0]
    assert result.shape == shape
    assert np.isfinite(result.array()).all()


def test_frames_and_channels_are_each_denoised():
    frames = [embryo("nuclei", size=(8, 32, 32), seed=seed).raw.array() for seed in (0, 1)]
    image = Image(np.stack([frames, frames[::-1]]), "TCZYX", (2, 1, 0.5, 0.2, 0.2))
    fitted = denoise(image, background="keep", **TOY)
    result = fitted.images[0]
    assert result.shape == image.shape
    assert result.scale == image.scale
    assert len(fitted.report["noise"]) == 4
    single = denoise(Image(frames[1], "ZYX"), background="keep", **TOY).images[0].array()
    assert psnr(result.array()[0, 1], single, 255) > 45
