"""AIPREF: `Content-Usage` in headers and robots.txt (draft-ietf-aipref-vocab, -attach).

A value is a dictionary of structured fields (RFC 9651) in which the tokens `y` and `n` alone count,
by their case; of a key that comes twice the last counts. The labels changed from draft to draft:
a no under an old one is still a no, a yes is not carried over, for it was one to something else.
"""

from typing import Final

import http_sf

from sayso.rights.signals import headers, robots
from sayso.rights.signals.model import ALL, Category, Readings, Statement, said

FIELD: Final = "content-usage"
_NOW: Final = frozenset(("train-ai", "train-genai"))  # a yes under these is one to training
_07: Final[dict[str, Category]] = {"train-ai": "training", "search": "search"}
LABELS: Final[dict[str, dict[str, Category]]] = {
    "01": {
        "tdm": "mining",
        "ai": "training",
        "genai": "generative",
        "search": "search",
        "inference": "inference",
    },
    "02": {
        "all": "training",
        "train-ai": "training",
        "train-genai": "generative",
        "ai-use": "inference",
        "search": "search",
    },
    "03": {
        "bots": "training",
        "train-ai": "training",
        "train-genai": "generative",
        "search": "search",
    },
    "04": {
        "bots": "training",
        "train-ai": "training",
        "ai-output": "inference",
        "search": "search",
    },
    "05": _07,
    "06": _07,
    "07": _07,
}


def header(found: headers.Headers, readings: Readings = ALL) -> list[Statement]:
    """Return what the `Content-Usage` headers say; several are one, joined by commas."""
    values = headers.values(found, FIELD)
    return usage(", ".join(values), "header", readings) if values else []


def robots_txt(
    data: bytes, path: str | None = None, agent: str = "*", readings: Readings = ALL
) -> list[Statement]:
    """Return what robots.txt says of a path (None: of the site); the strictest of equal paths."""
    rules = [
        robots.split_path(rule.value)
        for rule in robots.rules_for(robots.groups(data), agent)
        if rule.name == FIELD
    ]

    def is_no(value: str) -> bool:
        return any(each.value != "allow" for each in usage(value, "", readings))

    return [
        each
        for pattern, value in robots.choose(rules, path, is_no)
        for each in usage(value, f"robots.txt {pattern}", readings)
    ]


def usage(value: str, where: str, readings: Readings = ALL) -> list[Statement]:
    """Read one dictionary of preferences."""
    try:
        told = http_sf.parse(value.encode("ascii"), tltype="dictionary")
    except (http_sf.StructuredFieldError, UnicodeEncodeError, ValueError, RecursionError):
        return [said("aipref", "unreadable", where=where, raw=value)]
    if not isinstance(told, dict):
        return [said("aipref", "unreadable", where=where, raw=value)]
    statements = []
    for label, item in told.items():
        drafts = [draft for draft in sorted(readings.aipref_drafts) if label in LABELS[draft]]
        if not drafts:
            continue
        token = item[0] if isinstance(item, tuple) else item
        is_token = isinstance(token, http_sf.Token)
        known = {"y": "allow", "n": "deny"}.get(str(token), "") if is_token else ""
        if known == "allow" and label not in (*_NOW, "search"):
            continue
        statements.append(
            said(
                "aipref",
                "deny" if known == "deny" else "allow" if known else "unreadable",
                version=f"vocab-{drafts[-1]} {label}",
                category=LABELS[drafts[-1]][label],
                where=where,
                raw=value,
            )
        )
    return statements
