"""What readers yield: events, and what became of the rest."""

from msgspec import Struct

from sayso.content.events import Event


class Rejected(Struct, frozen=True):
    """Something that could not be taken: where and why, never what it said.

    `where` is a place in the file: 'line 17', 'item 3', 'character 1024'. `raw` is kept for mending
    in the rejects file; None where it may hold a private message, and for whole documents.
    """

    file: str
    where: str
    reason: str
    raw: bytes | None = None


class Refused(Struct, frozen=True):
    """Private messages, refused at the door.

    `kind` is one of `messages.KINDS`. `id` (of a single record that is a private message) lets
    repeated imports count it once and keeps it out for good; empty for whole files.
    """

    kind: str
    id: str = ""
    count: int = 1


class Skipped(Struct, frozen=True):
    """Something that is no member's own content: boosts, deleted posts, files of no use."""

    reason: str
    count: int = 1


Item = Event | Rejected | Refused | Skipped
