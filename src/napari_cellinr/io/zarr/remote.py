"""OME-Zarr that is no folder: at an address, or in one archive (`.ozx`)."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.storage import FsspecStore, WrapperStore, ZipStore

from napari_cellinr.errors import FileError
from napari_cellinr.io.names import without_secrets
from napari_cellinr.io.zarr.store import METADATA, check_size

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ArchiveStore", "RemoteStore", "archive", "remote"]

_LARGEST_METADATA: Final = 100 * 2**20
_LEAST: Final = 2**20
"""Bytes that a chunk may have in any case."""

_PARTIAL: Final = 206
"""Status of an answer with the range of bytes that was asked for."""

_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Compression of files in archives that Python unpacks piece by piece, so that none grows."""


class RemoteStore(WrapperStore[FsspecStore]):
    """A Zarr hierarchy at an address, of which only what is needed is fetched.

    Parameters
    ----------
    address
        Begins with `https://`, `http://` or `s3://`.
    """

    def __init__(self, address: str) -> None:
        super().__init__(FsspecStore.from_url(address, read_only=True))
        self.most_bytes = 0

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return the bytes stored under a key, unless they are larger than announced.

        Parameters
        ----------
        key, prototype, byte_range
            As for `zarr.abc.store.Store.get`.

        Raises
        ------
        ValueError
            If they are; no more is fetched then.
        """
        is_metadata = key.endswith(METADATA)
        most = _LARGEST_METADATA if is_metadata else max(_LEAST, 2 * self.most_bytes)
        files, path = self._store.fs, f"{self._store.path.rstrip('/')}/{key}"
        try:
            if "http" in files.protocol:
                data = await _fetched(files, path, most, byte_range)
                found = prototype.buffer.from_bytes(data)
            else:
                size = (await files._info(path)).get("size")
                _check_most(key, size or 0, most)
                found = await super().get(key, prototype, byte_range)
        except self._store.allowed_exceptions:
            return None
        check_size(key, found, self.most_bytes)
        return found


async def _fetched(files: Any, path: str, most: int, byte_range: Any) -> bytes:
    """Return what a web server sends, and give up as soon as that is too much.

    A server may state no size or a wrong one, and ignore the range that is asked for.
    """
    options = dict(files.kwargs)
    if byte_range is not None:
        options["headers"] = {**options.get("headers", {}), "Range": _header(byte_range)}
    session = await files.set_session()
    data = bytearray()
    async with session.get(files.encode_url(path), **options) as answer:
        files._raise_not_found_for_status(answer, path)
        async for piece in answer.content.iter_chunked(2**20):
            data += piece
            _check_most(path, len(data), most)
        is_whole = byte_range is not None and answer.status != _PARTIAL
    if is_whole:
        one = _range(byte_range, len(data))
        return bytes(data[one.start : one.end])
    return bytes(data)


def _check_most(key: str, size: int, most: int) -> None:
    if size > most:
        raise ValueError(f"{key} has more than {most} bytes")


def _header(asked: Any) -> str:
    """Return the header for a range of bytes (RFC 9110, section 14.1.2)."""
    if isinstance(asked, RangeByteRequest):
        return f"bytes={asked.start}-{asked.end - 1}"
    if isinstance(asked, OffsetByteRequest):
        return f"bytes={asked.offset}-"
    return f"bytes=-{asked.suffix}"


class ArchiveStore(ZipStore):
    """A Zarr hierarchy in a ZIP archive.

    Parameters
    ----------
    path
        The archive.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, mode="r")
        self.most_bytes = 0
        self._files = _files_in(path)

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return the bytes stored under a key, unless they are larger than announced.

        Parameters
        ----------
        key, prototype, byte_range
            As for `zarr.abc.store.Store.get`.

        Raises
        ------
        ValueError
            If they are, before they are unpacked; or if they are compressed by another method
            than deflate.
        """
        file = self._files.get(key)
        if file is None:
            return None
        if file.file_size > max(_LARGEST_METADATA, 2 * self.most_bytes):
            raise ValueError(f"{key} has {file.file_size} bytes")
        if file.compress_type not in _METHODS:
            raise ValueError(f"{key} is compressed by method {file.compress_type} of ZIP")
        # A range, because no more is unpacked then, even if the archive states a wrong size.
        found = await super().get(key, prototype, _range(byte_range, file.file_size))
        check_size(key, found, self.most_bytes)
        return found


def _files_in(path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return what an archive states about each file in it."""
    with zipfile.ZipFile(path) as archive:
        return {one.filename: one for one in archive.infolist()}


def _range(asked: Any, size: int) -> RangeByteRequest:
    """Return which bytes are asked for of a file of a stated size.

    Parameters
    ----------
    asked
        As for `zarr.abc.store.Store.get`.
    size
        Bytes of the file.
    """
    first, end = 0, size
    if isinstance(asked, RangeByteRequest):
        first, end = asked.start, min(asked.end, size)
    elif isinstance(asked, OffsetByteRequest):
        first = asked.offset
    elif isinstance(asked, SuffixByteRequest):
        first = max(0, size - asked.suffix)
    return RangeByteRequest(min(first, end), end)


def remote(address: str) -> RemoteStore:
    """Return the store at an address.

    Raises
    ------
    FileError
        If it names no server, or the extra `remote` is not installed.
    """
    if not _server(address):  # fsspec would take it for a folder on this computer
        raise FileError(
            f"{address} names no server; write an address such as https://example.org/cells.zarr."
        )
    try:
        return RemoteStore(address)
    except ImportError as error:
        raise FileError(
            f"{without_secrets(address)} is an address, which needs further libraries ({error}): "
            "pip install 'napari-cellinr[remote]'. Or download it, and give the folder."
        ) from error


def _server(address: str) -> str:
    """Return the server, or bucket, of an address; empty if there is none."""
    try:
        return urlsplit(address).netloc
    except ValueError:
        return ""


def archive(path: Path) -> ArchiveStore:
    """Return the store in an archive.

    Raises
    ------
    FileError
        If it is no ZIP archive.
    """
    try:
        return ArchiveStore(path)
    except zipfile.BadZipFile as error:
        raise FileError(
            f"{path} is no ZIP archive, or it is incomplete ({error}); copy it again from its "
            "source."
        ) from error
