"""TDMRep: reservations of text and data mining (W3C Community Group report, 2024-05-10).

They stand in `/.well-known/tdmrep.json`, headers, `<meta>`, and the XMP or OPF of PDF and EPUB; the
later in this list, the stronger. Only 0 and 1 are values; all else leaves it unset, and what is
unset takes nothing back. A reservation may point to a licence, which has to be proven.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from sayso.rights.signals import headers, pages, policies, robots
from sayso.rights.signals.model import Statement, said

RESERVATION: Final = "tdm-reservation"
POLICY: Final = "tdm-policy"
LARGEST: Final = 4 * 1024 * 1024
# The weakest first (report, 'Priority of the techniques').
PLACES: Final = ("tdmrep.json", "header", "meta", "xmp")

FindPolicy = Callable[[str], bytes | None]


def _no_policy(_: str) -> None:
    return None


def well_known(
    data: bytes, path: str | None = None, policy: FindPolicy = _no_policy
) -> list[Statement]:
    """Return what `tdmrep.json` says of a path by its first rule that matches.

    Args:
        data: the file; one that is no array of rules is unreadable.
        path: of the content; None asks of the site: each reservation counts, a yes at the root.
        policy: returns the policy at an address if it is at hand.
    """
    try:
        told = msgspec.json.decode(data) if len(data) <= LARGEST else None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        told = None
    if not isinstance(told, list):
        return [said("tdmrep", "unreadable", category="mining", where=PLACES[0], raw=data)]
    rules = [rule for rule in told if isinstance(rule, dict) and isinstance(_place(rule), str)]
    if path is not None:
        return _first(rules, path, policy)
    reserved = [each for rule in rules for each in _rule(rule, policy) if each.value != "allow"]
    return list(dict.fromkeys([*_first(rules, "/", policy), *reserved]))


def header(found: headers.Headers, policy: FindPolicy = _no_policy) -> list[Statement]:
    """Return what the headers say."""
    listed = headers.pairs(found)
    return _named(listed, PLACES[1], policy)


def page(html: bytes | str, policy: FindPolicy = _no_policy) -> list[Statement]:
    """Return what a page's meta tags say."""
    return _named(pages.metas(html), PLACES[2], policy)


def reserved(
    value: Any, address: str, where: str, policy: FindPolicy = _no_policy
) -> list[Statement]:
    """Return what one reservation says: 1 is a no, 0 a yes, anything else nothing."""
    raw = f"{RESERVATION}: {value}" + (f"; {POLICY}: {address}" if address else "")
    signal = "tdmrep-xmp" if where == PLACES[3] else "tdmrep"
    if value not in (0, 1, "0", "1") or isinstance(value, bool):
        return []
    if str(value) == "0":
        return [said(signal, "allow", where=where, raw=raw)]
    licence = policy(address) if address else None
    if licence is not None and policies.permits(licence):
        kind = "rsl" if licence.lstrip().startswith(b"<") else "odrl"
        return [said(kind, "allow", where=where, raw=raw)]
    return [said(signal, "deny", category="mining", where=where, raw=raw)]


def effective(statements: Sequence[Statement]) -> list[Statement]:
    """Return of one content's reservations those in the strongest place.

    For one content whose places all are known; `resolve.verdict` lets no place take back a no.
    """
    by_place = [[each for each in statements if each.where == place] for place in PLACES]
    return next((found for found in reversed(by_place) if found), [])


def _named(listed: Sequence[tuple[str, str]], where: str, policy: FindPolicy) -> list[Statement]:
    address = next((value.strip() for name, value in listed if name == POLICY), "")
    values = [value.strip() for name, value in listed if name == RESERVATION]
    return [each for value in values for each in reserved(value, address, where, policy)]


def _first(rules: Sequence[dict[str, Any]], path: str, policy: FindPolicy) -> list[Statement]:
    matching = (rule for rule in rules if robots.matches(_place(rule), path))
    rule = next(matching, None)
    return [] if rule is None else _rule(rule, policy)


def _rule(rule: dict[str, Any], policy: FindPolicy) -> list[Statement]:
    value, address = rule.get(RESERVATION), rule.get(POLICY)
    if isinstance(value, str | float):
        return []  # in JSON it is the number 0 or 1
    return reserved(value, address if isinstance(address, str) else "", PLACES[0], policy)


def _place(rule: dict[str, Any]) -> Any:
    return rule.get("location")
