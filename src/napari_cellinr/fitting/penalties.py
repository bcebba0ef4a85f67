"""Penalty terms of losses that several methods use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["absolute_variation"]


def absolute_variation(values: torch.Tensor, steps: Sequence[float]) -> torch.Tensor:
    """Return the mean of the absolute slopes along all axes, added up; a scalar.

    Zhao et al., "CellINR", eq. 12, along all axes and as a mean instead of a sum, because the
    weight of a sum would depend on the size of the patch.

    Parameters
    ----------
    values
        A dense patch, any axes, without unit.
    steps
        Voxel size along each axis in voxels of the last one: slopes are taken per length.
    """
    total = values.new_zeros(())
    for axis, (size, step) in enumerate(zip(values.shape, steps, strict=True)):
        if size > 1:
            total = total + torch.diff(values, dim=axis).abs().mean() / step
    return total
