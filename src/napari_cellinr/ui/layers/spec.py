"""One layer that a result becomes, whatever its kind."""

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
    """One layer that a result becomes.

    Parameters
    ----------
    image
        The image to show; for vectors and tracks the image on whose grid they lie.
    name
        Name of the layer; that of the image if empty.
    kind
        Kind of layer.
    data
        Vectors (N, 2, D) or tracks (N, D + 1) in voxels of `image`, D in the order of its axes;
        nothing for images and labels.
    visible
        Whether the layer is shown at first.
    limits
        Contrast limits; those of the source if not given.
    settings
        More settings of the napari layer, such as `features` or `colormap`; they win.
    role
        Which image of the result it is, as `Step.roles` tell it; found by the image if empty.
    """

    image: Image
    name: str = ""
    kind: Kind = "image"
    data: Any = None
    visible: bool = True
    limits: tuple[float, float] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    role: str = ""
