"""The part of an image that a preview shows, and its position in the whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.image import ArrayLike, Image

__all__ = ["PreviewRequest", "requested_part", "with_place"]


@dataclass(frozen=True)
class PreviewRequest:
    """Request for a preview of the plane at `index`, or of the whole volume if `index` is empty.

    Parameters
    ----------
    index
        Position along every axis of the source but the last two, by axis letter.
    max_voxels
        Largest size of a preview of the whole volume; a larger one comes with a coarser step.

    Examples
    --------
    >>> from napari_cellinr import PreviewRequest
    >>> PreviewRequest(index={"Z": 4}).index  # sent into a job: job.send(PreviewRequest(…))
    {'Z': 4}
    """

    index: Mapping[str, int] = field(default_factory=dict)
    max_voxels: int = 500_000


def requested_part(image: Image, request: PreviewRequest) -> tuple[slice, ...]:
    """Return one slice per axis: a plane, or the whole volume at a coarser step.

    Parameters
    ----------
    image
        One frame of one channel.
    request
        What is to be shown.
    """
    plane = {axis: i for axis, i in request.index.items() if axis in image.axes[:-2]}
    if request.index:
        return tuple(
            slice(plane[axis], plane[axis] + 1) if axis in plane else slice(0, size)
            for axis, size in image.sizes.items()
        )
    coarseness = (math.prod(image.shape) / request.max_voxels) ** (1 / len(image.shape))
    step = max(1, math.ceil(coarseness))
    return tuple(slice(0, size, min(step, size)) for size in image.shape)


def with_place(image: Image, part: tuple[slice, ...], data: ArrayLike) -> Image:
    """Return `data` as an image with the voxel size and position of a part of `image`.

    Parameters
    ----------
    image
        The whole.
    part
        One slice per axis of `image`, as `requested_part` returns them.
    data
        Values of the part, with as many axes.
    """
    steps = [piece.step or 1 for piece in part]
    return image.like(
        data,
        scale=tuple(s * n for s, n in zip(image.scale, steps, strict=True)),
        translate=tuple(
            t + piece.start * s
            for t, s, piece in zip(image.translate, image.scale, part, strict=True)
        ),
    )
