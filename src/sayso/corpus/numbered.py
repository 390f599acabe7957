"""Deletions that name a status by its number: Mastodon's streams tell nothing else of it.

A status of a server's own member has its number at the end of its id, so the number finds the
record, and a record that comes later finds the tombstone of its number. Nothing else has to be
kept, and it makes no difference how the record came in.
"""

from collections.abc import Iterable, Iterator, Sequence

from sayso.content.events import Delete, Upsert
from sayso.corpus.store import Store
from sayso.rights import tombstones
from sayso.rights.database import Rights
from sayso.sources.items import Item
from sayso.sources.mastodon_status import aliases, is_alias
from sayso.workspace import Workspace


def resolved(
    workspace: Workspace, rights: Rights, store: Store, items: Sequence[Item]
) -> list[Item]:
    """Return a batch's items with deletions by the records' own ids as far as these are known.

    A deletion of something unknown stays as it is: its tombstone keeps the record out.
    """
    numbers = {item.id for item in items if isinstance(item, Delete) and is_alias(item.id)}
    given = [item.record.id for item in items if isinstance(item, Upsert)]
    known = _by_alias([*given, *_stored(store, numbers)] if numbers else [])
    gone = _gone(workspace, rights, given)
    return [fit for item in items for fit in _fit(item, known, gone)]


def _fit(item: Item, known: dict[str, list[str]], gone: set[str]) -> Iterator[Item]:
    if isinstance(item, Delete) and item.id in known:
        for record_id in known[item.id]:
            yield Delete(record_id, item.reason, item.rev)
    elif isinstance(item, Upsert) and item.record.id in gone:
        yield Delete(item.record.id)
    else:
        yield item


def _by_alias(record_ids: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for record_id in dict.fromkeys(record_ids):
        for alias in aliases(record_id):
            found.setdefault(alias, []).append(record_id)
    return found


def _stored(store: Store, numbers: Iterable[str]) -> list[str]:
    """Return the ids of stored statuses with these numbers, of whatever server."""
    listed = ", ".join(f"'{number.rpartition('/')[2]}'" for number in sorted(numbers))
    where = f"regexp_replace(id, '^.*/statuses/', '') IN ({listed})"
    return store.records.read(["id"], where)["id"].to_list()


def _gone(workspace: Workspace, rights: Rights, record_ids: Iterable[str]) -> set[str]:
    """Return those of the records whose number was deleted before they came."""
    number = workspace.pseudonyms.number
    keys = {
        number("record", alias): record_id
        for record_id in record_ids
        for alias in aliases(record_id)
    }
    if not keys:
        return set()
    with rights.reading() as connection:
        return {keys[key] for key in tombstones.find(connection, list(keys))}
