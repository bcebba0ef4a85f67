"""Files of a multi-file OME-TIFF that bear each other's names, or those of another recording."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import tifffile

from napari_cellinr.io.tiff.ome_xml import named, root_of
from napari_cellinr.text import n_of, shortened_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from napari_cellinr.io.tiff.data import OpenTiff

__all__ = ["Identity", "identified", "images_elsewhere", "named_files", "without_other_files"]


@dataclass(frozen=True)
class Identity:
    """Which of the files that an OME description names a file is.

    Parameters
    ----------
    meant
        The identifier that each other file must have, by its name in lower case, if they are to be
        believed.
    known
        Whether the description says which planes the file holds.
    doubts
        A sentence about identifiers that are not believed.
    absent
        The names of other files of the recording that are not in the folder.
    """

    meant: Mapping[str, str] = field(default_factory=dict)
    known: bool = True
    doubts: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


def identified(opened: OpenTiff) -> Identity:
    """Make the description of a multi-file OME-TIFF say which planes this file holds.

    tifffile knows the planes of this file by its identifier (UUID), and takes any file with the
    same one, or with none, for this file. Where identifiers do not tell the files apart, names do.
    A file under a name that is not stated is a copy or renamed: its identifier says which one it
    is, or it is the only one that is named.

    Parameters
    ----------
    opened
        The file; its description is changed in memory.
    """
    file = opened.file
    root = root_of(file.ome_metadata if file.is_ome else None)
    elements = named(root, "UUID")
    stated = [(e.get("FileName", "").lower(), _plain(e.text or "")) for e in elements]
    own, name = _plain(root.get("UUID", "")), opened.path.name.lower()
    names = {other for other, _ in stated}
    if not any(names):
        return Identity()
    distinct = len({*stated}) == len({u for _, u in stated}) and all(u for _, u in stated)
    by_uuid = next((other for other, uuid in stated if uuid == own), "") if own and distinct else ""
    if by_uuid == name and not _shared(opened, names - {name}, own):
        return Identity(dict(stated), absent=_absent(opened, elements, name))
    trusted = by_uuid not in {"", name} and (
        name not in names or not _shared(opened, {by_uuid}, own)
    )
    original = by_uuid if trusted else name
    if original not in names and len(names) == 1:
        (original,) = names
    root.set("UUID", "this file")
    for element, (other, _) in zip(elements, stated, strict=True):
        element.text = "this file" if other == original else f"file {other}"
    file.pages.first.description = ElementTree.tostring(root, encoding="unicode")
    known = original in names
    doubted = known and not trusted and len(names) > 1 and bool(own or not distinct)
    return Identity(
        dict(stated) if trusted else {},
        known,
        (_DOUBT.format(opened.path),) if doubted else (),
        _absent(opened, elements, original) if known else (),
    )


_DOUBT = (
    "the identifiers (UUID) in the OME description of {} do not tell its files apart, or are not "
    "those that the files have; the planes were found by the names of the files."
)


def _absent(opened: OpenTiff, elements: Iterable[ElementTree.Element], own: str) -> tuple[str, ...]:
    """Return the names of files that are not there; `own` is that of this file in lower case."""
    names = dict.fromkeys(element.get("FileName", "") for element in elements)
    others = (name for name in names if name and name.lower() != own)
    return tuple(name for name in others if not opened.path.with_name(name).is_file())


def _shared(opened: OpenTiff, names: Collection[str], uuid: str) -> bool:
    """Return whether all files there of some names, in lower case, state the identifier `uuid`.

    A single one among several is a copy of this file under a wrong name.
    """
    if not names:
        return False
    files = [file for file in opened.path.parent.iterdir() if file.name.lower() in names]
    found = [file for file in files if file.is_file()]
    return bool(found) and all(_stated_by(file) == uuid for file in found)


def _stated_by(path: Path) -> str:
    """Return the identifier that a file states as its own; empty if it states none."""
    try:
        with tifffile.TiffFile(path) as file:
            return _own(file)
    except (OSError, ValueError):  # no TIFF, or damaged
        return ""


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


def images_elsewhere(opened: OpenTiff, absent: Collection[str]) -> tuple[str, ...]:
    """Return a sentence about images all of whose files are absent; tifffile leaves them out.

    Parameters
    ----------
    opened
        A file with a description that can be read.
    absent
        The names of the files that are not there.
    """
    if not absent:
        return ()
    images = named(root_of(opened.file.ome_metadata), "Image")
    lost = [
        repr(image.get("Name") or place)
        for place, image in enumerate(images)
        if (files := _files_in(image)) and files <= {*absent}
    ]
    if not lost:
        return ()
    whose = "its" if len(lost) == 1 else "their"
    are = "file is" if len(absent) == 1 else "files are"
    return (
        f"{opened.path} belongs to a recording of {n_of(len(images), 'image')}, of which "
        f"{len(lost)} ({shortened_text(', '.join(lost))}) cannot be read: {whose} {are} not in the "
        f"folder ({shortened_text(', '.join(absent))}). Add what is missing, under the original "
        "name.",
    )


def _files_in(element: ElementTree.Element) -> set[str]:
    """Return the names of all files that a part of an OME description states."""
    return {part.get("FileName", "") for part in named(element, "UUID")}


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
        root = root_of(file.ome_metadata if file.is_ome else None)
    return sorted(name for name in _files_in(root) if name and "/" not in name and "\\" not in name)


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
    return _plain(root_of(file.ome_metadata).get("UUID", ""))


def _plain(uuid: str) -> str:
    return uuid.strip().lower().removeprefix("urn:uuid:")
