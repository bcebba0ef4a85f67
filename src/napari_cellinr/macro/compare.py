"""Compares results with other images, or with the conventional results of their methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.errors import AxesError, ConfigError
from napari_cellinr.fitting.problem import Fitted
from napari_cellinr.io.metadata.units import in_units_of
from napari_cellinr.methods import method_of_fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = ["channel_for", "check_axes", "compare", "difference", "on_grid_of"]


def compare(
    result: Fitted | Image, against: Image | None = None, *, source: Image | None = None
) -> tuple[Image, ...]:
    """Return the difference from another image, or from the conventional result of the method.

    Parameters
    ----------
    result
        What a fit returned, or an image.
    against
        Image to compare with; the conventional result of the method if not given.
    source
        Image that was fitted; needed for the conventional result.

    Returns
    -------
    tuple of Image
        The difference, and after it the conventional result if `against` is not given.

    Raises
    ------
    AxesError
        If the images do not have the same axes.
    ConfigError
        If there is nothing to compare with.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import Image, compare
    >>> difference = compare(Image(np.full((8, 9), 3.0)), Image(np.ones((8, 9))))[0]
    >>> float(difference.array().mean())
    2.0
    """
    image = result.images[0] if isinstance(result, Fitted) else result
    if against is not None:
        return (difference(image, against),)
    if not isinstance(result, Fitted) or source is None:
        raise ConfigError(
            "an image was given without another one; give an image to compare with, or for the "
            "conventional result what the fit returned and its source."
        )
    other = method_of_fit(result).conventional(source.canonical(), result.config)
    return difference(image, other), other


def channel_for(image: Image, conventional: Image) -> Image:
    """Return the channel of a conventional result that belongs to a channel of a result.

    Parameters
    ----------
    image
        The result, or one channel of it. If it does not say which one, it is the last channel,
        such as the phase.
    conventional
        The conventional result; returned as it is if it has no channels, or `image` has all.
    """
    if "C" not in conventional.axes or "C" in image.axes:
        return conventional
    name = image.meta.get("channel")
    if name in conventional.channels:
        return conventional.take("C", conventional.channels.index(str(name)))
    return conventional.take("C", conventional.sizes["C"] - 1)


def difference(image: Image, other: Image) -> Image:
    """Return an image minus another one, float32.

    Parameters
    ----------
    image
        The image.
    other
        What is subtracted, by linear interpolation at the voxels of `image`.

    Raises
    ------
    AxesError
        If they do not have the same axes.
    """
    check_axes(image, other)
    data = np.asarray(image.data, np.float32) - on_grid_of(image, other)
    return image.like(data, name=f"{image.name} − {other.name}")


def check_axes(image: Image, other: Image) -> None:
    """Check that two images can be compared.

    Parameters
    ----------
    image, other
        The images.

    Raises
    ------
    AxesError
        If they do not have the same axes.
    """
    if set(image.axes) != set(other.axes):
        raise AxesError(
            f"axes {image.axes} and {other.axes} were given; only images with the same axes can "
            "be compared."
        )


def on_grid_of(image: Image, other: Image) -> NDArray[np.float32]:
    """Return an image on the grid of another one, by linear interpolation.

    Along axes whose units cannot be converted, such as pixels and micrometers, both images are
    taken to cover the same region.

    Parameters
    ----------
    image
        The image with the grid.
    other
        The image that is interpolated, with the same axes in any order.

    Returns
    -------
    NDArray
        Shape and axes of `image`, float32.
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
        if other.units[order[place]] != unit:  # the outer edges of both images coincide
            matrix[place] = values.shape[place] / image.sizes[axis]
            offset[place] = (matrix[place] - 1) / 2
    if values.shape == image.shape and np.allclose(matrix, 1) and np.allclose(offset, 0, atol=1e-6):
        return values
    moved: NDArray[np.float32] = affine_transform(
        values, matrix, offset, output_shape=image.shape, order=1, mode="nearest"
    )
    return moved
