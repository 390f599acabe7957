"""What HTML pages say of themselves in `<meta>`."""

from typing import Final

_MOST: Final = 8 * 1024 * 1024


def metas(html: bytes | str) -> list[tuple[str, str]]:
    """Return the name (lower case) and content of each `<meta name>`, wherever it stands."""
    from selectolax.lexbor import LexborHTMLParser

    text = html if isinstance(html, str) else html[:_MOST].decode("utf-8", "replace")
    found = []
    for node in LexborHTMLParser(text.encode("utf-8", "replace").decode()).css("meta[name]"):
        told = node.attributes
        found.append(((told.get("name") or "").strip().lower(), told.get("content") or ""))
    return found


def text(html: str) -> str:
    """Return the words of a piece of HTML; inline tags part no words."""
    from selectolax.lexbor import LexborHTMLParser

    body = LexborHTMLParser(html.encode("utf-8", "replace").decode()).body
    if body is None:
        return ""
    blocks = body.css("p, br, div, li, td")
    for block in blocks:
        block.insert_before(" ")
        block.insert_after(" ")
    return body.text(deep=True)
