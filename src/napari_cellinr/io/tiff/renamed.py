"""Files of a multi-file OME-TIFF that bear each other's names, or those of another recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import tifffile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_cellinr.io.tiff.data import OpenTiff

__all__ = ["identified", "named_files", "without_other_files"]


def identified(opened: OpenTiff) -> tuple[dict[str, str], bool, tuple[str, ...]]:
    """Make the description of a multi-file OME-TIFF say which planes this file holds.

    tifffile knows the planes of this file by its identifier (UUID), and takes any file with the
    same one, or with none, for this file. Where identifiers do not tell the files apart, names do.

    Parameters
    ----------
    opened
        The file; its description is changed in memory.

    Returns
    -------
    meant
        The identifier that each other file must have, by its name in lower case, if they are to be
        believed.
    known
        Whether the description says which planes this file holds.
    warnings
        A sentence about identifiers that are not believed.
    """
    file = opened.file
    try:
        root = ElementTree.fromstring((file.is_ome and file.ome_metadata) or "<none/>")
    except ElementTree.ParseError:
        return {}, True, ()
    elements = [e for e in root.iter() if e.tag.rpartition("}")[2] == "UUID"]
    stated = [(e.get("FileName", "").lower(), _plain(e.text or "")) for e in elements]
    own, name = _plain(root.get("UUID", "")), opened.path.name.lower()
    if not any(other for other, _ in stated):
        return {}, True, ()
    distinct = len({*stated}) == len({u for _, u in stated}) and all(u for _, u in stated)
    written = next((other for other, uuid in stated if uuid == own), "") if own and distinct else ""
    if written == name:
        return dict(stated), True, ()
    believed = bool(written) and not _shared(opened, written, own)
    mine = written if believed else name
    root.set("UUID", "this file")
    for element, (other, _) in zip(elements, stated, strict=True):
        element.text = "this file" if other == mine else f"file {other}"
    file.pages.first.description = ElementTree.tostring(root, encoding="unicode")
    known = any(other == mine for other, _ in stated)
    doubt = known and not believed and (own or not distinct)
    return dict(stated) if believed else {}, known, (_DOUBT.format(opened.path),) if doubt else ()


_DOUBT = (
    "the identifiers (UUID) in the OME description of {} do not tell its files apart, or are not "
    "those that the files have; the planes were found by the names of the files."
)


def _shared(opened: OpenTiff, name: str, uuid: str) -> bool:
    """Return whether another file, of a name in lower case, has the identifier of this one."""
    folder = opened.path.parent
    others = [file for file in folder.iterdir() if file.name.lower() == name and file.is_file()]
    for other in others:
        try:
            with tifffile.TiffFile(other) as file:
                if _own(file) == uuid:
                    return True
        except (OSError, ValueError):  # no TIFF, or damaged
            continue
    return False


def without_other_files(
    opened: OpenTiff, series: list[tifffile.TiffPageSeries], meant: Mapping[str, str]
) -> tuple[list[tifffile.TiffPageSeries], tuple[str, ...]]:
    """Return series without the planes of files that are not those that the description means.

    tifffile finds the other files of a recording by their names alone. The description also
    states an identifier (UUID) of each, and each file its own.

    Parameters
    ----------
    opened
        The file.
    series
        Its series.
    meant
        The identifier of each file by its name in lower case, from `identified`.

    Returns
    -------
    series
        The same, with planes of such files marked as missing.
    warnings
        A sentence that names these files.
    """
    file = opened.file
    if not meant or not any(one.is_multifile for one in series):
        return series, ()
    parents = {id(p.parent): p.parent for s in series for p in s.pages if p is not None}
    strange: dict[int, str] = {}
    for number, parent in parents.items():
        wanted, own = meant.get(parent.filename.lower()), _own(parent)
        if parent is not file and wanted and own and own != wanted:
            strange[number] = parent.filename
    if not strange:
        return series, ()
    found = [_without(one, strange) for one in series]
    names = ", ".join(sorted({*strange.values()}))
    return found, (
        f"{names} in the folder of {opened.path} are other files than its OME description "
        "means (their UUID differs), as if they had been renamed; their planes are not read.",
    )


def named_files(path: Path) -> list[str]:
    """Return the names of all files of a recording that the OME description of one states.

    Parameters
    ----------
    path
        A TIFF that was read before.

    Raises
    ------
    OSError, ValueError
        If it cannot be read any more.
    """
    with tifffile.TiffFile(path) as file:
        text = file.ome_metadata if file.is_ome else None
    try:
        root = ElementTree.fromstring(text or "<none/>")
    except ElementTree.ParseError:
        return []
    found = {e.get("FileName", "") for e in root.iter() if e.tag.rpartition("}")[2] == "UUID"}
    return sorted(name for name in found if name and "/" not in name and "\\" not in name)


def _without(series: tifffile.TiffPageSeries, strange: dict[int, str]) -> tifffile.TiffPageSeries:
    pages: list[Any] = [
        None if page is not None and id(page.parent) in strange else page for page in series.pages
    ]
    if all(page is None for page in pages):
        return series
    return tifffile.TiffPageSeries(
        pages,
        series.shape,
        series.dtype,
        series.axes,
        parent=series.parent,
        name=series.name,
        kind=series.kind,
        multifile=True,
        truncated=False,
    )


def _own(file: tifffile.TiffFile) -> str:
    """Return the identifier of a file by its own description; empty if it states none."""
    try:
        return _plain(ElementTree.fromstring(file.ome_metadata or "").get("UUID", ""))
    except ElementTree.ParseError:
        return ""


def _plain(uuid: str) -> str:
    return uuid.strip().lower().removeprefix("urn:uuid:")
