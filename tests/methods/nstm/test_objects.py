"""Objects that move on their own: found by optical flow, and followed by a layer each."""

import time

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from napari_cellinr import Image, reconstruct
from napari_cellinr.config.nstm import EXTRAS
from napari_cellinr.errors import ConfigError
from napari_cellinr.methods.nstm import job
from napari_cellinr.methods.nstm.checks.halves import fit_halves
from napari_cellinr.methods.nstm.layers.objects import affine, moving_objects

FRAMES, SIZE = 8, 64
MIDDLE = np.array([(SIZE - 1) / 2, (SIZE - 1) / 2])
OPPOSITE = (((20, 22), (0.0, 8.0), 0.0), ((45, 42), (0.0, -8.0), 0.0))


def specimen(objects, seed=0):
    """Return centres, widths, brightness and object of blobs: 30 in a square around each centre."""
    generator = np.random.default_rng(seed)
    return [
        (centre + generator.uniform(-12, 12, 2), generator.uniform(1.2, 3), generator.random(), n)
        for n, (centre, _, _) in enumerate(objects)
        for _ in range(30)
    ]


def places(objects, blobs, part):
    """Return where the blobs are: each object is shifted and turned around its centre."""
    found = []
    for start, _, _, number in blobs:
        centre, shift, angle = objects[number]
        cosine, sine = np.cos(angle * part), np.sin(angle * part)
        turned = np.array([[cosine, -sine], [sine, cosine]]) @ (start - np.array(centre))
        found.append(turned + centre + np.array(shift) * part)
    return np.array(found)


def recording(objects, noise, seed=0):
    """Return frames of objects, up to 1 and with noise, and the first and last places of blobs."""
    blobs, grid = specimen(objects, seed), np.mgrid[:SIZE, :SIZE]
    frames = np.zeros((FRAMES, SIZE, SIZE))
    for frame, part in zip(frames, np.linspace(0, 1, FRAMES), strict=True):
        for (y, x), (_, width, light, _) in zip(places(objects, blobs, part), blobs, strict=True):
            squares = (grid[0] - y) ** 2 + (grid[1] - x) ** 2
            frame += (0.3 + light) * np.exp(-squares / (2 * width**2))
    frames /= frames.max()
    data = frames + noise * np.random.default_rng(seed + 1).standard_normal(frames.shape)
    ends = [places(objects, blobs, part) for part in (0.0, 1.0)]
    return (100 + 1000 * data).astype(np.float32), *ends


def objects_of(frames, noise, counted=None, most=4):
    values = torch.from_numpy(frames)
    counted = torch.ones_like(values, dtype=torch.bool) if counted is None else counted
    return moving_objects(values, counted, torch.linspace(0, 1, len(values)), 1000 * noise, most)


def moved(found, one):
    """Return the displacement of the middle of the frames from the first to the last one."""
    ends = found.motions[one][[-1, 0]]
    return affine(ends[0], MIDDLE, MIDDLE) - affine(ends[1], MIDDLE, MIDDLE)


@pytest.mark.parametrize("noise", [0.01, 0.06])
@pytest.mark.parametrize("seen", [1.0, 0.75])
def test_two_objects_that_move_apart_are_found(noise, seen):
    frames, _, _ = recording(OPPOSITE, noise)
    blocks = np.random.default_rng(2).random((FRAMES, SIZE // 4, SIZE // 4)) < seen
    counted = torch.from_numpy(blocks.repeat(4, 1).repeat(4, 2))
    frames[~counted.numpy()] = np.nan
    found = objects_of(frames, noise, counted)
    assert len(found) == 2
    shifts = sorted((moved(found, one) for one in (0, 1)), key=lambda shift: shift[1])
    np.testing.assert_allclose(shifts, [(0, -8), (0, 8)], atol=1.0)
    light = found.images.sum((1, 2))
    assert 0.5 < light[0] / light[1] < 2


def test_objects_that_turn_and_one_at_rest_are_found():
    objects = (((18, 20), (3.0, 5.0), 0.3), ((46, 44), (0.0, 0.0), 0.0))
    frames, _, _ = recording(objects, 0.01)
    found = objects_of(frames, 0.01)
    assert len(found) == 2
    slopes = found.motions[:, -1, :, 1:] - found.motions[:, 0, :, 1:]
    turns = slopes[:, 1, 0] - slopes[:, 0, 1]
    assert min(turns, key=abs) == pytest.approx(0, abs=0.1)
    assert max(turns, key=abs) == pytest.approx(2 * np.sin(0.3), abs=0.12)


@pytest.mark.parametrize("angle", [0.0, 0.35])
def test_one_motion_is_one_object(angle):
    frames, _, _ = recording((((32, 32), (5.0, -4.0), angle),), 0.02)
    assert len(objects_of(frames, 0.02)) == 1


def test_nothing_that_counts_is_one_object():
    frames = np.full((FRAMES, 20, 24), np.nan, np.float32)
    assert len(objects_of(frames, 0.1, torch.zeros(frames.shape, dtype=torch.bool))) == 1


@pytest.mark.parametrize("contrast", [0.0, 1.0])
def test_what_stands_still_without_noise_is_one_object(contrast):
    frames, _, _ = recording(OPPOSITE, 0.0)
    still = 100 + contrast * np.repeat(frames[:1], FRAMES, 0)
    assert len(objects_of(still, 0.0)) == 1


def test_frames_without_data_are_not_compared():
    """Also the one in the middle, from which the flow begins."""
    frames, _, _ = recording(OPPOSITE, 0.01)
    counted = torch.ones(frames.shape, dtype=torch.bool)
    counted[FRAMES // 2] = False
    frames[FRAMES // 2] = np.nan
    found = objects_of(frames, 0.01, counted)
    assert found.motions.shape == (2, FRAMES, 2, 3)
    shifts = sorted((moved(found, one) for one in (0, 1)), key=lambda shift: shift[1])
    np.testing.assert_allclose(shifts, [(0, -8), (0, 8)], atol=1.0)


def test_gaps_of_large_frames_are_filled_in_seconds():
    """A Gaussian of 37 × 37 pixels before averaging took 16 s here, and minutes for 16 frames."""
    frames = np.random.default_rng(0).random((4, 2500, 2500)).astype(np.float32)
    counted = torch.from_numpy(np.random.default_rng(1).random(frames.shape) > 0.1)
    began = time.process_time()
    objects_of(frames, 0.3, counted)
    assert time.process_time() - began < 6


def test_a_row_of_pixels_has_one_image():
    image = Image(np.random.default_rng(0).random((6, 1, 8)).astype(np.float32), "TYX")
    with pytest.raises(ConfigError, match="motion_layers 2"):
        reconstruct(image, "time-lapse", device="cpu", steps=5, motion_layers=2)


def test_large_frames_are_averaged_and_times_interpolated():
    frames, _, _ = recording(OPPOSITE, 0.01)
    larger = np.repeat(np.repeat(frames, 4, 1), 4, 2).repeat(3, axis=0)
    found = objects_of(larger, 0.01)
    assert found.motions.shape == (2, 3 * FRAMES, 2, 3)
    assert max(found.images.shape[1:]) <= 128
    far = np.sort(found.motions[:, -1, 1, 0] - found.motions[:, 0, 1, 0])
    np.testing.assert_allclose(far, [-32, 32], atol=5)


def test_the_inverse_of_an_affine_motion_leads_back():
    motion = np.array([[3.0, 0.1, -0.2], [-1.0, 0.3, 0.05]])
    points = np.random.default_rng(0).uniform(0, 60, (2, 5))
    ends = points + affine(motion, points, MIDDLE)
    np.testing.assert_allclose(ends + affine(motion, ends, MIDDLE, inverse=True), points, atol=1e-9)


@pytest.fixture(scope="module")
def opposite():
    frames, first, last = recording(OPPOSITE, 0.05)
    image = Image(frames, "TYX", (1.0, 1, 1), ("second", "pixel", "pixel"), name="objects")
    return image, first, last - first


def errors(fit, first, true):
    motion = np.asarray(fit.image("motion").array()[-1], float)
    found = [map_coordinates(part, first.T, order=1, mode="nearest") for part in motion]
    return np.linalg.norm(np.stack(found, 1) - true, axis=1)


def test_objects_in_opposite_directions_are_followed_in_noise(opposite):
    """With one motion, the errors are 0.34 (median) and 0.87 pixels (90 %)."""
    image, first, true = opposite
    fit = reconstruct(image, "time-lapse", device="cpu", steps=120, unexplained="off")
    wrong = errors(fit, first, true)
    assert fit.report["motion_layers"] == 2
    assert np.median(wrong) < 0.2
    assert np.quantile(wrong, 0.9) < 0.5
    assert fit.report["lost_part"] < 0.2


def test_a_better_fit_with_several_images_is_not_compared_with_the_one_before(
    opposite, monkeypatch
):
    """Objects from optical flow are an alternative to one motion only."""
    checked = []

    def counted(problem, monitor):
        checked.append(problem.plan.shape.layers)
        return (yield from fit_halves(problem, monitor))

    none = dict.fromkeys(EXTRAS, False)
    tried = ("as given", job.LAYERS, "more")
    monkeypatch.setattr(
        job, "attempts_for", lambda _, config, planned: [(name, config, none) for name in tried]
    )
    monkeypatch.setattr(job, "better_of", lambda one, layers, **_: layers)
    monkeypatch.setattr(job, "WORTH_IT", 100.0)
    monkeypatch.setattr(job, "is_known", lambda _: False)
    monkeypatch.setattr(job, "fit_halves", counted)
    fit = reconstruct(opposite[0], "time-lapse", device="cpu", steps=5, moving=True)
    names = [each["attempt"] for each in fit.report["attempts"]]
    assert names[:3] == ["as given", "2 layers", "more"]
    assert checked == [2]
