"""Records that may name or show somebody who objects, as the staff look at them and decide.

Whoever decides needs the words and where they stand, not who wrote them: that is not read.
"""

from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from sayso.content.record import Medium, own_words
from sayso.corpus.naming import Finder, Keyed, mask
from sayso.corpus.store import Store
from sayso.errors import UsageError
from sayso.rights import items, staff
from sayso.rights.database import Rights, unsigned
from sayso.rights.items import MASK, Item
from sayso.rights.tables import names
from sayso.workspace import Workspace

_COLUMNS: Final = ("text", "media", "service", "created_at", "container", "url", "language")
_MEDIA: Final = msgspec.json.Decoder(tuple[Medium, ...])


class Reviewed(Struct, frozen=True):
    """One record of an objection; `words` is None where it is not stored any more.

    `masked` is what would be left with the name cut out, in `masks` places: 0 where it does not
    stand there as it was given, so that nothing could be cut out.
    """

    item: Item
    words: str | None = None
    masked: str = ""
    masks: int = 0
    pictures: int = 0
    service: str = ""
    written: datetime | None = None
    container: str = ""
    url: str = ""
    language: str = ""


def look(workspace: Workspace, number: str, record_key: int) -> Reviewed:
    """Return a record that an objection names.

    Raises:
        UsageError: it names no such record.
    """
    with Rights(workspace).reading() as connection:
        item = next(
            (i for i in items.of_objection(connection, number) if i.record_key == record_key), None
        )
        hidden = _names_of(connection, number)
    if item is None:
        raise UsageError("this objection names no such record", "see /operator/review")
    rows = Store(workspace).records.find([record_key], _COLUMNS).to_dicts()
    if not rows:
        return Reviewed(item)
    (row,) = rows
    media = _MEDIA.decode(row["media"])
    words = own_words(row["text"], media)
    finder = Finder(workspace.pseudonyms, hidden)
    masked, masks = mask(words, finder, {each.hash for each in hidden})
    return Reviewed(
        item,
        words,
        masked,
        masks,
        len(media),
        row["service"],
        row["created_at"],
        row["container"],
        row["url"],
        row["language"],
    )


def decide(workspace: Workspace, number: str, record_key: int, act: str, actor: str) -> Item:
    """Decide about a record as `staff.decide` does.

    Raises:
        UsageError: see there; or it is to be masked, and the name does not stand in it: then it
            would train as it is.
    """
    if act == MASK and not look(workspace, number, record_key).masks:
        raise UsageError("the name does not stand in this record", "take it out, or leave it")
    return staff.decide(Rights(workspace), number, record_key, act, actor)


def _names_of(connection: Connection, number: str) -> list[Keyed]:
    query = select(names.c.hash, names.c.words).where(
        names.c.number == number, names.c.context.is_(False), names.c.words > 0
    )
    return [Keyed(unsigned(row.hash), row.words) for row in connection.execute(query)]
