"""What actors and posts of ActivityPub say, and the tags by which people say it in profiles.

No property speaks of AI training. Who does not want to be found by search does not want this
either (toot:indexable, FEP-5feb; FEP-268d); consent to search is consent to search alone. By custom
people write #noai, #noimageai, #nobot or #noindex into their profile.
"""

import re
from typing import Any, Final

from sayso.rights.signals import pages
from sayso.rights.signals.model import Statement, said

_TAG: Final = re.compile(r"(?<!\w)#(?:noai|noimageai|nobots?|noindex)\b", re.IGNORECASE)
PUBLIC: Final = frozenset(("https://www.w3.org/ns/activitystreams#Public", "as:Public", "Public"))


def actor(fields: dict[str, Any], words: str | None = None) -> list[Statement]:
    """Return what an actor document says.

    Args:
        fields: the document.
        words: all words of the profile as plain text; None to take them from the document.
    """
    found = bio(_profile(fields) if words is None else words)
    indexable = fields.get("indexable")
    if indexable is False:
        found.append(_no("indexable", False))
    elif indexable is True:
        found.append(_search("allow", "indexable", True))
    elif indexable is not None:
        found.append(
            said("activitypub", "unreadable", where="indexable", raw={"indexable": indexable})
        )
    # Being suggested to others is one more thing that is not training.
    if isinstance(fields.get("discoverable"), bool):
        answer = fields["discoverable"]
        found.append(_search("allow" if answer else "deny", "discoverable", answer))
    if fields.get("memorial") is True:
        # Of the dead nobody is left who could object.
        found.append(_no("memorial", True))
    return found + searchable(fields)


def searchable(fields: dict[str, Any]) -> list[Statement]:
    """Return what `searchableBy` of an actor or a post says (FEP-268d)."""
    told = fields.get("searchableBy")
    if told is None or not PUBLIC.isdisjoint(_addresses(told)):
        return []
    return [_no("searchableBy", told)]


def bio(words: str) -> list[Statement]:
    """Return the noes that stand as tags in the plain text of a profile."""
    tags = dict.fromkeys(tag.lower() for tag in _TAG.findall(words))
    return [said("bio-tag", "deny", where="profile", raw=tag) for tag in tags]


def is_search_yes(fields: dict[str, Any]) -> bool:
    """Whether the actor agrees to search: then an earlier no by the same property has ended."""
    return fields.get("indexable") is True


def _no(name: str, value: Any) -> Statement:
    return said("activitypub", "deny", where=name, raw={name: value})


def _search(value: Any, name: str, raw: Any) -> Statement:
    return said("activitypub", value, category="search", where=name, raw={name: raw})


def _addresses(told: Any) -> set[str]:
    listed = told if isinstance(told, list) else [told]
    named = [each.get("id") if isinstance(each, dict) else each for each in listed]
    return {each for each in named if isinstance(each, str)}


def _profile(fields: dict[str, Any]) -> str:
    """All words of a profile, in every language: its text, its fields and its tags."""
    by_language = fields.get("summaryMap")
    parts = [fields.get("name"), fields.get("summary"), fields.get("note")]
    parts += list(by_language.values()) if isinstance(by_language, dict) else []
    for key in ("tag", "attachment", "fields"):
        listed = fields.get(key)
        for each in listed if isinstance(listed, list) else [listed]:
            if isinstance(each, dict):
                parts += [each.get("name"), each.get("value")]
    return "\n".join(pages.text(part) for part in parts if isinstance(part, str))
