"""What a replay reads: the files of the macro, or another file in their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import FileError
from napari_cellinr.io.channels import separated
from napari_cellinr.macro.naming import SAMPLE, unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_cellinr.image import Image
    from napari_cellinr.io import StackAxis
    from napari_cellinr.macro.source import Source

__all__ = ["Input", "recorded_image"]


@dataclass(frozen=True)
class Input:
    """A file that a replay works on instead of the file of its macro.

    Parameters
    ----------
    path
        The file, or a folder or pattern of numbered files.
    series
        Index of the image, or position, in the file, from 0; None for the image that has the
        name of the layer, or the first.
    time
        Time point of that image, from 0; None for all of them.
    name
        What the image is called in the names of results; empty for its own name.
    stack_axis
        Axis of numbered files, `T` or `Z`.
    """

    path: Path
    series: int | None
    time: int | None
    name: str
    stack_axis: StackAxis | None

    def read(self, layer: str) -> tuple[Image, str]:
        """Return the image for a layer, and its name in the names of results."""
        from napari_cellinr.io import read_all

        if self.series is None and self.time is None:
            image = _named(read_all(self.path, stack_axis=self.stack_axis), layer)
            return image, self.name or image.name
        images = read_all(self.path, lazy_above=0, stack_axis=self.stack_axis)
        if self.series is not None and not 0 <= self.series < len(images):
            raise FileError(
                f"image {self.series} of {self.path} was given; it has {len(images)} images, "
                "counted from 0."
            )
        image = _named(images, layer) if self.series is None else images[self.series]
        part = image if self.time is None else image.take("T", self.time)
        return part.like(part.array()), self.name or image.name


def recorded_image(layer: str, source: Source) -> Image:
    """Return the image of a layer, as it was opened in the viewer; a sample is computed again.

    Parameters
    ----------
    layer
        Name of the layer.
    source
        What it was read from.

    Raises
    ------
    FileError
        If it was not read from a file, or by another plugin of napari.
    """
    from napari_cellinr.io import read_all
    from napari_cellinr.simulate.samples import sample_images

    if source.path.startswith(SAMPLE):
        # A layer with another name is the raw image, the topmost one, that was renamed.
        return _named(sample_images(source.path.removeprefix(SAMPLE))[::-1], layer)
    if not source.path:
        raise FileError(f"layer {layer!r} was not read from a file; give one with --input.")
    if reason := unreadable(layer, source):
        raise FileError(f"layer {layer!r} cannot be read without napari: {reason} (--input).")
    axis: Any = source.along or None
    return _named(read_all(source.place, stack_axis=axis), layer)


def _named(images: Sequence[Image], name: str) -> Image:
    """Return the image or the channel that has a name, otherwise the first image."""
    channels = {part.name: part for image in reversed(images) for part in separated(image)}
    return {**channels, **{image.name: image for image in images}}.get(name, images[0])
