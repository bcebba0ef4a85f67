"""A standard error that is not known, since the fit was stopped early, is not saved as NaN."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_cellinr.methods.cellinr.model import CellINRModel


@pytest.mark.parametrize("known", [True, False])
def test_only_a_known_standard_error_is_among_the_arrays(known):
    values = np.ones((2, 3, 4), np.float32)
    model = SimpleNamespace(
        kernels=SimpleNamespace(weights=SimpleNamespace(grids=[]), divisors=torch.ones(3)),
        background=SimpleNamespace(grids=[torch.ones(1, 1, 2, 2, 2)]),
        field=None,
        correction=values,
        error=values if known else np.full_like(values, np.nan),
        estimate=values,
        amplification=values,
    )
    arrays = CellINRModel.tensors(model)
    assert ("error" in arrays) == known
    assert all(torch.isfinite(array).all() for array in arrays.values())
