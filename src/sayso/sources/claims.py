"""What a signed HTTP request is, and what its signature says of itself."""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from sayso.errors import IntegrityError

# As long as Mastodon takes a delivery for a fresh one.
OLDEST: Final = timedelta(hours=12)
NEWEST: Final = timedelta(hours=1)


class Request(Struct, frozen=True):
    """A request: its absolute address as its sender meant it, header lines in their order."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """Return a header's value, several lines of it joined; None if it has none."""
        values = [value.strip() for key, value in self.headers if key.lower() == name]
        return ", ".join(values) if values else None


class Claim(Struct, frozen=True):
    """What a signature says of itself; nothing of it is proved before `verify`.

    `covered` are the lower-case names of what it covers. `created` and `expires` are in seconds
    since 1970.
    """

    key_id: str
    signature: bytes
    covered: tuple[str, ...]
    algorithm: str = ""
    created: int | None = None
    expires: int | None = None
    is_rfc9421: bool = False

    @property
    def fingerprint(self) -> str:
        """Names this signature: 64 hexadecimal digits.

        Of the signature alone: the draft does not sign its other parameters.
        """
        return hashlib.blake2b(self.signature, digest_size=32).hexdigest()


def require(claim: Claim, *names: str) -> None:
    """Raise IntegrityError unless a signature covers all of these."""
    if missing := [name for name in names if name not in claim.covered]:
        raise IntegrityError(f"the signature does not cover {', '.join(missing)}")


def check_moment(moment: datetime, now: datetime) -> None:
    """Raise IntegrityError unless a request was signed at most 12 hours ago, or 1 hour ahead."""
    if not now - OLDEST <= moment <= now + NEWEST:
        raise IntegrityError("the request was not signed within the last 12 hours", "send it again")


def seconds(value: object) -> int | None:
    """Return a moment given in seconds since 1970; ValueError if it is none."""
    if value is None:
        return None
    seconds = int(value) if isinstance(value, str) else value
    if type(seconds) is not int or not 0 <= seconds < 2**33:
        raise ValueError("not a moment in seconds")
    return seconds


def unreadable() -> IntegrityError:
    """Return the error of a signature that cannot be read."""
    return IntegrityError(
        "the signature cannot be read", "send one of RFC 9421 or draft-cavage-12, with its keyId"
    )
