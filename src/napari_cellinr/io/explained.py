"""A lazy array whose own errors are told apart from those of the file that it is written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = ["with_own_errors"]


def with_own_errors(image: Image) -> Image:
    """Return an image whose lazy values raise `FileError` where they cannot be read.

    Otherwise, an error of the file system that its source raises while it is written would be taken
    for one of the place that it is written to.

    Parameters
    ----------
    image
        Any image; one in memory is returned as it is.
    """
    if isinstance(image.data, np.ndarray):
        return image
    return image.like(_Explained(image.data, image.name))


class _Explained:
    """A lazy array of an image with a name."""

    def __init__(self, source: Any, name: str) -> None:
        self._source, self._name = source, name
        self.shape, self.dtype = tuple(source.shape), np.dtype(source.dtype)
        self.ndim = len(self.shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return self._read(lambda: self._source[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self._read(lambda: self._source), dtype)

    def transpose(self, *axes: Any) -> _Explained:
        """Return the array with its axes in another order, not read yet."""
        return _Explained(self._source.transpose(*axes), self._name)

    def _read(self, part: Callable[[], Any]) -> NDArray[Any]:
        try:
            return np.asarray(part())
        except OSError as error:
            raise FileError(
                f"the values of {self._name!r} cannot be read: {error.strerror or error}. Nothing "
                "is wrong with the place of the result, which was not written."
            ) from error
