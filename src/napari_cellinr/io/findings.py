"""What readers find wrong with a file that can be read all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import FileWarning, warn

if TYPE_CHECKING:
    from napari_cellinr.image import Image

__all__ = [
    "FIRST",
    "WARNINGS",
    "first_of_several",
    "is_first_of_several",
    "told",
    "warnings_of",
    "with_warnings",
]

FIRST = "first_of_several"
"""Key in `Image.meta` of an image whose file has others, which were not read."""

WARNINGS = "warnings"
"""Key in `Image.meta` of sentences about the file; reports of fits repeat them."""


def warnings_of(image: Image) -> tuple[str, ...]:
    """Return the sentences about the file of an image."""
    found: Any = image.meta.get(WARNINGS, ())
    return tuple(map(str, found)) if isinstance(found, tuple | list) else ()


def with_warnings(image: Image, texts: tuple[str, ...]) -> Image:
    """Return the image with more sentences about its file.

    Parameters
    ----------
    image
        Any image.
    texts
        Sentences, each without a line break.
    """
    if not texts:
        return image
    found = tuple(dict.fromkeys((*warnings_of(image), *texts)))
    return image.like(image.data, meta={**image.meta, WARNINGS: found})


def told(image: Image) -> Image:
    """Return the image after showing the sentences about its file as `FileWarning`."""
    for text in warnings_of(image):
        warn(text, FileWarning)
    return image


def first_of_several(image: Image) -> Image:
    """Return an image with a mark that it is the first of several in its file.

    Parameters
    ----------
    image
        The image.
    """
    return image.like(image.data, meta={**image.meta, FIRST: True})


def is_first_of_several(image: Image) -> bool:
    """Return whether `read` left out other images of the file."""
    return bool(image.meta.get(FIRST, False))
