"""Damaged frames are found as they were recorded, whatever is done to the series afterwards."""

import numpy as np
import pytest

from napari_cellinr import Image, superresolve
from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.methods.spatime.between.damaged import all_warnings, looked_at, middle_frame

QUICK = {"preset": "preview", "refinement": 0.15, "steps": 0, "motion": "never"}
TINY = {
    "preset": "paper", "latent": 4, "neurons": 16, "batch": 128, "steps": 12, "device": "cpu",
}  # fmt: skip
REPEATED = "Frame 7 of 9 is the same as the frame before it: it was left out"


def moving(sd=6.0):
    """A blob that moves on, without and with noise."""
    random, (t, y, x) = np.random.default_rng(0), np.indices((9, 40, 48)).astype(float)
    clean = 90 * np.exp(-((y - 20) ** 2 + (x - 10 - 3 * t) ** 2) / 20) + 20
    return clean, (clean + random.normal(0, sd, clean.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def damaged():
    _, frames = moving()
    frames[3], frames[6] = 0, frames[5]
    return frames


def test_damaged_frames_are_replaced_though_noise_is_removed_first(damaged):
    """Without its noise, a repeated frame is one in which nothing moved."""
    clean, whole = moving()
    fits = [
        superresolve(Image(v, "TYX"), scale={"t": 2}, noise="remove", **QUICK)
        for v in (damaged, whole)
    ]
    texts = " ".join(fits[0].warnings)
    assert "Frame 4 of 9 is blank: it was left out" in texts
    assert REPEATED in texts
    assert "left out" not in " ".join(fits[1].warnings)
    found = fits[0].images[0].array()
    for number in (3, 6):
        between = (clean[number - 1] + clean[number + 1]) / 2
        wrong, repeated = (np.mean((found[2 * number] - v) ** 2) for v in (between, clean[5]))
        assert wrong < 30
        assert number == 3 or wrong < 0.5 * repeated


def test_the_published_preset_leaves_damaged_frames_out(damaged):
    small = damaged[:, 10:30, 10:40]
    texts = " ".join(superresolve(Image(small, "TYX"), scale={"t": 2}, **TINY).warnings)
    assert "Frame 4 of 9 is blank: it was left out" in texts
    assert REPEATED in texts


def test_a_mean_of_the_good_neighbours_takes_the_place_of_damaged_frames(damaged):
    channel = looked_at(damaged)
    assert channel.faulty == (3, 6)
    found = channel.blended()
    np.testing.assert_allclose(found[3], (damaged[2] + damaged[4]) / 2, rtol=1e-6)
    np.testing.assert_allclose(found[6], (damaged[5] + damaged[7]) / 2, rtol=1e-6)
    np.testing.assert_array_equal(found[0], damaged[0])
    two = damaged.copy()
    two[4] = 0
    found = looked_at(two).blended()
    np.testing.assert_allclose(found[3], (2 * two[2] + two[5]) / 3, rtol=1e-6)
    first = damaged.copy()
    first[0] = 0
    np.testing.assert_array_equal(looked_at(first).blended()[0], first[1])


def test_each_sentence_is_said_once(damaged):
    channels = [looked_at(damaged), looked_at(damaged)]
    assert len(all_warnings(channels)) == 2


def test_a_sentence_names_its_channel(damaged):
    """What all channels have in common is said of no channel."""
    _, whole = moving()
    whole[3] = 0
    texts = all_warnings([looked_at(whole), looked_at(damaged)])
    assert [text.startswith("Channel 2: Frame 7 of 9") for text in texts] == [False, True]
    assert texts[0].startswith("Frame 4 of 9 is blank")


def test_the_noise_that_was_removed_is_that_of_a_good_frame():
    assert middle_frame((), 9) == 4
    assert middle_frame((4, 5), 9) == 3
    _, frames = moving()
    frames[4] = 0
    fit = superresolve(Image(frames, "TYX"), scale={"t": 2}, noise="remove", **QUICK)
    (settings,) = fit.model["channels"]
    assert float(Noise(**settings["removed"]).sd(20)) == pytest.approx(6, rel=0.3)


def flickering(frames, **settings):
    fitted = superresolve(Image(frames, "TYX"), scale={"t": 2}, **{**QUICK, **settings})
    (text,) = [text for text in fitted.warnings if "a movie flickers" in text] or [""]
    return fitted, text


@pytest.mark.parametrize("number", [0, 4, 8])
def test_noise_is_that_of_recorded_frames_not_of_one_that_was_made(number):
    """A frame made from two others has half of the variance; frame 4 is in the middle."""
    _, frames = moving()
    frames[number] = 0
    _, text = flickering(frames)
    assert float(text.split("noise of ")[1].split()[0]) == pytest.approx(6, rel=0.15)
    fitted, _ = flickering(frames, noise="match")
    found = fitted.images[0].array()[:, :10]  # rows without the blob
    made = [n for n in range(1, 17, 2) if not 2 * number - 2 < n < 2 * number + 2]
    assert np.mean([found[n].std() for n in made]) == pytest.approx(6, rel=0.1)


def test_a_channel_of_one_value_does_not_flicker():
    frames = np.stack([moving()[1], np.full((9, 40, 48), 7, np.float32)], 1)
    fitted = superresolve(Image(frames, "TCYX"), scale={"t": 2}, **QUICK)
    assert sum("a movie flickers" in text for text in fitted.warnings) == 1


def test_what_takes_the_place_of_a_frame_at_an_end_is_the_next_one():
    _, frames = moving()
    frames[8] = 0
    fitted, _ = flickering(frames)
    assert any("left out, and frame 8 takes its place" in text for text in fitted.warnings)
