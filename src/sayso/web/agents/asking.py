"""What an agent asks for, stored in one transaction with what makes it good once."""

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, TypeVar

import msgspec
from anyio import to_thread
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from starlette.requests import Request

from sayso.corpus import erase
from sayso.errors import UsageError
from sayso.rights import agent_requests
from sayso.rights.agent_requests import AgentRequest, Named, Standing, Wanted
from sayso.rights.agents import Agent
from sayso.rights.requests import checked_email
from sayso.web import naming
from sayso.web.gathering import later
from sayso.web.objecting import LONGEST_NAME
from sayso.web.site import Site, in_turn, site_of
from sayso.web.throttle import throttle_of

# The right that may be exercised, as both protocols call it.
OBJECT: Final = "object:ai-training"
LONGEST_CALLED: Final = 200
MOST_CALLBACKS: Final = 5
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")
Result = TypeVar("Result")


def is_name(called: str) -> bool:
    """Whether a program may call a request so."""
    return 0 < len(called) <= LONGEST_CALLED and not _UNPRINTABLE.search(called)


def checked_names(typed: Iterable[str]) -> tuple[str, ...]:
    """Return the accounts and addresses of profiles that a request names, each once.

    Raises:
        UsageError: there are too many, or one is empty, too long or no plain text.
    """
    names = tuple(dict.fromkeys(name.strip() for name in typed))
    if len(names) > naming.MOST_NAMES:
        raise UsageError(f"at most {naming.MOST_NAMES} accounts fit into one request")
    if not all(names) or any(len(n) > LONGEST_NAME or _UNPRINTABLE.search(n) for n in names):
        raise UsageError(f"an account's name is plain text of at most {LONGEST_NAME} characters")
    return names


def resolved(site: Site, names: Iterable[str], *, shown: bool) -> tuple[Named, ...]:
    """Return the accounts that these names mean, or will mean once they arrive."""
    with site.rights.reading() as connection:
        return tuple(Named(naming.resolve(connection, name), name, shown) for name in names)


def split_callbacks(agent: Agent, wanted: Iterable[str]) -> tuple[tuple[str, ...], bool]:
    """Return the addresses that may be called, and whether all may.

    An objection is not lost for an address that is not to be called: it is only not called.

    Raises:
        UsageError: there are too many.
    """
    listed = tuple(dict.fromkeys(wanted))
    if len(listed) > MOST_CALLBACKS:
        raise UsageError(f"at most {MOST_CALLBACKS} addresses are called about one request")
    good = tuple(address for address in listed if agent.may_be_called(address))
    return good, len(good) == len(listed)


async def accept(
    request: Request,
    wanted: Wanted,
    first: Callable[[Connection], None] = lambda connection: None,
) -> tuple[AgentRequest, Standing]:
    """Store what an agent asks for.

    Args:
        request: what came; by it the letters to one address are counted.
        wanted: what the agent asks for.
        first: is called within the transaction before; what it raises, stores nothing.

    Raises:
        UsageError: see `agent_requests.accept`, or the e-mail address is none.
        HTTPException: 503; the database does not take it now.
    """
    site = site_of(request)
    if wanted.email:
        wanted = msgspec.structs.replace(
            wanted,
            email=checked_email(wanted.email),
            is_written_to=throttle_of(request).may_mail(wanted.email),
        )

    def work(connection: Connection) -> tuple[AgentRequest, Standing]:
        first(connection)
        asked = agent_requests.accept(connection, site.rights, wanted)
        return asked, agent_requests.standing(connection, asked.request)

    return await _write(site, work)


async def revoke(site: Site, asked: AgentRequest) -> Standing:
    """Take a request back, whose objections its agent made: pending, or by its own word.

    Raises:
        NotYoursError: see `agent_requests.revocable`.
        HTTPException: 503; the database does not take it now.
    """

    def stands() -> bool:
        with site.rights.reading() as connection:
            found = agent_requests.revocable(connection, asked)
        return any(objection.state == "confirmed" for objection in found)

    def work(connection: Connection) -> Standing:
        agent_requests.revoke(connection, site.rights, asked)
        return agent_requests.standing(connection, asked.request)

    if await to_thread.run_sync(stands):
        # As `erase.withdraw`: what was objected to goes before anything may come again.
        await in_turn(site, partial(erase.erase, site.workspace))
    return await _write(site, work)


async def look_up(
    site: Site, find: Callable[[Connection], AgentRequest | None]
) -> tuple[AgentRequest, Standing] | None:
    """Return a request and how far it has come; None where `find` finds none."""

    def work() -> tuple[AgentRequest, Standing] | None:
        with site.rights.reading() as connection:
            asked = find(connection)
            if asked is None:
                return None
            return asked, agent_requests.standing(connection, asked.request)

    return await to_thread.run_sync(work)


async def _write(site: Site, work: Callable[[Connection], Result]) -> Result:
    def written() -> Result:
        with site.rights.writing() as connection:
            return work(connection)

    try:
        return await to_thread.run_sync(written, limiter=site.writer)
    except OperationalError as error:
        raise later("the database does not take it now") from error
