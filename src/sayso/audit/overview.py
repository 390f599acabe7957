"""`sayso status`: what a workspace holds and what it serves."""

from sqlalchemy import func, select

from sayso.corpus.store import Store
from sayso.rights import deadlines, listeners, migrations
from sayso.rights.database import Rights, now
from sayso.rights.tables import accounts, ledger, objections, tombstones
from sayso.training import releases
from sayso.workspace import Workspace


def overview(workspace: Workspace) -> dict[str, object]:
    """Return counts and names; no person data."""
    store, rights = Store(workspace), Rights(workspace)
    with rights.reading() as connection:

        def count(table: object) -> int:
            return connection.scalar(select(func.count()).select_from(table)) or 0  # type: ignore[arg-type]

        standing = (
            connection.scalar(
                select(func.count())
                .select_from(objections)
                .where(objections.c.withdrawn_at.is_(None), objections.c.state != "lapsed")
            )
            or 0
        )
        due = deadlines.due(connection, now())
        counts = {
            "accounts": count(accounts),
            "objections": count(objections),
            "objections_standing": standing,
            "objections_open": due.open,
            "objections_due_within_a_week": due.soon,
            "objections_overdue": due.overdue,
            "objections_pending": due.pending,
            "objections_next_deadline": due.nearest,
            "tombstones": count(tombstones),
            "ledger_entries": count(ledger),
        }
    release = releases.current(workspace)
    return {
        "workspace": str(workspace.home),
        "database": f"{rights.told}, schema {migrations.version(rights.engine)}",
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
        "listeners": [_listener(listener) for listener in listeners.every(rights)],
    }


def _listener(listener: listeners.Listener) -> dict[str, object]:
    return {
        "name": listener.name,
        "state": listener.state,
        "lag_seconds": listener.lag,
        "connected_at": listener.connected_at,
        "last_event_at": listener.last_event_at,
        "last_stored_at": listener.last_stored_at,
        "stored": listener.stored,
        "errors": listener.errors,
        "last_error": listener.last_error,
    }
