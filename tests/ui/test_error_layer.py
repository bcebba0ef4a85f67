"""The layer of the standard error is shown by limits of its own, also where none is known."""

import numpy as np
import pytest

from napari_cellinr import CellINRConfig, Image
from napari_cellinr.fitting.problem import Fitted
from napari_cellinr.ui.docks import denoise

pytestmark = pytest.mark.gui


@pytest.mark.parametrize(("error", "limits"), [(2.0, (0.02, 1.998)), (np.nan, (0, 1))])
def test_the_error_has_limits_of_its_own(error, limits):
    ramp = np.linspace(0, 1, 1001, dtype=np.float32).reshape(7, 143)
    images = tuple(Image(ramp * scale) for scale in (100, 10, 100, error))
    roles = ("result", "background", "kept", "error")
    fitted = Fitted(images, CellINRConfig(), {}, (), "steps", {}, roles=roles)
    *others, shown = denoise._layers(fitted)
    assert shown.limits == pytest.approx(limits)
    assert [one.limits for one in others] == [None] * 3
    assert [one.on_request for one in (*others, shown)] == [False, True, True, True]
