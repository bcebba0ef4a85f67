"""The noise is found, and made even, to known accuracy."""

import itertools
import tracemalloc
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic.camera import noise_classes
from napari_cellinr.classic.camera.noise import Known, Noise, estimate_noise, stabilise
from napari_cellinr.classic.camera.single_photons import single_photons
from napari_cellinr.simulate.embryo import add_noise, embryo

BRIGHTNESS = np.array([10, 20, 40, 80])


@cache
def mean_of(kind, seed):
    return embryo(kind, seed=seed).truth_with_background.data


def exposure(kind="membranes", seed=0, *, gain=2.0, read_noise=8.0):
    """Return an embryo, which is simulated once for all kinds of noise."""
    return add_noise(mean_of(kind, seed), gain, read_noise, np.random.default_rng(seed))


def exact_sd(gain, read_noise):
    return np.sqrt(gain * BRIGHTNESS + read_noise**2)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("gain", "read_noise"), [(2, 8), (1, 3), (2, 20)])
@pytest.mark.parametrize("kind", ["membranes", "nuclei"])
def test_accuracy_on_the_embryo(kind, gain, read_noise, seed):
    noise = estimate_noise(exposure(kind, seed, gain=gain, read_noise=read_noise))
    assert noise.gain == pytest.approx(gain, rel=0.2)
    assert noise.sd(BRIGHTNESS) == pytest.approx(exact_sd(gain, read_noise), rel=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_accuracy_on_one_plane(seed):
    noise = estimate_noise(embryo(size=(256, 256), seed=seed).raw.data)
    assert noise.gain == pytest.approx(2, rel=0.2)
    assert noise.sd(BRIGHTNESS) == pytest.approx(exact_sd(2, 8), rel=0.05)


def test_noise_of_one_kind_only():
    gaussian = estimate_noise(exposure(gain=0, read_noise=10))
    assert gaussian.gain < 0.1
    assert gaussian.read_noise == pytest.approx(10, rel=0.03)
    photons = estimate_noise(exposure(gain=2, read_noise=0))
    assert photons.gain == pytest.approx(2, rel=0.1)
    assert photons.read_noise < 1
    assert photons.offset < 1


@pytest.mark.parametrize("size", [(48, 96, 96), (96, 96)])
def test_an_image_without_noise(size):
    truth = embryo(size=size).truth_with_background.data
    assert 0 < estimate_noise(truth).sd(100) < 0.2
    rounded = estimate_noise(np.round(truth).astype(np.uint8))
    assert rounded.sd(100) < 0.6  # the error of rounding alone has 0.29


def test_a_camera_offset_is_told_from_gain_and_brightness():
    raw = exposure(gain=2, read_noise=1) + 100
    noise = estimate_noise(raw)
    assert noise.gain == pytest.approx(2, rel=0.1)
    assert noise.sd(100 + BRIGHTNESS) == pytest.approx(exact_sd(2, 1), rel=0.05)


def speckled(shape, photons, seed, *, gain=2.0, read_noise=3.0, offset=100.0):
    """Return bright spots on a dark ground as a camera records them, whole grey levels."""
    generator = np.random.default_rng(seed)
    often = 1e-3 if len(shape) == 3 else 1e-2  # the gain is known from what is bright
    spots = gaussian_filter((generator.random(shape) < often).astype(float), 1.5)
    mean = photons * (spots / spots.max() + 0.05)
    return np.round(add_noise(gain * mean, gain, read_noise, generator) + offset)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", [(16, 64, 64), (256, 256)])
def test_read_noise_is_told_from_photons_by_its_symmetry(shape, seed):
    noise = estimate_noise(speckled(shape, 30, seed))
    assert noise.offset == pytest.approx(100, abs=3)
    assert noise.read_noise == pytest.approx(3, rel=0.35)


@pytest.mark.parametrize("seed", range(3))
def test_dark_noise_is_more_even_once_stabilised(seed):
    """With all of it taken for photons, what is dark is stretched: 1.28, 1.17 and 1.21 here."""
    raw = speckled((256, 256), 20, seed)
    values = stabilise(raw, estimate_noise(raw))
    dark = gaussian_filter(raw, 2.0) < 103
    assert values[dark].std() == pytest.approx(1.06, abs=0.08)


@pytest.mark.parametrize("seed", range(3))
def test_dark_structures_are_not_taken_for_read_noise(seed):
    """Their skewness is the opposite of that of photons; read noise of 6 and more was found."""
    generator = np.random.default_rng(seed)
    wide, fine = (gaussian_filter(generator.normal(size=(16, 80, 80)), s) for s in (6, 1.2))
    light = np.where(wide > 0, 200, 30) * np.exp(-np.maximum(fine / fine.std() - 0.5, 0))
    noise = estimate_noise(np.round(add_noise(2.0 * light, 2.0, 3.0, generator) + 100))
    assert noise.read_noise < 3


def test_photons_alone_stay_photons():
    """Offset and skewness are those of photons alone: nothing is taken for read noise."""
    noise = estimate_noise(speckled((16, 64, 64), 300, 0, read_noise=0.0, gain=1.0))
    assert noise.gain == pytest.approx(1, rel=0.1)
    assert noise.read_noise < 0.5


def test_an_offset_that_is_given_is_kept():
    raw = speckled((16, 64, 64), 30, 0)
    assert estimate_noise(raw, known=Known(offset=97.0)).offset == 97
    assert estimate_noise(raw, known=Known(read_noise=2.0)).read_noise == 2


def test_masked_and_saturated_voxels_do_not_count():
    raw = exposure(gain=2, read_noise=8)
    masked = np.clip(raw + 40, 0, 160).astype(np.uint8)
    masked[:, :, :40] = 0
    masked[:10] = 0
    noise = estimate_noise(masked)
    assert noise.sd(40 + BRIGHTNESS) == pytest.approx(exact_sd(2, 8), rel=0.05)
    holed = raw.copy()
    holed[5:9, 20:30] = np.nan
    assert estimate_noise(holed).sd(BRIGHTNESS) == pytest.approx(exact_sd(2, 8), rel=0.05)


@pytest.mark.parametrize("grain", [0.6, 0.9])
def test_noise_with_a_grain_is_not_missed(grain):
    generator = np.random.default_rng(0)
    noise = gaussian_filter(generator.standard_normal((48, 96, 96)), grain)
    noisy = mean_of("membranes", 0) + 6 * noise / noise.std()
    found = estimate_noise(np.round(noisy + 20))
    assert found.grain == pytest.approx(grain, abs=0.12)
    assert found.sd(50) == pytest.approx(6, rel=0.2)
    assert estimate_noise(exposure()).grain == 0


def test_rounded_noise_with_a_grain_is_found_where_the_first_voxels_have_no_data():
    """Whether values are whole numbers says how much of the finest differences is rounding."""
    generator = np.random.default_rng(0)
    mean = gaussian_filter(mean_of("membranes", 0), 0.8)[:24]
    grainy = gaussian_filter(generator.normal(size=mean.shape), 0.8)
    raw = np.round(mean / 2 + 2 * grainy / grainy.std()).astype(np.float32)
    whole = estimate_noise(raw)
    assert whole.grain == pytest.approx(0.8, abs=0.2)
    raw[:3] = np.nan  # more than 10,000 voxels
    raw[:, :5] = np.nan
    part = estimate_noise(raw)
    assert part.grain == pytest.approx(whole.grain, abs=0.1)
    assert part.sd(BRIGHTNESS) == pytest.approx(whole.sd(BRIGHTNESS), rel=0.1)


def test_further_axes_are_further_images():
    frames = np.stack([embryo(size=(20, 48, 48), seed=seed).raw.data for seed in (0, 1, 2)])
    assert estimate_noise(frames).sd(BRIGHTNESS) == pytest.approx(exact_sd(2, 8), rel=0.08)


def test_large_stacks_are_sampled():
    generator = np.random.default_rng(0)
    mean = np.broadcast_to(np.linspace(0, 100, 900), (3, 800, 900))
    noise = estimate_noise(add_noise(mean, 2, 8, generator))
    assert noise.sd(BRIGHTNESS) == pytest.approx(exact_sd(2, 8), rel=0.05)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (1, 9, 9), (2, 7, 5), (40, 1, 1), (5, 5, 5)])
@pytest.mark.parametrize("value", [0.0, 7.0, np.nan])
def test_constant_and_tiny_images(shape, value):
    noise = estimate_noise(np.full(shape, value, np.float32))
    assert (noise.gain, noise.offset) == (0, 0)
    assert 0 < noise.read_noise < 1e-4


def test_a_small_image_has_one_noise():
    generator = np.random.default_rng(0)
    noise = estimate_noise(add_noise(np.full((6, 12, 12), 50.0), 0, 5, generator))
    assert noise == Noise(0, pytest.approx(5, rel=0.3))


def test_a_mask_of_any_value_does_not_count() -> None:
    """Noise on an object only, in a mean that is 0 outside, as in the recipe of the paper."""
    generator = np.random.default_rng(1)
    rows, columns = np.indices((160, 160))
    mean = np.clip(90 - np.hypot(rows - 80, columns - 80) * 1.4, 0, None)
    noisy = generator.poisson(mean / 4) * 4 + 10 * generator.standard_normal(mean.shape) * (
        mean > 0
    )
    found = estimate_noise(noisy.astype(np.float32))
    assert found.gain == pytest.approx(4, rel=0.15)
    assert found.read_noise == pytest.approx(10, rel=0.1)


def granules(shape, seed=0):
    """Texture near the resolution limit everywhere, about 0 to 1."""
    generator = np.random.default_rng(seed)
    points = (generator.random(shape) < 1 / 60) * generator.lognormal(0, 0.5, shape)
    values = gaussian_filter(points, 1.0)
    return values / np.percentile(values, 99.9)


@pytest.mark.parametrize("shape", [(16, 64, 64), (160, 160)])
@pytest.mark.parametrize("photons", [30, 300, 3000])
def test_texture_is_not_taken_for_noise(shape, photons):
    generator = np.random.default_rng(1)
    mean = 2 * photons * (granules(shape) + 0.05) + 100
    noise = estimate_noise(np.round(add_noise(mean - 100, 2, 3, generator) + 100))
    levels = np.quantile(mean, [0.2, 0.5, 0.99])
    assert noise.grain == 0
    assert noise.sd(levels) == pytest.approx(np.sqrt(2 * (levels - 100) + 9), rel=0.12)


def test_frames_of_a_plane_are_not_the_planes_of_a_volume():
    """A specimen that jumps between frames is no noise along the time."""
    generator = np.random.default_rng(2)
    mean = 100 + 400 * np.stack([granules((96, 96), seed) for seed in range(6)])
    noise = estimate_noise(generator.poisson(mean).astype(np.float32), n_axes=2)
    assert noise.sd([150, 300]) == pytest.approx(np.sqrt([150, 300]), rel=0.1)


@pytest.mark.parametrize("gain", [1, 7])
@pytest.mark.parametrize("photons", [0.05, 0.1, 0.4])
def test_single_photons_are_counted(photons, gain):
    generator = np.random.default_rng(3)
    counts = generator.poisson(photons * (0.5 + granules((12, 64, 64))))
    noise = estimate_noise((gain * counts + 3).astype(np.uint16))
    assert (noise.gain, noise.offset) == (gain, 3)
    assert noise.read_noise < 1e-3


@pytest.mark.parametrize("shape", [(12, 64, 64), (128, 128)])
@pytest.mark.parametrize("photons", [0.03, 0.1, 0.4])
@pytest.mark.parametrize("read_noise", [0.3, 2.0, 7.0])
def test_single_photons_beside_read_noise_are_counted(photons, read_noise, shape):
    """Most voxels have none: their variance alone would be that of the read noise."""
    generator = np.random.default_rng(3)
    counts = generator.poisson(photons * (0.5 + granules(shape)))
    raw = 50 * counts + 100 + read_noise * generator.standard_normal(shape)
    for array in (raw, np.round(raw).astype(np.uint16)):
        noise = estimate_noise(array)
        assert noise.gain == pytest.approx(50, rel=0.03)
        assert noise.offset == pytest.approx(100, abs=0.3)
        assert noise.read_noise == pytest.approx(np.hypot(read_noise, 0.1), rel=0.15)
        assert noise.grain == 0


@pytest.mark.parametrize("kind", ["hot", "blurred", "multiplied", "two levels", "normal"])
def test_what_is_not_photons_is_not_taken_for_single_ones(kind):
    generator = np.random.default_rng(3)
    some = generator.random((1, 128, 128)) < 0.05
    bright = {
        "hot": 50 * some * generator.exponential(1, some.shape),  # hot pixels of all values
        "blurred": gaussian_filter(50.0 * some, (0, 1, 1)) * 6,  # small structures
        "multiplied": some * generator.gamma(1, 50, some.shape),  # electron multiplication
        "two levels": 50 * (granules((1, 128, 128)) > 0.7),  # labels
        "normal": np.zeros(some.shape),
    }
    raw = 100 + bright[kind] + 2 * generator.standard_normal(some.shape)
    assert single_photons(raw) is None
    assert single_photons(np.full((1, 8, 8), np.nan)) is None


def test_a_gap_between_bright_values_is_not_a_photon_and_causes_no_warning():
    """A tenth of the bright values is ten times darker: at their quantile, there are none."""
    raw = np.random.default_rng(3).uniform(-0.1, 0.1, (1, 256, 256))
    raw.flat[:396] += np.repeat([10, 1000], [40, 356])
    assert single_photons(raw) is None


def test_single_photons_are_counted_beside_images_without_data():
    generator = np.random.default_rng(3)
    raw = 50 * generator.poisson(0.05, (300, 64, 128)) + generator.normal(100, 2, (300, 64, 128))
    raw[::3] = np.nan
    found = single_photons(raw)
    assert found is not None
    assert found.gain == pytest.approx(50, rel=0.03)


def test_single_photons_of_a_large_stack_are_looked_for_in_some_planes():
    generator = np.random.default_rng(3)
    raw = 50 * generator.poisson(0.05, (1, 40, 512, 512)).astype(np.float32) + 100
    raw += generator.normal(0, 2, raw.shape).astype(np.float32)
    tracemalloc.start()
    found = single_photons(raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is not None
    assert peak < 2 * raw.nbytes


def test_what_is_given_is_not_estimated():
    generator = np.random.default_rng(4)
    mean = np.broadcast_to(np.linspace(100, 200, 128), (16, 128, 128))
    raw = add_noise(mean - 100, 2, 3, generator) + 100
    levels = [110, 190]
    exact = np.sqrt(2 * (np.array(levels) - 100) + 9)
    for known in (Known(gain=2), Known(gain=2, read_noise=3), Known(offset=100), Known(grain=0)):
        noise = estimate_noise(raw, known=known)
        assert noise.sd(levels) == pytest.approx(exact, rel=0.1)
    assert estimate_noise(raw, known=Known(2, 3, 100, 0)) == Noise(2, 3, 100, 0)
    assert estimate_noise(raw, known=Known(gain=2, read_noise=3)).offset == pytest.approx(
        100, abs=3
    )
    assert estimate_noise(raw, known=Known(grain=0.7)).grain == 0.7


@pytest.mark.parametrize("gain", [1e-9, 0.01, 0.5])
def test_an_offset_is_not_above_what_is_recorded_in_the_dark(gain):
    """The noise that is given is a little more than that of the image, which photons cannot be."""
    raw = 100 + np.random.default_rng(0).normal(0, 2.9, (128, 128))
    found = estimate_noise(raw, known=Known(gain=gain, read_noise=3.0))
    assert 90 < found.offset < 100


def test_a_blank_image_and_a_voxel_of_a_billion_do_not_count():
    raw = np.stack([embryo(size=(20, 48, 48), seed=seed).raw.data for seed in (0, 1, 2)])
    usual = estimate_noise(raw)
    raw[1], raw[0, 10, 20, 20] = 0, 1e9
    noise = estimate_noise(raw)
    assert noise.sd(BRIGHTNESS) == pytest.approx(usual.sd(BRIGHTNESS), rel=0.05)
    assert noise.read_noise < 20


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_classes_are_the_voxels_between_two_borders_of_brightness(dtype):
    """Each voxel is in one class, and no class reaches into the next one."""
    wide = np.random.default_rng(0).gamma(2, 50, 5000).astype(dtype)
    classes = list(noise_classes._members(wide, 20))
    assert sorted(np.concatenate(classes)) == list(range(wide.size))
    filled = [wide[chosen] for chosen in classes if len(chosen)]
    assert len(filled) > 10
    assert all(a.max() < b.min() for a, b in itertools.pairwise(filled))
