"""Signals of sites: robots.txt, ai.txt, tdmrep.json, headers, pages. Examples of the texts."""

import pytest

from sayso.rights.signals import (
    ai_txt,
    aipref,
    bots,
    content_signals,
    files,
    gpc,
    noai,
    policies,
    resolve,
    robots,
    tdmrep,
)
from sayso.rights.signals.model import Readings


def answer(found, **asked) -> str:
    return resolve.verdict(found, **asked).answer


def by_category(found) -> dict[str, str]:
    return {each.category: each.value for each in found}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("train-ai=n", "deny"),
        ("train-ai=y", "allow"),
        ("train-ai=n, search=y", "deny"),
        ("search=n", "unknown"),
        ("train-ai=y, train-ai=n", "deny"),  # the last of two counts
        ("train-ai=n, train-ai=y", "allow"),
        ("train-ai=n;why=1, future=?1", "deny"),
        ("train-ai=?0", "unreadable"),
        ('train-ai="n"', "unreadable"),
        ("train-ai=N", "unreadable"),
        ("train-ai", "unreadable"),
        ("train-ai=(n)", "unreadable"),
        ("Train-AI=n", "unreadable"),
        ("train-ai=y search=y", "unreadable"),
        ("train-ai=y, \u00e9", "unreadable"),
        ("", "unknown"),
        # Labels of drafts before: a no is still a no, a yes is not carried over.
        ("tdm=n", "deny"),
        ("genai=n", "deny"),
        ("inference=n", "deny"),
        ("all=n", "deny"),
        ("bots=n", "deny"),
        ("ai-output=n", "deny"),
        ("train-genai=y", "allow"),
        ("all=y", "unknown"),
        ("train-ai=y, ai-use=n", "deny"),
    ],
)
def test_content_usage_in_a_header(value, expected):
    assert answer(aipref.header({"Content-Usage": value})) == expected


def test_headers_of_one_name_are_one():
    assert answer(aipref.header([("content-usage", "train-ai=y"), ("Content-Usage", "tdm=n")])) == (
        "deny"
    )
    assert aipref.header({}) == []


def test_drafts_can_be_left_out():
    now = Readings(aipref_drafts=frozenset({"07"}))
    assert aipref.header({"Content-Usage": "genai=n"}, now) == []
    assert answer(aipref.header({"Content-Usage": "train-ai=n"}, now)) == "deny"


# draft-ietf-aipref-attach, 'Content-Usage in robots.txt'.
ATTACH = b"""User-Agent: *
Allow: /
Disallow: /never/
Content-Usage: train-ai=n
Content-Usage: /ai-ok/ train-ai=y
Content-Usage: /same/ train-ai=y
Content-Usage: /same/ train-ai=n
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "deny"),
        ("/ai-ok", "deny"),
        ("/ai-ok/x", "allow"),
        ("/same/x", "deny"),
        (None, "deny"),
        ("/%61i-ok/x", "allow"),
    ],
)
def test_content_usage_in_robots(path, expected):
    assert answer(aipref.robots_txt(ATTACH, path)) == expected


def test_a_no_on_some_path_counts_for_a_site_and_a_yes_does_not():
    yes_below = b"user-agent: *\ncontent-usage: /ok/ train-ai=y"
    assert answer(aipref.robots_txt(yes_below)) == "unknown"
    no_below = b"user-agent: *\ncontent-usage: train-ai=y\ncontent-usage: /no/ train-ai=n"
    assert answer(aipref.robots_txt(no_below)) == "deny"
    assert answer(aipref.robots_txt(no_below, "/x")) == "allow"


def test_groups_and_paths_of_robots():
    data = (
        b"\xef\xbb\xbfUser-agent: a\nUser-agent: B\nDisallow: /x # why\n\nuser-agent: *\nallow: /\n"
    )
    first, second = robots.groups(data)
    assert (first.agents, [r.value for r in first.rules]) == (["a", "b"], ["/x"])
    assert [r.name for r in robots.rules_for([first, second], "other")] == ["allow"]
    for pattern, path, covers in [
        ("/fish*.php", "/fish.php?id=1", True),
        ("/*.php$", "/a/b.php", True),
        ("/*.php$", "/a.php5", False),
        ("/*.php$", "/a.php/b.php", True),
        ("/a*b*c", "/a--b--c--", True),
        ("/a*b*c", "/acb", False),
        ("/fish", "/catfish", False),
        ("/", "/x", True),
        ("/a$", "/ab", False),
        ("/" + "*a" * 40 + "$", "/" + "a" * 4000 + "b", False),
    ]:
        assert robots.matches(pattern, path) is covers, pattern


# contentsignals.org and Cloudflare's managed robots.txt.
def test_content_signals():
    data = b"User-Agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /\n"
    assert by_category(content_signals.robots_txt(data)) == {"search": "allow", "training": "deny"}
    assert answer(content_signals.robots_txt(b"Content-Signal: ai-train=yes")) == "allow"
    assert answer(content_signals.robots_txt(b"Content-Signal: search=yes")) == "unknown"
    assert answer(content_signals.robots_txt(b"Content-Signal: ai-train=maybe")) == "unreadable"
    assert answer(content_signals.robots_txt(b"Content-Signal: ai-input=no,ai-train=yes")) == "deny"


def test_bots_that_are_shut_out():
    data = b"User-agent: GPTBot\nDisallow: /\n\nUser-agent: *\nDisallow: /admin\n"
    assert answer(bots.robots_txt(data)) == "deny"
    own = Readings(signals=frozenset({"aipref"}))
    assert answer(bots.robots_txt(data), readings=own) == "unknown"
    assert bots.robots_txt(b"User-agent: GPTBot\nDisallow:\n") == []
    assert bots.robots_txt(b"User-agent: GPTBot\nDisallow: /\nAllow: /\n") == []
    assert bots.robots_txt(b"User-agent: otherbot\nDisallow: /\n") == []


def test_ai_txt():
    data = b"User-Agent: *\nDisallow: *.jpg\nDisallow: *.txt\nAllow: *.mp3\n"
    assert answer(ai_txt.statements(data)) == "deny"
    assert answer(ai_txt.statements(data, "/a/b.jpg")) == "deny"
    assert answer(ai_txt.statements(data, "/a/b.jpg"), kind="text") == "unknown"
    assert answer(ai_txt.statements(data, "/a/b.mp3")) == "allow"
    assert answer(ai_txt.statements(data, "/a/b.html")) == "unknown"
    assert answer(ai_txt.statements(b"User-Agent: *\nDisallow: /\n", "/x")) == "deny"


# TDMRep report, 'TDM File on the Origin Server'.
TDMREP = b"""[
 {"location": "/directory-a/*", "tdm-reservation": 1, "tdm-policy": "https://p.example/1.json"},
 {"location": "/directory-b/html/", "tdm-reservation": 1},
 {"location": "/directory-b/images/*.jpg", "tdm-reservation": 0},
 {"location": "/directory-b/*", "tdm-reservation": 1}
]"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/directory-a/x", "deny"),
        ("/directory-b/html/x", "deny"),
        ("/directory-b/images/x.jpg", "allow"),  # the first that matches
        ("/directory-b/images/x.png", "deny"),
        ("/other", "unknown"),
        (None, "deny"),
    ],
)
def test_tdmrep_json(path, expected):
    assert answer(tdmrep.well_known(TDMREP, path)) == expected


@pytest.mark.parametrize("value", ['"1"', "2", "true", "null", "1.0", "[1]"])
def test_reservations_that_are_unset(value):
    data = b'[{"location":"/","tdm-reservation":%s}]' % value.encode()
    assert tdmrep.well_known(data, "/") == []
    assert tdmrep.header({"tdm-reservation": "yes"}) == []


@pytest.mark.parametrize("data", [b"", b"{", b'{"location":"/"}', b"[" * 5000])
def test_a_broken_tdmrep_is_unreadable(data):
    assert answer(tdmrep.well_known(data, "/")) == "unreadable"


def test_tdmrep_in_headers_and_pages():
    head = {"tdm-reservation": "1", "tdm-policy": "https://provider.com/policies/policy.json"}
    assert answer(tdmrep.header(head)) == "deny"
    page = '<head><meta name="tdm-reservation" content="1"><meta name="tdm-policy" content="u">'
    assert answer(tdmrep.page(page)) == "deny"
    weak, strong = (
        tdmrep.header({"tdm-reservation": "1"}),
        tdmrep.page('<meta name="TDM-Reservation" content="0">'),
    )
    assert answer(tdmrep.effective([*weak, *strong])) == "allow"
    assert answer(tdmrep.effective(weak)) == "deny"
    assert answer([*weak, *strong]) == "deny"  # beside each other no yes takes a no back


ODRL = b"""{"@context": ["http://www.w3.org/ns/odrl.jsonld"], "@type": "Offer",
 "permission": [{"target": "https://provider.com/research-papers", "action": "tdm:mine"%s}]}"""
RSL = b"""<rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license>
 <permits type="usage">%s</permits>%s</license></content></rsl>"""


@pytest.mark.parametrize(
    ("policy", "permits"),
    [
        (ODRL % b"", True),
        (ODRL % b', "duty": [{"action": "obtainConsent"}]', False),
        (ODRL % b', "constraint": [{"leftOperand": "purpose"}]', False),
        (b'{"prohibition":[{"target":"x","action":"tdm:mine"}]}', False),
        (b'{"permission":[{"action":"print"}]}', False),
        (b"{", False),
        (RSL % (b"ai-train", b""), True),
        (RSL % (b"all", b'<payment type="free"/>'), True),
        (RSL % (b"ai-train", b'<payment type="purchase"/>'), False),
        (RSL % (b"all", b'<prohibits type="usage">ai-train</prohibits>'), False),
        (RSL % (b"search", b""), False),
        (b"<rsl>", False),
        (b'<!DOCTYPE r [<!ENTITY a "b">]><rsl/>', False),
    ],
)
def test_a_licence_has_to_be_proven(policy, permits):
    assert policies.permits(policy) is permits
    head = {"tdm-reservation": "1", "tdm-policy": "https://p.example"}
    found = tdmrep.header(head, lambda address: policy)
    assert answer(found) == ("allow" if permits else "deny")
    assert answer(tdmrep.header(head)) == "deny"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("noai, noimageai", "deny"),
        ("NoAI", "deny"),
        ("mybot: noimageai", "deny"),
        ("noindex, nofollow", "unknown"),
        ("noairport", "unknown"),
    ],
)
def test_noai(content, expected):
    assert answer(noai.header({"X-Robots-Tag": content})) == expected
    assert answer(noai.page(f"<META NAME=Robots CONTENT='{content}'>")) == expected
    assert noai.page(f'<meta name="description" content="{content}">') == []


def test_global_privacy_control():
    (no,) = gpc.header({"sec-gpc": "1"})
    assert (no.value, no.category) == ("deny", "member")
    assert answer([no], uses={"member"}) == "deny"
    assert answer([no]) == "unknown"  # it is about the reader, not about what is read
    assert gpc.header({"Sec-GPC": "0"}) == []
    assert gpc.is_supported(b'{"gpc": true, "lastUpdate": "2025-01-01"}')
    assert not gpc.is_supported(b"[")


def test_files_are_told_by_what_is_in_them():
    for data, name, kind in [
        (b"", "robots.txt", "robots"),
        (b"", "dir/ai.txt", "ai-txt"),
        (b"user-agent: *\nallow: /", "x", "robots"),
        (TDMREP, "x", "tdmrep"),
        (b"HTTP/2 200\nX-Robots-Tag: noai\n", "-", "headers"),
        (b"<!doctype html><p>", "-", "html"),
        (b"\xff\xd8\xff\xe0", "-", "media"),
        (b'{"$type":"org.user-intents.declaration"}', "-", "atproto"),
        (b'{"type":"Person","preferredUsername":"member-1"}', "-", "actor"),
        (b"hello", "x", ""),
    ]:
        assert files.kind_of(data, name) == kind
    head = b"HTTP/1.1 200 OK\r\nX-Robots-Tag: noai\r\nContent-Usage: train-ai=y,\r\n search=y\r\n"
    assert {s.signal for s in files.read(head, "headers")} == {"noai", "aipref"}
