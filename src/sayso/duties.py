"""What is to be done by the clock, whatever else happens: claims lapse, what is over is forgotten.

Repeating a duty changes nothing, so it is not kept when one was done last: all are done when the
worker starts, and then as often as each says.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from sayso.corpus import depicted
from sayso.rights import claims, deadlines, outbox, retention
from sayso.rights.database import Rights
from sayso.workspace import Workspace

# What failed is tried again after this long, or earlier if it is due then anyway.
RETRY: Final = timedelta(minutes=10)
log = logging.getLogger("sayso.duties")


class Duty(Struct, frozen=True):
    """One duty: what the log calls it, how often it is done, and how."""

    name: str
    every: timedelta
    do: Callable[[Workspace, Rights, datetime], object]


DUTIES: Final = (
    Duty(
        "lapsing of claims that nobody confirmed",
        timedelta(minutes=1),
        lambda workspace, rights, at: claims.lapse_overdue(rights, at),
    ),
    Duty(
        "settling what third persons object to",
        timedelta(minutes=1),
        lambda workspace, rights, at: depicted.settle(workspace),
    ),
    Duty(
        "warning of objections after their deadline",
        timedelta(days=1),
        lambda workspace, rights, at: deadlines.warn(rights, at),
    ),
    Duty(
        "giving up of messages that nobody takes",
        timedelta(hours=1),
        lambda workspace, rights, at: outbox.give_up_old(rights, at),
    ),
    Duty(
        "forgetting of whom there is nothing more to tell",
        timedelta(minutes=1),
        lambda workspace, rights, at: retention.forget_told(rights),
    ),
    Duty(
        "purging of old objections",
        timedelta(days=1),
        lambda workspace, rights, at: retention.purge(rights, at),
    ),
)


class Duties:
    """Does each duty when it is time; one that fails keeps nothing else from its turn."""

    def __init__(self) -> None:
        self._next: dict[str, datetime] = {}

    def look(self, workspace: Workspace, rights: Rights, at: datetime) -> None:
        """Do what is due at this moment."""
        for duty in DUTIES:
            if at < self._next.get(duty.name, at):
                continue
            self._next[duty.name] = at + duty.every
            try:
                done = duty.do(workspace, rights, at)
            except Exception as error:
                # Its class alone: what a database says may quote a row.
                log.error("%s failed: %s", duty.name, type(error).__name__)  # noqa: TRY400
                self._next[duty.name] = at + min(duty.every, RETRY)
            else:
                if done:
                    log.info("%s: %s", duty.name, done)
