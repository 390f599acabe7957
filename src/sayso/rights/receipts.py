"""Receipts: an Ed25519 signature over what was promised, as a compact JWS (RFC 7515, RFC 8037)."""

from pathlib import Path
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from sayso.errors import IntegrityError
from sayso.workspace import Workspace, write_atomically

ALGORITHM = "Ed25519"
TYPE = "sayso-receipt+jws"


def signing_key(workspace: Workspace) -> OKPKey:
    """Return the installation's signing key, made at first use; the public half lies beside it."""
    path = workspace.keys / "signing.jwk"
    with workspace.lock("keys", wait=True):  # two first objections at once make one key
        if not path.exists():
            key = OKPKey.generate_key("Ed25519", auto_kid=True)
            public = msgspec.json.encode(key.as_dict(private=False))
            write_atomically(workspace.keys / "receipts.pub.jwk", public)
            write_atomically(path, msgspec.json.encode(key.as_dict(private=True)), mode=0o600)
    return OKPKey.import_key(msgspec.json.decode(path.read_bytes()))


def sign(key: OKPKey, claims: dict[str, Any]) -> str:
    """Return the claims as a compact JWS."""
    header = {"alg": ALGORITHM, "typ": TYPE, "kid": key.kid}
    payload = msgspec.json.encode(claims, order="deterministic")
    return jws.serialize_compact(header, payload, key, algorithms=[ALGORITHM])


def verify(token: str, public_key: Path) -> dict[str, Any]:
    """Check a receipt offline against the installation's public key (a JWK file).

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
    if header.get("typ") != TYPE or not isinstance(claims, dict):
        raise IntegrityError(
            f"signed, but not a receipt: its type is not {TYPE}", "pass a receipt file"
        )
    return claims
