"""Convolution of planes with their neighbours: the same as a convolution in 3-D."""

import pytest
import torch

from napari_cellinr.fields.neighbours import convolved


def in_3d(values, weight, bias, n_planes):
    """Return the convolution of planes of which the outermost are repeated."""
    far = n_planes // 2
    wide = torch.nn.functional.pad(
        values.transpose(0, 1)[None], (0, 0, 0, 0, far, far), mode="replicate"
    )
    kernel = weight.unflatten(1, (n_planes, -1)).transpose(1, 2)
    return torch.nn.functional.conv3d(wide, kernel, bias)[0].transpose(0, 1)


def example(n_planes, n_z, n_out=4):
    torch.manual_seed(n_z)
    shapes = (n_z, 2, 9, 8), (n_out, n_planes * 2, 3, 3), (n_out,)
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def gradients(found, given):
    torch.manual_seed(0)
    return torch.autograd.grad(found, given, torch.randn(found.shape, dtype=found.dtype))


@pytest.mark.parametrize("n_z", [1, 2, 5])
@pytest.mark.parametrize("n_planes", [1, 3])
def test_values_and_gradients_are_those_of_a_convolution_in_3d(n_planes, n_z):
    given = example(n_planes, n_z)
    found, expected = convolved(*given, n_planes), in_3d(*given, n_planes)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradients(found, given), gradients(expected, given))


@pytest.mark.parametrize("n_planes", [1, 3])
def test_outputs_that_are_not_followed_change_only_the_weights(n_planes):
    given = example(n_planes, 4)
    found = convolved(*given, n_planes, n_followed=1)
    values, weight, bias = given
    followed = in_3d(values, weight[:1], bias[:1], n_planes)
    others = in_3d(values.detach(), weight[1:], bias[1:], n_planes)
    expected = torch.cat([followed, others], 1)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradients(found, given), gradients(expected, given))


def test_gradients_are_exact_in_single_precision_and_another_layout():
    given = [part.detach().float().requires_grad_() for part in example(3, 6, n_out=16)]
    values = given[0].contiguous(memory_format=torch.channels_last)
    found, expected = convolved(values, *given[1:], 3), in_3d(*given, 3)
    torch.testing.assert_close(
        gradients(found, given), gradients(expected, given), rtol=1e-4, atol=1e-4
    )
