"""Movies of a series of images beside each other, as MP4 or GIF, with imageio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.errors import ConfigError
from napari_cellinr.io.safety.atomic import replacing
from napari_cellinr.macro.figures.figure import Drawing, checked_place, needed_library
from napari_cellinr.macro.figures.planes import layout_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from napari_cellinr.image import Image

__all__ = ["MOVIE_SUFFIXES", "write_movie"]

MOVIE_SUFFIXES: Final = (".mp4", ".gif")
"""Suffixes of movies."""


def write_movie(
    path: str | PathLike[str],
    *images: Image,
    along: str = "T",
    rate: float = 10.0,
    at: Mapping[str, int] | None = None,
    crop: Mapping[str, Sequence[int]] | None = None,
    limits: Sequence[Sequence[float]] | None = None,
    colormaps: Sequence[str] | None = None,
    difference: bool = False,
    dpi: float = 100,
) -> None:
    """Save a movie of a series, with scale bar, time stamp and colour bars.

    Parameters
    ----------
    path
        The file, with the suffix `.mp4` or `.gif`.
    *images
        As for `write_figure`.
    along
        Axis of the first image along which the movie runs, such as `T` or `Z`.
    rate
        Frames per second.
    at, crop, limits, colormaps, difference, dpi
        As for `write_figure`. Contrast limits are the same in all frames.

    Raises
    ------
    AxesError, ConfigError
        If images or options are not allowed.
    FileError
        If the file cannot be written, or matplotlib, imageio or ffmpeg are not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import Image, write_movie
    >>> movie = Image(np.random.default_rng(0).random((3, 8, 8)), axes="TYX", name="cells")
    >>> write_movie("cells.gif", movie, rate=5)
    """
    place = checked_place(path, MOVIE_SUFFIXES)
    layout = layout_of(images, limits, colormaps, difference, crop)
    axis, first = along.upper(), images[0]
    if axis in "YX" or first.sizes.get(axis, 1) < 2:
        raise ConfigError(
            f"along={along!r} was given; an axis with two or more frames is needed, and the first "
            f"image has axes {first.axes}."
        )
    if not 0 < rate <= 100:
        raise ConfigError(f"rate={rate!r} was given; 0 to 100 frames per second are allowed.")
    drawing = Drawing(layout, {**(at or {}), axis: 0}, dpi)
    with replacing(place, place.suffix) as temporary, _writer(temporary, rate) as movie:
        for index in range(first.sizes[axis]):
            drawing.show({**(at or {}), axis: index})
            movie.append_data(_even(drawing.pixels()))


def _writer(path: Any, rate: float) -> Any:
    with needed_library("imageio (with ffmpeg for MP4)"):
        from imageio.v2 import get_writer

        if path.suffix.lower() == ".gif":
            return get_writer(path, mode="I", duration=1000 / rate, loop=0)
        return get_writer(path, format="FFMPEG", fps=rate, macro_block_size=2)


def _even(pixels: Any) -> Any:
    """Return pixels with even numbers of rows and columns, which the codec of MP4 needs."""
    odd = [(0, size % 2) for size in pixels.shape[:2]]
    return np.pad(pixels, [*odd, (0, 0)], mode="edge")
