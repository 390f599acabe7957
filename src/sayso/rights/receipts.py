"""Receipts: an Ed25519 signature over what was promised, as a compact JWS (RFC 7515, RFC 8037)."""

import contextlib
from base64 import urlsafe_b64encode
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from sayso.errors import IntegrityError
from sayso.workspace import Workspace, write_atomically

ALGORITHM: Final = "Ed25519"
TYPE: Final = "sayso-receipt+jws"
STEP_TYPE: Final = "sayso-step+jws"
PURPOSE: Final = "training AI models on what members post"


def signing_key(workspace: Workspace) -> OKPKey:
    """Return the installation's signing key, made at first use; the public half lies beside it."""
    path = workspace.keys / "signing.jwk"
    with contextlib.suppress(FileNotFoundError):
        return _read(path, path.stat().st_mtime_ns)
    with workspace.lock("keys", wait=True):  # two first objections at once make one key
        if not path.exists():
            key = OKPKey.generate_key("Ed25519", auto_kid=True)
            public = msgspec.json.encode(key.as_dict(private=False))
            write_atomically(workspace.keys / "receipts.pub.jwk", public)
            write_atomically(path, msgspec.json.encode(key.as_dict(private=True)), mode=0o600)
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int) -> OKPKey:
    return OKPKey.import_key(msgspec.json.decode(path.read_bytes()))


def sign(key: OKPKey, claims: dict[str, Any], kind: str = TYPE) -> str:
    """Return the claims as a compact JWS of this `typ` (RFC 7515, section 5.1; RFC 8037).

    In a few lines of our own, since each objection has four of them and joserfc takes twice as
    long; it checks them all the same (`verify`).
    """
    payload = _base64url(msgspec.json.encode(claims, order="deterministic"))
    signed = b".".join([_header(kind, str(key.kid)), payload])
    return b".".join([signed, _base64url(_private(key).sign(signed))]).decode()


def sign_bytes(workspace: Workspace, data: bytes) -> bytes:
    """Return the bare Ed25519 signature (RFC 8032, 64 bytes) of what is no JWS: calls to programs.

    What a JWS signs has one dot, between letters of base64url; `data` must have more than that.
    """
    return _private(signing_key(workspace)).sign(data)


def _private(key: OKPKey) -> Ed25519PrivateKey:
    private = key.private_key
    if not isinstance(private, Ed25519PrivateKey):
        raise IntegrityError("keys/signing.jwk is no private key", "restore it from a back-up")
    return private


@lru_cache(maxsize=8)
def _header(kind: str, kid: str) -> bytes:
    return _base64url(msgspec.json.encode({"alg": ALGORITHM, "typ": kind, "kid": kid}))


def _base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def objection_claims(objection: dict[str, Any], controller: str) -> dict[str, Any]:
    """Return what a receipt says of an objection, given as a row of `tables.objections`.

    `record` follows ISO/IEC TS 27560:2023: its header, the processing it is about, its events.
    """
    received, due = objection["received_at"].isoformat(), objection["due_at"].isoformat()
    services = "all" if objection["service"] == "*" else [objection["service"]]
    return {
        "number": objection["number"],
        "kind": "objection to AI training (GDPR Art. 21)",
        "person": objection["person"],
        "services": services,
        "about": objection["about"],
        # '' = nobody yet: anybody could have typed the person's name.
        "confirmed_by": objection["confirmed_by"],
        "reason": objection["reason"],
        "received_at": received,
        "answer_due_at": due,
        "promised": [
            "no record of this person is trained on from now on",
            "once it is known to come from this person, the served model is replaced at once by "
            "one without them",
            "the rebuilt model is bit-identical to one that never saw them",
            "the assistant stays available to them",
        ],
        "record": {
            "schema_version": "ISO/IEC TS 27560:2023",
            "record_id": objection["number"],
            "pii_principal_id": objection["person"],
            "pii_processing": {
                "purposes": [PURPOSE],
                "legal_basis": "legitimate interest (GDPR Art. 6(1)(f)), objected to",
                "pii_controllers": [controller],
                "services": services,
                "data_categories": ["posts", "comments", "captions", "alternative texts"],
                "collection_method": objection["channel"],
                "jurisdiction": "EU",
            },
            "events": [
                {"event_type": "objected", "event_time": received, "event_state": "received"}
            ],
        },
        "iss": controller,
    }


def verify(token: str, public_key: Path, kind: str = TYPE) -> dict[str, Any]:
    """Check a receipt offline against the installation's public key (a JWK file).

    Other things that are signed have another `kind` (the header's `typ`).

    Raises:
        IntegrityError: the signature is not by this key, the text was changed, or it is no
            receipt.
    """
    try:
        key = OKPKey.import_key(msgspec.json.decode(public_key.read_bytes()))
        checked = jws.deserialize_compact(token.strip().encode(), key, algorithms=[ALGORITHM])
        header = checked.headers()
        claims = msgspec.json.decode(checked.payload or b"")
    except OSError as error:
        raise IntegrityError(
            f"no public key at {public_key}", "pass the operator's key with --key"
        ) from error
    except (JoseError, ValueError, TypeError, msgspec.DecodeError) as error:
        raise IntegrityError(
            "the receipt is not valid: its signature does not fit this key and text",
            "check that file and key belong together",
        ) from error
    if header.get("typ") != kind or not isinstance(claims, dict):
        raise IntegrityError(
            f"signed, but not a receipt: its type is not {kind}", "pass a receipt file"
        )
    return claims
