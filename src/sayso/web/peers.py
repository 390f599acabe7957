"""Other servers' actors: their documents, their keys, and whether a delivery is theirs.

A key is kept in the database once it has proved itself: an actor that is gone must still be able to
delete. An actor's document is asked for at most once a minute, whatever comes in its name.
"""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from anyio import to_thread
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct
from sqlalchemy import delete, insert, select

from sayso.errors import IntegrityError
from sayso.rights.database import Rights, now
from sayso.rights.tables import peer_keys
from sayso.sources import activitystreams, signatures
from sayso.sources import as2_values as values
from sayso.sources.as2_actors import KINDS
from sayso.sources.claims import Claim, Request
from sayso.sources.outbound import Outbound, UnreachableError
from sayso.sources.signatures import PublicKey
from sayso.web.actor import MEDIA_TYPE, Actor
from sayso.web.intake import Intake
from sayso.web.rates import Rates

KEY_LASTS: Final = timedelta(days=1)
ASKED_AGAIN_AFTER: Final = 60.0  # seconds
ASKED_OF_ONE_HOST: Final = 60  # a minute
MOST_REMEMBERED: Final = 1000
_ACCEPT: Final = f'{MEDIA_TYPE}, application/ld+json; profile="{values.NAMESPACE}"'
_MEDIA_TYPES: Final = (MEDIA_TYPE, "application/ld+json")
_GONE: Final = 410


class GoneError(IntegrityError):
    """An actor was deleted on its server."""


class _Kept(Struct, frozen=True):
    actor: str
    key: PublicKey
    fetched_at: datetime


class Peers:
    """Knows the keys of other servers' actors.

    Args:
        rights: the database that keeps them.
        outbound: asks for those that are not known.
        actor: signs the questions, since some servers answer none without a signature.
        intake: stores what the actors' documents say of their accounts.
    """

    def __init__(self, rights: Rights, outbound: Outbound, actor: Actor, intake: Intake) -> None:
        self._rights = rights
        self._intake = intake
        self._outbound = outbound
        self._actor = actor
        self._rates = Rates(ASKED_OF_ONE_HOST)
        self._asked: dict[str, tuple[float, asyncio.Task[dict[str, Any]]]] = {}

    async def verify(self, claim: Claim, request: Request, actor: str) -> bool:
        """Check that a delivery was signed by its actor; whether that one is there still.

        Args:
            claim: what its signature says.
            request: the delivery.
            actor: the address of its activity's actor.

        Raises:
            IntegrityError: it was not, or the key cannot be had.
            HTTPException: 429; too many actors of one host are unknown, or too much waits.
        """
        kept = await to_thread.run_sync(self._kept, claim.key_id)
        if kept and kept.actor != actor:
            raise IntegrityError("the key is not the actor's")
        if kept and now() - kept.fetched_at < KEY_LASTS and _fits(claim, request, kept.key):
            return True
        try:
            document = await self.document(actor)
        except (GoneError, UnreachableError) as error:
            if kept is None:
                raise IntegrityError("the sender's key cannot be had") from error
            signatures.verify(claim, request, kept.key)
            return not isinstance(error, GoneError)
        key = _key_of(document, claim.key_id, actor)
        signatures.verify(claim, request, key)
        # First what the account says of itself: posts may hang on it.
        await self._intake.store(list(activitystreams.read(document, "actor", "item 1")))
        await to_thread.run_sync(self._keep, claim.key_id, actor, key)
        return True

    async def document(self, actor: str) -> dict[str, Any]:
        """Return an actor's document, at most a minute old.

        Raises:
            GoneError: the actor is deleted.
            UnreachableError: the server does not answer, or with something else.
            HTTPException: 429; too many actors of one host are unknown.
        """
        at, task = self._asked.get(actor, (0.0, None))
        if task is None or time.monotonic() - at > ASKED_AGAIN_AFTER:
            self._rates.take(urlsplit(actor).netloc.lower())
            if len(self._asked) >= MOST_REMEMBERED:
                del self._asked[next(iter(self._asked))]
            task = asyncio.create_task(self._ask(actor))
            self._asked.pop(actor, None)
            self._asked[actor] = (time.monotonic(), task)
        # Several may wait for one answer: who goes away does not take it along.
        return await asyncio.shield(task)

    async def _ask(self, actor: str) -> dict[str, Any]:
        question = Request("GET", actor.partition("#")[0], (("Accept", _ACCEPT),))
        answer = await self._outbound.send(self._actor.signed(question, now()))
        if answer.status == _GONE:
            raise GoneError("the sender is deleted")
        media_type = answer.media_type.partition(";")[0].strip().lower()
        # What somebody only uploaded there is no document of the server's own.
        if answer.status != 200 or media_type not in _MEDIA_TYPES:
            raise UnreachableError("the sender's server does not show the sender's document")
        try:
            document = msgspec.json.decode(answer.body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnreachableError("the sender's document cannot be read") from error
        if document.get("id") != actor or not values.kinds(document) & set(KINDS):
            raise UnreachableError("the sender's document is another's")
        return document

    def _kept(self, key_id: str) -> _Kept | None:
        with self._rights.reading() as connection:
            row = connection.execute(select(peer_keys).where(peer_keys.c.key_id == key_id)).first()
        if row is None:
            return None
        return _Kept(row.actor, signatures.load_key(row.pem), row.fetched_at)

    def _keep(self, key_id: str, actor: str, key: PublicKey) -> None:
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        row = {"key_id": key_id, "actor": actor, "pem": pem, "fetched_at": now()}
        with self._rights.writing() as connection:
            connection.execute(delete(peer_keys).where(peer_keys.c.key_id == key_id))
            connection.execute(insert(peer_keys).values(row))


def _fits(claim: Claim, request: Request, key: PublicKey) -> bool:
    try:
        signatures.verify(claim, request, key)
    except IntegrityError:
        return False
    return True


def _key_of(document: dict[str, Any], key_id: str, actor: str) -> PublicKey:
    """Return the key of this name from an actor's document, which must say that it is its own."""
    for key in map(values.fields_of, values.many(document.get("publicKey"))):
        if key.get("id") == key_id and key.get("owner") == actor:
            return signatures.load_key(values.string(key.get("publicKeyPem")))
    for key in map(values.fields_of, values.many(document.get("assertionMethod"))):
        if key.get("id") == key_id and key.get("controller") == actor:
            return signatures.load_multikey(values.string(key.get("publicKeyMultibase")))
    raise IntegrityError("the key is not the actor's")
