"""Third persons: what others posted that names or shows somebody who objects to it.

Anybody can type anybody's name, so what a machine finds is only frozen until an operator confirms
the objection. Automatic is what cannot be typed: a record with pictures whose author tagged the
account that is shown to be the objector's. docs/third-persons.md has the reasons.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
import polars as pl
from sqlalchemy import Connection

from sayso.content.record import Record
from sayso.corpus.naming import SHORTEST_WORD, is_spaceless, keyed, words_of
from sayso.corpus.seeking import Look, Search, accounts_meant, look_at, search
from sayso.corpus.store import Store
from sayso.errors import UsageError
from sayso.gate.keyset import KeySet
from sayso.rights import claims, names, objections, people
from sayso.rights.database import Rights
from sayso.rights.names import Found, Sought
from sayso.rights.objection import ALL_SERVICES, DEPICTED, Given, Objection
from sayso.workspace import Pseudonyms, Workspace

MOST_LINKS: Final = 100
MOST_CONTEXT: Final = 20
LONGEST_LINK: Final = 2048


def object_to_items(
    workspace: Workspace,
    given: Given,
    *,
    account: str = "",
    name: str = "",
    context: Sequence[str] = (),
    links: Sequence[str] = (),
) -> Objection:
    """Accept the objection of somebody whom others' posts name or show.

    Unless an operator hands it in, what is found is frozen until an operator confirms the
    objection; `given.confirmed_by` 'member' or 'e-mail' says no more than that `account` is theirs,
    so that records with pictures which tag it are out at once. `given.name` is not used: no name is
    kept, and the objection's person is the account or, without one, a random id.

    Args:
        workspace: where.
        given: channel, reason, contact, who confirmed it; it holds for all services.
        account: theirs, if they have one.
        name: as others write it: two words or more, or one that stands near a word of context.
        context: words that stand in the same post where the name means them: a place, a club.
        links: addresses or ids of single posts.

    Returns:
        The objection; `is_withheld` tells whether its name matches too many records.

    Raises:
        UsageError: there is nothing to look for, or it is too little to tell somebody by.
    """
    pseudonyms, rights = workspace.pseudonyms, Rights(workspace)
    sought = _sought(workspace, account.strip(), name, context)
    named = sorted({link.strip() for link in links} - {""})
    if not sought.words and not named:
        raise UsageError(
            "an objection to being named or shown needs an account, a name or links to posts",
            "name at least one of them",
        )
    if len(named) > MOST_LINKS or any(len(link) > LONGEST_LINK for link in named):
        raise UsageError(
            f"at most {MOST_LINKS} links of {LONGEST_LINK} characters fit one objection",
            "send the others in another one",
        )
    given = msgspec.structs.replace(
        given,
        name=account.strip() or f"third-person:{secrets.token_hex(8)}",
        others=(),
        services=(ALL_SERVICES,),
        about=DEPICTED,
    )
    given.check()
    store, most = Store(workspace), workspace.settings.objecting.most_matches
    with workspace.lock("content", wait=True):
        keys = _linked(store, pseudonyms, named)
        found = search(store, pseudonyms, [sought])
        with rights.writing() as connection:
            take = objections.accept_all if given.confirmed_by else claims.accept_all
            ((objection,),) = take(connection, rights, [given])
            sought = msgspec.structs.replace(
                sought, number=objection.number, trusted=given.confirmed_by == "operator"
            )
            names.put(connection, sought)
            names.link(connection, objection.number, keys)
            found = {(objection.number, key): how for (_, key), how in found.items()}
            looked_at = {key for _, key in found} | keys
            names.note(connection, [sought], looked_at, found, most)
    return objection


def is_withheld(workspace: Workspace, number: str) -> bool:
    """Whether too many records match a name to freeze them: it is to be narrowed by context."""
    with Rights(workspace).reading() as connection:
        return names.is_withheld(connection, number)


def note_records(
    connection: Connection,
    workspace: Workspace,
    fresh: Mapping[int, Record],
    gone: Collection[int],
) -> None:
    """Look for third persons in records that came or changed, within the lock `content`.

    So it makes no difference whether a record or the objection was there first.

    Args:
        connection: of the transaction that stores the batch.
        workspace: where.
        fresh: the records, by key.
        gone: keys of records that are not kept any more.
    """
    if not names.any_kept(connection):
        return
    pseudonyms = workspace.pseudonyms
    sought = names.standing(connection)
    addresses = {  # several records may have the same
        key: pseudonyms.number("record", record.url)
        for key, record in fresh.items()
        if record.url and record.url != record.id
    }
    linked = names.aliases(connection, {*fresh, *gone, *addresses.values()})
    if not sought and not linked:
        return
    for key, address in addresses.items():
        for number in linked.get(address, ()):
            if number not in linked.get(key, ()):
                names.link(connection, number, [key])
    known = {each.number for each in sought}
    linkers = {number for numbers in linked.values() for number in numbers} - known
    sought += [Sought(number) for number in sorted(linkers)]
    seeker = Search(pseudonyms, sought)
    found: Found = {
        (number, key): how
        for key, record in fresh.items()
        for number, how in seeker.find(_look(pseudonyms, record))
    }
    most = workspace.settings.objecting.most_matches
    names.note(connection, sought, [*fresh, *gone], found, most)


def settle(workspace: Workspace) -> None:
    """Let what operators confirmed bind: clear matches are decided, withheld ones looked for."""
    rights = Rights(workspace)
    with rights.reading() as connection:
        if not names.to_settle(connection):
            return
    store, most = Store(workspace), workspace.settings.objecting.most_matches
    with workspace.lock("content", wait=True), rights.writing() as connection:
        numbers = set(names.settle(connection))
        sought = [each for each in names.standing(connection) if each.number in numbers]
        if sought:
            found = search(store, workspace.pseudonyms, sought)
            names.note(connection, sought, {key for _, key in found}, found, most)


def shows_objector(store: Store, pseudonyms: Pseudonyms, objectors: KeySet) -> pl.Series:
    """Return the keys (u64) of records with pictures whose authors tagged an account that objects.

    Args:
        store: where the records are.
        pseudonyms: of this installation.
        objectors: pseudonyms of the accounts.
    """
    if not len(objectors):
        return pl.Series("key", [], dtype=pl.UInt64)
    tagged = (
        store.records.read(
            ["key", "service", "mentions"], "array_length(mentions) > 0 AND media != '[]'"
        )
        .explode("mentions")
        .drop_nulls("mentions")
    )
    pairs = tagged.select("mentions", "service").unique(maintain_order=True)
    meant = [sorted(accounts_meant(pseudonyms, *pair)) for pair in pairs.iter_rows()]
    hit = objectors.contains(np.array([n for each in meant for n in each], np.uint64))
    place = np.repeat(np.arange(len(pairs)), [len(each) for each in meant])
    objecting = pairs[np.unique(place[hit])]
    return tagged.join(objecting, on=["mentions", "service"], how="semi")["key"].unique().sort()


def _look(pseudonyms: Pseudonyms, record: Record) -> Look:
    return look_at(pseudonyms, record.service, record.text, record.media, record.mentions)


def _linked(store: Store, pseudonyms: Pseudonyms, links: Sequence[str]) -> set[int]:
    """Return the keys of the records that links mean, and of the links themselves.

    An address is kept even where it has a record: another one may come under it.
    """
    if not links:
        return set()
    listed = ", ".join("'" + link.replace("'", "''") + "'" for link in links)
    found = store.records.read(["key"], f"url IN ({listed})")
    return {pseudonyms.number("record", link) for link in links} | set(found["key"])


def _sought(workspace: Workspace, account: str, name: str, context: Sequence[str]) -> Sought:
    """Return what to look for.

    Raises:
        UsageError: it is too little to tell somebody by.
    """
    pseudonyms = workspace.pseudonyms
    near = [each for each in map(words_of, context) if each]
    theirs = words_of(name)
    if theirs:
        _check_name(theirs, near)
    found = {each.hash: each.words for each in (keyed(pseudonyms, name) if theirs else ())}
    contexts = {
        each.hash: each.words for one in context if words_of(one) for each in keyed(pseudonyms, one)
    }
    accounts = _accounts_of(workspace, account)
    return Sought(
        "",
        names=frozenset(found),
        contexts=frozenset(contexts) - frozenset(found),
        accounts=accounts,
        words=dict.fromkeys(accounts, 0) | contexts | found,
    )


def _check_name(name: Sequence[str], context: Sequence[Sequence[str]]) -> None:
    """One short word tells nobody: others would be cut out of what they wrote."""
    letters = sum(map(len, name))
    short = letters < SHORTEST_WORD + 1 and not is_spaceless("".join(name))
    if (len(name) < 2 and not context) or short or letters < 2:
        raise UsageError(
            "this name alone is too short to tell whom it means",
            "give first and last name, or a word that stands near it: a place, a club, a job",
        )
    if len(context) > MOST_CONTEXT:
        raise UsageError(f"at most {MOST_CONTEXT} words of context fit, got {len(context)}")
    for each in context:
        whole = "".join(each)
        if len(whole) < (2 if is_spaceless(whole) else SHORTEST_WORD) or set(each) <= set(name):
            raise UsageError(
                "a word of context is too short, or is part of the name itself",
                "name a place, a club, a job: what stands near the name where it means the person",
            )


def _accounts_of(workspace: Workspace, account: str) -> frozenset[int]:
    if not account:
        return frozenset()
    with Rights(workspace).reading() as connection:
        found = {each.key for each in people.find(connection, account)}
    return frozenset(found | {workspace.pseudonyms.number("account", account)})
