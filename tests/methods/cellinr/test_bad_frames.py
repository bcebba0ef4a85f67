"""One bad frame, border or voxel leaves the rest as good as without it, and is named."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr import Image, denoise

torch = pytest.importorskip("torch")

SETTINGS = {"background": "keep", "preset": "preview", "steps": 2}


def movie(n_frames=5, shape=(48, 48)):
    generator = np.random.default_rng(0)
    spots = gaussian_filter((generator.random(shape) < 0.02).astype(float), 2)
    truth = np.stack([30 + 150 * spots / spots.max()] * n_frames)
    return truth, generator.poisson(truth).astype(np.uint16)


def error(result, truth):
    return np.sqrt(np.mean((result - truth) ** 2))


@pytest.mark.parametrize("preset", ["fast", "preview"])
@pytest.mark.parametrize("background", ["keep", "subtract"])
@pytest.mark.parametrize("number", [0, 2])
def test_a_blank_frame_is_left_out_and_named(preset, background, number):
    truth, raw = movie()
    bad, good = raw.copy(), [n for n in range(5) if n != number]
    bad[number] = 0
    settings = {**SETTINGS, "preset": preset, "background": background, "bleaching": "correct"}
    fit, without = (denoise(Image(v, axes="TYX"), **settings) for v in (bad, raw[good]))
    assert any(f"Frame {number + 1} is blank" in text for text in fit.report["warnings"])
    result = fit.images[0].array()
    assert not result[number].any()
    assert np.allclose(result[good], without.images[0].array(), atol=3)
    if background == "keep":
        assert error(result[good], truth[good]) < 0.6 * error(raw[good], truth[good])


@pytest.mark.parametrize("background", ["keep", "subtract"])
@pytest.mark.parametrize("noise", [2, 24])
def test_a_closed_shutter_is_left_as_it_is_and_named(background, noise):
    _, raw = movie(6)
    bad, good = raw.astype(np.float32), [0, 1, 3, 4, 5]
    bad[2] = np.random.default_rng(1).normal(27, noise, raw.shape[1:])
    settings = {**SETTINGS, "background": background}
    fit, without = (denoise(Image(v, axes="TYX"), **settings) for v in (bad, bad[good]))
    assert any(text.startswith("Frame 3 is dark") for text in fit.report["warnings"])
    assert np.allclose(fit.images[0].array()[good], without.images[0].array(), atol=3)
    left = fit.images[0 if background == "keep" else 1].array()[2]
    assert np.array_equal(left, bad[2])
    assert fit.report["noise"][0]["gain"] == pytest.approx(without.report["noise"][0]["gain"])


def test_a_blank_channel():
    _, raw = movie(2)
    both = np.stack([raw, np.zeros_like(raw)], axis=1)
    fit = denoise(Image(both, axes="TCYX"), **SETTINGS)
    assert not fit.images[0].array()[:, 1].any()
    assert fit.images[0].array()[:, 0].std() > 5
    said = "Frames 1, 2 of channel 2 are blank"
    assert any(text.startswith(said) for text in fit.report["warnings"])


@pytest.mark.parametrize("background", ["keep", "subtract"])
def test_beside_an_empty_border_the_signal_is_what_it_was(background):
    _, raw = movie(1)
    cut = raw[0].copy()
    cut[:10], cut[:, :6] = 0, 0
    settings = {**SETTINGS, "preset": "fast", "background": background}
    fit, whole = (denoise(Image(v, axes="YX"), **settings) for v in (cut, raw[0]))
    assert any("no data" in text for text in fit.report["warnings"])
    result, usual = (f.images[0].array() for f in (fit, whole))
    assert not result[:10].any()
    assert not result[:, :6].any()
    assert abs((result - usual)[10:13, 6:].mean()) < 6
    assert abs((result - usual)[13:, 9:].mean()) < 3


def test_a_plane_without_data_is_named():
    from napari_cellinr.methods.cellinr.recording.defects import find_defects

    volume = movie()[1].astype(np.float32)
    volume[2] = 0
    (text,) = find_defects(Image(volume, axes="ZYX"), [()]).warnings
    assert text.startswith(
        "20.0 % of the voxels have no data (plane 3 entirely): they all have the"
    )


def test_one_voxel_of_a_billion():
    _, raw = movie(1)
    bad = raw[0].astype(np.float32)
    bad[20, 20] = 1e9
    fit = denoise(Image(bad, axes="YX"), **SETTINGS)
    assert any("impossible value" in text for text in fit.report["warnings"])
    usual = denoise(Image(raw[0], axes="YX"), **SETTINGS)
    assert error(fit.images[0].array(), usual.images[0].array()) < 2


def test_good_data_has_no_defects():
    _, raw = movie(2)
    warnings = denoise(Image(raw, axes="TYX"), **SETTINGS).report["warnings"]
    assert not any(word in text for text in warnings for word in ("blank", "no data", "impossible"))


@pytest.mark.parametrize("value", [0, 65535])
def test_a_lost_column_is_replaced_and_spoils_nothing(value):
    """A hot column once changed all voxels by its mean."""
    truth, raw = movie()
    bad = raw.copy()
    bad[:, :, 20] = value
    fit, usual = (denoise(Image(v, axes="TYX"), **SETTINGS) for v in (bad, raw))
    assert any("rows or columns of one value" in text for text in fit.report["warnings"])
    assert not any("are saturated" in text for text in fit.report["warnings"])
    assert error(fit.images[0].array(), truth) < 1.1 * error(usual.images[0].array(), truth)


def test_only_voxels_that_are_used_are_called_saturated():
    from napari_cellinr.methods.cellinr.recording.defects import find_defects

    places, values = [(n,) for n in range(5)], movie()[1]
    values[1, :, 20], values[2], values[3, 30, 30] = 65535, 65535, 65535
    image = Image(values, axes="TYX")
    assert find_defects(image, places).saturation_warnings(image) == []
    values[4, 10:20, 10:20] = 65535
    (text,) = find_defects(image, places).saturation_warnings(image)
    assert text.startswith("1.1 % of the voxels are saturated")


def test_a_saturated_plane_spoils_no_other():
    from napari_cellinr.methods.cellinr.recording.defects import find_defects

    volume = movie()[1]
    volume[2] = 65535
    found = find_defects(Image(volume, axes="ZYX"), [()])
    masked = found.masked(Image(volume, axes="ZYX")).array()
    assert np.isnan(masked[2]).all()
    assert "plane 3" in found.warnings[0]
    results = found.with_empty_parts(
        [Image(np.zeros(volume.shape, np.float32), axes="ZYX") for _ in range(4)],
        Image(volume, axes="ZYX"),
        subtracted=False,
    )
    assert (results[0].array()[2] == 65535).all()


def test_a_frame_that_needs_no_step_does_not_speak_for_the_others():
    """The warning is about a frame that has not converged, not about the last one."""
    from napari_cellinr.fitting.problem import Outcome
    from napari_cellinr.methods.cellinr.job import _report

    fit = denoise(Image(movie(1)[1], axes="TYX"), **SETTINGS)
    history = ({"step": 0, "held_out": 2.0}, {"step": 2, "held_out": 1.0})
    outcomes = [Outcome("steps", 2, 1.0, history), Outcome("converged", 0, 1.0, history[:1])]

    frames = [SimpleNamespace(outcome=one, facts={"noise": {}}, device="cpu") for one in outcomes]
    report = _report(frames, fit.config, 0.0, 0)
    assert not any("had not begun" in text for text in report["warnings"])
    assert any("after 2 steps" in text for text in report["warnings"])


def test_one_sentence_names_all_blank_frames():
    _, raw = movie(8)
    raw[[0, 2, 3, 4, 5]] = 0
    (text,) = [t for t in denoise(Image(raw, "TYX"), **SETTINGS).warnings if "blank" in t]
    assert text.startswith("Frames 1, 3 to 6 are blank (all their voxels have one value); they")


def test_a_sentence_about_a_part_names_its_channel():
    from napari_cellinr.methods.cellinr.recording.defects import find_defects

    _, raw = movie(4)
    both = np.stack([raw, raw], axis=1)
    both[2, 1, raw.shape[-2] // 2 :] = 0
    places = [(t, c) for t in range(4) for c in range(2)]
    (text,) = find_defects(Image(both, axes="TCYX"), places).warnings
    assert text.startswith("50.0 % of the voxels of frame 3 of channel 2 have no data")


@pytest.mark.parametrize("offset", [1000, 10_000])
def test_a_frame_of_another_offset_spoils_the_noise_of_no_other(offset):
    """Its noise is that of dim places at the grey level of bright ones: no gain was found then."""
    truth, raw = movie(8)
    bad, good = raw.copy(), [0, 1, 2, 3, 5, 6, 7]
    bad[4] += offset
    fit, without = (denoise(Image(v, axes="TYX"), **SETTINGS) for v in (bad, raw[good]))
    found, usual = (f.report["noise"][0] for f in (fit, without))
    assert found["gain"] == pytest.approx(usual["gain"], rel=0.1)
    wrong = error(fit.images[0].array()[good], truth[good])
    assert wrong < 1.05 * error(without.images[0].array(), truth[good])
    assert any(text.startswith("Frame 5 has grey levels far from") for text in fit.warnings)
    assert not any("far from" in text for text in without.warnings)


@pytest.mark.parametrize("n_good", [1, 2])
def test_a_few_frames_among_many_blank_ones_are_denoised(n_good):
    """A recording that was stopped early: the blank rest once counted as the usual grey levels."""
    truth, raw = movie(8)
    raw[n_good:], good = 0, slice(0, n_good)
    fit, without = (denoise(Image(v, axes="TYX"), **SETTINGS) for v in (raw, raw[good]))
    assert not any("far from" in text for text in fit.warnings)
    wrong, usual = (error(f.images[0].array()[good], truth[good]) for f in (fit, without))
    assert wrong < 1.05 * usual < 0.7 * error(raw[good], truth[good])


def test_bleaching_and_growing_brightness_are_no_faults():
    from napari_cellinr.methods.cellinr.initial.noise import far_frame_warnings

    truth, _ = movie(20)
    for rate in (-0.1, 0.05, 0.2):
        brightness = np.exp(rate * np.arange(20))[:, None, None]
        raw = np.random.default_rng(1).poisson(truth * brightness).astype(np.uint16)
        assert far_frame_warnings(Image(raw, axes="TYX")) == []
