"""Files of a multi-file OME-TIFF that bear each other's names, or those of another recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import tifffile

if TYPE_CHECKING:
    from pathlib import Path

    from napari_cellinr.io.tiff.data import OpenTiff

__all__ = ["named_files", "without_other_files"]


def without_other_files(
    opened: OpenTiff, series: list[tifffile.TiffPageSeries]
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

    Returns
    -------
    series
        The same, with planes of such files marked as missing.
    warnings
        A sentence that names these files.
    """
    file = opened.file
    if not file.is_ome or not any(one.is_multifile for one in series):
        return series, ()
    stated = _stated(file.ome_metadata or "")
    parents = {id(p.parent): p.parent for s in series for p in s.pages if p is not None}
    strange: dict[int, str] = {}
    for number, parent in parents.items():
        meant, own = stated.get(parent.filename.lower()), _own(parent)
        if parent is not file and meant and own and own != meant:
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


def _stated(text: str) -> dict[str, str]:
    """Return the identifier of each file by its name in lower case, as a description states it."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return {}
    found = (e for e in root.iter() if e.tag.rpartition("}")[2] == "UUID" and e.text)
    return {e.get("FileName", "").lower(): _plain(e.text or "") for e in found}


def _own(file: tifffile.TiffFile) -> str:
    """Return the identifier of a file by its own description; empty if it states none."""
    try:
        return _plain(ElementTree.fromstring(file.ome_metadata or "").get("UUID", ""))
    except ElementTree.ParseError:
        return ""


def _plain(uuid: str) -> str:
    return uuid.strip().lower().removeprefix("urn:uuid:")
