"""OME-TIFF whose description does not say which pages of the file its planes are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import tifffile

if TYPE_CHECKING:
    from napari_cellinr.io.tiff.data import OpenTiff

__all__ = ["PLAIN", "as_pages", "fitted", "not_assigned"]

PLAIN = ("generic", "uniform")
"""What tifffile calls series of pages that it puts into no order."""


def not_assigned(series: list[tifffile.TiffPageSeries]) -> bool:
    """Return whether no page is assigned to a plane, or one page to several planes.

    Parameters
    ----------
    series
        What tifffile made of an OME-TIFF.
    """
    if all(one.kind in PLAIN for one in series):
        return True
    for one in series:
        if one.kind == "ome" and one.dataoffset is None:
            pages = [(id(page.parent), page.index) for page in one.pages if page is not None]
            if len({*pages}) < len(pages):
                return True
    return False


def as_pages(
    opened: OpenTiff, series: list[tifffile.TiffPageSeries], *, known: bool
) -> tuple[list[tifffile.TiffPageSeries], tuple[str, ...]]:
    """Return the pages of the file, in the order of the description if it assigns none.

    Parameters
    ----------
    opened
        The file.
    series
        What tifffile made of it.
    known
        Whether the description names this file among those of the recording.

    Returns
    -------
    series
        The pages as one series, or what tifffile made of them.
    warnings
        A sentence that says what is wrong with the description.
    """
    path, file = opened.path, opened.file
    try:
        root = ElementTree.fromstring(file.ome_metadata or "")
    except ElementTree.ParseError as error:
        return series, (
            f"the OME description of {path} is damaged ({error}); the voxel size, axes and "
            "channels that it states are lost.",
        )
    for other in _named(root, "BinaryOnly"):
        return series, (
            f"axes, voxel size and channels of {path} are in {other.get('MetadataFile')}; open "
            "that file to read the whole recording with them.",
        )
    pages: list[Any] = [page.aspage() for page in file.pages]
    pixels, assigned = _named(root, "Pixels"), _named(root, "TiffData")
    if len(pixels) == 1 and len({page.hash for page in pages}) == 1:
        if known and not assigned:
            return _in_order(opened, pages, pixels[0])
        series = [_series(pages, {"I": len(pages)} if len(pages) > 1 else {}, "generic")]
    if not known:
        what = "states neither its name nor its identifier (UUID), and so not which planes it has"
    elif assigned:
        what = "assigns none of its pages to a plane, or one page to several planes"
    else:
        what = "assigns none of its pages to a plane"
    return series, (f"the OME description of {path} {what}; its pages are read as they are.",)


def _in_order(
    opened: OpenTiff, pages: list[Any], pixels: ElementTree.Element
) -> tuple[list[tifffile.TiffPageSeries], tuple[str, ...]]:
    """Return pages in the order of the dimensions, and a sentence if there are more or fewer."""
    axes = pixels.get("DimensionOrder", "XYZCT")[:1:-1]
    sizes = tuple(int(pixels.get(f"Size{axis}", "1")) for axis in axes)
    n_pages, announced = len(pages), math.prod(sizes)
    found = fitted(axes, sizes, n_pages)
    n_used = math.prod(found.values())
    series = [_series(pages[:n_used], found, "ome")]
    if announced == n_pages:
        return series, ()
    order = " x ".join(f"{axis} {size}" for axis, size in found.items() if size > 1) or "one plane"
    left = "" if n_used == n_pages else f" The last {n_pages - n_used}, not complete, are left out."
    return series, (
        f"the OME description of {opened.path} announces {announced} planes, but the file has "
        f"{n_pages}; read is {order}.{left}",
    )


def _series(pages: list[Any], sizes: dict[str, int], kind: str) -> tifffile.TiffPageSeries:
    first = pages[0]
    shape, axes = (*sizes.values(), *first.shape), "".join(sizes) + first.axes
    return tifffile.TiffPageSeries(pages, shape, first.dtype, axes, kind=kind, truncated=False)


def _named(root: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if element.tag.rpartition("}")[2] == tag]


def fitted(axes: str, sizes: tuple[int, ...], n_pages: int) -> dict[str, int]:
    """Return sizes by axis that pages can fill, the fastest axis last.

    The slowest axis is shortened or made longer, because a recording that was stopped, or went
    on, differs in it. What does not fit at all is an axis `I` of unknown meaning.

    Parameters
    ----------
    axes
        The axes, the slowest first.
    sizes
        Their announced sizes.
    n_pages
        Number of planes.
    """
    stated = dict(zip(axes, sizes, strict=True))
    long = [axis for axis in axes if stated[axis] > 1]
    slowest = long[0] if len(long) == 1 or math.prod(sizes) > n_pages else axes[0]
    block = math.prod(size for axis, size in stated.items() if axis != slowest)
    count = n_pages // block
    if count and (slowest in long or n_pages % block == 0):
        return {**stated, slowest: count}
    return {"I": n_pages}
