"""Header, comment and array of a NIfTI file, checked before they are used."""

from __future__ import annotations

import io
import logging
import math
import struct
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np

from napari_cellinr.errors import FileError
from napari_cellinr.io.lazy import RawArray, chunks_of, is_lazy_size, lazy_array
from napari_cellinr.io.safety.bounded import MOST_DEFLATED, BoundedFile, Inflating, looks_gzipped

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["COMMENT", "Head", "read_head", "read_values"]

_quiet = logging.getLogger("napari_cellinr.io.nibabel")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False  # nibabel's corrections of a header do not concern users

COMMENT = 6
"""Code of the NIfTI header extension that holds a plain-text comment."""

_LONGEST_EXTENSIONS = 64 * 2**20
_LONGEST_REST = 16 * 2**20
"""Largest number of bytes that may follow the array as padding."""

_KINDS: dict[int, Any] = {348: nibabel.Nifti1Header, 540: nibabel.Nifti2Header}
_CIFTI = range(3000, 3100)
"""Intent codes of CIFTI: surfaces and connectivity matrices, not images."""


@dataclass(frozen=True)
class Head:
    """The description of the array in a NIfTI file.

    Parameters
    ----------
    header
        The header, checked by nibabel.
    comment
        Text of the first comment extension, `None` if there is none.
    offset
        Bytes before the first element.
    shape
        Number of elements along x, y, z, t, …
    stored
        Data type of the elements in the file.
    scaling
        Slope and intercept from stored elements to values; `None` if they are the values.
    gzipped
        Whether the file is compressed by gzip.
    file_bytes
        Size of the file in bytes.
    steps
        Steps along x, y, z and t as the file states them: nibabel makes 1 of a step of 0.
    """

    header: Any
    comment: str | None
    offset: int
    shape: tuple[int, ...]
    stored: np.dtype[Any]
    scaling: tuple[float, float] | None
    gzipped: bool
    file_bytes: int
    steps: tuple[float, ...]

    @property
    def stored_bytes(self) -> int:
        """Size of the uncompressed array in the file, in bytes."""
        return math.prod(self.shape) * self.stored.itemsize

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the values: float32 where it tells scaled 8- and 16-bit integers apart."""
        if self.scaling is None:
            native = self.stored.newbyteorder("=")
            return np.dtype(np.float64) if native.itemsize > 8 else native
        small = self.stored.kind != "f" and self.stored.itemsize <= 2
        return np.dtype(np.float32 if small and self._is_told_apart else np.float64)

    @property
    def _is_told_apart(self) -> bool:
        """Whether float32 has several values between any two neighbouring stored integers."""
        slope, intercept = self.scaling or (1.0, 0.0)
        ends = np.array([np.iinfo(self.stored).min, np.iinfo(self.stored).max])
        largest = np.abs(ends * np.float64(slope) + intercept).max()
        most = float(np.finfo(np.float32).max)
        return bool(largest < most and np.spacing(np.float32(largest)) < abs(slope) / 8)


def read_head(path: Path) -> Head:
    """Return the description of the array in a file, checked against the size of the file.

    Raises
    ------
    FileError
        If the file is of another kind, or too small for the announced array.
    """
    with BoundedFile(path) as file:
        gzipped = looks_gzipped(file)
        source: BoundedFile | Inflating = Inflating(file) if gzipped else file
        start = source.read(544)
        header, size, steps = _header(path, start)
        offset = _offset(path, header)
        rest = source.read(offset - len(start)) if offset > len(start) else b""
        extensions = _extensions(path, (start + rest)[size:offset], header.endianness)
        head = Head(
            header=header,
            comment=extensions.get(COMMENT),
            offset=offset,
            shape=tuple(int(n) for n in header.get_data_shape()),
            stored=header.get_data_dtype(),
            scaling=_scaling(header),
            gzipped=gzipped,
            file_bytes=file.length,
            steps=steps,
        )
    _check(path, head)
    return head


def _header(path: Path, start: bytes) -> tuple[Any, int, tuple[float, ...]]:
    """Return the header, its length in bytes, and the steps before they are corrected."""
    sizes = struct.unpack("<i", start[:4]) + struct.unpack(">i", start[:4]) if start[4:] else ()
    size = next((size for size in sizes if size in _KINDS), 0)
    if not size or len(start) < size:
        raise ValueError("it has no complete header")
    magic = start[344:348] if size == 348 else start[4:8]
    if magic[:3] not in {b"n+1", b"n+2"}:
        kind = "header of a pair of files" if magic[:2] == b"ni" else "Analyze"
        raise _wrong_kind(path, kind)
    header = _KINDS[size](start[:size], check=False)
    # float32 0.18 converts to 0.18000000715 directly, but to 0.18 by way of its text.
    steps = tuple(abs(float(str(value))) for value in header["pixdim"][1:5])
    header.check_fix(logger=_quiet, error_level=40)
    if int(header["intent_code"]) in _CIFTI:
        raise _wrong_kind(path, "CIFTI (surfaces or connectivity, not an image)")
    return header, size, steps


def _wrong_kind(path: Path, kind: str) -> FileError:
    return FileError(
        f"{path} is of the kind {kind}; only NIfTI-1 and NIfTI-2 images in one file are "
        f"allowed. Convert it to .nii first."
    )


def _offset(path: Path, header: Any) -> int:
    """Return the number of bytes before the array."""
    offset = float(header["vox_offset"])
    if not offset >= header.single_vox_offset:
        raise _wrong_kind(path, "header of a pair of files")  # no room for the header itself
    if offset > _LONGEST_EXTENSIONS:
        raise ValueError(f"its array is said to begin at byte {offset:g}, after its header")
    return int(offset)


def _extensions(path: Path, block: bytes, endianness: str) -> dict[int, str]:
    """Return the texts of the header extensions by code; the first one of each code."""
    found: dict[int, str] = {}
    if len(block) < 4:
        raise FileError(f"{path} is damaged: it ends in its header. Copy it again.")
    place = 4
    while block[0] and place + 8 <= len(block):
        length, code = struct.unpack(f"{endianness}ii", block[place : place + 8])
        if length == 0 and not any(block[place:]):
            break  # padding
        if not 8 <= length <= len(block) - place:
            raise FileError(
                f"{path} is damaged: a header extension announces {length} bytes, but only "
                f"{len(block) - place} are there. Copy the file again from its source."
            )
        text = block[place + 8 : place + length].rstrip(b"\0").decode(errors="replace")
        found.setdefault(code, text)
        place += length
    return found


def _scaling(header: Any) -> tuple[float, float] | None:
    slope, intercept = header.get_slope_inter()
    return None if slope is None or (slope, intercept) == (1.0, 0.0) else (slope, intercept)


def _check(path: Path, head: Head) -> None:
    if head.stored.kind not in "buif":
        raise FileError(
            f"{path} holds numbers of type {head.stored}; real numbers are needed. Convert it to "
            f"intensities, or its real part, first."
        )
    if 0 in head.shape:
        raise FileError(f"{path} holds an empty array of shape {head.shape}; give a whole image.")
    if min(head.shape, default=0) < 0:
        raise ValueError(f"its shape is said to be {head.shape}")
    possible = head.file_bytes * (MOST_DEFLATED if head.gzipped else 1)
    if head.offset + head.stored_bytes > possible:
        raise FileError(
            f"{path} is damaged or not complete: an array of shape {head.shape}, type "
            f"{head.stored}, is announced, which a file of {head.file_bytes} bytes cannot hold. "
            f"Copy it again from its source."
        )


def read_values(path: Path, head: Head, limit: int) -> Any:
    """Return the values, axes …, t, z, y, x, slope and intercept applied: NumPy or dask.

    Parameters
    ----------
    path
        The file.
    head
        Its description by `read_head`.
    limit
        Bytes above which a dask array is returned.
    """
    shape = head.shape[::-1]
    if not is_lazy_size(math.prod(shape) * head.dtype.itemsize, head.file_bytes, limit):
        with BoundedFile(path) as file:
            return _scaled(_stored(file, head), head)
    source: Any = (
        _Inflated(path, head) if head.gzipped else RawArray(path, head.offset, shape, head.stored)
    )
    grain = (1,) * (len(shape) - 2) + shape[-2:]
    lazy = lazy_array(source, chunks_of(shape, head.dtype.itemsize, grain))
    return lazy.map_blocks(_scaled, head, dtype=head.dtype, meta=np.empty((0,) * len(shape)))


def _stored(file: BoundedFile, head: Head) -> NDArray[Any]:
    """Return the stored array, read now; for gzip files the checksum is verified."""
    array = np.empty(head.shape[::-1], head.stored)
    target = memoryview(array.reshape(-1).view(np.uint8).data)
    if head.gzipped:
        _inflate(file, head, io.BytesIO(), target)
    else:
        file.seek(head.offset)
        if file.readinto(target) != len(target):
            raise EOFError("the array is not complete")
    return array


def _inflate(file: BoundedFile, head: Head, sink: Any, target: memoryview | None = None) -> None:
    """Decompress the array into `target`, or into `sink`, and verify the checksum."""
    stream = Inflating(file)
    if len(stream.read(head.offset)) < head.offset:
        raise EOFError("the header is not complete")
    done = 0
    while done < head.stored_bytes:
        part = stream.read(min(2**20, head.stored_bytes - done))
        if not part:
            raise EOFError("the array is not complete")
        if target is None:
            sink.write(part)
        else:
            target[done : done + len(part)] = part
        done += len(part)
    rest = 0
    while part := stream.read(2**20):
        rest += len(part)
        if rest > _LONGEST_REST:
            raise ValueError("more follows the array than its header announces")


def _scaled(stored: NDArray[Any], head: Head) -> NDArray[Any]:
    """Return the values in native byte order, with slope and intercept applied."""
    if head.scaling is None:
        return np.asarray(stored, dtype=head.dtype)
    slope, intercept = head.scaling
    values: NDArray[Any] = (stored * np.float64(slope) + intercept).astype(head.dtype)
    return values


class _Inflated:
    """A gzip-compressed array, decompressed into a temporary file on first use.

    Only then can its checksum be verified and its parts be read in any order.
    """

    def __init__(self, path: Path, head: Head) -> None:
        self.path = path
        self.head = head
        self.shape = head.shape[::-1]
        self.dtype = head.stored
        self.ndim = len(self.shape)
        self._array: NDArray[Any] | None = None

    def __getitem__(self, key: Any) -> NDArray[Any]:
        if self._array is None:
            self._array = self._inflated()
        return np.array(self._array[key])

    def _inflated(self) -> NDArray[Any]:
        try:
            with BoundedFile(self.path) as file, tempfile.TemporaryFile() as place:
                _inflate(file, self.head, place)
                place.flush()
                return np.memmap(place, self.head.stored, "r", shape=self.shape)
        except (OSError, ValueError, EOFError) as error:
            raise FileError(
                f"{self.path} is damaged or cannot be decompressed ({error}); copy it again from "
                f"its source, or free disk space for temporary files."
            ) from error
