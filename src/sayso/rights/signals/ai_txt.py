"""Spawning's ai.txt: `User-Agent: *`, `Disallow: *.jpg`, `Disallow: /`, as in robots.txt.

Source: spawning.ai's generator; patterns name kinds of files, so a no may be one to pictures alone.
"""

import re
from typing import Final

from sayso.rights.signals import robots
from sayso.rights.signals.model import Statement, said

_PICTURES: Final = re.compile(
    r"/?\*\.(jpe?g|png|gif|webp|avif|bmp|svg|tiff?|heic|ico|raw|psd|ai|eps)\$?", re.IGNORECASE
)


def statements(data: bytes, path: str | None = None) -> list[Statement]:
    """Return what the file says of a path, or, without one, each no that it has.

    A path that is allowed as well as disallowed by equal patterns is allowed (RFC 9309, 2.2.2), and
    an allowance is a yes only for the path that is asked about.
    """
    found = robots.groups(data)
    rules = [rule for group in found for rule in group.rules]
    listed = [
        (_pattern(rule.value), rule.name)
        for rule in rules
        if rule.name in ("allow", "disallow") and rule.value
    ]
    if path is None:
        return [_no(pattern) for pattern, name in listed if name == "disallow"]
    best = robots.best(listed, path)
    if not best:
        return []
    if all(name == "disallow" for _, name in best):
        return [_no(best[0][0])]
    return [said("ai.txt", "allow", where="ai.txt", raw=f"Allow: {best[0][0]}")]


def _pattern(value: str) -> str:
    return value if value.startswith(("/", "*")) else f"*{value}"


def _no(pattern: str) -> Statement:
    scope = "image" if _PICTURES.fullmatch(pattern) else ""
    return said("ai.txt", "deny", where="ai.txt", scope=scope, raw=f"Disallow: {pattern}")
