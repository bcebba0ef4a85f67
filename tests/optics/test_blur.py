"""Ordinary microscopes: exact convolution, and times of scans as they are counted by hand."""

import numpy as np
import pytest
import torch
from scipy.signal import convolve

from napari_cellinr.errors import ConfigError
from napari_cellinr.optics.blur import BlurModel, line_times, plane_times, point_times
from napari_cellinr.optics.fourier import (
    fast_shape,
    frequencies,
    gaussian_psf,
    incoherent_transfer,
    rfrequencies,
)


@pytest.mark.parametrize("size", [(11, 14), (6, 11, 9)])
def test_frame_is_the_valid_convolution(size):
    generator = np.random.default_rng(0)
    psf = generator.random((3, 5, 3)[-len(size) :])
    model = BlurModel((1, *size), torch.zeros(1), torch.from_numpy(psf))
    scene = generator.random((1, 1, *model.scene_shape))
    frame = model(torch.from_numpy(scene), torch.zeros(1, dtype=torch.int64))
    expected = convolve(scene[0, 0], psf / psf.sum(), mode="valid")
    np.testing.assert_allclose(frame[0].numpy(), expected, rtol=1e-5, atol=1e-6)


def test_without_psf_the_frame_is_the_scene():
    model = BlurModel((2, 4, 5), torch.arange(2.0))
    scene = torch.randn(2, 1, 4, 5)
    assert torch.equal(model(scene, torch.arange(2)), scene[:, 0])


def test_line_times():
    times = line_times(torch.tensor([0.0, 10.0]), 3, 0.5, bidirectional=True)
    assert times[..., 0].tolist() == [[0, 0.5, 1], [11, 10.5, 10]]


def test_point_times():
    times = point_times(torch.tensor([5.0]), (2, 3), 1.0, 0.1, bidirectional=True)
    np.testing.assert_allclose(times[0], [[5, 5.1, 5.2], [6.2, 6.1, 6]])


@pytest.mark.parametrize(
    ("order", "turns"),
    [
        ("rising", [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]),
        ("falling", [[4, 3, 2, 1, 0], [4, 3, 2, 1, 0]]),
        ("alternating", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]]),
        ("interleaved", [[0, 3, 1, 4, 2], [0, 3, 1, 4, 2]]),
    ],
)
def test_plane_times(order, turns):
    times = plane_times(torch.tensor([0.0, 100.0]), 5, 2.0, order=order)
    assert times.shape == (2, 5, 1, 1)
    expected = 2.0 * np.array(turns) + np.array([[0], [100]])
    np.testing.assert_allclose(times[..., 0, 0], expected)


def test_rows_of_planes():
    times = plane_times(torch.tensor([0.0]), 2, 1.0, n_rows=3, row_time=0.25)
    np.testing.assert_allclose(times[0, :, :, 0], [[0, 0.25, 0.5], [1, 1.25, 1.5]])


def test_times_of_the_padding_are_those_of_the_edge():
    times = line_times(torch.tensor([0.0]), 5, 1.0)
    model = BlurModel((1, 5, 5), times, torch.ones(3, 3))
    assert model.shot_times()[0, :, 0].tolist() == [0, 0, 1, 2, 3, 4, 4]


@pytest.mark.parametrize(
    ("psf", "message"),
    [
        (torch.ones(9, 3), "larger than the image"),
        (torch.ones(4, 3), "odd sizes"),
        (torch.ones(3), "as many axes"),
        (-torch.ones(3, 3), "negative"),
        (torch.zeros(3, 3), "sum 0"),
        (torch.full((3, 3), torch.nan), "missing"),
    ],
)
def test_refused_psf(psf, message):
    with pytest.raises(ConfigError, match=message):
        BlurModel((1, 8, 8), torch.zeros(1), psf)


def test_gaussian_has_its_width():
    psf = gaussian_psf((2.0, 0.0), (20, 20))
    assert psf.shape == (15, 1)
    places = torch.arange(-7, 8)
    assert float((psf[:, 0] * places**2).sum()) == pytest.approx(4, rel=0.02)


def test_frequencies_are_those_of_numpy():
    ky, kx = frequencies((5, 6), (0.1, 0.2))
    np.testing.assert_allclose(ky[:, 0], np.fft.fftfreq(5, 0.1))
    np.testing.assert_allclose(kx[0], np.fft.fftfreq(6, 0.2))
    np.testing.assert_allclose(rfrequencies((5, 6), (0.1, 0.2))[1][0], np.fft.rfftfreq(6, 0.2))


def test_fast_sizes():
    assert fast_shape((1, 7, 11, 64, 97)) == (1, 8, 12, 64, 100)


def test_ideal_lens_is_the_autocorrelation_of_a_disc():
    size = 256
    places = np.arange(size) - size // 2
    disc = (np.hypot(*np.meshgrid(places, places)) <= 50).astype(float)
    spectrum = np.abs(np.fft.fft2(disc)) ** 2
    correlation = np.fft.ifft2(spectrum).real[0, :120]
    ideal = incoherent_transfer(torch.arange(120.0), 100.0)
    np.testing.assert_allclose(correlation / correlation[0], ideal, atol=0.01)
