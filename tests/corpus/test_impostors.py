"""Nobody becomes somebody else by what they are called."""

import itertools

import pytest

from sayso.corpus import impostors
from sayso.rights import people
from sayso.rights.database import Rights
from sayso.workspace import Workspace
from tests.corpus.world import event, post, take

JOINED = event("account.update", account="member-1@forum", person="p:1")
CALLED_SO = post(1, author="p:1", service="forum")
SAID_OF = event("account.update", account="p:1", service="forum", state="private")
MOVED_TO = event("account.update", account="member-2@forum", moved_to="p:1")


def whose(workspace: Workspace) -> dict[str, list[str]]:
    """The accounts of each person that there is."""
    with Rights(workspace).reading() as connection:
        found = people.persons(connection, ["p:1", "member-1@forum", "member-2@forum"])
        return {
            person: sorted(each.account for each in people.find(connection, person))
            for person in found.values()
        }


@pytest.mark.parametrize("impostor", [CALLED_SO, SAID_OF, MOVED_TO])
@pytest.mark.parametrize("at_once", [True, False])
def test_the_later_one_is_refused(workspace: Workspace, impostor: object, at_once: bool) -> None:
    for first, second in itertools.permutations([JOINED, impostor]):
        place = Workspace.create(workspace.home.parent / f"{first is JOINED}", workspace.settings)
        done = (
            [take(place, first, second)] if at_once else [take(place, first), take(place, second)]
        )
        (rejected,) = [each for report in done for each in report.rejected]
        wanted = impostors.LIKE_A_PERSON if first is JOINED else impostors.LIKE_AN_ACCOUNT
        assert rejected.reason == wanted
        assert "p:1" not in rejected.where
        assert all(not {"member-1@forum", "p:1"} <= set(theirs) for theirs in whose(place).values())


def test_one_may_be_called_like_an_account_that_nobody_else_can_have(workspace: Workspace) -> None:
    for number, name in enumerate(("member-1@forum", "did:plc:member")):
        joined = event("account.update", account=f"other-{name}", person=name)
        report = take(workspace, joined, post(number, author=name, service="forum"))
        assert (report.rejected, report.stored) == ([], 1)


def test_what_is_known_stays(workspace: Workspace) -> None:
    take(workspace, event("account.update", account="p:1", service="forum", person="p:1"))
    report = take(workspace, CALLED_SO, SAID_OF)
    assert (report.rejected, report.stored) == ([], 1)
