"""What goes wrong while a file is read, as errors that say what to do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_cellinr.errors import CellINRError, FileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["explained_reading"]


@contextmanager
def explained_reading(path: Path | str, damage: Callable[[Exception], str]) -> Iterator[None]:
    """Turn what libraries raise while a file is read into errors that say what to do.

    Parameters
    ----------
    path
        The file.
    damage
        Returns the message for an error of a library, which may be of any kind.

    Raises
    ------
    FileError
        If the file cannot be read, does not fit into memory, or is damaged; errors of this
        package are raised as they are.
    """
    try:
        yield
    except CellINRError:
        raise
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error
    except MemoryError as error:
        raise FileError(
            f"{path} does not fit into memory; save a part of it as a separate file, and give that."
        ) from error
    except Exception as error:
        raise FileError(damage(error)) from error
