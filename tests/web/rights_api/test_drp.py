"""The Data Rights Protocol: what is accepted, what is refused, and who may see or undo it."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx2
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from sayso.rights import agents, claims, contacts, objections, outbox, requests, steps
from sayso.rights.database import now
from sayso.rights.tables import ledger
from sayso.rights.tables import outbox as letters
from tests.web.conftest import Running, add_account
from tests.web.rights_api.conftest import BUSINESS, CALLBACK, REQUESTS, URL, Program, made, of
from tests.web.signing import sign_in


def codes(running: Running, email: str) -> list[str]:
    """The codes of the letters that wait for an address."""
    query = select(letters.c.payload).where(letters.c.target == email).order_by(letters.c.id)
    with running.rights.reading() as connection:
        return [msgspec.json.decode(text).get("code") for text in connection.scalars(query)]


def test_discovery_says_the_one_right_and_where(running: Running) -> None:
    with running.browser() as browser:
        said = browser.get("/.well-known/data-rights.json").json()
    assert said["id"] == BUSINESS
    assert said["name"] == "Harbour"
    assert said["api_base"] == f"{URL}/drp"
    assert said["actions"] == said["supported_actions"] == ["object:ai-training"]


def test_a_strangers_word_freezes_until_the_letter_comes_back(
    running: Running, agent: Program, member: str, name: str
) -> None:
    email = f"{name}@example.org"
    with running.rights.writing() as connection:
        contacts.put(connection, running.rights, member, email)
    sent = agent.object(identifier=member, email=email, **{"agent-request-id": "their-7"})
    assert sent.status_code == 200, sent.text
    said = sent.json()
    assert (said["status"], said["reason"]) == ("in_progress", "need_user_verification")
    assert said["agent_request_id"] == "their-7"
    (objection, *_) = of(running.rights, member)
    assert (objection.state, objection.channel) == ("pending", "Data Rights Protocol")
    assert said["user_verification_url"].startswith(f"{URL}/object/OBJ-")
    assert datetime.fromisoformat(said["expected_by"]) == objection.due_at
    assert agent.status(said["request_id"]).json() == said
    # The agent has neither the code nor the person's name from it.
    (code,) = codes(running, email)
    assert code not in sent.text
    assert member not in sent.text
    claims.redeem(running.rights, code)
    done = agent.status(said["request_id"]).json()
    assert (done["status"], "reason" in done) == ("in_progress", False)
    assert {o.confirmed_by for o in of(running.rights, member)} == {"e-mail"}


def test_a_trusted_agents_word_confirms_what_it_verified_and_nothing_else(
    running: Running, trusted: Program, member: str, name: str
) -> None:
    other, email = f"other-{name}@forum", f"{name}@example.org"
    add_account(running.rights, other, other)
    verified = trusted.object(identifier=member, identifier_verified=True).json()
    assert (verified["status"], "reason" in verified) == ("in_progress", False)
    (objection,) = of(running.rights, member)
    assert (objection.state, objection.confirmed_by) == ("confirmed", "agent")
    # Not verified: frozen, and the person is written to.
    claimed = trusted.object(identifier=other, email=email).json()
    assert claimed["reason"] == "need_user_verification"
    assert [o.state for o in of(running.rights, other)] == ["pending"]
    assert len(codes(running, email)) == 1
    with running.rights.reading() as connection:
        told = " ".join(connection.scalars(select(ledger.c.body)))
    assert not any(word in told for word in (member, other, email))


def test_no_agent_confirms_by_saying_verified(
    running: Running, agent: Program, member: str
) -> None:
    agent.object(identifier=member, identifier_verified=True, email_verified=True)
    assert [o.state for o in of(running.rights, member)] == ["pending"]


def test_an_address_holds_for_accounts_that_come_later(
    running: Running, trusted: Program, name: str
) -> None:
    email, account = f"{name}@example.org", f"late-{name}@forum"
    said = trusted.object(email=email.upper(), email_verified=True).json()
    assert said["status"] == "in_progress"
    add_account(running.rights, account, account)
    assert of(running.rights, account) == []
    for _ in range(2):  # at each time that the member signs in
        with running.rights.writing() as connection:
            contacts.put(connection, running.rights, account, email)
    (objection,) = of(running.rights, account)
    assert (objection.state, objection.stands) == ("confirmed", True)
    with running.rights.reading() as connection:
        assert not requests.find(connection, objection.request).contact.email


def test_an_unknown_account_is_accepted_and_holds_for_what_arrives(
    running: Running, trusted: Program, name: str
) -> None:
    known = trusted.object(sameAs=f"https://social.example/@{name}", sameAs_verified=True)
    assert known.status_code == 200
    (objection,) = of(running.rights, f"acct:{name}@social.example")
    assert objection.state == "confirmed"


def test_answers_tell_nobody_whether_an_account_is_known(
    running: Running, agent: Program, member: str, name: str
) -> None:
    with running.rights.writing() as connection:
        contacts.put(connection, running.rights, member, f"{name}@example.org")
    answers = []
    for email in (f"{name}@example.org", f"nobody-{name}@example.org"):
        said = agent.object(email=email).json()
        number = said["user_verification_url"].rpartition("/")[2]
        with running.browser() as browser:
            said["page"] = re.sub(r"[0-9a-f-]{8,}|\d\d:\d\d(:\d\d)?", "", page(browser, number))
        for own in ("request_id", "received_at", "expected_by", "expires_at"):
            del said[own]
        answers.append(said | {"user_verification_url": said["user_verification_url"][:-17]})
    assert answers[0] == answers[1]
    # All the same, what is known by the address is frozen.
    assert [o.state for o in of(running.rights, member)] == ["pending"]


def page(browser: httpx2.Client, number: str) -> str:
    """What anybody sees of an objection."""
    return browser.get(f"/object/{number}").text.replace(number, "")


def test_an_address_is_confirmed_lapses_and_is_withdrawn_with_all_its_accounts(
    running: Running, agent: Program, member: str, name: str
) -> None:
    email = f"{name}@example.org"
    with running.rights.writing() as connection:
        contacts.put(connection, running.rights, member, email)

    def states(asked: dict[str, str]) -> tuple[str, set[str]]:
        found = objections.of_request(running.rights, UUID(asked["request_id"]).hex)
        said = agent.status(asked["request_id"]).json()["status"]
        return said, {o.state if o.stands else "over" for o in found}

    first = agent.object(email=email).json()
    with running.browser() as browser, running.browser() as other:
        number = first["user_verification_url"].rpartition("/")[2]
        csrf = sign_in(running, other, f"o{name}", person="somebody@forum")
        assert other.post(f"/object/{number}/claim", data={"csrf": csrf}).status_code == 403
        csrf = sign_in(running, browser, f"m{name}", person=member)
        assert browser.post(f"/object/{number}/claim", data={"csrf": csrf}).status_code == 200
        assert states(first) == ("in_progress", {"confirmed"})
        browser.post(f"/object/{number}/withdraw", data={"csrf": csrf})
    assert states(first) == ("revoked", {"over"})
    second = agent.object(email=email).json()
    number = second["user_verification_url"].rpartition("/")[2]
    claims.lapse(running.rights, number, "operator")
    assert states(second) == ("denied", {"over"})
    third = agent.object(email=email).json()
    assert states(third) == ("in_progress", {"pending"})
    assert agent.revoke(third["request_id"]).json()["status"] == "revoked"
    assert states(third) == ("revoked", {"over"})


def test_the_same_request_twice_is_one_and_another_of_its_name_is_refused(
    running: Running, trusted: Program, member: str
) -> None:
    fields = {"identifier": member, "identifier_verified": True, "agent-request-id": "one"}
    first, second = trusted.object(**fields), trusted.object(**fields)
    assert first.json() == second.json()
    assert len(of(running.rights, member)) == 1
    other = trusted.object(**fields | {"identifier": "someone-else@forum"})
    assert other.status_code == 409
    assert other.json()["fatal"] is True
    assert of(running.rights, "someone-else@forum") == []


def test_a_message_is_good_once(running: Running, trusted: Program, member: str) -> None:
    document = json.dumps(trusted.asks(identifier=member)).encode()
    body = trusted.sign(document + b" " * ((-64 - len(document) + 1) % 3))
    assert body.endswith(b"==")
    assert trusted.send(body).status_code == 200
    for again in (body, body + b"\n"):
        assert trusted.send(again).status_code == 409
    # Other letters of base64 that mean the same bytes: the last one holds four bits of nothing.
    same = body[:-3] + bytes([body[-3] + 1]) + b"=="
    assert base64.b64decode(same) == base64.b64decode(body)
    for again in (same, body[:8] + b"\n" + body[8:], b" " + body):
        assert trusted.send(again).status_code == 400
    assert len(of(running.rights, member)) == 1


def test_refusals_come_in_the_protocols_words_and_store_nothing(
    running: Running, agent: Program, trusted: Program, member: str
) -> None:
    good = agent.asks(identifier=member)
    present = datetime.now(UTC)
    past, future = (present - timedelta(minutes=2)), (present + timedelta(minutes=5))
    expired = {"issued-at": (past - timedelta(hours=1)).isoformat(), "expires-at": f"{past}"}
    refused = [
        (b"not base64!", 400, True),
        (b"", 400, True),
        (base64.b64encode(b"too short"), 403, True),
        (base64.b64encode(json.dumps(good).encode()), 403, True),  # unsigned
        (trusted.sign(good), 403, True),  # signed by another
        (agent.sign(b"{"), 400, True),
        (agent.sign(b"[1]"), 400, True),
        (agent.sign(good | {"agent-id": trusted.name}), 403, True),
        (agent.sign(good | {"business-id": "ELSEWHERE"}), 403, True),
        (agent.sign(good | {"issued-at": future.isoformat()}), 400, False),
        (agent.sign(good | expired), 400, True),
        (agent.sign(good | {"expires-at": f"{present + timedelta(days=400)}"}), 400, True),
        (agent.sign(good | {"issued-at": "yesterday"}), 400, True),
        (agent.sign(good | {"issued-at": "0001-01-01T00:00:00+23:00"}), 400, True),
        (agent.sign(good | {"exercise": "deletion"}), 400, True),
        (agent.sign(good | {"exercise": ["object:ai-training"]}), 400, True),
        (agent.sign(good | {"drp.version": "0.5"}), 400, True),
        (agent.sign(agent.asks()), 400, True),  # nobody is named
        (agent.sign(good | {"identifier": " "}), 400, False),
        (agent.sign(good | {"identifier": "a\x00b"}), 400, False),
        (agent.sign(good | {"identifier": ["x"] * 5 + [str(n) for n in range(21)]}), 400, False),
        (agent.sign(good | {"email": "no address"}), 400, True),
        (agent.sign(good | {"agent-request-id": "x" * 201}), 400, True),
        (agent.sign(good | {"agent-request-id": "a\x00"}), 400, True),
        (agent.sign(good | {"name": "x" * 65536}), 413, False),
    ]
    before = len(made(running))
    for body, status, fatal in refused:
        answer = agent.send(body)
        assert answer.status_code == status, (body[:90], answer.text)
        said = answer.json()
        assert said["code"] == str(status)
        assert said["message"]
        assert said.get("fatal", False) is fatal, answer.text
        assert member not in answer.text
    nobody = agent.send(agent.sign(good), Authorization="Bearer x")
    assert (nobody.status_code, nobody.json()["code"]) == (401, "401")
    stolen = agent.send(agent.sign(good), Authorization=f"Bearer {trusted.token}")
    assert stolen.status_code == 403
    assert len(made(running)) == before
    assert of(running.rights, member) == []


@pytest.fixture(scope="module")
def flipped(running: Running, http: httpx2.Client) -> tuple[Program, bytes]:
    """An agent and a good message of its, which is never sent as it is."""
    agent = Program(running, http, "FLIPPED")
    return agent, agent.sign(agent.asks(identifier="flip@forum", name="Jordan"))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(min_value=0), decoded=st.booleans())
def test_any_bit_that_flips_is_refused(
    running: Running, flipped: tuple[Program, bytes], place: int, *, decoded: bool
) -> None:
    agent, body = flipped
    changed = bytearray(base64.b64decode(body) if decoded else body)
    place %= len(changed) * 8
    changed[place // 8] ^= 1 << place % 8
    answer = agent.send(base64.b64encode(changed) if decoded else bytes(changed))
    assert answer.status_code in (400, 403), (place, answer.text)
    assert of(running.rights, "flip@forum") == []


def test_without_a_flip_it_is_taken(running: Running, flipped: tuple[Program, bytes]) -> None:
    agent, body = flipped
    assert agent.send(body).status_code == 200
    assert len(of(running.rights, "flip@forum")) == 1


def test_others_see_nothing_of_a_request(
    running: Running, agent: Program, trusted: Program, member: str
) -> None:
    mine = agent.object(identifier=member).json()["request_id"]
    unknown = "c789ff35-7644-4ceb-9981-4b35c264aac3"
    answers = {
        (trusted.status(which).status_code, trusted.status(which).text)
        for which in (mine, unknown, "no-uuid")
    }
    assert len(answers) == 1
    assert answers.pop()[0] == 403
    assert trusted.revoke(mine).status_code == 403
    assert of(running.rights, member)[0].stands
    with running.browser() as browser:
        assert browser.get(f"{REQUESTS}/{mine}").status_code == 401
        assert browser.request("DELETE", f"{REQUESTS}/{mine}").status_code == 401


def test_revoking_needs_a_message_of_its_own(
    running: Running, agent: Program, trusted: Program, member: str
) -> None:
    one = agent.object(identifier=member).json()["request_id"]
    two = agent.object(identifier=member).json()["request_id"]
    reason = json.dumps({"reason": "no more"}).encode()
    for body, status in (
        (b"", 400),
        (reason, 400),
        (base64.b64encode(bytes(64) + reason), 403),
        (agent.sign({"reason": "no more"}), 400),  # good for ever and for everything
        (trusted.sign(agent.envelope(reason="no more")), 403),
    ):
        assert agent.revoke(one, body).status_code == status, body
    used = agent.sign(agent.envelope(reason="no more"))
    assert agent.revoke(one, used).json()["status"] == "revoked"
    assert agent.revoke(two, used).status_code == 409
    assert agent.status(one).json()["status"] == "revoked"
    assert agent.status(two).json()["status"] == "in_progress"
    assert agent.revoke(one).json()["status"] == "revoked"  # twice is once
    assert sorted(o.stands for o in of(running.rights, member)) == [False, True]


def test_what_the_person_confirmed_is_theirs(
    running: Running, agent: Program, trusted: Program, member: str, name: str
) -> None:
    asked = agent.object(identifier=member).json()["request_id"]
    (objection,) = of(running.rights, member)
    claims.confirm(running.rights, [objection.number], "member")
    refused = agent.revoke(asked)
    assert (refused.status_code, refused.json()["fatal"]) == (409, True)
    assert of(running.rights, member)[0].stands
    # What the agent's own word confirmed, it may take back.
    verified = trusted.object(identifier=f"x-{name}@forum", identifier_verified=True).json()
    assert trusted.revoke(verified["request_id"]).json()["status"] == "revoked"
    assert not of(running.rights, f"x-{name}@forum")[0].stands


def test_each_status_of_the_table(running: Running, agent: Program, trusted: Program) -> None:
    done = trusted.object(identifier="done@forum", identifier_verified=True).json()
    (objection,) = of(running.rights, "done@forum")
    with running.rights.writing() as connection:
        steps.note(connection, running.rights, objection, "closed", now())
    finished = trusted.status(done["request_id"]).json()
    assert (finished["status"], "reason" in finished) == ("fulfilled", False)
    assert trusted.revoke(done["request_id"]).status_code == 409
    asked = agent.object(identifier="lapsed@forum").json()
    (claim,) = of(running.rights, "lapsed@forum")
    claims.lapse(running.rights, claim.number, "operator")
    lapsed = agent.status(asked["request_id"]).json()
    assert (lapsed["status"], lapsed["reason"]) == ("denied", "insuf_verification")
    assert "user_verification_url" not in lapsed


def test_calls_go_to_the_agents_own_hosts_alone(
    running: Running, agent: Program, name: str
) -> None:
    called = agent.object(identifier=f"a-{name}@forum", status_callback=CALLBACK).json()
    assert "not called" not in called["processing_details"]
    for n, address in enumerate(
        (
            "https://elsewhere.example/x",
            "https://agent.example.elsewhere.example/",
            "https://x@agent.example/",
            "ftp://agent.example/",
            "https://agent.example:8443/",
            "https://[",
        )
    ):
        said = agent.object(identifier=f"b-{n}-{name}@forum", status_callback=address).json()
        assert "not called" in said["processing_details"]
    with running.rights.reading() as connection:
        waiting = select(letters.c.target).where(letters.c.kind == outbox.WEBHOOK)
        assert set(connection.scalars(waiting)) == {CALLBACK}


def test_a_token_is_got_by_a_signed_message_once(running: Running, agent: Program) -> None:
    def known(token: str, agent_id: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return agent.http.get(f"/drp/v1/agent/{agent_id}", headers=headers).status_code

    assert (known(agent.token, agent.name), known(agent.token, "OTHER")) == (200, 403)
    body = agent.sign(agent.envelope())
    path = f"/drp/v1/agent/{agent.name}"
    fresh = agent.http.post(path, content=body)
    assert fresh.json()["agent-id"] == agent.name
    assert (known(agent.token, agent.name), known(fresh.json()["token"], agent.name)) == (401, 200)
    for where, bad in (
        (path, body),  # once more
        (path, agent.sign(agent.envelope(**{"agent-id": "OTHER"}))),
        (path, agent.sign(agent.envelope(**{"business-id": "ELSEWHERE"}))),
        (path, b"garbage"),
        ("/drp/v1/agent/NOBODY", agent.sign(agent.envelope())),
    ):
        refused = agent.http.post(where, content=bad)
        assert (refused.status_code, refused.content) == (403, b"")
    agents.remove(running.rights, agent.name)
    assert known(fresh.json()["token"], agent.name) == 401
    assert agent.register().status_code == 403


def test_only_so_many_letters_go_to_one_address(
    running: Running, agent: Program, name: str
) -> None:
    for n in range(5):
        agent.object(identifier=f"{n}-{name}@forum", email=f"{name}@example.org")
    assert len(codes(running, f"{name}@example.org")) == 3
