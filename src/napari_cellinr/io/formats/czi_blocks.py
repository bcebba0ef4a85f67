"""The blocks of pixels of a CZI file, and the image of one scene that they are put together to.

Segments and compressions: Carl Zeiss, "ZISRAW (CZI) file format". The directory of the blocks is
read by the library czifile, in its versions of 2019 and of 2026, which have different names.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Block", "Scene", "blocks_of"]

_JPEG, _LZW, _JPEG_XR, _ZSTD, _ZSTD_WITH_HEADER = 1, 2, 4, 5, 6
_COMPRESSIONS: Final = (0, _JPEG, _LZW, _JPEG_XR, _ZSTD, _ZSTD_WITH_HEADER)


@dataclass(frozen=True)
class Block:
    """A part of an image in one piece.

    Parameters
    ----------
    scene
        Number of its scene; 0 if there is only one.
    axes
        Letters of its dimensions, the slowest first, without scene, tile and samples.
    start, shape
        First element and number of elements along each axis.
    kind
        Data type of a sample.
    n_samples
        Number of samples of a colour; 1 for grey levels.
    compression
        Number of the compression.
    position, header_size
        Byte at which its segment begins, and bytes of its entry in the directory.
    """

    scene: int
    axes: str
    start: tuple[int, ...]
    shape: tuple[int, ...]
    kind: np.dtype[Any]
    n_samples: int
    compression: int
    position: int
    header_size: int


def blocks_of(file: Any) -> list[Block]:
    """Return the blocks at full resolution of an open file, those that lie on top last.

    Parameters
    ----------
    file
        A `CziFile` of the library.

    Raises
    ------
    FileError
        If a part of the image is stored at a lower resolution only.
    """
    entries = [entry for entry in file.subblock_directory if int(entry.pyramid_type) == 0]
    entries.sort(key=lambda entry: getattr(entry, "mosaic_index", 0) or 0)
    blocks = [_block(entry) for entry in entries]
    full = [tuple(entry.stored_shape) == tuple(entry.shape) for entry in entries]
    there = {_place(block) for block, is_full in zip(blocks, full, strict=True) if is_full}
    if any(_place(block) not in there for block in blocks):
        raise FileError(
            "some channels or planes are stored at a lower resolution than others; save one of "
            "them at a time, or as OME-TIFF, in ZEN."
        )
    return [block for block, is_full in zip(blocks, full, strict=True) if is_full]


def _place(block: Block) -> tuple[int, ...]:
    """Return where a block lies, besides Y and X."""
    others = [n for axis, n in zip(block.axes, block.start, strict=True) if axis not in "YX"]
    return (block.scene, *others)


def _block(entry: Any) -> Block:
    start, shape = tuple(map(int, entry.start)), tuple(map(int, entry.shape))
    if hasattr(entry, "dims"):  # the library of 2026: samples are a dimension if there are several
        letters, scene = "".join(entry.dims), max(0, int(entry.scene_index))
        kind = np.dtype(entry.dtype)
        n_samples = shape[-1] if letters[-1:] == "S" else 1
        letters = letters.removesuffix("S")
    else:  # that of 2019: the last dimension are the samples, one of the others may be the scene
        letters, kind = str(entry.axes)[:-1], np.dtype(entry.dtype).base
        n_samples = shape[-1]
        scene = start[letters.index("S")] if "S" in letters else 0
    kept = [i for i, letter in enumerate(letters) if letter != "S"]
    return Block(
        scene=scene,
        axes="".join(letters[i] for i in kept),
        start=tuple(start[i] for i in kept),
        shape=tuple(shape[i] for i in kept),
        kind=kind,
        n_samples=n_samples,
        compression=int(entry.compression),
        position=int(entry.file_position),
        header_size=int(entry.storage_size),
    )


class Scene:
    """The image of one scene, of which parts are read when they are needed.

    Parameters
    ----------
    path
        The file.
    blocks
        Its blocks, those on top last; all of the same axes and number of samples.
    """

    def __init__(self, path: Path, blocks: Sequence[Block]) -> None:
        first = blocks[0]
        if any(one.axes != first.axes or one.n_samples != first.n_samples for one in blocks):
            raise FileError(f"{path} mixes blocks of different axes; save one scene of it.")
        self.path, self.blocks = path, blocks
        self.start = tuple(int(n) for n in np.min([one.start for one in blocks], axis=0))
        self._starts = np.array([one.start for one in blocks]) - self.start
        self._ends = self._starts + [one.shape for one in blocks]
        size = tuple(int(n) for n in self._ends.max(axis=0))
        colours = (first.n_samples,) if first.n_samples > 1 else ()
        self.axes = first.axes + "S" * len(colours)
        self.shape = (*size, *colours)
        self.dtype = np.result_type(*{one.kind for one in blocks})
        self.ndim = len(self.shape)

    @property
    def missing(self) -> tuple[int, int]:
        """Number of planes that no block covers, and of planes in all."""
        sizes = [n for axis, n in zip(self.axes, self.shape, strict=True) if axis not in "YXS"]
        n_planes = math.prod(sizes)
        return n_planes - len({_place(block) for block in self.blocks}), n_planes

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Return a part by slices and numbers; what no block covers is 0."""
        keys = key if isinstance(key, tuple) else (key,)
        keys = (*keys, *(slice(None),) * (self.ndim - len(keys)))
        ranges = [_range(one, n) for one, n in zip(keys, self.shape, strict=True)]
        found = np.zeros([stop - start for start, stop in ranges], self.dtype)
        with self.path.open("rb") as file:
            for number in self._blocks_in(ranges):
                self._paste(file, self.blocks[number], ranges, found)
        numbers = tuple(0 if isinstance(one, int | np.integer) else slice(None) for one in keys)
        return np.asarray(found[numbers])

    def _blocks_in(self, ranges: Sequence[tuple[int, int]]) -> NDArray[np.intp]:
        """Return the numbers of the blocks that have something of a part, those on top last."""
        firsts, ends = np.array(ranges[: self._starts.shape[1]]).T
        return np.flatnonzero(((self._starts < ends) & (self._ends > firsts)).all(axis=1))

    def _paste(
        self, file: Any, block: Block, ranges: Sequence[tuple[int, int]], found: NDArray[Any]
    ) -> None:
        """Copy what a block has of a part of the image."""
        inside, outside = [], []
        parts = zip(block.start, block.shape, self.start, ranges, strict=False)
        for start, size, origin, (first, end) in parts:
            low, high = max(start - origin, first), min(start - origin + size, end)
            if low >= high:
                return
            inside.append(slice(low - start + origin, high - start + origin))
            outside.append(slice(low - first, high - first))
        found[tuple(outside)] = _pixels(file, block)[tuple(inside)]


def _range(key: Any, size: int) -> tuple[int, int]:
    """Return first element and end of a slice or a number."""
    if isinstance(key, int | np.integer):
        place = int(key) + (size if key < 0 else 0)
        return place, place + 1
    start, stop, step = key.indices(size)
    if step != 1:
        raise IndexError("parts of a CZI file are read without steps.")
    return start, max(start, stop)


def _pixels(file: Any, block: Block) -> NDArray[Any]:
    """Return the pixels of a block, axes as in the block, and samples if there are several."""
    file.seek(block.position + 32)  # after the name and the size of the segment
    metadata_size, _, data_size = struct.unpack("<iiq", file.read(16))
    file.seek(block.position + 48 + max(240, block.header_size) + metadata_size)
    shape = (*block.shape, block.n_samples)
    n_bytes = int(np.prod(shape)) * block.kind.itemsize
    if not 0 <= data_size <= 2 * n_bytes + 2**16:
        raise FileError(f"a block announces {data_size} bytes for {n_bytes} bytes of pixels.")
    values = _decoded(file.read(data_size), block, n_bytes).reshape(shape)
    if block.n_samples > 1 and block.compression not in {_JPEG, _JPEG_XR}:
        order = [2, 1, 0, *range(3, block.n_samples)]  # blue is stored first
        values = values[..., order]
    return values if block.n_samples > 1 else values[..., 0]


def _decoded(data: bytes, block: Block, n_bytes: int) -> NDArray[Any]:
    """Return the samples of a block as a flat array."""
    import imagecodecs

    if block.compression not in _COMPRESSIONS:
        raise FileError(
            f"the pixels are compressed in a way (number {block.compression}) that is not known; "
            "save the file without compression in ZEN."
        )
    if block.compression in {_JPEG, _JPEG_XR}:
        is_jpeg = block.compression == _JPEG
        decode = imagecodecs.jpeg8_decode if is_jpeg else imagecodecs.jpegxr_decode
        return np.ravel(decode(data)).astype(block.kind, copy=False)
    packed = False
    if block.compression == _ZSTD_WITH_HEADER:
        length = data[0]
        packed = length >= 3 and data[1] == 1 and bool(data[2] & 1)
        data = data[length:]
    if block.compression in {_ZSTD, _ZSTD_WITH_HEADER}:
        data = bytes(imagecodecs.zstd_decode(data, out=n_bytes))
    elif block.compression == _LZW:
        data = bytes(imagecodecs.lzw_decode(data, out=n_bytes))
    if len(data) < n_bytes:
        raise FileError(f"a block has {len(data)} of {n_bytes} bytes of pixels.")
    found = np.frombuffer(data, np.uint8, n_bytes)
    if packed:  # the low bytes of all samples before the high bytes
        found = np.ascontiguousarray(found.reshape(block.kind.itemsize, -1).T).ravel()
    return found.view(block.kind)
