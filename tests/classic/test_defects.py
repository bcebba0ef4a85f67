"""Blank frames, parts without data and impossible voxels are found, and nothing else."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_opening, gaussian_filter, rotate

from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.classic.camera.defects import (
    _opened,
    _spread,
    blank_frames,
    empty_part,
    filled,
    impossible_voxels,
    interpolated,
    lost_lines,
)


def recorded(shape=(8, 48, 48), floor=30.0, seed=0):
    generator = np.random.default_rng(seed)
    spots = gaussian_filter((generator.random(shape) < 0.01).astype(float), 1.5)
    return generator.poisson(floor + 80 * spots / spots.max()).astype(np.float32)


def test_blank_frames():
    frames = [recorded(), np.zeros((8, 48, 48)), recorded(seed=1), np.full((8, 48, 48), 7)]
    assert blank_frames(frames) == [1, 3]
    assert blank_frames(frames[1::2]) == []


@pytest.mark.parametrize("shape", [(8, 48, 48), (48, 48)])
def test_a_border_of_zeros_has_no_data(shape):
    frame = recorded(shape)
    empty = np.zeros(shape, bool)
    empty[..., :8, :] = True
    empty[..., :5] = True
    frame[empty] = 0
    assert np.array_equal(empty_part(frame), empty)


@pytest.mark.parametrize("subtracted", [0, 50])
@pytest.mark.parametrize("angle", [1, 10, 30, 45])
def test_the_slanted_border_of_a_turned_image_has_no_data(angle, subtracted):
    """It ends in tips that are not three voxels wide, and 0 need not be the lowest value."""
    turned = {"axes": (1, 2), "reshape": False, "order": 0}
    frame = rotate(recorded() + 0.5 - subtracted, angle, **turned)
    empty = rotate(np.ones(frame.shape), angle, **turned) == 0
    assert np.array_equal(empty_part(frame), empty)


@pytest.mark.parametrize("photons", [0.01, 0.03, 0.1])
def test_single_photons_are_no_image_with_a_border(photons):
    light = np.full((64, 64), photons) * (np.arange(64) > 20)
    for seed in range(20):
        assert empty_part(np.random.default_rng(seed).poisson(light)) is None


@pytest.mark.parametrize("border", [0, 8])
def test_planes_without_data(border):
    frame = recorded()
    empty = np.zeros(frame.shape, bool)
    empty[[3, 7]] = True
    empty[:, :border] = True
    frame[empty] = 0
    assert np.array_equal(empty_part(frame), empty)


@pytest.mark.parametrize("photons", [0.1, 1.0, 4.0, 30.0])
def test_dark_parts_of_a_recording_have_data(photons):
    shape = (8, 64, 64)
    light = photons * np.clip(np.linspace(-0.5, 1, 64), 0, None) * np.ones(shape)
    assert empty_part(np.random.default_rng(0).poisson(light).astype(np.float32)) is None
    clipped = np.clip(np.random.default_rng(0).normal(light, 1), 0, None)
    assert empty_part(clipped) is None
    assert empty_part(recorded(shape)) is None
    assert empty_part(clipped.transpose(2, 0, 1)) is None  # dark planes at the end


def test_one_voxel_of_a_billion_is_impossible_and_a_bead_is_not():
    frame = recorded()
    assert impossible_voxels(frame) is None
    frame[4, 20, 20] = 1e9
    found = impossible_voxels(frame)
    assert np.argwhere(found).tolist() == [[4, 20, 20]]
    bead = np.zeros((8, 48, 48))
    bead[4, 20, 20] = 1
    bead = gaussian_filter(bead, 0.7)
    assert impossible_voxels(recorded() + 1e6 * bead.astype(np.float32) / bead.max()) is None


def test_what_is_filled_continues_its_surroundings():
    frame, missing = recorded(floor=100.0), np.zeros((8, 48, 48), bool)
    missing[:, :12] = True
    missing[3, 30, 30] = True
    noise = Noise(1.0, 0.1)
    result = filled(np.where(missing, 0, frame), missing, noise, np.random.default_rng(0))
    assert np.array_equal(result[~missing], frame[~missing])
    assert result[:, :12].mean() == pytest.approx(100, abs=8)
    assert result[:, :12].std() == pytest.approx(10, rel=0.2)
    assert result[3, 30, 30] == pytest.approx(frame[2:5, 29:32, 29:32].mean(), abs=8)


@pytest.mark.parametrize("value", [0, 100, 65535])
def test_single_rows_and_columns_of_one_value_are_lost(value):
    frame = np.random.default_rng(0).poisson(90, (64, 80)).astype(np.uint16)
    frame[10], frame[:, 20:22] = value, value
    expected = np.zeros(frame.shape, bool)
    expected[10], expected[:, 20:22] = True, True
    assert np.array_equal(lost_lines(frame), expected)
    assert empty_part(frame) is None
    repaired = interpolated(frame, expected)
    assert abs(repaired[expected].mean() - 90) < 3
    assert np.array_equal(repaired[~expected], frame[~expected])


@pytest.mark.parametrize("value", [100, 65535])
def test_planes_and_many_rows_of_one_value_have_no_data(value):
    volume = np.random.default_rng(0).poisson(90, (5, 32, 32)).astype(np.uint16)
    volume[2], volume[4, 4:9] = value, value
    expected = np.zeros(volume.shape, bool)
    expected[2], expected[4, 4:9] = True, True
    assert np.array_equal(empty_part(volume), expected)
    assert lost_lines(volume) is None


@pytest.mark.parametrize("photons", [0.002, 0.05, 0.5])
def test_rows_without_a_photon_are_not_lost(photons):
    frame = np.random.default_rng(0).poisson(photons, (64, 64))
    assert lost_lines(frame) is None
    assert empty_part(frame) is None


def test_images_without_noise_have_no_lost_lines():
    frame = np.zeros((32, 32))
    frame[10], frame[20:, 5:9] = 7, 3
    for image in (frame, frame.T, frame + np.linspace(0, 1, 32)):
        assert lost_lines(image) is None


@pytest.mark.parametrize("fwhm", [1.5, 2.5, 4.0])
@pytest.mark.parametrize("peak", [300, 600])
@pytest.mark.parametrize("row", [0, 30])
def test_a_saturated_fibre_is_not_lost(fwhm, peak, row):
    """It was once replaced by its dimmer neighbours."""
    fibre = np.zeros((64, 64))
    fibre[row] = 1
    fibre = gaussian_filter(fibre, (fwhm / 2.355, 0), mode="constant")
    light = 20 + peak * fibre / fibre.max()
    frame = np.random.default_rng(0).poisson(light).clip(0, 255).astype(np.uint8)
    assert (frame[row] == 255).all()
    assert lost_lines(frame) is None
    assert lost_lines(frame.T) is None
    assert empty_part(frame) is None
    frame[50] = 255
    assert np.flatnonzero(lost_lines(frame).all(axis=1)).tolist() == [50]


@pytest.mark.parametrize("first", ["row", "column"])
@pytest.mark.parametrize("border", [0, 8])
def test_a_dead_row_that_crosses_a_hot_column_is_lost_too(first, border):
    frame = np.random.default_rng(0).poisson(90, (64, 80)).astype(np.uint16)
    lost, empty = np.zeros(frame.shape, bool), np.zeros(frame.shape, bool)
    for kind in (first, "column" if first == "row" else "row"):
        place, value = (np.s_[30], 0) if kind == "row" else (np.s_[:, 20], 4095)
        frame[place], lost[place] = value, True
    frame[:, :border], empty[:, :border] = 5, True
    assert np.array_equal(lost_lines(frame), lost & ~empty)
    assert np.array_equal(lost_lines(frame.T), (lost & ~empty).T)
    assert (empty_part(frame) is None) if border == 0 else (empty_part(frame) == empty).all()


@pytest.mark.parametrize("values", [(0, 4095), (4095, 0)])
def test_a_dead_row_beside_a_saturated_one(values):
    frame = np.random.default_rng(0).poisson(90, (64, 80)).astype(np.uint16)
    frame[30], frame[31] = values
    for found in (lost_lines(frame), lost_lines(frame.T).T):
        assert np.flatnonzero(found.all(axis=1)).tolist() == [30, 31]
        assert found.sum() == 2 * 80


@pytest.mark.parametrize("shape", [(1, 512), (2, 512), (8, 64), (64, 64)])
@pytest.mark.parametrize("photons", [0.1, 0.3, 0.5, 1.0, 2.0, 5.0])
def test_a_random_image_has_data_everywhere(photons, shape):
    """Three dark voxels in a row at an edge are no empty square."""
    for seed in range(20):
        frame = np.random.default_rng(seed).poisson(photons, shape)
        assert empty_part(frame) is None
        assert empty_part(frame.T) is None


@pytest.mark.parametrize("sd", [0.7, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_a_smooth_signed_image_of_a_few_grey_levels_has_data_where_it_is_0(sd, noise):
    generator = np.random.default_rng(0)
    smooth = gaussian_filter(generator.normal(size=(128, 128)), 4)
    grey = np.round(sd * smooth / smooth.std() + generator.normal(0, noise + 1e-9, smooth.shape))
    assert empty_part(grey.astype(np.int16)) is None


def test_a_signed_image_on_a_background_of_0_has_data_everywhere():
    frame = np.zeros((128, 128), np.float32)
    frame[30:60, 30:60] = gaussian_filter(np.random.default_rng(0).normal(size=(30, 30)), 1)
    assert empty_part(frame) is None


@pytest.mark.parametrize("noise", [2, 20])
def test_a_border_of_zeros_beside_whole_signed_grey_levels_has_no_data(noise):
    generator = np.random.default_rng(0)
    frame = np.round(generator.normal(3 * noise, noise, (64, 64))).astype(np.int16)
    frame[40:, 40:] -= 3 * noise
    frame[:8], frame[:, :5] = 0, 0
    assert (frame < 0).any()
    empty = np.zeros(frame.shape, bool)
    empty[:8], empty[:, :5] = True, True
    assert np.array_equal(empty_part(frame), empty)


@pytest.mark.parametrize("shape", [(3, 12, 14), (20, 17), (3, 3), (1, 4, 3)])
@pytest.mark.parametrize("part", [0.5, 0.8, 0.95])
def test_squares_are_those_of_scipy(shape, part):
    marked = np.random.default_rng(0).random(shape) < part
    flat = [1] * (len(shape) - 2)
    np.testing.assert_array_equal(_opened(marked), binary_opening(marked, np.ones((*flat, 3, 3))))
    np.testing.assert_array_equal(
        _spread(marked, 2), binary_dilation(marked, np.ones((*flat, 5, 5)))
    )
