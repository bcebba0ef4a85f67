"""Forward models: what a microscope records of a scene. Tensors and numbers only."""

from napari_cellinr.optics.base import ForwardModel
from napari_cellinr.optics.blur import Blur
from napari_cellinr.optics.dpc import DPC
from napari_cellinr.optics.shutter import RollingShutter
from napari_cellinr.optics.sim import SIM

__all__ = ["FORWARD_MODELS", "ForwardModel"]

FORWARD_MODELS: dict[str, type[ForwardModel]] = {
    "time-lapse": Blur,
    "line-scan": Blur,
    "point-scan": Blur,
    "z-scan": Blur,
    "dpc": DPC,
    "sim2d": SIM,
    "sim3d": SIM,
    "rolling-shutter": RollingShutter,
}
"""The forward model by kind of microscope."""
