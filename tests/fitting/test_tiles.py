"""Tiles cover an image, and put together they are what the whole would have been."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from napari_cellinr import ConfigError
from napari_cellinr.fitting.tiles import Blend, apply, cut, halved

sizes = st.lists(st.tuples(st.integers(1, 40), st.integers(6, 50)), min_size=1, max_size=3)


@given(sizes, st.integers(0, 5))
def test_blocks_cover_everything_share_enough_and_blend_to_the_whole(pairs, overlap):
    shape, lengths = zip(*pairs, strict=True)
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    blend = Blend(shape, overlap)
    blocks = cut(shape, lengths, overlap)
    for block in blocks:
        part = values[block]
        assert all(n <= length for n, length in zip(part.shape, lengths, strict=True))
        blend.add(block, part)
    np.testing.assert_allclose(blend.result(np.nan), values, rtol=1e-5, atol=1e-5)
    for axis in range(len(shape)):
        starts = sorted({(block[axis].start, block[axis].stop) for block in blocks})
        assert all(stop - start >= overlap for (_, stop), (start, _) in zip(starts, starts[1:]))  # noqa: B905, RUF007


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor(2)])
def test_local_work_is_the_same_in_tiles(executor):
    values = np.random.default_rng(0).normal(size=(30, 41)).astype(np.float32)
    tiled = apply(lambda part: uniform_filter(part, 5), values, (16, 20), 8, executor)
    inside = np.s_[2:-2, 2:-2]  # at a side of a block, which counts a hundredth, it differs
    assert np.abs(tiled - uniform_filter(values, 5))[inside].max() < 0.06
    if executor:
        executor.shutdown()


def test_a_seam_fades():
    blend = Blend((20,), 8)
    for block, value in zip(cut((20,), (14,), 8), (0.0, 1.0), strict=True):
        blend.add(block, np.full(14, value))
    steps = np.diff(blend.result())
    assert steps.min() >= 0
    assert steps.max() < 0.2


def test_what_is_missing_is_filled_in():
    blend = Blend((6,), 1)
    blend.add((slice(0, 3),), np.ones(3))
    np.testing.assert_array_equal(blend.result(np.arange(6)), [1, 1, 1, 3, 4, 5])


def test_the_longest_side_is_halved_until_it_cannot_be():
    assert halved((10, 100), (10, 100), 16) == (10, 58)
    assert halved((10, 16), (10, 16), 16) == (10, 16)
    with pytest.raises(ConfigError, match="longer than their overlap"):
        cut((100,), (10,), 16)
