"""The comparison of a reconstruction with the conventional result on held-out pixels."""

import re

import numpy as np
import pytest
import torch
from random_phase import recording
from scipy.ndimage import gaussian_filter

from napari_cellinr import Image, reconstruct
from napari_cellinr.acquisition import prepare
from napari_cellinr.classic.deconvolve import FADED
from napari_cellinr.config.optics import KINDS, optics_from_dict
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.methods.nstm.checks import conventional
from napari_cellinr.optics.sim import SIMModel

SAID = "The conventional result"
UNITS = ("second", "micrometer", "micrometer")
TYPICAL = {name: KINDS["sim2d"].TYPICAL[name] for name in ("orders", "phases")}
SIM = {
    "kind": "sim2d",
    "wavelength": 0.525,
    "na": 1.2,
    "pixel_size": 0.1,
    "refine": False,
    "modulations": (0.8, 0.8, 0.8),
    **TYPICAL,
}
DPC = {
    "kind": "dpc",
    "wavelength": 0.525,
    "na": 0.25,
    "na_illumination": 0.25,
    "pixel_size": 0.454,
    "rotations": [0, 180, 90, 270],
}


def under_fringes(noise=0.1, side=40):
    """Return frames of spots at rest under structured light."""
    random = np.random.default_rng(0)
    place = (1.0, 0.1, 0.1)
    any_frames = Image(random.random((9, side, side), np.float32), "TYX", place, UNITS)
    model = prepare(any_frames, optics_from_dict(SIM)).model
    scene = gaussian_filter((random.random(model.scene_shape) > 0.97) * 1.0, 1.2, mode="wrap")
    scene = torch.tensor(scene / scene.max(), dtype=torch.float32)
    shots = torch.arange(9)
    frames = model(scene.expand(9, 1, *scene.shape), shots).numpy()
    frames = frames + noise * frames.max() * random.standard_normal(frames.shape)
    return Image((100 * frames).astype(np.float32), "TYX", place, UNITS, name="spots")


def phase_at_rest(noise=0.02):
    frames, _ = recording(((0.0, 0.0), (0.0, 0.0)), side=40, noise=noise)
    return Image((1 + frames).astype(np.float32), "TYX", (1, 0.454, 0.454), UNITS)


def said(result):
    return [text for text in result.report["warnings"] if text.startswith(SAID)]


class Fit:
    """A fit by structured light with known squared errors, of which every second block is held."""

    def __init__(self, squares):
        self.squares = squares
        self.optics = object.__new__(SIMModel)
        blocks = torch.arange(16)[:, None] + torch.arange(16)
        odd = (blocks % 2 == 0).repeat_interleave(4, 0).repeat_interleave(4, 1)
        self.held = odd.expand_as(squares)

    def squared_errors(self):
        return self.squares


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("spread", [0.0, 0.01, 1.0])
def test_it_is_never_said_where_the_fit_has_the_lower_error(seed, spread, monkeypatch):
    """Nor where both are equal, whatever is certain; it is said where the other one is lower."""
    random = torch.Generator().manual_seed(seed)
    fit = Fit(1.5 + torch.rand(9, 64, 64, generator=random))
    change = spread * torch.randn(fit.squares.shape, generator=random)
    change -= change[fit.held].mean()
    for gain, expected in ((-0.2, False), (0.0, False), (0.5, True)):
        usual = fit.squares + change - gain, fit.held
        monkeypatch.setattr(conventional, "conventional_errors", lambda _, usual=usual: usual)
        assert bool(conventional.warnings_of(fit)) == expected


def test_one_block_that_is_much_better_may_be_chance(monkeypatch):
    fit = Fit(torch.full((9, 64, 64), 2.0))
    usual = fit.squares.clone()
    usual[0, :4, :4] = 0.0
    fit.squares[0, :4, :4] = 200.0
    monkeypatch.setattr(conventional, "conventional_errors", lambda _: (usual, fit.held))
    assert conventional.warnings_of(fit) == []


def test_a_fit_of_a_few_steps_is_below_the_wiener_filter_and_says_so():
    result = reconstruct(under_fringes(0.02, 56), SIM, device="cpu", steps=3, moving=False)
    (text,) = said(result)
    theirs, ours = map(float, re.findall(r"(\d+\.\d+) against (\d+\.\d+) σ", text)[0])
    assert theirs < ours
    assert "(Wiener)" in text
    assert "--output conventional=FILE" in text
    assert not result.report["converged"]


def test_motion_that_is_wrong_is_named():
    """Much too fast a rate moves what is at rest."""
    settings = {"steps": 20, "restart": False, "check_motion": False, "motion_rate": 100.0}
    settings["out_of_focus"] = "off"  # another attempt would find better motion by chance
    assert said(reconstruct(under_fringes(0.02), SIM, device="cpu", **settings))


@pytest.mark.parametrize(
    ("make", "optics", "steps"), [(under_fringes, SIM, 300), (phase_at_rest, DPC, 540)]
)
def test_a_good_fit_is_not_below_the_conventional_result(make, optics, steps):
    result = reconstruct(make(), optics, device="cpu", steps=steps, moving=False)
    assert result.report["warnings"] == []


def test_it_sees_what_the_fit_predicts_instead_of_held_out_pixels(monkeypatch):
    """And edges at which the Wiener filter fades are not compared."""
    kept = {}

    def noted(problem):
        kept["problem"], (_, kept["compared"]) = problem, compare(problem)
        return compare(problem)

    def filtered(measurement):
        kept["frames"] = measurement.frames
        return scenes_of(measurement)

    compare, scenes_of = conventional.conventional_errors, conventional.scenes_of
    monkeypatch.setattr(conventional, "conventional_errors", noted)
    monkeypatch.setattr(conventional, "scenes_of", filtered)
    reconstruct(under_fringes(), SIM, device="cpu", steps=2, moving=False)
    problem, held = kept["problem"], kept["problem"].held.numpy()
    recorded = problem.measurement.frames
    np.testing.assert_array_equal(kept["frames"][~held], recorded[~held])
    predicted = recorded + problem.residual().numpy()
    np.testing.assert_allclose(kept["frames"][held], predicted[held], rtol=1e-6)
    compared = kept["compared"].numpy()
    assert compared.any()
    assert not (compared & ~held).any()
    inner = np.zeros_like(held)
    inner[:, FADED:-FADED, FADED:-FADED] = True
    np.testing.assert_array_equal(compared, held & inner)


@pytest.mark.parametrize(
    "raised", [MemoryError(), RuntimeError("out of memory"), ValueError("of any kind")]
)
def test_whatever_goes_wrong_the_result_is_there(raised, monkeypatch):
    def failing(_):
        raise raised

    image = phase_at_rest()
    settings = {"device": "cpu", "steps": 3, "moving": False}
    usual = reconstruct(image, DPC, **settings)
    monkeypatch.setattr(conventional, "conventional_errors", failing)
    failed = reconstruct(image, DPC, **settings)
    assert said(usual)
    assert not said(failed)
    np.testing.assert_array_equal(usual.images[0].array(), failed.images[0].array())


@pytest.mark.parametrize("what", ["stopped", "late", "no memory", "other optics"])
def test_it_is_skipped(what, monkeypatch):
    monkeypatch.setattr(conventional, "warnings_of", lambda _: ["said"])
    fit, monitor = Fit(torch.zeros(1, 64, 64)), Monitor()
    fit.optics.__dict__.update(carriers=torch.zeros(3, 2), scene_shape=(64, 64))
    assert finish(conventional.conventional_warnings(fit, monitor)) == ["said"]
    monitor.stopped = what == "stopped"
    if what == "late":
        monitor.deadline = 0.0
    if what == "no memory":
        monkeypatch.setattr(conventional, "available_memory", lambda: 1000)
    if what == "other optics":
        fit.optics = object()
    assert finish(conventional.conventional_warnings(fit, monitor)) == []
