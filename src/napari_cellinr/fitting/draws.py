"""Random choices of a step that are made on the CPU, so that no step waits for a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["random_block", "random_of_step"]


def random_of_step(seed: int, step: int) -> np.random.Generator:
    """Return random numbers that depend on nothing but the seed of a fit and the step.

    Parameters
    ----------
    seed
        Of the settings.
    step
        Number of the step, from 0.
    """
    return np.random.default_rng((seed, step))


def random_block(
    shape: Sequence[int], lengths: Sequence[int], random: np.random.Generator
) -> tuple[slice, ...]:
    """Return a block of an array, anywhere in it.

    Parameters
    ----------
    shape, lengths
        Elements along each axis, of the array and of the block.
    random
        What `random_of_step` returned.
    """
    sizes = zip(shape, lengths, strict=True)
    firsts = [int(random.integers(size - length + 1)) for size, length in sizes]
    return tuple(slice(a, a + n) for a, n in zip(firsts, lengths, strict=True))
