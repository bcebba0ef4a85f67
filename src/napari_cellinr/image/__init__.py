"""Images: arrays that know their axes, voxel size and units."""

from napari_cellinr.image.image import ArrayLike, Image
from napari_cellinr.image.rules import AXES, UNCALIBRATED, default_axes, default_units

__all__ = ["AXES", "UNCALIBRATED", "ArrayLike", "Image", "default_axes", "default_units"]
