"""Signed deliveries as peers send them, and as somebody else might."""

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from http_message_signatures import HTTPMessageSigner, HTTPSignatureAlgorithm, MappingKeyResolver
from http_message_signatures.algorithms import RSA_V1_5_SHA256
from msgspec.structs import replace

from sayso.sources import cavage, signatures
from sayso.sources.claims import Claim, Request

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
URL = "https://sayso.example/inbox"
KEY_ID = "https://harbour.example/users/member-1#main-key"
BODY = b'{"type":"Create"}'
COMPLETE = "(request-target) host date digest"
FULL = ("@method", "@target-uri", "content-digest")


def delivery(key: rsa.RSAPrivateKey, at: datetime = NOW, body: bytes = BODY) -> Request:
    """A delivery signed as Mastodon does."""
    bare = Request("POST", URL, (("Content-Type", "application/activity+json"),), body)
    added = cavage.sign(bare, KEY_ID, key, at)
    return replace(bare, headers=(*bare.headers, *added.items()))


def take(request: Request, key: Any, now: datetime = NOW) -> Claim:
    """All three steps."""
    claim = signatures.parse(request)
    signatures.check(claim, request, now)
    signatures.verify(claim, request, key)
    return claim


def with_header(request: Request, name: str, change: Callable[[str], str]) -> Request:
    lines = [(n, change(v) if n.lower() == name else v) for n, v in request.headers]
    return replace(request, headers=tuple(lines))


def signed_by_hand(
    key: Any, covered: str, algorithm: str = "hs2019", scheme: Any = None, **parameters: int
) -> Request:
    """A delivery by the draft with any headers covered."""
    digest = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    headers = (
        ("Host", "sayso.example"),
        ("Date", format_datetime(NOW, usegmt=True)),
        ("Digest", f"SHA-256={digest}"),
    )
    request = Request("POST", URL, headers, BODY)
    base = cavage.signed_text(
        Claim(KEY_ID, b"", tuple(covered.split()), algorithm, **parameters), request
    )
    signature = base64.b64encode(scheme(key, base) if scheme else key.sign(base)).decode()
    fields = f'keyId="{KEY_ID}",algorithm="{algorithm}",headers="{covered}"'
    fields += "".join(f",{name}={value}" for name, value in parameters.items())
    signed = ("Signature", f'{fields},signature="{signature}"')
    return replace(request, headers=(*headers, signed))


def pkcs1(key: Any, text: bytes) -> Any:
    return key.sign(text, padding.PKCS1v15(), hashes.SHA256())


def pss(key: Any, text: bytes) -> Any:
    return key.sign(text, padding.PSS(padding.MGF1(hashes.SHA512()), 64), hashes.SHA512())


class Unsent:
    """A request as the signing library wants it."""

    def __init__(self, body: bytes = BODY) -> None:
        self.method, self.url, self.body = "POST", URL, body
        self.headers: dict[str, str] = {}

    @property
    def sent(self) -> Request:
        return Request(self.method, self.url, tuple(self.headers.items()), self.body)


def signed_by_rfc(
    key: Any,
    algorithm: type[HTTPSignatureAlgorithm] = RSA_V1_5_SHA256,
    covered: tuple[str, ...] = FULL,
    **options: Any,
) -> Request:
    unsent = Unsent()
    keys = MappingKeyResolver(public_keys={}, private_keys={KEY_ID: key})
    options = {"created": NOW, "label": "sig1", "include_alg": False, "body": BODY} | options
    signer = HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=keys)
    signer.sign(unsent, key_id=KEY_ID, covered_component_ids=covered, **options)
    return unsent.sent
