"""Signatures of HTTP requests as ActivityPub's servers send them.

Two kinds: draft-cavage-http-signatures-12, which nearly all of them sign by, and RFC 9421, with
digests by RFC 3230 and RFC 9530. A delivery is checked in three steps: `parse` what the signature
says of itself, `check` that it covers this request and is of now, `verify` it with the key.
"""

import re
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import http_sf
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from http_message_signatures import (
    ContentDigest,
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    MappingKeyResolver,
)
from http_message_signatures.algorithms import ED25519, RSA_PSS_SHA512, RSA_V1_5_SHA256

from sayso.errors import IntegrityError
from sayso.sources import cavage
from sayso.sources.claims import Claim, Request, check_moment, require, seconds, unreadable

SMALLEST_RSA: Final = 2048
LARGEST_RSA: Final = 8192  # a larger one would only cost us time
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_MULTIKEY: Final = re.compile(f"z([{_BASE58}]{{46,47}})")
_ED25519_MARK: Final = 0xED01

PublicKey = RSAPublicKey | Ed25519PublicKey
_Algorithms = tuple[type[HTTPSignatureAlgorithm], ...]
_ANY: Final[_Algorithms] = (RSA_V1_5_SHA256, RSA_PSS_SHA512, ED25519)
# Where no algorithm is named, the key tells. 'hs2019' says so in so many words; for RSA the draft
# means PSS by it, all of the fediverse PKCS #1.
_CAVAGE: Final[dict[str, _Algorithms]] = {
    "": _ANY,
    "hs2019": _ANY,
    "rsa-sha256": (RSA_V1_5_SHA256,),
    "ed25519": (ED25519,),
}
_RFC9421: Final[dict[str, _Algorithms]] = {
    "": _ANY,
    **{algorithm.algorithm_id: (algorithm,) for algorithm in _ANY},
}


def parse(request: Request) -> Claim:
    """Read a request's signature.

    Raises:
        IntegrityError: there is none, more than one, or one that cannot be read.
    """
    value, described = request.header("signature"), request.header("signature-input")
    if value is None:
        raise IntegrityError("the request is not signed", "sign it by RFC 9421 or draft-cavage-12")
    return cavage.parse(value) if described is None else _parse_rfc9421(value, described)


def check(claim: Claim, request: Request, now: datetime) -> None:
    """Check all that needs no key: what is covered, when it was made, and the body's digest.

    Raises:
        IntegrityError: the signature does not cover this request, or is not of now.
    """
    if claim.is_rfc9421:
        _check_rfc9421(claim, request)
    else:
        cavage.check(claim, request, now)
    if claim.created is not None:
        check_moment(datetime.fromtimestamp(claim.created, UTC), now)
    if claim.expires is not None and claim.expires < now.timestamp():
        raise IntegrityError("the signature has expired", "send it again")


def verify(claim: Claim, request: Request, key: PublicKey) -> None:
    """Check the signature itself.

    Raises:
        IntegrityError: it is not by this key, or not over this request.
    """
    known = (_RFC9421 if claim.is_rfc9421 else _CAVAGE).get(claim.algorithm, ())
    is_ed25519 = isinstance(key, Ed25519PublicKey)
    fitting = [algorithm for algorithm in known if (algorithm is ED25519) == is_ed25519]
    if not fitting:
        raise IntegrityError(
            "the signature's algorithm is unknown, or not one of its key",
            "sign with RSA (SHA-256, or PSS with SHA-512) or Ed25519",
        )
    if not any(_fits(claim, request, key, algorithm) for algorithm in fitting):
        raise IntegrityError("the signature does not fit this key and this request")


def load_key(pem: str) -> PublicKey:
    """Read a public key: RSA of 2048 to 8192 bits, or Ed25519.

    Raises:
        IntegrityError: it is another, or none.
    """
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise IntegrityError("the sender's key is no public key in PEM") from error
    if isinstance(key, Ed25519PublicKey):
        return key
    if not isinstance(key, RSAPublicKey) or not SMALLEST_RSA <= key.key_size <= LARGEST_RSA:
        raise IntegrityError(
            f"the sender's key is neither Ed25519 nor RSA of {SMALLEST_RSA} to {LARGEST_RSA} bits"
        )
    return key


def load_multikey(value: str) -> PublicKey:
    """Read an Ed25519 key as FEP-521a writes it: 'z', and base58 of 0xed01 and the key.

    Raises:
        IntegrityError: it is another, or none.
    """
    found = _MULTIKEY.fullmatch(value)
    number = 0
    for character in found[1] if found else "":
        number = number * 58 + _BASE58.index(character)
    if number >> 256 != _ED25519_MARK:
        raise IntegrityError("the sender's key is no Ed25519 key as a Multikey")
    return Ed25519PublicKey.from_public_bytes((number % 2**256).to_bytes(32, "big"))


def _parse_rfc9421(value: str, described: str) -> Claim:
    try:
        inputs: Any = http_sf.parse(described.encode("ascii"), tltype="dictionary")
        signatures: Any = http_sf.parse(value.encode("ascii"), tltype="dictionary")
        ((label, (components, parameters)),) = inputs.items()
        ((other, (signature, _)),) = signatures.items()
        if label != other or not isinstance(components, list) or type(signature) is not bytes:
            raise unreadable()
        return Claim(
            key_id=_text(parameters["keyid"]),
            signature=signature,
            # A component with parameters is only a part or a rendering of itself.
            covered=tuple(_text(name) for name, qualified in components if not qualified),
            algorithm=_text(parameters.get("alg", "")),
            created=seconds(parameters.get("created")),
            expires=seconds(parameters.get("expires")),
            is_rfc9421=True,
        )
    except (http_sf.StructuredFieldError, KeyError, TypeError, ValueError) as error:
        raise unreadable() from error


def _text(value: object) -> str:
    if type(value) is not str:
        raise ValueError("not a string")
    return value


def _check_rfc9421(claim: Claim, request: Request) -> None:
    require(claim, "@method", "content-digest")
    if "@target-uri" not in claim.covered:
        require(claim, "@authority", "@path")
        if urlsplit(request.url).query:
            require(claim, "@query")
    if claim.created is None:
        raise IntegrityError("the signature does not say when it was made", "add `created`")
    try:
        ContentDigest.verify(request.header("content-digest") or "", request.body)
    except (HTTPMessageSignaturesException, UnicodeEncodeError) as error:
        raise IntegrityError("the body is not the one that was signed") from error


def _fits(
    claim: Claim, request: Request, key: PublicKey, algorithm: type[HTTPSignatureAlgorithm]
) -> bool:
    try:
        if claim.is_rfc9421:
            keys = MappingKeyResolver(public_keys={claim.key_id: key}, private_keys={})
            verifier = _Verifier(signature_algorithm=algorithm, key_resolver=keys)
            verifier.verify(_Message(request), max_age=None)
        else:
            base = cavage.signed_text(claim, request)
            algorithm(public_key=key).verify(claim.signature, base)
    except (InvalidSignature, HTTPMessageSignaturesException):
        return False
    return True


class _Message:
    """A request as the library wants it."""

    def __init__(self, request: Request) -> None:
        self.method, self.url, self.headers = request.method, request.url, self
        self._lines = request.headers

    def items(self) -> tuple[tuple[str, str], ...]:
        return self._lines


class _Verifier(HTTPMessageVerifier):
    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        """Leave the time to `check`."""
