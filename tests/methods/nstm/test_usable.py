"""Blank frames and impossible pixels are left out of a reconstruction, and named."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr import Image, reconstruct, superresolve
from napari_cellinr.config.optics.repeated import TimeLapse
from napari_cellinr.errors import DataError

torch = pytest.importorskip("torch")

from napari_cellinr.acquisition import prepare  # noqa: E402
from napari_cellinr.methods.nstm.plan import fading  # noqa: E402
from napari_cellinr.methods.nstm.recording.usable import (  # noqa: E402
    check_enough,
    gap_warnings,
    left_out,
    unusable_pixels,
    unusable_warnings,
)
from napari_cellinr.simulate.recordings import moving  # noqa: E402


def movie(n_frames=6, shape=(32, 32)):
    generator = np.random.default_rng(0)
    spots = gaussian_filter((generator.random(shape) < 0.03).astype(float), 2)
    truth = np.stack([np.roll(30 + 150 * spots / spots.max(), n, -1) for n in range(n_frames)])
    return generator.poisson(truth).astype(np.float32)


def test_what_is_no_data():
    frames = movie()
    assert left_out(frames, 1) == {}
    assert not unusable_pixels(frames, {}).any()
    assert unusable_warnings(unusable_pixels(frames, {}), {}) == []
    frames[2], frames[4, 10, 10] = 0, 1e9
    without = left_out(frames, 1)
    bad = unusable_pixels(frames, without)
    assert bad[2].all()
    assert np.argwhere(bad[[0, 1, 3, 4, 5]]).tolist() == [[3, 10, 10]]
    first, second = unusable_warnings(bad, without)
    assert "Frame 3 of 6 is blank" in first
    assert "1 of 6 frames" in second


def test_frames_of_each_pattern_are_compared_with_each_other():
    """Two patterns of very different contrast in turn are no fault; one dark frame of them is."""
    frames = movie(16)
    frames[1::2] *= 0.1
    assert left_out(frames, 2) == {}
    frames[5] = np.random.default_rng(1).poisson(3, frames[5].shape)
    assert left_out(frames, 2) == {5: "dark"}
    assert left_out(frames, 0) == {}


def test_copies_are_found_among_few_sets_of_patterns():
    """A camera that hangs repeats a frame for the next pattern, or for the same of the next set."""
    frames = np.stack([*movie(4), *movie(12)[4:]]) + 0.0
    frames[:, 0, 0] = np.arange(12)  # no two are the same
    assert left_out(frames, 4) == {}
    frames[5] = frames[4]
    assert left_out(frames, 4) == {5: "repeated"}
    frames[10] = frames[6]
    assert left_out(frames, 4) == {5: "repeated", 10: "repeated"}
    assert left_out(frames, 0) == {5: "repeated"}
    doubled = frames[:6].repeat(2, axis=0)
    assert left_out(doubled, 4) == {}


def test_a_black_frame_of_phase_contrast_is_left_out():
    """Its contrast was 0 / 0, and the fit ended with the advice to lower the learning rate."""
    worm = moving("worm")
    values = worm.raw.array().copy()
    values[5], values[8, 60:] = 0, 0
    usual, found = (prepare(worm.raw.like(v), worm.optics) for v in (worm.raw.array(), values))
    good = [0, 1, 2, 3, 4, 6, 7, 9, 10, 11]
    assert np.isfinite(found.frames).all()
    assert np.array_equal(found.frames[good], usual.frames[good])
    without = left_out(found.frames, 4)
    assert list(without) == [5]
    bad = unusable_pixels(found.frames, without)
    assert bad[5].all()
    assert bad[8, 60:].all()
    assert not bad[8, :60].any()
    assert not bad[good].any()


def test_a_plane_that_was_stored_twice_is_left_out():
    stacks = movie(12).reshape(3, 4, 32, 32)
    assert not unusable_pixels(stacks, {}).any()
    stacks[1, 2] = stacks[1, 1]
    bad = unusable_pixels(stacks, {})
    assert bad[1, 2].all()
    assert bad.sum() == bad[1, 2].size
    assert "planes that repeat the one before" in unusable_warnings(bad, {})[0]


def test_a_single_frame_with_data_is_refused():
    frames = movie()
    frames[1:] = 0
    with pytest.raises(DataError, match="all frames but frame 1 of 6 have no data"):
        reconstruct(Image(frames, "TYX"), "time-lapse", preset="preview")
    check_enough({0: "blank"}, 3)
    check_enough({}, 1)


@pytest.mark.parametrize("n_frames", [1, 2, 6])
def test_frames_that_all_have_no_data_are_refused(n_frames):
    all_have = "the only frame has" if n_frames == 1 else f"all {n_frames} frames have"
    with pytest.raises(DataError, match=f"{all_have} no data"):
        check_enough(dict.fromkeys(range(n_frames), "blank"), n_frames)


@pytest.mark.parametrize("kind", ["frame", "column"])
def test_saturation_changes_no_other_frame(kind):
    """The unit of the fit once was the level of a saturated frame, so that nothing converged."""
    frames = movie()
    bad, good = frames.copy(), np.ones(frames.shape, bool)
    where = np.s_[3] if kind == "frame" else np.s_[:, :, 20]
    bad[where], good[where] = 65535, False
    found = reconstruct(bad, "time-lapse", axes="TYX", preset="preview", check_motion=False)
    assert "left out" in found.report["warnings"][0]
    usual = reconstruct(frames, "time-lapse", axes="TYX", preset="preview", check_motion=False)
    difference = (found.images[0].array() - usual.images[0].array())[good]
    assert np.sqrt(np.mean(difference**2)) < 5


def test_gaps_between_frames_are_named():
    assert gap_warnings(np.arange(6)) == []
    (text,) = gap_warnings(np.array([0, 1, 2, 7, 8, 9]))
    assert text.startswith("There is a gap before frame 4, 5 times as long as usual")


def test_a_dark_frame_is_left_out_and_rendered():
    frames = movie()
    frames[3] = np.random.default_rng(1).poisson(3, frames[3].shape)
    found = reconstruct(Image(frames, "TYX"), "time-lapse", preset="preview", steps=20)
    assert any("Frame 4 of 6 is dark" in text for text in found.report["warnings"])
    scene = found.images[0].array()
    assert len(scene) == 6
    assert scene[3].mean() == pytest.approx(scene[2].mean(), rel=0.05)


def test_a_blank_frame_is_no_bleaching():
    frames = torch.ones(5, 4, 4) * torch.exp(-torch.linspace(0, 0.4, 5))[:, None, None]
    bad = torch.zeros_like(frames, dtype=torch.bool)
    frames[4], bad[4] = 0, True
    assert float(fading(frames, torch.linspace(0, 1, 5), bad)) == pytest.approx(0.4, abs=1e-3)


def test_the_others_are_reconstructed_as_well_as_without_it():
    usual, frames = movie(), movie()
    frames[2] = 0
    settings = {"preset": "preview", "steps": 20}
    whole, left = (reconstruct(Image(f, "TYX"), "time-lapse", **settings) for f in (usual, frames))
    assert any("Frame 3 of 6 is blank" in text for text in left.report["warnings"])
    assert left.report["held_out"] < 1.3 * whole.report["held_out"]
    difference = left.images[0].array() - whole.images[0].array()
    assert np.abs(difference[[0, 1, 3, 4, 5]]).mean() < 0.1 * np.ptp(usual)


def test_super_resolution_names_a_blank_frame():
    frames = movie(4)
    frames[1] = 0
    report = superresolve(Image(frames, "TYX"), scale={"t": 2}, preset="preview").report
    assert any("Frame 2 of 4 is blank" in text for text in report["warnings"])


@pytest.mark.parametrize("kind", ["noise", "unlike", "bright", "dim"])
def test_a_frame_that_does_not_belong_is_left_out(kind):
    frames, generator = movie(8, (48, 48)), np.random.default_rng(5)
    frames[4] = {
        "noise": generator.uniform(0, 600, frames[4].shape),
        "unlike": np.rot90(frames[4])[::-1],
        "bright": 10 * frames[4],
        "dim": 0.1 * frames[4],
    }[kind]
    without = left_out(frames, 1)
    assert without == {4: kind}
    bad = unusable_pixels(frames, without)
    assert bad[4].all()
    assert not np.delete(bad, 4, axis=0).any()
    assert unusable_warnings(bad, without)[0].startswith("Frame 5 of 8 is ")


def test_ten_times_the_light_once_spoils_no_other_frame():
    """It changes nothing at all, as if the frame were blank; its time is rendered."""
    blank = movie(8, (48, 48))
    bright = blank.copy()
    blank[4], bright[4] = 0, 10 * bright[4]
    settings = {"preset": "preview", "steps": 20, "check_motion": False, "restart": False}
    fits = [reconstruct(Image(f, "TYX"), "time-lapse", **settings) for f in (blank, bright)]
    assert any("Frame 5 of 8 is many times brighter" in t for t in fits[1].report["warnings"])
    scenes = [fit.images[0].array() for fit in fits]
    assert len(scenes[1]) == 8
    np.testing.assert_allclose(scenes[1], scenes[0], rtol=1e-5)


def test_one_bright_frame_does_not_change_the_unit():
    from napari_cellinr.acquisition.grey_levels import to_unit

    frames = movie()
    unit = to_unit(frames, 0)[1]
    frames[3] *= 10
    assert to_unit(frames, 0)[1] == pytest.approx(unit, rel=0.05)
    frames[4:] *= 10  # from then on
    assert to_unit(frames, 0)[1] > 5 * unit


def test_frames_of_a_single_pixel_are_refused():
    with pytest.raises(DataError, match="single pixel"):
        reconstruct(movie(8)[:, :1, :1], "time-lapse", axes="TYX", preset="preview")


def test_frames_of_two_by_two_pixels_have_no_confidence():
    images = reconstruct(movie(8)[:, 14:16, 6:8], axes="TYX", preset="preview", steps=5).images
    assert images[0].shape == (8, 2, 2)
    assert not images[3].array().any()


def test_an_offset_of_the_camera_is_named_where_the_fit_failed():
    def texts(**optics):
        settings = {"preset": "preview", "steps": 10, "check_motion": False}
        fit = reconstruct(movie() + 1e5, TimeLapse(**optics), axes="TYX", **settings)
        return [text for text in fit.warnings if "as background of the optics" in text]

    (text,) = texts()
    assert "100% of the brightest" in text
    assert texts(background=1e5) == []
