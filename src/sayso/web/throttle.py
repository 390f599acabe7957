"""How many claims are taken from one place, for one account, and how many letters one address gets.

There is no captcha: it would shut out people who do not see or hear well, and cost nothing to
those whom it is meant for. Whoever signs in is not counted at all. What is counted is what was
typed, never what is known here, so a refusal tells nothing about anybody.
"""

from collections.abc import Iterable
from typing import Final

from starlette.requests import Request

from sayso.settings import Claims
from sayso.web.naming import plain
from sayso.web.rates import Rates, client
from sayso.workspace import Pseudonyms

A_DAY: Final = 24 * 3600
GUESSES_A_DAY: Final = 20


class Throttle:
    """Counts claims; kept in memory, by pseudonyms.

    Args:
        settings: the limits.
        pseudonyms: of addresses and accounts, so that memory holds neither.
    """

    def __init__(self, settings: Claims, pseudonyms: Pseudonyms) -> None:
        self._name = pseudonyms.name
        self._clients = Rates(settings.per_minute)
        self._accounts = Rates(settings.per_account_a_day, A_DAY)
        self._guesses = Rates(GUESSES_A_DAY, A_DAY)
        self._mails = Rates(settings.mails_a_day, A_DAY)

    def client(self, request: Request) -> None:
        """Count a claim from an address; of IPv6, its network of 64 bits is one place.

        Raises:
            HTTPException: 429; too many came from there.
        """
        self._clients.take(client(request))

    def may_claim(self, name: str, services: Iterable[str]) -> bool:
        """Count a claim for an account, as it was typed; False if it has had enough today.

        Of other services, or in other letters, it is another claim: who used up those that freeze
        something else must not keep a person from freezing what is theirs.
        """
        scope = " ".join(sorted(set(services)))
        return not self._accounts.wait(self._name("claimed", f"{plain(name)}\n{scope}"))

    def may_guess(self, request: Request, number: str) -> bool:
        """Count a try to name whose an objection is; False if there were enough of it today.

        Raises:
            HTTPException: 429; too many came from there.
        """
        self.client(request)
        return not self._guesses.wait(self._name("guessed", number))

    def may_mail(self, address: str) -> bool:
        """Count a letter to an e-mail address; False if it has had enough today."""
        return not self._mails.wait(self._name("mailed", address.strip().lower()))


def throttle_of(request: Request) -> Throttle:
    """Return the counts of the application that a request came to."""
    throttle: Throttle = request.app.state.throttle
    return throttle
