"""Planes and frames that were stored twice are named, and spoil no other."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr import Image, denoise

torch = pytest.importorskip("torch")

from napari_cellinr.methods.cellinr.recording.copies import copy_warnings, originals_among  # noqa: E402
from napari_cellinr.methods.cellinr.recording.defects import find_defects  # noqa: E402

SETTINGS = {"background": "keep", "preset": "preview", "steps": 2}


def specimen(shape):
    spots = (np.random.default_rng(0).random(shape) < 0.01).astype(float)
    spots = gaussian_filter(spots, 1.5)
    truth = 30 + 170 * spots / spots.max()
    return truth, np.random.default_rng(1).poisson(truth).astype(np.uint16)


def test_a_repeated_plane_is_interpolated_and_named():
    truth, raw = specimen((10, 40, 40))
    bad = raw.copy()
    bad[5] = bad[4]
    fits = [denoise(Image(v, axes="ZYX"), **SETTINGS) for v in (bad, raw)]
    assert any(
        text.startswith("Plane 6 is the same as the plane before it") for text in fits[0].warnings
    )
    assert not any("the same as" in text for text in fits[1].warnings)
    wrong, usual = (((f.images[0].array() - truth) ** 2).mean((1, 2)) for f in fits)
    others = [n for n in range(10) if n != 5]
    copied = ((raw[4] - truth[5]) ** 2).mean()
    assert wrong[others].mean() < 1.15 * usual[others].mean()
    assert wrong[5] < 0.5 * ((truth[4] - truth[5]) ** 2).mean() + 2 * usual[5]
    assert wrong[5] < 0.5 * copied


def test_a_repeated_frame_has_the_result_of_the_one_before_it():
    truth = specimen((1, 40, 40))[0]
    frames = np.random.default_rng(2).poisson(truth, (6, 40, 40)).astype(np.uint16)
    bad, own = frames.copy(), [0, 1, 2, 5]
    bad[3], bad[4] = bad[2], bad[2]
    fit, without = (denoise(Image(v, axes="TYX"), **SETTINGS) for v in (bad, bad[own]))
    (text,) = [text for text in fit.warnings if "the same as" in text]
    assert text.startswith("Frames 4, 5 are the same as the frame before them")
    found, usual = (f.images[0].array() for f in (fit, without))
    assert np.array_equal(found[3], found[2])
    assert np.array_equal(found[4], found[2])
    assert np.abs(found[own] - usual).mean() < 2


def test_each_channel_has_copies_of_its_own():
    frames = np.random.default_rng(2).poisson(50, (4, 2, 16, 16)).astype(np.uint16)
    frames[2, 1] = frames[1, 1]
    places = [(t, c) for t in range(4) for c in range(2)]
    assert find_defects(Image(frames, axes="TCYX"), places).copies == {(2, 1): (1, 1)}


def test_in_a_part_of_a_recording_a_copy_takes_the_place_of_a_frame_outside():
    copies = {(1,): (0,), (2,): (0,), (3,): (0,)}
    assert originals_among(copies, {(2,), (3,), (4,)}) == {(1,): (0,), (0,): (2,), (3,): (2,)}
    assert originals_among(copies, {(0,), (1,)}) == copies


def test_what_the_original_lacks_its_copy_lacks_too():
    frames = np.random.default_rng(2).poisson(50, (5, 32, 32)).astype(np.uint16)
    frames[:, :9] = 0
    frames[2, 20, 20] = 60000
    frames[3] = frames[2]
    image = Image(frames, axes="TYX")
    found = find_defects(image, [(t,) for t in range(5)])
    assert found.copies == {(3,): (2,)}
    for masks in (found.empty, found.impossible):
        assert np.array_equal(masks[3,], masks[2,])
    masked = found.masked(image).array()
    assert np.array_equal(np.isnan(masked[3]), np.isnan(masked[2]))
    (result,) = found.with_empty_parts(
        [image.like(np.ones(frames.shape, np.float32))], image, subtracted=True
    )
    assert not result.array()[3, :9].any()


def test_a_frame_that_repeats_an_earlier_one_is_named():
    frames = np.random.default_rng(2).poisson(50, (6, 16, 16)).astype(np.uint16)
    frames[3], frames[4] = frames[1], frames[1]
    found = find_defects(Image(frames, axes="TYX"), [(t,) for t in range(6)])
    assert found.copies == {(3,): (1,), (4,): (1,)}
    assert [text.split(" to the bit")[0] for text in found.warnings] == [
        "Frame 5 is the same as the frame before it",
        "Frame 4 is the same as frame 2",
    ]


def test_the_noise_of_copies_is_no_offset_of_pixels():
    """It is the same in all frames, as offsets are, and was subtracted as such."""
    truth = specimen((1, 48, 48))[0]
    frame = np.random.default_rng(2).poisson(truth[0], (1, 48, 48)).astype(np.uint16)
    (alone, copied) = (
        denoise(Image(values, axes="TYX"), background="keep", preset="preview")
        for values in (frame, np.repeat(frame, 8, axis=0))
    )
    assert not any("different offsets" in text for text in copied.warnings)
    errors = [float(((f.images[0].array() - truth) ** 2).mean()) for f in (alone, copied)]
    assert errors[1] < 1.4 * errors[0]


def test_an_original_of_several_copies_is_named_once():
    copies = {(2,): (0,), (4,): (0,)}
    (text,) = copy_warnings(copies, {}, ("T",))
    assert text.startswith("Frames 3, 5 are the same as frame 1 to the bit")
