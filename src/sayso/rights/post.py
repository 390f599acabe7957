"""Sends what the outbox holds: takes what is due, hands it to who delivers it, notes how it went.

No address and no text of a message reaches a log.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from sayso.rights import outbox
from sayso.rights.calls import Call, Calls
from sayso.rights.database import Rights, now
from sayso.rights.mails import Mail, Mails
from sayso.rights.outbox import MAIL, WEBHOOK, Letter

PAUSE_SECONDS: Final = 1.0
AT_ONCE: Final = 20
# Nothing is begun that might still go on when the next sender takes it.
WITHIN: Final = outbox.LEASE - timedelta(minutes=2)
log = logging.getLogger("sayso.post")


class Writer(Protocol):
    """Writes messages as their readers expect them; what it raises counts as a failed attempt."""

    def mail(self, letter: Letter) -> Mail:
        """Return what a letter says."""

    def call(self, letter: Letter) -> Call:
        """Return what a call says."""


class Post:
    """Sends what is due; any number of them may run at once, in any process.

    Args:
        rights: whose outbox it empties, by its workspace's settings.
        writer: writes the messages.
    """

    def __init__(self, rights: Rights, writer: Writer) -> None:
        self._rights = rights
        self._mails = Mails(rights.workspace, writer.mail)
        self._calls = Calls(rights.workspace, writer.call)

    def run(self, kind: str, stop: threading.Event) -> None:
        """Send messages of a kind as they become due until told to stop; no error ends it."""
        while not stop.wait(PAUSE_SECONDS):
            try:
                while self.send_due((kind,)) and not stop.is_set():
                    pass
            except Exception as error:  # the database may be away for a while
                # Not with the exception itself: a database's text may quote the row.
                log.error("%s while sending; trying again", type(error).__name__)  # noqa: TRY400

    def send_due(self, kinds: Collection[str] = (MAIL, WEBHOOK), at: datetime | None = None) -> int:
        """Take some of what is due now (or then) and send it; return how many were taken."""
        wanted = [kind for kind in kinds if kind != MAIL or self._mails.is_ready]
        at = at or now()
        with self._rights.reading() as connection:
            if not outbox.is_any_due(connection, at, wanted):
                return 0  # without waiting for those who write
        until = time.monotonic() + WITHIN.total_seconds()
        with self._rights.writing() as connection:
            letters = outbox.take(connection, at, wanted, AT_ONCE)
        calls = [letter for letter in letters if letter.kind == WEBHOOK]
        mails = [letter for letter in letters if letter.kind == MAIL]
        self._note(self._calls.send(calls))
        # Each by itself: a letter that went out twice disturbs its reader.
        with contextlib.closing(self._mails.send(mails, until)) as outcomes:
            for outcome in outcomes:
                self._note([outcome])
        return len(letters)

    def _note(self, outcomes: Sequence[tuple[Letter, bool]]) -> None:
        if not outcomes:
            return
        with self._rights.writing() as connection:
            for letter, went in outcomes:
                (outbox.sent if went else outbox.failed)(connection, letter)
        for letter, went in outcomes:
            if not went and letter.attempts + 1 >= outbox.MOST_ATTEMPTS:
                log.error("a %s was given up after %d attempts", letter.kind, letter.attempts + 1)
