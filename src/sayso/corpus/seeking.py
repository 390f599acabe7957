"""Looking for third persons in records: by their names in words, by their accounts in tags."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from sayso.content.record import Medium, own_words
from sayso.corpus.naming import Finder, Keyed
from sayso.corpus.store import Store
from sayso.rights.names import CONTEXT, MENTION, NAME, Found, Sought
from sayso.workspace import Pseudonyms

_COLUMNS: Final = ("key", "service", "text", "media", "mentions")
_ROWS_AT_ONCE: Final = 4096
_MEDIA: Final = msgspec.json.Decoder(tuple[Medium, ...])


class Look(msgspec.Struct, frozen=True):
    """What of a record tells whether somebody is named or shown."""

    words: str
    has_media: bool
    mentions: frozenset[int]


class Search:
    """Looks for those who object in records.

    Args:
        pseudonyms: of this installation.
        sought: whom and what to look for.
    """

    def __init__(self, pseudonyms: Pseudonyms, sought: Sequence[Sought]) -> None:
        self._finder = Finder(
            pseudonyms,
            (Keyed(h, n) for each in sought for h, n in each.words.items() if n),
        )
        self._named = _by((each, each.names) for each in sought)
        self._shown = _by((each, each.accounts) for each in sought)

    def find(self, look: Look) -> Iterator[tuple[str, str]]:
        """Yield which objections a record is about, and how that was found."""
        shown = {each.number for key in look.mentions for each in self._shown.get(key, ())}
        if look.has_media:
            yield from ((number, MENTION) for number in shown)
        hashes = {span.hash for span in self._finder.find(look.words)}
        named = {each.number: each for hashed in hashes for each in self._named.get(hashed, ())}
        for number, each in named.items():
            if number in shown and look.has_media:
                continue
            near = number in shown or not each.contexts.isdisjoint(hashes)
            yield number, CONTEXT if near else NAME


def look_at(
    pseudonyms: Pseudonyms,
    service: str,
    text: str,
    media: Iterable[Medium],
    mentions: Iterable[str],
) -> Look:
    """Return what of a record tells whether somebody is named or shown."""
    listed = tuple(media)
    tagged = (number for each in mentions for number in accounts_meant(pseudonyms, each, service))
    return Look(own_words(text, listed), bool(listed), frozenset(tagged))


def accounts_meant(pseudonyms: Pseudonyms, mention: str, service: str) -> set[int]:
    """Return the pseudonyms of the accounts that a mention may mean: names may lack their host."""
    bare = mention.strip().removeprefix("@")
    forms = {mention, bare} if "@" in bare or ":" in bare else {mention, bare, f"{bare}@{service}"}
    return {pseudonyms.number("account", form) for form in forms}


def search(store: Store, pseudonyms: Pseudonyms, sought: Sequence[Sought]) -> Found:
    """Look for third persons in all stored records, within the lock `content`."""
    if not any(each.words for each in sought):
        return {}
    seeker, found = Search(pseudonyms, sought), Found()
    batches = store.records.open().to_batches(columns=list(_COLUMNS), batch_size=_ROWS_AT_ONCE)
    for batch in batches:
        for key, service, text, media, mentions in zip(
            *(batch[name].to_pylist() for name in _COLUMNS), strict=True
        ):
            pictures = () if media == "[]" else _MEDIA.decode(media)
            look = look_at(pseudonyms, service, text, pictures, mentions or ())
            found |= {(number, key): how for number, how in seeker.find(look)}
    return found


def _by(keyed: Iterable[tuple[Sought, Collection[int]]]) -> dict[int, list[Sought]]:
    found: dict[int, list[Sought]] = defaultdict(list)
    for each, keys in keyed:
        for key in keys:
            found[key].append(each)
    return found
