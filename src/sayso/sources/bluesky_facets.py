"""Rich text of Bluesky: what facets say of ranges of a post's text.

Source: lexicon app.bsky.richtext.facet. Ranges are offsets into the text's UTF-8 bytes.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

_ELLIPSES: Final = ("...", "…")
_END_OF_HOST: Final = re.compile(r"[/?#]")


class RichText(Struct, frozen=True):
    """A text with its links whole again, whom it mentions (DIDs), and its tags as they are given.

    Anything may stand in `mentions` and `tags`: they are as the record has them.
    """

    text: str
    mentions: tuple[Any, ...] = ()
    tags: tuple[Any, ...] = ()


def read(text: str, facets: Any) -> RichText:
    """Read a post's facets; what is no facet, or points nowhere, is passed over."""
    if not facets or not isinstance(facets, list):
        return RichText(text)
    mentions: list[Any] = []
    tags: list[Any] = []
    links: list[tuple[int, int, str]] = []
    for facet in facets:
        for feature in _features(facet):
            match feature.get("$type"):
                case "app.bsky.richtext.facet#mention":
                    mentions.append(feature.get("did"))
                case "app.bsky.richtext.facet#tag":
                    tags.append(feature.get("tag"))
                case "app.bsky.richtext.facet#link":
                    links += _link(facet, feature.get("uri"))
    whole = _with_links(text, sorted(links)) if links else text
    return RichText(whole, tuple(mentions), tuple(tags))


def _features(facet: Any) -> Iterator[dict[str, Any]]:
    features = facet.get("features") if isinstance(facet, dict) else None
    if isinstance(features, list):
        yield from (feature for feature in features if isinstance(feature, dict))


def _link(facet: dict[str, Any], uri: Any) -> Iterator[tuple[int, int, str]]:
    index = facet.get("index")
    if not isinstance(index, dict) or not isinstance(uri, str):
        return
    start, end = index.get("byteStart"), index.get("byteEnd")
    if type(start) is int and type(end) is int and 0 <= start < end:
        yield start, end, uri


def _with_links(text: str, links: list[tuple[int, int, str]]) -> str:
    """Put whole links in the places of those that an app shortened for display."""
    data = text.encode()
    parts, done = [], 0
    for start, end, uri in links:
        if start < done or end > len(data):
            continue
        try:
            before, shown = data[done:start].decode(), data[start:end].decode()
        except UnicodeDecodeError:
            continue  # the range cuts a character apart: it was not made for this text
        parts += [before, uri if _is_short_for(shown, uri) else shown]
        done = end
    return "".join(parts) + data[done:].decode()


def _is_short_for(shown: str, uri: str) -> bool:
    """Whether a text is the beginning of a link, as apps show it; an author's words are not."""
    for ellipsis in _ELLIPSES:
        shown = shown.removesuffix(ellipsis)
    address, beginning = _address(uri), _address(shown)
    host = _END_OF_HOST.split(address, maxsplit=1)[0]
    return bool(host) and beginning.startswith(host) and address.startswith(beginning)


def _address(uri: str) -> str:
    """Return a link without what apps leave away: the scheme, www."""
    return (uri.partition("://")[2] or uri).lower().removeprefix("www.")
