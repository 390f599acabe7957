"""What XMP says: `plus:DataMining` (IPTC Photo 2023.1, PLUS) and `tdm:reservation` (TDMRep).

Properties may be elements or attributes, values addresses of the vocabulary, bare codes, or the
labels that programs show. Every `Prohibited …` is a no, also "see constraints": nothing here can
show that these are met. A no to generative training is one to that alone.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from sayso.rights.signals import markup, packets, tdmrep
from sayso.rights.signals.model import Statement, said

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_PLUS: Final = ("http://ns.useplus.org/ldf/xmp/1.0/", "http://ns.useplus.org/ldf/vocab/")
_TDM: Final = ("http://www.w3.org/ns/tdmrep#", "http://www.w3.org/ns/tdmrep/")
_RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_TERMS: Final = "{http://purl.org/dc/terms/}"
_MARK: Final = re.compile(rb"DMI-[A-Z]|plus:DataMining|tdm:reservation")


def in_bytes(data: bytes) -> list[Statement]:
    """Return what the XMP in a file's bytes says; what looks like it and cannot be read is no yes.

    Bytes that speak of these properties outside of any packet that is read are unreadable.
    """
    seen = list(packets.packets(data))
    found = [each for packet in seen for each in sidecar(packet)]
    if not found and _MARK.search(data) and not any(_MARK.search(packet) for packet in seen):
        found.append(_unreadable("properties outside of any packet"))
    return list(dict.fromkeys(found))


def sidecar(data: bytes) -> list[Statement]:
    """Return what a packet, or a file that is XMP as a whole, says."""
    root = markup.root_of(data)
    if root is None:
        return [_unreadable("no well-formed XML, or too large")]
    found: list[Statement] = []
    properties = list(_properties(root))
    for name, value in properties:
        if name in [f"{{{space}}}DataMining" for space in _PLUS]:
            found += data_mining(value)
        elif name == f"{_TERMS}provenance" and value.strip().startswith(("http://", "https://")):
            # C2PA's pointer to a manifest elsewhere, which is not fetched.
            found.append(said("c2pa-remote", "unreadable", where="xmp", raw=value))
    policy = next((v for n, v in properties if n in [f"{{{s}}}policy" for s in _TDM]), "")
    for name, value in properties:
        if name in [f"{{{space}}}reservation" for space in _TDM]:
            found += tdmrep.reserved(value.strip(), policy.strip(), "xmp")
    return found


def data_mining(value: str) -> list[Statement]:
    """Read one value of `plus:DataMining`; 'unspecified' says nothing."""
    text = " ".join(value.split())
    code = re.sub(r"^DMI-", "", text.rpartition("/ldf/vocab/")[2], flags=re.IGNORECASE).lower()
    about = {"where": "xmp", "raw": value}
    if not code or code.startswith("unspecified"):
        return []
    if code == "allowed":
        return [said("plus", "allow", **about)]
    if not code.startswith("prohibited"):
        return [said("plus", "unreadable", **about)]
    is_generative = "genai" in code or "generative" in code
    return [said("plus", "deny", category="generative" if is_generative else "training", **about)]


def _properties(root: "Element") -> Iterator[tuple[str, str]]:
    for element in root.iter():
        yield from element.attrib.items()
        address = element.get(f"{_RDF}resource")
        if address:
            yield element.tag, address
        # A value may stand in an array or be qualified: all text below the property is its own.
        texts = [text for text in element.itertext() if text.strip()] if _is_ours(element) else []
        yield from ((element.tag, text) for text in texts)


def _is_ours(element: "Element") -> bool:
    space, _, name = str(element.tag).removeprefix("{").rpartition("}")
    return space in (*_PLUS, *_TDM) or f"{{{space}}}{name}" == f"{_TERMS}provenance"


def _unreadable(why: str) -> Statement:
    return said("plus", "unreadable", where="xmp", raw=why)
