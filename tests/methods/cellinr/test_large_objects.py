"""Large, evenly stained objects are kept, or subtracted as background: a warning says which."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, gaussian_filter

from napari_cellinr import Image, denoise
from napari_cellinr.classic.background import physical_widths
from napari_cellinr.methods.cellinr.initial import large
from napari_cellinr.methods.cellinr.initial.large import large_objects, width_beyond
from napari_cellinr.methods.cellinr.initial.part import KEPT_WARNING, LARGE_WARNING
from napari_cellinr.simulate.embryo import add_noise

WIDTH = 15.0
NOISE = 3.5
QUICK = {"steps": 8, "estimate": "nlm-2", "rounds": 0}


def ball(shape, radius):
    """Return an evenly stained ball or disc in the middle of an image, 0 to 1."""
    places = np.meshgrid(*(np.arange(size) - size / 2 for size in shape), indexing="ij")
    inside = sum(place**2 for place in places) < radius**2
    return gaussian_filter(inside.astype(np.float32), 0.8)


def found_in(light, noise=NOISE):
    """Return where large objects are in denoised light in grey levels, with a little noise left."""
    values = light + np.random.default_rng(0).normal(0, 0.3, light.shape)
    sampling = (1.0,) * light.ndim
    return large_objects(np.float32(values), sampling, physical_widths(WIDTH, sampling), noise)


@pytest.mark.parametrize(("shape", "radius"), [((40, 64, 64), 16), ((128, 128), 30)])
def test_a_large_object_is_found_where_it_is(shape, radius):
    object_ = ball(shape, radius)
    found = found_in(50 * object_)
    assert found is not None
    assert found[object_ > 0.9].mean() > 0.95
    assert not found[ball(shape, radius + 3) < 0.1].any()


@pytest.mark.parametrize("width", [8, 20])
def test_wide_light_without_edges_is_none(width):
    assert found_in(gaussian_filter(100 * ball((160, 160), 30), width)) is None


def test_objects_in_the_noise_and_in_tiny_images_are_none():
    assert found_in(50 * ball((128, 128), 30), noise=12.0) is None
    assert found_in(50 * ball((60, 128), 25)) is None


def test_a_dimmer_object_beside_a_bright_one_is_found_too():
    light = np.concatenate([80 * ball((96, 96), 25), 30 * ball((96, 96), 25)], axis=1)
    found = found_in(light)
    assert found is not None
    assert found[48, 48]
    assert found[48, 144]
    assert not found[48, 96]


def test_many_objects_are_looked_at_one_by_one_without_the_rest_of_the_image(monkeypatch):
    """Each with the whole image took 15 seconds for 100 objects of 1024 × 1024 pixels."""
    sizes = []

    def noted(mask, *arguments, **options):
        sizes.append(mask.size)
        return distance_transform_edt(mask, *arguments, **options)

    monkeypatch.setattr(large, "distance_transform_edt", noted)
    light = np.tile(60 * ball((64, 64), 20), (6, 6))
    found = found_in(light)
    assert found is not None
    assert found.mean() == pytest.approx(np.pi * 20.5**2 / 64**2, rel=0.1)
    assert sum(sizes) < 10 * light.size


def test_small_structures_are_none():
    light = np.random.default_rng(0).random((128, 128)) < 0.01
    assert found_in(400 * gaussian_filter(light.astype(np.float32), 1.5), noise=1.0) is None


def recorded(light):
    """Return grey levels of a camera."""
    raw = np.round(add_noise(light + 3, 2, 3, np.random.default_rng(1)) + 100)
    return raw.astype(np.uint16)


KEPT, BRIGHT, DARK = (
    KEPT_WARNING.split("{}")[1][:30],
    *map(LARGE_WARNING.format, ("bright", "dark")),
)


def kept_of(fitted):
    """Return the warnings that a large object was kept."""
    return [text for text in fitted.report["warnings"] if KEPT in text]


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("haze", [0, 15])
def test_a_large_object_is_kept_and_that_is_said(uneven, haze):
    """Nine tenths of it would be taken for background otherwise."""
    light = 60 * ball((96, 96), 24)
    light *= np.linspace(0.4, 1, 96, dtype=np.float32) if uneven else 1
    wide = haze * gaussian_filter(ball((96, 96), 40), 20)
    fitted = denoise(Image(recorded(light + wide), axes="YX"), **QUICK)
    inside = ball((96, 96), 20) > 0.9
    found = fitted.images[0].array()[inside].mean() / light[inside].mean()
    assert found == pytest.approx(1, abs=0.2)
    (text,) = kept_of(fitted)
    assert "evenly bright object" in text
    assert BRIGHT not in fitted.report["warnings"]


def test_a_width_that_is_given_decides():
    image = Image(recorded(60 * ball((96, 96), 24)), axes="YX")
    fitted = denoise(image, background_width=WIDTH, **QUICK)
    assert BRIGHT in fitted.report["warnings"]
    assert not kept_of(fitted)
    middle = fitted.images[0].array()[40:56, 40:56].mean()
    assert middle < 15
    kept = denoise(image, background="keep", **QUICK)
    assert BRIGHT not in kept.report["warnings"]
    assert not kept_of(kept)


@pytest.mark.parametrize("dark", [False, True])
def test_the_warning_names_a_dark_object_dark(dark):
    light = 60 * ball((96, 96), 24)
    values = 100 + np.where(dark, -light, light) + np.random.default_rng(1).normal(0, 3, (96, 96))
    image = Image(values.astype(np.float32), axes="YX")
    given = {"dark": dark, "gain": 1e-9, "read_noise": 3, **QUICK}
    told = denoise(image, background_width=WIDTH, **given).report["warnings"]
    assert (DARK in told, BRIGHT in told) == (dark, not dark)
    (text,) = kept_of(denoise(image, **given))
    assert ("evenly dark object" in text) == dark


@pytest.mark.parametrize(("shape", "radius"), [((40, 64, 64), 12), ((128, 128), 30)])
def test_the_width_of_an_opening_that_removes_objects(shape, radius):
    """More than their diameter, in physical length: half as many voxels of twice the size."""
    light = np.float32(50 * ball(shape, radius))
    width = width_beyond(light, light > 25, (1.0,) * light.ndim)
    assert 2 * radius < width < 4 * radius
    coarse = width_beyond(light, light > 25, (2.0,) * light.ndim)
    assert coarse == width
    if light.ndim == 3:
        flat = width_beyond(light[::2], light[::2] > 25, (2.0, 1.0, 1.0))
        assert flat == pytest.approx(width, abs=4)


def test_there_is_no_such_width_where_no_background_is_seen_beside_the_object():
    light = np.float32(50 * ball((96, 96), 40))
    assert width_beyond(light, light > 25, (1.0, 1.0)) is None


def test_out_of_focus_light_is_subtracted_without_a_warning():
    light = gaussian_filter(60 * ball((96, 96), 24), 12)
    fitted = denoise(Image(recorded(light), axes="YX"), **QUICK)
    assert BRIGHT not in fitted.report["warnings"]
    assert not kept_of(fitted)


def test_of_a_series_it_is_said_once_and_all_frames_have_the_same_width():
    series = np.stack([recorded(60 * ball((96, 96), 24))] * 4)
    fitted = denoise(Image(series, axes="TYX"), preset="preview", steps=2)
    assert len(kept_of(fitted)) == 1
    assert BRIGHT not in fitted.report["warnings"]
    middles = fitted.images[0].array()[:, 40:56, 40:56].mean((1, 2))
    assert middles.min() > 50
    assert np.ptp(middles) < 3
