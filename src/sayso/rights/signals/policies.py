"""Licences behind a reservation: whether an ODRL 2.2 or RSL 1.0 policy permits mining to anybody.

A reservation without a proven licence is a no. So a policy helps only where it permits without
duty, constraint, payment or addressee, and forbids nothing of the kind; whatever else, broken
policies included, leaves the reservation as it is.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from sayso.rights.signals import markup

_ODRL_MINING: Final = frozenset(("mine", "tdm:mine", "http://www.w3.org/ns/tdmrep#mine"))
_BOUND: Final = ("duty", "constraint", "assignee", "consequence")
_RSL: Final = "{https://rslstandard.org/rsl}"
_RSL_TRAINING: Final = frozenset(("all", "ai-all", "ai-train", "train-ai"))
_LARGEST: Final = 1024 * 1024


def permits(data: bytes) -> bool:
    """Whether a policy plainly permits training to everybody."""
    if len(data) > _LARGEST:
        return False
    return _rsl(data) if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else _odrl(data)


def _odrl(data: bytes) -> bool:
    try:
        told = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    if not isinstance(told, dict) or any(told.get(key) for key in (*_BOUND, "obligation")):
        return False
    if any(True for _ in _rules(told, "prohibition")):
        return False
    return any(
        _ODRL_MINING & set(_actions(rule)) and not any(rule.get(key) for key in _BOUND)
        for rule in _rules(told, "permission")
    )


def _rules(policy: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    told = policy.get(kind)
    for rule in told if isinstance(told, list) else [told]:
        if isinstance(rule, dict):
            yield rule


def _actions(rule: dict[str, Any]) -> Iterator[str]:
    told = rule.get("action")
    for action in told if isinstance(told, list) else [told]:
        if isinstance(action, str):  # an action that is refined is an object, and no plain yes
            yield action


def _rsl(data: bytes) -> bool:
    root = markup.root_of(data)
    if root is None:
        return False
    licences = list(root.iter(f"{_RSL}license"))
    # Which licence is for which content is not looked at: all must permit.
    return bool(licences) and all(_is_free(licence) for licence in licences)


def _is_free(licence: Any) -> bool:
    def tokens(name: str) -> set[str]:
        return {
            token
            for each in licence.findall(f"{_RSL}{name}")
            if each.get("type", "usage") == "usage"
            for token in (each.text or "").replace(",", " ").lower().split()
        }

    others = {"user", "geo"} & {
        each.get("type")
        for name in ("permits", "prohibits")
        for each in licence.findall(_RSL + name)
    }
    payments = [each.get("type", "") for each in licence.findall(f"{_RSL}payment")]
    free = all(kind == "free" for kind in payments)
    allowed, forbidden = tokens("permits"), tokens("prohibits")
    return bool(allowed & _RSL_TRAINING) and not forbidden & _RSL_TRAINING and free and not others
