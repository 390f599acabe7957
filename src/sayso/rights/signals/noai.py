"""`noai` and `noimageai` in `<meta name="robots">` and `X-Robots-Tag` (DeviantArt, 2022).

There is no specification. Case does not count, page and headers add up, and a header may name a bot
first (`mybot: noai`): a no to one is heard as one to all. `noindex` is about search, not about AI.
"""

import re
from typing import Final

from sayso.rights.signals import headers, pages
from sayso.rights.signals.model import Statement, said

_TOKEN: Final = re.compile(r"(?<![\w-])(noai|noimageai)(?![\w-])", re.IGNORECASE)


def header(found: headers.Headers) -> list[Statement]:
    """Return what `X-Robots-Tag` headers say."""
    values = headers.values(found, "x-robots-tag")
    return [each for value in values for each in _read(value, "header")]


def page(html: bytes | str) -> list[Statement]:
    """Return what a page's meta tags for robots say."""
    told = [content for name, content in pages.metas(html) if "bot" in name]
    return [each for content in told for each in _read(content, "meta")]


def _read(value: str, where: str) -> list[Statement]:
    tokens = dict.fromkeys(token.lower() for token in _TOKEN.findall(value))
    return [
        said("noai", "deny", where=where, scope="image" if token == "noimageai" else "", raw=value)
        for token in tokens
    ]
