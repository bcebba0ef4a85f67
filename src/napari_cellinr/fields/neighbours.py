"""Convolution of the planes of an image, in a volume each with the planes before and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["convolved"]

_PLAIN: tuple[Any, ...] = ([1, 1], [0, 0], [1, 1], False, [0, 0], 1)
"""Stride, padding, dilation, whether transposed, output padding and groups of a convolution."""


def convolved(
    values: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    n_planes: int,
    *,
    n_followed: int | None = None,
) -> torch.Tensor:
    """Return planes convolved with their neighbours; the outermost planes are repeated.

    There is no margin along Y and X. What a plane adds to itself and to its two neighbours is
    computed at once by a convolution in 2-D, and then added in place, so that no planes are
    stacked: that is 8 times as fast as a convolution in 3-D. Gradients are computed in the same
    way, which takes a fifth less time than those that PyTorch derives from these steps.

    Parameters
    ----------
    values
        Shape (Z, channel, Y, X).
    weight
        Shape (output, n_planes × channel, height, width); the weights for the planes before, at
        and after a place follow each other.
    bias
        Shape (output,).
    n_planes
        Planes that the convolution covers: 1 or 3.
    n_followed
        Number of outputs, the first ones, whose gradient reaches `values`; all if not given.

    Returns
    -------
    torch.Tensor
        Shape (Z, output, Y − height + 1, X − width + 1).
    """
    n_out, n_in, *kernel = weight.shape
    of_planes = weight.view(n_out, n_planes, n_in // n_planes, *kernel).transpose(0, 1)
    followed = n_out if n_followed is None else n_followed
    found: torch.Tensor = _Convolution.apply(  # type: ignore[no-untyped-call]
        values, of_planes.flatten(0, 1), bias, followed
    )
    return found


class _Convolution(torch.autograd.Function):
    """The convolution, with weights of shape (plane × output, channel, height, width)."""

    @staticmethod
    def forward(
        ctx: Any, values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, n_followed: int
    ) -> torch.Tensor:
        ctx.save_for_backward(values, weight)
        ctx.n_followed = n_followed
        n_planes = len(weight) // len(bias)
        biases = torch.zeros_like(weight[:, 0, 0, 0]).view(n_planes, -1)
        biases[n_planes // 2] = bias
        parts = torch.nn.functional.conv2d(values, weight, biases.view(-1))
        return _gathered(parts, n_planes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        values, weight = ctx.saved_tensors
        n_out = gradient.shape[1]
        n_planes = len(weight) // n_out
        parts = _spread(gradient, n_planes)
        if not ctx.needs_input_grad[0] or ctx.n_followed == n_out:
            of_values, of_weight, of_bias = _gradients(
                parts, values, weight, (ctx.needs_input_grad[0], True, True)
            )
        else:
            _, of_weight, of_bias = _gradients(parts, values, weight, (False, True, True))
            parts.view(len(parts), n_planes, n_out, *parts.shape[2:])[:, :, ctx.n_followed :] = 0
            of_values, _, _ = _gradients(parts, values, weight, (True, False, False))
        return of_values, of_weight, of_bias.view(n_planes, n_out)[n_planes // 2], None


def _gradients(
    parts: torch.Tensor, values: torch.Tensor, weight: torch.Tensor, needed: Sequence[bool]
) -> tuple[torch.Tensor, ...]:
    """Return the gradients of a convolution by values, weights and bias, as far as needed.

    `torch.nn.grad` would choose a slower memory layout.
    """
    differentiate = torch.ops.aten.convolution_backward
    found: tuple[torch.Tensor, ...] = differentiate(
        parts, values, weight, [len(weight)], *_PLAIN, list(needed)
    )
    return found


def _gathered(parts: torch.Tensor, n_planes: int) -> torch.Tensor:
    """Return what planes get from themselves and their neighbours.

    `parts` is what each plane adds to that after, at and before it, shape (Z, 3 × output, Y, X), or
    only to itself.
    """
    if n_planes == 1:
        return parts
    before, at, after = torch.chunk(parts, 3, dim=1)
    total = torch.empty_like(at, memory_format=torch.channels_last)
    torch.add(at[1:], before[:-1], out=total[1:])
    torch.add(at[:1], before[:1], out=total[:1])
    total[:-1] += after[1:]
    total[-1:] += after[-1:]
    return total


def _spread(gradient: torch.Tensor, n_planes: int) -> torch.Tensor:
    """Return the gradient by the parts of `_gathered`, as a copy."""
    n_z, n_out, *size = gradient.shape
    parts = gradient.new_empty((n_z, *size, n_planes * n_out)).permute(0, 3, 1, 2)
    middle = n_planes // 2 * n_out
    parts[:, middle : middle + n_out] = gradient
    if n_planes > 1:
        before, after = parts[:, :n_out], parts[:, -n_out:]
        before[:-1] = gradient[1:]
        before[-1:] = 0
        before[:1] += gradient[:1]
        after[1:] = gradient[:-1]
        after[:1] = 0
        after[-1:] += gradient[-1:]
    return parts
