"""TIFF by tifffile of which only some images are described: each keeps what is said about it."""

from __future__ import annotations

import json
import math
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import tifffile

from napari_cellinr.io.tiff.unassigned import PLAIN, series_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.io.tiff.data import OpenTiff

__all__ = ["description_of", "partly_described"]


def description_of(page: Any) -> dict[str, Any]:
    """Return what tifffile wrote about the image that begins with a page; empty if nothing.

    Parameters
    ----------
    page
        The first page of a series.
    """
    try:
        found = json.loads(page.shaped_description or "")
    except ValueError:  # none, or the old one without names
        return {}
    return found if isinstance(found, dict) else {}


def partly_described(
    opened: OpenTiff, series: list[tifffile.TiffPageSeries]
) -> tuple[list[tifffile.TiffPageSeries], tuple[str, ...]]:
    """Return described images by their description, and the other pages as they are.

    tifffile ignores all descriptions if the file has pages without one.

    Parameters
    ----------
    opened
        The file.
    series
        What tifffile made of it.

    Returns
    -------
    series
        The images; `series` if a description does not fit its pages.
    warnings
        A sentence if descriptions are lost.
    """
    if not opened.file.is_shaped or any(one.kind not in PLAIN for one in series):
        return series, ()
    pages: list[Any] = [page.aspage() for page in opened.file.pages]
    found, start = [], 0
    while start < len(pages):
        made = _described(pages[start:]) or _plain(pages[start:])
        if made is None:
            return series, (
                f"only some of the images in {opened.path} are described; their axes and voxel "
                "sizes are lost, and its pages are read as they are.",
            )
        found.append(made)
        start += len(made.pages)
    return found, ()


def _described(pages: Sequence[Any]) -> tifffile.TiffPageSeries | None:
    """Return the image that begins with the first page; None if its description does not fit."""
    first, about = pages[0], description_of(pages[0])
    shape, axes = about.get("shape"), about.get("axes")
    if not isinstance(shape, list) or not all(isinstance(n, int) and n > 0 for n in shape):
        return None
    n_leading = len(shape) - len(first.shape)
    if n_leading < 0 or tuple(shape[n_leading:]) != first.shape or first.subifds:
        return None
    n_pages = math.prod(shape[:n_leading])
    if n_pages != len(_alike(pages[:n_pages])):
        return None
    fits = isinstance(axes, str) and len(axes) == len(shape)
    return tifffile.TiffPageSeries(
        pages[:n_pages],
        shape,
        first.dtype,
        str(axes) if fits else "Q" * n_leading + first.axes,
        name=str(about.get("name", "")),
        kind="shaped",
        squeeze=False,
    )


def _plain(pages: Sequence[Any]) -> tifffile.TiffPageSeries | None:
    """Return the pages up to the next that is described or of another kind, in no order."""
    first = pages[0]
    if first.shaped_description or first.subifds:
        return None
    alike = _alike(pages)
    return series_from(alike, {"I": len(alike)}, "generic")


def _alike(pages: Sequence[Any]) -> list[Any]:
    """Return the first page, and those after it that are of its kind and not described."""
    first, *others = pages
    same = takewhile(lambda page: page.hash == first.hash and not page.shaped_description, others)
    return [first, *same]
