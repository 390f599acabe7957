"""robots.txt: its groups, its paths, and which rule of a group speaks of a path (RFC 9309)."""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from msgspec import Struct

LARGEST: Final = 512 * 1024  # RFC 9309, 2.5 asks for at least 500 KiB
_SAFE: Final = "/*$?&=+,;:@!~'()%-._"


class Rule(Struct, frozen=True):
    """A line of a group: its name in lower case, and its value."""

    name: str
    value: str


class Group(Struct):
    """Agents (lower case) and the rules for them; rules before any agent are for '*'."""

    agents: list[str]
    rules: list[Rule]


def groups(data: bytes) -> list[Group]:
    """Return the groups of a file, in its order; what is no rule is passed over."""
    found: list[Group] = []
    begun = False
    for line in data[:LARGEST].decode("utf-8-sig", "replace").splitlines():
        name, colon, value = line.partition("#")[0].partition(":")
        if not colon:
            continue
        rule = Rule(name.strip().lower(), value.strip())
        if rule.name == "user-agent":
            if not begun:
                found.append(Group([], []))
            found[-1].agents.append(rule.value.lower())
            begun = True
        elif rule.name != "sitemap":
            if not found:
                found.append(Group(["*"], []))
            found[-1].rules.append(rule)
            begun = False
    return found


def rules_for(found: Iterable[Group], agent: str) -> list[Rule]:
    """Return the rules of all groups that name an agent, or else of those for '*'."""
    listed = list(found)
    for name in (agent.lower(), "*"):
        chosen = [group for group in listed if name in group.agents]
        if chosen:
            return [rule for group in chosen for rule in group.rules]
    return []


def names(data: bytes) -> set[str]:
    """Return the agents that groups are for."""
    return {agent for group in groups(data) for agent in group.agents}


def matches(pattern: str, path: str) -> bool:
    """Whether a path pattern ('*' any, '$' the end) covers a path."""
    return _compiled(pattern).match(_normal(path)) is not None


def best(rules: Iterable[tuple[str, str]], path: str) -> list[tuple[str, str]]:
    """Return the (pattern, value)s with the longest pattern that covers a path; [] if none does."""
    covering = [rule for rule in rules if matches(rule[0], path)]
    longest = max((len(_normal(pattern)) for pattern, _ in covering), default=-1)
    return [rule for rule in covering if len(_normal(rule[0])) == longest]


def split_path(value: str) -> tuple[str, str]:
    """Return the path that a value may begin with ('/' if none), and the rest."""
    if not value.startswith("/"):
        return "/", value
    path, _, rest = value.partition(" ")
    return path, rest.strip()


def choose(
    rules: list[tuple[str, str]], path: str | None, is_no: Callable[[str], bool]
) -> list[tuple[str, str]]:
    """Return the (pattern, value)s that speak of a path; without one, of the site as a whole.

    Then what is no yes counts on whatever path it stands, and a yes only if it holds at the root.
    """
    if path is not None:
        return best(rules, path)
    somewhere = [rule for rule in rules if is_no(rule[1])]
    return list(dict.fromkeys([*best(rules, "/"), *somewhere]))


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    ends = pattern.endswith("$")
    # Stars that follow each other match the same, and would only make matching slow.
    parts = re.sub(r"\*+", "*", _normal(pattern.removesuffix("$"))).split("*")
    # Each part is taken where it first comes: no way back, so no pattern makes matching slow.
    body = re.escape(parts[0])
    for number, part in enumerate(parts[1:], 1):
        is_last = number == len(parts) - 1
        if ends and is_last:
            body += f".*{re.escape(part)}"
        elif part:
            body += f"(?>.*?{re.escape(part)})"
    return re.compile(body + (r"\Z" if ends else ""), re.DOTALL)


def _normal(path: str) -> str:
    return quote(unquote_to_bytes(path.encode("utf-8", "replace")), safe=_SAFE)
