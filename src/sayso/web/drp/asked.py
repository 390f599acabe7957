"""What a request of the Data Rights Protocol asks for, and whom it names (sections 2.01, 3.04)."""

from msgspec import Struct, field

from sayso.rights.agent_requests import Named
from sayso.rights.agents import Agent
from sayso.web.agents import asking
from sayso.web.site import Site


class Exercise(Struct, frozen=True):
    """What a request says beside its envelope: the right, and who exercises it.

    Of schema.org/Person (section 3.04) only what tells an account is read: `identifier` (accounts),
    `sameAs` (addresses of profiles) and `email`. Each may come with `…_verified`.
    """

    exercise: str
    version: str = field(name="drp.version")
    agent_request_id: str | None = field(name="agent-request-id", default=None)
    status_callback: str | None = None
    identifier: str | tuple[str, ...] | None = None
    identifier_verified: bool | None = None
    same_as: str | tuple[str, ...] | None = field(name="sameAs", default=None)
    same_as_verified: bool | None = field(name="sameAs_verified", default=None)
    email: str | None = None
    email_verified: bool | None = None


def accounts_of(site: Site, agent: Agent, said: Exercise) -> tuple[Named, ...]:
    """Return the accounts that a request names, vouched for where a trusted agent verified them.

    Raises:
        UsageError: see `asking.checked_names`.
    """
    named: tuple[Named, ...] = ()
    for typed, verified in (
        (said.identifier, said.identifier_verified),
        (said.same_as, said.same_as_verified),
    ):
        listed = (typed,) if isinstance(typed, str) else typed or ()
        names = asking.checked_names(listed)
        named += asking.resolved(site, names, shown=agent.verifies and verified is True)
    return named
