"""Objecting by form and by JSON, the receipt, and the page that follows it."""

import re
from pathlib import Path

import pytest

from sayso.rights import objections, receipts
from sayso.rights.objection import SUGGESTED_REASONS
from tests.web.conftest import Running, release_entry

FORM = {"account": "member-1@forum", "scope": "all", "confirmed": "true"}


def only(site: Running) -> objections.Objection:
    (made,) = objections.list_all(site.rights)
    return made


def test_form_leads_to_receipt_and_status(site: Running, tmp_path: Path) -> None:
    form = FORM | {"reason": "1", "own_words": "Und das ist\r\nmein Wort."}
    with site.browser() as browser:
        sent = browser.post("/object?lang=de", data=form, follow_redirects=False)
        made = only(site)
        assert sent.status_code == 303
        assert sent.headers["location"] == f"/object/{made.number}"
        assert made.reason == f"{SUGGESTED_REASONS['de'][1]} Und das ist\nmein Wort."
        assert (made.person, made.service, made.channel) == ("p:1", "*", "web")
        page = browser.get(f"/object/{made.number}?lang=de")
        assert made.number in page.text
        assert "Dein Widerspruch gilt" in page.text
        assert "alle Dienste, auch künftige" in page.text
        file = browser.get(f"/object/{made.number}/receipt")
        assert f'filename="{made.number}.jws"' in file.headers["content-disposition"]
        key = tmp_path / "key.jwk"
        key.write_bytes(browser.get("/keys/receipts").content)
    claims = receipts.verify(file.text, key)
    assert claims["number"] == made.number
    assert b'"d"' not in key.read_bytes()


def test_status_tells_strangers_nothing_of_the_person(site: Running) -> None:
    with site.browser() as browser:
        browser.post("/object", data=FORM | {"own_words": "my own sentence"})
    number = only(site).number
    with site.browser() as stranger:
        page = stranger.get(f"/object/{number}").text
        assert number in page
        for secret in ("member-1", "p:1", "my own sentence", only(site).receipt):
            assert secret not in page
        refused = stranger.get(f"/object/{number}/receipt", follow_redirects=False)
        assert refused.status_code == 303
        forged = stranger.get(
            f"/object/{number}/receipt",
            follow_redirects=False,
            headers={"cookie": "receipt=0123456789abcdef"},
        )
        assert forged.status_code == 303
        wrong = stranger.post(f"/object/{number}/receipt", data={"account": "member-2@net"})
        assert wrong.status_code == 403
        assert "This is not the account" in wrong.text
        assert only(site).receipt not in wrong.text
        for name in ("member-1@net", " @member-1@forum ", "p:1"):
            right = stranger.post(f"/object/{number}/receipt", data={"account": name})
            assert right.text.strip() == only(site).receipt
        api = stranger.get(f"/api/objections/{number}").text
    assert "member-1" not in api
    assert "p:1" not in api
    assert only(site).receipt not in api


def test_single_services_are_objections_of_their_own(site: Running) -> None:
    with site.browser() as browser:
        form = FORM | {"scope": "some", "services": ["forum", "net"]}
        page = browser.post("/object", data=form)
        made = objections.list_all(site.rights)
        assert sorted(o.service for o in made) == ["forum", "net"]
        for objection in made:
            assert objection.number in page.text
            assert browser.get(f"/object/{objection.number}/receipt").text.strip() == (
                objection.receipt
            )


def test_all_services_wins_over_boxes_left_ticked(site: Running) -> None:
    with site.browser() as browser:
        browser.post("/object", data=FORM | {"services": ["forum"]})
    assert only(site).service == "*"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"account": "  "}, "Bitte sag, um wessen Beiträge es geht."),
        ({"confirmed": ""}, "Bitte bestätige das."),
        ({"confirmed": "perhaps"}, "Im Formular stimmte etwas nicht"),
        ({"scope": "some"}, "Bitte wähle mindestens einen Dienst."),
        ({"scope": "some", "services": ["nowhere"]}, "Bitte wähle unter den gezeigten Diensten."),
        ({"own_words": "x" * 2001}, "Bitte nimm höchstens"),
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


def test_own_words_fit_beside_each_ready_reason(site: Running) -> None:
    with site.browser() as browser:
        longest = int(
            re.search(r'maxlength="(\d+)"[^>]*></textarea>', browser.get("/object").text)[1]
        )
        for reason in range(4):
            form = FORM | {"reason": str(reason), "own_words": "\r\n" + "x" * longest}
            assert browser.post("/object", data=form).status_code == 200


def test_only_the_sender_hears_that_the_name_is_unknown(site: Running) -> None:
    notice = "We have seen no posts under the name you typed."
    with site.browser() as browser:
        page = browser.post("/object", data=FORM | {"account": "member-9@forum"})
        assert notice in page.text
        with site.browser() as stranger:
            assert notice not in stranger.get(f"/object/{only(site).number}").text
    with site.browser() as browser:
        assert notice not in browser.post("/object", data=FORM).text


def test_steps_follow_the_ledger(site: Running) -> None:
    with site.browser() as browser:
        made = browser.post("/api/objections", json={"account": "@member-1@forum"})
        assert made.status_code == 201
        body = made.json()
        number = body["number"]
        assert body["status_url"] == f"{site.address}/object/{number}"
        assert body["account_known"] is True
        assert body["receipt"] == only(site).receipt

        def done() -> list[str]:
            steps = browser.get(f"/api/objections/{number}").json()["steps"]
            marks = browser.get(f"/object/{number}").text.count('<li class="done">')
            reached = [step["name"] for step in steps if step["at"]]
            assert marks == len(reached)
            return reached

        assert done() == ["received", "kept_out_of_training"]
        site.note("release", release_entry("r-1", "interim", 1, [number]))
        assert done()[2:] == ["gone_from_serving"]
        site.note("release", release_entry("r-2", "full", 1))
        assert done()[2:] == ["gone_from_serving", "rebuilt"]
        steps = browser.get(f"/api/objections/{number}").json()["steps"]
        assert [step["release"] for step in steps] == [None, None, "r-1", "r-2"]
        objections.withdraw(site.rights, number)
        assert browser.get(f"/api/objections/{number}").json()["withdrawn_at"]
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


def test_interface_takes_an_unknown_account_and_says_so(site: Running) -> None:
    with site.browser() as browser:
        body = {"account": "member-9@forum", "services": ["net", "forum", "net"]}
        made = browser.post("/api/objections", json=body).json()
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
