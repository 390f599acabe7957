"""XMP packets in the bytes of a file, whatever its format (XMP specification, parts 1 and 3).

Packets are made to be found by scanning, in every format that does not compress them. PNG and PDF
may, JPEG may cut them to pieces; those are put together. Formats are told by their bytes, never by
a library's word or a name.
"""

import re
import zlib
from collections.abc import Iterator
from typing import Final

LARGEST: Final = 16 * 1024 * 1024  # bytes of one packet once inflated
MOST: Final = 64  # packets of one file, and places that hold them
_NEAR: Final = 4096  # bytes around the words that tell what a PDF's stream is
_EXTENDED: Final = b"http://ns.adobe.com/xmp/extension/\0"
_BEGIN: Final = re.compile(rb"<(?:\w+:)?(xmpmeta|xapmeta|RDF)[\s>]")
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PDF_METADATA: Final = re.compile(rb"/Type\s*/Metadata\b")
_STREAM: Final = re.compile(rb"stream\r?\n")


# What stands for a packet that is there and cannot be taken out: no XML, so no yes.
BROKEN: Final = b""


def packets(data: bytes) -> Iterator[bytes]:
    """Yield each packet, XML from its root element's beginning to its end, or `BROKEN`."""
    number = 0
    for sources, source in enumerate(_sources(data)):
        if sources > MOST:
            yield BROKEN
            return
        for packet in _scan(source):
            number += 1
            if number > MOST:
                yield BROKEN
                return
            yield packet


def _sources(data: bytes) -> Iterator[bytes]:
    if data[:2] == b"\xff\xd8":
        yield from _jpeg(data)
        return
    yield data
    if data.startswith(_PNG):
        yield from _png(data)
    elif b"%PDF-" in data[:1024]:
        yield from _pdf(data)


def _scan(data: bytes) -> Iterator[bytes]:
    if data == BROKEN:
        yield BROKEN
    at = 0
    while match := _BEGIN.search(data, at):
        end = re.compile(rb"</(?:\w+:)?" + match[1] + rb"\s*>").search(data, match.end())
        if end is None:
            yield BROKEN  # it goes on elsewhere, or was cut off
            return
        yield data[match.start() : end.end()]
        at = end.end()
    if any("xmpmeta".encode(coding) in data for coding in ("utf-16-le", "utf-16-be")):
        yield BROKEN


def _jpeg(data: bytes) -> Iterator[bytes]:
    """The file without its extended packets, then these.

    Segments hold 64 KiB, so what is longer is cut: each piece with the digest of the whole, the
    length of the whole, and its place in it.
    """
    parts: dict[bytes, dict[int, bytes]] = {}
    lengths: dict[bytes, int] = {}
    rest = []
    at, begin = 2, 0
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xDA, 0xD9):
        size = max(int.from_bytes(data[at + 2 : at + 4], "big"), 2)
        body = data[at + 4 : at + 2 + size]
        if data[at + 1] == 0xE1 and body.startswith(_EXTENDED):
            head = body[len(_EXTENDED) :]
            digest, place = head[:32], int.from_bytes(head[36:40], "big")
            lengths[digest] = int.from_bytes(head[32:36], "big")
            parts.setdefault(digest, {})[place] = head[40:]
            rest.append(data[begin:at])
            begin = at + 2 + size
        at += 2 + size
    yield b"".join((*rest, data[begin:]))
    for digest, pieces in parts.items():
        whole = b"".join(pieces[place] for place in sorted(pieces))
        yield whole if len(whole) == lengths[digest] <= LARGEST else BROKEN


def _png(data: bytes) -> Iterator[bytes]:
    """Compressed text chunks that hold XMP, by Adobe's keyword or ImageMagick's."""
    at = len(_PNG)
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        keyword, _, rest = data[at + 8 : at + 8 + size].partition(b"\0")
        if kind == b"iTXt" and keyword == b"XML:com.adobe.xmp" and rest[:1] == b"\1":
            yield _inflated(rest[2:].partition(b"\0")[2].partition(b"\0")[2])
        elif keyword == b"Raw profile type xmp" and kind in (b"zTXt", b"tEXt"):
            yield _hexadecimal(_inflated(rest[1:]) if kind == b"zTXt" else rest)
        at += 12 + size


def _hexadecimal(text: bytes) -> bytes:
    """The bytes of a raw profile: its kind and length, then digits."""
    try:
        return bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
    except ValueError:
        return BROKEN


def _pdf(data: bytes) -> Iterator[bytes]:
    """Metadata streams with a filter; those without one are found by scanning."""
    is_encrypted = b"/Encrypt" in data
    for match in _PDF_METADATA.finditer(data):
        begin = _STREAM.search(data, match.end(), match.end() + _NEAR)
        if begin is None:
            continue
        near = max(match.start() - _NEAR, 0)
        about = data[max(data.rfind(b"obj", near, match.start()), near) : begin.start()]
        end = data.find(b"endstream", begin.end())
        if b"/FlateDecode" in about and b"/DecodeParms" not in about:
            yield _inflated(data[begin.end() : end if end >= 0 else None])
        elif b"/Filter" in about or is_encrypted:
            yield BROKEN


def _inflated(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(data, LARGEST + 1)
    except zlib.error:
        return BROKEN
    return text if len(text) <= LARGEST and inflater.eof else BROKEN
