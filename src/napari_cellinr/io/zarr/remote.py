"""OME-Zarr that is no folder: at an address, or in one archive (`.ozx`)."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any, Final

from zarr.storage import FsspecStore, WrapperStore, ZipStore

from napari_cellinr.errors import FileError
from napari_cellinr.io.zarr.store import check_size

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ArchiveStore", "RemoteStore", "archive", "remote"]

_LARGEST_METADATA: Final = 100 * 2**20


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
        """
        found = await super().get(key, prototype, byte_range)
        check_size(key, found, self.most_bytes)
        return found


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
        self._sizes = _sizes_in(path)

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return the bytes stored under a key, unless they are larger than announced.

        Parameters
        ----------
        key, prototype, byte_range
            As for `zarr.abc.store.Store.get`.

        Raises
        ------
        ValueError
            If they are, before they are unpacked.
        """
        size = self._sizes.get(key, 0)
        if size > max(_LARGEST_METADATA, 2 * self.most_bytes):
            raise ValueError(f"{key} has {size} bytes")
        found = await super().get(key, prototype, byte_range)
        check_size(key, found, self.most_bytes)
        return found


def _sizes_in(path: Path) -> dict[str, int]:
    """Return the unpacked size of each file in an archive."""
    with zipfile.ZipFile(path) as archive:
        return {one.filename: one.file_size for one in archive.infolist()}


def remote(address: str) -> RemoteStore:
    """Return the store at an address.

    Raises
    ------
    FileError
        If the extra `remote` is not installed.
    """
    try:
        return RemoteStore(address)
    except ImportError as error:
        raise FileError(
            f"{address} is an address, which needs further libraries ({error}): "
            "pip install 'napari-cellinr[remote]'. Or download it, and give the folder."
        ) from error


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
