"""Frames of another exposure and jumps of the stage, against changes of a specimen."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr import Image, reconstruct, superresolve
from napari_cellinr.classic.frames.unsteady import exposure_texts, jumps, uneven_exposures

OFFSET = 100


def series(n=8, step=2, size=64, seed=0):
    """Blobs that move on by `step` columns per frame, on a grey ground, with noise."""
    random = np.random.default_rng(seed)
    scene = 4000 * gaussian_filter((random.random((size, size)) < 0.01).astype(float), 3) + 30
    clean = np.stack([np.roll(scene, step * t, 1) for t in range(n)])
    return random.poisson(clean).astype(np.float32) + OFFSET


def lit(frames, factors):
    """The same with the light of each frame times a factor."""
    return (frames - OFFSET) * np.reshape(factors, (-1, 1, 1)) + OFFSET


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 1.4, 3])
def test_a_frame_of_another_exposure_is_found(factor):
    found = uneven_exposures(lit(series(), [1, 1, 1, 1, factor, 1, 1, 1]))
    assert list(found) == [4]
    assert np.sign(found[4]) == np.sign(factor - 1)


def test_a_frame_loses_no_more_than_all_of_its_light():
    frames = series()
    frames[4] *= 0.3  # with the offset
    assert uneven_exposures(frames) == {4: -1.0}


def test_a_lamp_that_flickers_is_found():
    assert len(uneven_exposures(lit(series(), [1, 1.3] * 4))) >= 3


@pytest.mark.parametrize("step", [0, 1, 3, 6])
def test_motion_is_no_change_of_light_and_no_jump(step):
    frames = series(step=step)
    assert uneven_exposures(frames) == {}
    assert jumps(frames) == []


def lights_up(frames):
    frames[4, 20:40, 20:40] *= 3
    return frames


@pytest.mark.parametrize(
    "change",
    [
        lambda frames: lit(frames, np.exp(-np.arange(8) / 3)),  # bleaching
        lambda frames: lit(frames, [1] * 4 + [0.5] * 4),  # a change that lasts
        lights_up,
        lambda frames: np.random.default_rng(1).normal(100, 9, frames.shape),
        lambda frames: frames[:3],
    ],
)
def test_what_a_specimen_does_is_none(change):
    frames = change(series())
    assert uneven_exposures(frames) == {}
    assert jumps(frames) == []


@pytest.mark.parametrize("row", [14, 32])
def test_a_cell_that_jumps_is_no_jump_of_the_stage(row):
    rows, columns = np.indices((96, 96))

    def cell(row, column):
        return np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 60)

    clean = [3000 * cell(row + 12 * (t > 3), 30) + 100 * cell(75, 75) + 30 for t in range(8)]
    assert jumps(np.random.default_rng(0).poisson(clean)) == []


@pytest.mark.parametrize("size", [2, 3, 16, 32, 48])
def test_nothing_is_said_of_frames_that_may_show_a_single_cell(size):
    """All of a cell may become brighter, or move: seen in half of such parts of real movies."""
    frames = lit(series(size=size), [1, 1, 1, 1, 1.4, 1, 1, 1])
    frames[6:] = np.roll(frames[6:], size // 6, 1)
    assert uneven_exposures(frames) == {}
    assert jumps(frames) == []


def test_the_change_is_named_where_means_have_no_ratio():
    (text,) = exposure_texts({4: -0.5}, 8, "it is kept.")
    assert text == (
        "Frame 5 of 8 is darker as a whole than the frames before and after it (by 50 % beyond "
        "their darkest parts), as if its exposure or the lamp was another; it is kept."
    )


def test_a_stage_that_moves_and_a_frame_that_is_displaced_are_found():
    frames = series()
    moved, displaced = frames.copy(), frames.copy()
    moved[4:] = np.roll(moved[4:], 12, 1)
    displaced[4] = np.roll(displaced[4], 12, 0)
    (jump,) = jumps(moved)
    assert (jump.after, jump.shift, jump.usual) == (3, (12, 2), (0, 2))
    assert [(jump.after, jump.shift) for jump in jumps(displaced)] == [(3, (12, 2)), (4, (-12, 2))]


def test_a_jump_is_in_pixels_of_the_frames_and_others_are_left_out():
    frames = np.repeat(np.repeat(series(), 3, 1), 3, 2)
    frames[4:] = np.roll(frames[4:], 36, 1)
    frames[2] = 0
    (jump,) = jumps(frames, {2})
    assert jump.after == 3
    np.testing.assert_allclose(jump.shift, (36, 6), atol=3)


def texts_of(frames, method, **settings):
    fitted = method(Image(frames, "TYX"), preset="preview", **settings)
    return [text for text in fitted.warnings if "as a whole" in text or "whole image" in text]


QUICK = {"scale": {"t": 2}, "motion": "never", "steps": 0}


def test_super_resolution_names_them():
    odd = lit(series(), [1, 1, 1, 1, 0.5, 1, 1, 1])
    (text,) = texts_of(odd, superresolve, **QUICK)
    assert text.startswith("Frame 5 of 8 is darker as a whole")
    jumped = series()
    jumped[4:] = np.roll(jumped[4:], 12, 1)
    (text,) = texts_of(jumped, superresolve, **QUICK)
    assert text.startswith("Between frames 4 and 5 the whole image moves by 12, 2 pixels")
    assert texts_of(series(), superresolve, **QUICK) == []


def test_super_resolution_names_a_blurred_frame_that_it_keeps():
    frames = series()
    random = np.random.default_rng(2)
    frames[4] = gaussian_filter(frames[4], 5) + random.normal(0, 6, frames[4].shape)
    fitted = superresolve(Image(frames, "TYX"), preset="preview", **QUICK)
    assert any("Frame 5 of 8 is blurred" in text for text in fitted.warnings)


def test_reconstruction_names_them():
    odd = lit(series(), [1, 1, 1, 1, 1.4, 1, 1, 1])
    settings = {"steps": 3, "check_motion": False, "restart": False}
    (text,) = texts_of(odd, reconstruct, **settings)
    assert text.startswith("Frame 5 of 8 is brighter as a whole")
    assert texts_of(odd, reconstruct, brightness="on", **settings) == []
    assert texts_of(series(), reconstruct, **settings) == []
