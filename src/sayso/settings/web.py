"""[web], [sign_in], [oidc]: the pages, and who signs in."""

from typing import Annotated

from msgspec import Meta, Struct


class Web(Struct, forbid_unknown_fields=True, frozen=True):
    """[web] How the pages are reached: proxies before them, pages of services around them."""

    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Addresses or networks of proxies whose X-Forwarded-For and "
            "X-Forwarded-Proto are believed; empty = nobody's."
        ),
    ] = ("127.0.0.1", "::1")
    embed_origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Services that may show the pages under /embed/ within their own, as "
            "https://forum.example. No other page may be shown within another."
        ),
    ] = ()


class SignIn(Struct, forbid_unknown_fields=True, frozen=True):
    """[sign_in] How long who signed in stays so, and how often one may try; see docs/sign-in.md."""

    idle_hours: Annotated[
        float, Meta(gt=0, description="A session ends when it was not used for so long.")
    ] = 24.0
    days: Annotated[
        float, Meta(gt=0, description="A session ends after so long, however much it is used.")
    ] = 14.0
    per_name: Annotated[
        int,
        Meta(
            ge=0,
            description="Passwords tried for one name from one address in a quarter hour, and five "
            "times as many from everywhere; 0 = any number.",
        ),
    ] = 20
    per_address: Annotated[
        int,
        Meta(ge=0, description="Tries from one address in a quarter hour; 0 = any number."),
    ] = 60
    tickets_per_minute: Annotated[
        int, Meta(ge=0, description="Tickets for one service's key in a minute; 0 = any number.")
    ] = 600


class Oidc(Struct, forbid_unknown_fields=True, frozen=True):
    """[oidc] Signing in by a service's own accounts (OpenID Connect); see docs/sign-in.md."""

    issuer: Annotated[
        str,
        Meta(description="The provider's issuer, as https://id.example; empty = none is asked."),
    ] = ""
    client_id: Annotated[str, Meta(description="What the provider calls these pages.")] = ""
    client_secret_file: Annotated[
        str,
        Meta(
            description="File whose first line is the secret; relative to the workspace. "
            "Empty = a public client."
        ),
    ] = ""
    scopes: Annotated[str, Meta(description="What is asked for; 'openid' must be in it.")] = (
        "openid profile email"
    )
    account_claim: Annotated[
        str, Meta(description="The claim that names the account; it must be unique there.")
    ] = "preferred_username"
    account: Annotated[
        str,
        Meta(
            description="The account here, made of that claim, as '{claim}@forum'. Needed: a "
            "service that is not named could be any."
        ),
    ] = ""
    role_claim: Annotated[
        str,
        Meta(description="The claim (a text or a list) that says who is staff; '' = nobody is."),
    ] = ""
    operators: Annotated[
        tuple[str, ...], Meta(description="Values of it that make an operator.")
    ] = ()
    auditors: Annotated[
        tuple[str, ...], Meta(description="Values of it that make an auditor.")
    ] = ()
    button: Annotated[
        str, Meta(description="What the button says; '' = 'Sign in with your account'.")
    ] = ""
