"""Who calls with a key: one of the operator's own services, and whose word it may give."""

from typing import Final

from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from sayso.errors import UsageError
from sayso.rights import api_keys, identity
from sayso.rights.api_keys import ApiKey
from sayso.rights.database import Rights
from sayso.rights.identity import Identified

BEARER: Final = HTTPBearer(auto_error=False, description="A key made by `sayso keys add`.")


def key_of(rights: Rights, credentials: HTTPAuthorizationCredentials | None) -> ApiKey:
    """Return the key that a request brought.

    Raises:
        HTTPException: 401; it brought none, or one that is not good, or for the assistant alone.
    """
    with rights.reading() as connection:
        return key_in(connection, rights, credentials)


def key_in(
    connection: Connection, rights: Rights, credentials: HTTPAuthorizationCredentials | None
) -> ApiKey:
    """As `key_of`, within the caller's transaction."""
    found = api_keys.find_in(connection, rights, credentials.credentials) if credentials else None
    if found is None or found.for_assistant:
        raise HTTPException(
            401,
            "no valid key; send `Authorization: Bearer KEY`, a key made by `sayso keys add`",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return found


def vouched(connection: Connection, key: ApiKey, account: str) -> Identified:
    """Return the account that a key may speak for.

    Raises:
        HTTPException: 403; the account is of no service, or of one that the key is not for, or it
            is a person's id.
    """
    refused = HTTPException(403, "this key is not for the service of this account")
    try:
        found = identity.identify(connection, account)
    except UsageError:
        raise refused from None
    if not found.service or (key.services and found.service not in key.services):
        raise refused
    return found
