"""The examples of RFC 9421 (appendix B, section 4.3) and of the draft (appendix C)."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)
from msgspec.structs import replace

from sayso.errors import IntegrityError
from sayso.sources import cavage, signatures
from sayso.sources.claims import Request
from tests.sources.signing import NOW

# RFC 9421, B.1.1 to B.1.4.
RSA_KEY = """
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAhAKYdtoeoy8zcAcR874L8cnZxKzAGwd7v36APp7Pv6Q2
jdsPBRrwWEBnez6d0UDKDwGbc6nxfEXAy5mbhgajzrw3MOEt8uA5txSKobBpKDeBLOsdJKFqMGmXCQvEG7YemcxD
TRPxAleIAgYYRjTSd/QBwVW9OwNFhekro3RtlinV0a75jfZgkne/YiktSvLG34lw2zqXBDTC5NHROUqGTlML4PlN
ZS5Ri2U4aCNx2rUPRcKIlE0PuKxI4T+HIaFpv8+rdV6eUgOrB2xeI1dSFFn/nnv5OoZJEIB+VmuKn3DCUcCZSFlQ
PSXSfBDiUGhwOw76WuSSsf1D4b/vLoJ10wIDAQAB"""
RSA_PSS_KEY = """
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2+QEtvpuRaV8Yq40gjUR8y2Rj
xa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIF
PNU8PPMO7OyrFAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5WUtzdpiy6
LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdD
Op9LCNCN48V2pnDOkFV6+U9nV5oyc6XI2wIDAQAB"""
ED25519_KEY = "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="
ED25519_MULTIKEY = "z6Mkh4LmfP1ev9MNPGr7JbEbtD6BD4fsu1duEj83PMCs3xHG"
# draft-cavage-http-signatures-12, appendix C: said to have 2048 bits, has 1024.
DRAFT_KEY = """
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDCFENGw33yGihy92pDjZQhl0C36rPJj+CvfSC8+q28hxA161QF
NUd13wuCTUcq0Qd2qsBe/2hFyc2DCJJg0h1L78+6Z4UMR7EOcpfdUE9Hf3m/hs+FUR45uBJeDK1HSFHD8bHKD6kv
8FPGfJTotc+2xjJwoYi+1hqp1fIekaxsyQIDAQAB"""
RFC_DIGEST = (
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJw"
    "ew==:"
)
RFC_HEADERS = (
    ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
    ("Content-Type", "application/json"),
    ("Content-Digest", RFC_DIGEST),
    ("Content-Length", "18"),
)
AT_RFC = datetime.fromtimestamp(1618884473, UTC)
# (section, host, further headers, key, what it describes, signature)
RFC_EXAMPLES = {
    "B.2.1": (
        "example.com",
        RFC_HEADERS,
        RSA_PSS_KEY,
        '();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"',
        "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Ud"
        "x7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsP"
        "LMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v"
        "6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==",
    ),
    "B.2.3": (
        "example.com",
        RFC_HEADERS,
        RSA_PSS_KEY,
        '("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" '
        '"content-length");created=1618884473;keyid="test-key-rsa-pss"',
        "bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p"
        "2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2"
        "HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF6"
        "1ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==",
    ),
    "B.2.6": (
        "example.com",
        RFC_HEADERS,
        ED25519_KEY,
        '("date" "@method" "@path" "@authority" "content-type" "content-length")'
        ';created=1618884473;keyid="test-key-ed25519"',
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
    ),
    "4.3": (
        "origin.host.internal.example",
        (*RFC_HEADERS, ("Forwarded", "for=192.0.2.123;host=example.com;proto=https")),
        RSA_KEY,
        '("@method" "@authority" "@path" "content-digest" "content-type" "content-length" '
        '"forwarded");created=1618884480;keyid="test-key-rsa";alg="rsa-v1_5-sha256";expires=1618884540',
        "S6ZzPXSdAMOPjN/6KXfXWNO/f7V6cHm7BXYUh3YD/fRad4BCaRZxP+JH+8XY1I6+8Cy+CM5g92iHgxtRPz+MjniOaYmdk"
        "DcnL9cCpXJleXsOckpURl49GwiyUpZ10KHgOEe11sx3G2gxI8S0jnxQB+Pu68U9vVcasqOWAEObtNKKZd8tSFu7LB5YAv"
        "0RAGhB8tmpv7sFnIm9y+7X5kXQfi8NMaZaA8i2ZHwpBdg7a6CMfwnnrtflzvZdXAsD3LH2TwevU+/PBPv0B6NMNk93wUs"
        "/vfJvye+YuI87HU38lZHowtznbLVdp770I6VHR6WfgS9ddzirrswsE1w5o0LV/g==",
    ),
}
DRAFT_EXAMPLES = {
    "C.1": (
        'keyId="Test",algorithm="rsa-sha256",headers="date"',
        "SjWJWbWN7i0wzBvtPl8rbASWz5xQW6mcJmn+ibttBqtifLN7Sazz6m79cNfwwb8DMJ5cou1s7uEGKKCs+FLEEaDV5lp7q"
        "25WqS+lavg7T8hc0GppauB6hbgEKTwblDHYGEtbGmtdHgVCk9SuS13F0hZ8FD0k/5OxEPXe5WozsbM=",
    ),
    "C.2": (
        'keyId="Test",algorithm="rsa-sha256",headers="(request-target) host date"',
        "qdx+H7PHHDZgy4y/Ahn9Tny9V3GP6YgBPyUXMmoxWtLbHpUnXS2mg2+SbrQDMCJypxBLSPQR2aAjn7ndmw2iicw3HMbe8"
        "VfEdKFYRqzic+efkb3nndiv/x1xSHDJWeSWkx3ButlYSuBskLu6kd9Fswtemr3lgdDEmn04swr2Os0=",
    ),
    # The text of the draft lists (created) and (expires), too: an erratum, they are not signed.
    "C.3": (
        'keyId="Test",algorithm="rsa-sha256",'
        'headers="(request-target) host date content-type digest content-length"',
        "vSdrb+dS3EceC9bcwHSo4MlyKS59iFIrhgYkz8+oVLEEzmYZZvRs8rgOp+63LEM3v+MFHB32NfpB2bEKBIvB1q52LaEUH"
        "Fv120V01IL+TAD48XaERZFukWgHoBTLMhYS2Gb51gWxpeIq8knRmPnYePbF5MOkR0Zkly4zKH7s1dE=",
    ),
}


def rfc_example(name: str) -> tuple[Request, Any]:
    host, headers, key, described, signature = RFC_EXAMPLES[name]
    signed = (("Signature-Input", f"sig={described}"), ("Signature", f"sig=:{signature}:"))
    url = f"https://{host}/foo?param=Value&Pet=dog"
    request = Request("POST", url, (*headers, *signed), b'{"hello": "world"}')
    return request, load_der_public_key(base64.b64decode(key))


def draft_example(name: str) -> Request:
    described, signature = DRAFT_EXAMPLES[name]
    headers = (
        ("Host", "example.com"),
        ("Date", "Sun, 05 Jan 2014 21:31:40 GMT"),
        ("Content-Type", "application/json"),
        ("Digest", "SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="),
        ("Content-Length", "18"),
        ("Signature", f'{described},signature="{signature}"'),
    )
    url = "https://example.com/foo?param=value&pet=dog"
    return Request("POST", url, headers, b'{"hello": "world"}')


@pytest.mark.parametrize("name", RFC_EXAMPLES)
def test_the_rfcs_examples(name):
    request, key = rfc_example(name)
    claim = signatures.parse(request)
    signatures.verify(claim, request, key)
    other = replace(request, url=request.url.replace("/foo", "/bar"))
    if "@path" in claim.covered:
        with pytest.raises(IntegrityError):
            signatures.verify(claim, other, key)


def test_the_rfcs_complete_example_is_a_complete_delivery():
    request, _ = rfc_example("B.2.3")
    signatures.check(signatures.parse(request), request, AT_RFC)


@pytest.mark.parametrize(("name", "missing"), [
    ("B.2.1", "@method, content-digest"), ("B.2.6", "content-digest"), ("4.3", "@query"),
])  # fmt: skip
def test_the_rfcs_lesser_examples_do_not_cover_a_delivery(name, missing):
    request, _ = rfc_example(name)
    with pytest.raises(IntegrityError, match=f"does not cover {missing}"):
        signatures.check(
            signatures.parse(request), request, datetime(2021, 4, 20, 2, 8, tzinfo=UTC)
        )


@pytest.mark.parametrize("name", DRAFT_EXAMPLES)
def test_the_drafts_examples(name):
    request = draft_example(name)
    key: Any = load_der_public_key(base64.b64decode(DRAFT_KEY))
    claim = signatures.parse(request)
    signatures.verify(claim, request, key)
    later = [(n, v.replace(":40", ":41")) for n, v in request.headers]
    with pytest.raises(IntegrityError, match="does not fit"):
        signatures.verify(claim, replace(request, headers=tuple(later)), key)


def test_the_drafts_text_to_sign():
    request = draft_example("C.2")
    assert cavage.signed_text(signatures.parse(request), request) == (
        b"(request-target): post /foo?param=value&pet=dog\n"
        b"host: example.com\n"
        b"date: Sun, 05 Jan 2014 21:31:40 GMT"
    )


def test_the_drafts_complete_example_is_a_complete_delivery():
    request = draft_example("C.3")
    signatures.check(signatures.parse(request), request, datetime(2014, 1, 5, 22, tzinfo=UTC))
    with pytest.raises(IntegrityError, match="does not cover digest"):
        incomplete = draft_example("C.2")
        signatures.check(signatures.parse(incomplete), incomplete, NOW)


def pem(key: Any) -> str:
    encoded: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return encoded.decode()


def test_keys_of_the_specifications():
    for encoded in (RSA_KEY, RSA_PSS_KEY, ED25519_KEY):
        key: Any = load_der_public_key(base64.b64decode(encoded))
        assert signatures.load_key(pem(key)) == key
    ed25519 = load_der_public_key(base64.b64decode(ED25519_KEY))
    assert signatures.load_multikey(ED25519_MULTIKEY) == ed25519


def test_pkcs1_keys_are_read():
    key: Any = load_der_public_key(base64.b64decode(RSA_KEY))
    old = key.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
    assert signatures.load_key(old) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "words",
        f"-----BEGIN PUBLIC KEY-----\n{DRAFT_KEY}\n-----END PUBLIC KEY-----\n",  # 1024 bits
        pem(ec.generate_private_key(ec.SECP256R1()).public_key()),
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ],
)
def test_other_keys_are_refused(text):
    with pytest.raises(IntegrityError, match="the sender's key"):
        signatures.load_key(text)


@pytest.mark.parametrize(
    "text", ["", "z", ED25519_MULTIKEY[1:], ED25519_MULTIKEY + "1", "z" + "1" * 47, "z" + "z" * 47,
             ED25519_MULTIKEY.replace("k", "0"), "u" + ED25519_MULTIKEY[1:]],
)  # fmt: skip
def test_other_multikeys_are_refused(text):
    with pytest.raises(IntegrityError, match="the sender's key"):
        signatures.load_multikey(text)
