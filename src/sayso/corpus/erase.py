"""Erasing: what objectors wrote, and what was deleted, leaves the disk, not only the tables."""

import polars as pl

from sayso.corpus import depicted, rejects
from sayso.corpus.store import Store
from sayso.gate.keyset import KeySet
from sayso.rights import objections, tombstones
from sayso.rights.database import Rights
from sayso.rights.objection import Objection
from sayso.rights.tombstones import Tombstone
from sayso.workspace import Workspace


def mark(workspace: Workspace) -> int:
    """Set the tombstones of all records whose authors object; from here on no gate admits them.

    What operators confirmed of third persons' objections binds from here on, too.

    Returns:
        The number of records marked.
    """
    depicted.settle(workspace)
    rights, store = Rights(workspace), Store(workspace)
    objectors = KeySet(objections.objectors(rights))
    with workspace.lock("content", wait=True):
        records = store.records.read(["key", "rev", "account_key", "service", "audience"])
        theirs = records.filter(pl.Series(objectors.contains(records["account_key"].to_numpy())))
        if len(theirs):
            with rights.writing() as connection:
                tombstones.put(
                    connection,
                    (
                        Tombstone(key, rev, tombstones.OBJECTION, account, service, audience)
                        for key, rev, account, service, audience in theirs.iter_rows()
                    ),
                )
    return len(theirs)


def erase(workspace: Workspace) -> int:
    """Erase everything that has a tombstone, and the reactions of those who object.

    Tombstones come first: a crash after them leaves rows that no gate admits, and the next call
    finishes the work.

    Returns:
        The number of rows erased.
    """
    mark(workspace)
    rights, store = Rights(workspace), Store(workspace)
    with workspace.lock("content", wait=True):
        gone = tombstones.frame(rights)["key"].to_list()
        tables = (store.records, store.corpus, store.retrieval, store.vectors)
        erased = sum(table.remove(gone) for table in tables)
        objectors = KeySet(objections.objectors(rights))
        reactions = store.interactions.read(["key", "account_key"])
        blocked = objectors.contains(reactions["account_key"].to_numpy())
        erased += store.interactions.remove(reactions.filter(pl.Series(blocked))["key"].to_list())
        erased += rejects.erase(workspace, objectors)
    return erased


def withdraw(workspace: Workspace, number: str) -> Objection:
    """Take an objection back, as the person's own explicit act.

    What the objection covered is erased first, if it was not yet: a withdrawal allows what is
    handed in from now on, and its effect does not depend on when the worker came round.

    Raises:
        UsageError: there is no such objection, or it was withdrawn before.
    """
    erase(workspace)
    return objections.withdraw(Rights(workspace), number)
