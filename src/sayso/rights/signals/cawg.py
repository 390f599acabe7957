"""CAWG training and data mining assertions in C2PA manifests (CAWG 1.1; C2PA before 2.0).

Each entry's `use` is 'allowed', 'notAllowed' or 'constrained'; the last is as good as a no to
whoever has no further word. What went into a picture (ingredients) has manifests in the same store,
and its noes count too. A no needs no valid signature; a yes does, and counts for the picture alone.
"""

import io
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from sayso.rights.signals.model import ALL, Category, Readings, Statement, said

LABEL: Final = "cawg.training-mining"
LEGACY: Final = "c2pa.training-mining"
_CATEGORIES: Final[dict[str, Category]] = {
    "ai_training": "training",
    "ai_generative_training": "generative",
    "ai_inference": "inference",
    "data_mining": "mining",
}
# How a manifest store begins (JUMBF), uncompressed in every kind of file.
_STORE: Final = re.compile(rb"jumb.{4}jumdc2pa", re.DOTALL)
_VALID: Final = frozenset(("Valid", "Trusted"))


def in_bytes(data: bytes, kind: str, readings: Readings = ALL) -> list[Statement]:
    """Return what the manifests in a file's bytes say; unreadable if they cannot be looked at.

    Args:
        data: the file.
        kind: its type as c2pa-python calls it ('image/jpeg').
        readings: whether labels before CAWG are read.
    """
    if not _STORE.search(data):
        return []
    try:
        import c2pa
    except ImportError:
        return [_unreadable("c2pa-python is not installed (the extra `media`)")]
    try:
        # Nothing is fetched: a file must not make this machine call anybody.
        settings = c2pa.Settings.from_dict(
            {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
        )
        with c2pa.Reader(kind, io.BytesIO(data), context=c2pa.Context(settings)) as reader:
            return store(reader.json().encode(), readings)
    except Exception as error:  # whatever goes wrong in there, it is no yes
        return [_unreadable(type(error).__name__)]


def store(data: bytes, readings: Readings = ALL) -> list[Statement]:
    """Return what a manifest store says, as c2pa's `Reader.json` gives it."""
    try:
        told = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return [_unreadable("no JSON")]
    manifests = told.get("manifests") if isinstance(told, dict) else None
    if not isinstance(manifests, dict):
        return [_unreadable("no manifests")]
    active = told.get("active_manifest")
    found: list[Statement] = []
    for name, manifest in manifests.items():
        is_own = name == active and told.get("validation_state") in _VALID
        for label, entries in _assertions(manifest, readings):
            found += _entries(label, entries, is_own=is_own)
    return found


def _assertions(manifest: Any, readings: Readings) -> Iterator[tuple[str, Any]]:
    listed = manifest.get("assertions") if isinstance(manifest, dict) else None
    for assertion in listed if isinstance(listed, list) else ():
        label = assertion.get("label") if isinstance(assertion, dict) else None
        # Several assertions of one label are numbered: `…__1`.
        name = label.partition("__")[0] if isinstance(label, str) else ""
        if name == LABEL or (name == LEGACY and readings.legacy_c2pa):
            told = assertion.get("data")
            yield name, told.get("entries") if isinstance(told, dict) else None


def _entries(label: str, entries: Any, *, is_own: bool) -> Iterator[Statement]:
    if not isinstance(entries, dict):
        yield said("cawg", "unreadable", version=label, where=label, raw=entries)
        return
    for name, entry in entries.items():
        category = _CATEGORIES.get(name.rpartition(".")[2])
        if category is None:
            continue
        use = entry.get("use") if isinstance(entry, dict) else None
        about = {"version": label, "category": category, "where": name, "raw": entries}
        if use in ("notAllowed", "constrained"):
            yield said("cawg", "deny", **about)
        elif use != "allowed":
            yield said("cawg", "unreadable", **about)
        elif is_own:
            yield said("cawg", "allow", **about)
        else:
            # By a broken signature, or of a part that somebody else made.
            yield said("cawg", "unreadable", **about)


def _unreadable(why: str) -> Statement:
    return said("cawg", "unreadable", where="C2PA manifest", raw=why)
