"""Every kind of microscope is fitted on a device that is only pretended."""

import numpy as np
import pytest
from kinds import case

from napari_cellinr import NSTMConfig, api
from napari_cellinr.config.optics import KINDS
from napari_cellinr.fitting.problem import finish


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(kind, pretended, tmp_path):
    recorded, device = case(tmp_path, kind), pretended("mps")
    config = NSTMConfig(preset="preview", steps=2, device="mps", optics=recorded.optics)
    fit = finish(api.iter_reconstruct(recorded.image, config))
    assert device.sent > 0
    assert fit.report["device"].startswith("mps")
    assert all(np.isfinite(image.array()).all() for image in fit.images)
