"""Objecting by the form and by JSON, the receipt, and the page that follows it."""

import re
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from sayso.rights import claims, contacts, objections, outbox, receipts, steps
from sayso.rights.database import now
from sayso.rights.objection import SUGGESTED_REASONS, Objection
from sayso.rights.tables import outbox as letters
from sayso.settings import Claims, Serving, Settings
from sayso.workspace import Workspace
from tests.web.conftest import KnownAssistant, Running, add_account, serving
from tests.web.signing import sign_in

FORM = {"accounts": "member-1@forum", "confirmed": "true"}


def only(site: Running) -> Objection:
    (made,) = objections.list_all(site.rights)
    return made


def code_of(site: Running) -> str:
    """The code of the newest letter that waits."""
    query = select(letters.c.payload).where(letters.c.kind == outbox.MAIL).order_by(letters.c.id)
    with site.rights.reading() as connection:
        waiting = connection.scalars(query).all()
    return str(msgspec.json.decode(waiting[-1])["code"])


def test_form_leads_to_receipt_and_status(site: Running, tmp_path: Path) -> None:
    form = FORM | {"reason": "1", "own_words": "Und das ist\r\nmein Wort."}
    with site.browser() as browser:
        sent = browser.post("/object?lang=de", data=form, follow_redirects=False)
        made = only(site)
        assert sent.status_code == 303
        assert sent.headers["location"] == f"/object/{made.number}"
        assert made.reason == f"{SUGGESTED_REASONS['de'][1]} Und das ist\nmein Wort."
        assert (made.person, made.service, made.channel) == ("p:1", "*", "web form")
        assert (made.state, made.confirmed_by) == ("pending", "")
        page = browser.get(f"/object/{made.number}?lang=de").text
        assert made.number in page
        assert "Für neues Training eingefroren" in page
        assert "member-1@forum" in page
        assert "alle Dienste, auch künftige" in page
        file = browser.get(f"/object/{made.number}/receipt")
        assert f'filename="{made.number}.jws"' in file.headers["content-disposition"]
        paper = browser.get(f"/object/{made.number}/receipt/print?lang=de").text
        key = tmp_path / "key.jwk"
        key.write_bytes(browser.get("/keys/receipts").content)
    said = receipts.verify(file.text, key)
    # A claim's receipt tells the name that was typed, not whose account it is here.
    assert (said["number"], said["person"]) == (made.number, "member-1@forum")
    assert b'"d"' not in key.read_bytes()
    record = said["record"]
    for words in (made.number, "member-1@forum", record["schema_version"], made.receipt):
        assert words in paper
    assert "p:1" not in paper
    assert "Test harbour" in paper
    assert "mein Wort." in paper


def test_no_reason_and_any_reason_are_taken(site: Running) -> None:
    with site.browser() as browser:
        for words in ("", "42", "because <b>I</b> say so; 'DROP TABLE", "🚫"):
            form = FORM | {"own_words": words}
            assert browser.post("/object", data=form).status_code == 200
    assert {o.reason for o in objections.list_all(site.rights)} >= {"", "42", "🚫"}


def test_several_accounts_of_one_form_are_shown_together(site: Running) -> None:
    form = FORM | {"accounts": "member-1@forum,\n @member-2@net\nhttps://social.example/@member-9"}
    with site.browser() as browser:
        page = browser.post("/object", data=form).text
        made = objections.list_all(site.rights)
        assert {o.person for o in made} == {"p:1", "p:2", "acct:member-9@social.example"}
        assert len({o.request for o in made}) == 1
        assert all(typed in page for typed in form["accounts"].replace(",", "").split())
        for objection in made:
            assert objection.number in page
            receipt = browser.get(f"/object/{objection.number}/receipt").text
            assert receipt.strip() == objection.receipt
    with site.browser() as stranger:
        other = stranger.get(f"/object/{made[1].number}").text
    assert made[0].number in other
    assert "member-" not in other


def test_status_tells_strangers_nothing_of_the_person(site: Running) -> None:
    with site.browser() as browser:
        browser.post("/object", data=FORM | {"own_words": "my own sentence"})
    number = only(site).number
    with site.browser() as stranger:
        page = stranger.get(f"/object/{number}").text
        assert number in page
        for secret in ("member-1", "p:1", "my own sentence", only(site).receipt):
            assert secret not in page
        for path in ("receipt", "receipt/print"):
            for headers in ({}, {"cookie": "receipt=0123456789abcdef"}):
                refused = stranger.get(
                    f"/object/{number}/{path}", follow_redirects=False, headers=headers
                )
                assert refused.status_code == 303
        # Neither another account of the same person nor their id: that would tell who is who.
        for name in ("member-2@net", "member-1@net", "p:1", ""):
            wrong = stranger.post(f"/object/{number}/receipt", data={"account": name})
            assert wrong.status_code == 403
            assert "This is not the account" in wrong.text
            assert only(site).receipt not in wrong.text
        right = {"account": " @member-1@forum "}
        file = stranger.post(f"/object/{number}/receipt", data=right)
        assert file.text.strip() == only(site).receipt
        paper = stranger.post(f"/object/{number}/receipt", data=right | {"print": "true"})
        assert "my own sentence" in paper.text
        signed = stranger.get(f"/object/{number}/steps").text.split()
        api = stranger.get(f"/api/objections/{number}").text
    with site.rights.reading() as connection:
        assert signed == [step.signature for step in steps.of(connection, number)]
    assert "member-1" not in api
    assert "p:1" not in api


def same(page: str, number: str) -> str:
    """A page without what differs between any two objections."""
    return re.sub(r"OBJ-\d{8}-[0-9A-F]{8}|datetime=\S+|\d\d:\d\d|account-\w+", "", page).replace(
        number, ""
    )


def test_nobody_learns_whether_an_account_or_an_address_is_known(site: Running) -> None:
    with site.rights.writing() as connection:
        contacts.put(connection, site.rights, "member-1@forum", "one@example.org")
    pages, papers = [], []
    with site.browser() as browser:
        for account, email in (
            ("member-1@forum", "one@example.org"),
            ("member-8@forum", "one@example.org"),
            ("member-1@forum", "two@example.org"),
            ("member-8@forum", "two@example.org"),
        ):
            sent = browser.post("/object", data=FORM | {"accounts": account, "email": email})
            number = str(sent.url).rpartition("/")[2]
            pages.append(same(sent.text, number).replace("member-8", "member-1"))
            said = browser.get(f"/object/{number}/receipt/print").text
            papers.append(
                re.sub(r'<p class="seal token">.*</p>', "", same(said, number)).replace(
                    "member-8", "member-1"
                )
            )
    assert len(set(pages)) == 1
    assert len({re.sub(r"T[\d:+]+", "", paper) for paper in papers}) == 1


def test_an_address_that_the_service_knows_confirms_with_a_button(site: Running) -> None:
    with site.rights.writing() as connection:
        contacts.put(connection, site.rights, "member-1@forum", "one@example.org")
    form = FORM | {"accounts": "member-1@forum\nmember-2@net", "email": "One@example.org"}
    with site.browser() as browser:
        assert "We have written to you" in browser.post("/object", data=form).text
        path = f"/object/confirm?code={code_of(site)}"
        # A mail program that opens the link confirms nothing.
        for _ in range(2):
            assert browser.get(path).status_code == 200
        assert {o.state for o in objections.list_all(site.rights)} == {"pending"}
        done = browser.post("/object/confirm", data={"code": code_of(site)})
        by = {o.person: (o.state, o.confirmed_by) for o in objections.list_all(site.rights)}
        assert by == {"p:1": ("confirmed", "e-mail"), "p:2": ("pending", "")}
        # The other account is not known by this address, and the page says so.
        assert "the service does not know this account by it" in done.text
        for code in ("", "x", "\ud800".encode("utf-8", "surrogatepass").decode("latin1")):
            gone = browser.post("/object/confirm", data={"code": code})
            assert gone.status_code == 410
            assert "This link does not hold any more" in gone.text


def test_only_the_person_confirms_or_withdraws_when_signed_in(site: Running) -> None:
    with site.browser() as browser:
        browser.post("/object", data=FORM)
    number = only(site).number
    paths = [f"/object/{number}/claim", f"/object/{number}/withdraw"]
    with site.browser() as other, site.browser() as member, site.browser() as nobody:
        token = sign_in(site, other, "two", person="p:2")
        mine = sign_in(site, member, "one", person="p:1")
        assert "Only the person" in other.get(paths[1]).text
        assert "Yes, this is mine" not in other.get(f"/object/{number}").text
        for path in paths:
            assert other.post(path, data={"csrf": token}).status_code == 403
            assert member.post(path, data={"csrf": token}).status_code == 403
            assert nobody.post(path, follow_redirects=False).status_code == 303
        assert only(site).state == "pending"
        assert "Yes, this is mine" in member.get(f"/object/{number}").text
        assert "Your objection is in effect" in member.post(paths[0], data={"csrf": mine}).text
        assert (only(site).state, only(site).confirmed_by) == ("confirmed", "member")
        receipt = member.get(f"/object/{number}/receipt").text
        assert receipt.strip() == only(site).receipt
        member.get(paths[1])
        assert only(site).stands
        page = member.post(paths[1], data={"csrf": mine})
        assert "This objection was withdrawn" in page.text
        assert not only(site).stands
        # Twice is once.
        assert member.post(paths[1], data={"csrf": mine}).status_code == 200


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"accounts": "  "}, "Bitte sag, um wessen Beiträge es geht."),
        ({"accounts": "\n".join(map(str, range(21)))}, "Bitte nenne höchstens 20 Konten."),
        ({"confirmed": ""}, "Bitte bestätige das."),
        ({"confirmed": "perhaps"}, "Im Formular stimmte etwas nicht"),
        ({"scope": "some"}, "Bitte wähle mindestens einen Dienst."),
        ({"scope": "some", "services": ["nowhere"]}, "Bitte wähle unter den gezeigten Diensten."),
        ({"own_words": "x" * 2001}, "Bitte nimm höchstens"),
        ({"email": "nobody"}, "Das ist keine E-Mail-Adresse."),
    ],
)
def test_form_says_what_is_missing_and_keeps_the_rest(
    site: Running, change: dict, complaint: str
) -> None:
    form = FORM | {"reason": "2", "own_words": "meine <Worte>"} | change
    with site.browser() as browser:
        page = browser.post("/object?lang=de", data=form)
    assert page.status_code == 422
    assert complaint in page.text
    assert objections.list_all(site.rights) == []
    if "own_words" not in change and change.get("confirmed") != "perhaps":
        assert "meine &lt;Worte&gt;" in page.text
        assert re.search(r'value="2" checked', page.text)


def test_single_services_are_objections_of_their_own(site: Running) -> None:
    form = FORM | {"scope": "some", "services": ["forum", "net"]}
    with site.browser() as browser:
        page = browser.post("/object", data=form).text
        made = objections.list_all(site.rights)
        assert sorted(o.service for o in made) == ["forum", "net"]
        assert all(objection.number in page for objection in made)
        # Boxes left ticked do not count where all services are chosen.
        browser.post("/object", data=FORM | {"services": ["forum"]})
    assert {o.service for o in objections.list_all(site.rights)} == {"forum", "net", "*"}


def test_own_words_fit_beside_each_ready_reason(site: Running) -> None:
    with site.browser() as browser:
        longest = int(
            re.search(r'name="own_words"[^>]*maxlength="(\d+)"', browser.get("/object").text)[1]
        )
        for reason in range(4):
            form = FORM | {"reason": str(reason), "own_words": "\r\n" + "x" * longest}
            assert browser.post("/object", data=form).status_code == 200


def test_claims_are_counted_without_a_captcha(tmp_path: Path) -> None:
    limits = Claims(per_minute=6, per_account_a_day=2, mails_a_day=1)
    settings = Settings(claims=limits, serving=Serving(parallel=1))
    workspace = Workspace.create(tmp_path / "home", settings)
    add_account(Running("", KnownAssistant(), workspace).rights, "member-1@forum", "p:1")
    with serving(workspace, KnownAssistant()) as address:
        site = Running(address, KnownAssistant(), workspace)
        with site.browser() as browser:

            def send(account: str, email: str = "") -> int:
                form = FORM | {"accounts": account, "email": email}
                return browser.post("/object", data=form).status_code

            # However it is typed, and whether it is known or not, an account is the same.
            assert [send("member-1@forum", "a@example.org"), send("@member-1@forum")] == [200, 200]
            assert [send("member-9@forum", "A@example.org"), send("member-9@forum")] == [200, 200]
            assert [send("acct:member-1@forum"), send("member-9@forum")] == [429, 429]
            assert send("member-7@forum") == 429
        with site.rights.reading() as connection:
            sent = connection.execute(select(letters.c.kind)).all()
        assert len(sent) == 1
        assert len(objections.list_all(site.rights)) == 4
        with site.browser() as browser:
            token = sign_in(site, browser, "one", person="p:1")
            answer = browser.post("/settings/privacy/ai", data={"csrf": token})
            assert "Your objection is in effect" in answer.text


def test_steps_of_an_objection_are_shown_with_each_release(site: Running) -> None:
    (made,) = objections.receive(site.rights, "member-1@forum")
    with site.browser() as browser:

        def done() -> int:
            return browser.get(f"/object/{made.number}").text.count('<li class="done')

        assert done() == 4  # with 'known to be yours'
        for state, release, digest in (
            ("data_removed", "", ""),
            ("models_cleared", "sayso-1", "a1" * 32),
            ("models_cleared", "sayso-2", "b2" * 32),
            ("closed", "", ""),
        ):
            with site.rights.writing() as connection:
                steps.note(connection, site.rights, made, state, now(), release, digest)
        page = browser.get(f"/object/{made.number}").text
        assert "Done: no model holds these posts" in page
        for words in ("sayso-1", "sayso-2", "a1" * 32, "b2" * 32):
            assert words in page
        assert done() == 7


def test_what_lapsed_is_said(site: Running) -> None:
    with site.browser() as browser:
        browser.post("/object", data=FORM)
        claims.lapse(site.rights, only(site).number, "operator")
        assert "This objection has lapsed" in browser.get(f"/object/{only(site).number}").text


def test_what_others_posted_is_objected_to_without_an_account(site: Running) -> None:
    form = {
        "links": "https://forum.example/t/1\nhttps://forum.example/t/2",
        "name": "Erika Beispiel",
        "kinds": ["shown", "named"],
        "email": "one@example.org",
        "confirmed": "true",
    }
    with site.browser() as browser:
        page = browser.post("/object/depicted", data=form).text
        made = only(site)
        assert (made.about, made.state, made.service) == ("depicted", "pending", "*")
        assert made.evidence == '{"as":["named","shown"]}'
        assert "what others posted about you" in page
        # What is typed is not kept, so no page tells it.
        for path in ("", "/receipt/print"):
            assert "Erika" not in browser.get(f"/object/{made.number}{path}").text
        browser.post("/object/confirm", data={"code": code_of(site)})
        assert only(site).state == "pending"
        short = browser.post("/object/depicted", data=form | {"links": "", "name": "Erika"})
        assert short.status_code == 422
        assert "This alone could be anybody&#39;s." in short.text
        nothing = browser.post("/object/depicted", data={"confirmed": "true"})
        assert "Please give a link to a post, or your name." in nothing.text
    assert len(objections.list_all(site.rights)) == 1


def test_anybody_may_claim_by_the_interface_and_no_more(site: Running) -> None:
    body = {"account": "@member-1@forum", "email": "one@example.org"}
    with site.browser() as browser:
        sent = browser.post("/api/objections?lang=de", json=body)
        assert sent.status_code == 201
        told, made = sent.json(), only(site)
        assert (made.state, made.confirmed_by, made.person) == ("pending", "", "p:1")
        assert (told["state"], told["receipt"]) == ("pending", made.receipt)
        # Neither whether it is known nor whose it is.
        assert told["account_known"] is None
        assert "p:1" not in sent.text
        assert receipts.verify(made.receipt, site.workspace.keys / "receipts.pub.jwk")[
            "person"
        ] == ("@member-1@forum")
        status = browser.get(f"/api/objections/{made.number}").json()
        assert [s["name"] for s in status["steps"] if s["at"]] == list(steps.AT_RECEIPT)
        called = browser.post("/api/objections", json=body | {"callbacks": ["https://a.example"]})
        assert called.status_code == 403
    for wrong in ("Bearer sayso_x", "bearer x", "Basic eDp5"):
        with site.browser(authorization=wrong) as browser:
            answer = browser.post("/api/objections", json=body)
            # What is no bearer is as if it were not there: a claim.
            assert answer.status_code == (201 if wrong.startswith("Basic") else 401), wrong
    assert {o.state for o in objections.list_all(site.rights)} == {"pending"}


def test_a_service_vouches_for_its_own_members_alone(site: Running) -> None:
    with site.service("forum", "forum") as forum:
        for account, status in (("member-2@net", 403), ("p:1", 403), ("member-9", 403)):
            answer = forum.post("/api/objections", json={"account": account})
            assert answer.status_code == status
        assert objections.list_all(site.rights) == []
        unknown = forum.post("/api/objections", json={"account": "member-9@forum"}).json()
        assert (unknown["state"], unknown["account_known"]) == ("confirmed", False)
        known = forum.post("/api/objections", json={"account": "member-1@forum"}).json()
    assert (known["state"], known["account_known"]) == ("confirmed", True)
    made = objections.find(site.rights, known["number"])
    assert made is not None
    assert (made.confirmed_by, made.person) == ("service", "p:1")


def test_claims_by_the_interface_are_counted(tmp_path: Path) -> None:
    settings = Settings(
        claims=Claims(per_minute=3, per_account_a_day=2), serving=Serving(parallel=1)
    )
    workspace = Workspace.create(tmp_path / "home", settings)
    with serving(workspace, KnownAssistant()) as address:
        site = Running(address, KnownAssistant(), workspace)
        with site.browser() as browser:

            def send(account: str) -> int:
                return browser.post("/api/objections", json={"account": account}).status_code

            assert [send("a@forum"), send("@a@forum"), send("acct:a@forum")] == [201, 201, 429]
            assert send("b@forum") == 429
        with site.service() as service:
            body = {"account": "a@forum"}
            sent = {service.post("/api/objections", json=body).status_code for _ in range(5)}
            assert sent == {201}


def test_steps_are_told_as_they_are_taken(site: Running) -> None:
    with site.service() as service:
        made = service.post("/api/objections", json={"account": "member-1@forum"})
        assert made.status_code == 201
        number = made.json()["number"]
        assert made.json()["status_url"] == f"{site.address}/object/{number}"

    def told() -> list[dict[str, str | None]]:
        with site.browser() as browser:
            return browser.get(f"/api/objections/{number}").json()["steps"]

    def take(state: str, release: str = "", digest: str = "") -> None:
        with site.rights.writing() as connection:
            steps.note(connection, site.rights, only(site), state, now(), release, digest)

    assert [step["name"] for step in told()] == list(steps.ORDER)
    assert [step["name"] for step in told() if step["at"]] == list(steps.AT_RECEIPT)
    take("data_removed")
    take("models_cleared", "r-1", "a1" * 32)
    take("models_cleared", "r-2", "b2" * 32)
    cleared = [step for step in told() if step["name"] == "models_cleared"]
    assert [(s["release"], s["release_hash"]) for s in cleared] == [
        ("r-1", "a1" * 32),
        ("r-2", "b2" * 32),
    ]
    key = site.workspace.keys / "receipts.pub.jwk"
    signed = receipts.verify(cleared[0]["signature"], key, receipts.STEP_TYPE)
    assert (signed["number"], signed["release"]) == (number, "r-1")
    objections.withdraw(site.rights, number)
    with site.browser() as browser:
        status = browser.get(f"/api/objections/{number}").json()
        assert (status["state"], bool(status["withdrawn_at"])) == ("withdrawn", True)
        assert all(step["at"] for step in status["steps"])
        assert "This objection was withdrawn" in browser.get(f"/object/{number}").text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"account": ""}, 422),
        ({"account": "   "}, 422),
        ({}, 422),
        ({"account": "a" * 1025}, 422),
        ({"account": "a", "services": []}, 422),
        ({"account": "a", "reason": "x" * 2001}, 422),
        ({"account": "a", "services": ["nowhere"]}, 400),
        ({"account": "a", "services": ["net", ""]}, 400),
    ],
)
def test_interface_refuses_what_would_have_no_effect(
    site: Running, body: dict, status: int
) -> None:
    with site.browser() as browser:
        response = browser.post("/api/objections", json=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert set(response.json()) == {"title", "status", "detail"}
    assert objections.list_all(site.rights) == []


def test_interface_makes_one_objection_for_each_service(site: Running) -> None:
    with site.service() as service:
        body = {"account": "member-9@forum", "services": ["net", "forum", "net"]}
        made = service.post("/api/objections", json=body).json()
    assert made["account_known"] is False
    assert [each["service"] for each in made["objections"]] == ["net", "forum"]
    assert made["number"] == made["objections"][0]["number"]


def test_unknown_numbers(site: Running) -> None:
    with site.browser() as browser:
        for path in ("/object/OBJ-20260101-00000000", "/object/x", "/object/x/receipt"):
            assert browser.get(path).status_code == 404
        found = browser.get("/object?number=obj-20260101-0000000a ", follow_redirects=False)
        assert found.headers["location"] == "/object/OBJ-20260101-0000000A"
        away = browser.get("/object?number=//evil.example", follow_redirects=False)
        assert away.headers["location"] == "/object/%2F%2FEVIL.EXAMPLE"
        unknown = browser.get("/api/objections/OBJ-20260101-00000000")
    assert unknown.status_code == 404
    assert unknown.json()["detail"] == "there is no objection of this number"
