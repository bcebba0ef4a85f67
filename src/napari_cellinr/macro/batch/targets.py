"""Where the results of each image of a batch go: no two images write the same file."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellinr.errors import FileError
from napari_cellinr.io.names import stem_of
from napari_cellinr.macro.batch.items import SUMMARY
from napari_cellinr.macro.batch.marks import Mark, free_place, owner_of, read_marks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_cellinr.macro.batch.items import Item
    from napari_cellinr.macro.batch.marks import Owner
    from napari_cellinr.macro.steps import Macro

__all__ = ["Target", "targets_of"]


@dataclass(frozen=True)
class Target:
    """Where the results of one image go.

    Parameters
    ----------
    folder
        Folder for its results.
    name
        What the image is called in the names of its results.
    place
        File of its mark.
    mark
        Mark of an earlier batch, or a new one.
    replaces_others
        Whether files that no batch has written may be replaced, too; inputs never are.
    """

    folder: Path
    name: str
    place: Path
    mark: Mark
    replaces_others: bool = False


def _stem(path: Path) -> str:
    """Return the name without its extension; points before that belong to the name."""
    try:
        return stem_of(path)
    except FileError:  # a folder, or a file that cannot be read
        return path.name.split(".")[0] or path.name


def targets_of(
    macro: Macro, items: Sequence[Item], output: Path, *, replaces_others: bool = False
) -> list[Target]:
    """Return where the results of each image go.

    An image that an earlier batch has processed keeps its name, and no other image gets it, also
    if it is not part of this batch.

    Parameters
    ----------
    macro
        The steps; if they save files, each image has a folder of its own.
    items
        The images.
    output
        Folder of all results.
    replaces_others
        As for `Target`.
    """
    marks = read_marks(output)
    earlier = _results_in(output / SUMMARY)
    names = _Names(marks, has_several_results=not macro.saved and len(macro.repeatable) > 1)
    found = []
    for item in items:
        name, owner = names.of(item), owner_of(item)
        kept = [one for one in marks.items() if one[1].owner == owner and one[1].name == name]
        new = Mark("", name, *owner, files=earlier.get(owner, ()))
        place, mark = kept[-1] if kept else (free_place(output, name), new)
        folder = output / name if macro.saved else output
        found.append(Target(folder, name, place, mark, replaces_others))
    return found


class _Names:
    """Gives each image a name for its results.

    Parameters
    ----------
    marks
        The marks of earlier batches.
    has_several_results
        Whether each image has several results in one folder. Their names begin with that of the
        image and a space, so that an image `a` could write a result of an image `a denoised`.
    """

    def __init__(self, marks: dict[Path, Mark], has_several_results: bool) -> None:
        self._several = has_several_results
        self._known: dict[Owner, list[str]] = {}
        self._owners: dict[str, Owner] = {}
        for mark in marks.values():
            self._known.setdefault(mark.owner, []).append(mark.name)
            self._owners[mark.name.lower()] = mark.owner
        self._taken: set[str] = set()
        self._beginnings: set[str] = set()

    def of(self, item: Item) -> str:
        """Return a name that no other image has; A and a are the same on some file systems."""
        owner = owner_of(item)
        name = next(one for one in self._candidates(item, owner) if self._is_free(one, owner))
        self._taken.add(name.lower())
        self._beginnings.update(_beginnings(name.lower()))
        return name

    def _candidates(self, item: Item, owner: Owner) -> Iterator[str]:
        yield from self._known.get(owner, ())
        stem = _stem(item.path) + item.part
        yield stem
        for number in count(2):
            yield f"{stem}-{number}"
            yield f"{number}-{stem}"

    def _is_free(self, name: str, owner: Owner) -> bool:
        key = name.lower()
        if key in self._taken or self._owners.get(key, owner) != owner:
            return False
        is_beginning = key in self._beginnings or not self._taken.isdisjoint(_beginnings(key))
        return not (self._several and is_beginning)


def _beginnings(name: str) -> set[str]:
    """Return what stands before each space of a name."""
    return {name[:place] for place, letter in enumerate(name) if letter == " "}


def _results_in(summary: Path) -> dict[Owner, tuple[str, ...]]:
    """Return the results of each image in the summary of an earlier batch.

    They tell what a batch has written if a mark is damaged.
    """
    try:
        with summary.open(newline="", encoding="utf-8") as file:
            return dict(_result_of(row) for row in csv.DictReader(file))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error):
        return {}


def _result_of(row: dict[str, str]) -> tuple[Owner, tuple[str, ...]]:
    series, time = (int(row[part]) if row[part] else None for part in ("series", "time"))
    results = tuple(one for one in row["results"].split(";") if one)
    return (str(Path(row["file"]).absolute()), series, time), results
