"""What an atproto account says of AI in its own repository.

Two lexicons do: `community.lexicon.preference.ai` (lexicon.community, 2026-04) with its scopes, and
`org.user-intents.declaration` (Bluesky proposal 0008). Any no wins; what cannot be read is no yes.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from sayso.rights.signals.model import Category, Statement, Value, said

PREFERENCE: Final = "community.lexicon.preference.ai"
INTENTS: Final = "org.user-intents.declaration"
COLLECTIONS: Final = (PREFERENCE, INTENTS)

# One answer stands for all that is done with a record that is admitted, so a no to any of them is
# a no; the lexicon's `embedding` is about search.
_USES: Final[dict[str, Category]] = {
    "training": "training",
    "inference": "inference",
    "syntheticContent": "generative",
}
_GENERATIVE: Final = "syntheticContentGeneration"
_DATASET: Final = "bulkDataset"
_POST: Final = "app.bsky.feed.post"


class _Preference(Struct, frozen=True):
    """One record's word: on 'posts', on the whole 'account', or on what is not 'ours'."""

    scope: str
    uses: Mapping[str, str]
    where: str
    raw: Any


def statements(records: Iterable[tuple[str, str, object]]) -> list[Statement]:
    """Return what one repository's records of both lexicons say together.

    Args:
        records: collection, record key and fields (None for a record that cannot be read).
    """
    preferences, found = [], []
    for collection, key, fields in records:
        if collection == PREFERENCE:
            preferences.append(_preference(key, fields))
        elif collection == INTENTS and not key.startswith("did:"):
            found += _intents(key, fields)
    return [*found, *_combined(preferences)]


def streamed(collection: str, key: str, fields: object) -> list[Statement]:
    """Return what a single record that was just written says.

    A stream shows one record at a time, so an override for posts alone counts only where it takes
    something away: whether its yes may stand is seen in the whole repository.
    """
    found = statements([(collection, key, fields)])
    is_yes = all(each.value == "allow" for each in found)
    if collection == PREFERENCE and _preference(key, fields).scope == "posts" and is_yes:
        return []
    return found


def _combined(preferences: list[_Preference]) -> list[Statement]:
    """Resolve by use: a statement on posts before one on the account, as the lexicon has it."""
    ours = [each for each in preferences if each.scope != "others"]
    if not ours:
        return []
    found = []
    for use, category in _USES.items():
        for scope in ("posts", "account"):
            speaking = [each for each in ours if each.scope == scope and each.uses.get(use)]
            found += [_statement(each, use, category) for each in speaking]
            if speaking:
                break
    # Whoever writes such a record and leaves training open has not said yes to it.
    if not any(each.category == "training" for each in found):
        found.append(_said(PREFERENCE, "unreadable", "training", ours[0].where, ours[0].raw))
    return found


def _statement(preference: _Preference, use: str, category: Category) -> Statement:
    value = _VALUES[preference.uses[use]]
    return _said(PREFERENCE, value, category, preference.where, preference.raw)


_VALUES: Final[dict[str, Value]] = {"allow": "allow", "deny": "deny", "unreadable": "unreadable"}


def _said(lexicon: str, value: Value, category: Category, where: str, raw: Any) -> Statement:
    signal = "atproto-preference" if lexicon == PREFERENCE else "atproto-intents"
    return said(signal, value, category=category, where=where, raw=raw)


def _preference(key: str, fields: object) -> _Preference:
    where = f"{PREFERENCE}/{key}"
    unreadable = _Preference("account", dict.fromkeys(_USES, "unreadable"), where, fields)
    if not isinstance(fields, dict):
        return unreadable
    scope = _scope(fields.get("scope"))
    if scope == "others":
        return _Preference(scope, {}, where, fields)
    preferences = fields.get("preferences")
    if not scope or not isinstance(preferences, dict):
        return unreadable
    uses = {use: _heard(preferences.get(use)) for use in _USES}
    return _Preference(scope, uses, where, fields)


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


def _intents(key: str, fields: object) -> list[Statement]:
    where = f"{INTENTS}/{key}"
    if not isinstance(fields, dict):
        return [_said(INTENTS, "unreadable", "generative", where, fields)]
    found = [
        _said(INTENTS, _VALUES[heard], "generative", where, fields)
        for heard in _intent(fields, _GENERATIVE)
    ]
    # A yes to data sets says nothing of models.
    return found + [
        _said(INTENTS, _VALUES[heard], "mining", where, fields)
        for heard in _intent(fields, _DATASET)
        if heard != "allow"
    ]


def _intent(fields: dict[str, object], name: str) -> list[str]:
    """Read one intent; early writers put the lexicon's name before its own."""
    names = (name, f"org.user-intents.{name}")
    return [heard for key in names if (heard := _heard(fields.get(key), open_is_unset=True))]


def _heard(preference: object, *, open_is_unset: bool = False) -> str:
    """Read `{"allow": …}`; without it, user-intents are undefined and preferences are broken."""
    if preference is None:
        return ""
    allow = preference.get("allow") if isinstance(preference, dict) else ()
    if isinstance(allow, bool):
        return "allow" if allow else "deny"
    return "" if allow is None and open_is_unset else "unreadable"
