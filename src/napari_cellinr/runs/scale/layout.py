"""Blocks of frames and tiles that fit into memory, aligned with the chunks of the result."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_cellinr.errors import FitError
from napari_cellinr.io.zarr.writer import CHUNK
from napari_cellinr.runs.scale.plan import Part
from napari_cellinr.runs.scale.source import frame_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.image import Image

__all__ = ["Needs", "boxes", "of_recording"]

Range = tuple[int, int]

_NUMBERED = re.compile(r"\b[Ff]rames? \d")
"""The number of a frame in a sentence."""

_ROWS = re.compile(r"\b[Rr]ows (\d+) to (\d+)\b")
"""Numbers of rows in a sentence."""


@dataclass(frozen=True)
class Needs:
    """What a method needs to compute some frames.

    Parameters
    ----------
    base
        Memory in bytes of the program.
    per_frame, per_voxel
        Further memory in bytes per voxel of each frame that is read, and of one frame.
    most_frames
        Frames of the result of one part, at most.
    shared
        Frames before and after them that are read, too.
    others
        Other frames that are read.
    margins
        Voxels around a tile that are read along each spatial axis; no tiles if not given.
    steps
        The corner of what is read is a multiple of so many voxels along each spatial axis.
    """

    base: float
    per_frame: float
    per_voxel: float
    most_frames: int
    shared: int
    others: int = 0
    margins: tuple[int, ...] | None = None
    steps: tuple[int, ...] = ()

    def memory(self, n_frames: int, n_voxels: int) -> float:
        """Return the memory of a part in bytes.

        Parameters
        ----------
        n_frames
            Frames of its result.
        n_voxels
            Voxels of each that are read.
        """
        read = n_frames + 2 * self.shared + self.others
        return self.base + (self.per_frame * read + self.per_voxel) * n_voxels

    def frames(self, n_voxels: int, most: int, memory: float) -> int:
        """Return how many frames of the result fit into memory, from 1 to `most`.

        Parameters
        ----------
        n_voxels
            Voxels of each that are read.
        most
            Their largest number.
        memory
            Bytes for them.
        """
        room = (memory - self.base - self.per_voxel * n_voxels) / n_voxels
        left = math.inf if self.per_frame == 0 else room / self.per_frame
        return int(max(1, min(most, left - 2 * self.shared - self.others)))


def boxes(image: Image, needs: Needs, memory: float) -> tuple[list[Part], float]:
    """Return parts that fit into memory, and the memory that the largest needs in bytes.

    Blocks of many frames of a tile, or of few whole frames: where the least is read twice.

    Parameters
    ----------
    image
        The recording, with axis T; the result has the same frames and voxels.
    needs
        What the method needs.
    memory
        Bytes for one part.

    Raises
    ------
    FitError
        If even the smallest part does not fit.
    """
    shape, n_frames = frame_shape(image), image.sizes["T"]
    least = min(needs.most_frames, n_frames, 2 if needs.shared else 1)
    lengths: tuple[int, ...] = shape
    found: list[tuple[float, int, int, list[tuple[Range, ...]], list[tuple[Range, ...]]]] = []
    while True:
        own, wide = _tiles(shape, lengths, needs)
        n_voxels = _most(wide)
        if needs.memory(least, n_voxels) <= memory:
            count = needs.frames(n_voxels, min(needs.most_frames, n_frames), memory)
            read = min(n_frames, count + 2 * needs.shared) + needs.others
            found.append((read / count * n_voxels / _most(own), len(found), count, own, wide))
        smaller = _smaller(shape, lengths) if needs.margins is not None else lengths
        if smaller == lengths:
            break
        lengths = smaller
    if not found:
        raise FitError(
            f"there is not enough memory for the smallest part: "
            f"{needs.memory(least, n_voxels) / 1e9:.2g} GB are needed, "
            f"{memory / 1e9:.2g} GB are free for it. Use fewer workers, or a crop."
        )
    _, _, count, tiles, wide = min(found)
    parts = [
        Part(channel, frames, _near(frames, needs, n_frames), own, around)
        for channel in range(image.sizes.get("C", 1))
        for frames in blocks(n_frames, count)
        for own, around in zip(tiles, wide, strict=True)
    ]
    return parts, needs.memory(count, _most(wide))


def blocks(n_frames: int, length: int) -> list[Range]:
    """Return first frame and end of each block of so many frames.

    Parameters
    ----------
    n_frames
        Number of frames of the recording.
    length
        Frames of a block; the last one may be shorter.
    """
    return [(first, min(first + length, n_frames)) for first in range(0, n_frames, length)]


def _near(frames: Range, needs: Needs, n_frames: int) -> Range:
    """Return the frames that are read for a block."""
    return max(0, frames[0] - needs.shared), min(n_frames, frames[1] + needs.shared)


def _most(wide: Sequence[tuple[Range, ...]]) -> int:
    """Return the number of voxels of the largest tile."""
    return max(math.prod(end - first for first, end in one) for one in wide)


def _chunks(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the voxels of a chunk of the result along each spatial axis."""
    return tuple(CHUNK[axis] for axis in "ZYX"[-len(shape) :])


def _smaller(shape: Sequence[int], lengths: Sequence[int]) -> tuple[int, ...]:
    """Return smaller tiles of whole chunks: the axis of most chunks is divided; the same if none.

    Planes are divided last, since the result depends on a part of all of them.
    """
    chunks = _chunks(shape)
    counts = [math.ceil(length / chunk) for length, chunk in zip(lengths, chunks, strict=True)]
    plane = range(len(shape) - 2, len(shape))
    axis = max(plane, key=counts.__getitem__)
    if counts[axis] == 1:
        axis = 0
    if counts[axis] == 1:
        return tuple(lengths)
    found = list(lengths)
    found[axis] = math.ceil(counts[axis] / 2) * chunks[axis]
    return tuple(found)


def _tiles(
    shape: Sequence[int], lengths: Sequence[int], needs: Needs
) -> tuple[list[tuple[Range, ...]], list[tuple[Range, ...]]]:
    """Return what each tile writes, and what it reads."""
    margins, steps = needs.margins or (0,) * len(shape), needs.steps or (1,) * len(shape)
    axes = []
    for size, length, margin, step in zip(shape, lengths, margins, steps, strict=True):
        ranges = []
        for own in blocks(size, length):
            first = max(0, (own[0] - margin) // step * step)
            ranges.append((own, (first, min(size, own[1] + margin))))
        axes.append(ranges)
    places = list(itertools.product(*axes))
    return (
        [tuple(one[0] for one in place) for place in places],
        [tuple(one[1] for one in place) for place in places],
    )


def of_recording(
    texts: Sequence[str], frames: Range, n_frames: int, first_row: int = 0
) -> list[str]:
    """Return sentences about frames of a block, which say where in the recording these are.

    Parameters
    ----------
    texts
        Sentences in which frames are counted from the first one of the block.
    frames
        First frame of the block in the recording and the one after its last, from 0.
    n_frames
        Of the recording.
    first_row
        First row of the block in the recording, from 0.
    """

    def in_whole(rows: re.Match[str]) -> str:
        first, last = (int(row) + first_row for row in rows.groups())
        return rows[0].replace(f"{rows[1]} to {rows[2]}", f"{first} to {last}")

    texts = [_ROWS.sub(in_whole, text) for text in texts]
    if frames == (0, n_frames):
        return texts
    if frames[1] - frames[0] == 1:
        where = f"In a part of one frame, {frames[0] + 1} of {n_frames}"
    else:
        first, last = frames[0] + 1, frames[1]
        where = f"In frames {first} to {last} of {n_frames}, counted from the first of them"
    return [f"{where}: {text}" if _NUMBERED.search(text) else text for text in texts]
