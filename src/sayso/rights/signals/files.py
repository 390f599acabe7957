"""A file of any kind that signals come in: told by its name and content, read by its parsers."""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from sayso.rights.signals import (
    activitypub,
    ai_txt,
    aipref,
    atproto,
    bots,
    cawg,
    content_signals,
    headers,
    media,
    noai,
    tdmrep,
)
from sayso.rights.signals import gpc as privacy
from sayso.rights.signals.model import ALL, Readings, Statement, said

KINDS: Final = (
    "robots",
    "ai-txt",
    "tdmrep",
    "headers",
    "html",
    "media",
    "atproto",
    "actor",
    "c2pa",
)
_NAMES: Final = {"robots.txt": "robots", "ai.txt": "ai-txt", "tdmrep.json": "tdmrep"}
_HEADER: Final = re.compile(rb"HTTP/[\d.]+ \d{3}|[A-Za-z][A-Za-z0-9-]*:[ \t]")
_ROBOTS: Final = re.compile(rb"^\s*user-agent\s*:", re.IGNORECASE | re.MULTILINE)
_HTML: Final = re.compile(rb"\s*<(?:!doctype\s+html|html|head|meta)\b", re.IGNORECASE)


def kind_of(data: bytes, name: str = "") -> str:
    """Return which of `KINDS` a file is; '' if neither name nor content tells."""
    base = name.replace("\\", "/").rpartition("/")[2].lower()
    if base in _NAMES:
        return _NAMES[base]
    if base.endswith(".xmp") or media.kind_of(data) or data.startswith(b"PK\x03\x04"):
        return "media"
    start = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if _HTML.match(start) or base.endswith((".html", ".htm")):
        return "html"
    if start[:1] in (b"{", b"["):
        return _json_kind(data)
    is_robots, is_headers = _ROBOTS.search(start), _HEADER.match(start)
    other = "media" if media.kind_of(data, name) else ""
    return "robots" if is_robots else "headers" if is_headers else other


def read(
    data: bytes, kind: str, *, name: str = "", path: str | None = None, readings: Readings = ALL
) -> list[Statement]:
    """Return all that a file says.

    Args:
        data: its bytes.
        kind: one of `KINDS`.
        name: what it is called, for media.
        path: of the content that is asked about, for robots.txt, ai.txt and tdmrep.json.
        readings: which labels are read.
    """
    parsers: dict[str, Callable[[], list[Statement]]] = {
        "robots": lambda: [
            *aipref.robots_txt(data, path, readings=readings),
            *content_signals.robots_txt(data, path),
            *bots.robots_txt(data, path or "/"),
        ],
        "ai-txt": lambda: ai_txt.statements(data, path),
        "tdmrep": lambda: tdmrep.well_known(data, path),
        "headers": lambda: _headers(headers.parse(data), readings),
        "html": lambda: [*noai.page(data), *tdmrep.page(data)],
        "media": lambda: media.read(data, name, readings),
        "atproto": lambda: _atproto(_object(data)),
        "actor": lambda: _actor(_object(data)),
        "c2pa": lambda: cawg.store(data, readings),
    }
    return parsers[kind]()


def _headers(found: headers.Headers, readings: Readings) -> list[Statement]:
    return [
        *aipref.header(found, readings),
        *tdmrep.header(found),
        *noai.header(found),
        *privacy.header(found),
    ]


def _json_kind(data: bytes) -> str:
    told = _decoded(data)
    if isinstance(told, list):
        return "tdmrep" if any(isinstance(r, dict) and "location" in r for r in told) else ""
    if not isinstance(told, dict):
        return ""
    kind = told.get("$type")
    if isinstance(kind, str) and kind.startswith(atproto.COLLECTIONS):
        return "atproto"
    if "preferences" in told or "syntheticContentGeneration" in told:
        return "atproto"
    if isinstance(told.get("manifests"), dict):
        return "c2pa"
    return "actor" if {"indexable", "preferredUsername", "searchableBy"} & told.keys() else ""


def _atproto(fields: dict[str, Any] | None) -> list[Statement]:
    kind = (fields or {}).get("$type")
    intents = kind == atproto.INTENTS or (fields is not None and "preferences" not in fields)
    collection = atproto.INTENTS if intents and kind != atproto.PREFERENCE else atproto.PREFERENCE
    return atproto.statements([(collection, "self", fields)])


def _actor(fields: dict[str, Any] | None) -> list[Statement]:
    if fields is None:
        return [said("activitypub", "unreadable", where="actor", raw="no JSON object")]
    return activitypub.actor(fields)


def _object(data: bytes) -> dict[str, Any] | None:
    told = _decoded(data)
    return told if isinstance(told, dict) else None


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
