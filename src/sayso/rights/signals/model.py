"""What a signal says, and which signals and labels count."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

Value = Literal["allow", "deny", "unreadable"]
# 'training': any model; 'generative': models that make content; 'inference': answers from it;
# 'mining': text and data mining, data sets; 'search': being found; 'member': the person as such.
Category = Literal["training", "generative", "inference", "mining", "search", "member"]

LONGEST_RAW: Final = 1024  # characters of evidence a statement keeps
LONGEST_EVIDENCE: Final = 4096  # bytes of evidence kept of all statements of one account

# Every signal by the name it has in statements, with the text that its parser follows.
SIGNALS: Final = {
    "aipref": "draft-ietf-aipref-vocab-07, -attach-05",
    "content-signals": "contentsignals.org, 2025-09",
    "tdmrep": "W3C CG report 2024-05-10",
    "odrl": "ODRL 2.2",
    "rsl": "RSL 1.0",
    "noai": "DeviantArt 2022-11",
    "ai.txt": "Spawning 2023",
    "robots-bots": "RFC 9309",
    "atproto-preference": "community.lexicon.preference.ai 2026-04",
    "atproto-intents": "org.user-intents.declaration, Bluesky proposal 0008",
    "activitypub": "toot:indexable, FEP-5feb, FEP-268d",
    "bio-tag": "custom",
    "cawg": "CAWG training and data mining 1.1",
    "plus": "IPTC Photo 2023.1, PLUS LDF",
    "tdmrep-xmp": "W3C CG report 2024-05-10",
    "c2pa-remote": "C2PA 2.2",
    "gpc": "W3C GPC draft",
}


class Statement(Struct, frozen=True, kw_only=True):
    """One thing that one signal says.

    Args:
        signal: one of `SIGNALS`.
        version: which label or draft it was read by.
        category: of use; an allow counts for training and generative models alone.
        value: 'allow', 'deny', or 'unreadable' for what was said in no way that can be read.
        where: the place it was found ('header', 'robots.txt', a manifest's label).
        scope: '' for all content, 'image' for pictures only.
        raw: what stood there, at most `LONGEST_RAW` characters.
    """

    signal: str
    version: str = ""
    category: Category = "training"
    value: Value
    where: str = ""
    scope: str = ""
    raw: str = ""


class Readings(Struct, frozen=True):
    """Which signals count, and which labels of older drafts; by default all that are known.

    `aipref_drafts` are the drafts of the vocabulary whose labels are read; 'legacy_c2pa' are the
    labels that C2PA had before it gave them to CAWG.
    """

    signals: frozenset[str] = frozenset(SIGNALS)
    aipref_drafts: frozenset[str] = frozenset(("01", "02", "03", "04", "05", "06", "07"))
    legacy_c2pa: bool = True


ALL: Final = Readings()


def said(signal: str, value: Value, *, raw: Any = "", **told: Any) -> Statement:
    """Return a statement with its evidence cut to size and its signal's version."""
    told.setdefault("version", SIGNALS[signal])
    return Statement(signal=signal, value=value, raw=shown(raw), **told)


def shown(raw: Any) -> str:
    """Return evidence as text of bounded length, whatever it is."""
    if isinstance(raw, bytes):
        text = raw[: 4 * LONGEST_RAW].decode("utf-8", "replace")
    elif isinstance(raw, str):
        text = raw
    else:
        try:
            text = msgspec.json.encode(raw, order="deterministic").decode("utf-8", "replace")
        except (TypeError, ValueError, RecursionError):
            text = ""
    # Lone surrogates could not be stored.
    return text[:LONGEST_RAW].encode("utf-8", "replace").decode()


def evidence(statements: Iterable[Statement]) -> str:
    """Return statements as a JSON array of at most `LONGEST_EVIDENCE` bytes, denies first.

    What is too much is cut from the raw texts first, then from the end of the list.
    """
    kept = sorted(statements, key=lambda s: ("deny", "unreadable", "allow").index(s.value))
    for longest in (LONGEST_RAW, 512, 128, 0):
        cut = [msgspec.structs.replace(s, raw=s.raw[:longest]) for s in kept]
        if len(data := msgspec.json.encode(cut)) <= LONGEST_EVIDENCE:
            return data.decode()
    while len(data := msgspec.json.encode(cut)) > LONGEST_EVIDENCE:
        cut.pop()
    return data.decode()


def read_evidence(text: str) -> Sequence[Statement]:
    """Return the statements that `evidence` wrote; () for whatever else."""
    try:
        return msgspec.json.decode(text, type=tuple[Statement, ...])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ()
