"""If the memory is not enough, a job makes do with less, says so, and gives the same picture."""

import math
from copy import copy

import numpy as np
import pytest
import torch

from napari_cellinr import (
    CellINRConfig,
    ConfigError,
    FitError,
    Image,
    denoise,
    reconstruct,
    superresolve,
)
from napari_cellinr.api import iter_denoise, render
from napari_cellinr.fitting.problem import Outcome, finish
from napari_cellinr.methods.cellinr import job
from napari_cellinr.methods.cellinr.costs import first_lengths, tiles
from napari_cellinr.methods.cellinr.frames import Frame
from napari_cellinr.methods.cellinr.tiling import _joined
from napari_cellinr.methods.nstm import job as reconstruct_job
from napari_cellinr.methods.spatime import job as superresolve_job
from napari_cellinr.methods.spatime.channel import ChannelFit
from napari_cellinr.methods.spatime.published import job as superresolve_paper
from napari_cellinr.methods.spatime.series import Series
from napari_cellinr.metrics import psnr
from napari_cellinr.simulate.embryo import embryo

TOY = {"steps": 3, "estimate": "nlm-2"}

ERRORS = [
    MemoryError(),
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
]


@pytest.fixture(scope="module")
def sample():
    return embryo("membranes", (6, 40, 72), seed=2)


@pytest.fixture
def limit(monkeypatch):
    """Return a function that lets only small images, or batches, fit into the memory."""

    def limit(n_voxels, error, batch=math.inf):
        def fit_part(image, config, *rest, **more):
            if math.prod(image.shape) > n_voxels or config.batch > batch:
                raise error
            return (yield from real(image, config, *rest, **more))

        real = job.fit_part
        monkeypatch.setattr(job, "fit_part", fit_part)

    return limit


@pytest.mark.parametrize("error", ERRORS)
def test_an_image_that_is_too_large_is_fitted_in_tiles(sample, limit, error):
    whole = denoise(sample.raw, background="keep", **TOY)
    limit(6 * 40 * 50, error)
    tiled = denoise(sample.raw, background="keep", **TOY)
    assert "fitted in 2 tiles of 6×40×44 voxels, which overlap by 16" in tiled.report["warnings"][0]
    one, other, truth = (
        image.array() for image in (tiled.images[0], whole.images[0], sample.truth_with_background)
    )
    assert psnr(one, truth) > psnr(other, truth) - 0.5
    steps = np.abs(np.diff(one - other, axis=2)).mean((0, 1))  # over 28 … 43 the tiles meet
    assert steps[27:44].max() < 3 * steps.mean() + 1
    for key in ("axes", "shape", "scale", "translate", "name"):
        assert getattr(tiled.images[0], key) == getattr(whole.images[0], key)
    for again, before in zip(render(tiled), tiled.images, strict=True):
        np.testing.assert_allclose(again.array(), before.array(), rtol=1e-5, atol=1e-3)


def test_the_networks_get_smaller_batches(sample, limit):
    limit(math.inf, ERRORS[1], batch=100)
    settings = {"preset": "paper", "steps": 2, "neurons": 4, "points": 8, "batch": 400}
    fitted = denoise(sample.raw, **settings)
    assert "each step used 100 voxels instead of 400" in fitted.report["warnings"][0]
    assert fitted.config.batch == 100


def test_too_little_for_anything_is_an_error_that_says_so(sample, limit):
    limit(100, ERRORS[0])
    with pytest.raises(FitError, match="even for tiles"):
        denoise(sample.raw, **TOY)


def test_other_failures_are_not_taken_for_it(sample, limit):
    limit(100, RuntimeError("shapes do not match"))
    with pytest.raises(FitError, match="shapes do not match"):
        denoise(sample.raw, **TOY)


def test_stopping_between_tiles_leaves_the_rest_as_it_was(sample, limit):
    limit(6 * 40 * 50, ERRORS[0])
    running = iter_denoise(sample.raw, CellINRConfig(background="keep", **TOY))
    with pytest.raises(StopIteration) as end:
        _stop_in(running, "tile 1 of 2")
    fitted = end.value.value
    assert fitted.stopped == "user"
    result, raw = fitted.images[0].array(), sample.raw.array()
    np.testing.assert_array_equal(result[..., 44:], raw[..., 44:])
    assert np.abs(result - raw)[..., :28].mean() > 1
    part = render(fitted, crop={"X": (0, 44)})[0]  # what was reached is there to be rendered
    np.testing.assert_allclose(part.array(), result[..., :44], rtol=1e-5, atol=1e-3)
    with pytest.raises(ConfigError, match="before it reached all of this part"):
        render(fitted)


def _stop_in(running, stage):
    message = None
    while True:
        progress = running.send(message)
        message = "stop" if stage in progress.stage else message


def test_a_series_that_is_too_large_is_denoised_frame_by_frame(limit, monkeypatch):
    def too_large(*_, **__):
        raise MemoryError
        yield

    frames = [embryo("nuclei", (4, 16, 16), seed=seed).raw.array() for seed in (0, 1)]
    monkeypatch.setattr(job, "prepare_series", too_large)
    fitted = finish(iter_denoise(Image(np.stack(frames), "TZYX"), CellINRConfig(steps=1)))
    assert np.isfinite(fitted.images[0].array()).all()
    assert any("frame by frame" in text for text in fitted.report["warnings"])


def test_tiles_are_taken_in_advance_if_less_memory_is_free_than_needed(sample, monkeypatch):
    """A system kills a program that takes too much before it is told: there is no second try."""

    class Poor:
        available = 7.9e6

    monkeypatch.setattr("psutil.virtual_memory", Poor)
    tiled = denoise(sample.raw, **TOY)
    assert "fitted in 2 tiles" in tiled.report["warnings"][0]
    assert tiles(sample.raw, CellINRConfig(), Poor.available) == 2
    assert first_lengths((70, 256, 356), 64e9) == (70, 256, 356)
    assert tiles(Image(np.zeros((70, 256, 356), np.uint8), "ZYX"), CellINRConfig(), 0.75e9) == 4


@pytest.mark.parametrize("error", ERRORS)
def test_networks_of_super_resolution_get_smaller_batches(monkeypatch, error):
    real = superresolve_paper.PublishedSpatimeProblem

    def problem(source, frames, config, device):
        if config.batch > most:
            raise error
        return real(source, frames, config, device)

    monkeypatch.setattr(superresolve_paper, "PublishedSpatimeProblem", problem)
    image = Image(np.random.default_rng(0).random((4, 16, 16), np.float32), "TYX", name="a")
    settings = {"preset": "paper", "steps": 2, "latent": 4, "neurons": 8, "batch": 400}
    most = 100
    fitted = superresolve(image, scale={"T": 2}, device="cpu", **settings)
    assert "steps of 400 voxels, so they had 100" in fitted.report["warnings"][0]
    assert fitted.config.batch == 100
    most = 50
    with pytest.raises(FitError, match="even for steps of 100 voxels"):
        superresolve(image, scale={"T": 2}, device="cpu", **settings)


def frames():
    values = np.random.default_rng(0).random((4, 16, 16), np.float32)
    return Image(values, "TYX", name="a")


SHORT = {"steps": 4, "restart": False, "device": "cpu"}


@pytest.fixture(scope="module")
def usual():
    """A reconstruction with enough memory."""
    return reconstruct(frames(), **SHORT)


@pytest.mark.parametrize("error", ERRORS)
def test_a_reconstruction_does_not_keep_what_it_can_compute_again(monkeypatch, usual, error):
    real = reconstruct_job.NSTMProblem
    enough = True

    def problem(*given, recompute, **named):
        if not (recompute and enough):
            raise error
        return real(*given, recompute=recompute, **named)

    monkeypatch.setattr(reconstruct_job, "NSTMProblem", problem)
    slower = reconstruct(frames(), **SHORT)
    assert "moved scenes were computed twice" in " ".join(slower.report["warnings"])
    for one, other in zip(slower.images, usual.images, strict=True):
        np.testing.assert_allclose(one.array(), other.array(), atol=1e-4)
    enough = False
    with pytest.raises(FitError, match="fit a crop or fewer frames"):
        reconstruct(frames(), **SHORT)


def test_a_reconstruction_leaves_a_gpu_with_too_little_memory(monkeypatch):
    devices = {"cpu": torch.device("cpu"), "auto": torch.device("cuda")}
    monkeypatch.setattr(reconstruct_job, "choose_device", devices.__getitem__)
    real = reconstruct_job.NSTMProblem

    def problem(*given, **named):
        if given[4].type == "cuda":
            raise ERRORS[1]
        return real(*given, **named)

    monkeypatch.setattr(reconstruct_job, "NSTMProblem", problem)
    fitted = reconstruct(frames(), steps=2, restart=False)
    assert fitted.report["device"] == "cpu"
    assert "GPU memory was short" in " ".join(fitted.report["warnings"])


def test_super_resolution_leaves_a_gpu_with_too_little_memory(monkeypatch):
    settings = {"scale": {"t": 2}, "motion": "always", "refinement": 0.1}
    usual = superresolve(frames(), device="cpu", **settings)
    devices = []
    follow = ChannelFit._follow_motion

    def follow_motion(channel, series, interval, *others):
        devices.append((interval, series.device.type))
        if series.device.type == "cuda" and interval == 1:
            raise ERRORS[1]
        series.device = torch.device("cpu")  # there is no GPU here
        yield from follow(channel, series, interval, *others)
        series.device = torch.device(devices[-1][1])

    monkeypatch.setattr(ChannelFit, "_follow_motion", follow_motion)
    monkeypatch.setattr(superresolve_job, "choose_device", lambda _: torch.device("cuda"))
    monkeypatch.setattr("napari_cellinr.methods.spatime.series.Series.frame", frame_on_cpu)
    fitted = superresolve(frames(), **settings)
    assert devices == [(0, "cuda"), (1, "cuda"), (1, "cpu"), (2, "cpu")]
    np.testing.assert_array_equal(fitted.images[0].array(), usual.images[0].array())
    assert fitted.report["steps"] == usual.report["steps"]
    assert set(usual.report["warnings"]) < set(fitted.report["warnings"])
    assert "the memory of the GPU was not enough" in " ".join(fitted.report["warnings"])


FRAME = Series.frame


def frame_on_cpu(series, *arguments):
    """Render a frame as if the device of the series were there."""
    there = copy(series)
    there.device = torch.device("cpu")
    return FRAME(there, *arguments)


def test_the_error_of_tiles_is_their_root_mean_square():
    outcomes = [Outcome("steps", steps, error, ()) for steps, error in ((5, 3.0), (9, 4.0))]
    frames = [Frame((), CellINRConfig(), outcome, {}, {}, {}, "cpu") for outcome in outcomes]
    outcome = _joined(frames, ()).outcome
    assert outcome.held_out == pytest.approx(math.sqrt(12.5))
    assert outcome.steps == 9
