"""The steps of an objection, each signed, and each told to who asked to be told.

received → acknowledged → future_stopped → data_removed → models_cleared (for each release that it
changed) → closed; or withdrawn, or lapsed.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec
from joserfc.jwk import OKPKey
from sqlalchemy import Connection, and_, insert, select

from sayso.rights import outbox, receipts, requests
from sayso.rights.database import Rights, now
from sayso.rights.objection import Objection, Step
from sayso.rights.requests import Request
from sayso.rights.tables import objections, steps

ORDER: Final = (
    "received",
    "acknowledged",
    "future_stopped",
    "data_removed",
    "models_cleared",
    "closed",
)
AT_RECEIPT: Final = ORDER[:3]
LAST: Final = ("closed", "withdrawn", "lapsed")
# Signing takes time, and receipts must not wait for it.
AT_ONCE: Final = 100


def begin(
    connection: Connection,
    rights: Rights,
    new: Sequence[tuple[Request, Objection]],
    at: datetime,
) -> None:
    """Note the first three steps of new objections, and queue the messages about them."""
    key = receipts.signing_key(rights.workspace)
    taken = [
        (request, objection, _signed(rights, key, objection.number, state, at))
        for request, objection in new
        for state in AT_RECEIPT
    ]
    connection.execute(insert(steps), [msgspec.structs.asdict(step) for _, _, step in taken])
    for request, objection, step in taken:
        outbox.announce(connection, request, objection, step)


def note(
    connection: Connection,
    rights: Rights,
    objection: Objection,
    state: str,
    at: datetime,
    release: str = "",
    release_hash: str = "",
) -> bool:
    """Note that a step was taken and queue the messages about it; False if it was before."""
    same = (steps.c.number == objection.number) & (steps.c.state == state)
    found = connection.execute(select(steps.c.at).where(same, steps.c.release == release)).first()
    if found is not None:
        return False
    key = receipts.signing_key(rights.workspace)
    step = _signed(rights, key, objection.number, state, at, release, release_hash)
    connection.execute(insert(steps).values(msgspec.structs.asdict(step)))
    if objection.request:
        request = requests.find(connection, objection.request)
        if request is not None:
            outbox.announce(connection, request, objection, step)
    return True


def _signed(
    rights: Rights,
    key: OKPKey,
    number: str,
    state: str,
    at: datetime,
    release: str = "",
    release_hash: str = "",
) -> Step:
    claims = {
        "number": number,
        "state": state,
        "at": at.isoformat(),
        "release": release,
        "release_hash": release_hash,
        "iss": rights.workspace.settings.community,
    }
    signature = receipts.sign(key, claims, receipts.STEP_TYPE)
    return Step(number, state, release, release_hash, at, signature)


def of(connection: Connection, number: str) -> list[Step]:
    """Return the steps that were taken, in their order."""
    query = select(steps).where(steps.c.number == number).order_by(steps.c.at)
    found = [Step(**dict(row._mapping)) for row in connection.execute(query)]
    place = {state: n for n, state in enumerate((*ORDER, "withdrawn", "lapsed"))}
    return sorted(found, key=lambda step: (place[step.state], step.at))


def removed(rights: Rights, up_to: int) -> None:
    """Note for all objections bound by ledger entry `up_to` that what was held is erased."""
    for chunk in _open(rights, "data_removed", up_to):
        _note_all(rights, chunk, [("data_removed", "", "")])


def cleared(rights: Rights, up_to: int, release: str, digest: str, *, complete: bool) -> None:
    """Note for all objections bound by ledger entry `up_to` that a release is without them.

    An interim release is named once for each objection; the complete one closes it.
    """
    wanted = [("models_cleared", release, digest)] + [("closed", "", "")] * complete
    for chunk in _open(rights, "closed" if complete else "models_cleared", up_to):
        _note_all(rights, chunk, wanted)


def _note_all(rights: Rights, numbers: Sequence[str], wanted: list[tuple[str, str, str]]) -> None:
    """Note the same steps, (state, release, hash), for many, signed before the database is held."""
    key = receipts.signing_key(rights.workspace)
    signed = [
        _signed(rights, key, n, state, _moment(), *rest) for n in numbers for state, *rest in wanted
    ]
    with rights.writing() as connection:
        present = select(steps.c.number, steps.c.state, steps.c.release)
        there = set(connection.execute(present.where(steps.c.number.in_(numbers))).tuples())
        new = [step for step in signed if (step.number, step.state, step.release) not in there]
        if not new:
            return
        before = {(number, state) for number, state, _ in there}
        connection.execute(insert(steps), [msgspec.structs.asdict(step) for step in new])
        of_number = {objection.number: objection for objection in _objections(connection, numbers)}
        listening = requests.listening(connection, {o.request for o in of_number.values()})
        for step in new:
            objection = of_number[step.number]
            if objection.request in listening:
                again = (step.number, step.state) in before
                request = listening[objection.request]
                outbox.announce(connection, request, objection, step, again=again)


def _open(rights: Rights, state: str, up_to: int) -> Iterator[Sequence[str]]:
    """Yield the numbers of those that have not come to a state, some at a time, oldest first."""
    done = and_(steps.c.number == objections.c.number, steps.c.state == state)
    query = (
        select(objections.c.number)
        .outerjoin(steps, done)
        .where(
            objections.c.bound_seq > 0,
            objections.c.bound_seq <= up_to,
            objections.c.withdrawn_at.is_(None),
            steps.c.number.is_(None),
        )
        .order_by(objections.c.bound_seq)
    )
    with rights.reading() as connection:
        numbers = list(connection.scalars(query))
    for start in range(0, len(numbers), AT_ONCE):
        yield numbers[start : start + AT_ONCE]


def _objections(connection: Connection, numbers: Sequence[str]) -> list[Objection]:
    rows = connection.execute(select(objections).where(objections.c.number.in_(numbers)))
    return [Objection.of(row) for row in rows]


def _moment() -> datetime:
    return now().replace(microsecond=0)
