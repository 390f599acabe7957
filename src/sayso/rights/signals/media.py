"""What pictures, videos, sounds and documents say of themselves: XMP, C2PA manifests, EPUB's OPF.

Read from the bytes as they came, before anything could strip them. What cannot be checked (a
manifest without the part that reads it, a damaged packet) is unreadable, which is never a yes.
"""

import io
import re
import zipfile
import zlib
from typing import Final

from sayso.rights.signals import cawg, markup, tdmrep, xmp
from sayso.rights.signals.model import ALL, Readings, Statement, said

LARGEST: Final = 64 * 1024 * 1024  # what is larger is not looked at, and so is no yes
_SIDECAR: Final = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*<")
_ENDINGS: Final = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "heic": "image/heic",
    "heif": "image/heif",
    "avif": "image/avif",
    "pdf": "application/pdf",
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "wav": "audio/wav",
}
_MAGIC: Final = (
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"II\*\0|MM\0\*"), "image/tiff"),
    (re.compile(rb".{4}ftyp(?:heic|heix|mif1|msf1)", re.DOTALL), "image/heic"),
    (re.compile(rb".{4}ftypavif", re.DOTALL), "image/avif"),
    (re.compile(rb".{4}ftyp", re.DOTALL), "video/mp4"),
    (re.compile(rb"%PDF-"), "application/pdf"),
)


def kind_of(data: bytes, name: str = "") -> str:
    """Return a file's media type by its first bytes, or else by its name; '' if neither tells."""
    told = next((kind for magic, kind in _MAGIC if magic.match(data)), "")
    return told or _ENDINGS.get(name.rpartition(".")[2].lower(), "")


def read(data: bytes, name: str = "", readings: Readings = ALL) -> list[Statement]:
    """Return what a file says of itself; never raises, and what cannot be read is no yes.

    Args:
        data: the whole file.
        name: what it is called; only its ending counts, and only where the bytes tell nothing.
        readings: which labels are read.
    """
    if len(data) > LARGEST:
        return [too_large()]
    if name.lower().endswith(".xmp") and _SIDECAR.match(data):
        return xmp.sidecar(data)
    if data.startswith(b"PK\x03\x04"):
        return _epub(data)
    return [*xmp.in_bytes(data), *cawg.in_bytes(data, kind_of(data, name), readings)]


def too_large() -> Statement:
    """What is said of a file that is too large to be looked at."""
    return said("plus", "unreadable", where="file", raw=f"larger than {LARGEST} bytes")


def _epub(data: bytes) -> list[Statement]:
    """EPUB: `<meta property="tdm:reservation">1</meta>` in its package document."""
    found: list[Statement] = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            for name in [n for n in book.namelist() if n.lower().endswith(".opf")]:
                with book.open(name) as stream:
                    package = stream.read(markup.LARGEST + 1)
                found += _package(package)
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        RuntimeError,
        NotImplementedError,
        ValueError,
    ):
        found.append(said("tdmrep-xmp", "unreadable", where="opf", raw="a damaged archive"))
    return found


def _package(data: bytes) -> list[Statement]:
    root = markup.root_of(data)
    if root is None:
        return [said("tdmrep-xmp", "unreadable", where="opf", raw="no well-formed package")]
    told = [
        (e.get("property") or e.get("name") or "", e.text or e.get("content") or "")
        for e in root.iter()
        if str(e.tag).endswith("meta")
    ]
    policy = next((value.strip() for name, value in told if name == "tdm:policy"), "")
    return [
        each
        for name, value in told
        if name == "tdm:reservation"
        for each in tdmrep.reserved(value.strip(), policy, "xmp")
    ]
