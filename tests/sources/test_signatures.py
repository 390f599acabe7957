"""Signatures of deliveries: everything that must not pass, and the little that must."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures.algorithms import ED25519, RSA_PSS_SHA512, RSA_V1_5_SHA256
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sayso.errors import IntegrityError
from sayso.sources import signatures
from sayso.sources.claims import Request
from tests.sources.signing import (
    BODY,
    COMPLETE,
    FULL,
    KEY_ID,
    NOW,
    URL,
    delivery,
    pkcs1,
    pss,
    signed_by_hand,
    signed_by_rfc,
    take,
    with_header,
)


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def other_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def test_a_delivery_by_the_draft(rsa_key):
    claim = take(delivery(rsa_key), rsa_key.public_key())
    assert claim.key_id == KEY_ID
    assert claim.covered == ("(request-target)", "host", "date", "digest")
    assert len(claim.fingerprint) == 64


@pytest.mark.parametrize("scheme", [pkcs1, pss])
def test_hs2019_leaves_the_algorithm_to_the_key(rsa_key, scheme):
    take(signed_by_hand(rsa_key, COMPLETE, scheme=scheme), rsa_key.public_key())
    key = Ed25519PrivateKey.generate()
    take(signed_by_hand(key, COMPLETE), key.public_key())


@pytest.mark.parametrize("algorithm", ["none", "rsa-sha1", "hmac-sha256", "ed25519"])
def test_algorithms_that_are_not_the_keys_are_refused(rsa_key, algorithm):
    request = signed_by_hand(rsa_key, COMPLETE, algorithm, pkcs1)
    with pytest.raises(IntegrityError, match="algorithm"):
        take(request, rsa_key.public_key())


def test_rsa_sha256_is_no_pss(rsa_key):
    with pytest.raises(IntegrityError, match="does not fit"):
        take(signed_by_hand(rsa_key, COMPLETE, "rsa-sha256", pss), rsa_key.public_key())


def test_created_and_expires_of_the_draft(rsa_key):
    covered, now = "(request-target) (created) (expires) host digest", int(NOW.timestamp())
    public = rsa_key.public_key()

    def made(algorithm: str = "hs2019", **parameters: int) -> Request:
        return signed_by_hand(rsa_key, covered, algorithm, pkcs1, **parameters)

    take(made(created=now, expires=now + 60), public)
    with pytest.raises(IntegrityError, match="expired"):
        take(made(created=now - 90, expires=now - 30), public)
    with pytest.raises(IntegrityError, match="within"):
        take(made(created=now - 13 * 3600, expires=now + 60), public)
    with pytest.raises(IntegrityError, match="hs2019"):
        take(made("rsa-sha256", created=now, expires=now + 60), public)
    # A moment that is told but not signed proves nothing.
    with pytest.raises(IntegrityError, match="neither"):
        take(signed_by_hand(rsa_key, "(request-target) host digest", "hs2019", pkcs1, created=now),
             public)  # fmt: skip


@pytest.mark.parametrize("dropped", ["(request-target)", "host", "date", "digest"])
def test_everything_that_matters_must_be_covered(rsa_key, dropped):
    covered = " ".join(name for name in COMPLETE.split() if name != dropped)
    with pytest.raises(IntegrityError, match="cover"):
        take(signed_by_hand(rsa_key, covered, scheme=pkcs1), rsa_key.public_key())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda r: replace(r, body=r.body + b" "), "body"),
        (lambda r: replace(r, url=URL + "?other"), "does not fit"),
        (lambda r: replace(r, method="PUT"), "does not fit"),
        (lambda r: replace(r, url="https://other.example/inbox"), "another host"),
        (lambda r: with_header(r, "host", lambda v: "other.example"), "another host"),
        (lambda r: with_header(r, "date", lambda v: v.replace("12:00", "12:01")), "does not fit"),
        (lambda r: with_header(r, "date", lambda v: "today"), "Date"),
        (lambda r: with_header(r, "digest", lambda v: "MD5=AAAA"), "neither SHA"),
        (lambda r: with_header(r, "digest", lambda v: v + ",SHA-512=AAAA"), "body"),
        (lambda r: with_header(r, "digest", lambda v: "SHA-256=é"), "body"),
        (lambda r: replace(r, headers=(*r.headers, ("Host", "other.example"))), "another host"),
        (lambda r: with_header(r, "signature", lambda v: v.replace("keyId", "keyID")), "read"),
        (lambda r: with_header(r, "signature", lambda v: f'{v},keyId="x"'), "read"),
        (lambda r: with_header(r, "signature", lambda v: v.replace('signature="', 'signature="*')),
         "read"),
        (lambda r: with_header(r, "signature", lambda v: ""), "read"),
        (lambda r: replace(r, headers=r.headers[:-1]), "not signed"),
        (lambda r: with_header(r, "signature", lambda v: v.replace(" digest", " digest x-none")),
         "does not have"),
    ],
)  # fmt: skip
def test_whatever_is_changed_is_noticed(rsa_key, change, told):
    with pytest.raises(IntegrityError, match=told):
        take(change(delivery(rsa_key)), rsa_key.public_key())


def test_a_signature_by_another_key(rsa_key, other_key):
    with pytest.raises(IntegrityError, match="does not fit"):
        take(delivery(other_key), rsa_key.public_key())


@pytest.mark.parametrize("age", [timedelta(hours=12, seconds=1), timedelta(hours=-1, seconds=-1)])
def test_old_and_early_ones_are_refused(rsa_key, age):
    with pytest.raises(IntegrityError, match="within the last 12 hours"):
        take(delivery(rsa_key), rsa_key.public_key(), NOW + age)


@pytest.mark.parametrize("age", [timedelta(hours=12), timedelta(hours=-1)])
def test_clocks_may_differ_a_little(rsa_key, age):
    take(delivery(rsa_key), rsa_key.public_key(), NOW + age)


@pytest.mark.parametrize("algorithm", [RSA_V1_5_SHA256, RSA_PSS_SHA512, ED25519])
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("covered", [FULL, ("@method", "@authority", "@path", "content-digest")])
def test_a_delivery_by_the_rfc(rsa_key, algorithm, named, covered):
    key = Ed25519PrivateKey.generate() if algorithm is ED25519 else rsa_key
    request = signed_by_rfc(key, algorithm, covered, include_alg=named)
    claim = take(request, key.public_key())
    assert (claim.key_id, claim.algorithm) == (KEY_ID, algorithm.algorithm_id if named else "")


@pytest.mark.parametrize("dropped", ["@method", "@target-uri", "content-digest"])
def test_the_rfc_leaves_the_coverage_to_us(rsa_key, dropped):
    covered = tuple(name for name in FULL if name != dropped)
    body = None if dropped == "content-digest" else BODY
    with pytest.raises(IntegrityError, match="does not cover"):
        take(signed_by_rfc(rsa_key, covered=covered, body=body), rsa_key.public_key())


def test_a_part_of_a_component_is_not_the_component(rsa_key):
    covered = ("@method", "@target-uri", '"content-digest";key="sha-256"')
    with pytest.raises(IntegrityError, match="does not cover content-digest"):
        take(signed_by_rfc(rsa_key, covered=covered), rsa_key.public_key())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda r: replace(r, body=r.body + b" "), "body"),
        (lambda r: replace(r, url="https://other.example/inbox"), "does not fit"),
        (lambda r: replace(r, method="PUT"), "does not fit"),
        (lambda r: with_header(r, "content-digest", lambda v: "é"), "body"),
        (lambda r: with_header(r, "content-digest", lambda v: ""), "body"),
        (lambda r: with_header(r, "signature-input", lambda v: v.replace("sig1", "sig2")), "read"),
        (lambda r: with_header(r, "signature-input", lambda v: v + ", sig2=()"), "read"),
        (lambda r: with_header(r, "signature-input", lambda v: "é"), "read"),
        (lambda r: with_header(r, "signature-input", lambda v: v.split(";keyid")[0]), "read"),
        (lambda r: with_header(r, "signature-input", lambda v: v + ';alg="none"'), "algorithm"),
        (lambda r: with_header(r, "signature-input", lambda v: v + ';nonce="x"'), "does not fit"),
        (lambda r: with_header(r, "signature-input", lambda v: v.replace("created", "other")),
         "when it was made"),
        (lambda r: with_header(r, "signature-input", lambda v: v.replace("d=1", "d=1.")),
         "read"),
        (lambda r: with_header(r, "signature", lambda v: "sig1=1"), "read"),
    ],
)  # fmt: skip
def test_whatever_is_changed_of_the_rfcs_is_noticed(rsa_key, change, told):
    with pytest.raises(IntegrityError, match=told):
        take(change(signed_by_rfc(rsa_key)), rsa_key.public_key())


def test_the_rfcs_times(rsa_key):
    public = rsa_key.public_key()
    for moment in (NOW - timedelta(hours=12, seconds=1), NOW + timedelta(hours=1, seconds=1)):
        with pytest.raises(IntegrityError, match="within"):
            take(signed_by_rfc(rsa_key, created=moment), public)
    with pytest.raises(IntegrityError, match="expired"):
        take(signed_by_rfc(rsa_key, expires=NOW - timedelta(seconds=1)), public)


def test_one_key_does_not_pass_for_another_kind(rsa_key):
    with pytest.raises(IntegrityError, match="algorithm"):
        take(signed_by_rfc(rsa_key, include_alg=True), Ed25519PrivateKey.generate().public_key())


headers = st.one_of(st.text(st.characters(max_codepoint=255)), st.sampled_from([
    'keyId="a",signature="AA==",headers="date"', 'sig1=("@method");created=1;keyid="a"',
    "sig1=:AA==:", "sig1=()", "(created)", 'created="9999999999999"', "99999999999999999999",
]))  # fmt: skip


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(["Signature", "Signature-Input", "Date", "Host", "Digest",
                                        "Content-Digest"]), headers))  # fmt: skip
def test_whatever_comes_only_our_error_is_raised(lines):
    key = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    with pytest.raises(IntegrityError):
        take(Request("POST", URL, tuple(lines.items()), BODY), key)


@settings(max_examples=200)
@given(st.text(st.characters(max_codepoint=255), max_size=40), st.integers(0, 400))
def test_signatures_in_pieces(noise, place):
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    for request in (signed_by_hand(key, COMPLETE), signed_by_rfc(key, ED25519)):
        for name in ("signature", "signature-input"):

            def spoil(value: str) -> str:
                return value[:place] + noise + value[place:]

            spoiled = with_header(request, name, spoil)
            try:
                claim = take(spoiled, key.public_key())
            except IntegrityError:
                continue
            # Spaces and unknown parameters say nothing; the name of the key is not signed.
            first = signatures.parse(request)
            assert (claim.signature, claim.covered) == (first.signature, first.covered)
            assert claim.fingerprint == first.fingerprint
