"""Posts and comments of Meta's exports, whatever service and dialect they came in, as records.

Exports repeat themselves: a photo of a post stands in its album once more, and what its author
archived or deleted may still stand among the posts. Reference: platform-formats.md, sections A.3,
A.4 and E.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from sayso.content.events import Delete
from sayso.content.record import Record, revision
from sayso.sources import meta
from sayso.sources.fields import checked, moment
from sayso.sources.items import Item, Rejected, Skipped
from sayso.sources.meta import Owner, Seen
from sayso.sources.meta_files import Export, Picture

ARCHIVED: Final = "archived by its author"
DELETED: Final = "deleted by its author"
REPEATED: Final = "repeated in the export"
FOREIGN: Final = "someone else's comment"


class Piece(Struct):
    """One piece of content in a row; times are as they were given.

    `author` is the name shown for who wrote it, '' where the row does not say. `audience` is what
    the row asserts; where it says nothing, that of the account counts if `is_on_profile`. `text`
    is None if it cannot be told from other values.
    """

    surface: str
    text: str | None
    at: object
    edited: object = None
    pictures: tuple[Picture, ...] = ()
    author: str = ""
    audience: str = "unknown"
    is_on_profile: bool = False
    container: str = ""


class Work(Struct):
    """One export on its way in: whose it is, and what of it was met so far.

    `host` is that of the service's accounts, '' where texts name none.
    """

    service: str
    host: str
    export: Export
    owner: Owner
    seen: Seen
    deleted: Seen
    archived: Seen


class _Told(Struct, frozen=True):
    """What tells a piece from all others."""

    id: str
    account: str
    text: str
    at: datetime | None
    state: str
    uris: tuple[str, ...]


def begin(service: str, host: str, export: Export, owner: Owner) -> Work:
    """Return the work on an export before its first row."""
    return Work(service, host, export, owner, Seen(), Seen(), Seen())


def withdraw(work: Work, row: dict[str, Any], piece: Piece, reason: str) -> Iterator[Item]:
    """Count what its author withdrew, and note it, for it may stand among the posts once more.

    Where labels leave open what the text is, any of their values may be it.
    """
    told = _told(work, piece)
    noted = work.deleted if reason == DELETED else work.archived
    labelled = (label.text for label in meta.labels(row))
    for part in filter(None, (told.text, *told.uris, *labelled)):
        noted.add(part)
    yield Skipped(reason)
    yield Delete(told.id, reason)


def items(work: Work, piece: Piece, file: str, where: str) -> Iterator[Item]:
    """Turn a piece into items."""
    names = work.owner.names
    if piece.author and names and meta.name_key(piece.author) not in names:
        yield Skipped(FOREIGN)
        return
    if piece.text is None:
        yield Rejected(file, where, "which of its values is the text cannot be told")
        return
    told = _told(work, piece)
    audience, source = _audience(work, piece, told)
    if reason := _withdrawn(work, piece, told):
        yield Skipped(reason)
        yield Delete(told.id, reason)
    elif _is_repeated(work.seen, piece, told, audience):
        yield Skipped(REPEATED)
    else:
        record = _record(work, piece, told, audience, source)
        yield checked(record, file, where)


def _told(work: Work, piece: Piece) -> _Told:
    at, state = moment(piece.at)
    text = meta.told_once(piece.text or "", (picture.caption for picture in piece.pictures))
    # Without a profile nobody can say whether a named author is the owner.
    account = "" if piece.author and not work.owner.names else work.owner.account
    uris = [picture.uri for picture in piece.pictures if picture.uri]
    name = meta.record_id(work.service, account, piece.surface, at, text, uris[0] if uris else "")
    return _Told(name, account, text, at, state, tuple(uris))


def _audience(work: Work, piece: Piece, told: _Told) -> tuple[str, str]:
    """Return who may see a piece, and who says so."""
    if piece.audience == "unknown" and piece.is_on_profile:
        audience, source = work.owner.audience(told.at), "derived"
    else:
        # What is public in a group, or under somebody's post, is so as far as that reaches.
        in_doubt = piece.container or piece.surface in ("comment", "story")
        is_believed = not (in_doubt and piece.audience == "public")
        audience, source = piece.audience if is_believed else "unknown", "asserted"
    return audience, "" if audience == "unknown" else source


def _withdrawn(work: Work, piece: Piece, told: _Told) -> str:
    """Return why a post was withdrawn by its author, '' if it was not."""
    if piece.surface == "comment":
        return ""
    for reason, noted in ((DELETED, work.deleted), (ARCHIVED, work.archived)):
        if noted and any((part,) in noted for part in (told.text, *told.uris) if part):
            return reason
    return ""


def _is_repeated(seen: Seen, piece: Piece, told: _Told, audience: str) -> bool:
    """Whether a row says nothing new: the same once more, or a picture that a post had.

    What differs in its audience alone is no repetition: the stricter one counts.
    """
    is_repeated = seen.add(told.id, audience)
    if told.uris and not is_repeated:
        is_repeated = all((uri, told.text, audience) in seen for uri in told.uris)
        for picture in piece.pictures:
            if picture.uri:
                for text in {"", told.text, picture.caption}:
                    seen.add(picture.uri, text, audience)
                    seen.add(picture.uri, text, "unknown")
    return is_repeated


def _edited_at(piece: Piece, told: _Told) -> datetime | None:
    """Return when a piece was last edited; most rows tell the time of posting once more."""
    if piece.edited is None or piece.edited == piece.at:
        return None
    edited_at, _ = moment(piece.edited)
    return edited_at if edited_at and told.at and edited_at > told.at else None


def _record(work: Work, piece: Piece, told: _Told, audience: str, source: str) -> Record:
    media = (work.export.medium(picture, told.text) for picture in piece.pictures)
    edited_at = _edited_at(piece, told)
    return Record(
        id=told.id,
        rev=revision(edited_at),
        service=work.service,
        surface=piece.surface,
        author=told.account,
        age_band="",
        audience=audience,
        audience_source=source,
        created_at=told.at,
        date_state=told.state,
        edited_at=edited_at,
        text=told.text,
        media=tuple(medium for medium in media if medium),
        container=piece.container,
        mentions=meta.mentions(told.text, work.host) if work.host else (),
        tags=meta.tags(told.text),
        source=f"{work.service}-export",
    )
