"""What WhatsApp, Messenger and Instagram share: the handshake, the signature, the errors.

Source: platform-formats F; developers.facebook.com, Graph API webhooks.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from sayso.assistant.channels.api import Failure
from sayso.errors import InputError, IntegrityError

WINDOW: Final = timedelta(hours=24)  # answers are taken for so long after a message
TOO_LATE: Final = (131047, 2018278, 2534022)  # of WhatsApp, Messenger, Instagram
# Rate limits of the app, the account, the number, the pair; and 'try again later'.
PASSING: Final = frozenset({1, 2, 4, 17, 32, 613, 80007, 130429, 131016, 131056, 133004, 1200})
LONGEST_TIME: Final = 253402300799  # the year 9999


def challenge(query: Mapping[str, str], verify_token: str) -> str:
    """Return what the platform's handshake is to be answered with.

    Args:
        query: `hub.mode`, `hub.verify_token`, `hub.challenge`.
        verify_token: what both sides know.

    Raises:
        IntegrityError: the token is another.
    """
    told = query.get("hub.verify_token", "").encode()
    is_known = hmac.compare_digest(told, verify_token.encode()) and bool(verify_token)
    if query.get("hub.mode") != "subscribe" or not is_known:
        raise IntegrityError("the handshake's token is not ours")
    return query.get("hub.challenge", "")


def check_signature(headers: Mapping[str, str], body: bytes, app_secret: str) -> None:
    """Check the signature over a body's bytes.

    Raises:
        IntegrityError: there is none, or it is another's.
    """
    expected = hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
    told = headers.get("x-hub-signature-256", "").encode()
    if not app_secret or not hmac.compare_digest(told, f"sha256={expected}".encode()):
        raise IntegrityError("the delivery's signature does not fit")


def decoded(body: bytes) -> dict[str, Any]:
    """Return a body as a JSON object.

    Raises:
        InputError: it is none.
    """
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("the body is not a JSON object in UTF-8") from error


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list; nothing if it is none."""
    if isinstance(value, list):
        yield from (part for part in value if isinstance(part, dict))


def inner(value: Any, *names: str) -> dict[str, Any]:
    """Return an object within objects, empty if it is not there."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """Return a text, empty if it is none."""
    return value if isinstance(value, str) else ""


def moment(seconds: Any) -> datetime | None:
    """Return a moment told in seconds since 1970 (a number, or its digits); None if it is none."""
    try:
        number = float(seconds)
        return datetime.fromtimestamp(number, UTC) if 0 <= number < LONGEST_TIME else None
    except (TypeError, ValueError, OverflowError):
        return None


def explained(body: Any) -> Failure:
    """Read an error of the Graph API: `{"error": {"code": …, "error_subcode": …}}`."""
    error = inner(body, "error")
    codes = [value for value in (error.get("code"), error.get("error_subcode"))
             if isinstance(value, int)]  # fmt: skip
    late = next((code for code in reversed(codes) if code in TOO_LATE), 0)
    code = late or (codes[0] if codes else 0)
    return Failure(code, code in PASSING or error.get("is_transient") is True)
