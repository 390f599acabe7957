"""Keyed hashes of secrets and names: what recognises them without keeping them (RFC 7693)."""

import hashlib

from sayso.workspace import Workspace


def digest(workspace: Workspace, purpose: str, value: str) -> str:
    """Return 64 hexadecimal digits; `purpose` (at most 16 letters) keeps uses apart."""
    return hashlib.blake2b(
        value.encode("utf-8", "surrogatepass"),
        digest_size=32,
        key=workspace.secret,
        person=purpose.encode(),
    ).hexdigest()
