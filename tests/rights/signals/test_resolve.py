"""The resolver's rules, for any statements in any order, and for any bytes at all."""

import itertools
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.rights.signals import files, media, noai, resolve, xmp
from sayso.rights.signals.model import (
    LONGEST_EVIDENCE,
    SIGNALS,
    Category,
    Readings,
    Statement,
    evidence,
    read_evidence,
    said,
)

statements = st.builds(
    Statement,
    signal=st.sampled_from(sorted(SIGNALS)),
    category=st.sampled_from(get_args(Category)),
    value=st.sampled_from(["allow", "deny", "unreadable"]),
    scope=st.sampled_from(["", "image"]),
    raw=st.text(max_size=2000),
)
lists = st.lists(statements, max_size=8)
DENY = said("noai", "deny")


def answer(*found: Statement, **asked) -> str:
    return resolve.verdict(found, **asked).answer


@settings(deadline=None)
@given(lists, lists, st.sampled_from(["", "text", "image"]))
def test_no_allow_ever_overrides_a_no_or_what_cannot_be_read(found, more, kind):
    before = answer(*found, kind=kind)
    allows = [each for each in more if each.value == "allow"]
    after = answer(*found, *allows, kind=kind)
    assert after == before or (before, after) == ("unknown", "allow")
    stricter = answer(*found, *more, kind=kind)
    order = ["unknown", "allow", "unreadable", "deny"]
    assert order.index(stricter) >= order.index(before)
    assert answer(*found, DENY, *more, kind=kind) == "deny"


@settings(deadline=None)
@given(st.lists(statements, max_size=4), st.sampled_from(["", "text"]))
def test_order_does_not_count(found, kind):
    assert len({answer(*way, kind=kind) for way in itertools.permutations(found)}) == 1


@settings(deadline=None)
@given(lists)
def test_whoever_knows_fewer_signals_never_finds_more_noes(found):
    known = Readings(signals=frozenset(SIGNALS) - {"noai"})
    rest = [each for each in found if each.signal != "noai"]
    assert answer(*found, readings=known) == answer(*rest)


@settings(deadline=None)
@given(lists)
def test_evidence_is_bounded_and_keeps_what_decides(found):
    text = evidence(found)
    assert len(text.encode()) <= LONGEST_EVIDENCE
    kept = read_evidence(text)
    assert {s.value for s in kept} >= ({"deny"} & {s.value for s in found})
    assert read_evidence("{") == ()


@settings(deadline=None)
@given(st.binary(max_size=400), st.sampled_from([*files.KINDS]))
def test_no_bytes_raise_or_become_a_yes(data, kind):
    assert answer(*files.read(data, kind)) != "allow"
    files.kind_of(data, "x")


YESES = {
    "robots": b"user-agent: *\ncontent-usage: train-ai=y\ncontent-signal: ai-train=yes\n",
    "tdmrep": b'[{"location":"/","tdm-reservation":0}]',
    "headers": b"content-usage: train-ai=y\ntdm-reservation: 0\n",
    "html": b'<meta name="tdm-reservation" content="0">',
    "media": b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/"'
    b' plus:DataMining="DMI-ALLOWED"/></x:xmpmeta>',
    "atproto": b'{"preferences":{"training":{"allow":true}}}',
    "c2pa": b'{"active_manifest":"a","validation_state":"Valid","manifests":{"a":{"assertions":['
    b'{"label":"cawg.training-mining","data":{"entries":{"cawg.ai_training":{"use":"allowed"}}}}]}}}',
}


@pytest.mark.parametrize("kind", YESES)
def test_a_yes_is_heard(kind):
    """Control: these parsers can say yes, so that the tests above can fail."""
    assert answer(*files.read(YESES[kind], kind)) == "allow"
    assert files.kind_of(YESES[kind], "robots.txt" if kind == "robots" else "x") in (kind, "")


@settings(deadline=None)
@given(st.sampled_from(sorted(YESES)), st.data())
def test_a_damaged_no_does_not_turn_into_a_yes(kind, data):
    noes = {
        b"train-ai=y": b"train-ai=n",
        b"ai-train=yes": b"ai-train=no",
        b"n:0": b"n:1",
        b": 0": b": 1",
        b'"0"': b'"1"',
        b"ALLOWED": b"PROHIBITED",
        b"true": b"false",
        b'"allowed"': b'"notAllowed"',
        b'n":0': b'n":1',
    }
    text = YESES[kind]
    for yes, no in noes.items():
        text = text.replace(yes, no)
    assert answer(*files.read(text, kind)) == "deny"
    end = data.draw(st.integers(0, len(text)))
    cut = text[:end] + data.draw(st.binary(max_size=3)) + text[end + data.draw(st.integers(0, 2)) :]
    assert answer(*files.read(cut, kind)) != "allow"


def test_what_is_said_of_pictures_only():
    (no,) = noai.page('<meta name="robots" content="noimageai">')
    assert [answer(no, kind=kind) for kind in ("", "image", "text")] == ["deny", "deny", "unknown"]


def test_the_word_of_a_person_on_ai_is_told_from_a_softwares_default():
    assert resolve.is_declared(said("bio-tag", "deny", raw="#NoAI"))
    assert resolve.is_declared(said("atproto-preference", "deny"))
    assert not resolve.is_declared(said("atproto-preference", "allow"))
    assert not resolve.is_declared(said("bio-tag", "deny", raw="#noindex"))
    assert not resolve.is_declared(said("activitypub", "deny", raw='{"indexable":false}'))


def test_a_file_that_is_too_large_is_no_yes(monkeypatch):
    monkeypatch.setattr(media, "LARGEST", 10)
    assert answer(*media.read(b"x" * 11)) == "unreadable"
    assert xmp.in_bytes(b"x" * 11) == []
