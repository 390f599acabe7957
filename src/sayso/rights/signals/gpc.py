"""Global Privacy Control: a person's browser, or a site, says that data is not to be passed on.

`Sec-GPC: 1` is the word of whoever sends the request, not of what they read; a site's
`/.well-known/gpc.json` says only whether it heeds the signal. Source: W3C Global Privacy
Control, Working Draft.
"""

import msgspec

from sayso.rights.signals import headers
from sayso.rights.signals.model import Statement, said


def header(found: headers.Headers) -> list[Statement]:
    """Return the person's no; any other value than `1` is no statement (section 3.1)."""
    values = headers.values(found, "sec-gpc")
    if "1" not in values:
        return []
    return [said("gpc", "deny", category="member", where="header", raw="Sec-GPC: 1")]


def is_supported(data: bytes) -> bool:
    """Whether a site's gpc.json says that it heeds the signal: `{"gpc": true}` (section 4)."""
    try:
        told = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return isinstance(told, dict) and told.get("gpc") is True
