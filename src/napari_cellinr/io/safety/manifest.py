"""The manifest of a checkpoint: it marks the folder as ours and lists every file written there.

A text file that only ever grows. The first line says what the folder is and gives it a random
identity; each further line is a pair: the name of a part and of the file that holds it, noted
before that file is written. A line that a crash has cut short counts as none.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = [
    "MANIFEST_FILE",
    "Manifest",
    "add_to_manifest",
    "current_name",
    "identity_of",
    "new_manifest",
    "read_manifest",
]

MANIFEST_FILE: Final = "cellinr-checkpoint.jsonl"
"""Name of the file that makes a folder a checkpoint."""

_FORMAT: Final = "napari-cellinr checkpoint"
_VERSION: Final = 1
_MOST_BYTES: Final = 2**26
_LONGEST_LINE: Final = 4096
_IDENTITY: Final = re.compile(r"[0-9a-f]{16}")
_FILE: Final = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+×-]{0,199}\.cellinr")
"""Plain names in the folder itself; a manifest from somebody else cannot name other places.

The lengths of tiles were written with ×, as in 64×64, before they were with x.
"""


@dataclass(frozen=True)
class Manifest:
    """What a manifest says.

    Parameters
    ----------
    identity
        16 hexadecimal digits, random; the header of every file of the checkpoint repeats it.
    files
        Name of the file by name of the part.
    """

    identity: str
    files: Mapping[str, str] = field(default_factory=dict)


def identity_of(folder: Path) -> str | None:
    """Return the identity of the checkpoint in a folder; None if it has no manifest."""
    try:
        with (folder / MANIFEST_FILE).open("rb") as file:
            return _identity(file.readline(_LONGEST_LINE))
    except OSError:
        return None


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a folder; None if there is none that can be understood."""
    path = folder / MANIFEST_FILE
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return None
        first, *lines = path.read_bytes().split(b"\n")
    except OSError:
        return None
    identity = _identity(first)
    if identity is None:
        return None
    return Manifest(identity, dict(pair for line in lines if (pair := _pair(line)) is not None))


def new_manifest(folder: Path, files: Mapping[str, str]) -> Manifest:
    """Write and return the manifest of a folder that has none.

    Parameters
    ----------
    folder
        Exists.
    files
        Name of the file by name of the part, of a checkpoint that an older version wrote.

    Raises
    ------
    OSError
        If there is one already, or the file system refuses.
    """
    found = Manifest(secrets.token_hex(8), dict(files))
    first = {"format": _FORMAT, "version": _VERSION, "identity": found.identity}
    _write(folder, "xb", [first, *map(list, files.items())])
    return found


def add_to_manifest(folder: Path, manifest: Manifest, name: str, file: str) -> Manifest:
    """Note that a file is about to be written; return the manifest with it.

    Parameters
    ----------
    folder
        Has the manifest.
    manifest
        As it was.
    name, file
        Name of the part and of its file.

    Raises
    ------
    OSError
        If the file system refuses.
    ValueError
        If a later process would not accept the name of the file.
    """
    if not _FILE.fullmatch(file):
        raise ValueError(f"{file} is no file of a checkpoint; names must match {_FILE.pattern}.")
    _write(folder, "ab", [[name, file]])
    return Manifest(manifest.identity, {**manifest.files, name: file})


def _write(folder: Path, mode: str, lines: Iterable[Any]) -> None:
    """Append lines, and wait until they are on the disk."""
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    if mode == "ab":
        text = f"\n{text}"  # ends a line that a crash has cut short
    with (folder / MANIFEST_FILE).open(mode) as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def _identity(line: bytes) -> str | None:
    """Return the identity that the first line of a manifest gives."""
    try:
        first = json.loads(line)
        identity = first["identity"]
        is_ours = first["format"] == _FORMAT and first["version"] <= _VERSION
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not is_ours or not isinstance(identity, str) or not _IDENTITY.fullmatch(identity):
        return None
    return identity


def _pair(line: bytes) -> tuple[str, str] | None:
    """Return part and file of a line, if that names a plain file of the folder."""
    if len(line) > _LONGEST_LINE:
        return None
    try:
        name, file = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    if isinstance(name, str) and isinstance(file, str) and _FILE.fullmatch(file):
        return current_name(name), file
    return None


def current_name(name: str) -> str:
    """Return the name of a part as it is now, for one that an older version has written."""
    return name.replace("×", "x")
