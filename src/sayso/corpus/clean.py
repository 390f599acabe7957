"""Cleaning one record: quotes of others are cut, contact data and identifiers are masked."""

import heapq
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

import msgspec

from sayso.corpus.identifiers import Finder, finders
from sayso.corpus.language import primary_subtag


class Cleaned(msgspec.Struct, frozen=True):
    """A cleaned text, and how often each kind ('E-MAIL', 'PHONE', …) was masked in it."""

    text: str
    masked: dict[str, int]


def clean(text: str, language: str) -> Cleaned:
    """Cut quoted lines, mask what identifies or reaches a person, close gaps of blank lines.

    The masks are [E-MAIL], [MENTION], [IBAN], [CARD], [IP], [ID] and [PHONE]. A pure function, in
    time linear in the text; cleaning a cleaned text changes nothing.

    Args:
        text: in Unicode NFC, without control characters.
        language: BCP 47 tag; in some languages telephone numbers are written in ways of their own.
    """
    if ">" in text or "＞" in text or "&gt;" in text:
        text = _without_quotes(text)
    if "\n" in text:
        text = _WIDE_GAP.sub("\n\n", text)
    masked: dict[str, int] = {}
    known = finders(primary_subtag(language))
    # A mask can bare what its digits had hidden, so this ends when nothing is found any more.
    while _MAYBE.search(text) and (spans := list(_spans(_plain(text), known))):
        pieces, done = [], 0
        for kind, start, end in spans:
            pieces += [text[done:start], f"[{kind}]"]
            masked[kind] = masked.get(kind, 0) + 1
            done = end
        text = "".join(pieces) + text[done:]
    return Cleaned(text, masked)


def mask(text: str, language: str, keep: str) -> str:
    """Mask what identifies or reaches a person, but for what stands in `keep` in the same words.

    Args:
        text: what a model wrote.
        language: BCP 47 tag, as for `clean`.
        keep: what may be said again: the question, and the posts that are cited.
    """
    if not _MAYBE.search(text):
        return text
    pieces, done = [], 0
    for kind, start, end in _spans(_plain(text), finders(primary_subtag(language))):
        if text[start:end] not in keep:
            pieces += [text[done:start], f"[{kind}]"]
            done = end
    return "".join([*pieces, text[done:]])


_QUOTE: Final = re.compile(r"\s*(?:>|＞|&gt;)")
_WIDE_GAP: Final = re.compile(r"\n(?:[^\S\n]*+\n){3,}+")
# Every find has one of these in it; most texts have none.
_MAYBE: Final = re.compile(r"[\d@＠]|[(\[{（［｛] ?at ?[)\]}）］｝]", re.IGNORECASE)
_ASCII_FORMS: Final = str.maketrans(
    "".join(map(chr, range(0xFF01, 0xFF5F))) + "\u2010\u2011\u2012\u2013\u2014\u2212"
    "\u00a0\u2002\u2003\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
    "".join(map(chr, range(0x21, 0x7F))) + "-" * 6 + " " * 10,
)
_OTHER_DIGIT: Final = re.compile(r"(?![0-9])\d")


def _without_quotes(text: str) -> str:
    """Cut the lines that quote: they are another person's words."""
    lines = text.split("\n")
    kept = [line for line in lines if not _QUOTE.match(line)]
    return text if len(kept) == len(lines) else "\n".join(kept).strip("\n")


def _plain(text: str) -> str:
    """Return `text`, place for place, with full-width forms, dashes, spaces, digits in ASCII."""
    if text.isascii():
        return text
    text = text.translate(_ASCII_FORMS)
    return _OTHER_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)


def _spans(plain: str, known: tuple[Finder, ...]) -> Iterator[tuple[str, int, int]]:
    """Yield what to mask as (kind, start, end), from left to right, never overlapping."""
    done = 0
    streams = (_ranked(plain, r, f) for r, f in enumerate(known) if f.needs.search(plain))
    for start, rank, minus_end in heapq.merge(*streams):
        kind, guard = known[rank].kind, known[rank].guard
        # The guard sees what will stand there: nothing of what has just been masked. So a row of
        # numbers, each hiding the next, is found in one go and not in as many as there are.
        if start < done or (guard and guard.search(plain, max(done, start - 2), start)):
            continue
        done = -minus_end
        yield kind, start, done


def _ranked(plain: str, rank: int, finder: Finder) -> Iterator[tuple[int, int, int]]:
    """A finder's spans as (start, rank, -end): where several start, the longest comes first."""
    return ((start, rank, -end) for start, end in finder.find(plain))
