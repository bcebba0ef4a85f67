"""A kept fit of CellINR renders what the fit gave, and what lies between its voxels."""

import numpy as np
import pytest

from napari_cellinr import AxesError, ConfigError, FileError, Image, denoise
from napari_cellinr.api import render
from napari_cellinr.fitting.saved.query import Query
from napari_cellinr.fitting.saved.stored import header_of, stored
from napari_cellinr.io import load_fitted, save_fitted
from napari_cellinr.simulate.embryo import embryo, embryo_series

TOY = {"steps": 4, "estimate": "nlm-2"}


def kept(fitted, folder):
    path = folder / "fit.cellinr"
    save_fitted(path, header=header_of(fitted), tensors=fitted.state)
    return stored(*load_fitted(path))


@pytest.fixture(scope="module")
def fitted():
    return denoise(embryo("membranes", (12, 40, 44), seed=3).raw, **TOY)


@pytest.fixture
def stack(fitted, tmp_path):
    return kept(fitted, tmp_path)


def test_nothing_asked_gives_the_result_of_the_fit(fitted, stack):
    for again, before in zip(render(stack), fitted.images, strict=True):
        np.testing.assert_allclose(again.array(), before.array(), atol=1e-2)
        for key in ("axes", "shape", "scale", "units", "translate", "name"):
            assert getattr(again, key) == getattr(before, key)


@pytest.mark.parametrize("preset", [{"background": "keep"}, {"preset": "paper", "neurons": 8}])
def test_other_settings_are_rendered_too(tmp_path, preset):
    settings = {**TOY, "batch": 64, "points": 8} | preset
    raw = embryo("nuclei", (6, 20, 22), seed=1).raw
    before = denoise(raw, **settings).images[0]
    fit = kept(denoise(raw, **settings), tmp_path)
    np.testing.assert_allclose(render(fit)[0].array(), before.array(), atol=1e-2)
    assert render(fit, Query(scale={"Z": 2}))[0].shape == (12, 20, 22)


def test_a_finer_lattice_lies_in_the_same_place_and_holds_the_same_light(fitted, stack):
    before = fitted.images[0]
    finer = render(stack, Query(scale={"z": 2.5, "X": 2}))[0]
    assert finer.shape == (30, 40, 88)
    assert finer.scale == pytest.approx(
        (before.scale[0] / 2.5, *before.scale[1:2], before.scale[2] / 2)
    )
    low = [t - s / 2 for t, s in zip(finer.translate, finer.scale, strict=True)]
    assert low == pytest.approx(
        [t - s / 2 for t, s in zip(before.translate, before.scale, strict=True)]
    )
    assert finer.array().mean() == pytest.approx(before.array().mean(), rel=0.02)
    voxel = {axis: finer.steps[axis] for axis in "ZX"}
    np.testing.assert_array_equal(render(stack, Query(voxel=voxel))[0].array(), finer.array())


def test_an_odd_factor_passes_through_the_voxels_of_the_fit(fitted, stack):
    finer = render(stack, Query(scale={"Z": 3}))[0].array()
    np.testing.assert_allclose(finer[1::3], fitted.images[0].array(), atol=1e-2)


def test_coarser_voxels_are_means(fitted, stack):
    coarse = render(stack, Query(scale={"Y": 0.5, "X": 0.5}))[0].array()
    fine = fitted.images[0].array().reshape(12, 20, 2, 22, 2).mean((2, 4))
    assert np.abs(coarse - fine).mean() < 0.05 * fine.mean()


def test_a_crop_is_a_part_of_the_whole(stack):
    crop = {"Z": slice(3, 9), "Y": slice(10, None), "X": slice(5, 30)}
    for scale in ({}, {"Z": 2, "Y": 3}):
        whole = render(stack, Query(scale=scale))
        part = render(stack, Query(scale=scale, crop=crop))
        ends = [(int(scale.get(axis, 1)), crop[axis]) for axis in "ZYX"]
        inside = tuple(slice(k * s.start, k * s.stop if s.stop else None) for k, s in ends)
        for one, all_of_it in zip(part, whole, strict=True):
            np.testing.assert_allclose(one.array(), all_of_it.array()[inside], rtol=1e-3, atol=1e-2)
    assert part[0].translate[0] == pytest.approx(whole[0].translate[0] + 3 * 2 * whole[0].scale[0])


@pytest.fixture(scope="module")
def movie():
    frames = [embryo("nuclei", (6, 20, 20), seed=seed).raw.array() for seed in range(6)]
    data = np.stack(frames).reshape(3, 2, 6, 20, 20)
    units = ("second", "pixel", *("micrometer",) * 3)
    image = Image(data, "TCZYX", (2, 1, 0.4, 0.2, 0.2), units, channels=("actin", "DNA"))
    return denoise(image, estimate="gaussian", steps=2)


def test_frames_and_channels(movie, tmp_path, rendered_as_told):
    fit, before = kept(movie, tmp_path), movie.images[0]
    np.testing.assert_allclose(render(fit)[0].array(), before.array(), atol=1e-2)
    one = rendered_as_told(fit, Query(times=(2.0, 4.0), channel=1, scale={"X": 1.0}))[0]
    assert (one.axes, one.shape, one.translate[0]) == ("TZYX", (2, 6, 20, 20), 2)
    np.testing.assert_allclose(one.array(), before.array()[1:, 1], atol=1e-2)
    part = rendered_as_told(fit, Query(crop={"T": slice(1, 2), "C": slice(1, 2)}))[0]
    rendered_as_told(fit, Query(voxel={"Z": 0.15, "Y": 0.5}, crop={"Y": slice(3, 9)}))
    assert part.channels == ("DNA",)
    np.testing.assert_allclose(part.array(), before.array()[1:2, 1:2], atol=1e-2)


def test_a_series_that_was_denoised_together(tmp_path):
    frames = [embryo("nuclei", (4, 20, 20), seed=seed).raw.array() for seed in (0, 1)]
    fitted = denoise(Image(np.stack(frames), "TZYX"), estimate="groups")
    again = render(kept(fitted, tmp_path), Query(times=(1.0,)))
    for one, before in zip(again, fitted.images, strict=True):
        np.testing.assert_allclose(one.array(), before.array()[1:], atol=1e-2)


@pytest.mark.parametrize(
    ("query", "error", "said"),
    [
        (Query(times=(3.0,)), ConfigError, "superresolve"),
        (Query(times=(6.0,)), ConfigError, "from 0 to 4"),
        (Query(times=(4.0, 2.0)), ConfigError, "ascending"),
        (Query(scale={"T": 2}), ConfigError, "superresolve"),
        (Query(scale={"Z": 2}, voxel={"Z": 2}), ConfigError, "one of them"),
        (Query(scale={"Z": 0}), ConfigError, "more than 0"),
        (Query(scale={"Q": 2}), AxesError, "'Q'"),
        (Query(channel=2), AxesError, "index 2"),
        (Query(crop={"Z": slice(7, 9)}), AxesError, "leaves nothing"),
    ],
)
def test_what_a_fit_does_not_know_is_said(movie, tmp_path, query, error, said):
    with pytest.raises(error, match=said):
        render(kept(movie, tmp_path), query)


def test_missing_tensors_and_headers_are_said(stack):
    del stack.tensors["estimate"]
    with pytest.raises(FileError, match="'estimate'"):
        render(stack)
    with pytest.raises(FileError, match="'method'"):
        stored({}, {})


@pytest.mark.parametrize("settings", [{"bleaching": "correct"}, {"dark": True, "coupling": False}])
def test_series_and_dark_structures_are_rendered_too(tmp_path, settings):
    raw = embryo_series("nuclei", (2, 24, 26), 1, bleaching=0.3).raw
    fitted = denoise(raw, steps=2, **settings)
    for again, before in zip(render(kept(fitted, tmp_path)), fitted.images, strict=True):
        np.testing.assert_allclose(again.array(), before.array(), atol=2e-2)
