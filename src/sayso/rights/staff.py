"""What staff do about objections: each act and its note in the ledger in one transaction."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import update

from sayso.errors import UsageError
from sayso.rights import accesses, claims, deadlines, items, objections
from sayso.rights.claims import OPERATOR
from sayso.rights.database import Rights, now
from sayso.rights.items import Item
from sayso.rights.objection import Given, Objection
from sayso.rights.tables import requests

# How an objection may have come that somebody types for the person.
CHANNELS: Final = ("letter", "e-mail", "phone", "in person")
COMMAND_LINE: Final = "command line"


def confirm(rights: Rights, numbers: Sequence[str], actor: str) -> list[Objection]:
    """Confirm claims: from here on they reach the models.

    Raises:
        UsageError: there is none of a number that stands; then nothing is changed.
    """
    with rights.writing() as connection:
        made = []
        for number in dict.fromkeys(numbers):
            made.append(claims.confirm_in(connection, rights, number, OPERATOR))
            accesses.note(connection, rights, actor, "confirmed an objection", number)
        return made


def lapse(rights: Rights, number: str, because: str, actor: str) -> Objection:
    """End a claim as somebody else's; the reason is kept beside it.

    Raises:
        UsageError: there is none of this number, it is confirmed, or there is no reason.
    """
    because, by = deadlines.checked_reason(because), accesses.pseudonym(rights, actor)
    with rights.writing() as connection:
        ended = claims.lapse_in(connection, rights, number, OPERATOR)
        deadlines.remark(connection, number, deadlines.LAPSED, because, by)
        accesses.note(connection, rights, actor, "ended a claim as not theirs", number)
        return ended


def extend(rights: Rights, number: str, months: int, because: str, actor: str) -> Objection:
    """Put a deadline off and tell the person why.

    Raises:
        UsageError: see `deadlines.extend_in`.
    """
    by = accesses.pseudonym(rights, actor)
    with rights.writing() as connection:
        extended = deadlines.extend_in(connection, rights, number, months, because, by)
        accesses.note(connection, rights, actor, "put a deadline off", number)
        return extended


def remark(rights: Rights, number: str, text: str, actor: str) -> None:
    """Keep a note on an objection, in whatever state, for whoever goes on with it.

    Raises:
        UsageError: it is empty or too long, or there is none of this number.
    """
    text, by = deadlines.checked_reason(text), accesses.pseudonym(rights, actor)
    if objections.find(rights, number) is None:
        raise UsageError(f"no objection has this number: {number}", "see `sayso objections`")
    with rights.writing() as connection:
        deadlines.remark(connection, number, deadlines.NOTE, text, by)
        accesses.note(connection, rights, actor, "noted something on an objection", number)


def enter(rights: Rights, given: Given, actor: str) -> list[Objection]:
    """Record an objection that came by letter or the like, at the person's authority.

    Its address, if there is one, counts as theirs: the operator knows whom they hear from.

    Raises:
        UsageError: see `Given.check`; or it came in no way that staff record.
    """
    if given.channel not in CHANNELS:
        raise UsageError(f"unknown way {given.channel!r}", f"one of: {', '.join(CHANNELS)}")
    given.check()
    given = msgspec.structs.replace(given, confirmed_by=OPERATOR)
    with rights.writing() as connection:
        made = objections.accept(connection, rights, given)
        if given.contact.email:
            theirs = requests.c.id == made[0].request
            connection.execute(update(requests).where(theirs).values(mailed_at=now()))
        for objection in made:
            accesses.note(connection, rights, actor, "entered an objection", objection.number)
    return made


def decide(rights: Rights, number: str, record_key: int, act: str, actor: str) -> Item:
    """Decide about a record that an objection may be about: 'out', 'mask' or 'none'.

    Raises:
        UsageError: see `items.decide`.
    """
    by = accesses.pseudonym(rights, actor)
    with rights.writing() as connection:
        decided = items.decide_in(connection, number, record_key, act, by)
        accesses.note(connection, rights, actor, f"decided on a record: {act}", number)
        return decided


def looked(rights: Rights, actor: str, what: str, about: str = "") -> None:
    """Note that somebody of the staff looked at what is about a person."""
    with rights.writing() as connection:
        accesses.note(connection, rights, actor, what, about)
