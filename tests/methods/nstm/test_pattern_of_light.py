"""The pattern of structured light that is fitted with the scene, and light that has none."""

import math

import numpy as np
import pytest
import torch

from napari_cellinr import Image, reconstruct
from napari_cellinr.acquisition import prepare
from napari_cellinr.config.optics import optics_from_dict
from napari_cellinr.errors import ConfigError
from napari_cellinr.optics.sim import ADJUSTABLE, CONTRAST_UNIT, SIMModel

SIDE, PIXEL, PERIOD, ANGLES = 48, 0.08, 0.25, (12.0, 72.0, 132.0)
PLACE, UNITS = (1.0, PIXEL, PIXEL), ("second", "micrometer", "micrometer")
PHASES = [
    [
        40.0 * carrier + 120.0 * (place % 3) if place // 3 == carrier else None
        for carrier in range(3)
    ]
    for place in range(9)
]
OPTICS = {
    "kind": "sim2d",
    "wavelength": 0.525,
    "na": 1.2,
    "pixel_size": PIXEL,
    "orders": [[PERIOD, angle] for angle in ANGLES],
    "phases": PHASES,
}
KNOWN = {**OPTICS, "refine": False, "modulations": [0.8] * 3}


def model_of(optics=KNOWN, frames=None):
    random = np.random.default_rng(0)
    values = random.random((9, SIDE, SIDE), np.float32) if frames is None else frames
    return prepare(Image(values, "TYX", PLACE, UNITS), optics_from_dict(optics)).model


def scenes(speed=(0.0, 0.0), seed=0):
    """Return spots that drift by `speed` scene pixels per frame, (9, 1, Y, X)."""
    random = np.random.default_rng(seed)
    grid = np.mgrid[: 2 * SIDE, : 2 * SIDE].astype(float)
    spots = random.uniform(20, 2 * SIDE - 20, (50, 2)), random.uniform(1, 2, 50)
    found = np.zeros((9, 1, 2 * SIDE, 2 * SIDE), np.float32)
    for frame in range(9):
        for place, width in zip(*spots, strict=True):
            y, x = place + frame * np.array(speed)
            distance = (grid[0] - y) ** 2 + (grid[1] - x) ** 2
            found[frame, 0] += np.exp(-0.5 * distance / width**2)
    return torch.from_numpy(found / found.max())


def recording(scene, *, light=0.0, noise=0.01, model=None):
    """Return frames with noise, and with a part of `light` that has no pattern."""
    model = model or model_of()
    with torch.no_grad():
        frames = model(scene, torch.arange(9)).numpy()
    grid = np.mgrid[:SIDE, :SIDE] / SIDE
    smooth = 1 + 0.3 * np.sin(3 * grid[0]) * np.cos(2 * grid[1])
    frames = frames + light / (1 - light) * frames.mean() * smooth if light else frames
    frames = frames + noise * frames.max() * np.random.default_rng(1).normal(size=frames.shape)
    return Image((1000 * frames).astype(np.float32), "TYX", PLACE, UNITS, name="spots")


def test_a_pattern_with_differences_is_that_of_a_model_with_other_values():
    model, shots = model_of({**OPTICS, "modulations": None}), torch.arange(9)
    assert model.adjusts == ADJUSTABLE
    with torch.no_grad():
        for parameter, size in zip(model.adjustable(), (0.3, 0.1, 0.05), strict=True):
            parameter.copy_(size * torch.randn(parameter.shape))
        carriers, phases, contrasts = model.light()
        other = SIMModel(
            model.data_shape, model.times, carriers, phases, contrasts, model.transfers,
            model.groups,
        )  # fmt: skip
        torch.testing.assert_close(model.fringes(shots), other.fringes(shots))
        moved = model.carrier_shift / SIDE
        torch.testing.assert_close(carriers, model.carriers + moved)
        middle = model.phases + 2 * math.pi * model.phase_shift
        at_middle = phases + 2 * math.pi * (moved * (SIDE - 1) / 2).sum(1)
        torch.testing.assert_close(at_middle, middle)
        expected = model.contrasts * torch.exp(CONTRAST_UNIT * model.contrast_shift)
        torch.testing.assert_close(contrasts, expected)


@pytest.mark.parametrize(
    ("given", "adjusts"),
    [
        ({}, ADJUSTABLE),
        ({"modulations": [0.8] * 3}, ADJUSTABLE[:2]),
        ({"refine": False}, ADJUSTABLE[2:]),
        ({"refine": False, "modulations": [0.8] * 3}, ()),
    ],
)
def test_what_is_given_is_not_fitted(given, adjusts):
    frames = np.random.default_rng(0).random((9, SIDE, SIDE), np.float32)
    assert model_of({**OPTICS, **given}, frames).adjusts == adjusts


def test_the_pattern_is_found_although_the_specimen_moves():
    """Before the fit, it is wrong by more than a tenth of a period over the field."""
    scene = scenes(speed=(0.6, -0.4))
    frames = recording(scene)
    true = model_of().carriers.numpy()
    before = model_of({**OPTICS, "modulations": [0.8] * 3}, np.asarray(frames.array()))
    wrong = np.abs(before.carriers.numpy() - true).max() * SIDE
    found = reconstruct(
        frames, {**OPTICS, "modulations": [0.8] * 3}, device="cpu", steps=300, check_motion=False
    )
    light = found.report["illumination"]
    now = np.abs(np.array(light["carriers"]) - true).max() * SIDE
    assert wrong > 0.1
    assert now < 0.04
    for place, row in enumerate(light["phases"]):
        off = (row[place // 3] - PHASES[place][place // 3] + 180) % 360 - 180
        assert abs(off) < 6 + 360 * now
    likeness = np.corrcoef(np.asarray(found.image("result").array()).ravel(), scene.numpy().ravel())
    assert likeness[0, 1] > 0.98


def test_light_from_out_of_focus_is_told_by_the_pattern_that_it_lacks():
    scene = scenes()
    frames = recording(scene, light=0.85)
    settings = {"device": "cpu", "steps": 300, "moving": False, "unexplained": "off"}
    without, found = (
        reconstruct(frames, KNOWN, **settings, out_of_focus=part) for part in ("off", "auto")
    )
    assert found.report["out_of_focus"] == pytest.approx(0.85, abs=0.12)
    assert without.report["out_of_focus"] == 0.0
    assert found.report["held_out"] < 0.8 * without.report["held_out"]
    truth = scene.numpy().ravel()
    errors = [
        np.abs(np.asarray(one.image("result").array()).ravel() / 1000 - truth).mean()
        for one in (without, found)
    ]
    assert errors[1] < 0.3 * errors[0]


def test_light_from_out_of_focus_is_refused_where_no_pattern_tells_it():
    image = Image(np.random.default_rng(0).random((4, 24, 24), np.float32), "TYX", PLACE, UNITS)
    with pytest.raises(ConfigError, match="out_of_focus=on was given; it needs planes under"):
        reconstruct(image, "time-lapse", device="cpu", steps=2, out_of_focus="on")


def test_all_light_has_the_pattern_where_that_explains_the_frames():
    found = reconstruct(recording(scenes()), KNOWN, device="cpu", steps=300, moving=False)
    assert found.report["out_of_focus"] == 0.0
    assert [one["attempt"] for one in found.report["attempts"]] == ["as given"]
