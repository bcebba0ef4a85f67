"""The time that a plan says for a part is that of the fit which the part runs."""

import numpy as np
import pytest

from napari_cellinr import Image, write
from napari_cellinr.errors import FitError
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.methods import METHODS, method_of_action
from napari_cellinr.runs.estimates import cost
from napari_cellinr.runs.scale import layout, make
from napari_cellinr.runs.scale.methods import denoise, reconstruct, superresolve, typical
from napari_cellinr.runs.scale.parts import part_job
from napari_cellinr.runs.scale.plan import Part
from napari_cellinr.runs.scale.source import Source

FITS = {
    "denoise": (denoise, "denoise_part"),
    "superresolve": (superresolve, "superresolve_job"),
    "reconstruct": (reconstruct, "reconstruct_job"),
}
"""Where each method calls the fit of a part, with frames and settings as first arguments."""

MOVING = {"optics": {"kind": "time-lapse"}}


class StoppedError(FitError):
    """Ends a part when its fit begins."""


@pytest.fixture
def source(tmp_path):
    data = np.random.default_rng(0).poisson(50, (9, 48, 96)).astype(np.float32)
    write(tmp_path / "in.zarr", Image(data, axes="TYX", units=("second", "pixel", "pixel")))
    return Source(str(tmp_path / "in.zarr"))


@pytest.mark.parametrize(
    ("action", "settings", "width"),
    [
        ("denoise", {}, 96),
        ("denoise", {}, 32),
        ("denoise", {"coupling": False}, 96),
        ("denoise", {"preset": "preview"}, 96),
        ("superresolve", {"scale": {"t": 2}, "motion": "never"}, 96),
        ("superresolve", {"scale": {"t": 2}, "refinement": 0.5}, 32),
        ("reconstruct", MOVING, 96),
        ("reconstruct", MOVING, 32),
    ],
)
def test_it_is_that_of_the_fit(source, tmp_path, monkeypatch, action, settings, width):
    module, name = FITS[action]
    fits = []

    def noted(image, config, *_, **__):
        fits.append((image, config))
        raise StoppedError("the fit began")

    def boxes(image, needs, memory):
        tiles = layout._tiles((48, 96), (48, width), needs)
        blocks = layout.blocks(9, min(4, needs.most_frames))
        return [
            Part(0, frames, layout._near(frames, needs, 9), *tile)
            for frames in blocks
            for tile in zip(*tiles, strict=True)
        ], 1.0

    monkeypatch.setattr(module, "boxes", boxes)
    monkeypatch.setattr(typical, "_chosen", lambda *_: None)
    config = method_of_action(action).config(**settings)
    plan = make.make_plan(action, source, config, {"result": tmp_path / "out.zarr"}, 1e12)
    monkeypatch.setattr(module, name, noted)
    for number in range(len(plan.parts)):
        with pytest.raises(FitError, match="the fit began"):
            finish(part_job(plan, number, Monitor()))
    costs = [cost(plan.method, image, own).seconds for image, own in fits]
    assert plan.seconds == pytest.approx(max(costs), rel=1e-9)


def test_removing_noise_first_counts(source, tmp_path, monkeypatch):
    monkeypatch.setattr(typical, "_chosen", lambda *_: None)
    made = [
        make.make_plan(
            "superresolve",
            source,
            method_of_action("superresolve").config(scale={"t": 2}, noise=noise),
            {"result": tmp_path / "out.zarr"},
            1e12,
        )
        for noise in ("keep", "remove")
    ]
    assert len(made[1].parts) == 1
    first = cost(METHODS["cellinr"], source.image(), denoise_settings(made[1])).seconds
    assert made[1].seconds == pytest.approx(made[0].seconds + first)


def denoise_settings(plan):
    return superresolve._denoising(plan.config)


@pytest.mark.parametrize(
    ("shape", "axes", "measured"),
    [
        ((16, 256, 256), "TYX", 4.9),
        ((16, 512, 512), "TYX", 20),
        ((16, 1024, 1024), "TYX", 77),
        ((5, 12, 64, 64), "TZYX", 2.8),
        ((4, 16, 96, 96), "TZYX", 4.5),
        ((6, 24, 96, 96), "TZYX", 8.7),
    ],
)
def test_a_series_that_is_denoised_together_is_estimated_as_it_was_measured(shape, axes, measured):
    """CPU seconds, those of planes from `docs/benchmarks/scale.md`."""
    image = Image(np.broadcast_to(np.float32(0), shape), axes)
    method = METHODS["cellinr"]
    assert cost(method, image, method.config()).seconds == pytest.approx(measured, rel=0.3)


@pytest.mark.parametrize(
    ("shape", "measured"),
    [
        ((7, 128, 128), 1.34),
        ((16, 256, 256), 7.0),
        ((8, 512, 512), 11.4),
        ((16, 512, 512), 27),
        ((16, 1024, 1024), 101),
        ((8, 16, 96, 96), 8.7),
    ],
)
def test_twice_as_many_frames_are_estimated_as_they_were_measured(shape, measured):
    """CPU seconds, some of `docs/benchmarks/scale.md`."""
    image = Image(np.broadcast_to(np.float32(0), shape), "TYX" if len(shape) == 3 else "TZYX")
    method = METHODS["spatime"]
    found = cost(method, image, method.config(scale={"t": 2})).seconds
    assert found == pytest.approx(measured, rel=0.3)
