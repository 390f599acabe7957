"""Who may use the assistant, how often, and how much at once.

A caller is a key, a person who is signed in, or an address; each is counted by a pseudonym.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sayso.rights import api_keys
from sayso.rights.database import Rights
from sayso.settings import Api
from sayso.web.rates import Rates, client
from sayso.web.signin import require, signed_in

_WAIT_SECONDS: Final = 5


class Callers:
    """Counts calls; kept in memory, by pseudonyms.

    Args:
        settings: who may call, and how often.
        rights: whose keys there are.
    """

    def __init__(self, settings: Api, rights: Rights) -> None:
        self.settings = settings
        self.rights = rights
        self.rates = Rates(settings.requests_per_minute)
        self.running: Counter[str] = Counter()


class Caller:
    """Somebody who may call.

    Args:
        callers: the counts.
        name: whom to count it for.
    """

    def __init__(self, callers: Callers, name: str) -> None:
        self._callers = callers
        self._name = name

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Hold one of the answers that this caller may have at once.

        Raises:
            HTTPException: 429; they have as many already.
        """
        running, most = self._callers.running, self._callers.settings.at_once
        if most and running[self._name] >= most:
            raise HTTPException(
                429,
                f"more than {most} answers at once",
                headers={"Retry-After": str(_WAIT_SECONDS)},
            )
        running[self._name] += 1
        try:
            yield
        finally:
            running[self._name] -= 1
            if not running[self._name]:
                del running[self._name]


async def admit(request: Request) -> Caller:
    """Return who calls, and count the call.

    Raises:
        HTTPException: 401, nobody who may, or 303 to the page to sign in; 429, too many calls.
    """
    callers: Callers = request.app.state.callers
    name = await _name(callers, request)
    callers.rates.take(name)
    return Caller(callers, name)


async def _name(callers: Callers, request: Request) -> str:
    pseudonyms = callers.rights.workspace.pseudonyms
    if key := await _key(callers.rights, request):
        return pseudonyms.name("api-key", key)
    if signed := signed_in(request):
        return pseudonyms.name("caller", signed.person or signed.name)
    if callers.settings.open_to == "anybody":
        return client(request)
    if not request.url.path.startswith("/v1"):
        require(request)
    raise HTTPException(
        401,
        "no valid key; send `Authorization: Bearer KEY`, a key made by `sayso keys add NAME "
        "--assistant`",
        headers={"WWW-Authenticate": "Bearer"},
    )


async def _key(rights: Rights, request: Request) -> str:
    """Return the name of the key that a request brought, '' for none that is for the assistant."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    # Clients must send something: without this mark it is no key, and nothing needs to be read.
    if scheme.lower() != "bearer" or not given.startswith(api_keys.MARK):
        return ""
    found = await to_thread.run_sync(api_keys.find, rights, given.strip())
    return found.name if found and found.for_assistant else ""
