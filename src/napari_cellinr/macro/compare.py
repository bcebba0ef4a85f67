"""Results against other images: what is had without a fit, and the difference from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.errors import AxesError, ConfigError
from napari_cellinr.fitting.problem import Fitted
from napari_cellinr.io.units import in_units_of
from napari_cellinr.methods import method_of_fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = ["channel_for", "check_axes", "compare", "difference", "on_grid_of"]


def compare(
    result: Fitted | Image, against: Image | None = None, *, source: Image | None = None
) -> tuple[Image, ...]:
    """Return the difference from another image; without one, also the conventional answer.

    Parameters
    ----------
    result
        What a job returned, or an image.
    against
        What to compare with; the conventional answer of the method if not given.
    source
        What was fitted; needed for the conventional answer.

    Raises
    ------
    AxesError
        If the images do not have the same axes.
    ConfigError
        If there is nothing to compare with.
    """
    image = result.images[0] if isinstance(result, Fitted) else result
    if against is not None:
        return (difference(image, against),)
    if not isinstance(result, Fitted) or source is None:
        raise ConfigError(
            "an image was given without another one; for the conventional answer, give what the "
            "job returned, and the source of it."
        )
    other = method_of_fit(result).conventional(source.canonical(), result.config)
    return difference(image, other), other


def channel_for(image: Image, answer: Image) -> Image:
    """Return the channel of a conventional answer that belongs to one channel of a result.

    The whole answer if it has no channels, or `image` has them, too; the last channel, such as
    the phase, if `image` does not say which one it is.
    """
    if "C" not in answer.axes or "C" in image.axes:
        return answer
    name = image.meta.get("channel")
    known = name in answer.channels
    return answer.take("C", answer.channels.index(str(name)) if known else answer.sizes["C"] - 1)


def difference(image: Image, other: Image) -> Image:
    """Return an image minus another one, which is interpolated at its voxels, float32.

    Raises
    ------
    AxesError
        If they do not have the same axes.
    """
    check_axes(image, other)
    data = np.asarray(image.data, np.float32) - on_grid_of(image, other)
    return image.like(data, name=f"{image.name} − {other.name}")


def check_axes(image: Image, other: Image) -> None:
    """Raise `AxesError` if two images do not have the same axes."""
    if set(image.axes) != set(other.axes):
        raise AxesError(
            f"axes {image.axes} and {other.axes} were given; only images with the same axes can "
            "be compared."
        )


def on_grid_of(image: Image, other: Image) -> NDArray[np.float32]:
    """Return `other` at the places of the voxels of `image`, float32, by linear interpolation.

    Along axes where the units say nothing of each other, both cover the same.
    """
    from scipy.ndimage import affine_transform

    other = in_units_of(other, image)
    order = [other.axes.index(axis) for axis in image.axes]
    values = np.asarray(other.data, np.float32).transpose(order)
    scale = np.array([other.scale[i] for i in order])
    start = np.array([other.translate[i] for i in order])
    matrix = np.array(image.scale) / scale
    offset = (np.array(image.translate) - start) / scale
    for place, (axis, unit) in enumerate(zip(image.axes, image.units, strict=True)):
        if other.units[order[place]] != unit:  # such as pixels and micrometers: edge to edge
            matrix[place] = values.shape[place] / image.sizes[axis]
            offset[place] = (matrix[place] - 1) / 2
    if values.shape == image.shape and np.allclose(matrix, 1) and np.allclose(offset, 0, atol=1e-6):
        return values
    moved: NDArray[np.float32] = affine_transform(
        values, matrix, offset, output_shape=image.shape, order=1, mode="nearest"
    )
    return moved
