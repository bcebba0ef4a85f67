"""Rotated images: what a format without an affine cannot hold, and resampling without rotation."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from napari_cellinr.errors import AxesError, FileWarning, warn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = ["AFFINE_KEYS", "Rotation", "baked", "is_rotated", "without_rotation"]

Rotation: TypeAlias = Literal["warn", "keep", "bake"]
"""What is done with a rotation that a format cannot hold: keep it in the note of this package, with
or without a warning, or resample the image."""

AFFINE_KEYS = ("affine", "affine_unit", "affine_code")
"""Keys in `Image.meta` of the affine (4 x 4, voxel indices x, y, z to world coordinates)."""

_PARALLEL = 1e-4
"""Largest sine of the angle between an axis of the array and one of the world."""

_MOST_VOXELS = 2**31


def is_rotated(image: Image) -> bool:
    """Return whether an axis of the array is not parallel to the same axis of the world.

    Mirrored axes are not rotated.
    """
    matrix = _linear(image)
    if matrix is None:
        return False
    sines = np.abs(matrix / np.linalg.norm(matrix, axis=0))
    np.fill_diagonal(sines, 0.0)
    places = ["XYZ".index(axis) for axis in "XYZ" if axis in image.axes]
    return bool(sines[:, places].max(initial=0.0) > _PARALLEL)


def without_rotation(image: Image, rotation: Rotation, path: object) -> Image:
    """Return the image as a format without an affine stores it.

    Parameters
    ----------
    image
        The image; its affine is in its metadata.
    rotation
        What is done with a rotation.
    path
        File that is going to be written, for the warning.
    """
    if not is_rotated(image):
        return image
    if rotation == "bake":
        return baked(image)
    if rotation == "warn":
        warn(
            f"{path} cannot hold the rotation of {image.name}: other programs will show it "
            "without. The rotation is kept in the metadata of napari-cellinr, which writes it to "
            'NIfTI again. To resample the image instead: rotation="bake", on the command line '
            '--rotation bake; to keep it without this warning: rotation="keep".',
            FileWarning,
        )
    return image


def baked(image: Image) -> Image:
    """Return the image resampled on a grid parallel to the world, by linear interpolation.

    Voxels are cubes of the smallest step; those outside of the recorded volume are 0. Values are
    rounded if they are integers.

    Parameters
    ----------
    image
        Axes Y and X, with or without Z, T and C; its affine is in its metadata.

    Raises
    ------
    AxesError
        If a single plane is turned out of its plane, or the result would be too large.
    """
    from napari_cellinr.io.nifti.reader import world_of

    ordered = image.canonical()
    unit = ordered.meta.get("affine_unit", "pixel")
    known = ordered.like(ordered.data, meta={**ordered.meta, "affine_unit": unit})
    matrix, _ = world_of(known, unit)
    places = [i for i, axis in enumerate("XYZ") if axis in ordered.axes]
    if len(places) == 2 and np.abs(matrix[2, :2]).max() > _PARALLEL * np.abs(matrix[:2, :2]).max():
        raise AxesError(
            f"{image.name} is a plane that is turned out of the plane of x and y; it cannot be "
            'resampled without a third dimension. Keep the rotation in the metadata ("keep").'
        )
    linear, start = matrix[np.ix_(places, places)], matrix[places, 3]
    counts = [ordered.sizes["XYZ"[i]] for i in places]
    step = float(np.linalg.norm(linear, axis=0).min())
    low, shape = _bounds(linear, start, counts, step)
    if np.prod(shape, dtype=float) > _MOST_VOXELS:
        raise AxesError(
            f"without its rotation, {image.name} would have {' x '.join(map(str, shape))} voxels; "
            "crop it first, or keep the rotation in the metadata."
        )
    inverse: NDArray[np.float64] = np.linalg.inv(linear).astype(np.float64)
    data = _resampled(ordered.array(), inverse * step, inverse @ (low - start), shape)
    leading = ordered.axes[: -len(places)]
    n = len(leading)
    meta = {key: value for key, value in ordered.meta.items() if key not in AFFINE_KEYS}
    return ordered.like(
        data,
        scale=(*ordered.scale[:n], *(step,) * len(places)),
        units=(*ordered.units[:n], *(unit,) * len(places)),
        translate=(*ordered.translate[:n], *low[::-1].tolist()),
        meta=meta,
    )


def _linear(image: Image) -> NDArray[np.float64] | None:
    """Return the 3 x 3 part of the affine; None if there is no usable one."""
    stated: Any = image.meta.get("affine")
    try:
        matrix = np.asarray(stated, float)[:3, :3]
    except (TypeError, ValueError, IndexError):
        return None
    usable = matrix.shape == (3, 3) and np.isfinite(matrix).all()
    return matrix if usable and np.linalg.norm(matrix, axis=0).min() > 0 else None


def _bounds(
    linear: NDArray[np.float64], start: NDArray[np.float64], counts: list[int], step: float
) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Return position of the first voxel and number of voxels, along x, y[, z]."""
    ends = itertools.product(*((0, count - 1) for count in counts))
    corners = np.array([linear @ np.array(end, float) + start for end in ends])
    low, high = corners.min(axis=0), corners.max(axis=0)
    shape = tuple(int(size) for size in np.floor((high - low) / step + 1e-6) + 1)
    return low, shape


def _resampled(
    array: NDArray[Any], matrix: NDArray[np.float64], offset: NDArray[np.float64],
    shape: tuple[int, ...],
) -> NDArray[Any]:  # fmt: skip
    """Return the array on another grid.

    Parameters
    ----------
    array
        Leading axes, and then [z,] y, x.
    matrix, offset
        From indices x, y[, z] of the result to those of the array.
    shape
        Number of voxels of the result along x, y[, z].
    """
    from scipy.ndimage import affine_transform

    n = len(shape)
    turned, moved = matrix[::-1, ::-1], offset[::-1]
    result = np.zeros((*array.shape[:-n], *shape[::-1]), array.dtype)
    for place in np.ndindex(array.shape[:-n]):
        values = affine_transform(
            array[place].astype(np.float64),
            turned,
            moved,
            output_shape=shape[::-1],
            order=1,
            mode="grid-constant",  # a voxel at the border may lie outside by a rounding error
        )
        result[place] = np.rint(values) if array.dtype.kind in "iub" else values
    return result
