"""Frames in the wrong order, torn frames, dark and displaced planes, against what specimens do."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr import Image, reconstruct, superresolve
from napari_cellinr.classic.frames.mixed_up import (
    dark_planes,
    displaced_planes,
    mixed_up_texts,
    plane_texts,
    swapped,
    torn,
)
from napari_cellinr.methods.spatime.between.damaged import planes_warnings


def series(places=range(10), size=64, seed=0):
    """Blobs at a column for each frame, on a grey ground, with noise."""
    random = np.random.default_rng(seed)
    scene = 4000 * gaussian_filter((random.random((size, size)) < 0.01).astype(float), 3) + 30
    clean = np.stack([np.roll(scene, place, 1) for place in places])
    return random.poisson(clean).astype(np.float32)


def stack(seed=0):
    """Blobs that are longer along z, with noise."""
    random = np.random.default_rng(seed)
    scene = (random.random((16, 80, 80)) < 0.004).astype(float)
    return random.poisson(20000 * gaussian_filter(scene, (4, 2, 2)) + 30).astype(np.float32)


def with_swap(frames, k=4):
    frames = frames.copy()
    frames[[k, k + 1]] = frames[[k + 1, k]]
    return frames


def with_tear(frames, k=4):
    frames = frames.copy()
    frames[k, 30:] = frames[k + 1, 30:]
    return frames


@pytest.mark.parametrize("k", [1, 4, 7])
def test_two_frames_in_the_wrong_order_are_found(k):
    assert swapped(with_swap(series(), k)) == [k]


@pytest.mark.parametrize("k", [0, 4, 8])
def test_a_torn_frame_is_found(k):
    assert torn(with_tear(series(), k)) == {k: (30, 63)}


@pytest.mark.parametrize(
    "places",
    [
        [0] * 10,
        np.arange(10) ** 2 // 3,
        [0, 1, 2, 1, 0, 1, 2, 1, 0, 1],  # to and fro
        [0, 3, 1, 4, 0, 2, 5, 1, 3, 2],  # a stage that trembles
        [0, 1, 2, 3, 3, 3, 4, 5, 6, 7],  # a halt
        [0, 1, 2, 3, 12, 13, 14, 15, 16, 17],  # a jump
    ],
)
def test_what_a_specimen_does_is_no_fault(places):
    assert mixed_up_texts(series(places)) == []


def test_without_noise_what_stands_still_for_a_while_is_not_torn():
    frames = np.zeros((10, 64, 64), np.float32)
    for t in range(10):
        frames[t, 10:20, 10 + 2 * t : 20 + 2 * t] = 1
        frames[t, 40:50, 10 + 2 * min(t, 4) : 20 + 2 * min(t, 4)] = 1
    assert torn(frames) == {}


@pytest.mark.parametrize("offset", [0, 100])
def test_a_plane_of_half_the_light_is_found(offset):
    planes = stack() + offset
    assert plane_texts(planes) == []
    planes[7] = (planes[7] - offset) / 2 + offset
    assert dark_planes(planes) == pytest.approx({7: 0.5}, abs=0.05)
    assert displaced_planes(planes) == {}


def test_a_displaced_plane_is_found():
    planes = stack()
    planes[7] = np.roll(planes[7], (4, -6), (0, 1))
    assert displaced_planes(planes) == {7: (pytest.approx(4, abs=1), pytest.approx(-6, abs=1))}
    assert dark_planes(planes) == {}


@pytest.mark.parametrize("change", [lambda z: 0.8**z, lambda z: np.exp(-(((z - 7) / 2.5) ** 2))])
def test_light_that_falls_off_along_z_is_no_fault(change):
    assert dark_planes(stack() * change(np.arange(16.0)).reshape(-1, 1, 1)) == {}


@pytest.mark.parametrize("method", [superresolve, reconstruct])
def test_results_name_the_frames(method):
    quick = {
        superresolve: {"scale": {"t": 2}, "motion": "never", "steps": 0},
        reconstruct: {"steps": 3, "check_motion": False, "restart": False},
    }[method]
    for frames, what in (
        (with_swap(series()), "Frames 5 and 6 of 10 seem to be in the wrong order"),
        (with_tear(series()), "Rows 30 to 63 of frame 5 of 10 are those of the next frame"),
    ):
        fitted = method(Image(frames, "TYX"), preset="preview", **quick)
        assert any(text.startswith(what) for text in fitted.warnings)


def test_super_resolution_along_z_names_the_planes():
    planes = stack()
    planes[7] /= 2
    quick = {"preset": "preview", "steps": 0}
    fitted = superresolve(Image(planes, "ZYX"), scale={"z": 2}, **quick)
    assert any(text.startswith("Plane 7 (counted from 0) is darker") for text in fitted.warnings)
    fitted = superresolve(Image(planes, "ZYX"), scale={"y": 2}, **quick)
    assert not any("is darker" in text for text in fitted.warnings)


@pytest.mark.parametrize("value", [0, 30])
def test_rows_that_were_filled_are_not_torn(value):
    """As after registration, in the last frames only."""
    frames = series(size=96)
    frames[6:, :20] = value
    assert torn(frames) == {}
    counts = np.random.default_rng(0).poisson(2.0, (20, 64, 48))
    counts[15:] = np.random.default_rng(1).random((5, 64, 48)) < 0.004  # the lamp is off
    assert torn(counts) == {}


def test_two_cells_above_each_other_are_no_dark_plane():
    light = np.interp(np.arange(12), [1, 4, 5, 6, 7, 8, 11], [0, 1, 1, 0.5, 1, 1, 0])
    y, x = np.indices((64, 64)) - 32
    cell = 500 * np.exp(-(y**2 + x**2) / 18)
    planes = np.random.default_rng(0).poisson(light.reshape(-1, 1, 1) * cell + 20)
    assert dark_planes(planes) == {}


@pytest.mark.parametrize("shape", [(8, 3, 3), (8, 1, 1), (1, 64, 64)])
@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32])
def test_small_stacks_are_looked_at(shape, kind):
    values = np.random.default_rng(0).poisson(20, shape).astype(kind)
    assert plane_texts(values) == []
    assert mixed_up_texts(values) == []


def test_of_many_frames_with_dark_planes_one_is_named():
    series_of_stacks = np.stack([stack(seed)[:8] for seed in range(3)])
    series_of_stacks[1:, 4] /= 2
    named, more = planes_warnings(series_of_stacks)
    assert named.startswith("Frame 2 of 3: Plane ")
    assert more == "1 other frame has dark or displaced planes, too."
