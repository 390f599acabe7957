"""An account's own no to AI in a form for machines is an objection (GDPR Art. 21(5)).

The records of both atproto lexicons, tags like #noai in a profile, and the switch that a service
gives its members. What a software sets for everybody denies, but is no objection: nobody has said
anything. Whoever takes such a word back has not withdrawn the objection; that is an act of its own.
"""

from typing import Final

from sqlalchemy import Connection, select

from sayso.content.events import AccountUpdate
from sayso.rights import objections, people
from sayso.rights.database import Rights
from sayso.rights.objection import ALL_SERVICES, OWN, Given
from sayso.rights.signals.model import read_evidence
from sayso.rights.signals.resolve import is_declared
from sayso.rights.tables import accounts, statements, suppressions
from sayso.rights.tables import objections as made

CHANNEL: Final = "signal"
# What is kept of a switch, of which its service tells no more than this.
_SWITCH: Final = '[{"signal":"account-switch","value":"deny"}]'


def apply(connection: Connection, rights: Rights, change: AccountUpdate) -> None:
    """Take over an account update, and accept the objection that a new no in it is.

    Within the caller's transaction (of `Rights.writing`).
    """
    is_no = _is_objection(change.train_signal, change.evidence)
    is_new = is_no and not _stood_before(connection, change)
    people.apply(connection, rights.workspace.pseudonyms, change)
    if not is_new:
        return
    known = select(accounts).where(accounts.c.account == change.account)
    account = connection.execute(known).one()
    if _is_covered(connection, account.person, account.service, account.key):
        return
    given = Given(
        name=change.account,
        services=(account.service or ALL_SERVICES,),
        channel=CHANNEL,
        confirmed_by=CHANNEL,
        evidence=change.evidence or _SWITCH,
    )
    objections.accept(connection, rights, given)


def _is_objection(signal: str, evidence: str) -> bool:
    """Whether a statement is the person's word on AI; without evidence it is a service's switch."""
    said = read_evidence(evidence)
    return signal == "deny" and (not said or any(is_declared(each) for each in said))


def _stood_before(connection: Connection, change: AccountUpdate) -> bool:
    query = select(statements.c.signal, statements.c.evidence).where(
        statements.c.account == change.account, statements.c.name == change.statement
    )
    row = connection.execute(query).first()
    return row is not None and _is_objection(row.signal, row.evidence)


def _is_covered(connection: Connection, person: str, service: str, key: int) -> bool:
    """Whether a confirmed objection to all of an account's content stands."""
    standing = select(made.c.number).where(
        made.c.person == person,
        made.c.service.in_((ALL_SERVICES, service)),
        made.c.about == OWN,
        made.c.state == "confirmed",
        made.c.withdrawn_at.is_(None),
    )
    kept = select(suppressions.c.number).where(suppressions.c.key == key)
    return any(connection.execute(query.limit(1)).first() for query in (standing, kept))
