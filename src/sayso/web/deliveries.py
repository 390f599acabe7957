"""What an actor may say: activities about what is its own, as far as we take them.

A signature proves who speaks. Here it is decided whether that one may: a server speaks for the
addresses of its own host, an actor for what it wrote.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from sayso.content.events import Delete, Upsert
from sayso.corpus.store import Store
from sayso.sources import activitystreams, messages
from sayso.sources import as2_values as values
from sayso.sources.as2_actors import KINDS
from sayso.sources.items import Item, Refused
from sayso.workspace import Pseudonyms

FOLLOW: Final = "Follow"
REACTIONS: Final = frozenset({"Like", "Announce", "EmojiReact", "Dislike"})
_OPEN: Final = ("public", "unlisted")


class NotTheirsError(Exception):
    """An activity about something that is not its actor's."""


def host_of(address: str) -> str:
    """Return the host, with its port if it has one, of a web address; '' if it is none."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    is_web = parts.scheme in ("https", "http") and parts.hostname and "@" not in parts.netloc
    return parts.netloc.lower() if is_web else ""


def owned(activity: dict[str, Any], actor: str) -> dict[str, Any] | None:
    """Return an activity as it may be read; None for one of a kind that we do not take.

    Raises:
        NotTheirsError: it is about something of another actor or host.
        UnfitError: an address in it is too long.
    """
    kinds = values.kinds(activity)
    kind = next(iter(kinds)) if len(kinds) == 1 else ""
    if kind not in {"Create", "Update", "Delete", "Undo", *REACTIONS}:
        return None
    _same_host(values.identifier(activity.get("id")), actor)
    parts = values.many(activity.get("object"))
    if len(parts) != 1:
        raise NotTheirsError("expected one object")
    (part,) = parts
    fields = values.fields_of(part)
    if kind in ("Create", "Update"):
        _check_written(fields, actor)
    elif kind == "Delete":
        target = values.identifier(part)
        _same_host(target, actor)
        # By its address alone: what else it says of itself could name it an account.
        part = target
    elif kind == "Undo":
        if fields and not values.kinds(fields) <= REACTIONS:
            return None
        _same_host(values.identifier(part), actor)
        if fields and values.identifier(fields.get("actor")) != actor:
            raise NotTheirsError("only whoever did something can undo it")
    return activity | {"actor": actor, "object": part}


def _check_written(fields: dict[str, Any], actor: str) -> None:
    if not fields:
        return  # an address alone, which is not followed
    found = values.kinds(fields)
    if "Tombstone" in found:
        raise NotTheirsError("a deletion that does not say so")
    if found & set(KINDS):
        if values.identifier(fields.get("id")) != actor:
            raise NotTheirsError("an account of another")
        return
    _same_host(values.identifier(fields.get("id")), actor)
    if actor not in values.identifiers(fields.get("attributedTo")):
        raise NotTheirsError("a post of another")


def _same_host(address: str, actor: str) -> None:
    if not host_of(address) or host_of(address) != host_of(actor):
        raise NotTheirsError("an address of another host than the actor's")


def items_of(activity: dict[str, Any]) -> list[Item]:
    """Turn an activity from `owned` into items; what is not public is refused."""
    read = activitystreams.read(activity, "inbox", "item 1")
    return [
        Refused(messages.DIRECT, item.record.id)
        if isinstance(item, Upsert) and item.record.audience not in _OPEN
        else item
        for item in read
    ]


def check_stored(items: list[Item], actor: str, store: Store, pseudonyms: Pseudonyms) -> None:
    """Compare with what is stored under the addresses that items name.

    Raises:
        NotTheirsError: it is another account's.
    """
    account = values.account(actor)
    named = {item.record.id for item in items if isinstance(item, Upsert)}
    named |= {item.id for item in items if isinstance(item, Delete | Refused) and item.id}
    keys = [pseudonyms.number("record", name) for name in named]
    authors = store.records.find(keys, ["author"])["author"].to_list()
    # Imported from elsewhere, it may be filed under a name that says nothing to us.
    known = [author for author in authors if values.account(author)]
    reactions = [pseudonyms.number("react", name) for name in named]
    reacted = store.interactions.find(reactions, ["account_key"])["account_key"].to_list()
    if set(known) - {account} or set(reacted) - {pseudonyms.number("account", account)}:
        raise NotTheirsError("what is known under this address is another's")
