"""Reconstruct with a forward model of your own: a camera that sums 2 x 2 pixels of the scene.

Run: python own_microscope.py
"""

from typing import ClassVar, Literal

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from napari_cellinr import ForwardModel, Image, Measurement, Optics, reconstruct, setting, write
from napari_cellinr import register_forward_model as register


# %% The settings, the forward model, and what joins them
class Binned(Optics):
    """Time-lapse with a camera that sums 2 x 2 pixels."""

    AXES: ClassVar = ("TYX",)
    kind: Literal["binned"] = setting("binned", "Kind of microscope.")


class BinnedModel(ForwardModel):
    """The mean of 2 x 2 voxels of the scene, for each frame at its own time."""

    def __init__(self, frames):
        super().__init__()
        self.data_shape = frames.shape  # T, Y, X
        self.scene_shape = tuple(2 * size for size in frames.shape[1:])  # Y, X
        self.padding, self.zoom, self.loss_margin = (0, 0), (2.0, 2.0), (0, 0)
        self.register_buffer("times", torch.arange(len(frames), dtype=torch.float64))

    def shot_times(self):
        return self.times

    def forward(self, scene, shots):
        return avg_pool2d(scene, 2)[:, 0]  # (shots, channels, Y, X) to (shots, Y, X)


def measure(image, optics):
    """Return the model, and frames whose bright parts are about 1."""
    values = image.array().astype(np.float32)
    unit = float(np.percentile(values, 99.9))
    return Measurement(BinnedModel(values), values / unit, unit, timed=False)


# %% A movie of a moving spot, reconstructed on a grid twice as fine
register(Binned, measure)
y, x = np.mgrid[:24, :24]
movie = [100 * np.exp(-((y - 12) ** 2 + (x - 8 - t) ** 2) / 20) + 10 for t in range(5)]
movie = np.random.default_rng(0).poisson(movie)
fitted = reconstruct(Image(movie, axes="TYX"), "binned", preset="preview", steps=30)
print(fitted.image("result"))  # 48 x 48 voxels
write("scene.tif", fitted.image("result"))
