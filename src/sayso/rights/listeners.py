"""Listeners: how far each has come, and how it is; in the same database as everything's rights."""

import os
import time
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from msgspec import Struct
from sqlalchemy import insert, select, update

from sayso.rights.database import Rights, now
from sayso.rights.tables import listeners

# A listener says that it lives at least every 5 seconds, between two attempts every minute.
SILENT_AFTER: Final = timedelta(seconds=90)
State = Literal["connecting", "live", "waiting", "stopped"]


class Listener(Struct, frozen=True):
    """How a listener is.

    `state` is 'connecting', 'live', 'waiting' (to connect again), 'stopped', or 'silent': it says
    nothing any more without having stopped, as after a crash. `last_event_at` is when the newest
    event happened at its source, `last_stored_at` when it was stored. `stored` counts records and
    `errors` lost connections and rejected messages, over all runs.
    """

    name: str
    cursor: str
    state: str
    connected_at: datetime | None
    last_event_at: datetime | None
    last_stored_at: datetime | None
    stored: int
    errors: int
    last_error: str
    pid: int
    heartbeat_at: datetime

    @property
    def lag(self) -> float | None:
        """Seconds from when the newest event happened to when it was stored."""
        if self.last_event_at is None or self.last_stored_at is None:
            return None
        return max(0.0, (self.last_stored_at - self.last_event_at).total_seconds())


class Keeper:
    """Keeps one listener's row; the row is made at first.

    Args:
        rights: the database.
        name: the listener's.
    """

    def __init__(self, rights: Rights, name: str) -> None:
        self._rights = rights
        self._name = name
        self.said_at = time.monotonic()
        with rights.writing() as connection:
            row = connection.execute(select(listeners).where(listeners.c.name == name)).first()
            if row is None:
                first = {"name": name, "state": "connecting", "heartbeat_at": now()}
                connection.execute(insert(listeners).values(first))
        self.cursor = row.cursor if row else ""
        self._stored = row.stored if row else 0
        self._errors = row.errors if row else 0

    def say(self, state: State | None = None, **values: Any) -> None:
        """Note what changed, and that this process lives."""
        self.said_at = time.monotonic()
        values |= {"heartbeat_at": now(), "pid": os.getpid()}
        if state:
            values["state"] = state
        with self._rights.writing() as connection:
            connection.execute(
                update(listeners).where(listeners.c.name == self._name).values(values)
            )

    def keep(self, cursor: str, stored: int, at: datetime | None) -> None:
        """Note that everything up to `cursor` is stored."""
        self._stored += stored
        self.cursor = cursor or self.cursor
        moments: dict[str, Any] = {"last_event_at": at, "last_stored_at": now()} if at else {}
        self.say(cursor=self.cursor, stored=self._stored, **moments)

    def fail(self, error: str, number: int = 1, state: State | None = None) -> None:
        """Count errors; `error` is its kind and problem, never a member's words or names."""
        self._errors += number
        self.say(state, errors=self._errors, last_error=error)


def every(rights: Rights) -> list[Listener]:
    """Return all listeners that there ever were, by name."""
    with rights.reading() as connection:
        rows = connection.execute(select(listeners).order_by(listeners.c.name)).all()
    return [_listener(dict(row._mapping)) for row in rows]


def _listener(row: dict[str, Any]) -> Listener:
    is_silent = now() - row["heartbeat_at"] > SILENT_AFTER
    if is_silent and row["state"] != "stopped":
        row["state"] = "silent"
    return Listener(**row)
