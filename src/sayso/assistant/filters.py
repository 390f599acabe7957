"""What an answer passes before it is shown: masks for contact data, and the operator's own rules.

The masks find e-mail addresses, telephone and account numbers, handles and the like by their form.
They cannot know whether a sentence is true, kind or lawful: for that an operator has a `hook`.
"""

import importlib
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Final

from msgspec import structs

from sayso.assistant.engine import Chunk
from sayso.corpus.clean import mask
from sayso.errors import UsageError

# Given a text and 'question' or 'answer', returns what may be shown of it, or None.
Hook = Callable[[str, str], str | None]
LONGEST_HELD: Final = 400  # characters
SHORTEST_LOOP: Final = 6  # characters
LONGEST_LOOP: Final = 120
LOOPS: Final = 5
_FENCE: Final = "```"
_WORD: Final = re.compile(r"\S+\s+")
# What a number, an address or a handle may be part of: the words around it are looked at together.
_SUSPECT: Final = re.compile(r"[\d@＠+(\[{（]")
_SENTENCE: Final = re.compile(r".*(?:[.!?…。！？][\"'”“»)*_]*\s|\n)", re.DOTALL)


def load_hook(place: str) -> Hook | None:
    """Import the operator's hook, named as 'package.module:function'; '' = there is none.

    Raises:
        UsageError: it cannot be imported; nothing is served without it.
    """
    if not place:
        return None
    module, _, name = place.partition(":")
    try:
        hook: Hook = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"safety.hook is {place!r}, which cannot be imported",
            "name a function as 'package.module:function', or leave it empty",
        ) from error
    return hook


def masked(chunks: Iterator[Chunk], language: str, keep: str) -> Iterator[Chunk]:
    """Mask contact data in a model's answer, but for what is in `keep`; code stays as it is.

    Remote pictures become links.

    Words are held back while a number or an address may go on; closing the iterator closes
    `chunks`.
    """
    held, in_code = "", False

    def ready(text: str) -> str:
        nonlocal in_code
        parts = text.split(_FENCE)
        for place, part in enumerate(parts):
            if place:
                in_code = not in_code
            if not in_code:
                # No picture: a model writes none, and a remote one would tell on who reads it.
                parts[place] = mask(part, language, keep).replace("![", "[")
        return _FENCE.join(parts)

    try:
        for chunk in chunks:
            held += chunk.text
            end = len(held) if chunk.finish_reason else _settled(held)
            text, held = ready(held[:end]), held[end:]
            if chunk.finish_reason and text:
                yield Chunk(text, release=chunk.release)
                text = ""
            yield structs.replace(chunk, text=text)
        if held:
            yield Chunk(ready(held))
    finally:
        _close(chunks)


def _settled(held: str) -> int:
    """Return how much of a text cannot become part of an identifier any more."""
    if len(held) > LONGEST_HELD:
        # Not within a fence: half of one would not be known for what it is.
        return held.rfind(" ") + 1 or len(held.rstrip("`")) or len(held)
    # Between two plain words nothing goes on; one plain word may: 'name (at) host (dot) example'.
    plain = [(not _SUSPECT.search(word[0]), word.end()) for word in _WORD.finditer(held)]
    ends = [end for (one, end), (other, _) in pairwise(plain) if one and other]
    return ends[-1] if ends else 0


def unlooped(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """End an answer that goes in a circle, as small models' do; closing it closes `chunks`.

    A circle is the same 6 to 120 characters, not just a rule or dots, five times in a row.
    """
    told, release = "", ""
    try:
        for chunk in chunks:
            told = (told + chunk.text)[-LOOPS * LONGEST_LOOP :]
            release = chunk.release or release
            yield chunk
            if chunk.text and _loops(told):
                yield Chunk("", finish_reason="stop", release=release)
                return
    finally:
        _close(chunks)


def _loops(told: str) -> bool:
    for length in range(SHORTEST_LOOP, min(LONGEST_LOOP, len(told) // LOOPS) + 1):
        once = told[-length:]
        if told.endswith(once * LOOPS) and len(set(filter(str.isalpha, once))) > 2:
            return True
    return False


def judged(chunks: Iterator[Chunk], hook: Hook, withheld: str) -> Iterator[Chunk]:
    """Show an answer sentence by sentence as the hook allows; where it says no, the answer ends.

    Args:
        chunks: the answer; closed with the iterator.
        hook: the operator's; if it fails, nothing more is shown.
        withheld: said instead of the rest.
    """
    held, calls, release = "", list[dict[str, Any]](), ""

    def allowed(end: int) -> str | None:
        nonlocal held
        part, held = held[:end], held[end:]
        return hook(part, "answer") if part else ""

    try:
        for chunk in chunks:
            held += chunk.text
            calls += chunk.tool_calls
            release = chunk.release or release
            whole = _SENTENCE.match(held)
            shown = allowed(len(held) if chunk.finish_reason else whole.end() if whole else 0)
            if shown is None or (chunk.finish_reason and not _may_call(calls, hook)):
                yield Chunk(withheld, finish_reason="content_filter", release=release)
                return
            if chunk.finish_reason and (shown or calls):
                yield Chunk(shown, release=release, tool_calls=tuple(calls))
                shown = ""
            yield structs.replace(chunk, text=shown, tool_calls=())
        if held:  # it broke off
            yield Chunk(withheld if (shown := allowed(len(held))) is None else shown)
    finally:
        _close(chunks)


def _may_call(calls: list[dict[str, Any]], hook: Hook) -> bool:
    """Whether calls of functions may be shown: as a whole, for half of their arguments is none."""
    said = "".join(call.get("function", {}).get("arguments") or "" for call in calls)
    return not said or hook(said, "answer") == said


def _close(chunks: Iterator[Chunk]) -> None:
    if close := getattr(chunks, "close", None):
        close()
