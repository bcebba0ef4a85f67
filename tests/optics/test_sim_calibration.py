"""Carriers, phases and contrasts are found from the raw frames, and come back as they were."""

import math

import numpy as np
import pytest
import torch
from test_sim import CONTRASTS, three_beam

from napari_cellinr.errors import ConfigError
from napari_cellinr.optics.sim import fine_size
from napari_cellinr.optics.sim_calibration import (
    find_carrier,
    fit_order,
    full_transfer,
    separate,
    taper,
    upsample,
    without_blur,
)


@pytest.fixture(scope="module")
def simulated():
    """Return the model, its bands without knowledge of start phases, and full transfers."""
    model = three_beam((4, 64, 64), planes=0)
    scene = torch.tensor(np.random.default_rng(0).random(model.scene_shape) ** 8)
    frames = model(scene.expand(15, 1, *scene.shape), torch.arange(15))
    phases = torch.zeros(15, 6, dtype=torch.float64)
    for order in range(6):
        rows = slice(5 * (order // 2), 5 * (order // 2) + 5)
        phases[rows, order] = (1 + order % 2) * 2 * math.pi / 5 * torch.arange(5)
    bands = separate(taper(frames), phases, model.contrasts > 0)
    return model, bands, full_transfer(model.transfers.to(torch.complex128), 64)


@pytest.mark.parametrize("order", range(6))
def test_contrast_and_phase(simulated, order):
    """The factor 2 of the cosine and the sign of the phase are right, for both orders."""
    model, bands, transfers = simulated
    pair = bands[[0, 1 + order]], transfers[[0, int(model.groups[order])]]
    carrier = model.carriers[order].tolist()
    found = fit_order(*pair, carrier)
    assert found.contrast == pytest.approx(CONTRASTS[order // 2][order % 2], rel=0.03)
    assert found.phase == pytest.approx(float(model.phases[5 * (order // 2), order]), abs=0.03)
    assert found.agreement > 0.9
    opposite = fit_order(*pair, [-k for k in carrier])
    assert opposite.agreement < 0.5 * found.agreement


@pytest.mark.parametrize("order", range(6))
def test_noise_in_order_0_does_not_lower_the_contrast(simulated, order):
    """A tenth of the contrast of order 0 as noise would make it 7 to 24 % too small."""
    model, bands, transfers = simulated
    noise = torch.randn(bands[0].shape, generator=torch.Generator().manual_seed(1)).double()
    pair = torch.stack([bands[0] + 0.003 * noise, bands[1 + order]])
    found = fit_order(
        pair, transfers[[0, int(model.groups[order])]], model.carriers[order].tolist()
    )
    assert found.contrast == pytest.approx(CONTRASTS[order // 2][order % 2], rel=0.065)


@pytest.mark.parametrize("order", range(6))
def test_carrier_is_refined(simulated, order):
    model, bands, transfers = simulated
    pair = bands[[0, 1 + order]], transfers[[0, int(model.groups[order])]]
    true = model.carriers[order].double().numpy()
    found = find_carrier(without_blur(*pair), true + np.array([0.012, -0.008]))
    assert np.abs(np.array(found) - true).max() < 0.1 / 64  # a tenth of a frequency step


def test_separation_is_exact_for_any_phases():
    generator = torch.Generator().manual_seed(0)
    bands = torch.randn(3, 4, 5, generator=generator, dtype=torch.complex128)
    bands[0] = bands[0].real + 0j
    phases = torch.tensor([[0.1, 0.5], [2.0, 0.7], [4.4, 1.9], [0.3, 3.0], [1.0, 5.0], [2.2, 4.0]])
    frames = bands[0].real.expand(6, 4, 5).clone()
    for order in range(2):
        waves = torch.exp(1j * phases[:, order].double())[:, None, None] * bands[1 + order]
        frames += waves.real
    found = separate(frames, phases, torch.ones(6, 2, dtype=torch.bool))
    torch.testing.assert_close(found, bands)


def test_equal_phases_are_refused():
    phases = torch.tensor([[0.0], [1.0], [1.0]])
    with pytest.raises(ConfigError, match="do not tell the orders apart"):
        separate(torch.ones(3, 4, 4), phases, torch.ones(3, 1, dtype=torch.bool))


@pytest.mark.parametrize("size", [(8, 10), (9, 15)])
def test_upsampled_values_hold_the_old_ones(size):
    values = torch.randn(size, dtype=torch.complex128)
    fine = upsample(values, fine_size(size, 2.0))
    steps = [f / n for f, n in zip(fine.shape, size, strict=True)]
    assert float(fine.mean().abs()) == pytest.approx(float(values.mean().abs()))
    if steps == [2, 2]:
        torch.testing.assert_close(fine[::2, ::2], values)


def test_tapered_frames_are_periodic():
    faded = taper(torch.ones(30, 40), 8)
    assert float(faded[15, 20]) == 1
    assert float(faded[0].max()) < 0.02
