"""The contract: whatever happens in whatever order, the release is the one that would have been.

Random small communities post, edit, delete, object, withdraw, link accounts and go private, while
training runs, is cut short, and runs again. Every bit of the final release must equal that of

- a world where the same happened and nothing was ever trained in between, and
- a world where those who object in the end had objected before the first post.
"""

import io
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sayso.corpus import erase
from sayso.corpus.ingest import import_stream
from sayso.errors import SupersededError
from sayso.rights import claims, objections
from sayso.rights.database import Rights
from sayso.rights.objection import Given, Objection
from sayso.settings import Settings
from sayso.training import releases
from sayso.training.adapters import AdapterStore
from sayso.training.train import train
from sayso.workspace import Workspace

from ..conftest import KEY

PEOPLE = [f"member-{n}" for n in range(5)]
SERVICES = ["square", "gallery"]
WORDS = "tide mussel rope gull lantern harbour engine paint bread net winter ferry".split()
SHARED = "the same old joke that everybody in this harbour tells each winter again"


class Post(msgspec.Struct, frozen=True):
    number: int
    month: int
    words: tuple[str, ...]
    audience: str = "public"
    reply_to: int = -1
    rev: int = 1
    shows: int = -1  # whom its picture shows: nobody, or a person who is tagged


class Delete(msgspec.Struct, frozen=True):
    number: int


class Undelete(msgspec.Struct, frozen=True):
    number: int


class Object(msgspec.Struct, frozen=True):
    person: int
    service: int  # -1 = all


class Withdraw(msgspec.Struct, frozen=True):
    person: int


class Claim(msgspec.Struct, frozen=True):
    """Somebody, perhaps another, types an objection for a person."""

    person: int
    service: int


class Settle(msgspec.Struct, frozen=True):
    """A person's claims turn out to be theirs, or come to nothing."""

    person: int
    theirs: bool


class Account(msgspec.Struct, frozen=True):
    person: int
    service: int
    state: str
    linked: bool
    says_no: bool = False  # by the switch of the service: an objection to training there


class Train(msgspec.Struct, frozen=True):
    cut_after: int  # -1 = runs to its end
    month: int


Action = Post | Delete | Undelete | Object | Withdraw | Claim | Settle | Account | Train

words = st.lists(st.sampled_from(WORDS), min_size=2, max_size=9).map(tuple)
posts = st.builds(
    Post,
    number=st.integers(0, 9),
    month=st.integers(7, 10),
    words=st.one_of(words, st.just(tuple(SHARED.split()))),
    audience=st.sampled_from(["public", "public", "public", "public", "followers", "unknown"]),
    reply_to=st.integers(-6, 9),
    rev=st.integers(1, 3),
    shows=st.integers(-6, 4),
)
actions = st.one_of(
    posts,
    posts,
    posts,
    st.builds(Delete, st.integers(0, 9)),
    st.builds(Undelete, st.integers(0, 9)),
    st.builds(Object, st.integers(0, 4), st.integers(-1, 1)),
    st.builds(Withdraw, st.integers(0, 4)),
    st.builds(Claim, st.integers(0, 4), st.integers(-1, 1)),
    st.builds(Settle, st.integers(0, 4), st.booleans()),
    st.builds(
        Account,
        st.integers(0, 4),
        st.integers(0, 1),
        st.sampled_from(["active", "active", "private", "deleted"]),
        st.booleans(),
        st.sampled_from([False, False, True]),
    ),
    st.builds(Train, st.integers(-1, 3), st.integers(9, 11)),
    st.builds(Train, st.just(-1), st.integers(9, 11)),
)


class World:
    """One workspace in which actions happen."""

    def __init__(self, settings: Settings) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="sayso-world-"))
        self.workspace = Workspace.create(self.home / "home", settings, KEY)
        self.rights = Rights(self.workspace)
        for person in range(len(PEOPLE)):
            for service in range(len(SERVICES)):
                self.say(
                    "net.account.update",
                    account=account(person, service),
                    person=PEOPLE[person],
                    age_band="adult",
                )

    def say(self, kind: str, **data: object) -> None:
        line = msgspec.json.encode({"type": kind, "data": data})
        import_stream(self.workspace, io.BytesIO(line), "events")

    def act(self, action: Action) -> None:
        match action:
            case Post():
                shown = [account(action.shows, action.number % 2)] if action.shows >= 0 else []
                self.say(
                    "net.content.upsert",
                    id=f"post-{action.number}",
                    rev=action.rev,
                    # An id belongs to one account for good, as on every real service.
                    service=SERVICES[action.number % 2],
                    author=account(action.number % len(PEOPLE), action.number % 2),
                    audience=action.audience,
                    created_at=f"2026-{action.month:02d}-05T08:00:00Z",
                    language="en",
                    text=" ".join(action.words),
                    reply_to=f"post-{action.reply_to}" if action.reply_to >= 0 else None,
                    mentions=shown,
                    media=[{"path": "a.jpg", "kind": "image"}] if shown else [],
                )
            case Delete():
                self.say("net.content.delete", id=f"post-{action.number}")
            case Undelete():
                self.say("net.content.undelete", id=f"post-{action.number}")
            case Object():
                service = SERVICES[action.service] if action.service >= 0 else "*"
                objections.receive(self.rights, PEOPLE[action.person], services=[service])
            case Withdraw():
                for made in self.standing():
                    if made.person == PEOPLE[action.person]:
                        erase.withdraw(self.workspace, made.number)
            case Claim():
                service = SERVICES[action.service] if action.service >= 0 else "*"
                claim = Given(name=PEOPLE[action.person], services=(service,), confirmed_by="")
                objections.receive_all(self.rights, [claim])
            case Settle():
                self.settle(PEOPLE[action.person], theirs=action.theirs)
            case Account():
                self.say(
                    "net.account.update",
                    account=account(action.person, action.service),
                    state=action.state,
                    person=PEOPLE[action.person] if action.linked else "",
                    policy={"train": "deny"} if action.says_no else None,
                )
            case Train():
                self.train(action)

    def train(self, action: Train) -> None:
        calls = iter(range(1000))
        at = datetime(2026, action.month, 20, tzinfo=UTC)

        def cut() -> bool:
            return 0 <= action.cut_after <= next(calls)

        try:
            train(self.workspace, at, interrupted=cut, in_process=True)
        except SupersededError:
            # What is published in the middle must be whole and without what went.
            served = releases.current(self.workspace)
            if served is not None:
                releases.check(self.workspace, served)

    def settle(self, person: str, *, theirs: bool) -> None:
        for made in self.standing():
            if (made.person, made.state) == (person, "pending"):
                if theirs:
                    claims.confirm(self.rights, [made.number], "member")
                else:
                    claims.lapse(self.rights, made.number, "operator")

    def standing(self) -> list[Objection]:
        return [made for made in objections.list_all(self.rights) if made.stands]

    def release(self) -> releases.Release:
        self.train(Train(-1, 11))
        release = releases.current(self.workspace)
        assert release is not None
        return release

    def close(self) -> None:
        self.rights.engine.dispose()
        shutil.rmtree(self.home)


def account(person: int, service: int) -> str:
    return f"{PEOPLE[person]}@{SERVICES[service]}"


def settled(*, theirs: bool) -> list[Settle]:
    return [Settle(person, theirs) for person in range(len(PEOPLE))]


def play(settings: Settings, script: list[Action]) -> tuple[World, releases.Release]:
    """Let things happen; in the end whatever claims are left come to nothing."""
    world = World(settings)
    for action in [*script, *settled(theirs=False)]:
        world.act(action)
    return world, world.release()


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=st.lists(actions, min_size=3, max_size=16))
def test_release_depends_on_what_happened_not_on_when_it_trained(
    tiny_settings: Settings, script: list[Action]
) -> None:
    world, release = play(tiny_settings, script)
    untrained = [action for action in script if not isinstance(action, Train)]
    other, expected = play(tiny_settings, untrained)
    try:
        assert release.hash == expected.hash
        assert release.trained_on == expected.trained_on
    finally:
        world.close()
        other.close()


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=st.lists(actions, min_size=3, max_size=16))
def test_release_is_as_if_the_objection_had_always_stood(
    tiny_settings: Settings, script: list[Action]
) -> None:
    # Nobody withdraws here: whoever objects, objects for good.
    script = [a for a in script if not isinstance(a, Withdraw) and a not in settled(theirs=False)]
    world, release = play(tiny_settings, [*script, *settled(theirs=True)])
    always = [
        Object(a.person, a.service)
        for a in script
        if isinstance(a, Object | Claim) or (isinstance(a, Account) and a.says_no)
    ]
    rest = [a for a in script if not isinstance(a, Object | Claim | Settle | Train)]
    other, expected = play(tiny_settings, [*always, *rest])
    try:
        assert release.hash == expected.hash
    finally:
        world.close()
        other.close()


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=st.lists(actions, min_size=3, max_size=12), person=st.integers(0, 4))
def test_a_claim_that_anybody_may_have_typed_changes_no_cell_and_trains_none(
    tiny_settings: Settings, script: list[Action], person: int
) -> None:
    # What shows somebody is others' own, and out only once it is known who objects.
    script = [replace(a, shows=-1) if isinstance(a, Post) else a for a in script]
    world, before = play(tiny_settings, script)
    try:
        world.act(Claim(person, -1))
        # Nobody knocks out what others wrote: what is trained stays, bit by bit.
        assert world.release().hash == before.hash
        # Trained from nothing there is nothing of them, as if they had objected.
        store = AdapterStore(world.workspace)
        store.remove(store.keys())
        afresh = world.release().hash
        world.act(Settle(person, theirs=True))
        assert world.release().hash == afresh
    finally:
        world.close()


def test_control_an_objection_of_somebody_trained_on_changes_the_bits(
    tiny_settings: Settings,
) -> None:
    script: list[Action] = [Post(n, 8, tuple(f"{word}{n}" for word in WORDS)) for n in range(5)]
    world, before = play(tiny_settings, script)
    for person in range(5):
        world.act(Object(person, -1))
        after = world.release()
        assert after.hash != before.hash
        before = after
    assert before.examples == 0
    world.close()


@pytest.mark.parametrize("changed", [{"words": ("other", "words")}, {"month": 9}])
def test_an_edit_without_a_new_revision_is_an_edit(tiny_settings: Settings, changed: dict) -> None:
    post = Post(0, 8, tuple(WORDS))
    edited = msgspec.structs.replace(post, **changed)
    world, release = play(tiny_settings, [post, Train(-1, 11), edited])
    other, expected = play(tiny_settings, [edited])
    assert release.hash == expected.hash
    assert release.trained_on == expected.trained_on
    world.close()
    other.close()


def test_a_withdrawal_brings_back_what_is_handed_in_again(tiny_settings: Settings) -> None:
    post = Post(0, 8, tuple(WORDS))
    world, before = play(tiny_settings, [post])
    world.act(Object(0, -1))
    assert world.release().examples == 0
    world.act(Withdraw(0))
    assert world.release().examples == 0, "what was erased stays erased"
    world.act(post)
    assert world.release().hash == before.hash
    world.close()


@pytest.mark.parametrize("damage", [b"", b"\0" * 64, None])
def test_a_damaged_adapter_is_noticed_and_rebuilt(
    tiny_settings: Settings, damage: bytes | None
) -> None:
    world, before = play(tiny_settings, [Post(0, 8, tuple(WORDS))])
    path = AdapterStore(world.workspace).path(before.trained_on[0])
    whole = path.read_bytes()
    path.write_bytes(damage if damage is not None else whole[:-1] + bytes([whole[-1] ^ 1]))
    assert world.release().hash == before.hash
    assert path.read_bytes() == whole
    world.close()
