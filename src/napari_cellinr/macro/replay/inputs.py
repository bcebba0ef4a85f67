"""What a replay reads: the files of the macro, or another file in their place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import CellINRError, FileError
from napari_cellinr.io.names import ADDRESSES
from napari_cellinr.io.series.channels import separated
from napari_cellinr.macro.naming import SAMPLE, layer_stem, sample_part, unreadable
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from napari_cellinr.image import Image
    from napari_cellinr.io import StackAxis
    from napari_cellinr.macro.source import Source

__all__ = ["Input", "by_layer", "recorded_image"]


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

    def read(self, layer: str, source: Source) -> tuple[Image, str]:
        """Return the image for a layer, and its name in the names of results.

        Parameters
        ----------
        layer
            Name of the layer.
        source
            What it was read from in the macro.

        Raises
        ------
        FileError
            If the file has several images, none of which belongs to the layer.
        """
        images = self._images()
        stem = layer_stem(source.path) if source.path else layer
        suffix = layer[len(stem) :] if layer.startswith(f"{stem} ") else ""
        image = self._chosen(images, layer, suffix)
        part = image if self.time is None else image.take("T", self.time)
        if self.series is not None or self.time is not None:
            part = part.like(part.array())
        return part, f"{self.name}{suffix}" if self.name else image.name

    def _images(self) -> list[Image]:
        """Return the images of the file, or only the one of `series`."""
        from napari_cellinr.io import read_all
        from napari_cellinr.io.reading import read_parts

        if self.series is None:
            limit = None if self.time is None else 0
            return read_all(self.path, lazy_above=limit, stack_axis=self.stack_axis)
        parts = read_parts(self.path, lazy_above=0, stack_axis=self.stack_axis)
        if not 0 <= self.series < len(parts):
            raise FileError(
                f"image {self.series} of {self.path} was given; it has "
                f"{n_of(len(parts), 'image')}, counted from 0."
            )
        part = parts[self.series]
        if isinstance(part, CellINRError):
            raise part
        return [part]

    def _chosen(self, images: Sequence[Image], layer: str, suffix: str) -> Image:
        """Return the image or channel that corresponds to a layer of the file of the macro."""
        found = by_layer(images)
        for name in (layer, f"{layer_stem(str(self.path))}{suffix}"):
            if name in found:
                return found[name]
        ends = [image for name, image in found.items() if suffix and name.endswith(suffix)]
        if len(ends) == 1:
            return ends[0]
        if suffix and len(found) > 1:
            raise FileError(_no_layer(self.path, layer, found))
        return images[0]


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
        If it was not read from a file, or by another plugin of napari; or from an address.
    """
    from napari_cellinr.io import read_all
    from napari_cellinr.simulate.samples import sample_images

    if source.path.startswith(SAMPLE):
        key, part = sample_part(source.path)
        truth, raw = sample_images(key)
        # The name of the ground truth says what it is; any other name is that of the raw image.
        return truth if part or layer == truth.name else raw
    if not source.path:
        raise FileError(
            f"layer {layer!r} was not read from a file, and no step before makes it; correct its "
            "name, or give its file with --input."
        )
    if reason := unreadable(layer, source):
        raise FileError(f"layer {layer!r} cannot be read without napari: {reason} (--input).")
    if source.path.startswith(ADDRESSES):  # macros come from others, too
        raise FileError(
            f"the macro reads {source.path}; nothing is fetched from an address that only a macro "
            "gives. Download it, and give its folder with --input."
        )
    axis: Any = source.along or None
    return _recorded(read_all(source.place, stack_axis=axis), layer, source)


def _recorded(images: Sequence[Image], layer: str, source: Source) -> Image:
    """Return the image that a layer was: by its place in the file, or by its name."""
    found = by_layer(images)
    if source.series is not None and source.series < len(images):
        images = images[source.series : source.series + 1]
    channel = source.channel
    if channel is not None and channel < images[0].sizes.get("C", 0):
        return images[0].take("C", channel)
    if source.series is not None:
        return images[0]
    name = layer if layer in found else re.sub(r" \[\d+\]$", "", layer)
    if name not in found and len(separated(images[0])) + len(images) > 2:
        raise FileError(_no_layer(source.path, layer, found))
    return found.get(name, images[0])


def by_layer(images: Sequence[Image]) -> dict[str, Image]:
    """Return images, and the channels that the viewer shows as layers, by their names."""
    channels = {part.name: part for image in reversed(images) for part in separated(image)}
    return {**channels, **{image.name: image for image in reversed(images)}}


def _no_layer(path: object, layer: str, found: Iterable[str]) -> str:
    return (
        f"{path} has no layer {layer!r}; in the viewer its layers are called "
        f"{', '.join(map(repr, found))}. Use one of these names in the macro."
    )
