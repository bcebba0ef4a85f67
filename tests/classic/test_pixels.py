"""Hot and dead pixels are those beyond both limits; saturation is a value of whole bits."""

import numpy as np
import pytest

from napari_cellinr.classic.camera.anscombe import Noise, stabilise
from napari_cellinr.classic.camera.pixels import odd_pixels, saturated_part


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("shape", [(9, 9), (5, 9, 9), (1, 9, 9)])
def test_a_lonely_pixel_beyond_six_standard_deviations_is_replaced(shape, sign):
    centre = tuple(size // 2 for size in shape)
    for height, expected in ((5.9, False), (6.1, True)):
        values = np.ones(shape, np.float32)
        values[centre] += sign * height
        odd, replaced = odd_pixels(values)
        assert odd[centre] == expected
        assert odd.sum() == expected
        assert replaced[centre] == (1 if expected else values[centre])


def test_where_neighbours_differ_it_takes_more():
    for height, expected in ((10.9, False), (13.1, True)):
        values = np.zeros((9, 9), np.float32)
        values[4, 3], values[4, 5] = 1, -2  # three times their range of 3 above the highest
        values[4, 4] = height - 2
        assert odd_pixels(values)[0][4, 4] == expected


def test_read_noise_without_light_is_not_taken_for_dead_pixels():
    generator = np.random.default_rng(0)
    noise = Noise(1.6, 0.0, 94.0)  # as estimated from a background that hardly varies
    array = (103 + 3.5 * generator.standard_normal((200, 200))).astype(np.float32)
    array[50, 50] = 70
    stabilised = stabilise(array, noise)
    assert odd_pixels(stabilised)[0].sum() > 1
    assert np.argwhere(odd_pixels(stabilised, array, noise)[0]).tolist() == [[50, 50]]


@pytest.mark.parametrize("width", [0.45, 0.6])
@pytest.mark.parametrize("noise", [Noise(1.0, 0.001), Noise(0.0, 4.3)])
def test_small_beads_are_not_hot_pixels(width, noise):
    """Also where a gain of 0 was estimated, as chance has it in images of few beads."""
    rows, columns = np.indices((32, 32))
    light = 20 + 2000 * np.exp(-((rows - 16) ** 2 + (columns - 12) ** 2) / 2 / width**2)
    bead = np.random.default_rng(3).poisson(light).astype(np.float32)
    assert not odd_pixels(stabilise(bead, noise), bead, noise)[0].any()
    hot = np.random.default_rng(3).poisson(20.0, (32, 32)).astype(np.float32)
    hot[16, 12] = 2000
    odd = odd_pixels(stabilise(hot, noise), hot, noise)[0]
    assert np.argwhere(odd).tolist() == [[16, 12]]


def test_one_pixel_has_no_neighbours():
    assert not odd_pixels(np.ones((1, 1), np.float32))[0].any()


@pytest.mark.parametrize(
    ("value", "dtype", "part"),
    [
        (255, np.uint8, 0.25),
        (254, np.uint8, 0),
        (1023, np.uint16, 0.25),
        (4095, np.uint16, 0.25),
        (4096, np.uint16, 0),
        (65535, np.uint16, 0.25),
        (32767, np.int16, 0.25),
        (255, np.float32, 0),
    ],
)
def test_saturation(value, dtype, part):
    assert saturated_part(np.array([0, 3, value, 7], dtype)) == part
