"""Content Signals in robots.txt: `Content-Signal: search=yes, ai-train=no` (contentsignals.org)."""

from typing import Final

from sayso.rights.signals import robots
from sayso.rights.signals.model import Category, Statement, Value, said

FIELD: Final = "content-signal"
_USES: Final[dict[str, Category]] = {
    "ai-train": "training",
    "ai-input": "inference",
    "search": "search",
}
_VALUES: Final[dict[str, Value]] = {"yes": "allow", "no": "deny"}


def robots_txt(data: bytes, path: str | None = None, agent: str = "*") -> list[Statement]:
    """Return what robots.txt says of a path (None: of the site); what is left out is not said."""
    rules = [
        robots.split_path(rule.value)
        for rule in robots.rules_for(robots.groups(data), agent)
        if rule.name == FIELD
    ]

    def is_no(value: str) -> bool:
        return any(each.value != "allow" for each in signals(value, ""))

    return [
        each
        for pattern, value in robots.choose(rules, path, is_no)
        for each in signals(value, f"robots.txt {pattern}")
    ]


def signals(value: str, where: str) -> list[Statement]:
    """Read one line's signals; a use with a value that is neither yes nor no is unreadable."""
    found = []
    for part in value.split(","):
        name, _, answer = (each.strip().lower() for each in part.partition("="))
        if name in _USES:
            heard = _VALUES.get(answer, "unreadable")
            found.append(
                said("content-signals", heard, category=_USES[name], where=where, raw=value)
            )
    return found
