"""Phase contrast against an independent simulation of partially coherent light."""

import numpy as np
import pytest
import torch

from napari_cellinr.errors import ConfigError
from napari_cellinr.optics.dpc import (
    DPCModel,
    _box_mean,
    check_sampling,
    half_discs,
    led_sources,
    normalise,
    transfer_functions,
)

PIXEL, WAVELENGTH, NA = 0.454, 0.525, 0.25
OPTICS = (PIXEL, WAVELENGTH)


def coherent_sum(transmission, source):
    """Return the contrast: for each point of the source a tilted wave through specimen and lens."""
    size = transmission.shape
    k = [np.fft.fftfreq(n, PIXEL) for n in size]
    pupil = np.hypot(k[0][:, None], k[1][None]) * WAVELENGTH <= NA
    rows, columns = np.indices(size)
    bright = empty = 0
    for v, u in np.argwhere(source > 0):
        wave = np.exp(2j * np.pi * (v * rows / size[0] + u * columns / size[1]))
        for intensity, field in (("bright", wave * transmission), ("empty", wave)):
            image = source[v, u] * np.abs(np.fft.ifft2(pupil * np.fft.fft2(field))) ** 2
            if intensity == "bright":
                bright = bright + image
            else:
                empty = empty + image
    return bright / empty - 1


@pytest.mark.parametrize("size", [(24, 30), (25, 27)])
@pytest.mark.parametrize("light", ["discs", "leds"])
def test_weak_object_in_radians(size, light):
    """Absorption exp(-a) and phase p in radians give the contrast of the full simulation."""
    generator = np.random.default_rng(1)
    absorption, phase = 1e-5 * generator.standard_normal((2, *size))
    if light == "discs":
        sources = half_discs(size, *OPTICS, (0, 180, 90, 270, 37), NA)
    else:
        sources = led_sources(size, *OPTICS, [[(0.1, 0.05), (-0.03, 0.12)], [(0, -0.2)]])
    functions = transfer_functions(sources, *OPTICS, NA)
    model = DPCModel((len(sources), *size), torch.arange(len(sources)), *functions)
    scene = torch.from_numpy(np.stack([absorption, phase])).expand(len(sources), 2, *size)
    frames = model(scene, torch.arange(len(sources))).numpy()
    for frame, source in zip(frames, sources.numpy(), strict=True):
        expected = coherent_sum(np.exp(-absorption + 1j * phase), source)
        assert np.abs(frame - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("size", [(32, 40), (33, 41)])
def test_symmetries(size):
    """T3: absorption is real and -2 at 0; phase is imaginary, odd, 0 at 0; pairs are opposite."""
    sources = half_discs(size, *OPTICS, (0, 180, 90, 270), NA)
    absorption, phase = transfer_functions(sources, *OPTICS, NA)
    torch.testing.assert_close(absorption[:, 0, 0].real, torch.full((4,), -2.0).double())
    assert float(absorption.imag.abs().max()) < 1e-12
    assert float(phase.real.abs().max()) < 1e-12
    assert float(phase[:, 0, 0].abs().max()) < 1e-12
    assert float((phase[0] + phase[1]).abs().max()) < 1e-12
    assert float((phase[2] + phase[3]).abs().max()) < 1e-12
    assert 0.7 < float(phase.abs().max()) < 1


def test_directions_of_half_discs():
    top, bottom, left, right = half_discs((16, 16), *OPTICS, (0, 180, 90, 270), NA)
    assert top[3, 0] == 1
    assert top[-3, 0] == 0
    assert bottom[3, 0] == 0
    assert left[0, -3] == 1
    assert left[0, 3] == 0
    assert right[0, 3] == 1


def test_aliasing_is_refused():
    sources = half_discs((16, 16), 1.0, 0.525, (0,), 0.5)
    with pytest.raises(ConfigError, match="alias"):
        transfer_functions(sources, 1.0, 0.525, 0.5)
    with pytest.raises(ConfigError, match=r"at most 0\.2625"):
        check_sampling(1.0, 0.525, 0.5, 0.5)


def test_dark_field_is_refused():
    sources = led_sources((16, 16), *OPTICS, [[(0.5, 0.0)]])
    with pytest.raises(ConfigError, match="dark-field"):
        transfer_functions(sources, *OPTICS, NA)


def test_uneven_light_is_divided_out():
    rows = torch.linspace(0, 1, 64)[:, None]
    light = 100 * (1 + 0.3 * rows).expand(64, 64)
    pattern = 0.05 * torch.sin(torch.arange(64.0) * 2 * torch.pi / 8)
    contrast = normalise((light * (1 + pattern))[None], 0.25)[0]
    assert abs(float(contrast.mean())) < 1e-6
    assert float((contrast - pattern)[12:-12, 12:-12].abs().max()) < 0.01


def test_pixels_without_data_do_not_count():
    """A black part once made the rest bright, and a black frame gave NaN everywhere."""
    light = 100 + 20 * torch.rand(3, 32, 48, generator=torch.Generator().manual_seed(0))
    missing = torch.zeros(light.shape, dtype=torch.bool)
    missing[1, 20:], missing[2] = True, True
    dark, bright = (torch.where(missing, value, light) for value in (0.0, 65535.0))
    contrast = normalise(dark, 0.5, missing)
    assert torch.equal(contrast, normalise(bright, 0.5, missing))
    assert torch.equal(contrast[0], normalise(light, 0.5)[0])
    assert bool((contrast[missing] == -1).all())
    assert bool((normalise(torch.zeros(1, 8, 8), 0.5) == -1).all())
    assert abs(float(contrast[1, :20].mean())) < 1e-6
    assert float((contrast[1] - normalise(light, 0.5)[1])[:6].abs().max()) < 0.02


def test_the_limit_of_the_pixel_size_is_that_of_nyquist():
    check_sampling(0.2625, 0.525, 0.5, 0.5)  # two pixels per finest period of 0.525 µm
    with pytest.raises(ConfigError, match=r"at most 0\.2625"):
        check_sampling(0.2626, 0.525, 0.5, 0.5)


def test_the_local_mean_is_centred_and_shorter_at_the_edges():
    ramp = torch.arange(6.0)
    assert _box_mean(ramp, 0, 3).tolist() == [0.5, 1, 2, 3, 4, 4.5]
    assert _box_mean(ramp[:, None] + ramp, 1, 1).equal(ramp[:, None] + ramp)
    assert _box_mean(ramp, 0, 4).tolist() == [0.5, 1, 1.5, 2.5, 3.5, 4]
