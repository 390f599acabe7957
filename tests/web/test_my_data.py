"""A member's own data: all of theirs and nothing of anybody else's, and taking single ones out."""

import json
import re
from collections.abc import Iterator

import httpx2
import pytest

from sayso.audit import mine
from sayso.corpus import admission
from sayso.corpus.store import Store
from sayso.gate.rules import RULES
from sayso.rights import items, ledger, objections, receipts, tombstones
from sayso.settings import Serving, Settings
from sayso.web.pages import my_data
from sayso.web.rendering import environment
from sayso.workspace import Workspace
from tests.conftest import AT
from tests.corpus.world import event, post, take
from tests.web.conftest import KnownAssistant, Running, serving
from tests.web.signing import sign_in

PAGE = "/my-data"
MINE = {"person": "p:1"}


def by(number: int, account: str, text: str, **fields: object) -> dict[str, object]:
    """A public post of an adult on the service that the account's name ends with."""
    service = account.rpartition("@")[2]
    author = {"id": account, "age_band": "adult"}
    url = f"https://{service}.example/{number}"
    known = {"author": author, "service": service, "url": url}
    return post(number, text, **(known | fields))


POSTS = [
    by(1, "member-1@forum", "the ferry leaves in the morning from the old pier"),
    by(2, "member-1@net", "a seal slept on the warm harbour stones today"),
    by(3, "member-1@net", "only for those who follow me", audience="followers"),
    by(4, "member-1@net", "hello <b>you</b>\n" + "long words " * 60, url="javascript:alert(1)"),
    by(11, "member-1@forums", "a stranger with nearly the same name wrote this one"),
    by(12, "member-2@net", "what somebody else wrote about mussels and rope"),
    by(13, "member-1", "an account whose name is only the beginning", service="net"),
]


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose member p:1 has two accounts, and strangers with names that look like it."""
    home = tmp_path_factory.mktemp("mine") / "home"
    place = Workspace.create(home, Settings(community="Test harbour", serving=Serving(parallel=1)))
    link = [
        event("account.update", account=name, person="p:1")
        for name in ("member-1@forum", "member-1@net")
    ]
    said = event("account.update", account="member-1@net", policy={"train": "allow"}, statement="s")
    liked = event("interaction", actor="member-1@net", verb="like", object="post-12")
    other = event("interaction", actor="member-2@net", verb="share", object="post-1")
    secret = by(20, "member-1@net", "a private word to one", audience="direct")
    take(place, *POSTS, *link, said, liked, other, secret)
    admission.note(place, admission.judge_all(place, AT))
    assistant = KnownAssistant()
    with serving(place, assistant) as address:
        yield Running(address, assistant, place)


@pytest.fixture
def one(harbour: Running) -> Iterator[httpx2.Client]:
    """A browser in which member p:1 is signed in; `csrf` is what their forms bring along."""
    with harbour.browser(**{"Accept-Language": "en"}) as browser:
        browser.csrf = sign_in(harbour, browser, "one", **MINE)
        yield browser


def key(site: Running, number: int) -> str:
    return site.workspace.pseudonyms.name("record", f"post-{number}")


def shown(text: str) -> dict[str, str]:
    """What a page says of each record, by key."""
    parts = re.split(r'<li id="r-([0-9a-f]{16})"', text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_all_of_theirs_is_shown_and_nothing_else(harbour: Running, one: httpx2.Client) -> None:
    text = one.get(PAGE).text
    assert set(shown(text)) == {key(harbour, number) for number in (1, 2, 3, 4)}
    for stranger in (
        "nearly the same name",
        "mussels and rope",
        "only the beginning",
        "private word",
    ):
        assert stranger not in text
    told = shown(text)
    assert "No rule speaks against it." in told[key(harbour, 1)]
    assert 'href="https://forum.example/1"' in told[key(harbour, 1)]
    assert "It was not posted for everybody." in told[key(harbour, 3)]
    assert "hello &lt;b&gt;you&lt;/b&gt;" in told[key(harbour, 4)]
    assert "<summary" in told[key(harbour, 4)]
    assert "javascript:" not in text
    assert "As of the gate" in text
    assert set(shown(one.get(PAGE, params={"service": "forum"}).text)) == {key(harbour, 1)}
    assert set(shown(one.get(PAGE, params={"verdict": "denied"}).text)) == {key(harbour, 3)}
    liked = one.get(f"{PAGE}/reactions").text
    assert "https://net.example/12" in liked
    assert "https://forum.example/1" not in liked
    about = one.get(f"{PAGE}/about").text
    assert about.count("as the service says") == 2
    assert "member-1@forums" not in about
    assert "Argon2id" not in about


def test_who_is_not_signed_in_sees_nothing(harbour: Running) -> None:
    with harbour.browser() as browser:
        for path in (PAGE, f"{PAGE}/reactions", f"{PAGE}/about", f"{PAGE}/download"):
            answer = browser.get(path, follow_redirects=False)
            assert answer.headers["location"] == f"/sign-in?next={path}"
        for path in (f"{PAGE}/take-out", f"{PAGE}/put-back"):
            answer = browser.post(path, data={"record": key(harbour, 1)}, follow_redirects=False)
            assert answer.headers["location"] == "/sign-in"


@pytest.mark.parametrize("role", ["operator", "auditor"])
def test_staff_see_nobodys_page_whatever_they_type(harbour: Running, role: str) -> None:
    with harbour.browser() as browser:
        csrf = sign_in(harbour, browser, role, role=role)
        forged = {"person": "p:1", "account": "member-1@net", "user": "one", "name": "one"}
        for path in (PAGE, f"{PAGE}/p:1", f"{PAGE}/one", f"{PAGE}/about", f"{PAGE}/reactions"):
            text = browser.get(path, params=forged).text
            assert "ferry leaves" not in text
            assert "member-1" not in text
            assert not shown(text)
        copied = browser.get(f"{PAGE}/download", params=forged).text
        assert [json.loads(line)["kind"] for line in copied.splitlines()] == ["user", "session"]
        data = {"csrf": csrf, "record": key(harbour, 1)} | forged
        for path in ("take-out", "put-back"):
            assert browser.post(f"{PAGE}/{path}", data=data).status_code == 403


def test_a_record_of_somebody_else_is_as_if_it_were_not_there(
    harbour: Running, one: httpx2.Client
) -> None:
    before = len(objections.list_all(harbour.rights))
    answers = set()
    for record in (key(harbour, 11), key(harbour, 12), key(harbour, 13), key(harbour, 99)):
        for path in ("take-out", "put-back"):
            answer = one.post(f"{PAGE}/{path}", data={"csrf": one.csrf, "record": record})
            answers.add((answer.status_code, answer.text.replace(record, "")))
    assert len(answers) == 1
    for nothing in ("", "0", "x" * 16, f"{key(harbour, 1)}0", "0 OR true", "'"):
        answer = one.post(f"{PAGE}/take-out", data={"csrf": one.csrf, "record": nothing})
        assert answer.status_code == 404
    assert len(objections.list_all(harbour.rights)) == before
    with harbour.rights.reading() as connection:
        assert not len(items.out_keys(connection))


def test_forms_of_another_session_change_nothing(harbour: Running, one: httpx2.Client) -> None:
    with harbour.browser() as other:
        theirs = sign_in(harbour, other, "two", person="p:2")
    for token in ("", "x", theirs):
        data = {"csrf": token, "record": key(harbour, 1)}
        assert one.post(f"{PAGE}/take-out", data=data).status_code == 403
    data = {"csrf": one.csrf, "record": key(harbour, 1)}
    elsewhere = {"Origin": "https://evil.example"}
    assert one.post(f"{PAGE}/take-out", data=data, headers=elsewhere).status_code == 403
    with harbour.rights.reading() as connection:
        assert not len(items.out_keys(connection))


def test_taking_out_and_putting_back_show_at_once(harbour: Running, one: httpx2.Client) -> None:
    record = key(harbour, 1)
    data = {"csrf": one.csrf, "record": record, "service": "forum"}
    page = one.post(f"{PAGE}/take-out", data=data)
    assert (page.url.params["service"], page.url.fragment) == ("forum", f"r-{record}")
    assert "It is taken out of training" in page.text
    assert "You took this one out of training" in shown(page.text)[record]
    assert "/my-data/put-back" in shown(page.text)[record]
    with harbour.rights.reading() as connection:
        assert items.out_keys(connection).tolist() == [int(record, 16)]
    judged = admission.judge_all(harbour.workspace, AT).records
    assert dict(judged.select("key", "rule").iter_rows())[int(record, 16)] == "item-objection"
    made = objections.list_all(harbour.rights)[-1]
    assert (made.about, made.confirmed_by, made.channel) == ("items", "member", "my data")
    # A second click changes nothing; taking it back lets the gate's last verdict show again.
    one.post(f"{PAGE}/take-out", data=data)
    assert objections.list_all(harbour.rights)[-1].number == made.number
    back = one.post(f"{PAGE}/put-back", data=data)
    assert "It is put back" in back.text
    assert "No rule speaks against it." in shown(back.text)[record]
    assert "Nothing was changed" in one.post(f"{PAGE}/put-back", data=data).text
    with harbour.rights.reading() as connection:
        assert not len(items.out_keys(connection))


def test_a_word_that_the_gate_has_seen_is_looked_at_again_after_it_is_taken_back(
    harbour: Running, one: httpx2.Client
) -> None:
    record = key(harbour, 2)
    data = {"csrf": one.csrf, "record": record}
    one.post(f"{PAGE}/take-out", data=data)
    admission.note(harbour.workspace, admission.judge_all(harbour.workspace, AT))
    page = one.post(f"{PAGE}/put-back", data=data).text
    assert "What kept it out no longer stands." in shown(page)[record]
    admission.note(harbour.workspace, admission.judge_all(harbour.workspace, AT))
    assert "No rule speaks against it." in shown(one.get(PAGE).text)[record]


def test_an_objection_to_everything_shows_at_once(harbour: Running, one: httpx2.Client) -> None:
    one.post("/settings/privacy/ai", data={"csrf": one.csrf})
    (made,) = [o for o in objections.list_all(harbour.rights) if o.about == "own"]
    page = one.get(PAGE).text
    assert all("You have objected" in told for told in shown(page).values())
    assert f"/object/{made.number}/withdraw" in page
    assert "/my-data/take-out" not in page
    objections.withdraw(harbour.rights, made.number)  # erases nothing, unlike the page
    assert "You have objected" not in one.get(PAGE).text


def test_a_copy_has_everything_and_can_be_imported(
    harbour: Running, one: httpx2.Client, tmp_path: object
) -> None:
    one.post(f"{PAGE}/take-out", data={"csrf": one.csrf, "record": key(harbour, 1)})
    with one.stream("GET", f"{PAGE}/download") as answer:
        assert answer.headers["content-disposition"] == 'attachment; filename="my-data.jsonl"'
        assert answer.headers["cache-control"] == "no-store"
        lines = [json.loads(line) for line in answer.iter_lines()]
    kinds = [line.get("kind", line.get("type", "record")) for line in lines]
    assert {"account", "user", "session", "objection", "interaction"} <= set(kinds)
    assert kinds.count("interaction") == 1
    records = {line["id"]: line for line in lines if "text" in line}
    assert set(records) == {f"post-{number}" for number in (1, 2, 3, 4)}
    assert (records["post-1"]["verdict"], records["post-1"]["rule"]) == ("denied", "item-objection")
    assert records["post-3"]["reason"] == "it was not posted for everybody"
    made = next(line for line in lines if line.get("kind") == "objection")
    receipts.verify(made["receipt"], harbour.workspace.keys / "receipts.pub.jwk")
    assert made["steps"][0]["state"] == "received"
    assert "private word" not in str(lines)
    assert "password" not in str(lines).replace("has_password", "")
    again = Workspace.create(tmp_path / "again")
    report = take(again, *(line for line in lines if "text" in line or "type" in line))
    assert (report.stored, report.rejected) == (4, [])
    collection = one.get(f"{PAGE}/download", params={"format": "activitystreams"})
    assert collection.headers["content-type"].startswith("application/activity+json")
    notes = [item for item in collection.json()["orderedItems"] if item["type"] == "Create"]
    assert {note["object"]["id"] for note in notes} == set(records)
    assert one.get(f"{PAGE}/download", params={"format": "csv"}).status_code == 422
    one.post(f"{PAGE}/put-back", data={"csrf": one.csrf, "record": key(harbour, 1)})


def test_acts_and_downloads_are_counted(harbour: Running) -> None:
    with harbour.browser() as browser:
        sign_in(harbour, browser, "often", person="p:2")
        codes = [
            browser.get(f"{PAGE}/download").status_code
            for _ in range(my_data.DOWNLOADS_PER_MINUTE + 2)
        ]
    assert codes[0] == 200
    assert codes[-1] == 429


def test_pages_follow_one_another_without_gap_or_repeat(
    harbour: Running, monkeypatch: pytest.MonkeyPatch, one: httpx2.Client
) -> None:
    monkeypatch.setattr("sayso.web.pages.holdings.PAGE", 3)
    first = one.get(PAGE).text
    older = re.search(r'href="/my-data(\?[^"]*)" rel="next"', first)[1].replace("&amp;", "&")
    second = one.get(PAGE + older).text
    keys = [*shown(first), *shown(second)]
    assert len(keys) == len(set(keys)) == 4
    assert 'rel="next"' not in second
    newer = re.search(r'href="/my-data(\?[^"]*)" rel="prev"', second)[1]
    assert list(shown(one.get(PAGE + newer).text)) == list(shown(first))
    for nonsense in ("x", "9-0", "1-" + "0" * 16, "9" * 30 + "-" + "0" * 16, "'; --"):
        assert one.get(PAGE, params={"after": nonsense}).status_code == 200


def test_every_rule_has_a_sentence() -> None:
    for language in ("en", "de"):
        parts = environment(language).get_template("my_data_parts.html").module
        names = {rule.name for rule in RULES} | {"allowed", mine.NOT_JUDGED, mine.AGAIN}
        stones = {
            value
            for name, value in vars(tombstones).items()
            if name.isupper() and isinstance(value, str)
        }
        assert (names | stones) <= set(parts.reasons)


def test_what_is_erased_is_gone_and_a_message_that_was_stored_by_mistake_stays_hidden(
    harbour: Running, one: httpx2.Client
) -> None:
    records = Store(harbour.workspace).records
    row = records.read(where=f"key = {int(key(harbour, 2), 16)}").to_dicts()[0]
    for number, change in enumerate(({"audience": "direct"}, {"surface": "message"})):
        told = row | {"key": number + 1, "audience": "followers", "text": "not for here"} | change
        records.append(pa_table(records, told))
    try:
        assert "not for here" not in one.get(PAGE).text
        assert "not for here" not in one.get(f"{PAGE}/download").text
    finally:
        records.remove([1, 2])
    with harbour.rights.reading() as connection:
        assert "not for here" not in str([e.body for e in ledger.read(connection)])


def pa_table(table: object, row: dict[str, object]) -> object:
    import pyarrow as pa

    return pa.Table.from_pylist([row], schema=table.schema)


def test_the_pages_speak_both_languages(one: httpx2.Client) -> None:
    for path in (PAGE, f"{PAGE}/reactions", f"{PAGE}/about"):
        words = {}
        for language in ("en", "de"):
            text = one.get(path, params={"lang": language}).text
            assert f'<html lang="{language}">' in text
            words[language] = {w.strip() for w in re.findall(r">([^<>{}]{10,})<", text)}
        theirs = ("member-1", "ferry", "seal", "follow", "hello", "long words", "Test harbour")
        same = {w for w in words["en"] & words["de"] if " " in w}
        assert not {w for w in same if not any(own in w for own in theirs)}, path
    one.get(PAGE, params={"lang": "en"})
