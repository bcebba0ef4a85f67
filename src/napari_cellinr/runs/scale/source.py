"""The recording of a plan: read lazily, recognised by its digest, and sampled."""

from __future__ import annotations

import hashlib
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import FileError
from napari_cellinr.io import read, read_all
from napari_cellinr.io.lazy import small_chunks
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.image import Image
    from napari_cellinr.runs.scale.plan import Part

__all__ = [
    "Source",
    "digest",
    "frame_shape",
    "has_damage",
    "is_same",
    "only_value",
    "read_part",
    "readable",
    "recording",
    "sample",
    "with_time",
]

DIGEST_VOXELS = {"Z": 4, "Y": 64, "X": 64}
"""Voxels of each of the blocks by which a recording is recognised."""

BLOCKS = 8
"""Number of blocks of a sample, each at another time, depth and place."""

_DAMAGED = "?"
"""Part of a digest for a block that cannot be read."""


@dataclass(frozen=True)
class Source:
    """A file, and which part of it is the recording.

    Parameters
    ----------
    path
        The file, folder or address; empty for an image that is only in memory, which is given to
        the functions that read it.
    axes, level, series, stack, channel
        As the options of the command line.
    voxel
        Voxel size by axis letter in µm, and the time step in seconds.
    crop
        First element and end by axis letter.
    """

    path: str
    axes: str | None = None
    level: int = 0
    series: int = 0
    stack: str | None = None
    channel: int | None = None
    voxel: Mapping[str, float] = field(default_factory=dict)
    crop: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)

    def image(self, *, is_damaged: bool = False) -> Image:
        """Return the recording, lazy, axes in canonical order.

        Parameters
        ----------
        is_damaged
            Whether chunks of its file are read one by one, which takes longer than several at
            once, but then a damaged one spoils no others.

        Raises
        ------
        FileError
            If it cannot be read here, or is in no file.
        """
        if not self.path:
            raise FileError(
                "the recording of this plan was in no file, only in the memory of a program; "
                "open it there, and run with the same result again."
            )
        choice: dict[str, Any] = {
            "axes": self.axes,
            "level": self.level,
            "stack_axis": self.stack,
            "lazy_above": 0,
        }
        with small_chunks() if is_damaged else nullcontext():
            found = read(self.path, **choice) if self.series == 0 else self._of_series(choice)
        if self.channel is not None:
            found = found.take("C", self.channel)
        if self.voxel:
            found = found.with_voxel_size("micrometer", **self.voxel)
        if self.crop:
            found = found.crop(**{axis: slice(*part) for axis, part in self.crop.items()})
        return found.canonical()

    def _of_series(self, choice: dict[str, Any]) -> Image:
        images = read_all(self.path, **choice)
        if not 0 <= self.series < len(images):
            raise FileError(
                f"series {self.series} was given; {self.path} has {n_of(len(images), 'image')}, "
                "counted from 0."
            )
        return images[self.series]


def digest(image: Image) -> str:
    """Return a short text that differs for recordings of which a few small blocks differ.

    It has a part for geometry and data type, and one for each block: `?` if it cannot be read.

    Parameters
    ----------
    image
        The recording, lazy; only the blocks are read.

    Raises
    ------
    FileError
        If none of the blocks can be read.
    """
    found, failure = [_hashed(f"{image.axes} {image.shape} {image.dtype}".encode())], None
    for block in _blocks(image, DIGEST_VOXELS):
        try:
            found.append(_hashed(np.ascontiguousarray(block.array()).tobytes()))
        except FileError as error:  # the part that needs it will say so
            found.append(_DAMAGED)
            failure = error
    if failure is not None and set(found[1:]) == {_DAMAGED}:
        raise failure
    return "-".join(found)


def has_damage(known: str) -> bool:
    """Return whether a block of a digest could not be read.

    Parameters
    ----------
    known
        From `digest`.
    """
    return _DAMAGED in known.split("-")


def recording(source: Source) -> tuple[Image, str]:
    """Return the recording, lazy, and its digest; if it is damaged, in chunks of its file.

    Parameters
    ----------
    source
        The recording.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    image = source.image()
    try:
        found = digest(image)
    except FileError:
        found = _DAMAGED
    if has_damage(found):
        image = source.image(is_damaged=True)
        found = digest(image)
    return image, found


def is_same(first: str, second: str) -> bool:
    """Return whether two digests can be those of one recording, parts of which may be damaged.

    Parameters
    ----------
    first, second
        From `digest`.
    """
    pairs = list(zip(first.split("-"), second.split("-"), strict=False))
    return first.count("-") == second.count("-") and all(
        one == other or _DAMAGED in {one, other} for one, other in pairs
    )


def _hashed(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def sample(
    image: Image, most: Mapping[str, int], whole: int, damage: list[str] | None = None
) -> NDArray[Any]:
    """Return some blocks of a channel, at different times, depths and places.

    Parameters
    ----------
    image
        Axes T, [Z,] Y, X; lazy.
    most
        Elements of a block along each spatial axis.
    whole
        Voxels up to which all of the channel is returned.
    damage
        Gets what is wrong with frames or blocks that cannot be read, which are left out.

    Returns
    -------
    numpy.ndarray
        Axes (block, [Z,] Y, X), with the data type of the image.

    Raises
    ------
    FileError
        If none of them can be read.
    """
    damage = [] if damage is None else damage
    if np.prod(image.shape, dtype=float) <= whole:
        try:
            return image.array()
        except FileError:
            frames = (image.crop(T=(t, t + 1)) for t in range(image.sizes["T"]))
            with suppress(FileError):
                return np.concatenate(readable(frames, damage))
    return np.concatenate(readable(_blocks(image, most), damage))


def readable(blocks: Iterable[Image], damage: list[str]) -> list[NDArray[Any]]:
    """Return the values of blocks without those that cannot be read.

    Parameters
    ----------
    blocks
        Lazy.
    damage
        Gets what is wrong with the others.

    Raises
    ------
    FileError
        If none can be read.
    """
    found, failure = [], None
    for block in blocks:
        try:
            found.append(block.array())
        except FileError as error:  # the part that needs it will say so
            failure = error
            damage.append(str(error))
    if failure is not None and not found:
        raise failure
    return found


def _blocks(image: Image, most: Mapping[str, int]) -> list[Image]:
    """Return blocks that lie apart along every axis: the points of a lattice of rank 1."""
    found = []
    steps = {"T": 1, "C": 3, "Z": 3, "Y": 5, "X": 7}
    for number in range(BLOCKS):
        ranges = {}
        for axis, size in image.sizes.items():
            length = min(size, most.get(axis, 1))
            place = (number * steps[axis] % BLOCKS) / (BLOCKS - 1)
            start = round(place * (size - length))
            ranges[axis] = slice(start, start + length)
        found.append(image.crop(**ranges))
    return found


def read_part(image: Image, part: Part, numbers: Sequence[int]) -> Image:
    """Return all that a part reads, in memory; axes T, [Z,] Y, X.

    Parameters
    ----------
    image
        The recording, lazy, with axis T.
    part
        The part.
    numbers
        Of the frames that it reads, ascending.
    """
    channel = image.take("C", part.channel) if "C" in image.axes else image
    space = zip("ZYX"[-len(part.wide) :], part.wide, strict=True)
    wide = channel.crop(
        T=slice(numbers[0], numbers[-1] + 1), **{axis: slice(*one) for axis, one in space}
    )
    found = [wide.take("T", number - numbers[0]).array() for number in numbers]
    return wide.like(np.stack(found))


def only_value(block: Image) -> float | None:
    """Return the value that all voxels have that a part reads; None if they differ.

    Parameters
    ----------
    block
        From `read_part`.
    """
    values = block.array()
    low, high = float(values.min()), float(values.max())
    return low if low == high else None


def with_time(image: Image) -> Image:
    """Return an image with an axis T, of length 1 if it had none."""
    if "T" in image.axes:
        return image
    data: Any = image.data
    return replace(
        image,
        data=data[None],
        axes=f"T{image.axes}",
        scale=(1.0, *image.scale),
        units=("pixel", *image.units),
        translate=(0.0, *image.translate),
    )


def frame_shape(image: Image) -> tuple[int, ...]:
    """Return the voxels of a frame along its spatial axes."""
    return tuple(size for axis, size in image.sizes.items() if axis in "ZYX")
