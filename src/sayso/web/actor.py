"""Our own actor: what other servers need to know of us so that they deliver to us (ActivityPub)."""

from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from msgspec.structs import replace
from starlette.exceptions import HTTPException

from sayso.errors import UsageError, WorkspaceError
from sayso.sources import cavage, claims
from sayso.sources.as2_values import NAMESPACE, PUBLIC, identifier
from sayso.workspace import Workspace, write_atomically

MEDIA_TYPE: Final = "application/activity+json"
NAME: Final = "sayso"
_BITS: Final = 2048
_PUBLIC_EXPONENT: Final = 65537
router = APIRouter(include_in_schema=False)


class Actor:
    """The installation as an actor of the type Application; its key is made at first use.

    Args:
        workspace: whose settings name its address and whose folder holds its key.

    Raises:
        UsageError: `[inbox] url` is no address to be seen under.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.url = workspace.settings.inbox.url.rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.path or parts.query:
            raise UsageError(
                "`url` in [inbox] of sayso.toml is not the address of a website",
                'set it to what others see this installation under, as url = "https://ai.example"',
            )
        self.host = parts.netloc.lower()
        self.id = f"{self.url}/actor"
        self.inbox = f"{self.url}/inbox"
        self.key_id = f"{self.id}#main-key"
        self._community = workspace.settings.community
        self._key = _signing_key(workspace)

    def document(self) -> dict[str, Any]:
        """Return the actor document."""
        public = self._key.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        return {
            "@context": [NAMESPACE, "https://w3id.org/security/v1"],
            "id": self.id,
            "type": "Application",
            "preferredUsername": NAME,
            "name": f"Sayso of {self._community}",
            "summary": "Takes in public posts for the community's own AI. Objections: "
            f"{self.url}/object",
            "url": f"{self.url}/transparency",
            "inbox": self.inbox,
            "outbox": f"{self.id}/outbox",
            "endpoints": {"sharedInbox": self.inbox},
            "manuallyApprovesFollowers": False,
            "publicKey": {
                "id": self.key_id,
                "owner": self.id,
                "publicKeyPem": public.decode(),
            },
        }

    def signed(self, request: claims.Request, now: datetime) -> claims.Request:
        """Return a request with our signature."""
        added = cavage.sign(request, self.key_id, self._key, now)
        return replace(request, headers=(*request.headers, *added.items()))

    def is_followed_by(self, follow: dict[str, Any]) -> bool:
        """Whether a Follow is one of us: of our actor, or of everything public, as of a relay."""
        return identifier(follow.get("object")) in (self.id, *PUBLIC)

    def acceptance(self, follow: dict[str, Any], number: str) -> bytes:
        """Return the Accept of a Follow."""
        named = {key: follow[key] for key in ("id", "type", "actor", "object") if key in follow}
        accept = {
            "@context": NAMESPACE,
            "id": f"{self.id}#accepts/{number}",
            "type": "Accept",
            "actor": self.id,
            "object": named,
        }
        return msgspec.json.encode(accept)


@router.get("/actor")
def get_actor(request: Request) -> JSONResponse:
    """Return the actor document."""
    return JSONResponse(_actor_of(request).document(), media_type=MEDIA_TYPE)


@router.get("/actor/outbox")
def get_outbox(request: Request) -> JSONResponse:
    """Return the outbox, which every actor must have and which stays empty here."""
    empty = {
        "@context": NAMESPACE,
        "id": f"{_actor_of(request).id}/outbox",
        "type": "OrderedCollection",
        "totalItems": 0,
        "orderedItems": [],
    }
    return JSONResponse(empty, media_type=MEDIA_TYPE)


@router.get("/.well-known/webfinger")
def get_webfinger(request: Request, resource: str = "") -> JSONResponse:
    """Lead from the actor's name to its document (RFC 7033)."""
    actor = _actor_of(request)
    subject = f"acct:{NAME}@{actor.host}"
    if not resource:
        raise HTTPException(400, "expected a `resource`, as acct:name@host")
    if resource.lower() not in (subject, actor.id.lower()):
        raise HTTPException(404, "nobody of this name is here")
    found = {
        "subject": subject,
        "aliases": [actor.id],
        "links": [{"rel": "self", "type": MEDIA_TYPE, "href": actor.id}],
    }
    return JSONResponse(found, media_type="application/jrd+json")


def _actor_of(request: Request) -> Actor:
    actor: Actor = request.app.state.inbox.actor
    return actor


def _signing_key(workspace: Workspace) -> RSAPrivateKey:
    path = workspace.keys / "actor.pem"
    with workspace.lock("keys", wait=True):
        if not path.exists():
            made = generate_private_key(_PUBLIC_EXPONENT, _BITS)
            pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write_atomically(path, pem, mode=0o600)
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise WorkspaceError("keys/actor.pem is no RSA key", "remove it: another will be made")
    return key
