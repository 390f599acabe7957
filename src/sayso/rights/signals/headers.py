"""HTTP headers as they come: name and value pairs, or a dump of them."""

from collections.abc import Iterable, Mapping
from typing import Final

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

_MOST: Final = 256 * 1024


def pairs(headers: Headers) -> list[tuple[str, str]]:
    """Return headers as pairs with their names in lower case."""
    listed = headers.items() if isinstance(headers, Mapping) else headers
    return [(name.strip().lower(), value.strip()) for name, value in listed]


def values(headers: Headers, name: str) -> list[str]:
    """Return the values of all headers of a name, in their order."""
    return [value for found, value in pairs(headers) if found == name.lower()]


def parse(data: bytes) -> list[tuple[str, str]]:
    """Read a dump of headers, as `curl -I` shows them; lines that are none are passed over."""
    found: list[tuple[str, str]] = []
    for line in data[:_MOST].decode("utf-8", "replace").splitlines():
        if line[:1] in (" ", "\t") and found:  # a folded line goes on with the one before
            name, value = found[-1]
            found[-1] = (name, f"{value} {line.strip()}")
        elif ":" in line:
            name, _, value = line.partition(":")
            found.append((name.strip().lower(), value.strip()))
    return found
