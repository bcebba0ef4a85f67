"""Every method, preset and microscope on a device that is only pretended.

Nothing may be computed with tensors of two devices, no step may read from the device, and
nothing on `mps` may be float64.
"""

import numpy as np
import pytest
import torch

from napari_cellinr import Image, api
from napari_cellinr.classic import collaborative, groups
from napari_cellinr.errors import FitError
from napari_cellinr.fitting.problem import finish
from napari_cellinr.fitting.saved.query import Query
from napari_cellinr.fitting.saved.stored import stored_of
from napari_cellinr.methods import METHODS
from napari_cellinr.methods.cellinr.initial import estimate
from napari_cellinr.runs.request import CheckpointPlace, RunRequest, start
from napari_cellinr.runs.resume import resume
from napari_cellinr.runs.starts import Continued, New, WarmStart

SETTINGS = {
    "cellinr": {"neurons": 8, "batch": 64},
    "spatime": {"scale": {"T": 2}, "motion": "always", "refinement": 0.1, "batch": 64, "latent": 4},
}
"""Settings that make networks small, and of which a method uses all of its parts."""

AXES = {"cellinr": ("ZYX", "TYX"), "spatime": ("TZYX",), "nstm": ("TYX",)}
"""Axes by method; series without depth are denoised in another way."""


@pytest.fixture(autouse=True)
def few_patches(monkeypatch):
    """Let few patches be compared, since each operation takes long on a pretended device."""
    monkeypatch.setattr(groups, "_SHAPES", dict.fromkeys((1, 2, 3), (3, 1, 3)))
    monkeypatch.setattr(collaborative, "_REACH", 2)
    monkeypatch.setattr(estimate, "search_distance", lambda *_: 1)


def movie(axes="TYX"):
    """Return frames that differ by noise and a small shift."""
    sizes = {"T": 3, "Z": 5, "Y": 12, "X": 12}
    places = dict(zip(axes, np.indices([sizes[axis] for axis in axes]), strict=True))
    clean = 50 + 30 * np.sin((places["X"] + 0.3 * places.get("T", 0)) / 2) * np.cos(places["Y"] / 3)
    noise = np.random.default_rng(0).normal(0, 1, clean.shape)
    scale = {"T": (2.0, "second")}
    known = [scale.get(axis, (0.5, "micrometer")) for axis in axes]
    return Image(np.float32(clean + noise), axes, *zip(*known, strict=True), name="movie")


CASES = [
    pytest.param(method, preset, axes, name, id=f"{method.name}-{preset}-{axes}-{name}")
    for method in METHODS.values()
    for preset in method.config.PRESETS
    for name in (("mps", "cuda") if preset == "preview" else ("mps",))
    for axes in AXES[method.name][: 1 if preset == "preview" else 2]
]


@pytest.mark.parametrize(("method", "preset", "axes", "name"), CASES)
def test_every_method(method, preset, axes, name, pretended):
    device, settings = pretended(name), SETTINGS.get(method.name, {})
    config = method.config(preset=preset, steps=2, device=name, **settings)
    fit = finish(api._fit(method, movie(axes), config, None))
    assert name in fit.report["device"]
    assert device.sent > 0
    assert all(np.isfinite(image.array()).all() for image in fit.images)
    for rendered in api.render(stored_of(fit), Query(), device=name):
        assert np.isfinite(rendered.array()).all()


def test_values_are_those_of_the_cpu(pretended):
    method, image = METHODS["cellinr"], movie("ZYX")
    pretended("mps")
    results = [
        finish(api._fit(method, image, method.config(steps=2, device=name), None)).images[0].array()
        for name in ("mps", "cpu")
    ]
    np.testing.assert_allclose(*results, atol=1e-3)


STARTED_AGAIN = {"cellinr": "ZYX", "spatime": "TYX", "nstm": "TYX"}
"""Axes by method, of which a fit is interrupted in a step."""

QUICK = {"cellinr": {"estimate": "nlm-2"}}
"""Settings by method that make what comes before the steps short."""


@pytest.mark.parametrize("method", [METHODS[name] for name in STARTED_AGAIN], ids=STARTED_AGAIN)
def test_fits_are_resumed_and_continued(method, pretended, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_cellinr.fitting.optimise.REPORT_SECONDS", 0)
    pretended("mps")
    preset = "paper" if method.name == "spatime" else method.config().preset
    settings = {**SETTINGS.get(method.name, {}), **QUICK.get(method.name, {})}
    config = method.config(preset=preset, steps=4, device="mps", **settings)
    image, place = movie(STARTED_AGAIN[method.name]), CheckpointPlace(tmp_path / "job", 0, "")
    job = start(RunRequest(method, image, config, New(), place))
    assert any("fitting" in progress.stage and progress.step >= 2 for progress in job)
    job.close()
    fit = finish(start(resume(tmp_path / "job")))
    assert np.isfinite(fit.images[0].array()).all()
    begun = WarmStart(fit) if method.name == "cellinr" else Continued(fit, 1)
    again = finish(start(RunRequest(method, image, config, begun)))
    assert np.isfinite(again.images[0].array()).all()


def test_motion_is_compared_with_a_static_scene(pretended, monkeypatch):
    monkeypatch.setattr("napari_cellinr.methods.nstm.job.AT_THE_FLOOR", 0)
    pretended("mps")
    method = METHODS["nstm"]
    fit = finish(api._fit(method, movie(), method.config(steps=3, device="mps"), None))
    assert np.isfinite(fit.images[0].array()).all()


# What the pretended device itself refuses.


def test_it_refuses_what_a_gpu_refuses(pretended):
    device = pretended("mps")
    there = torch.ones(3, device="mps")
    assert str(there.device) == "mps:0"
    for mixed in (lambda: there + torch.ones(3), lambda: torch.stack([there, torch.ones(3)])):
        with pytest.raises(RuntimeError, match="and on cpu"):
            mixed()
    for wide in (there.double, lambda: torch.zeros(3, dtype=torch.float64, device="mps")):
        with pytest.raises(TypeError, match="float64"):
            wide()
    for read in (there.numpy, lambda: np.asarray(there)):
        with pytest.raises(TypeError, match="NumPy"):
            read()
    for read in (there.cpu, there.sum().item, lambda: torch.ones(3).copy_(there), there.tolist):
        with device.without_reads(), pytest.raises(AssertionError, match="reads from the device"):
            read()
        read()


def test_it_computes_and_differentiates(pretended):
    pretended("mps")
    layer = torch.nn.Linear(2, 1).to("mps")
    with torch.no_grad():
        layer.weight.fill_(3)
    given = torch.tensor([[1.0, 2.0]]).to("mps")
    layer(given).square().sum().backward()
    assert layer.weight.grad is not None
    expected = 2 * (9 + layer.bias.cpu()) * torch.tensor([1.0, 2.0])
    torch.testing.assert_close(layer.weight.grad.cpu()[0], expected.detach())


def test_an_error_of_a_device_says_what_to_do(pretended, monkeypatch):
    pretended("mps")

    def refuse(*_):
        torch.zeros(3, dtype=torch.float64, device="mps")

    monkeypatch.setattr("napari_cellinr.methods.cellinr.job.check_values", refuse)
    with pytest.raises(FitError, match=r"MPS has no float64.*Try a crop or the device cpu"):
        api.denoise(movie(), device="mps")
