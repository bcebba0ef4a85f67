"""Frames that are unlike those around them are found, and nothing else is."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic.frames.bad_frames import bad_frames


def recording(seed=0, n_frames=8, noise=3.0, size=48):
    """Return blobs that move to the right, with the noise of a camera."""
    generator = np.random.default_rng(seed)
    spots = gaussian_filter((generator.random((size, size)) < 0.03).astype(float), 1.5)
    frames = np.stack([np.roll(30 + 150 * spots / spots.max(), 2 * n, 1) for n in range(n_frames)])
    return frames + generator.normal(0, noise, frames.shape)


@pytest.mark.parametrize("noise", [1.0, 5.0, 20.0])
def test_usual_recordings_have_none(noise):
    for seed in range(5):
        frames = recording(seed, noise=noise)
        assert bad_frames(frames) == {}
        fading = np.exp(-np.arange(8) / 4)[:, None, None]  # to a sixth
        assert bad_frames(frames * fading) == {}
        assert bad_frames(frames * np.where(np.arange(8) % 2, 1, 0.7)[:, None, None]) == {}


@pytest.mark.parametrize("place", [0, 3, 7])
@pytest.mark.parametrize("what", ["dark", "saturated", "blurred", "repeated"])
def test_one_bad_frame_is_named(what, place):
    generator = np.random.default_rng(9)
    for seed in range(5):
        frames = recording(seed)
        good = frames[place].copy()
        if what == "dark":
            frames[place] = generator.normal(30, 3, good.shape)
        elif what == "saturated":
            frames[place] = np.minimum(30 + 8 * (good - 30), frames.max())
        elif what == "blurred":
            frames[place] = gaussian_filter(good, 2.5) + generator.normal(0, 3, good.shape)
        elif place:
            frames[place] = frames[place - 1]
        else:
            continue
        assert bad_frames(frames) == {place: what}


def test_a_frame_is_saturated_at_its_own_highest_value():
    """Noise of other frames may reach higher ones."""
    frames = recording(6)
    frames[3] = np.minimum(30 + 8 * (frames[3] - 30), 0.9 * frames.max())
    assert bad_frames(frames) == {3: "saturated"}


def test_frames_of_single_photons_are_not_saturated():
    """Where the most photons of any pixel are one, many pixels have the highest value."""
    photons = np.random.default_rng(0).poisson(0.1, (8, 48, 48)).astype(float)
    photons[4] = photons[4].clip(max=1)
    assert bad_frames(photons) == {}


def test_what_most_frames_are_is_no_exception():
    frames = recording()
    frames[[1, 3, 5, 7]] = frames[[0, 2, 4, 6]]  # each frame was stored twice
    assert bad_frames(frames) == {}
    assert bad_frames(recording(n_frames=3)[[0, 0, 1]]) == {}


def test_many_bright_frames_do_not_hide_a_dark_one():
    frames = recording(n_frames=12)
    frames[[1, 4, 7]] *= 6
    assert bad_frames(frames) == dict.fromkeys((1, 4, 7), "bright")
    frames[9] = np.random.default_rng(0).normal(30, 3, frames[9].shape)
    assert bad_frames(frames) == {9: "dark"}


def test_stacks_are_frames_too():
    frames = np.stack([recording(1), recording(1, noise=2.0)], axis=1)
    assert bad_frames(frames) == {}
    frames[2] = np.random.default_rng(0).normal(30, 3, frames[2].shape)
    assert bad_frames(frames) == {2: "dark"}


def test_a_closed_shutter_is_dark_and_an_object_that_leaves_is_not():
    generator = np.random.default_rng(2)
    frames = recording(n_frames=12)
    frames[[4, 5]] = generator.normal(30, 3, frames[:2].shape)
    assert bad_frames(frames) == {4: "dark", 5: "dark"}
    frames = recording(n_frames=12)
    frames[6:] = generator.normal(30, 3, frames[6:].shape)
    assert bad_frames(frames) == {}


def test_faint_frames_among_flashes_are_not_dark():
    frames = recording(n_frames=12)
    brightness = np.full(12, 0.25)
    brightness[[2, 6, 10]] = 1.0
    mean = frames.mean()
    faint = mean + (frames - mean) * brightness[:, None, None]
    assert "dark" not in bad_frames(faint).values()
