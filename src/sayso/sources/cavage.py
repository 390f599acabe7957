"""Signatures by draft-cavage-http-signatures-12, which nearly all of the fediverse signs by."""

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from sayso.errors import IntegrityError
from sayso.sources.claims import Claim, Request, check_moment, require, seconds, unreadable

_PARAMETER: Final = re.compile(r'\s*([A-Za-z]+)=(?:"([^"]*)"|(\d+))\s*(?:,|$)')
_HASHES: Final = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


def parse(value: str) -> Claim:
    """Read a Signature header; IntegrityError if it cannot be read."""
    fields: dict[str, str] = {}
    place = 0
    while place < len(value):
        found = _PARAMETER.match(value, place)
        if found is None or found[1] in fields:
            raise unreadable()
        fields[found[1]] = found[3] if found[2] is None else found[2]
        place = found.end()
    try:
        return Claim(
            key_id=fields["keyId"],
            signature=base64.b64decode(fields["signature"], validate=True),
            covered=tuple(fields.get("headers", "(created)").lower().split()),
            algorithm=fields.get("algorithm", "").lower(),
            created=seconds(fields.get("created")),
            expires=seconds(fields.get("expires")),
        )
    except (KeyError, ValueError) as error:
        raise unreadable() from error


def check(claim: Claim, request: Request, now: datetime) -> None:
    """Raise IntegrityError unless a signature covers this request's target, host, date and body."""
    require(claim, "(request-target)", "host", "digest")
    if claim.algorithm not in ("", "hs2019") and "(created)" in claim.covered:
        raise IntegrityError("only the algorithm hs2019 may cover (created)")
    if (request.header("host") or "").lower() != urlsplit(request.url).netloc.lower():
        raise IntegrityError("the signature is for another host")
    if "date" in claim.covered:
        check_moment(_date(request.header("date") or ""), now)
    elif claim.created is None or "(created)" not in claim.covered:
        raise IntegrityError("the signature covers neither `date` nor `(created)`")
    _check_digest(request.header("digest") or "", request.body)


def signed_text(claim: Claim, request: Request) -> bytes:
    """Return the text that a signature signs (section 2.3).

    Raises:
        IntegrityError: it covers something that the request does not have.
    """
    parts = urlsplit(request.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    special = {
        "(request-target)": f"{request.method.lower()} {target}",
        "(created)": claim.created,
        "(expires)": claim.expires,
    }
    lines = []
    for name in claim.covered:
        value = special[name] if name in special else request.header(name)
        if value is None:
            raise IntegrityError("the signature covers something that the request does not have")
        lines.append(f"{name}: {value}")
    return "\n".join(lines).encode()


def sign(request: Request, key_id: str, key: RSAPrivateKey, now: datetime) -> dict[str, str]:
    """Return the headers that sign a request of ours, by the draft: every server reads it."""
    added = {"Host": urlsplit(request.url).netloc, "Date": format_datetime(now, usegmt=True)}
    if request.body:
        digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
        added["Digest"] = f"SHA-256={digest}"
    covered = ("(request-target)", *map(str.lower, added))
    whole = Request(request.method, request.url, (*request.headers, *added.items()))
    base = signed_text(Claim(key_id, b"", covered), whole)
    signature = base64.b64encode(key.sign(base, padding.PKCS1v15(), hashes.SHA256())).decode()
    added["Signature"] = (
        f'keyId="{key_id}",algorithm="rsa-sha256",headers="{" ".join(covered)}",'
        f'signature="{signature}"'
    )
    return added


def _date(value: str) -> datetime:
    """Read a date in the form that is sent (RFC 9110, section 5.6.7)."""
    try:
        return datetime.strptime(value, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError as error:
        raise IntegrityError("the Date cannot be read") from error


def _check_digest(value: str, body: bytes) -> None:
    """Compare a body with its digest (RFC 3230); every algorithm that we know must agree."""
    known = 0
    for part in value.split(","):
        name, _, encoded = part.strip().partition("=")
        if algorithm := _HASHES.get(name.lower()):
            known += 1
            try:
                given = base64.b64decode(encoded, validate=True)
            except ValueError:
                given = b""
            if not hmac.compare_digest(given, algorithm(body).digest()):
                raise IntegrityError("the body is not the one that was signed")
    if not known:
        raise IntegrityError("the digest is neither SHA-256 nor SHA-512")
