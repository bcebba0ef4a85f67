"""Laws that every registered kind of microscope keeps: what is registered is tested unasked."""

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from kinds import UNUSUAL, case, refusal

from napari_cellinr import NSTMConfig
from napari_cellinr.acquisition import prepare
from napari_cellinr.config.optics import KINDS, optics_from_dict, optics_from_json, table, template
from napari_cellinr.errors import CellINRError, ConfigError
from napari_cellinr.image import UNCALIBRATED, Image
from napari_cellinr.methods.nstm.conventional import conventional
from napari_cellinr.optics.base import ForwardModel

SHAPES = {"YX": (24, 26), "TYX": (3, 24, 26)}
GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "optics.md"


@pytest.fixture(params=list(KINDS))
def kind(request):
    return request.param


@pytest.fixture(scope="module", params=[*KINDS, *UNUSUAL])
def recorded(request, tmp_path_factory):
    """Every kind with its defaults, and some with unusual settings."""
    chosen, settings, image = UNUSUAL.get(request.param, (request.param, {}, {}))
    return case(tmp_path_factory.mktemp("files"), chosen, settings, **image)


@pytest.fixture(scope="module")
def measured(recorded):
    return recorded.measured


@pytest.fixture(scope="module")
def model(measured):
    return measured.model


def scene_of(model, shots, seed=0, dtype=torch.float64):
    """Return a random scene at all times of the shots."""
    size = (len(shots) * model.samples, model.channels, *model.scene_shape)
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(size, generator=generator, dtype=torch.float64).to(dtype)


# The forward model: linear, one shot at a time, without unknowns.


def test_sizes(measured, model):
    assert isinstance(model, ForwardModel)
    assert measured.frames.dtype == np.float32
    assert np.isfinite(measured.frames).all()
    assert measured.frames.shape == model.data_shape
    assert measured.unit > 0
    n_axes = len(model.scene_shape)
    assert len(model.data_shape) == n_axes + 1
    assert len(model.padding) == len(model.zoom) == len(model.loss_margin) == n_axes
    assert len(model.channel_names) == model.channels
    assert measured.voxel is None or len(measured.voxel) == n_axes


def test_times(model):
    """Times are finite, one for each sample, and fit the scene where places have their own."""
    times = model.shot_times()
    assert times.shape[0] == model.n_shots * model.samples
    assert torch.isfinite(times).all()
    if times.ndim > 1:
        sizes = zip(times.shape[1:], model.scene_shape, strict=True)
        assert all(size in (1, whole) for size, whole in sizes)
    frames = model.frame_times()
    assert frames.shape == (model.n_shots,)
    assert times.min() <= frames.min() <= frames.max() <= times.max()


def test_linear(model):
    shots = torch.tensor([model.n_shots - 1, 0])
    first, second = scene_of(model, shots, 0), scene_of(model, shots, 1)
    together = model(2 * first - 3 * second, shots)
    apart = 2 * model(first, shots) - 3 * model(second, shots)
    torch.testing.assert_close(together, apart, rtol=1e-9, atol=1e-9)


def test_gradient_is_the_adjoint(model):
    """<A x, y> is <x, A* y> with A* from the gradient."""
    shots = torch.arange(model.n_shots)
    scene = scene_of(model, shots).requires_grad_()
    frames = model(scene, shots)
    other = torch.randn(frames.shape, dtype=torch.float64, generator=torch.Generator())
    (adjoint,) = torch.autograd.grad((frames * other).sum(), scene)
    again = scene_of(model, shots, 2)
    left = float((model(again, shots) * other).sum())
    assert left == pytest.approx(float((again * adjoint).sum()), rel=1e-9, abs=1e-9)


def test_shots_are_independent(model):
    """A shot is the same alone as in a batch, in any order."""
    shots = torch.arange(model.n_shots).flip(0)
    scene = scene_of(model, shots)
    together = model(scene, shots)
    for place, shot in enumerate(shots):
        part = scene[place * model.samples : (place + 1) * model.samples]
        torch.testing.assert_close(model(part, shot[None])[0], together[place])


def test_a_static_scene_repeats_with_the_set(recorded, model):
    """Without motion, frames of the same pattern are the same."""
    if "T" not in recorded.image.axes:
        return  # the bands of one picture, or one stack: nothing is recorded twice
    shots = torch.arange(model.n_shots)
    still = scene_of(model, shots[:1])[0]
    frames = model(still.expand(model.n_shots * model.samples, *still.shape), shots)
    later = recorded.optics.frames_per_set
    torch.testing.assert_close(frames[later:], frames[:-later])


def test_light_is_kept(recorded, model):
    """A scene of brightness 1 everywhere makes frames of brightness 1, blurred or not."""
    if not any("T" in axes for axes in recorded.optics.AXES):
        return  # patterns of illumination, or a part of the light, change the brightness
    shots = torch.arange(model.n_shots)
    frames = model(torch.ones_like(scene_of(model, shots)), shots)
    torch.testing.assert_close(frames, torch.ones_like(frames), rtol=1e-5, atol=1e-5)


def test_float32_stays_float32(model):
    shots = torch.arange(model.n_shots)
    single = model(scene_of(model, shots, dtype=torch.float32), shots)
    assert single.dtype == torch.float32
    double = model(scene_of(model, shots), shots)
    torch.testing.assert_close(single.double(), double, rtol=1e-3, atol=1e-3)


def test_no_unknowns_on_any_device(recorded):
    model = recorded.measured.model
    assert list(model.parameters()) == []
    on_meta = model.to("meta")
    scene = torch.empty(
        (model.n_shots * model.samples, model.channels, *model.scene_shape), device="meta"
    )
    frames = on_meta(scene, torch.arange(model.n_shots, device="meta"))
    assert frames.shape == model.data_shape
    assert frames.device.type == "meta"


def test_state_round_trip(recorded, model):
    twin = recorded.measured.model
    for buffer in twin.buffers():
        buffer.zero_()
    twin.load_state_dict(model.state_dict())
    shots = torch.arange(model.n_shots)
    scene = scene_of(model, shots)
    assert torch.equal(twin(scene, shots), model(scene, shots))


# The image: what is missing or wrong is refused in one sentence, before a fit.


def test_uncalibrated_images_work_or_are_refused_in_one_sentence(recorded):
    unknown = replace(recorded.image, units=(UNCALIBRATED,) * len(recorded.image.axes))
    fault = refusal(unknown, recorded.optics)
    assert "\n" not in fault
    told = ("not known", "has no frame interval", "neither the optics nor the image state")
    assert fault == "" or any(words in fault for words in told)


def test_missing_values_and_other_axes_are_refused(recorded):
    broken = recorded.image.array().copy()
    broken.flat[5] = np.nan
    with pytest.raises(CellINRError, match="not finite"):
        prepare(recorded.image.like(broken), recorded.optics)
    wrong = {"T": "YX", "C": "TYX", "Y": "TYX"}
    first = recorded.image.axes[0] if recorded.optics.AXES else ""
    if first in wrong:
        values = np.random.default_rng(0).random(SHAPES[wrong[first]])
        with pytest.raises(CellINRError) as caught:
            prepare(Image(values, wrong[first]), recorded.optics)
        assert "\n" not in str(caught.value)


def test_the_conventional_result_lies_where_the_scene_lies(recorded, measured):
    model = measured.model
    result = conventional(recorded.image, NSTMConfig(optics=recorded.optics))
    assert result.dtype == np.float32
    assert np.isfinite(result.array()).all()
    space = "ZYX"[-len(model.scene_shape) :]
    assert result.axes == ("TC" if model.channels > 1 else "T") + space
    inner = [n - 2 * pad for n, pad in zip(model.scene_shape, model.padding, strict=True)]
    assert [result.sizes[axis] for axis in space] == inner
    assert result.sizes.get("C", 1) == model.channels
    steps = measured.voxel or tuple(1 / zoom for zoom in model.zoom)
    assert result.scale[-len(space) :] == pytest.approx(steps)
    assert result.units[-1] == ("micrometer" if measured.voxel else "pixel")


# The settings: explained, bounded, and the same after a trip through JSON.


def test_settings_survive_json(recorded):
    optics = recorded.optics
    assert optics_from_json(optics.as_json()) == optics
    assert optics_from_dict(optics.as_dict()) == optics
    config = NSTMConfig(optics=optics.as_dict())
    assert NSTMConfig.from_json(config.as_json()) == config
    assert config.optics == optics


def test_template_is_complete_and_valid(kind):
    values = json.loads(template(kind))
    helps = values.pop("_help")
    assert set(helps) == set(values) == set(KINDS[kind].model_fields)
    assert optics_from_json(template(kind)).as_dict() == values
    assert values["kind"] == kind


def numbers(kind):
    """Return the names of the settings that are a single number, with their bounds."""
    cls = KINDS[kind]
    for name, info in cls.model_fields.items():
        types = set(get_args(info.annotation) or (info.annotation,)) - {type(None)}
        if types <= {int, float}:
            bounds = {
                word: getattr(rule, word)
                for rule in info.metadata
                for word in ("gt", "ge", "lt", "le")
                if getattr(rule, word, None) is not None
            }
            yield name, bounds


def test_every_setting_is_explained(kind):
    cls = KINDS[kind]
    for name in cls.model_fields:
        assert cls.help(name).rstrip().endswith((".", "…")), name
        if type(None) in get_args(cls.model_fields[name].annotation) and name not in cls.TYPICAL:
            assert "Leave empty" in cls.help(name), name
        if name.endswith(("_time", "_times")):
            assert cls.unit(name) == "s", name
        if name.endswith(("_size", "wavelength", "_fwhm", "_sigma", "periods")):
            assert cls.unit(name) == "µm", name
    assert cls.summary().endswith(".")
    named = {name for words in cls.ESSENTIAL for name in words.split(" or ")}
    assert named <= set(cls.model_fields)
    assert set(cls.FILES) <= set(cls.model_fields)
    for name, bounds in numbers(kind):
        assert bounds or cls.unit(name), name


def test_numbers_out_of_bounds_are_refused_in_one_sentence(kind):
    beyond = {"gt": 0, "ge": -1, "lt": 0, "le": 1}
    usual = KINDS[kind].example().as_dict()
    for name, bounds in numbers(kind):
        for word, bound in bounds.items():
            with pytest.raises(ConfigError, match=f"^{name} = .* was given; .*") as caught:
                optics_from_dict({**usual, name: bound + beyond[word]})
            assert "\n" not in str(caught.value)
        with pytest.raises(ConfigError, match=name):
            optics_from_dict({**usual, name: float("nan")})


def test_the_guide_has_the_table_of_kinds():
    assert table() in GUIDE.read_text("utf-8"), (
        "docs/guide/optics.md has another table of kinds; write it again with "
        "python docs/kinds_table.py"
    )
