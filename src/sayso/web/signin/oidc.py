"""Signing in at the member's own service: OpenID Connect, the code flow with PKCE.

What keeps it safe (RFC 9700): a state that only this browser has and that is good once, PKCE, a
nonce, the exact issuer and audience, signatures by keys that the issuer publishes, and HTTPS.
"""

from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from anyio import to_thread
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.starlette_client import OAuth  # type: ignore[import-untyped]
from itsdangerous import BadData, URLSafeTimedSerializer
from joserfc.errors import JoseError
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from sayso.errors import SaysoError, UsageError
from sayso.rights import contacts, keyed, once, users
from sayso.rights.database import Rights, now
from sayso.rights.requests import checked_email
from sayso.rights.sessions import Role
from sayso.rights.users import User
from sayso.settings import Oidc
from sayso.web.signin import SIGN_IN
from sayso.web.signin.sessions import cookie_name, set_cookie
from sayso.web.site import site_of

CALLBACK: Final = f"{SIGN_IN}/back"
COOKIE: Final = "sayso_sign_in"
SECONDS: Final = 600  # to sign in at the service
TIMEOUT_SECONDS: Final = 10.0
LONGEST: Final = 500
NAME: Final = "service"
# Nobody else can make these: no 'none', and no key that both sides know.
ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}
    | {"EdDSA", "Ed25519"}
)
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class ProviderError(SaysoError):
    """What came back from the service cannot be believed."""


class UnreachableError(ProviderError):
    """The service does not answer."""


class Vouched(Struct, frozen=True):
    """What the service says of somebody; `email` is '' unless it has checked that it is theirs."""

    subject: str
    account: str
    role: Role
    email: str


class Provider:
    """The service where members have their accounts.

    Args:
        rights: whose settings name it.

    Raises:
        UsageError: the settings cannot be right.
    """

    def __init__(self, rights: Rights) -> None:
        settings = checked(rights.workspace.settings.oidc)
        self._rights = rights
        self._settings = settings
        self._url = rights.workspace.settings.mail.url
        key = keyed.digest(rights.workspace, "oidc-cookie", "")
        self._cookie = URLSafeTimedSerializer(key)
        secret = _secret(rights, settings.client_secret_file)
        self._client = OAuth().register(
            NAME,
            client_id=settings.client_id,
            client_secret=secret or None,
            server_metadata_url=f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": settings.scopes,
                "code_challenge_method": "S256",
                "timeout": TIMEOUT_SECONDS,
                **({} if secret else {"token_endpoint_auth_method": "none"}),
            },
        )

    async def ask(self, request: Request, target: str) -> Response:
        """Lead the browser on to the service; `target` is where it goes afterwards."""
        request.scope["session"] = session = dict[str, Any]()
        base = self._url.rstrip("/") or str(request.base_url).rstrip("/")
        await self._metadata()
        response: Response = await self._client.authorize_redirect(request, f"{base}{CALLBACK}")
        value = self._cookie.dumps({"session": session, "next": target})
        set_cookie(request, response, COOKIE, str(value), SECONDS)
        return response

    async def answered(self, request: Request) -> tuple[Vouched, str]:
        """Return what the service says of who came back, and where they wanted to go.

        Raises:
            UnreachableError: the service does not answer.
            ProviderError: this browser asked for nothing, asked too long ago, or has been
                answered; the service refuses; or its answer cannot be believed.
        """
        held = self._held(request)
        request.scope["session"] = held["session"]
        metadata = await self._metadata()
        # Which provider answers, where the answer says so (RFC 9207).
        if request.query_params.get("iss", metadata["issuer"]) != metadata["issuer"]:
            raise ProviderError("another provider answered")
        state, writer = request.query_params.get("state", ""), site_of(request).writer
        await to_thread.run_sync(self._use, state, limiter=writer)
        issuer, client = self._settings.issuer, self._settings.client_id
        options = {
            "iss": {"essential": True, "values": [issuer]},
            "aud": {"essential": True, "values": [client]},
        }
        try:
            token = await self._client.authorize_access_token(request, claims_options=options)
            claims = dict(token.get("userinfo") or {})
            if not claims:
                raise ProviderError("the service sent no ID token")
            claims = await self._completed(claims, token, metadata)
        except httpx2.HTTPError as error:
            raise UnreachableError("the service does not answer") from error
        # The clients read what others wrote: it may also lack what they look for.
        except (OAuthError, JoseError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise ProviderError("the service's answer cannot be believed") from error
        return vouched(self._settings, claims), held["next"]

    def admit(self, known: Vouched) -> User:
        """Return the user whom the service vouches for; notes an address that it has checked.

        Raises:
            NotAdmittedError: as `users.admit`.
        """
        issuer = self._settings.issuer
        with self._rights.writing() as connection:
            user = users.admit(connection, issuer, known.subject, known.account, known.role)
            if known.email:
                contacts.put(connection, self._rights, known.account, known.email)
        return user

    def forget(self, request: Request, response: Response) -> Response:
        """Let the browser forget that it asked."""
        set_cookie(request, response, COOKIE, "", max_age=0)
        return response

    def _held(self, request: Request) -> dict[str, Any]:
        value = request.cookies.get(cookie_name(request, COOKIE), "")
        try:
            held = self._cookie.loads(value, max_age=SECONDS)
        except BadData as error:
            raise ProviderError("this browser asked for no sign-in") from error
        found: dict[str, Any] = held
        return found

    def _use(self, state: str) -> None:
        mark = keyed.digest(self._rights.workspace, "oidc-state", state)
        with self._rights.writing() as connection:
            if not once.use(connection, mark, now() + timedelta(seconds=2 * SECONDS)):
                raise ProviderError("this answer was used before")

    async def _metadata(self) -> dict[str, Any]:
        """Return what the provider publishes of itself (OpenID Connect Discovery 1.0)."""
        try:
            found: dict[str, Any] = await self._client.load_server_metadata()
        except (httpx2.HTTPError, ValueError, TypeError) as error:
            raise UnreachableError("the service does not answer") from error
        if found.get("issuer") != self._settings.issuer:
            self._client.server_metadata.clear()
            raise ProviderError("the service calls itself otherwise than [oidc] issuer")
        offered = found.get("id_token_signing_alg_values_supported") or ["RS256"]
        found["id_token_signing_alg_values_supported"] = [a for a in offered if a in ALGORITHMS]
        return found

    async def _completed(
        self, claims: dict[str, Any], token: Any, metadata: dict[str, Any]
    ) -> dict[str, Any]:
        """Add what the ID token leaves out, from the userinfo endpoint (Core 1.0, section 5.3)."""
        wanted = {self._settings.account_claim, self._settings.role_claim} - {""}
        if wanted <= claims.keys() or not metadata.get("userinfo_endpoint"):
            return claims
        more = dict(await self._client.userinfo(token=token))
        if more.get("sub") != claims["sub"]:
            raise ProviderError("the service speaks of two people")
        return more | claims


def vouched(settings: Oidc, claims: dict[str, Any]) -> Vouched:
    """Read the claims that matter.

    Raises:
        ProviderError: the claim that names the account is missing, or is no plain word.
    """
    subject, name = claims.get("sub"), claims.get(settings.account_claim)
    for text in (subject, name):
        plain = isinstance(text, str) and text.isprintable() and " " not in text
        if not plain or not 0 < len(str(text)) <= LONGEST:
            raise ProviderError("the service does not say whose account it is")
    said = claims.get(settings.role_claim) if settings.role_claim else None
    listed = said if isinstance(said, list) else [said]
    values = {each for each in listed if isinstance(each, str)}
    role: Role = "member"
    if values & set(settings.operators):
        role = "operator"
    elif values & set(settings.auditors):
        role = "auditor"
    account = settings.account.replace("{claim}", str(name))
    return Vouched(str(subject), account, role, _address(claims))


def _address(claims: dict[str, Any]) -> str:
    """Return the address that the provider has checked, as those who claim have it; '' for none.

    Written otherwise it would be hashed as somebody else's, or as nobody's.
    """
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return ""
    try:
        return checked_email(email)
    except UsageError:
        return ""


def checked(settings: Oidc) -> Oidc:
    """Return the settings if they can be right.

    Raises:
        UsageError: the issuer is not HTTPS, or something is missing.
    """
    issuer = urlsplit(settings.issuer)
    local = issuer.scheme == "http" and issuer.hostname in LOOPBACK
    problems = {
        "issuer: expected https://…": issuer.scheme == "https" or local,
        "client_id is missing": bool(settings.client_id),
        "account: expected '{claim}@SERVICE'": "{claim}" in settings.account,
        "scopes: 'openid' is missing": "openid" in settings.scopes.split(),
    }
    for problem, holds in problems.items():
        if not holds:
            raise UsageError(f"[oidc] {problem}", "see docs/sign-in.md")
    return settings


def _secret(rights: Rights, file: str) -> str:
    if not file:
        return ""
    try:
        text = (rights.workspace.home / file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "[oidc] client_secret_file cannot be read", "it is relative to the workspace"
        ) from error
    return text.partition("\n")[0].strip()
