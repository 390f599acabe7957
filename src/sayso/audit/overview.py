"""`sayso status`: what a workspace holds and what it serves."""

from sqlalchemy import func, select

from sayso.corpus.store import Store
from sayso.rights.database import Rights, accounts, ledger, objections, tombstones
from sayso.training import releases
from sayso.workspace import Workspace


def overview(workspace: Workspace) -> dict[str, object]:
    """Return counts and names; no person data."""
    store = Store(workspace)
    with Rights(workspace).reading() as connection:

        def count(table: object) -> int:
            return connection.scalar(select(func.count()).select_from(table)) or 0  # type: ignore[arg-type]

        standing = (
            connection.scalar(
                select(func.count())
                .select_from(objections)
                .where(objections.c.withdrawn_at.is_(None))
            )
            or 0
        )
        counts = {
            "accounts": count(accounts),
            "objections": count(objections),
            "objections_standing": standing,
            "tombstones": count(tombstones),
            "ledger_entries": count(ledger),
        }
    release = releases.current(workspace)
    return {
        "workspace": str(workspace.home),
        "policy": workspace.settings.policy,
        "records": store.records.open().count_rows(),
        "in_corpus": store.corpus.open().count_rows(),
        "answerable": store.retrieval.open().count_rows(),
        "interactions": store.interactions.open().count_rows(),
        **counts,
        "release": release.name if release else None,
        "release_complete": release.complete if release else None,
        "release_as_of": release.at if release else None,
        "cells": len(release.trained_on) if release else 0,
        "examples": release.examples if release else 0,
    }
