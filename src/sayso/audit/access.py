"""What is held of a person (GDPR Art. 15), as a file: for the operator, and for the person."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec
import polars as pl
from sqlalchemy import func, select

from sayso.audit import mine
from sayso.content.events import AccountUpdate, Upsert
from sayso.corpus import admission, export, rejects
from sayso.corpus.export import Form
from sayso.corpus.store import Store
from sayso.errors import UsageError
from sayso.gate import gate
from sayso.rights import objections, people, sessions, steps
from sayso.rights.database import Rights, signed, unsigned
from sayso.rights.people import Account
from sayso.rights.tables import contacts, statements, suppressions, tombstones, users
from sayso.sources import as2_writing, jsonl_out
from sayso.workspace import Workspace


def held(workspace: Workspace, name: str, at: datetime) -> Iterator[bytes]:
    """Yield JSON lines of all that is held of a person, each record with its verdict at a moment.

    Raises:
        UsageError: nobody of this name is known.
    """
    rights, store = Rights(workspace), Store(workspace)
    with rights.reading() as connection:
        accounts = people.find(connection, name)
    persons = {account.person for account in accounts} | {name}
    known = list(_about(rights, accounts, persons))
    if not known:
        raise UsageError("nothing is held of anybody by this name", "try an account's full name")
    yield from known
    keys = [account.key for account in accounts]
    judged = admission.judge_all(workspace, at).records.select("key", "verdict", "rule")
    theirs = store.records.read().filter(pl.col("account_key").is_in(keys))
    for row in theirs.join(judged, on="key", how="left").sort("created_at", "id").to_dicts():
        reason = gate.reason(str(row["rule"]))
        yield _line("record", row | {"reason": reason, "media": msgspec.json.decode(row["media"])})


def own_copy(workspace: Workspace, person: str, form: Form, user: str = "") -> Iterator[bytes]:
    """Yield a member's own copy of what is held of them, piece by piece.

    The form 'jsonl' has everything; records and accounts stand in it as in `corpus.export`, so
    `sayso import` reads them, and besides each record has its `verdict`, `rule` and `reason`.
    'activitystreams' has accounts and records alone, as other software reads them.

    Args:
        workspace: where.
        person: whose, an id of `tables.accounts`; '' for who has no person.
        form: of the file.
        user: the name that they sign in with.
    """
    rights = Rights(workspace)
    member = mine.member(rights, person)
    verdicts = mine.records(workspace, rights, member)
    events = export.of_person(rights, person, verdicts["key"].to_list())
    if form == "activitystreams":
        return as2_writing.collection(e[1] if isinstance(e, tuple) else e for e in events)
    about = _about(rights, member.accounts, {person} - {""}, user)
    rules = dict(verdicts.select("key", "rule").iter_rows())
    return (line + b"\n" for part in (about, _judged(events, rules)) for line in part)


def _judged(
    events: Iterable[AccountUpdate | tuple[int, Upsert]], rules: dict[int, str]
) -> Iterator[bytes]:
    for event in events:
        if not isinstance(event, tuple):
            yield jsonl_out.line(event)
            continue
        key, record = event
        told = {"verdict": mine.verdict_of(rules[key]), "rule": rules[key]}
        told["reason"] = mine.reason(rules[key])
        # One object: the record's own fields, and what was decided about it.
        yield jsonl_out.line(record)[:-1] + b"," + msgspec.json.encode(told)[1:]


def _about(
    rights: Rights, accounts: Sequence[Account], persons: set[str], user: str = ""
) -> Iterator[bytes]:
    """Yield lines of everything but the records: of these accounts, persons and this user."""
    keys, names = [account.key for account in accounts], [account.account for account in accounts]
    for account in accounts:
        yield _line("account", msgspec.to_builtins(account))
    yield from _signing_in(rights, {*persons, *names}, user)
    for objection in [
        each for one in sorted(persons) for each in objections.of_person(rights, one)
    ]:
        with rights.reading() as connection:
            taken = [msgspec.to_builtins(step) for step in steps.of(connection, objection.number)]
        told = msgspec.to_builtins(objection) | {"steps": taken}
        del told["request"]  # whom to tell may be somebody else, who typed this person's account
        yield _line("objection", told)
    yield from _kept(rights, keys, names)
    for row in rejects.of_accounts(rights.workspace, keys):
        yield _line("rejected", row)
    owned = f"account_key IN ({', '.join(map(str, keys)) or 0})"
    for row in Store(rights.workspace).interactions.read(None, owned).sort("key").to_dicts():
        yield _line("interaction", row)


def _signing_in(rights: Rights, persons: set[str], user: str) -> Iterator[bytes]:
    theirs = select(users).where(users.c.person.in_(persons) | (users.c.name == user))
    with rights.reading() as connection:
        rows = [dict(row._mapping) for row in connection.execute(theirs.order_by(users.c.name))]
    for row in rows:
        row["has_password"] = bool(row.pop("password_hash"))
        yield _line("user", row)
        for session in sessions.of_user(rights, row["name"]):
            until = {"begun": session.created_at, "until": session.until}
            yield _line("session", {"user": session.user, **until})


def _kept(rights: Rights, keys: Sequence[int], names: Sequence[str]) -> Iterator[bytes]:
    """Yield what accounts said of training, and what is kept of them as pseudonyms alone."""
    places = [signed(key) for key in keys]
    said = select(statements).where(statements.c.account.in_(names))
    hashed = select(contacts.c.account, func.count()).where(contacts.c.account.in_(names))
    out = select(suppressions).where(suppressions.c.key.in_(places))
    gone = select(tombstones.c.account, tombstones.c.reason, func.count())
    gone = gone.where(tombstones.c.account.in_(places))
    with rights.reading() as connection:
        for row in connection.execute(said.order_by(statements.c.account, statements.c.name)):
            yield _line("statement", dict(row._mapping))
        for account, number in connection.execute(hashed.group_by(contacts.c.account)):
            yield _line("hashed e-mail addresses", {"account": account, "number": number})
        for row in connection.execute(out.order_by(suppressions.c.key, suppressions.c.number)):
            yield _line("suppression", dict(row._mapping) | {"key": unsigned(row.key)})
        for account, reason, number in connection.execute(
            gone.group_by(tombstones.c.account, tombstones.c.reason)
        ):
            known = {"account_key": unsigned(account), "reason": reason, "number": number}
            yield _line("erased records", known)


def _line(kind: str, fields: dict[str, object]) -> bytes:
    own = {"account_kind" if name == "kind" else name: value for name, value in fields.items()}
    return msgspec.json.encode({"kind": kind} | own)
