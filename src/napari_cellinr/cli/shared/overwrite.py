"""Which files a command may write: never one of its inputs, an existing one with `--overwrite`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import FileError
from napari_cellinr.io.names import place_of

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable
    from os import PathLike
    from pathlib import Path

__all__ = ["add_overwrite", "check_overwrite", "unfinished_run"]


def add_overwrite(parser: Any) -> None:
    """Declare the option `--overwrite` of a command, or of a group of its options."""
    parser.add_argument(
        "--overwrite", action="store_true", help="replace existing files; never the inputs"
    )


def check_overwrite(
    options: Namespace,
    outputs: Iterable[str | PathLike[str] | None],
    inputs: Iterable[str | None] = (),
) -> None:
    """Check that writing the outputs of a command replaces nothing that must be kept.

    Parameters
    ----------
    options
        The parsed command line, with `overwrite`.
    outputs
        Files and Zarr folders that the command is going to write; None for those not requested.
    inputs
        Files, folders and patterns that the command reads; None for those not given.

    Raises
    ------
    FileError
        If an output is an input, also by another name of it (a link), or lies inside an OME-Zarr
        that is read; if two outputs are the same file; or if one exists and `--overwrite` was
        not given.
    """
    from napari_cellinr.macro.plan import files_at, input_at

    read = [file for name in inputs if name is not None for file in files_at(name)]
    taken: list[Path] = []
    for name in outputs:
        if name is None:
            continue
        place = place_of(name)
        if (found := input_at(place, read)) is not None:
            raise FileError(f"{name} would overwrite the input {found}; choose another name.")
        if input_at(place, taken) is not None:
            raise FileError(f"{name} was given twice; give each file its own name.")
        if place.exists() and not options.overwrite:
            raise FileError(
                f"{name} exists; {unfinished_run(place)}choose another name, or give --overwrite "
                "to replace it."
            )
        taken.append(place)


def unfinished_run(place: Path) -> str:
    """Return how an unfinished run in parts goes on; an empty text if there is none.

    Parameters
    ----------
    place
        Of its result.
    """
    from napari_cellinr.runs.scale.plan import notes_folder
    from napari_cellinr.runs.scale.state import PLAN_FILE

    folder = notes_folder(place)
    if not (folder / PLAN_FILE).is_file():
        return ""
    return (
        f"it is the result of a run in parts that is not finished: to go on with the settings of "
        f"that run, give --resume {folder}; otherwise "
    )
