"""Values cut off at the ends of the range are named; few photons and labels are not such."""

import numpy as np
import pytest

from napari_cellinr.classic.camera.pixels import saturated_part
from napari_cellinr.methods.cellinr.recording.limits import limit_warnings


def scene():
    """Return an image of dots of 0 to 1."""
    rows, columns = np.indices((64, 64))
    places = np.random.default_rng(3).uniform(0, 64, (18, 2))
    near = (((rows - y) ** 2 + (columns - x) ** 2) / 24.5 for y, x in places)
    return np.clip(sum(np.exp(-distance) for distance in near), 0, 1)


def recorded(brightness, floor):
    return np.random.default_rng(0).poisson(
        np.broadcast_to(scene() * brightness + floor, (8, 64, 64))
    )


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_cut_off_bright_end(dtype):
    values = np.minimum(recorded(150, 30), 120).astype(dtype)
    part = 100 * float((values == 120).mean())
    (text,) = limit_warnings(values)
    assert text.startswith(f"{part:.1f} % of the voxels have the largest value, 120")


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32])
def test_a_cut_off_dark_end(dtype):
    values = np.maximum(recorded(150, 30) - 30, 0).clip(0, 250).astype(dtype)
    part = 100 * float((values == 0).mean())
    assert limit_warnings(values)[-1].startswith(
        f"{part:.1f} % of the voxels have the lowest value, 0"
    )


@pytest.mark.parametrize("brightness", [0.05, 0.3, 1, 10, 100])
def test_counted_photons_are_not_cut_off(brightness):
    assert limit_warnings(recorded(brightness, 0.07 * brightness)) == []


def test_dim_and_bright_places_beside_each_other_are_not_cut_off():
    truth = np.broadcast_to(np.where(scene() > 0.5, 100 * scene(), 0.05), (8, 64, 64))
    assert limit_warnings(np.random.default_rng(0).poisson(truth)) == []


def test_labels_and_ramps_are_not_cut_off():
    assert limit_warnings((scene() > 0.5).astype(np.uint16)) == []
    assert limit_warnings(np.arange(4096, dtype=np.uint16)[:-1]) == []


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_bits_at_the_top_of_a_larger_type(bits):
    """Some cameras store 12 bits as multiples of 16, with 65520 as the largest value."""
    unit, most = 2 ** (16 - bits), 2**bits - 1
    values = (np.minimum(recorded(3 * most, most // 8), most) * unit).astype(np.uint16)
    assert saturated_part(values) == pytest.approx(float((values == most * unit).mean()))
    assert saturated_part(values[values < most * unit]) == 0
