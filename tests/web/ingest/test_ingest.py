"""Events by HTTP: every form of them, packed or not, and what becomes of it all."""

import gzip
import json

from sayso.rights import api_keys, objections
from sayso.settings import Settings
from sayso.workspace import Workspace
from tests.corpus.world import event, lines, post, texts, traces
from tests.web.conftest import KnownAssistant, Running, serving
from tests.web.ingest.conftest import URL, Source, counts

MARKER = "zwiebelfisch"
CONTEXT = {"specversion": "1.0", "source": "/square", "id": "e-1"}


def test_lines(source):
    given = [post(1), post(2), post(3, audience="direct", text=MARKER),
             event("content.delete", id="x"),
             event("interaction", actor="member-1@square", verb="like", object="post-1"),
             event("account.update", account="member-1@square", kind="bot"),
             b"no json", post(4, service="")]  # fmt: skip
    assert counts(source.lines(*given)) == {
        "read": 8,
        "stored": 2,
        "refused": {"direct-message": 1},
        "interactions": 1,
        "deletions": 1,
        "accounts": 1,
        "rejected_count": 2,
        "rejected": [
            {"where": "line 7", "reason": "not a JSON object in UTF-8"},
            {
                "where": "line 8",
                "reason": "`service` is missing: expected the name of the service it was posted on",
            },
        ],
    }
    assert set(texts(source.running.workspace)) == {"post-1", "post-2"}
    assert traces(source.running.workspace, MARKER) == []


def test_every_form_of_one_event(source):
    whole = CONTEXT | {"type": "net.content.upsert", "data": post(1)}
    assert counts(source.post(whole, "application/cloudevents+json")) == {"read": 1, "stored": 1}
    again = {"read": 1, "unchanged": 1}
    assert counts(source.post(post(1))) == again
    assert counts(source.post([post(1)])) == again
    assert counts(source.post([whole], "application/cloudevents-batch+json")) == again
    assert counts(source.lines(whole)) == again
    binary = {f"ce-{name}": value for name, value in CONTEXT.items()}
    binary["ce-type"] = "net.content.upsert"
    assert counts(source.post(post(1), **binary)) == again
    quoted = binary | {"ce-type": '"net.content.delete"', "ce-subject": "post%2D1"}
    assert counts(source.post(b"", **quoted)) == {"read": 1, "deletions": 1}
    assert texts(source.running.workspace) == {}
    assert counts(source.post(post(1))) == {"read": 1, "skipped": {"deleted before": 1}}


def test_an_edit_replaces_and_an_older_one_does_not(source):
    assert counts(source.post(post(1, "first", rev=2))) == {"read": 1, "stored": 1}
    assert counts(source.post(post(1, "second", rev=3))) == {"read": 1, "updated": 1}
    assert counts(source.post(post(1, "first", rev=2))) == {"read": 1, "unchanged": 1}
    assert texts(source.running.workspace) == {"post-1": "second"}


def test_records_of_those_who_object_do_not_come_in(source):
    objections.receive(source.running.rights, "member-1@square")
    assert counts(source.lines(post(1), post(2)))["stored"] == 1
    assert set(texts(source.running.workspace)) == {"post-2"}


def test_a_stream_in_blocks_names_its_lines(source):
    given: list[object] = [post(n) for n in range(2500)]
    given[2300] = b"no json"
    last = json.dumps(post(1)).encode()
    body = iter([b"\xef\xbb\xbf", *(lines(line) for line in given), b"\n\n", last])
    done = counts(source.post(body, "application/x-ndjson"))
    assert (done["read"], done["stored"], done["unchanged"]) == (2501, 2499, 1)
    assert done["rejected"] == [{"where": "line 2301", "reason": "not a JSON object in UTF-8"}]


def test_gzip(source):
    packed = gzip.compress(lines(post(1))) + gzip.compress(lines(post(2)))
    done = source.post(packed, "application/x-ndjson", **{"Content-Encoding": "gzip"})
    assert counts(done) == {"read": 2, "stored": 2}
    packed = gzip.compress(json.dumps(post(3)).encode())
    done = source.post(packed, **{"Content-Encoding": "gzip"})
    assert counts(done) == {"read": 1, "stored": 1}


HARMED = (
    (b"no gzip", "application/json", 400, "no gzip"),
    (gzip.compress(b"{}")[:-4], "application/json", 400, "ends too early"),
    (gzip.compress(b" " * 100_000), "application/json", 413, "longer than 65536 bytes"),
    (gzip.compress(b"\n" * 2_200_000, 0), "application/x-ndjson", 413, "longer than 2097152"),
)


def test_gzip_that_harms_or_is_harmed(source):
    for body, content_type, status, told in HARMED:
        response = source.post(body, content_type, **{"Content-Encoding": "gzip"})
        assert (response.status_code, response.json()["status"]) == (status, status)
        assert told in response.json()["detail"]


def test_a_bomb_is_found_long_before_the_limit(tmp_path):
    workspace = Workspace.create(tmp_path / "home", Settings())
    with serving(workspace, KnownAssistant()) as address:
        running = Running(address, KnownAssistant(), workspace)
        source = Source(running, api_keys.add(running.rights, "square"))
        bomb = gzip.compress(b"\n" * 20_000_000)
        response = source.post(bomb, "application/x-ndjson", **{"Content-Encoding": "gzip"})
    assert response.status_code == 413
    assert "packed more than 250:1" in response.json()["detail"]


def test_bodies_that_are_too_long(source):
    response = source.post(post(1, "x" * 70_000))
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"
    body = iter([lines(post(n, "x" * 1000)) for n in range(1, 2500)])
    response = source.post(body, "application/x-ndjson")
    assert response.status_code == 413
    # What came before is stored and told.
    taken = response.json()["taken"]
    assert taken["stored"] == len(texts(source.running.workspace)) > 0


def test_other_media_types(source):
    packed = {"Content-Encoding": "br"}
    for content_type, headers in (
        ("text/plain", {}),
        ("application/xml", {}),
        ("", {}),
        ("application/json", packed),
        ("application/x-ndjson", packed),
    ):
        response = source.post(post(1), content_type, **headers)
        assert response.status_code == 415, content_type
        assert "expected" in response.json()["detail"]


def test_what_cannot_be_taken_at_all(source):
    for body in (b"", b"no json", b"[1]", b'{"id":1}', b"[" * 50_000):
        response = source.post(body)
        assert response.status_code == 422, body
        assert response.json()["rejected_count"] == len(response.json()["rejected"]) == 1
    assert source.post([]).status_code == 200


def test_lines_that_no_line_may_be(source):
    from sayso.sources.lines import LONGEST_LINE
    from sayso.web.bodies import Lines

    cut = Lines()
    piece = b"x" * (LONGEST_LINE // 2)
    found = [
        part for chunk in (piece, piece, b"x", b"xx\n{}\n\n{", b"}") for part in cut.feed(chunk)
    ]
    assert [*found, *cut.end()] == [(1, None), (2, b"{}"), (4, b"{}")]


def test_openapi_tells_of_it(running):
    with running.browser() as browser:
        route = browser.get("/openapi.json").json()["paths"][URL]["post"]
    assert set(route["responses"]) >= {"200", "401", "403", "413", "415", "422", "429"}
    assert "application/cloudevents-batch+json" in route["requestBody"]["content"]
    assert route["security"]
