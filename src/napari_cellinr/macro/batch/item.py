"""Replays a recipe with one image of a batch, and returns the row of the summary."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari_cellinr.errors import CellINRError
from napari_cellinr.macro.batch.items import Item, Row
from napari_cellinr.macro.replay.run import iter_replay

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from pathlib import Path

    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.macro.batch.items import State
    from napari_cellinr.macro.steps import Macro

__all__ = ["replay_with", "row_of"]


def replay_with(
    macro: Macro, item: Item, folder: Path, name: str, protected: Sequence[Path] = ()
) -> Generator[Progress, Message, Row]:
    """Do the steps of a recipe with one image as a job, and return its row.

    Parameters
    ----------
    macro
        The recipe.
    item
        The image.
    folder
        Folder for its results; those of an earlier batch are replaced.
    name
        What the image is called in the names of its results.
    protected
        The inputs of the whole batch, which must not be written.
    """
    started = time.monotonic()
    try:
        written = yield from iter_replay(
            macro,
            source=item.path,
            output=folder,
            series=item.series,
            time=item.time,
            name=name,
            overwrite=True,
            protected=protected,
        )
    except (CellINRError, OSError, MemoryError) as error:
        text = str(error) or type(error).__name__
        return row_of(item, "failed", time.monotonic() - started, text)
    except Exception as error:  # any error is reported in the row; other images are not affected
        text = f"{type(error).__name__}: {error}"
        return row_of(item, "failed", time.monotonic() - started, text)
    return row_of(item, "done", time.monotonic() - started, written=written)


def row_of(
    item: Item,
    state: State,
    seconds: float = 0.0,
    error: str = "",
    written: Iterable[str | Path] = (),
) -> Row:
    """Return the row of an image.

    Parameters
    ----------
    item
        The image.
    state, seconds, error, written
        As in `Row`.
    """
    names = tuple(map(str, written))
    return Row(str(item.path), state, seconds, error, names, item.series, item.time)
