"""The model modules of CellINR: known answers, and the same values in fit, file and rendering."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_cellinr import FileError, Image, denoise
from napari_cellinr.api import render
from napari_cellinr.classic.camera.anscombe import Noise, unstabilise
from napari_cellinr.fitting.problem import Outcome
from napari_cellinr.fitting.saved.stored import header_of, stored, stored_of
from napari_cellinr.methods.cellinr.frames import Frame, load_frame, save_frame
from napari_cellinr.methods.cellinr.local_kernels import LocalKernels
from napari_cellinr.methods.cellinr.model import CellINRModel
from napari_cellinr.methods.cellinr.published.model import PublishedModel
from napari_cellinr.methods.cellinr.saved import MODELS
from napari_cellinr.simulate.embryo import embryo, embryo_series

SHAPE = (9, 14, 13)
CAMERA = {"gain": 2.0, "read_noise": 3.0, "offset": 10.0, "grain": 0.0}


def estimate(seed=0):
    return np.random.default_rng(seed).normal(20, 4, SHAPE).astype(np.float32)


def model(**settings):
    """Return a model of an estimate with kernels that are 0 and a background of 25."""
    values = estimate()
    given = {"background": "keep", "noise": CAMERA, "centre": float(values.mean())} | settings
    made = CellINRModel(SHAPE, (4, 4, 4), (3, 5, 5), 10, **given)
    made.estimate = values
    made.background.grids[0].data.fill_(25.0)
    return made


VOXELS = [slice(0, size) for size in SHAPE]


def test_kernels_with_all_weight_on_the_centre_return_the_estimate():
    total, background, signal = model()(VOXELS)
    expected = unstabilise(estimate(), Noise(**CAMERA))
    np.testing.assert_allclose(total, expected, rtol=1e-5)
    np.testing.assert_allclose(background, 25, rtol=1e-6)
    np.testing.assert_allclose(signal, np.maximum(expected - 25, 0), rtol=1e-5, atol=1e-3)


def test_the_weight_of_the_first_convolution_scales_the_contrast():
    """1 + w times the estimate less its mean: the first convolution is the estimate itself."""
    made = model()
    made.kernels.weights.grids[0].data[0] = 0.5
    centre = made.kernels.centre
    with torch.no_grad():
        found = made.stabilised(VOXELS).numpy()
    np.testing.assert_allclose(found - centre, 1.5 * (estimate() - centre), atol=1e-4)


def test_the_weight_of_the_last_convolution_is_added():
    made = model()
    made.kernels.weights.grids[1].data[-1] = 0.25  # of the coarser grid
    with torch.no_grad():
        found = made.stabilised(VOXELS).numpy()
    np.testing.assert_allclose(found, estimate() + 0.25, atol=1e-5)


def random_model(seed=1, **settings):
    made = model(**settings)
    generator = torch.Generator().manual_seed(seed)
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    made.amplification = np.random.default_rng(seed).integers(0, 256, SHAPE).astype(np.uint8)
    return made


def test_a_part_is_that_of_the_whole_with_and_without_a_basis_at_hand():
    made = random_model()
    whole = made(VOXELS)
    part = (slice(2, 7), slice(0, 14), slice(5, 6))
    for again, before in zip(made(part), whole, strict=True):
        np.testing.assert_allclose(again, before[part], rtol=1e-5, atol=1e-4)
    made.hold_basis(made.kernels.basis(made.estimate))
    for again, before in zip(made(VOXELS), whole, strict=True):
        np.testing.assert_array_equal(again, before)
    points = torch.tensor([[0, 0, 0], [8, 13, 12], [3, 7, 5]])
    with torch.no_grad():
        scattered, everywhere = made.stabilised_at(points), made.stabilised(VOXELS)
    np.testing.assert_allclose(scattered, everywhere[tuple(points.T)], rtol=1e-5)


def test_voxel_coordinates_are_those_of_slices():
    made = random_model()
    positions = [np.arange(size, dtype=np.float64) for size in SHAPE]
    for one, other in zip(made(positions), made(VOXELS), strict=True):
        np.testing.assert_array_equal(one, other)


def test_dark_structures_lie_below_the_background_and_a_factor_brightens_all():
    bright, background, signal = random_model(dark=True)(VOXELS)
    assert (signal[bright > background] == 0).all()
    assert (signal[bright < background] >= 0).all()
    for twice, once in zip(
        random_model(dark=True, factor=2.0)(VOXELS), random_model(dark=True)(VOXELS), strict=True
    ):
        np.testing.assert_array_equal(twice, 2 * once)


def test_subtracting_the_background_swaps_the_first_image_and_the_last():
    keep, subtract = (random_model(background=kind)(VOXELS) for kind in ("keep", "subtract"))
    for one, other in zip(keep, reversed(subtract), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_plain_kernel_has_the_estimate_and_a_constant_only():
    kernels = LocalKernels(SHAPE, (4, 4, 4), 2, 1.5)
    basis = kernels.basis(estimate())
    np.testing.assert_array_equal(basis[0], estimate() - np.float32(1.5))
    np.testing.assert_array_equal(basis[1], np.ones(SHAPE))


def test_a_network_of_weight_0_is_dark_everywhere():
    made = PublishedModel(SHAPE, 8, 12.0, 100.0, "keep")
    for parameter in made.parameters():
        parameter.data.zero_()
    (result,) = made(VOXELS)
    np.testing.assert_array_equal(result, np.full(SHAPE, 12.0))
    made.network.last.bias.data.fill_(0.5)
    np.testing.assert_allclose(made(VOXELS)[0], 62.0)
    turned = PublishedModel(SHAPE, 8, -200.0, 100.0, "keep", dark=True)
    turned.load(made.tensors())
    np.testing.assert_allclose(turned(VOXELS)[0], 150.0)  # -(0.5 · 100 - 200)


@pytest.mark.parametrize("make", [random_model, lambda: PublishedModel(SHAPE, 8, 1.0, 2.0, "keep")])
def test_settings_and_tensors_are_the_whole_model(make):
    made = make()
    settings = json.loads(json.dumps(made.settings()))
    again = MODELS[settings.pop("kind")](**settings)
    again.load(made.tensors())
    for one, other in zip(again(VOXELS), made(VOXELS), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.settings() == made.settings()


TOY = {"steps": 3, "estimate": "nlm-2"}
PUBLISHED = {"preset": "paper", "neurons": 8, "steps": 3, "batch": 64, "points": 8}


def volume():
    return embryo("nuclei", (6, 20, 22), seed=1).raw


def series():
    frames = embryo_series("nuclei", (2, 20, 22), 2, bleaching=0.3).raw
    return replace(frames, units=("second", *frames.units[1:]))


FITS = {
    "keep": (volume, TOY | {"background": "keep"}),
    "dark": (volume, TOY | {"dark": True}),
    "published": (volume, PUBLISHED),
    "together": (series, {"bleaching": "correct"}),
    "published series": (series, PUBLISHED | {"bleaching": "correct"}),
    "tiles": (volume, TOY),
}


@pytest.fixture(scope="module", params=FITS)
def fitted(request):
    make, settings = FITS[request.param]
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "tiles":
            patch.setattr("napari_cellinr.methods.cellinr.tiling._lengths", lambda *_: (6, 20, 18))
        return denoise(make(), **settings)


def same_as_fit(images, fitted):
    assert len(images) in {1, len(fitted.images)}  # the published model has no background
    for again, before in zip(images, fitted.images, strict=False):
        np.testing.assert_array_equal(again.array(), before.array())


def test_settings_and_saved_tensors_render_the_images_of_the_fit(fitted):
    """To the bit, and without the report, which is output only."""
    header = json.loads(json.dumps(header_of(fitted) | {"report": {}}))
    tensors = {name: tensor.numpy() for name, tensor in fitted.state.items()}
    same_as_fit(render(stored(header, tensors)), fitted)


def test_a_file_of_version_0_1_renders_the_same(fitted):
    same_as_fit(render(version_0_1(fitted)), fitted)


def version_0_1(fitted):
    """Return a fit as version 0.1 saved it: without settings of a model, some among the tensors."""
    header = header_of(fitted)
    frames = header.pop("model")["frames"]
    tensors = {name: tensor.numpy() for name, tensor in fitted.state.items()}
    for number, settings in enumerate(frames):
        prefix = f"{number}." if len(frames) > 1 else ""
        tensors |= {f"{prefix}{name}": array for name, array in old_tensors(settings).items()}
    return stored(header, tensors)


def old_tensors(settings):
    """Return the tensors that version 0.1 had in the place of settings."""
    found = {"factor": np.array([settings.get("factor", 1)], np.float32)}
    if settings["kind"] == "tiles":
        found["tiles.places"] = np.array([tile["place"] for tile in settings["tiles"]])
        found["tiles.overlap"] = np.array(settings["overlap"])
        for number, tile in enumerate(settings["tiles"]):
            own = old_tensors(tile["model"])
            del own["factor"]
            found |= {f"tiles.{number}.{name}": array for name, array in own.items()}
    elif settings["kind"] == "published":
        found["levels"] = np.array([settings["dark_level"], settings["contrast"]])
    else:
        for name in ("stride", "background_stride", "centre"):
            found[name] = np.array(settings[name])
    return found


def test_settings_of_no_model_are_refused():
    fitted = denoise(Image(volume().array()[3], "YX"), **TOY)
    fit = replace(stored_of(fitted), model={"frames": [{"kind": "local-kernels"}]})
    with pytest.raises(FileError, match="shape"):
        render(fit)


class Memory:
    """A place of a checkpoint that holds one header and its arrays."""

    def save(self, header, arrays):
        self.header = json.loads(json.dumps(header))
        self.arrays = {name: np.asarray(array) for name, array in arrays.items()}

    def load(self):
        return self.header, self.arrays


@pytest.mark.parametrize("old", [False, True])
def test_a_finished_frame_of_a_checkpoint_keeps_its_model(old):
    """A checkpoint of version 0.1 has the settings among the tensors."""
    fitted = denoise(volume(), **TOY)
    (settings,) = fitted.model["frames"]
    outcome, facts = Outcome("steps", 3, 1.0, ()), {"noise": settings["noise"]}
    frame = Frame(fitted.images, fitted.config, outcome, fitted.state, settings, facts, "cpu")
    place = Memory()
    save_frame(place, frame)
    if old:
        del place.header["model"]
        place.arrays |= {f"state.{name}": one for name, one in old_tensors(settings).items()}
    again = load_frame(place, volume(), fitted.config)
    assert again.model == settings
    for name, tensor in fitted.state.items():
        np.testing.assert_array_equal(again.state[name], tensor)
