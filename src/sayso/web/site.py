"""What all pages share: workspace, rights, the ledger's fold, and the assistant."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self, TypeVar

from anyio import CapacityLimiter, to_thread
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError
from starlette.requests import Request

from sayso.assistant.chat import Assistant
from sayso.gate import policy
from sayso.gate.policy import Policy
from sayso.rights import claims, deadlines, outbox, statistics
from sayso.rights.database import Rights, now
from sayso.rights.deadlines import Due
from sayso.rights.objection import Given, Objection
from sayso.rights.statistics import Statistics
from sayso.rights.tables import accounts
from sayso.web.answering import Answering
from sayso.web.gathering import Gathering, later
from sayso.web.metrics import Meter
from sayso.web.progress import Board
from sayso.web.resting import Resting
from sayso.workspace import Workspace

MOST_WAITING: Final = 100
# Of the transactions that store objections: so many share one that a minute full of them is none
# of lost time, and none waits long for the others.
APART_SECONDS: Final = 0.04
_T = TypeVar("_T")


@dataclass(frozen=True)
class Site:
    """One installation's web; made once for each application."""

    workspace: Workspace
    policy: Policy
    rights: Rights
    board: Board
    answering: Answering
    meter: Meter
    gathering: Gathering[Given, list[Objection]]
    reading: Gathering[Callable[[Connection], Any], Any]  # see `read`
    # One writer at a time, in order of arrival: many at once would only wait for SQLite's lock,
    # whose waiters are not served in turn.
    writer: CapacityLimiter
    # A training may hold the content for minutes: who waits for it must not take all threads.
    turning: CapacityLimiter
    services: Resting[list[str]]
    due: Resting[Due]
    messages: Resting[list[outbox.Overview]]
    statistics: Resting[Statistics]
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def make(cls, workspace: Workspace, assistant: Assistant) -> Self:
        """Open the workspace's rights and put the parts together."""
        settings, rights, meter = workspace.settings, Rights(workspace), Meter()
        answering = Answering(assistant, settings.serving.parallel, meter)
        rules = policy.load(settings.policy)
        writer = CapacityLimiter(1)

        def store(handed_in: Sequence[Given]) -> list[list[Objection]]:
            return claims.receive_all(rights, handed_in)

        def look(questions: Sequence[Callable[[Connection], Any]]) -> list[Any]:
            with rights.reading() as connection:
                return [_answer(question, connection) for question in questions]

        def list_services() -> list[str]:
            # No index: SQLite would take one on services for the best way to a single account.
            query = select(accounts.c.service).distinct().order_by(accounts.c.service)
            with rights.reading() as connection:
                return list(connection.scalars(query))

        def count_due() -> Due:
            with rights.reading() as connection:
                return deadlines.due(connection, now())

        def count_messages() -> list[outbox.Overview]:
            with rights.reading() as connection:
                return outbox.overview(connection)

        def collect() -> Statistics:
            with rights.reading() as connection:
                return statistics.collect(connection, now())

        return cls(
            workspace=workspace,
            policy=rules,
            rights=rights,
            board=Board(rights),
            answering=answering,
            meter=meter,
            gathering=Gathering(store, writer, apart=APART_SECONDS),
            reading=Gathering(look, CapacityLimiter(1), apart=APART_SECONDS / 2),
            writer=writer,
            turning=CapacityLimiter(1),
            services=Resting(list_services),
            due=Resting(count_due),
            messages=Resting(count_messages),
            statistics=Resting(collect),
        )

    @property
    def community(self) -> str:
        """The community's name."""
        return self.workspace.settings.community

    @property
    def release(self) -> str:
        """The served release's name; empty where there is none yet."""
        return self.answering.assistant.release

    async def read(self, question: Callable[[Connection], _T]) -> _T:
        """Ask the database; those who ask at the same time share a thread and a transaction.

        For what is short and comes often: a thread and a transaction take longer than it does.

        Raises:
            HTTPException: 503 with Retry-After; too many wait, or the database does not answer.
            Exception: what the question raises.
        """
        answer: _T = await self.reading.put(question)
        return answer


def _answer(question: Callable[[Connection], Any], connection: Connection) -> Any:
    """Return what a question led to: its error is its own, but for one that ends all reading."""
    try:
        return question(connection)
    except DBAPIError:
        raise
    except Exception as error:  # goes to whoever asked
        return error


async def in_turn(site: Site, work: Callable[[], _T]) -> _T:
    """Do what waits for the lock of the content, one after the other.

    Raises:
        HTTPException: 503 with Retry-After; too many wait.
    """
    if site.turning.statistics().tasks_waiting >= MOST_WAITING:
        raise later("too many wait", 30)
    return await to_thread.run_sync(work, limiter=site.turning)


def site_of(request: Request) -> Site:
    """Return the site that a request came to."""
    site: Site = request.app.state.site
    return site
