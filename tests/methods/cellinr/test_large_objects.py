"""Large, evenly stained objects are no background; wide light without edges is."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, gaussian_filter

from napari_cellinr import Image, denoise
from napari_cellinr.classic.background import physical_widths
from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.methods.cellinr.initial import large
from napari_cellinr.methods.cellinr.initial.background import Denoised, Levels, separate
from napari_cellinr.methods.cellinr.initial.large import large_objects
from napari_cellinr.simulate.embryo import add_noise

NOISE = Noise(2.0, 3.0, 100.0)
WIDTH = 15.0


def ball(shape, radius):
    """Return an evenly stained ball or disc in the middle of an image, 0 to 1."""
    places = np.meshgrid(*(np.arange(size) - size / 2 for size in shape), indexing="ij")
    inside = sum(place**2 for place in places) < radius**2
    return gaussian_filter(inside.astype(np.float32), 0.8)


def denoised(light, *, sign=1, levels=None, alone=True, seed=0):
    """Return what denoising leaves of light in grey levels: a little noise."""
    noise = np.random.default_rng(seed).normal(0, 0.3, light.shape)
    values = np.asarray(103 + sign * light + noise, np.float32)
    nothing = np.zeros_like(values)
    scale = (1.0,) * light.ndim
    return Denoised(values, nothing, NOISE, scale, sign, levels=levels, alone=alone)


def taken(image, separated):
    """Return the mean background at the brightest places, in grey levels above the dark."""
    pairs = zip(image.values.shape, separated.stride, strict=True)
    middle = tuple(size // 2 // step for size, step in pairs)
    return abs(float(separated.background[middle]) - 103)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("shape", "radius"), [((40, 64, 64), 16), ((128, 128), 30)])
def test_a_large_object_is_kept(shape, radius, sign):
    image = denoised(50 * ball(shape, radius), sign=sign)
    separated = separate(image, WIDTH)
    assert separated.objects is not None
    assert taken(image, separated) < 3
    assert separated.amplification[tuple(size // 2 for size in shape)] == 255


@pytest.mark.parametrize("width", [8, 20])
def test_wide_light_without_edges_is_background(width):
    image = denoised(gaussian_filter(100 * ball((160, 160), 30), width))
    separated = separate(image, WIDTH)
    assert separated.objects is None
    assert taken(image, separated) > 30


def test_a_dimmer_object_beside_a_bright_one_is_kept_too():
    shape = (96, 192)
    light = np.concatenate([60 * ball((96, 96), 25), 20 * ball((96, 96), 25)], axis=1)
    found = large_objects(np.float32(light), (1, 1), physical_widths(WIDTH, (1, 1)), 3.5)
    assert found is not None
    assert found.shape == shape
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
    found = large_objects(light, (1, 1), physical_widths(WIDTH, (1, 1)), 3.5)
    assert found is not None
    assert found.mean() == pytest.approx(np.pi * 20**2 / 64**2, rel=0.1)
    assert sum(sizes) < 10 * light.size


def test_small_structures_are_left_to_the_opening():
    light = np.random.default_rng(0).random((128, 128)) < 0.01
    light = 400 * gaussian_filter(light.astype(np.float32), 1.5)
    assert large_objects(light, (1, 1), physical_widths(WIDTH, (1, 1)), 1.0) is None


def test_in_a_part_of_a_recording_nothing_is_kept_that_its_neighbours_do_not_see():
    levels = Levels(dim=False, rounds=((0.0, 0.1),) * 4, left=0.1)
    image = denoised(50 * ball((128, 128), 30), levels=levels, alone=False)
    separated = separate(image, WIDTH)
    assert separated.objects is not None  # for the warning
    assert taken(image, separated) > 40


def test_the_signal_of_an_evenly_stained_disc_survives():
    """Nine tenths of it were taken for background, without a word."""
    stained = ball((96, 96), 24)
    raw = np.round(add_noise(60 * stained + 3, 2, 3, np.random.default_rng(1)) + 100)
    fitted = denoise(Image(raw.astype(np.uint16), axes="YX"), steps=8, estimate="nlm-2", rounds=0)
    inside = stained > 0.9
    assert fitted.image("result").array()[inside].mean() == pytest.approx(60, rel=0.06)


def test_in_a_series_large_objects_do_not_flicker():
    """The contrast is near the limit, so that a decision of each frame alone would change it."""
    generator = np.random.default_rng(0)
    spots = gaussian_filter((generator.random((48, 48)) < 0.02).astype(float), 2)
    raw = generator.poisson(np.stack([30 + 150 * spots / spots.max()] * 4)).astype(np.uint16)
    settings = {"preset": "preview", "steps": 2, "bleaching": "correct"}
    result = denoise(Image(raw, "TYX"), background="keep", **settings).images[0].array()
    assert np.ptp(result.mean((1, 2))) < 2
