"""Passwords: Argon2id with the second recommended parameters of RFC 9106, section 4.

Every check takes as long, whether there is a user or not, and whether they have a password or not.
"""

import secrets
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from sayso.errors import MissingPartError, UsageError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

# NIST SP 800-63B-4, section 3.1.1.2: where nothing but the password is asked for.
SHORTEST: Final = 15
LONGEST: Final = 1024


def hashed(password: str) -> str:
    """Return the encoded hash of a password.

    Raises:
        UsageError: it is too short or too long.
    """
    if not SHORTEST <= len(_normal(password)) <= LONGEST:
        raise UsageError(
            f"a password has {SHORTEST} to {LONGEST} characters",
            "several words that do not belong together are long and can be remembered",
        )
    return _hasher().hash(_normal(password))


def fits(password: str, encoded: str) -> bool:
    """Whether a password is the one that was hashed; `encoded` is '' where there is none."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        matches = _hasher().verify(encoded or _nobodys(), _normal(password[:LONGEST]))
    except (VerificationError, InvalidHashError):
        return False
    return matches and bool(encoded) and len(password) <= LONGEST


def is_outdated(encoded: str) -> bool:
    """Whether a hash was made with other parameters than are used now."""
    return _hasher().check_needs_rehash(encoded)


def generated() -> str:
    """Return a new password of 144 random bits, 24 characters."""
    return secrets.token_urlsafe(18)


@lru_cache(maxsize=1)
def _hasher() -> "PasswordHasher":
    try:
        from argon2 import PasswordHasher
    except ImportError as error:
        raise MissingPartError(
            "passwords need the package argon2-cffi", "pip install 'sayso[serve]'"
        ) from error
    return PasswordHasher()


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return _hasher().hash(secrets.token_urlsafe())


def _normal(password: str) -> str:
    # The same keys make the same password on every machine (RFC 8265, section 4.2.1). What cannot
    # be encoded was never typed on a keyboard; it fits nothing.
    encodable = password.encode("utf-8", "replace").decode()
    return unicodedata.normalize("NFC", encodable)
