"""The events that flow: content arrives or changes, is deleted, accounts change, people react."""

from datetime import datetime

from msgspec import Struct

from sayso.content.record import Record


class Upsert(Struct, frozen=True):
    """A record was made or edited; the higher `rev` of the same id wins."""

    record: Record


class Delete(Struct, frozen=True):
    """A record was deleted on its service."""

    id: str
    reason: str = ""


class AccountUpdate(Struct, frozen=True):
    """What is known of an account; empty fields leave things as they were.

    state is 'active', 'deleted', 'private' or 'opted_out'.
    """

    account: str
    service: str = ""
    person: str = ""
    kind: str = ""
    age_band: str = ""
    state: str = ""
    assistant: bool | None = None


class Interaction(Struct, frozen=True):
    """A person's reaction to a record: the behaviour of its actor, never of the author."""

    actor: str
    verb: str
    object: str
    value: float | None = None
    unit: str = ""
    at: datetime | None = None


Event = Upsert | Delete | AccountUpdate | Interaction
