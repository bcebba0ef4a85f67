"""What a macro is going to do: its steps, and the files that it reads and writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from napari_cellinr.errors import FileError
from napari_cellinr.io.names import place_of
from napari_cellinr.io.safety.atomic import is_zarr
from napari_cellinr.io.safety.inputs import input_at
from napari_cellinr.io.series import sequences
from napari_cellinr.macro.actions import to_console
from napari_cellinr.macro.naming import SAMPLE
from napari_cellinr.macro.paths import has_drive
from napari_cellinr.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    from napari_cellinr.macro.source import Source
    from napari_cellinr.macro.steps import Macro

__all__ = [
    "Rules",
    "files_at",
    "files_of_source",
    "input_at",
    "input_files",
    "place_of_output",
    "plan_lines",
    "saved_files",
]


@dataclass(frozen=True)
class Rules:
    """Where a macro may write.

    Parameters
    ----------
    folder
        Folder that it writes into; the current folder if not given.
    inputs
        Files and folders that it reads, which are never written.
    allow_outside
        Whether it may write outside the folder.
    overwrite
        Whether it may replace existing files.
    own
        Existing files that it may replace in any case: results of an earlier batch.
    """

    folder: Path = field(default_factory=Path)
    inputs: tuple[Path, ...] = ()
    allow_outside: bool = False
    overwrite: bool = False
    own: tuple[Path, ...] = ()

    def check(self, place: Path) -> None:
        """Check that a file may be written.

        Raises
        ------
        FileError
            If it is an input, lies outside the folder, or exists.
        """
        target, folder = place.resolve(), self.folder.resolve()
        if (found := input_at(place, self.inputs)) is not None:
            raise FileError(
                f"the macro would write {place}, which is its input {found}; a macro never "
                "writes its inputs. Choose another folder (--folder)."
            )
        if not self.allow_outside and not target.is_relative_to(folder):
            raise FileError(
                f"the macro would write {place}, outside of the folder {folder}. Choose the "
                "folder with --folder, where its files get the names that the macro gives them, "
                "or allow this with --allow-outside if you trust the macro."
            )
        if not self._may_replace(target) and target.exists():
            raise FileError(
                f"the macro would replace {place}, which exists. Move it, choose another folder "
                "(--folder), or allow this with --overwrite."
            )

    def is_taken(self, place: Path) -> bool:
        """Return whether a file exists that must not be replaced."""
        exists = place.exists() and not self._may_replace(place.resolve())
        return exists or input_at(place, self.inputs) is not None

    def _may_replace(self, target: Path) -> bool:
        return self.overwrite or any(target == path.resolve() for path in self.own)


def place_of_output(path: Path, output: Path | None) -> Path:
    """Return where a file that a macro saves is written.

    Parameters
    ----------
    path
        The file, as the macro names it.
    output
        Folder for all files, which keep their names; None to write where the macro says.

    Raises
    ------
    FileError
        If the path is one of Windows with a drive or a server, which this system does not have.
    """
    name = path.name
    if has_drive(path):  # or a folder would be made that is called like the drive
        if output is None:
            raise FileError(
                f"the macro would write {path}, a path of Windows, on another system. Choose the "
                "folder with --folder, where its files get the names that the macro gives them."
            )
        name = PureWindowsPath(str(path)).name or name
    return place_of(path) if output is None else output / name


def saved_files(macro: Macro, output: str | PathLike[str] | None = None) -> tuple[Path, ...]:
    """Return the files that the steps of a macro save, each once.

    Parameters
    ----------
    macro
        The steps.
    output
        Folder for all of them; if not given, the paths of the macro.

    Raises
    ------
    FileError
        If two files would have the same name in that folder, two layers are saved in one file, or
        `place_of_output` refuses a path.
    """
    folder = None if output is None else place_of(output)
    layers: dict[Path, str] = {}
    places: dict[Path, Path] = {}
    for layer, path in macro.saved:
        meant = place_of(path).resolve()  # one file may be written as b.tif and ./b.tif
        if layers.setdefault(meant, layer) != layer:
            raise FileError(
                f"the macro saves {layers[meant]!r} and {layer!r} in the same file {path}, where "
                "only the second would remain; change one of the names in the macro."
            )
        places.setdefault(meant, place_of_output(Path(path), folder))
    if len(set(places.values())) < len(places):  # only with a folder for all of them
        raise FileError(
            f"the macro saves files of the same name in several folders; in {output} they would "
            "replace each other. Change the names in the macro."
        )
    return tuple(places.values())


def input_files(macro: Macro, others: Iterable[str | PathLike[str]] = ()) -> tuple[Path, ...]:
    """Return the files and Zarr folders that a macro reads, with each file of a series.

    Parameters
    ----------
    macro
        The steps.
    others
        Other files that it reads, such as the one in place of its own input.
    """
    found: list[Path] = []
    for step in macro.repeatable:
        for source in step.sources:
            found += files_of_source(source)
    for other in others:
        found += files_at(other)
    return tuple(dict.fromkeys(map(place_of, found)))


def files_of_source(source: Source) -> list[Path]:
    """Return the files and Zarr folders that a source is read from; none for a sample image."""
    if not source.path or source.path.startswith(SAMPLE):
        return []
    return [Path(source.path) / name for name in source.files] or files_at(source.path)


def plan_lines(
    macro: Macro, writes: Sequence[Path], folder: str | PathLike[str] | None
) -> list[str]:
    """Return what a macro is going to do, one line for each step and each file that it writes.

    Parameters
    ----------
    macro
        The steps.
    writes
        The files that it saves.
    folder
        Folder for the results of a macro that saves no files; None if they are not written.
    """
    found = [f"step {n}: {to_console(step).text}" for n, step in enumerate(macro.repeatable, 1)]
    for place in writes:
        found.append(f"writes {place}{' (replaces the existing file)' if place.exists() else ''}")
    if not writes and folder is not None:
        found.append(f"writes its results into the folder {place_of(folder).resolve()}")
    return [one_line(text) for text in found]


def files_at(path: str | PathLike[str]) -> list[Path]:
    """Return the files that a path stands for: those of a pattern or a folder, or itself."""
    place = place_of(path)
    if sequences.is_pattern(place):
        try:
            return sequences.matching_files(place)
        except FileError:
            return []
    if place.is_dir() and not is_zarr(place):
        return list(place.iterdir())
    return [place]
