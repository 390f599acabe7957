"""Files that members hand to the assistant: what each is, by its content, and what is refused.

Nothing is read of them here beyond their first bytes and, of packed ones, their table of contents;
their words and names reach no error. What they hold is read in a process of its own (`analysis`).
"""

import io
import json
import re
import struct
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import Final

from msgspec import Struct

from sayso.errors import InputError
from sayso.settings import Uploads

CSV: Final = "text/csv"
TSV: Final = "text/tab-separated-values"
TEXT: Final = "text/plain"
JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
PARQUET: Final = "application/vnd.apache.parquet"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TABLES: Final = frozenset({CSV, TSV, JSON, NDJSON, PARQUET, XLSX})

_BY_ENDING: Final = {
    "csv": CSV,
    "tsv": TSV,
    "tab": TSV,
    "json": JSON,
    "ndjson": NDJSON,
    "jsonl": NDJSON,
    "parquet": PARQUET,
    "xlsx": XLSX,
    "txt": TEXT,
    "md": TEXT,
    "log": TEXT,
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
}
_WRITTEN: Final = frozenset({CSV, TSV, TEXT, JSON, NDJSON})
_KINDS: Final = "CSV, TSV, JSON, NDJSON, Parquet, XLSX, plain text, PNG, JPEG, WebP"
_MARKUP: Final = re.compile(
    r"\s*+(?:(?:<!--.*?-->|<\?xml.*?\?>)\s*+)*+<(!doctype|html|head|body|script|svg|iframe|object|embed|"
    r"style|link|meta|img|form|table|div|math|xml)\b",
    re.IGNORECASE | re.DOTALL,
)
_CONTENT_TYPES: Final = "[Content_Types].xml"
_SHEETS: Final = "xl/workbook.xml"
_UNWANTED: Final = re.compile(
    r"vbaproject|externallinks/|/embeddings/|/activex/|macrosheets/|connections\.xml|"
    r"customui|\.exe$|\.dll$|querytables/",
    re.IGNORECASE,
)
_RELATION: Final = re.compile(rb"<(?:\w+:)?Relationship\b(?:[^<>\"']|\"[^<\"]*\"|'[^<']*')*>")
_MOST_MEMBERS: Final = 2000
# What zipfile lets through when bytes are not what their places say.
_DAMAGED: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
)


class Upload(Struct, frozen=True):
    """A file that was accepted: its last name, what it is by its content, its bytes."""

    name: str
    media_type: str
    data: bytes

    @property
    def is_table(self) -> bool:
        """Whether questions about it can be answered (`analysis`)."""
        return self.media_type in TABLES


def accept(name: str, data: bytes, limits: Uploads | None = None) -> Upload:
    """Return a file as what it is.

    Args:
        name: as its owner calls it; folders are cut off.
        data: all of it.
        limits: the section [uploads] of the settings.

    Raises:
        InputError: it is too large, of no accepted kind, or not what its name says.
    """
    limits = limits or Uploads()
    last = PurePosixPath(name.replace("\\", "/")).name
    if not last or len(last) > limits.max_name:
        raise InputError(
            f"the file's name is empty or longer than {limits.max_name} characters", "rename it"
        )
    if any(not letter.isprintable() for letter in last):
        raise InputError("the file's name has characters that cannot be seen", "rename it")
    if not data:
        raise InputError("the file is empty")
    if len(data) > limits.max_bytes:
        raise InputError(
            f"the file is larger than {limits.max_bytes} bytes", "hand in a part of it"
        )
    expected = _BY_ENDING.get(PurePosixPath(last).suffix[1:].lower())
    if expected is None:
        raise InputError("files of this kind are not taken", f"these are: {_KINDS}")
    found = _kind(data, expected, limits)
    if found != expected:
        raise InputError("the file is not what its name says", "save it anew as what it is")
    return Upload(last, found, data)


def _kind(data: bytes, expected: str, limits: Uploads) -> str:
    """Return what a file is; a text is what its name says, if it can be read as that."""
    if data[:4] == b"PAR1" and data[-4:] == b"PAR1" and len(data) >= 12:
        return PARQUET
    if data[:4] == b"PK\x03\x04":
        _check_packed(data, limits)
        return XLSX
    if kind := _picture(data):
        _check_size(data, kind, limits)
        return kind
    return expected if expected in _WRITTEN and _is_written(data, expected) else ""


def _picture(data: bytes) -> str:
    if data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR":
        return "image/png"
    if data[:3] == b"\xff\xd8\xff":
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return ""


def _check_size(data: bytes, kind: str, limits: Uploads) -> None:
    """Refuse a picture that says it is larger than any that is read; others are not opened here."""
    if kind != "image/png":
        return
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    if width * height > limits.max_pixels:
        raise InputError(f"the picture has more than {limits.max_pixels} pixels", "make it smaller")


def _is_written(data: bytes, kind: str) -> bool:
    """Whether bytes are text of that kind, and no markup or program."""
    text = text_of(data)
    if text is None or text.startswith("#!") or _MARKUP.match(text):
        return False
    if kind == JSON:
        return text.lstrip()[:1] in ("[", "{")
    if kind == NDJSON:
        return _is_object(text.lstrip().split("\n", 1)[0])
    return True


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def text_of(data: bytes) -> str | None:
    """Return bytes as text: UTF-8, UTF-16 with its mark, or else Windows' western; or None."""
    is_marked = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ["utf-16"] if is_marked else ["utf-8-sig", "cp1252"]:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        # Control characters are in no table; they are in programs and in broken files.
        return None if re.search(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]", text) else text
    return None


def _check_packed(data: bytes, limits: Uploads) -> None:
    """Refuse what is no plain workbook: bombs, macros, links to elsewhere, other archives."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            _check_members(members, limits)
            for member in members:
                _inflate(archive, member, limits)
                if member.filename.endswith(".rels") and _points_outside(archive.read(member)):
                    raise InputError(
                        "the workbook draws on other files or the web", "save its values alone"
                    )
    except _DAMAGED as error:
        raise InputError("the workbook is damaged or locked", "save it anew as XLSX") from error


def _check_members(members: list[zipfile.ZipInfo], limits: Uploads) -> None:
    names = [member.filename for member in members]
    if _CONTENT_TYPES not in names or _SHEETS not in names:
        raise InputError("the packed file is no workbook", f"these are taken: {_KINDS}")
    if len(names) > _MOST_MEMBERS or len(set(names)) != len(names):
        raise InputError("the workbook is damaged", "save it anew as XLSX")
    if any(name.startswith("/") or ".." in name.split("/") or "\\" in name for name in names):
        raise InputError("the workbook is damaged", "save it anew as XLSX")
    if any(_UNWANTED.search(name) for name in names):
        raise InputError(
            "the workbook has macros, embedded files or links", "save its values alone, as XLSX"
        )
    total = sum(member.file_size for member in members)
    grows = any(m.file_size > max(1, m.compress_size) * limits.max_ratio for m in members)
    if total > limits.max_inflated_bytes or grows:
        raise _bomb()


def _inflate(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limits: Uploads) -> None:
    """Unpack a member piece by piece and forget it: its header may lie about its size."""
    size = 0
    with archive.open(member) as file:
        while piece := file.read(1 << 16):
            size += len(piece)
            if size > member.file_size or size > limits.max_inflated_bytes:
                raise _bomb()


def _bomb() -> InputError:
    return InputError("the workbook grows too large when it is unpacked", "hand in a part of it")


def _points_outside(relations: bytes) -> bool:
    # Links that a reader may click lead outside, too, and nothing follows them.
    links = _RELATION.findall(relations)
    outside = [link for link in links if re.search(rb"TargetMode\s*=\s*[\"']External", link, re.I)]
    return any(b"/hyperlink" not in link for link in outside)
