"""A fit in tiles is rendered as one: its images, parts of them, and what lies between."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_cellinr import ConfigError, Image, denoise, load_fit, save_fit
from napari_cellinr.api import render
from napari_cellinr.fitting.tiles import cut
from napari_cellinr.methods.cellinr import job
from napari_cellinr.methods.cellinr.tiled import Tiled, joined_tiles
from napari_cellinr.simulate.embryo import embryo

TOY = {"steps": 3, "estimate": "gaussian"}

EXACT = {"rtol": 1e-5, "atol": 1e-3}


def slope(number, start):
    """Return a model whose first value is the place in the whole, the second the tile's number."""

    def model(positions):
        first, second = np.meshgrid(*positions, indexing="ij")
        place = (first + start[0]) + 100 * (second + start[1])
        return place, np.full(place.shape, number)

    return model


@pytest.mark.parametrize("step", [1.0, 0.5, 0.37])
def test_tiles_that_agree_are_the_whole_at_any_positions(step):
    shape, overlap = (30, 21), 8
    blocks = cut(shape, (18, 21), overlap)
    settings, _ = joined_tiles(shape, blocks, [{}] * len(blocks), [{}] * len(blocks), overlap)
    starts = [[part.start for part in block] for block in blocks]
    tiled = Tiled(settings, lambda number: slope(number, starts[number]))
    positions = [np.arange(-0.4, n - 0.6, step) for n in shape]
    place, number = tiled(positions)
    expected = positions[0][:, None] + 100 * positions[1]
    np.testing.assert_allclose(place, expected, rtol=1e-5, atol=1e-4)
    changes = np.diff(number, axis=0)  # and where they do not, one fades into the other
    assert changes.min() >= -1e-6
    assert changes.max() < 0.25 * step  # not 1 at once
    assert set(np.unique(number[[0, -1]])) == {0, len(blocks) - 1}


@pytest.fixture(scope="module")
def tiled():
    """Return two frames in two channels of the size of a tile and a half."""
    real = job.fit_part

    def fit_part(image, config, *rest, **more):
        if math.prod(image.shape) > 4 * 40 * 48:
            raise MemoryError
        return (yield from real(image, config, *rest, **more))

    frames = [embryo("membranes", (4, 40, 72), seed=seed).raw.array() for seed in range(2)]
    image = Image(np.stack(frames)[:, None] * [[[[[1]]], [[[0.6]]]]], "TCZYX")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "fit_part", fit_part)
        patch.setattr(job, "is_coupled", lambda *_: False)
        return denoise(image, bleaching="correct", **TOY)


@pytest.fixture
def kept(tiled, tmp_path):
    save_fit(tmp_path / "tiled.cellinr", tiled)
    return load_fit(tmp_path / "tiled.cellinr")


def test_a_kept_fit_in_tiles_renders_its_images(tiled, kept):
    assert "in 2 tiles of 4×40×44 voxels" in tiled.report["warnings"][0]
    for again, before in zip(render(kept), tiled.images, strict=True):
        np.testing.assert_allclose(again.array(), before.array(), **EXACT)
    assert not any("reached" in name for name in kept.tensors)
    voxels = sum(t.size for name, t in kept.tensors.items() if name.endswith("estimate"))
    assert voxels == 4 * 2 * 4 * 40 * 44  # what tiles hold twice is all that it takes more


def test_a_part_is_that_of_the_whole_at_any_scale(kept):
    for scale in ({}, {"Z": 2, "X": 2}, {"Y": 0.5}):
        whole = render(kept, scale=scale, channel=1, times=(1.0,))
        crop = {"Y": (4, 30), "X": (20, 60)}
        part = render(kept, scale=scale, channel=1, times=(1.0,), crop=crop)
        ends = [[round(e * scale.get(axis, 1)) for e in crop[axis]] for axis in "YX"]
        inside = (..., *(slice(*pair) for pair in ends))
        for one, all_of_it in zip(part, whole, strict=True):
            np.testing.assert_allclose(one.array(), all_of_it.array()[inside], rtol=1e-3, atol=2e-2)


def test_a_finer_lattice_has_no_seam(tiled, kept):
    result = tiled.images[0].array()[0, 0]
    odd = render(kept, scale={"X": 3}, channel=0, times=(0.0,))[0].array()[0]
    np.testing.assert_allclose(odd[..., 1::3], result, **EXACT)  # it passes through the voxels
    finer = render(kept, scale={"X": 2}, channel=0, times=(0.0,))[0].array()[0]
    apart = np.abs(finer.reshape(4, 40, 72, 2).mean(-1) - result).mean((0, 1))
    assert apart[28:44].max() < 2 * apart[4:28].max()  # there the tiles meet


def test_fits_of_older_versions_are_refused(kept):
    old = replace(kept, tensors={f"{i}.tiles": torch.tensor(2).numpy() for i in range(4)})
    with pytest.raises(ConfigError, match="by an older version"):
        render(old)
