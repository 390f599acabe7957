"""Actor documents of ActivityPub: what an account says of itself, its word on training included."""

import re
from collections.abc import Iterator
from typing import Any, Final

from sayso.content.events import AccountUpdate
from sayso.rights.signals import activitypub
from sayso.rights.signals.model import evidence
from sayso.rights.signals.resolve import verdict
from sayso.sources import as2_values as values
from sayso.sources.as2_values import UnfitError
from sayso.sources.items import Item, Skipped

KINDS: Final = {
    "Person": "person",
    "Service": "bot",
    "Application": "bot",
    "Group": "page",
    "Organization": "page",
}
LONGEST_NAME: Final = 256
# Which of an account's statements a profile is.
PROFILE: Final = "profile"


def updates(actor: dict[str, Any]) -> Iterator[AccountUpdate]:
    """Yield what an actor document says.

    Where its address does not show its name, records may stand under either, so there are two
    accounts, and the address leads to the name: the one document vouches for both.

    Raises:
        UnfitError: it has no address.
    """
    address = values.identifier(actor.get("id"))
    own = values.account(address)
    if not own:
        raise UnfitError("an actor without an address")
    name = named(actor)
    kind = next((KINDS[each] for each in KINDS if each in values.kinds(actor)), "")
    said = activitypub.actor(actor, _profile(actor))
    # Consent to search ends an earlier no to it; it is no consent to training (FEP-5feb).
    signal = verdict(said).signal or ("unset" if activitypub.is_search_yes(actor) else "")
    for account in dict.fromkeys((name, own)):
        yield AccountUpdate(
            account,
            values.host(address),
            handle=_user(actor),
            kind=kind,
            state=_state(actor),
            train_signal=signal,
            statement=PROFILE if signal else "",
            evidence=evidence(said) if signal and said else "",
            moved_to="" if account == name else name,
        )


def named(actor: dict[str, Any]) -> str:
    """Return an actor's account by its own name, or by its address where it tells no name."""
    address = values.identifier(actor.get("id"))
    user, where = _user(actor), values.host(address)
    return f"acct:{user}@{where}" if user and where else values.account(address)


def _user(actor: dict[str, Any]) -> str:
    """Return what an actor is called on its server, '' if that is no name."""
    user = values.string(actor.get("preferredUsername")).strip()
    return user if len(user) <= LONGEST_NAME and not re.search(r"[@/\s]", user) else ""


def move(activity: dict[str, Any]) -> Item:
    """Return what a Move says: that two accounts are one person's, if both are shown to say so.

    The old account says so by moving; the new one in its `alsoKnownAs`, which is only seen where
    its document stands in the activity itself.
    """
    old = values.identifier(activity.get("object"))
    target = values.one(activity.get("target"))
    new = values.identifier(target)
    known_as = values.identifiers(values.fields_of(target).get("alsoKnownAs"))
    by_itself = old and old == values.identifier(activity.get("actor"))
    before, after = values.account(old), values.account(new)
    if not (by_itself and old in known_as and before and after and before != after):
        return Skipped("move that only one side confirms")
    return AccountUpdate(before, values.host(old), moved_to=after)


def _state(actor: dict[str, Any]) -> str:
    """A suspended account's posts can no longer be seen; nothing is purged, it may come back."""
    match actor.get("suspended"):
        case None:
            return ""
        case False:
            return "active"
        case _:
            return "private"


def _profile(actor: dict[str, Any]) -> str:
    """All words of a profile: its text, its fields and its tags."""
    words = [values.string(actor.get("name")), values.localised(actor, "summary")[0]]
    words += [values.string(tag.get("name")) for tag in values.tags_of(actor, "Hashtag")]
    for field in values.many(actor.get("attachment")):
        about = values.fields_of(field)
        words += [values.string(about.get("name")), values.string(about.get("value"))]
    return "\n".join(values.plain(part) for part in words)
