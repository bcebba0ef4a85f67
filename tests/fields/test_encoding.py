"""Waves that voxels can carry, and the network that they go into."""

import math

import pytest
import torch

from napari_cellinr.fields.encoding import FourierEncoding, finest_octave
from napari_cellinr.fields.mlp import SkipMLP
from napari_cellinr.fields.rcan import Encoder


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 96, 256, 1000])
def test_the_finest_wave_is_sampled_twice_per_period(size):
    step = 2 * math.pi / (size + 1)
    octave = finest_octave(size)
    assert 2**octave * step <= math.pi
    assert 2 ** (octave + 1) * step > math.pi


@pytest.mark.parametrize("shape", [(5, 9), (4, 1, 30)])
def test_features_are_sines_and_cosines_of_each_axis(shape):
    encoding = FourierEncoding(shape)
    n_features = 2 * sum(finest_octave(size) + 1 for size in shape)
    positions = torch.zeros(6, 2, len(shape))
    waves = encoding(positions)
    assert waves.shape == (6, 2, n_features) == (6, 2, encoding.n_features)
    expected = [
        math.sin(2**k * (2 * math.pi / (size + 1) - math.pi))
        for size in shape
        for k in range(finest_octave(size) + 1)
    ]
    torch.testing.assert_close(waves[0, 0, : n_features // 2], torch.tensor(expected))
    torch.testing.assert_close(
        waves[..., : n_features // 2] ** 2 + waves[..., n_features // 2 :] ** 2,
        torch.ones(6, 2, n_features // 2),
    )


def test_all_voxels_differ():
    encoding = FourierEncoding((6, 7))
    grid = torch.cartesian_prod(torch.arange(6.0), torch.arange(7.0))
    waves = encoding(grid)
    distances = torch.cdist(waves, waves) + 10 * torch.eye(42)
    assert distances.min() > 0.05


def test_a_network_repeats_itself_by_its_generator_and_leaves_the_global_one():
    before = torch.get_rng_state()
    first, same, other = (
        SkipMLP(4, 2, torch.Generator().manual_seed(seed), width=8) for seed in (1, 1, 2)
    )
    assert torch.equal(before, torch.get_rng_state())
    inputs = torch.ones(3, 4)
    assert first(inputs).shape == (3, 2)
    assert torch.equal(first(inputs), same(inputs))
    assert not torch.equal(first(inputs), other(inputs))


def test_a_network_has_its_hidden_layers_and_uses_all_of_them():
    network = SkipMLP(4, 1, torch.Generator().manual_seed(0), width=8, n_joined=3, joined_at=6)
    network(torch.ones(5, 4), torch.ones(5, 3)).sum().backward()
    assert [layer.in_features for layer in network.hidden] == [4, 8, 8, 8, 8, 8, 11, 8]
    assert all(weight.grad is not None for weight in network.parameters())


def test_initial_weights_keep_the_size_of_signals():
    network = SkipMLP(50, 3, torch.Generator().manual_seed(0), width=200, depth=3, joined_at=1)
    sizes = [50, 250, 200, 200]
    layers = [*network.hidden, network.last]
    for layer, n_inputs, gain in zip(layers, sizes, (2, 2, 2, 1 / 3), strict=True):
        assert layer.weight.shape[1] == n_inputs
        assert layer.weight.detach().var().item() == pytest.approx(gain / n_inputs, rel=0.15)
        assert not layer.bias.any()


def test_codes_lie_between_plus_and_minus_pi():
    encoder = Encoder(2, 3, 2, width=4, blocks=1)
    torch.nn.init.constant_(encoder.tail.bias, 50.0)
    codes = encoder(torch.zeros(1, 2, 5, 6))
    assert codes.shape == (1, 3, 5, 6)
    torch.testing.assert_close(codes, torch.full_like(codes, math.pi))
