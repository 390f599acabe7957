"""The events that flow: content arrives or changes, is deleted, accounts change, people react."""

from datetime import datetime

from msgspec import Struct

from sayso.content.record import HIGHEST_REV, Record


class Upsert(Struct, frozen=True, gc=False):
    """A record was made or edited; the higher `rev` of the same id wins."""

    record: Record


class Delete(Struct, frozen=True, gc=False):
    """A record (or a reaction that has an id) was deleted on its service.

    Revisions up to `rev` stay out for good; without one, all do until an `Undelete`.
    """

    id: str
    reason: str = ""
    rev: int = HIGHEST_REV


class Undelete(Struct, frozen=True, gc=False):
    """A deletion was taken back on its service: the record may be handed in again."""

    id: str


class AccountUpdate(Struct, frozen=True, gc=False):
    """What is known of an account; empty fields leave things as they were.

    `state` is 'active', 'deleted' (purges all of it), 'private' or 'opted_out'. `handle` is the
    name shown for it where the id is not one. `train_signal` is the account's own word on training,
    as in `Record`, or 'unset' to take it back; `statement` names which of several words it is: each
    stands until it is taken back itself, and the strictest counts. `evidence` is what stood there
    (JSON as `sayso.rights.signals.model.evidence` writes it, at most 4 KiB); none where a service
    tells of a switch of its own. `moved_to` is an account of the
    same person, both of which have confirmed it: the person's objections hold for it, too.
    """

    account: str
    service: str = ""
    person: str = ""
    handle: str = ""
    kind: str = ""
    age_band: str = ""
    state: str = ""
    assistant: bool | None = None
    train_signal: str = ""
    statement: str = ""
    evidence: str = ""
    moved_to: str = ""


class Interaction(Struct, frozen=True, gc=False):
    """A person's reaction to a record: the behaviour of its actor, never of the author.

    With an `id` it can be taken back by a `Delete` of that id.
    """

    actor: str
    verb: str
    object: str
    value: float | None = None
    unit: str = ""
    at: datetime | None = None
    id: str = ""


Event = Upsert | Delete | Undelete | AccountUpdate | Interaction
