"""XML from strangers: no entities, no external parts, of bounded size."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LARGEST: Final = 16 * 1024 * 1024


def root_of(data: bytes) -> "Element | None":
    """Return a document's root element; None for what is not well-formed, harmful or too large."""
    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    if not data or len(data) > LARGEST:
        return None
    try:
        root: Element = ElementTree.fromstring(data)
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
        return None
    return root
