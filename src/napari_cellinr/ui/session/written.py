"""Which files a viewer may write: its own, new ones, others if that is said; never its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.errors import FileError
from napari_cellinr.io.names import place_of
from napari_cellinr.macro.plan import files_of_source, input_at
from napari_cellinr.ui.session.actions import read_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike
    from pathlib import Path

    import napari

__all__ = ["Written", "opened_files"]


class Written:
    """The files that one viewer has written, which it may replace without being told so.

    Parameters
    ----------
    viewer
        The viewer.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._own: set[Path] = set()

    def add(self, paths: Iterable[str | PathLike[str]]) -> None:
        """Note files that were written."""
        self._own.update(place_of(path).resolve() for path in paths)

    def is_own(self, path: str | PathLike[str]) -> bool:
        """Return whether a file was written in this viewer, or a replay may replace it."""
        return place_of(path).resolve() in self._own

    def allow(self, paths: Sequence[str | PathLike[str]], *, overwrite: bool) -> None:
        """Check that each of some files may be written; later checks of them allow it, too.

        Parameters
        ----------
        paths, overwrite
            As for `check`.

        Raises
        ------
        FileError
            As for `check`.
        """
        for path in paths:
            self.check(path, overwrite=overwrite)
        self.add(paths)

    def check(self, path: str | PathLike[str], *, overwrite: bool) -> None:
        """Check that a file may be written.

        Parameters
        ----------
        path
            The file.
        overwrite
            Whether an existing file may be replaced that this viewer has not written.

        Raises
        ------
        FileError
            If a layer was opened from it, or if it exists and must not be replaced.
        """
        place = place_of(path)
        if (found := input_at(place, opened_files(self._viewer))) is not None:
            raise FileError(
                f"{path} would overwrite {found}, from which a layer was opened; choose another "
                "name."
            )
        if place.exists() and not overwrite and not self.is_own(place):
            raise FileError(
                f"{path} exists; choose another name, or give overwrite=True to replace it."
            )


def opened_files(viewer: napari.Viewer) -> list[Path]:
    """Return the files and Zarr folders that the layers of a viewer were opened from."""
    return [place_of(one) for layer in viewer.layers for one in files_of_source(read_from(layer))]
