"""OME-XML: the description of an OME-TIFF, whatever the version of its namespace."""

from __future__ import annotations

from xml.etree import ElementTree

__all__ = ["named", "root_of", "tag_of"]


def root_of(text: str | None) -> ElementTree.Element:
    """Return the root of a description; an element without content if it is damaged or missing."""
    try:
        return ElementTree.fromstring(text or "<none/>")
    except ElementTree.ParseError:
        return ElementTree.Element("none")


def tag_of(element: ElementTree.Element) -> str:
    """Return the tag of an element without its namespace, which differs between OME versions."""
    return element.tag.rpartition("}")[2]


def named(root: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    """Return all elements with a tag, at any depth, in the order of the text.

    Parameters
    ----------
    root
        Where the search begins; it is found, too.
    tag
        Without a namespace.
    """
    return [element for element in root.iter() if tag_of(element) == tag]
