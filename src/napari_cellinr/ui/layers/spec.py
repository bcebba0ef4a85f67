"""The spec of one layer of a result, of any kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.image import Image

__all__ = ["Kind", "Shown"]

Kind: TypeAlias = Literal["image", "labels", "vectors", "tracks"]


@dataclass(frozen=True)
class Shown:
    """The spec of one layer of a result.

    Parameters
    ----------
    image
        The image to show; for vectors and tracks the image whose voxels they refer to.
    name
        Name of the layer; that of the image if empty.
    kind
        Kind of layer.
    data
        Vectors (N, 2, D) or tracks (N, D + 1) in voxels of `image`, D in the order of its axes;
        None for images and labels.
    visible
        Whether the layer is visible at first.
    on_request
        Whether the layer is added only when the user, or a script, requests it.
    limits
        Contrast limits; those of the source by default.
    settings
        More attributes of the layer, such as `features` or `colormap`, which take precedence.
    role
        Role of the image, as in `Step.roles`; found by the image if empty.
    """

    image: Image
    name: str = ""
    kind: Kind = "image"
    data: Any = None
    visible: bool = True
    limits: tuple[float, float] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    role: str = ""
    on_request: bool = False
