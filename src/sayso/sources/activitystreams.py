"""ActivityStreams 2.0 (W3C, 2017) as ActivityPub servers speak it: objects and activities.

Only Public in `to` makes a post public. What is for named persons is a private message.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from sayso.content.events import AccountUpdate, Delete, Interaction, Undelete, Upsert
from sayso.content.record import AUDIENCES, LONGEST_ID, Record
from sayso.sources import as2_actors as actors
from sayso.sources import as2_values as values
from sayso.sources import jsonl, jsonl_out, messages
from sayso.sources.as2_posts import OBJECTS, Origin, record_of
from sayso.sources.as2_values import UnfitError
from sayso.sources.items import Item, Refused, Rejected, Skipped

REACTIONS: Final = {
    "Like": "like",
    "Dislike": "react",
    "EmojiReact": "react",
    "Announce": "share",
    "View": "view",
}
_WRITES: Final = frozenset({"Create", "Update"})
_COLLECTIONS: Final = frozenset(
    {"Collection", "OrderedCollection", "CollectionPage", "OrderedCollectionPage"}
)
# Of these nothing is kept: whom somebody follows or blocks is nobody's content.
_OTHER_ACTS: Final = frozenset(
    "Accept Add Arrive Block Flag Follow Ignore Invite Join Leave Listen Offer QuoteRequest Read "
    "Reject Remove TentativeAccept TentativeReject Travel".split()
)
_ACTS: Final = _WRITES | _OTHER_ACTS | set(REACTIONS) | {"Delete", "Undo", "Move"}
# Chats of Pleroma, encrypted messages of Mastodon: private whomever they are for.
_PRIVATE: Final = frozenset({"ChatMessage", "EncryptedMessage"})
_POSTS: Final = _PRIVATE | set(OBJECTS)
_ACTORS: Final = frozenset(actors.KINDS)
EXTENSION: Final = "sayso:"
ACCOUNT: Final = f"{EXTENSION}account"


def fits(fields: dict[str, Any]) -> bool:
    """Whether a line is an ActivityStreams object or activity."""
    found = values.kinds(fields)
    if values.NAMESPACE in values.many(fields.get("@context")):
        return True
    if found & _ACTS:
        return "object" in fields
    return bool(found & (set(OBJECTS) | _ACTORS)) and bool(
        {"attributedTo", "to", "inbox"} & set(fields)
    )


def parse_line(line: bytes, name: str, number: int) -> Iterator[Item]:
    """Read one line; never raises."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        yield Rejected(name, f"line {number}", "not a JSON object in UTF-8")
        return
    yield from read(value, name, f"line {number}")


def read(value: Any, name: str, where: str, origin: Origin | None = None) -> Iterator[Item]:
    """Turn an object, an activity or a collection of them into items; never raises.

    Args:
        value: decoded JSON, without lone surrogates.
        name: the file, for what is rejected.
        where: the place in it.
        origin: where it comes from; a server's, unless it is given.
    """
    if isinstance(value, str):
        yield Skipped("only an address is given")
        return
    try:
        yield from _items(values.fields_of(value), origin or Origin(), name, where)
    except UnfitError as error:
        yield Rejected(name, where, str(error))
    except RecursionError:
        yield Rejected(name, where, "nested too deeply")


def _items(fields: dict[str, Any], origin: Origin, name: str, where: str) -> Iterator[Item]:
    found = values.kinds(fields)
    if found & _COLLECTIONS:
        yield from _collected(fields, origin, name, where)
    elif found & _WRITES:
        for part in values.many(fields.get("object")) or [None]:
            yield from _written(fields, part, origin)
    elif origin.ours and ACCOUNT in fields:
        yield _own_account(fields[ACCOUNT])
    elif found & _ACTORS:
        yield from actors.updates(fields)
    elif found & _ACTS:
        for part in values.many(fields.get("object")) or [None]:
            yield _act(fields, found, part, origin)
    elif found & _POSTS:
        yield _post(fields, {}, origin)
    elif "Tombstone" in found:
        yield _deleted(fields, "")
    elif found:
        yield Skipped("object of another kind")
    else:
        raise UnfitError("no ActivityStreams object: `type` is missing")


def _collected(collection: dict[str, Any], origin: Origin, name: str, where: str) -> Iterator[Item]:
    parts = [*values.many(collection.get("orderedItems")), *values.many(collection.get("items"))]
    for part in parts or [str(collection.get("first", ""))]:
        if values.kinds(values.fields_of(part)) & _COLLECTIONS:
            yield Skipped("collection inside a collection")
        else:
            yield from read(part, name, where, origin)


def _written(activity: dict[str, Any], part: Any, origin: Origin) -> Iterator[Item]:
    """What somebody made or changed: a post, or their own profile."""
    if isinstance(part, str):
        yield Skipped("only an address is given")
        return
    fields = values.fields_of(part)
    found = values.kinds(fields)
    if found & _ACTORS:
        if values.identifier(fields.get("id")) != values.identifier(activity.get("actor")):
            raise UnfitError("an account that was changed by another")
        yield from actors.updates(fields)
    elif "Tombstone" in found:
        yield _deleted(fields, values.identifier(activity.get("actor")))
    elif found & _POSTS:
        yield _post(fields, activity, origin)
    elif found:
        yield Skipped("object of another kind")
    else:
        raise UnfitError("an activity without an object")


def _post(fields: dict[str, Any], activity: dict[str, Any], origin: Origin) -> Item:
    """Return a post; nothing of one that is a private message but its id."""
    same = all(activity.get(key) == fields.get(key) for key in ("to", "cc"))
    places = (fields,) if same else (activity, fields)
    audience = values.audience(*places, followers=origin.followers)
    if origin.ours and audience not in ("public", "unlisted"):
        said = fields.get(f"{EXTENSION}audience")
        # Never wider than `to` and `cc` say.
        if said in AUDIENCES and said not in ("public", "unlisted", "direct"):
            audience = said
    if audience == "direct" or values.kinds(fields) & _PRIVATE:
        return _refused(fields)
    record = record_of(fields, activity, audience, origin)
    if origin.ours:
        return _extended(record, fields)
    return Upsert(record) if record.text or record.media else Skipped("nothing in it")


def _extended(record: Record, fields: dict[str, Any]) -> Item:
    """Return a record with what Sayso itself wrote of it beyond ActivityStreams."""
    read = jsonl_out.fields(record)
    # Who it is for is told by `to` alone, and no other word may turn it into something else.
    own = {
        name: fields[key]
        for name in read
        if name not in ("id", "audience") and (key := f"{EXTENSION}{name}") in fields
    }
    line = msgspec.json.encode(read | own)
    item = jsonl.parse_line(line, "", 0)
    if isinstance(item, Rejected):
        raise UnfitError(item.reason)
    return item


def _own_account(data: Any) -> Item:
    """Return what Sayso itself wrote of an account."""
    line = msgspec.json.encode({"type": "net.account.update", "data": data})
    item = jsonl.parse_line(line, "", 0)
    if isinstance(item, AccountUpdate):
        return item
    raise UnfitError("an account that cannot be read")


def _refused(fields: dict[str, Any]) -> Refused:
    identity = fields.get("id")
    named = isinstance(identity, str) and len(identity) <= LONGEST_ID
    return Refused(messages.DIRECT, str(identity) if named else "")


def _act(activity: dict[str, Any], found: frozenset[str], part: Any, origin: Origin) -> Item:
    """Return what an activity that writes nothing does to one object."""
    if "Delete" in found:
        return _deleted(part, values.identifier(activity.get("actor")))
    if "Undo" in found:
        return _undone(part)
    if "Move" in found:
        return actors.move(activity)
    if "Announce" in found and origin.outbox:
        return Skipped("boost")
    if "Flag" in found:
        return Skipped("report")
    verb = next((REACTIONS[kind] for kind in REACTIONS if kind in found), "")
    return _reaction(activity, verb, part, origin) if verb else Skipped("activity without content")


def _reaction(activity: dict[str, Any], verb: str, part: Any, origin: Origin) -> Item:
    # Groups announce whole activities (FEP-1b12): what is shared is their object.
    inner = values.fields_of(part).get("object")
    target = values.identifier(inner if inner is not None else part)
    actor = origin.account_of(values.identifier(activity.get("actor")))
    if not target or not actor:
        raise UnfitError("a reaction without its actor or its object")
    at, _ = values.moment(activity.get("published"))
    return Interaction(actor, verb, target, at=at, id=values.identifier(activity.get("id")))


def _deleted(part: Any, actor: str) -> Item:
    """Return the deletion of a post, or of an account by itself; `actor` is '' for a Tombstone."""
    target = values.identifier(part)
    if not target:
        raise UnfitError("a deletion that does not name its object")
    fields = values.fields_of(part)
    former = values.kinds({"type": fields.get("formerType")}) | values.kinds(fields)
    if target != actor and not former & _ACTORS:
        return Delete(target)
    if actor not in ("", target):
        raise UnfitError("an account that was deleted by another")
    account = values.account(target)
    return (
        AccountUpdate(account, values.host(target), state="deleted") if account else Delete(target)
    )


def _undone(part: Any) -> Item:
    """Return what takes back an activity: a reaction, a post, or a deletion."""
    undone = values.fields_of(part)
    found = values.kinds(undone)
    inner = values.identifier(undone.get("object"))
    if "Delete" in found and inner:
        return Undelete(inner)
    if found & _OTHER_ACTS:
        return Skipped("activity without content")
    target = inner if inner and found & _WRITES else values.identifier(part)
    if not target:
        raise UnfitError("an undoing that does not name what it undoes")
    return Delete(target)
