"""Impulse noise and hot columns: named, and the result is as without them."""

import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr import denoise
from napari_cellinr.image import Image

SHAPE = (5, 48, 48)


def truth():
    generator = np.random.default_rng(0)
    values = np.zeros(SHAPE)
    for place in generator.uniform(0, 1, (30, 3)) * SHAPE:
        values[tuple(place.astype(int))] += 1500
    return 100 + gaussian_filter(values, (0.6, 1.2, 1.2))


def clean():
    return (60 + np.random.default_rng(1).poisson(truth() - 60)).astype(np.uint16)


def result(values, axes="ZYX", **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image(values, axes=axes)
        fitted = denoise(image, preset="preview", background="keep", **settings)
    return fitted.images[0].array(), [str(text) for text in fitted.report["warnings"]]


def error(found, expected):
    return float(np.sqrt(np.mean((found - expected) ** 2)))


def with_impulses(values, highest):
    mask = np.random.default_rng(2).random(values.shape) < 0.03
    return np.where(mask, np.random.default_rng(3).choice([0, highest], values.shape), values)


KINDS = {
    "uint16": (np.uint16, 1, 65535),
    "uint8": (np.uint8, 0.5, 255),
    "float32": (np.float32, 1e-3, 1),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axes", ["ZYX", "TYX"])
def test_impulse_noise_is_named_and_replaced(kind, axes):
    dtype, scale, highest = KINDS[kind]
    values = (clean() * scale).clip(0, highest).astype(dtype)
    usual, texts = result(values, axes)
    assert not any("impulse" in text for text in texts)
    found, texts = result(with_impulses(values, highest).astype(dtype), axes)
    assert error(found, truth() * scale) < 1.2 * error(usual, truth() * scale)
    assert any("impulse noise" in text for text in texts)
    assert not any("saturated" in text for text in texts)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axes", ["ZYX", "TYX"])
def test_a_hot_column_is_named_and_subtracted(kind, axes):
    dtype, scale, highest = KINDS[kind]
    values = (clean() * scale).clip(0, highest).astype(dtype)
    usual, _ = result(values, axes)
    hot = values.copy()
    hot[..., 17] += dtype(40 * scale)
    found, texts = result(hot, axes)
    assert error(found, truth() * scale) < 1.05 * error(usual, truth() * scale)
    assert any("1 hot or dead column of the camera (column 17" in text for text in texts)


def test_only_the_channel_with_a_fault_is_changed():
    both = np.stack([clean(), clean()[::-1]])
    usual, _ = result(both, "CZYX")
    faulty = both.copy()
    faulty[1, :, :, 17] += 40
    faulty[1] = with_impulses(faulty[1], 65535)
    found, texts = result(faulty, "CZYX")
    assert np.array_equal(found[0], usual[0])
    assert error(found[1], truth()[::-1]) < 1.2 * error(usual[1], truth()[::-1])
    assert any("of channel 2 are single ones" in text for text in texts)
    assert any("column of the camera in channel 2" in text for text in texts)


def test_a_hot_column_of_one_plane_is_named_with_it():
    hot = clean()
    hot[2, :, 17] += 60
    usual, _ = result(clean())
    found, texts = result(hot)
    assert error(found, truth()) < 1.05 * error(usual, truth())
    assert any("in plane 3 (column 17" in text for text in texts)


def test_offsets_are_kept_where_that_is_asked_for():
    hot = clean()
    hot[:, :, 17] += 100
    found, texts = result(hot, pattern="none")
    assert not any("column of the camera" in text for text in texts)
    assert float(np.median(found[:, :, 17])) > 80
