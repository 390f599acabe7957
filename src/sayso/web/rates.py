"""How often somebody may call: so many times in a while, and no faster in the long run."""

import ipaddress
import math
import time
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from sayso.web.site import site_of

MOST_NAMES: Final = 10_000


class Rates:
    """Counts calls by name.

    Args:
        most: how many of one name; 0 = any number.
        seconds: in how long a while.
    """

    def __init__(self, most: int, seconds: int = 60) -> None:
        self._most = most
        self._seconds = seconds
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> None:
        """Count a call.

        Raises:
            HTTPException: 429, with the seconds to wait; this name called too often.
        """
        if wait := self.wait(name):
            raise HTTPException(
                429,
                f"more than {self._most} requests {'a minute' if self._seconds == 60 else 'a day'}",
                headers={"Retry-After": str(wait)},
            )

    def wait(self, name: str) -> int:
        """Count a call; return 0, or the seconds to wait if this name called too often."""
        if not self._most:
            return 0
        now, per_second = time.monotonic(), self._most / self._seconds
        left, at = self._left.pop(name, (float(self._most), now))
        left = min(float(self._most), left + (now - at) * per_second)
        allowed = left >= 1
        # The one that has not called for longest makes room.
        if len(self._left) >= MOST_NAMES:
            del self._left[next(iter(self._left))]
        self._left[name] = (left - allowed, now)
        return 0 if allowed else math.ceil((1 - left) / per_second)


def client(request: Request) -> str:
    """Return the pseudonym of where a request came from: to count by, never an address itself.

    Of IPv6, a network of 64 bits is one place. Behind a proxy it is the address that the proxy
    tells, if `[web] trusted_proxies` names it.
    """
    host = request.client.host if request.client else ""
    return site_of(request).workspace.pseudonyms.name("client", place(host))


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
