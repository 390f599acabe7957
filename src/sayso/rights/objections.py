"""Objections to training (GDPR Art. 21): always accepted, final at once, receipted."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from sayso.errors import UsageError
from sayso.rights import ledger, people, receipts
from sayso.rights.database import Rights, accounts, now, objections, unsigned

ALL_SERVICES: Final = "*"
LONGEST_REASON: Final = 2000
# GDPR Art. 12(3): one month to say what was done. The effect itself does not wait for it.
ANSWER_WITHIN: Final = timedelta(days=30)

# The reasons that people commonly give, as suggestions; none is judged, none is required.
SUGGESTED_REASONS: Final[dict[str, tuple[str, ...]]] = {
    "de": (
        "Ich bin kreativ tätig und möchte nicht, dass meine Werke kommerzieller KI dienen.",
        "Ich möchte aus Gründen des Datenschutzes nicht, dass meine Daten für KI genutzt werden.",
        "Ich fürchte, dass meine Worte oder Bilder durch KI missbraucht werden.",
        "Ich habe die Inhalte selbst geschaffen und erteile für KI-Training keine Lizenz.",
    ),
    "en": (
        "I do creative work and do not want it to serve commercial AI.",
        "For reasons of data protection I do not want my data to be used for AI.",
        "I fear that my words or pictures will be misused through AI.",
        "I am the author of my content and give no licence for AI training.",
    ),
}


class Objection(Struct, frozen=True):
    """One objection; `service` is '*' for all services."""

    number: str
    person: str
    service: str
    reason: str
    channel: str
    received_at: datetime
    due_at: datetime
    withdrawn_at: datetime | None
    receipt: str

    @property
    def stands(self) -> bool:
        """Whether it has not been withdrawn."""
        return self.withdrawn_at is None


def receive(
    rights: Rights,
    name: str,
    *,
    services: Sequence[str] = (ALL_SERVICES,),
    reason: str = "",
    channel: str = "command line",
) -> list[Objection]:
    """Accept an objection and sign its receipt, one for each service named.

    Args:
        rights: the rights database.
        name: a person's id or any of their accounts; unknown ones are accepted too and hold for
            whatever arrives later.
        services: names of services, or '*' for all.
        reason: one sentence; recorded, never judged; may be empty.
        channel: where it came in.

    Raises:
        UsageError: the name is empty, or the reason longer than 2,000 characters.
    """
    if not name.strip():
        raise UsageError("an objection needs the person's id or account, got an empty name")
    if len(reason) > LONGEST_REASON:
        raise UsageError(f"the reason has {len(reason)} characters, at most {LONGEST_REASON} fit")
    if not services or not all(services):
        raise UsageError("an objection names its services, or '*' for all; got none")
    key = receipts.signing_key(rights.workspace)
    made = []
    with rights.writing() as connection:
        found = people.find(connection, name)
        person = found[0].person if found else name
        for service in dict.fromkeys(services):
            at = now().replace(microsecond=0)
            number = f"OBJ-{at:%Y%m%d}-{secrets.token_hex(4).upper()}"
            claims = {
                "number": number,
                "kind": "objection to AI training (GDPR Art. 21)",
                "person": person,
                "services": "all" if service == ALL_SERVICES else [service],
                "reason": reason,
                "received_at": at.isoformat(),
                "answer_due_at": (at + ANSWER_WITHIN).isoformat(),
                "promised": [
                    "no record of this person is trained on from now on",
                    "the served model is replaced at once by one without them",
                    "the rebuilt model is bit-identical to one that never saw them",
                    "the assistant stays available to them",
                ],
                "iss": rights.workspace.settings.community,
            }
            row: dict[str, Any] = {
                "number": number,
                "person": person,
                "service": service,
                "reason": reason,
                "channel": channel,
                "received_at": at,
                "due_at": at + ANSWER_WITHIN,
                "withdrawn_at": None,
                "receipt": receipts.sign(key, claims),
            }
            connection.execute(insert(objections).values(row))
            ledger.append(
                connection,
                "objection",
                {
                    "number": number,
                    "person": rights.workspace.pseudonyms.name("person", person),
                    "services": claims["services"],
                    "channel": channel,
                },
            )
            made.append(Objection(**row))
    return made


def withdraw(rights: Rights, number: str) -> Objection:
    """Note that an objection no longer stands; `sayso.corpus.erase.withdraw` is the whole act.

    What was erased stays erased; records that arrive again may be used again.

    Raises:
        UsageError: there is no such objection, or it was withdrawn before.
    """
    with rights.writing() as connection:
        row = connection.execute(select(objections).where(objections.c.number == number)).first()
        if row is None:
            raise UsageError(f"no objection has this number: {number}", "see `sayso objections`")
        if row.withdrawn_at is not None:
            raise UsageError(f"objection {number} was withdrawn before")
        at = now().replace(microsecond=0)
        connection.execute(
            update(objections).where(objections.c.number == number).values(withdrawn_at=at)
        )
        ledger.append(connection, "withdrawal", {"number": number})
    return Objection(**dict(row._mapping) | {"withdrawn_at": at})


def find(rights: Rights, number: str) -> Objection | None:
    """Return an objection by its number."""
    with rights.reading() as connection:
        row = connection.execute(select(objections).where(objections.c.number == number)).first()
    return None if row is None else _objection(row)


def list_all(rights: Rights) -> list[Objection]:
    """Return all objections, oldest first, withdrawn ones included."""
    query = select(objections).order_by(objections.c.received_at, objections.c.number)
    with rights.reading() as connection:
        return [_objection(row) for row in connection.execute(query)]


def standing(connection: Connection) -> Sequence[Row[Any, Any, Any]]:
    """Accounts that a standing objection covers: rows of (key, number, received_at)."""
    covers = and_(
        objections.c.person == accounts.c.person,
        or_(
            objections.c.service == ALL_SERVICES,
            objections.c.service == accounts.c.service,
        ),
        objections.c.withdrawn_at.is_(None),
    )
    query = select(accounts.c.key, objections.c.number, objections.c.received_at).join(
        objections, covers
    )
    return connection.execute(query).all()


def objectors_in(connection: Connection) -> npt.NDArray[np.uint64]:
    """Pseudonyms of all accounts that a standing objection covers, sorted; 8 bytes each."""
    keys = [unsigned(row.key) for row in standing(connection)]
    return np.unique(np.array(keys, dtype=np.uint64))


def objectors(rights: Rights) -> npt.NDArray[np.uint64]:
    """As `objectors_in`, by a read of its own."""
    with rights.reading() as connection:
        return objectors_in(connection)


def _objection(row: Row[*tuple[Any, ...]]) -> Objection:
    fields = dict(row._mapping)
    fields["received_at"] = fields["received_at"].astimezone(UTC)
    return Objection(**fields)
