"""Many wait, one writes: each gets the answer to what it handed in, and no other's fault."""

import asyncio
import threading
from collections.abc import Sequence

import pytest
from anyio import CapacityLimiter
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from sayso.errors import UsageError
from sayso.rights import ledger, objections
from sayso.rights.database import Rights
from sayso.rights.objection import Given
from sayso.rights.requests import Contact
from sayso.rights.tables import outbox
from sayso.web import objecting
from sayso.web.gathering import Gathering
from sayso.web.site import Site


class Shelf:
    """Stores numbers; negative ones are wrong, and while it is shut everybody waits."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = threading.Event()
        self.open.set()
        self.broken = False

    def store(self, given: Sequence[int]) -> list[int]:
        assert self.open.wait(20)
        if self.broken:
            raise OperationalError("insert", {}, Exception("disk"))
        if wrong := [n for n in given if n < 0]:
            raise UsageError(f"{wrong[0]} is negative")
        self.batches.append(list(given))
        return [n * n for n in given]


def gathered(shelf: Shelf, given: Sequence[int], most: int = 100) -> list[object]:
    """Hand in all while the first is being stored."""

    async def all_at_once() -> list[object]:
        gathering = Gathering(shelf.store, CapacityLimiter(1), most)
        tasks = [asyncio.create_task(gathering.put(n)) for n in given]
        await asyncio.sleep(0)
        shelf.open.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    shelf.open.clear()
    return asyncio.run(all_at_once())


def test_what_waits_is_stored_together():
    shelf = Shelf()
    assert gathered(shelf, range(20)) == [n * n for n in range(20)]
    assert [n for batch in shelf.batches for n in batch] == list(range(20))
    assert len(shelf.batches) <= 2


def test_a_fault_reaches_whoever_made_it():
    answers = gathered(Shelf(), [1, 2, -3, 4, -5])
    assert answers[:2] + answers[3:4] == [1, 4, 16]
    assert [str(answers[n]) for n in (2, 4)] == ["-3 is negative", "-5 is negative"]


def test_more_than_may_wait_are_told_to_come_again():
    answers = gathered(Shelf(), range(5), most=3)
    assert answers[:3] == [0, 1, 4]
    for refused in answers[3:]:
        assert isinstance(refused, HTTPException)
        assert (refused.status_code, refused.headers) == (503, {"Retry-After": "5"})


def test_a_database_that_does_not_write_is_said_to_all():
    shelf = Shelf()
    shelf.broken = True
    assert [answer.status_code for answer in gathered(shelf, range(3))] == [503] * 3
    assert shelf.batches == []


def test_objections_at_once_are_all_there_in_one_unbroken_chain(workspace):
    site = Site.make(workspace, assistant=None)

    async def all_at_once() -> list[object]:
        return await asyncio.gather(
            *(
                objecting.submit(site, Given(name=f"member-{n}@forum", confirmed_by="member"))
                for n in range(60)
            ),
            objecting.submit(site, Given(name=" ")),
            return_exceptions=True,
        )

    *made, refused = asyncio.run(all_at_once())
    assert isinstance(refused, UsageError)
    rights = Rights(workspace)
    assert [o.person for (o,) in made] == [f"member-{n}@forum" for n in range(60)]
    assert len(objections.list_all(rights)) == 60
    with rights.reading() as connection:
        assert ledger.verify(connection)[0] == 60


@pytest.mark.parametrize("email", ["", "Member@Exämple.org"])
def test_a_claim_with_an_address_queues_its_letter(workspace, email):
    site = Site.make(workspace, assistant=None)
    given = Given(name="@member-1@forum", confirmed_by="", contact=Contact(email, "de"))
    (made,) = asyncio.run(objecting.submit(site, given))
    assert (made.person, made.state) == ("member-1@forum", "pending")
    with site.rights.reading() as connection:
        targets = [row.target for row in connection.execute(outbox.select())]
    assert targets == (["Member@xn--exmple-cua.org"] if email else [])


def test_whoever_comes_alone_is_stored_at_once_and_the_next_ones_together():
    shelf = Shelf()

    async def one_then_several() -> None:
        gathering = Gathering(shelf.store, CapacityLimiter(1), apart=0.2)
        await gathering.put(1)
        tasks = []
        for n in (2, 3, 4):
            tasks.append(asyncio.create_task(gathering.put(n)))
            await asyncio.sleep(0.01)
        await asyncio.gather(*tasks)

    asyncio.run(one_then_several())
    assert shelf.batches == [[1], [2, 3, 4]]


def test_whoever_asks_the_database_gets_their_own_answer_or_error(workspace):
    site = Site.make(workspace, assistant=None)

    def wrong(connection):
        raise UsageError("this one is wrong")

    async def all_at_once() -> list[object]:
        asked = [site.read(lambda c, n=n: c.scalar(text(f"SELECT {n}"))) for n in (1, 2)]
        return await asyncio.gather(*asked, site.read(wrong), return_exceptions=True)

    one, two, refused = asyncio.run(all_at_once())
    assert (one, two, str(refused)) == (1, 2, "this one is wrong")


def test_a_database_that_does_not_answer_is_said(workspace):
    site = Site.make(workspace, assistant=None)
    with pytest.raises(HTTPException) as refused:
        asyncio.run(site.read(lambda c: c.scalar(text("SELECT no_such_column"))))
    assert refused.value.status_code == 503
