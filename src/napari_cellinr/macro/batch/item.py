"""The steps of a recipe with one image of a batch, and the row that comes out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import CellINRError
from napari_cellinr.macro.batch.items import Item, Row
from napari_cellinr.macro.replay.run import iter_replay

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.macro.steps import Macro

__all__ = ["done_with", "row_of"]


def done_with(
    macro: Macro, item: Item, folder: Path, name: str, protected: Sequence[Path] = ()
) -> Generator[Progress, Message, Row]:
    """Do the steps with one image, and return how it went.

    Parameters
    ----------
    folder, name
        Folder of its results, and what the image is called in their names.
    protected
        The inputs of the whole batch, which must not be written. Results of an earlier batch are
        replaced.
    """
    begun = time.monotonic()
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
        return row_of(item, "failed", time.monotonic() - begun, text)
    except Exception as error:  # whatever it is, it is told, and the others go on
        text = f"{type(error).__name__}: {error}"
        return row_of(item, "failed", time.monotonic() - begun, text)
    return row_of(item, "done", time.monotonic() - begun, written=written)


def row_of(item: Item, state: Any, seconds: float = 0.0, error: str = "", written: Any = ()) -> Row:
    """Return the row of an image."""
    names = tuple(map(str, written))
    return Row(str(item.path), state, seconds, error, names, item.series, item.time)
