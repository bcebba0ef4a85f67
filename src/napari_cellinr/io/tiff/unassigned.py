"""OME-TIFF whose description does not say which pages of the file its planes are."""

from __future__ import annotations

import math
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import tifffile

from napari_cellinr.errors import FileError
from napari_cellinr.io.tiff.ome_xml import named, tag_of
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_cellinr.io.tiff.data import OpenTiff

__all__ = [
    "DOUBT",
    "IMAGE",
    "PLAIN",
    "as_pages",
    "fitted",
    "n_shared",
    "not_assigned",
    "read_as",
    "series_from",
]

PLAIN = ("generic", "uniform")
"""What tifffile calls series of pages that it puts into no order."""

IMAGE, DOUBT = "image", "doubt"
"""Attributes of a series: the number of its `Image` element, and a sentence about it alone."""


def not_assigned(opened: OpenTiff, series: list[tifffile.TiffPageSeries]) -> bool:
    """Return whether no page is assigned to a plane, or one page to several planes.

    Images that share pages are meant so if they state the numbers of the pages. Several images
    that state no number are one after the other; tifffile begins each with the first page.

    Parameters
    ----------
    opened
        An OME-TIFF.
    series
        What tifffile made of it.
    """
    if all(one.kind in PLAIN for one in series) or any(_repeats(one) for one in series):
        return True
    text = opened.file.ome_metadata or ""
    if "IFD=" in text:
        return False
    n_files = len({*re.findall(r"FileName\s*=\s*[\"']([^\"']*)", text)})
    return n_shared(series) > 0 or (
        n_files < 2 and len(re.findall(r"<(?:[\w.-]+:)?Pixels\b", text)) > 1
    )


def _repeats(series: tifffile.TiffPageSeries) -> bool:
    """Return whether a series shows one page several times."""
    if series.kind != "ome" or series.dataoffset is not None:
        return False
    pages = [(id(page.parent), page.index) for page in series.pages if page is not None]
    return len({*pages}) < len(pages)


def n_shared(series: list[tifffile.TiffPageSeries]) -> int:
    """Return how often pages are used by more images than one.

    Parameters
    ----------
    series
        What tifffile made of an OME-TIFF.
    """
    images = [one for one in series if one.kind == "ome"]
    if len(images) < 2:
        return 0
    used = [
        {(id(page.parent), page.index) for page in one.pages if page is not None} for one in images
    ]
    return sum(map(len, used)) - len(set().union(*used))


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

    Raises
    ------
    FileError
        If several images differ in size, and their pages cannot be told apart.
    """
    path, file = opened.path, opened.file
    try:
        root = ElementTree.fromstring(file.ome_metadata or "")
    except ElementTree.ParseError as error:
        return series, (
            f"the OME description of {path} is damaged ({error}); the voxel size, axes and "
            "channels that it states are lost.",
        )
    for other in named(root, "BinaryOnly"):
        return series, (_elsewhere(opened, other.get("MetadataFile", "")),)
    pages: list[Any] = [page.aspage() for page in file.pages]
    pixels, parts = named(root, "Pixels"), named(root, "TiffData")
    if known and (parts or len(pixels) > 1) and _in_page_order(root, pixels):
        found = _images_in_order(root, pages) or _images_by_size(opened, root, pages, series)
        if found:
            return found, ()
    repeated = any(_repeats(one) for one in series)
    if len(pixels) == 1 and len({page.hash for page in pages}) == 1:
        levels = _levels(series, pages)
        if known and not parts:
            return _in_order(opened, pages, pixels[0], levels)
        sizes = {"I": len(pages)} if len(pages) > 1 else {}
        series = [series_from(pages, sizes, "generic", levels)]
    elif known and repeated:
        return [_once(opened, one) if _repeats(one) else one for one in series], ()
    if not known:
        what = "states neither its name nor its identifier (UUID), and so not which planes it has"
    elif repeated:
        what = "assigns one page to several planes"
    elif n_shared(series):
        return series, (
            f"the OME description of {path} assigns the same pages to several of its images; they "
            "are read as it says.",
        )
    elif any(one.kind not in PLAIN for one in series):
        return series, ()  # one image has all pages, and another none
    else:
        what = "assigns none of its pages to a plane"
    return series, (f"the OME description of {path} {what}; its pages are read as they are.",)


def _elsewhere(opened: OpenTiff, other: str) -> str:
    """Return a sentence about a file whose description is in another one."""
    what = f"axes, voxel size and channels of {opened.path} are in "
    if other.lower().endswith((".tif", ".tiff")):
        if not opened.path.with_name(PurePath(other).name).is_file():
            return f"{what}{other}, which is not in its folder; add it there, and open it."
        return f"{what}{other}; open that file to read the whole recording with them."
    return (
        f"{what}{other or 'another file that it does not name'}, which is not read; convert the "
        "recording to OME-TIFF to read it with them."
    )


def _once(opened: OpenTiff, series: tifffile.TiffPageSeries) -> tifffile.TiffPageSeries:
    """Return a series that shows each of its pages once, in no order."""
    found = {(id(page.parent), page.index): page for page in series.pages if page is not None}
    pages = list(found.values())
    doubt = (
        f"the OME description of {opened.path} assigns one page to several planes of image "
        f"{series.name or series._index!r}; "
        f"{n_of(len(pages), 'page is read as it is', 'pages are read as they are')}."
    )
    about: dict[str, Any] = {
        "parent": series.parent,
        "name": series.name,
        "multifile": series.is_multifile,
    }
    return series_from(pages, {"I": len(pages)}, "generic", attr={DOUBT: doubt}, **about)


def _in_page_order(root: ElementTree.Element, pixels: list[ElementTree.Element]) -> bool:
    """Return whether images only say that planes are in the file, in order, not in which pages."""
    if len({element.get("FileName", "") for element in named(root, "UUID")}) > 1:
        return False
    for one in pixels:
        parts, axes = named(one, "TiffData"), one.get("DimensionOrder", "XYZCT")[:1:-1]
        places = [[int(part.get(f"First{axis}", "0")) for axis in axes] for part in parts]
        if places != sorted(places) or any("IFD" in part.attrib for part in parts):
            return False
    return True


def _images_in_order(root: ElementTree.Element, pages: list[Any]) -> list[tifffile.TiffPageSeries]:
    """Return several images, one after the other; empty if the pages do not fill them exactly."""
    found, start = [], 0
    images = [element for element in root if tag_of(element) == "Image"]
    for place, image in enumerate(images):
        for pixels in named(image, "Pixels"):
            sizes = _sizes(pixels, pages[min(start, len(pages) - 1)])
            own = pages[start : start + math.prod(sizes.values())]
            start += math.prod(sizes.values())
            if start > len(pages) or len({page.hash for page in own}) > 1 or own[0].subifds:
                return []
            if _page_size(own[0]) != _stated_size(pixels):
                return []
            about: dict[str, Any] = {"name": image.get("Name", ""), "attr": {IMAGE: place}}
            found.append(series_from(own, sizes, "ome", **about))
    return found if start == len(pages) else []


def _images_by_size(
    opened: OpenTiff,
    root: ElementTree.Element,
    pages: list[Any],
    series: list[tifffile.TiffPageSeries],
) -> list[tifffile.TiffPageSeries]:
    """Return several images of different size, each with the pages of its size.

    Empty if images and pages all have one size, or if there is one image without pages that fit.

    Raises
    ------
    FileError
        If two images have the same size, or the pages of one size are of different kinds.
    """
    images = [
        (place, image, pixels)
        for place, image in enumerate(named(root, "Image"))
        for pixels in named(image, "Pixels")
    ]
    stated = [_stated_size(pixels) for _, _, pixels in images]
    if len({*stated, *map(_page_size, pages)}) == 1:
        return []
    groups: dict[tuple[int, int], list[Any]] = {}
    for page in pages:
        groups.setdefault(_page_size(page), []).append(page)
    own = [groups.get(size, []) for size in stated]
    mixed = any(len({page.hash for page in group}) > 1 for group in own)
    if len(images) == 1 and (mixed or not any(own)):
        return []
    if len({*stated}) < len(stated) or mixed or not any(own):
        announced = [math.prod(_sizes(pixels, pages[0]).values()) for _, _, pixels in images]
        raise FileError(
            f"{opened.path} has several images, and its OME description does not say which of "
            f"its pages are theirs: it announces {_counted(stated, announced, 'plane')}, and the "
            f"file has {_counted([*groups], map(len, groups.values()), 'page')} (width x height). "
            "Save it with the program that made it so that the number (IFD) of each page is "
            "stated, or each image in a file of its own."
        )
    found, missing = [], ""
    for (place, image, pixels), group in zip(images, own, strict=True):
        name = image.get("Name", "")
        if not group:
            missing += (
                f"the OME description of {opened.path} announces image {name or place!r}, but no "
                "page of the file has its size. "
            )
            continue
        levels = _levels(series, group)
        (one,), doubts = _in_order(opened, group, pixels, levels, f" for image {name or place!r}")
        one.name, one.attr[IMAGE], one.attr[DOUBT] = name, place, "".join(doubts)
        found.append(one)
    found[0].attr[DOUBT] = (missing + found[0].attr[DOUBT]).strip()
    return found


def _counted(sizes: list[tuple[int, int]], numbers: Iterable[int], what: str) -> str:
    return ", ".join(
        f"{n_of(number, what)} of {width} x {height}"
        for (height, width), number in zip(sizes, numbers, strict=True)
    )


def _page_size(page: Any) -> tuple[int, int]:
    return page.imagelength, page.imagewidth


def _stated_size(pixels: ElementTree.Element) -> tuple[int, int]:
    return int(pixels.get("SizeY", "0")), int(pixels.get("SizeX", "0"))


def _sizes(pixels: ElementTree.Element, page: Any) -> dict[str, int]:
    """Return the sizes in planes by axis, the slowest first; the colours of a page are no plane."""
    axes = pixels.get("DimensionOrder", "XYZCT")[:1:-1]
    sizes = {axis: int(pixels.get(f"Size{axis}", "1")) for axis in axes}
    if "C" in sizes and sizes["C"] % page.samplesperpixel == 0:
        sizes["C"] //= page.samplesperpixel
    return sizes


def _in_order(
    opened: OpenTiff,
    pages: list[Any],
    pixels: ElementTree.Element,
    levels: list[list[Any]],
    whose: str = "",
) -> tuple[list[tifffile.TiffPageSeries], tuple[str, ...]]:
    """Return pages in the order of the dimensions, and a sentence if there are more or fewer."""
    sizes = _sizes(pixels, pages[0])
    n_pages, announced = len(pages), math.prod(sizes.values())
    found = fitted("".join(sizes), tuple(sizes.values()), n_pages)
    n_used = math.prod(found.values())
    series = [series_from(pages[:n_used], found, "ome", [level[:n_used] for level in levels])]
    if announced == n_pages:
        return series, ()
    return series, (
        f"the OME description of {opened.path} announces {n_of(announced, 'plane')}{whose}, "
        f"but the file has {n_pages}; read is {read_as(found, n_pages)}",
    )


def read_as(sizes: Mapping[str, int], n_pages: int) -> str:
    """Return in words what pages are read as, and which of them are left out.

    Parameters
    ----------
    sizes
        Sizes in planes by axis.
    n_pages
        Number of pages.
    """
    order = " x ".join(f"{axis} {size}" for axis, size in sizes.items() if size > 1)
    n_left = n_pages - math.prod(sizes.values())
    left = f" The last {n_left}, not complete, are left out." if n_left else ""
    return f"{order or 'one plane'}.{left}"


def _levels(series: list[tifffile.TiffPageSeries], pages: list[Any]) -> list[list[Any]]:
    """Return the pages of the coarser levels of a pyramid that tifffile put into no order."""
    numbers = [page.index for page in pages]
    for one in series:
        if one.kind in PLAIN and [page.index for page in one.pages if page] == numbers:
            levels = [list(level.pages) for level in one.levels[1:]]
            return levels if all(len(level) == len(pages) for level in levels) else []
    return []


def series_from(
    pages: list[Any],
    sizes: Mapping[str, int],
    kind: str,
    levels: Sequence[list[Any]] = (),
    **about: Any,
) -> tifffile.TiffPageSeries:
    """Return pages as an image, the fastest axis of the pages last.

    Parameters
    ----------
    pages
        All pages of it; None for those that are missing.
    sizes
        Sizes in planes by axis, the slowest first.
    kind
        What tifffile calls images of this kind.
    levels
        The pages of each coarser level of a pyramid.
    **about
        What else is known of it, such as `name`, as tifffile takes it.
    """
    first = next(page for page in pages if page is not None)
    shape, axes = (*sizes.values(), *first.shape), "".join(sizes) + first.axes
    made = tifffile.TiffPageSeries(pages, shape, first.dtype, axes, kind=kind, **about)
    made.levels.extend(series_from(level, sizes, kind) for level in levels)
    return made


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
