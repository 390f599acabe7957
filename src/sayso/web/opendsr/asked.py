"""What a request of OpenDSR says (section 7.1), in the shapes of its versions 2 and 3."""

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from starlette.exceptions import HTTPException

RAW: Final = "raw"


class Identity(Struct, frozen=True):
    """One identity: its type, its value, and how that is written (section 5.3)."""

    type: str
    value: str
    format: str

    def is_of(self, kind: str) -> bool:
        """Whether it is of this type, and written as it is."""
        return (self.type, self.format) == (kind, RAW)


class Asked(Struct, frozen=True):
    """What a request asks for."""

    subject_request_id: str
    subject_request_type: str
    identities: tuple[Identity, ...]
    submitted_time: str
    status_callback_urls: tuple[str, ...]


class _Listed(Struct, frozen=True):
    """An identity of version 2."""

    identity_type: str
    identity_value: str
    identity_format: str = RAW


class _Encoded(Struct, frozen=True):
    """An identity of version 3, under its type."""

    value: str
    encoding: str = RAW


class _Body(Struct, frozen=True):
    regulation: Literal["gdpr", "ccpa"]
    subject_request_id: str
    subject_request_type: str
    submitted_time: str
    subject_identities: Any
    status_callback_urls: tuple[str, ...] | None = None


def read(body: bytes) -> Asked:
    """Return what a request says.

    Raises:
        HTTPException: 400; a field is missing or of another type. No value of it is quoted.
    """
    try:
        said = msgspec.json.decode(body, type=_Body)
        identities = _identities(said.subject_identities)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(400, _place(error)) from None
    return Asked(
        said.subject_request_id,
        said.subject_request_type,
        identities,
        said.submitted_time,
        said.status_callback_urls or (),
    )


def _identities(given: Any) -> tuple[Identity, ...]:
    if isinstance(given, dict):
        by_type = msgspec.convert(given, dict[str, _Encoded])
        return tuple(Identity(kind, i.value, i.encoding) for kind, i in by_type.items())
    listed = msgspec.convert(given, list[_Listed])
    return tuple(Identity(i.identity_type, i.identity_value, i.identity_format) for i in listed)


def _place(error: Exception) -> str:
    if not isinstance(error, msgspec.ValidationError):
        return "the body is not valid JSON"
    # Of a value that is none of those allowed, msgspec quotes it.
    said = str(error)
    return "regulation: gdpr or ccpa" if "enum value" in said else said
