"""Records as ActivityStreams 2.0: any server's software reads them, and Sayso loses nothing.

What ActivityStreams has no word for stands under the prefix `sayso:`, in the form it has in
Sayso's own lines. It is believed only in collections that say that Sayso wrote them.
"""

import html
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from sayso.content.events import AccountUpdate, Upsert
from sayso.content.record import Medium, Record
from sayso.sources import as2_values as values
from sayso.sources import jsonl_out
from sayso.sources.activitystreams import ACCOUNT, EXTENSION
from sayso.sources.as2_actors import KINDS
from sayso.sources.as2_posts import Origin, record_of
from sayso.sources.as2_values import UnfitError

VERSION: Final = f"{EXTENSION}version"
CONTEXT: Final = (
    values.NAMESPACE,
    {
        "Hashtag": "as:Hashtag",
        "sensitive": "as:sensitive",
        "quote": {"@id": "https://w3id.org/fep/044f#quote", "@type": "@id"},
        "sayso": "urn:sayso:",
    },
)
_PUBLIC: Final = f"{values.NAMESPACE}#Public"
_OURS: Final = Origin(ours=True)


def activity(record: Record) -> dict[str, Any]:
    """Return the Create activity of a record, without its `@context`."""
    to, cc = _addressed(record.audience)
    post = _post(record) | {"to": to, "cc": cc}
    try:
        read = jsonl_out.fields(record_of(post, {}, record.audience, _OURS))
    except UnfitError:
        # Longer than any address, or the like: all of it goes under our own names.
        post = {"id": record.id, "type": "Note", "to": to, "cc": cc}
        read = jsonl_out.fields(record_of(post, {}, record.audience, _OURS))
    made = {
        "type": "Create",
        "actor": post.get("attributedTo"),
        "published": post.get("published"),
        "to": to,
        "cc": cc,
        "object": post | _beyond(record, read),
    }
    return {name: value for name, value in made.items() if value}


def actor(told: AccountUpdate) -> dict[str, Any]:
    """Return what is known of an account as an actor, without its `@context`."""
    kind = next((name for name, ours in KINDS.items() if ours == told.kind), "Person")
    made = {
        "id": told.account,
        "type": kind,
        "preferredUsername": told.handle,
        ACCOUNT: msgspec.json.decode(jsonl_out.line(told))["data"],
    }
    if told.train_signal == "deny":
        made["indexable"] = False
    return {name: value for name, value in made.items() if value != ""}


def collection(events: Iterable[AccountUpdate | Upsert]) -> Iterator[bytes]:
    """Yield an OrderedCollection of accounts and records piece by piece, each in a line."""
    head = {"@context": CONTEXT, "type": "OrderedCollection", VERSION: 1}
    yield msgspec.json.encode(head)[:-1] + b',"orderedItems":['
    for number, event in enumerate(events):
        part = activity(event.record) if isinstance(event, Upsert) else actor(event)
        yield (b",\n" if number else b"\n") + msgspec.json.encode(part)
    yield b"\n]}\n"


def _post(record: Record) -> dict[str, Any]:
    """The object of a record as far as ActivityStreams goes."""
    content = _as_html(record.text)
    known = values.account(record.author) == record.author
    post = {
        "id": record.id,
        "type": "Note",
        "attributedTo": record.author if known else None,
        "published": _iso(record.created_at),
        "updated": _iso(record.edited_at),
        "content": content,
        "contentMap": {record.language: content} if record.language and content else None,
        "source": {"content": record.text, "mediaType": "text/plain"} if record.text else None,
        "summary": record.content_warning,
        "sensitive": record.sensitive,
        "inReplyTo": record.reply_to,
        "quote": record.quote_of,
        "audience": record.container,
        "url": record.url,
        "attachment": [_attachment(medium) for medium in record.media],
        "tag": [
            *({"type": "Mention", "href": each, "name": _shown(each)} for each in record.mentions),
            *({"type": "Hashtag", "name": f"#{tag}"} for tag in record.tags),
        ],
    }
    return {name: value for name, value in post.items() if value}


def _beyond(record: Record, read: dict[str, Any]) -> dict[str, Any]:
    """What reading the object without our own names would not give back."""
    lost = {name: value for name, value in jsonl_out.fields(record).items() if value != read[name]}
    if record.audience not in ("public", "unlisted"):
        lost["audience"] = record.audience
    return {f"{EXTENSION}{name}": value for name, value in lost.items()}


def _addressed(audience: str) -> tuple[list[str], list[str]]:
    """Return `to` and `cc`; servers take what is not for everybody as for nobody."""
    if audience == "public":
        return [_PUBLIC], []
    return ([], [_PUBLIC]) if audience == "unlisted" else ([f"{EXTENSION}{audience}"], [])


def _as_html(text: str) -> str:
    escaped = html.escape(text, quote=False).split("\n\n")
    return "".join("<p>" + part.replace("\n", "<br>") + "</p>" for part in escaped if part)


def _attachment(medium: Medium) -> dict[str, Any]:
    kind = medium.kind.capitalize()
    named = kind if kind in ("Image", "Video", "Audio") else "Document"
    return {"type": named, "url": medium.path, "name": medium.alt}


def _shown(account: str) -> str:
    return f"@{account.removeprefix('acct:')}"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
