"""Inputs that would change if a result was written somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.io.safety.atomic import is_zarr

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["input_at"]


def input_at(place: Path, inputs: Iterable[Path]) -> Path | None:
    """Return the input that would change if a file was written; None if none would.

    Parameters
    ----------
    place
        The file to write; links are followed.
    inputs
        Files, and folders such as OME-Zarr.
    """
    target = place.resolve()
    return next((path for path in inputs if _would_change(path.resolve(), target)), None)


def _would_change(path: Path, target: Path) -> bool:
    if target == path or (target.exists() and path.exists() and target.samefile(path)):
        return True
    is_inside = path.is_dir() and is_zarr(path) and target.is_relative_to(path)
    return is_inside or path.is_relative_to(target)
