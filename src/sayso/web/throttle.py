"""How many claims are taken from one place, for one account, and how many letters one address gets.

There is no captcha: it would shut out people who do not see or hear well, and cost nothing to
those whom it is meant for. Whoever signs in is not counted at all. What is counted is what was
typed, never what is known here, so a refusal tells nothing about anybody.
"""

import ipaddress
from typing import Final

from sayso.settings import Claims
from sayso.web.naming import plain
from sayso.web.rates import Rates
from sayso.workspace import Pseudonyms

A_DAY: Final = 24 * 3600


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
        self._mails = Rates(settings.mails_a_day, A_DAY)

    def client(self, host: str) -> None:
        """Count a claim from an address; of IPv6, its network of 64 bits is one place.

        Raises:
            HTTPException: 429; too many came from there.
        """
        self._clients.take(self._name("client", place(host)))

    def account(self, name: str) -> None:
        """Count a claim for an account, as it was typed.

        Raises:
            HTTPException: 429; there are enough for today: it is frozen by the first of them.
        """
        self._accounts.take(self._name("claimed", plain(name).lower()))

    def may_mail(self, address: str) -> bool:
        """Count a letter to an e-mail address; False if it has had enough today."""
        return not self._mails.wait(self._name("mailed", address.strip().lower()))


def place(host: str) -> str:
    """Return what one household or machine shares of an address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
