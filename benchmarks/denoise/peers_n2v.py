"""Noise2Void and N2V2 by CAREamics, trained on the very image that they denoise."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import torch

# A torchvision that was built for another torch lacks these operators, which nothing here
# calls; without their names it cannot even be imported.
_NAMES = torch.library.Library("torchvision", "FRAGMENT")
for _name in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, _name):
        _NAMES.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from careamics import CAREamist  # noqa: E402
from careamics.config import create_advanced_n2v_config  # noqa: E402


def noise2void(
    raw: np.ndarray,
    noise: Any,
    epochs: int,
    steps: int | None,
    batch: int,
    patch: list[int],
    second: bool = False,
) -> dict[str, Any]:
    """Return the prediction and the loss curve; the noise is not needed.

    `second` is N2V2: masked pixels are medians, and the network has no checkerboard artefacts.
    """
    config = create_advanced_n2v_config(
        experiment_name="benchmark",
        data_type="array",
        axes="ZYX",
        patch_size=patch,
        batch_size=batch,
        num_epochs=epochs,
        num_steps=steps,
        num_workers=0,
        use_n2v2=second,
        trainer_params={"accelerator": "cpu", "enable_model_summary": False},
        seed=1,
    )
    with tempfile.TemporaryDirectory() as folder:
        model = CAREamist(config, work_dir=folder, enable_progress_bar=False)
        model.train(train_data=raw)
        images, _ = model.predict(raw, tile_overlap=None, num_workers=0)
        losses = model.get_losses()
    curve = {
        "training": [float(loss) for loss in losses.train_loss.value],
        "validation": [float(loss) for loss in losses.val_loss.value],
    }
    kept = np.squeeze(images[0]).astype(np.float32)
    return {"kept": kept, "report": {"losses": curve}}
