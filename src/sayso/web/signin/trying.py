"""How often somebody may try to sign in, and what the ledger learns of it.

Tries are counted by name and address, by address, and by name, all as pseudonyms and in memory
alone. A name that nobody has is counted, and noted, like any other.
"""

from typing import Final

from sayso.rights import accesses, sessions
from sayso.rights.database import Rights
from sayso.web.rates import Rates

A_QUARTER: Final = 15 * 60
NOTES_A_MINUTE: Final = 60
EVERYWHERE: Final = 5  # times as many tries for a name from everywhere as from one address


class Tries:
    """Counts tries; made once for each application.

    Args:
        rights: whose settings, pseudonyms and ledger are used.
    """

    def __init__(self, rights: Rights) -> None:
        settings = rights.workspace.settings.sign_in
        self._rights = rights
        self._names = Rates(settings.per_name, A_QUARTER)
        # More than one address may try: else it could keep somebody from signing in.
        self._everywhere = Rates(EVERYWHERE * settings.per_name, A_QUARTER)
        self._clients = Rates(settings.per_address, A_QUARTER)
        # However many try: the ledger grows no faster, and says how many it left out.
        self._notes = Rates(NOTES_A_MINUTE)
        self._left_out = 0

    def wait(self, name: str, client: str) -> int:
        """Count a try; return 0, or the seconds to wait.

        Args:
            name: as it was typed; '' for sign-ins at a service.
            client: of `rates.client`.
        """
        known = accesses.pseudonym(self._rights, name)
        wait = self._clients.wait(client)
        if wait or not name:
            return wait
        return self._names.wait(f"{known} {client}") or self._everywhere.wait(known)

    def succeeded(self, name: str, old_token: str) -> str:
        """Begin a session and return its token; the one that the browser had before ends."""
        with self._rights.writing() as connection:
            if old_token:
                sessions.end(connection, self._rights, old_token)
            token = sessions.begin(connection, self._rights, name)
            accesses.note(connection, self._rights, name, "signed in")
        return token

    def failed(self, name: str) -> None:
        """Note that somebody tried in vain."""
        if self._notes.wait("all"):
            self._left_out += 1
            return
        left_out, self._left_out = self._left_out, 0
        act = f"failed to sign in ({left_out} more not noted)" if left_out else "failed to sign in"
        with self._rights.writing() as connection:
            accesses.note(connection, self._rights, name, act)
