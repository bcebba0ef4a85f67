"""What in a folder is a part of a Zarr hierarchy, and what is somebody else's."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from napari_cellinr.io.safety.owned import remove_empty_folder, remove_files

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ZARR_FILES", "ZarrParts", "remove_zarr", "zarr_parts"]

ZARR_FILES: Final = (".zgroup", ".zarray", "zarr.json")
"""What one of is in every Zarr group and array."""

_METADATA: Final = (*ZARR_FILES, ".zattrs", ".zmetadata")
_MOST_BYTES: Final = 2**26

CHUNK: Final = re.compile(r"(c\.)?[0-9]+(\.[0-9]+)*|c")
"""Names of chunks and of their folders: 0, 0.1, c/0/1, c.0.1 (Zarr 2, section "Chunks"; Zarr 3,
section "Chunk key encoding")."""

_PARTIAL: Final = re.compile(r".*\.[0-9a-f]{32}\.partial")
"""A file that the library zarr had not finished when it was interrupted."""

Kind = Literal["group", "array", "chunks", "other"]


@dataclass
class ZarrParts:
    """The contents of a folder.

    Parameters
    ----------
    files
        Metadata and chunks.
    folders
        Groups, arrays and folders of chunks, parents before what they hold.
    others
        All else, links included; what lies in a foreign folder is not listed.
    """

    files: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)


def zarr_parts(folder: Path, *, unfinished: bool = False) -> ZarrParts:
    """Return what of a folder, which exists, is a part of a Zarr hierarchy; no link is followed.

    Parameters
    ----------
    folder
        The folder.
    unfinished
        Whether it was being written by this package, so that folders may have no metadata yet,
        and what has no metadata is recognised by its name alone.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    found = ZarrParts()
    bare: Kind = "array" if unfinished else "other"
    left: list[tuple[Path, Kind]] = [(folder, _kind(folder, bare))]
    while left:
        place, kind = left.pop()
        (found.others if kind == "other" else found.folders).append(place)
        if kind != "other":
            left.extend(_sort(place, kind, bare, found))
    return found


def remove_zarr(folder: Path, *, unfinished: bool = False) -> bool:
    """Delete the parts of a Zarr hierarchy; return whether the folder is gone.

    It stays if it holds anything else.

    Parameters
    ----------
    folder, unfinished
        As for `zarr_parts`.
    """
    try:
        parts = zarr_parts(folder, unfinished=unfinished)
    except OSError:
        return False
    # Metadata last, so that what a kill leaves of the hierarchy is still known as one.
    remove_files(sorted(parts.files, key=lambda one: (one.name in _METADATA, -len(one.parts))))
    for one in reversed(parts.folders):
        remove_empty_folder(one)
    return not folder.exists() or remove_empty_folder(folder)


def _sort(place: Path, kind: Kind, bare: Kind, found: ZarrParts) -> Iterator[tuple[Path, Kind]]:
    """Sort the entries of a folder; yield its folders that belong to the hierarchy."""
    with os.scandir(place) as entries:
        for entry in entries:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                yield path, _kind_in(path, kind, bare)
            elif entry.is_file(follow_symlinks=False) and _is_part(entry.name, kind):
                found.files.append(path)
            else:
                found.others.append(path)


def _is_part(name: str, kind: Kind) -> bool:
    """Return whether a file of this name belongs into a folder of this kind."""
    if _PARTIAL.fullmatch(name) or (kind != "chunks" and name in _METADATA):
        return True
    return kind != "group" and bool(CHUNK.fullmatch(name))


def _kind_in(path: Path, parent: Kind, bare: Kind) -> Kind:
    """Return what a folder is that lies in one of another kind."""
    if parent == "group":
        return _kind(path, bare)
    if not CHUNK.fullmatch(path.name):
        return "other"
    return "chunks" if bare == "other" else _kind(path, bare)


def _kind(path: Path, bare: Kind) -> Kind:
    """Return what a folder is by its metadata; `bare` if it has none."""
    if _is_file(path / ".zarray"):
        return "array"
    if _is_file(path / "zarr.json"):
        return _kind_by_json(path / "zarr.json")
    return "group" if _is_file(path / ".zgroup") else bare


def _kind_by_json(path: Path) -> Kind:
    """Return what the metadata of Zarr 3 say; those that are not understood are a stranger's."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return "other"
        facts = json.loads(path.read_bytes())
        kind = facts["node_type"]
        is_zarr = facts["zarr_format"] == 3 and kind in {"group", "array"}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return "other"
    return kind if is_zarr else "other"


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
