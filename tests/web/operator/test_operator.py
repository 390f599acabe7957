"""The staff's pages: who comes in, what they see and do, and what is noted of it."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from sayso.rights import accesses, claims, items, ledger, objections, suppressions
from sayso.rights.database import now
from sayso.rights.objection import ANSWER_WITHIN
from sayso.rights.tables import objections as table
from tests.web.operator.conftest import NAME
from tests.web.signing import sign_in

PLACES = ("", "/objections", "/review", "/enter", "/import", "/suppressions", "/policy")
POSTS = {
    "/objections/{number}/confirm": {},
    "/objections/{number}/lapse": {"because": "x"},
    "/objections/{number}/extend": {"because": "x"},
    "/objections/{number}/note": {"text": "x"},
    "/review/{number}/{key}": {"act": "none"},
    "/enter": {"channel": "letter", "received": f"{now():%Y-%m-%d}", "accounts": "x@square"},
    "/import": {},
    "/import/take": {"data": "YWNjb3VudAp4QHNxdWFyZQo=", "name": "a.csv"},
    "/suppressions": {"account": "x@square", "act": "add"},
    "/policy": {},
}
CSV = b"account,services,reason,received_at\n"


def noted(desk, since=0):
    with desk.rights.reading() as connection:
        return list(ledger.read(connection, after=since, kind=accesses.KIND))


def head(desk):
    with desk.rights.reading() as connection:
        return max((entry.seq for entry in ledger.read(connection)), default=0)


def keys_of(desk, number):
    with desk.rights.reading() as connection:
        return [f"{i.record_key:016x}" for i in items.of_objection(connection, number)]


def test_only_staff_come_in_and_only_operators_act_by_forms_of_their_own(desk, browser):
    made = desk.doubtful()
    key = keys_of(desk, made.number)[0]
    pages = [*PLACES, f"/objections/{made.number}", f"/review/{made.number}/{key}"]
    before = objections.list_all(desk.rights), head(desk)
    for path in [*pages, f"/objections/{made.number}/receipt", "/objections/OBJ-0"]:
        asked = browser.get(f"/operator{path}", follow_redirects=False)
        assert (asked.status_code, asked.headers["location"][:14]) == (303, "/sign-in?next=")
    token = sign_in(desk.site, browser, "one", person="p:1")
    seen = head(desk)
    for path in [*pages, f"/objections/{made.number}/receipt", "/objections/OBJ-0"]:
        assert browser.get(f"/operator{path}").status_code == 403
    for path, fields in POSTS.items():
        address = "/operator" + path.format(number=made.number, key=key)
        files = {"file": ("a.csv", CSV + b"x@square,,,\n")}
        for who in ("one", "auditor", "captain"):
            role = {"one": "member", "auditor": "auditor", "captain": "operator"}[who]
            token = sign_in(desk.site, browser, who, role=role, person="p:1" * (who == "one"))
            for csrf in {"", "0" * len(token), token} - ({token} if who == "captain" else set()):
                data = fields | {"csrf": csrf}
                refused = browser.post(address, data=data, files=files)
                assert refused.status_code == 403, (path, who)
    with desk.site.browser(Origin="https://elsewhere.example") as other:
        token = sign_in(desk.site, other, "captain", role="operator")
        address = f"/operator/objections/{made.number}/confirm"
        assert other.post(address, data={"csrf": token}).status_code == 403
    assert objections.list_all(desk.rights) == before[0]
    assert head(desk) == seen


def test_auditors_read_everything_but_names_and_words(desk, browser):
    made = desk.claim(reason="my words", channel="letter", evidence='{"note":"file seven"}')
    third = desk.doubtful()
    sign_in(desk.site, browser, "auditor", role="auditor")
    for path in PLACES:
        page = browser.get(f"/operator{path}")
        assert page.status_code == 200
        assert "auditor" in page.text
        assert 'href="/operator/import"' not in page.text  # where there is nothing for them
        assert 'method="post" action="/operator' not in page.text
    since = head(desk)
    page = browser.get(f"/operator/objections/{made.number}").text
    key = keys_of(desk, third.number)[0]
    record = browser.get(f"/operator/review/{third.number}/{key}").text
    for hidden in (made.person, "my words", "file seven", NAME, "square.example"):
        assert hidden not in page + record
    assert desk.rights.workspace.pseudonyms.name("person", made.person) in page
    assert browser.get(f"/operator/objections/{made.number}/receipt").status_code == 403
    looked = [(entry.body["act"], entry.body["about"]) for entry in noted(desk, since)]
    assert looked == [
        ("looked at an objection", made.number),
        ("looked at a record", third.number),
    ]


def test_the_overview_and_the_queue_show_what_is_due_and_name_nobody(desk, browser, captain):
    late, soon, fine = (desk.claim(reason="secret words") for _ in range(3))
    with desk.rights.writing() as connection:
        for number, days in ((late.number, -2), (soon.number, 3)):
            at = {"due_at": now() + timedelta(days=days)}
            connection.execute(update(table).where(table.c.number == number).values(at))
    overview = browser.get("/operator").text
    assert re.search(r"<b>1</b> overdue", overview)
    assert re.search(r"<b>1</b> due within a week", overview)
    assert "it is over" in overview
    for state, there, absent in (
        ("overdue", [late], [soon, fine]),
        ("soon", [soon], [late, fine]),
        ("pending", [late, soon, fine], []),
        ("closed", [], [late, soon, fine]),
    ):
        page = browser.get(f"/operator/objections?state={state}").text
        assert all(made.number in page for made in there), state
        assert not any(made.number in page for made in absent), state
        assert "nobody-" not in page and "secret words" not in page
    everything = browser.get("/operator/objections?state=all").text
    assert everything.index(late.number) < everything.index(soon.number)
    assert late.number not in browser.get("/operator/objections?channel=letter").text
    for wrong in ("state=x", "after=x", "after=" + "x" * 300):
        assert browser.get(f"/operator/objections?{wrong}").status_code in (400, 422)
    assert browser.get("/operator/objections/OBJ-0").status_code == 404
    metrics = browser.get("/metrics").text.splitlines()
    (seconds,) = [m for m in metrics if m.startswith("sayso_objections_due_seconds ")]
    assert float(seconds.split()[1]) < 0
    assert any(re.fullmatch(r"sayso_objections_overdue [1-9]\d*", line) for line in metrics)


def test_an_operator_confirms_ends_puts_off_and_notes(desk, browser, captain):
    theirs, others = desk.claim(reason=""), desk.claim()
    since = head(desk)
    path = f"/operator/objections/{theirs.number}"
    page = browser.get(path).text
    assert "no reason given" in page
    assert theirs.person in page
    page = browser.post(f"{path}/confirm", data={"csrf": captain}).text
    assert "It is confirmed now" in page
    assert objections.find(desk.rights, theirs.number).confirmed_by == "operator"
    for act, field in (("extend", "because"), ("note", "text")):
        for words in (" ", "x" * 2001):
            refused = browser.post(f"{path}/{act}", data={"csrf": captain, field: words})
            assert refused.status_code == 422
            assert 'aria-invalid="true"' in refused.text
    put_off = {"csrf": captain, "months": "2", "because": "so many came at once"}
    page = browser.post(f"{path}/extend", data=put_off).text
    assert "so many came at once" in page
    assert objections.find(desk.rights, theirs.number).due_at == theirs.due_at + 2 * ANSWER_WITHIN
    assert f"{path}/extend" not in page  # two months in all
    assert browser.post(f"{path}/extend", data=put_off).status_code == 422
    assert "they called" in browser.post(
        f"{path}/note", data={"csrf": captain, "text": "they called\r\nback"}
    ).text  # fmt: skip
    other = f"/operator/objections/{others.number}"
    assert browser.post(f"{other}/lapse", data={"csrf": captain}).status_code == 422
    ended = browser.post(f"{other}/lapse", data={"csrf": captain, "because": "a namesake"})
    assert "It is ended" in ended.text
    assert objections.find(desk.rights, others.number).state == "lapsed"
    assert browser.post(f"{other}/confirm", data={"csrf": captain}).status_code == 400
    refused = browser.post(f"{path}/lapse", data={"csrf": captain, "because": "x"})
    assert refused.status_code == 422  # it is confirmed: only the person withdraws it
    assert "captain" in browser.get(path).text
    acts = [e.body["act"] for e in noted(desk, since) if "looked" not in e.body["act"]]
    assert acts == [
        "confirmed an objection",
        "put a deadline off",
        "noted something on an objection",
        "ended a claim as not theirs",
    ]
    pseudonym = accesses.pseudonym(desk.rights, "captain")
    assert {entry.body["actor"] for entry in noted(desk, since)} == {pseudonym}
    with desk.rights.reading() as connection:
        whole = json.dumps([entry.body for entry in ledger.read(connection)])
    for word in ("captain", "namesake", "so many", "they called", "nobody-"):
        assert word not in whole


def test_a_letter_is_entered_as_it_came(desk, browser, captain):
    came = datetime.now(UTC).date() - timedelta(days=9)
    letter = {
        "csrf": captain,
        "channel": "letter",
        "received": f"{came}",
        "accounts": "member-1@square\n@writer@else.example",
        "note": "folder 7, signed",
    }
    page = browser.post("/operator/enter", data=letter)
    number = str(page.url).rpartition("/")[2].partition("?")[0]
    made = objections.of_request(desk.rights, objections.find(desk.rights, number).request)
    assert {o.person for o in made} == {"member-1@square", "acct:writer@else.example"}
    assert {(o.state, o.confirmed_by, o.reason, o.channel) for o in made} == {
        ("confirmed", "operator", "", "letter")
    }
    assert {o.received_at.date() for o in made} == {came}
    assert {o.due_at - o.received_at for o in made} == {ANSWER_WITHIN}
    for words in ("It is recorded", "no reason given", "folder 7, signed", "Came together with"):
        assert words in page.text
    paper = browser.get(f"/operator/objections/{number}/receipt")
    assert made[0].receipt[:40] in paper.text or made[1].receipt[:40] in paper.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": "pigeon"},
        {"received": ""},
        {"received": "2019-01-01"},
        {"received": "2999-01-01"},
        {"received": "yesterday"},
        {"accounts": " \n, "},
        {"accounts": "\n".join(map(str, range(21)))},
        {"accounts": "x" * 1025},
        {"scope": "some"},
        {"scope": "some", "services": "nowhere"},
        {"reason": "x" * 2001},
        {"note": "x" * 501},
        {"email": "no address"},
    ],
)
def test_what_cannot_have_come_is_not_recorded_and_nothing_typed_is_lost(
    desk, browser, captain, wrong
):
    before = objections.list_all(desk.rights)
    letter = {
        "csrf": captain,
        "channel": "letter",
        "received": f"{now():%Y-%m-%d}",
        "accounts": "member-1@square",
        "reason": "as it was said",
    }
    refused = browser.post("/operator/enter", data=letter | wrong)
    assert refused.status_code == 422
    assert 'aria-invalid="true"' in refused.text
    assert ("as it was said" in refused.text) == ("reason" not in wrong)
    assert objections.list_all(desk.rights) == before


def test_a_file_is_shown_before_it_is_taken(desk, browser, captain):
    before = len(objections.list_all(desk.rights))
    rows = b"filed-1@square,square,,\nfiled-1@square,square,,\nfiled-2@square,,no,2026-02-30\n"
    shown = browser.post(
        "/operator/import", data={"csrf": captain}, files={"file": ("../a.csv", CSV + rows)}
    )
    assert len(objections.list_all(desk.rights)) == before
    for words in ("<b>3</b> lines read", "<b>1</b> objections would be taken", "line 4"):
        assert words in shown.text
    assert "filed-2" not in shown.text
    carried = dict(re.findall(r'name="(name|data)" value="([^"]*)"', shown.text))
    assert carried["name"] == "a.csv"
    for again in (0, 1):
        form = {"csrf": (None, captain)} | {key: (None, v) for key, v in carried.items()}
        done = browser.post("/operator/import/take", files=form)
        assert f"<b>{1 - again}</b> objections taken" in done.text
        assert len(objections.list_all(desk.rights)) == before + 1


@pytest.mark.parametrize(
    ("name", "data", "status", "words"),
    [
        ("a.csv", b"", 422, "choose a file"),
        ("a.csv", b"name,reason\nx,y\n", 422, "has not the columns"),
        ("a.csv", b"\xff\xfe\x00", 422, "no CSV file in UTF-8"),
        ("a.csv", b"account\n" + b"x@square\n" * 5001, 422, "more than 5000 lines"),
        ("a.exe", b"account\nx@square\n", 200, "would be taken"),
        ("a.csv", b"account\n" + b"x" * 1024 * 1024, 413, "too long"),
        ("a.csv", b"account\n" + b"x" * 3 * 1024 * 1024, 413, "too long"),
    ],
)
def test_files_have_limits(desk, browser, captain, name, data, status, words):
    before = len(objections.list_all(desk.rights))
    files = {"file": (name, data)}
    answer = browser.post("/operator/import", data={"csrf": captain}, files=files)
    assert answer.status_code == status
    assert words in answer.text
    assert len(objections.list_all(desk.rights)) == before


def test_a_record_in_doubt_is_looked_at_and_decided(desk, browser, captain):
    made = desk.doubtful(links=["https://square.example/1", "https://square.example/none"])
    page = browser.get(f"/operator/review?number={made.number}").text
    assert NAME not in page
    keys = [key for key in keys_of(desk, made.number) if key in page]
    looked = {key: browser.get(f"/operator/review/{made.number}/{key}").text for key in keys}
    assert any("[NAME] rows at the harbour" in text for text in looked.values())
    assert any("is not stored here any more" in text for text in looked.values())
    decided = {}
    for key, text in looked.items():
        path = f"/operator/review/{made.number}/{key}"
        if "With the name cut out" not in text:
            refused = browser.post(path, data={"csrf": captain, "act": "mask"})
            assert refused.status_code == 422
            assert "does not stand in this record" in refused.text
            act = "out"
        else:
            act = "mask" if "rows at" in text else "none"
        answer = browser.post(path, data={"csrf": captain, "act": act})
        assert str(answer.url).endswith("/operator/review?done=waits")
        assert "takes effect once the objection is confirmed" in answer.text
        decided[key] = act
    with desk.rights.reading() as connection:
        found = items.of_objection(connection, made.number)
    assert {f"{i.record_key:016x}": i.act for i in found if i.state == "decided"} == decided
    assert {"mask", "out", "none"} == set(decided.values())
    assert browser.post(path, data={"csrf": captain, "act": "burn"}).status_code == 422
    assert browser.get(f"/operator/review/{made.number}/{'0' * 15}1").status_code == 404
    assert browser.get(f"/operator/review/{made.number}/xyz").status_code == 422
    assert "Nothing waits" in browser.get(f"/operator/review?number={made.number}").text
    claims.confirm(desk.rights, [made.number], "operator")
    answer = browser.post(path, data={"csrf": captain, "act": decided[key]})
    assert str(answer.url).endswith(f"/operator/review?done={decided[key]}")


def test_who_stays_out_is_asked_added_and_removed_and_never_listed(desk, browser, captain):
    def act(what, **fields):
        told = {"csrf": captain, "account": "@gull@square", "act": what} | fields
        return browser.post("/operator/suppressions", data=told)

    since = head(desk)
    assert "is not on the list" in act("check").text
    assert "Added." in act("add").text
    assert "It was on the list already" in act("add").text
    assert suppressions.check(desk.rights, "gull@square")
    page = browser.get("/operator/suppressions").text
    assert "gull" not in page
    assert "Removed." in act("remove").text
    assert "Nobody had added it by hand" in act("remove").text
    made = desk.claim()
    browser.post(f"/operator/objections/{made.number}/confirm", data={"csrf": captain})
    assert made.number in act("remove", account=made.person).text  # the objection keeps it out
    for wrong in ({"account": " "}, {"account": "x" * 1025}, {"service": "nowhere"}):
        assert act("add", **wrong).status_code == 422
    assert act("burn").status_code == 422
    told = json.dumps([entry.body for entry in noted(desk, since)])
    assert "gull" not in told
    assert "put somebody on the list" in told and "took somebody off" in told


def test_a_policy_is_compared_and_nothing_is_changed(desk, browser, captain):
    from sayso.corpus import admission
    from sayso.gate import policy

    workspace = desk.site.workspace
    admission.note(workspace, admission.judge_all(workspace, now()))
    page = browser.get("/operator/policy").text
    assert policy.load("strict").digest in page
    text = browser.get(f"/operator/policy/{policy.load('strict').digest}").text
    assert "waiting_days" in text
    assert browser.get(f"/operator/policy/{'0' * 32}").status_code == 404
    file = policy.source("strict").replace(b'name = "strict"', b'name = "later"')
    file = re.sub(rb"waiting_days = \d+", b"waiting_days = 3650", file)
    before = head(desk)
    answer = browser.post(
        "/operator/policy",
        data={"csrf": captain},
        files={"file": ("later.toml", file)},
        timeout=300,  # all libraries are loaded, on a machine that may be busy
    )
    assert answer.status_code == 200
    assert "What “later” would change" in answer.text
    assert re.search(r"<th scope=\"row\">allowed</th><td>waiting</td>", answer.text)
    assert "sayso policy use later.toml" in answer.text
    assert head(desk) == before
    assert workspace.open(workspace.home).settings.policy == "strict"
    for wrong in (b"", b"name = ", b"\xff", file.replace(b'"adult"', b'"minor"')):
        refused = browser.post(
            "/operator/policy", data={"csrf": captain}, files={"file": ("x.toml", wrong)}
        )
        assert refused.status_code == 422
        assert 'role="alert"' in refused.text
