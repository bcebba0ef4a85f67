"""The folder of a checkpoint: what is ours in it, and what is somebody else's and never touched."""

from __future__ import annotations

import os
import re
from errno import ENOTDIR
from typing import TYPE_CHECKING, Final

from napari_cellinr.errors import FileError
from napari_cellinr.io.safety.lock import HOLDER_FILE, is_holder_file
from napari_cellinr.io.safety.manifest import (
    MANIFEST_FILE,
    Manifest,
    add_to_manifest,
    current_name,
    identity_of,
    new_manifest,
    read_manifest,
)
from napari_cellinr.io.safety.owned import (
    TEMPORARY,
    is_plain_file,
    remove_empty_folder,
    remove_files,
)
from napari_cellinr.io.saved_fit import FITTED_SUFFIX, load_fitted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["IDENTITY", "JOB_FILE", "CheckpointFolder"]

JOB_FILE: Final = "job.cellinr"
"""Name of the file that says which fit a checkpoint is of."""

IDENTITY: Final = "checkpoint"
"""Key in the header of a file: the identity of the checkpoint that it belongs to."""

_WRITTEN_BY_0_1: Final = re.compile(
    r"job|([a-z0-9.×-]+\.)?(done|estimate|groups|guide|stages|steps)\.[0-9]+"
)
"""Names of the parts of a checkpoint of version 0.1, which had no manifest."""

_OF_THE_SYSTEM: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""What desktops put into any folder that is looked at; never deleted, but no reason to refuse."""


class CheckpointFolder:
    """Files that one fit stores, in a folder where other files are left as they are.

    A file is ours if the manifest lists it and its header names this checkpoint. In a checkpoint
    of version 0.1, which has no manifest, its name and its header have to be as that wrote them.

    Parameters
    ----------
    path
        The folder, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._manifest: Manifest | None = None
        self._old: Mapping[str, str] = {}

    @property
    def is_one(self) -> bool:
        """Whether the folder is marked as a checkpoint, or is one of version 0.1."""
        return self._found() is not None or self._is_ours(JOB_FILE, None)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parts that are stored, whether or not their files are still there."""
        return tuple(self._files())

    def check_usable(self, *, new: bool) -> None:
        """Check that a fit may store here.

        Parameters
        ----------
        new
            Whether it is to be a new checkpoint, with nobody else's files in its folder.

        Raises
        ------
        FileError
            If the folder holds anything that is not of a checkpoint, or is none.
        """
        if self.is_one and not new:
            return
        try:
            others = self._others() if os.path.lexists(self.path) else self._none_yet()
        except OSError as error:
            raise FileError(
                f"{self.path} cannot be used for a checkpoint: {error.strerror or error}. Give "
                "another folder."
            ) from error
        if others:
            raise FileError(
                f"{self.path} holds {others[0]}, which is no part of a checkpoint; nothing there "
                "is touched. Move it elsewhere, or give another folder for the checkpoint."
            )

    def claim(self) -> None:
        """Make the folder, and mark it as a checkpoint unless it is one; again if it was removed.

        Raises
        ------
        FileError
            As for `check_usable`, or if the file system refuses.
        """
        if self._manifest is not None and identity_of(self.path) is None:
            self._manifest, self._old = None, {}  # the folder was removed meanwhile
        if self._found() is not None:
            return
        self.check_usable(new=False)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._manifest = new_manifest(self.path, self._files())
        except OSError as error:
            raise _refused(self.path, error) from error

    def find(self, name: str) -> Path | None:
        """Return the file of a part, or None if it is not there or not ours."""
        file = self._files().get(name)
        is_there = file is not None and self._is_ours(file, self._found())
        return self.path / file if file is not None and is_there else None

    def place_for(self, name: str) -> Path:
        """Return where a part is to be written, and list it; no file of others is there.

        Raises
        ------
        FileError
            If the folder is not claimed, or the file system refuses.
        ValueError
            If the name has characters that the manifest does not allow.
        """
        manifest = self._found()
        if manifest is None:
            raise FileError(f"{self.path} is no checkpoint any more; give another folder.")
        file, number = manifest.files.get(name, f"{name}{FITTED_SUFFIX}"), 2
        while not self._is_free(file, manifest):
            file, number = f"{name}+{number}{FITTED_SUFFIX}", number + 1
        if manifest.files.get(name) != file:
            try:
                self._manifest = add_to_manifest(self.path, manifest, name, file)
            except OSError as error:
                raise _refused(self.path, error) from error
        return self.path / file

    @property
    def identity(self) -> str | None:
        """What the header of every file repeats; None before the folder is claimed."""
        found = self._found()
        return None if found is None else found.identity

    def remove(self, names: Iterable[str]) -> None:
        """Delete parts of the checkpoint."""
        remove_files([path for name in names if (path := self.find(name)) is not None])

    def discard(self) -> None:
        """Delete the checkpoint: its own files, then the folder if nothing else is in it."""
        if not self.is_one:
            return
        job = [name for name, file in self._files().items() if file == JOB_FILE]
        self.remove(name for name in self.names if name not in job)
        self.remove(job)
        remove_files(self._leavings())
        self._manifest = None
        remove_empty_folder(self.path)

    def _leavings(self) -> list[Path]:
        """Return files of ours beside the parts; the manifest, which marks them, comes last."""
        found = [self.path / HOLDER_FILE] if is_holder_file(self.path / HOLDER_FILE) else []
        if (manifest := self._found()) is not None:
            start = f"{TEMPORARY}{manifest.identity}-"
            found += [path for path in self.path.iterdir() if path.name.startswith(start)]
            found += [self.path / MANIFEST_FILE]
        return found

    def _found(self) -> Manifest | None:
        """Return the manifest; it is read once, because only one process works in the folder."""
        if self._manifest is None:
            self._manifest = read_manifest(self.path)
        return self._manifest

    def _files(self) -> Mapping[str, str]:
        """Return the name of the file by name of the part."""
        if (manifest := self._found()) is not None:
            return manifest.files
        self._old = self._old or self._files_of_0_1()
        return self._old

    def _files_of_0_1(self) -> dict[str, str]:
        """Return what version 0.1 has stored, by name and header."""
        if not self._is_ours(JOB_FILE, None):
            return {}
        files = sorted(path.name for path in self.path.glob(f"*{FITTED_SUFFIX}"))
        return {
            current_name(name): file
            for file in files
            if _WRITTEN_BY_0_1.fullmatch(name := file.removesuffix(FITTED_SUFFIX))
            and self._is_ours(file, None)
        }

    def _is_free(self, file: str, manifest: Manifest) -> bool:
        """Return whether a file may be written: there is none, or it is ours."""
        if not os.path.lexists(self.path / file):
            return True
        return file in manifest.files.values() and self._is_ours(file, manifest)

    def _is_ours(self, file: str, manifest: Manifest | None) -> bool:
        """Return whether this checkpoint wrote a file, according to its header.

        Files of version 0.1 have no identity. A saved fit is never a part of a checkpoint.
        """
        path = self.path / file
        if not is_plain_file(path):
            return False
        try:
            header, _ = load_fitted(path, only_header=True)
        except FileError:
            return False
        if not isinstance(header, dict) or {"method", "report"} <= header.keys():
            return False
        if file == JOB_FILE and not {"action", "source"} <= header.keys():
            return False
        return header.get(IDENTITY) in (None, manifest and manifest.identity)

    def _none_yet(self) -> list[str]:
        """Return nothing; raise `OSError` if a folder cannot be made here."""
        above = next(path for path in self.path.absolute().parents if os.path.lexists(path))
        if not above.is_dir():
            raise NotADirectoryError(ENOTDIR, f"{above} is no folder")
        return []

    def _others(self) -> list[str]:
        """Return names in the folder that are not of a checkpoint."""
        own = _OF_THE_SYSTEM | {path.name for path in self._leavings()}
        own |= {file for file in self._files().values() if self._is_ours(file, self._found())}
        return sorted(path.name for path in self.path.iterdir() if path.name not in own)


def _refused(path: Path, error: OSError) -> FileError:
    return FileError(
        f"the checkpoint {path} cannot be written: {error.strerror or error}. Give another folder "
        "(--checkpoint), or make room there."
    )
