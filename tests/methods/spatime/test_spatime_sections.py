"""What a plane is: means keep their means, thin planes keep their values, at any factor."""

import numpy as np
import pytest
import torch

from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.classic.interpolate import resample
from napari_cellinr.classic.sampling import sampling
from napari_cellinr.methods.spatime.finer.planes import (
    TrainingPlanes,
    best_interpolation,
    examples_of,
    with_noise,
)
from napari_cellinr.methods.spatime.finer.sections import (
    KINDS,
    MEANS,
    NOISY_MEANS,
    Samples,
    name_of,
    sections_of,
)
from napari_cellinr.methods.spatime.model import PlaneModel
from napari_cellinr.methods.spatime.series import Series

FACTORS = (1, 2, 2.5, 3, 7, 0.5, 1 / 3, 0.7)


def made(volume, factor, sections, planes=None):
    series = Series(volume[None], "ZYX", (0.5, 1, 1), planes=planes, sections=sections)
    maps = {a: sampling(n, 1, a) for a, n in zip("ZYX", volume.shape, strict=True)}
    maps["Z"] = sampling(len(volume), factor, "Z")
    return series.finer(volume, maps, {}), maps["Z"].positions


def random_field():
    """A field that was never fitted: what it adds is anything."""
    torch.manual_seed(0)
    field = PlaneModel(4, pinned=True)
    torch.nn.init.normal_(field.decoder[-1].weight)
    return field.eval()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", FACTORS)
def test_thin_planes_are_values_at_their_places_and_given_ones_are_kept(kind, factor):
    volume = np.random.default_rng(0).random((9, 6, 7)).astype(np.float32)
    found, places = made(volume, factor, Samples(kind))
    np.testing.assert_allclose(found, resample(volume, places, 0, kind), atol=1e-5)
    same = np.abs(places - np.rint(places)) < 1e-9
    assert same.any() == (factor in (1, 3, 7, 1 / 3))
    np.testing.assert_array_equal(found[same], volume[np.rint(places[same]).astype(int)])
    constant, _ = made(np.full((9, 6, 7), 3.5, np.float32), factor, Samples(kind))
    np.testing.assert_allclose(constant, 3.5, rtol=1e-5)


@pytest.mark.parametrize("factor", [2, 2.5, 3, 0.7])
def test_thin_planes_of_a_band_limited_function_give_it_back(factor):
    def wave(z):
        return np.sin(2 * np.pi * np.asarray(z) / 9)[:, None, None] * np.ones((1, 3, 3))

    given = wave(np.arange(27.0)).astype(np.float32)
    found, places = made(given, factor, Samples("spline"))
    inside = (places > 4) & (places < 22)
    assert np.abs(found - wave(places))[inside].max() < 2e-3
    thick, _ = made(given, factor, MEANS)  # the wrong thing to take them for
    assert np.abs(thick - wave(places))[inside].max() > 1e-2


def test_what_is_learnt_is_nothing_at_given_planes_and_survives_keeping():
    volume = np.random.default_rng(1).random((5, 8, 9)).astype(np.float32)
    found, _ = made(volume, 3, Samples("cubic"), random_field())
    np.testing.assert_allclose(found[1::3], volume, atol=1e-5)
    assert np.abs(found[::3] - made(volume, 3, Samples("cubic"))[0][::3]).max() > 0.05
    series = Series(volume[None], "ZYX", (0.5, 1, 1), {}, planes=random_field())
    for sections in (Samples("linear"), Samples("spline"), MEANS):
        series.sections = sections
        arrays = {k: v.numpy() for k, v in series.tensors("").items()}
        again = Series.restored(arrays, series.settings(), "ZYX", torch.device("cpu"))
        assert again.sections == sections
        assert again.planes.pinned


def test_means_over_the_given_cells_are_the_given_means():
    volume = np.random.default_rng(2).random((6, 5, 4)).astype(np.float32)
    found, _ = made(volume, 3, MEANS)
    np.testing.assert_allclose(found.reshape(6, 3, 5, 4).mean(1), volume, atol=1e-4)


def test_rows_that_were_left_out_choose_the_interpolation_of_planes():
    generator = np.random.default_rng(3)
    waves = np.sin(0.6 * np.arange(150)[:, None] + 6 * generator.random(20)).astype(np.float32)
    assert best_interpolation(TrainingPlanes(waves[None], 3.0, 0.0), 3.0).kind == "spline"
    noise = generator.standard_normal((1, 48, 200)).astype(np.float32)
    assert best_interpolation(TrainingPlanes(noise, 3.0, 0.0), 3.0).kind == "linear"


def test_blurred_rows_are_as_noisy_as_planes_are():
    flat = np.zeros((60, 200), np.float32)
    random = np.random.default_rng(4)
    planes = TrainingPlanes(flat[None], 3.0, 2.0, Samples("cubic"), 1.0)
    rows = planes.pair(flat, 3.0, random)[0]
    assert rows.std() == pytest.approx(np.sqrt(1 - 1 / (4 * np.sqrt(np.pi))), rel=0.05)


def test_noisy_means_are_interpolated_linearly_and_not_kept():
    given = np.random.default_rng(0).random((6, 5)).astype(np.float32)
    places = np.array([0.75, 1.0, 1.25])
    found = NOISY_MEANS.finer(given, places, 0.5)
    expected = [0.25 * given[0] + 0.75 * given[1], given[1], 0.75 * given[1] + 0.25 * given[2]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert NOISY_MEANS.consistent(found, given, places, 0.5) is found
    for sections in (MEANS, NOISY_MEANS, Samples("cubic")):
        assert sections_of(name_of(sections)) == sections
    with pytest.raises(ValueError, match="'thick'; known are means, noisy means"):
        sections_of("thick")


def smooth_planes():
    z, y, x = np.indices((6, 40, 40)).astype(float)
    waves = np.sin(0.5 * y + z) * np.cos(0.3 * x - 0.4 * z)
    return (0.5 + 0.3 * waves).astype(np.float32)


@pytest.mark.parametrize(("added", "kind"), [(0.002, "means"), (0.3, "noisy means")])
def test_noise_decides_whether_means_are_kept(added, kind):
    """With little noise a smooth curve through the means is better, with much a line."""
    examples = TrainingPlanes(smooth_planes(), 2.0, 0.0, added=added)
    assert name_of(with_noise(examples, 2.0).sections) == kind


def test_coarse_rows_of_denoised_planes_get_the_noise_of_the_recorded_ones():
    examples = TrainingPlanes(np.zeros((1, 200, 200), np.float32), 2.0, 0.0, added=0.1)
    coarse, _, truth, _, _ = examples.pair(examples.planes[0], 2.0, np.random.default_rng(0))
    assert coarse.std() == pytest.approx(0.1, rel=0.03)
    assert truth.std() == 0


def test_planes_of_a_noisy_stack_are_denoised_to_learn_from():
    random = np.random.default_rng(0)
    noisy = (100 * smooth_planes() + random.normal(0, 8, (6, 40, 40))).astype(np.float32)
    series = Series(noisy[None], "ZYX", (0.5, 1.0, 1.0))
    found = examples_of(series, 2.0, Noise(0.0, 8.0))
    assert found.added == pytest.approx(8 / series.span, rel=1e-5)
    planes = found.planes[: len(found.planes) // 2] * series.span + series.low
    assert np.min([np.std(planes[0] - 100 * clean) for clean in smooth_planes()]) < 6
    assert examples_of(series, 2.0).added == 0
