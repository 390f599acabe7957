"""What an atproto account says of AI in its own repository.

Two lexicons do: `community.lexicon.preference.ai` (lexicon.community, 2026-04) with its scopes, and
`org.user-intents.declaration` (Bluesky proposal 0008). Any no wins; what cannot be read is no yes.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from sayso.content.record import strictest

PREFERENCE: Final = "community.lexicon.preference.ai"
INTENTS: Final = "org.user-intents.declaration"
COLLECTIONS: Final = (PREFERENCE, INTENTS)

# What Sayso does with a record that it admits: it trains on it, answers from it, and what answers
# is a generator. One verdict stands for all of these, so a no to any of them is a no.
_USES: Final = ("training", "inference", "syntheticContent")
_GENERATIVE: Final = "syntheticContentGeneration"
_DATASET: Final = "bulkDataset"
_POST: Final = "app.bsky.feed.post"


class Statement(Struct, frozen=True):
    """One record's word: on 'posts', on the whole 'account', or on what is not 'ours'."""

    scope: str
    uses: Mapping[str, str]


def resolve(records: Iterable[tuple[str, str, object]]) -> str:
    """Return the signal of one repository's records of both lexicons.

    Args:
        records: collection, record key and fields (None for a record that cannot be read).

    Returns:
        'deny', 'unreadable', 'allow', or '' where none of them speaks of Sayso's uses.
    """
    statements, said = [], []
    for collection, key, fields in records:
        if collection == PREFERENCE:
            statements.append(_statement(fields))
        elif collection == INTENTS and not key.startswith("did:"):
            said.append(_intents(fields))
    return strictest([*said, _combined(statements)])


def streamed(collection: str, key: str, fields: object) -> str:
    """Return what a single record that was just written changes; '' for nothing.

    A stream shows one record at a time, so an override for posts alone counts only where it takes
    something away: whether its yes may stand is seen in the whole repository.
    """
    said = resolve([(collection, key, fields)])
    if collection == PREFERENCE and _statement(fields).scope == "posts" and said == "allow":
        return ""
    return said


def _combined(statements: list[Statement]) -> str:
    """Resolve by use: a statement on posts before one on the account, as the lexicon has it."""
    ours = [statement for statement in statements if statement.scope != "others"]
    if not ours:
        return ""
    by_use = []
    for use in _USES:
        posts = strictest(s.uses.get(use, "") for s in ours if s.scope == "posts")
        by_use.append(posts or strictest(s.uses.get(use, "") for s in ours if s.scope == "account"))
    said = strictest(by_use)
    # Whoever writes such a record and leaves training open has not said yes to it.
    return "unreadable" if said in ("", "allow") and by_use[0] != "allow" else said


def _statement(fields: object) -> Statement:
    unreadable = Statement("account", dict.fromkeys(_USES, "unreadable"))
    if not isinstance(fields, dict):
        return unreadable
    scope = _scope(fields.get("scope"))
    if scope == "others":
        return Statement(scope, {})
    preferences = fields.get("preferences")
    if not scope or not isinstance(preferences, dict):
        return unreadable
    return Statement(scope, {use: _said(preferences.get(use)) for use in _USES})


def _scope(scope: object) -> str:
    """'account', 'posts', 'others', or '' for what cannot be read."""
    if scope is None:
        return "account"
    kind = scope.get("$type") if isinstance(scope, dict) else None
    if not isinstance(scope, dict) or not isinstance(kind, str):
        return ""
    match kind.rpartition("#")[2]:
        case "globalScope":
            return "account"
        case "entityScope" if isinstance(scope.get("entity"), str):
            return "others"
        case "collectionScope" if isinstance(scope.get("collection"), str):
            return "posts" if scope["collection"] == _POST else "others"
        case _:
            return ""


def _intents(fields: object) -> str:
    if not isinstance(fields, dict):
        return "unreadable"
    generative = _intent(fields, _GENERATIVE)
    dataset = _intent(fields, _DATASET)
    # A yes to data sets says nothing of models.
    return strictest([generative, "" if dataset == "allow" else dataset])


def _intent(fields: dict[str, object], name: str) -> str:
    """Read one intent; early writers put the lexicon's name before its own."""
    names = (name, f"org.user-intents.{name}")
    return strictest(_said(fields.get(key), open_is_unset=True) for key in names)


def _said(preference: object, *, open_is_unset: bool = False) -> str:
    """Read `{"allow": …}`; without it, user-intents are undefined and preferences are broken."""
    if preference is None:
        return ""
    allow = preference.get("allow") if isinstance(preference, dict) else ()
    if isinstance(allow, bool):
        return "allow" if allow else "deny"
    return "" if allow is None and open_is_unset else "unreadable"
