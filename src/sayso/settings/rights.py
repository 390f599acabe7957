"""Sections on objections, on what is kept, and on who is told."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Objecting(Struct, forbid_unknown_fields=True, frozen=True):
    """[objecting] How objections are taken and met."""

    quiet_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="Cells are rebuilt when no objection came for so long: a burst then "
            "rebuilds each of them once. What is served is without the person long before.",
        ),
    ] = 2.0
    longest_wait_seconds: Annotated[
        float, Meta(ge=0, description="They wait no longer than this, however many come.")
    ] = 60.0
    most_matches: Annotated[
        int,
        Meta(
            ge=1,
            description="Records that a third person's name may freeze before an operator looked "
            "at it. A name in more of them freezes none: it is to be narrowed by context.",
        ),
    ] = 200


class Keeping(Struct, forbid_unknown_fields=True, frozen=True):
    """[rights] How long what people hand in is kept; see docs/operating.md."""

    keep_days: Annotated[
        int,
        Meta(
            ge=0,
            description="Days after an objection's last step when its reason, person and receipt "
            "are dropped; the person's accounts stay out. 0 = they are kept.",
        ),
    ] = 3 * 365 + 1


class Claims(Struct, forbid_unknown_fields=True, frozen=True):
    """[claims] Objections of people who are not signed in; see docs/objecting.md."""

    per_minute: Annotated[
        int, Meta(ge=0, description="From one address in a minute; 0 = any number.")
    ] = 30
    per_account_a_day: Annotated[
        int,
        Meta(
            ge=0,
            description="For one account in a day; the first of them freezes it already. "
            "0 = any number.",
        ),
    ] = 10
    mails_a_day: Annotated[
        int, Meta(ge=0, description="Letters to one e-mail address in a day; 0 = any number.")
    ] = 3


class Asking(Struct, forbid_unknown_fields=True, frozen=True):
    """[asking] Whether a text is in the model: asked by anybody, without a login."""

    per_minute: Annotated[
        int, Meta(ge=0, description="Questions from one address in a minute; 0 = any number.")
    ] = 20


class Mail(Struct, forbid_unknown_fields=True, frozen=True):
    """[mail] Letters to who objects: the link that confirms it, and each step."""

    host: Annotated[
        str,
        Meta(
            description="SMTP server. Without it, `sender` and `url` letters wait, and are given "
            "up after 14 days; see docs/letters.md."
        ),
    ] = ""
    port: Annotated[int, Meta(ge=1, le=65535, description="Its port.")] = 587
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Meta(
            description="How the connection is encrypted; 'none' is for this machine alone, and "
            "without a login."
        ),
    ] = "starttls"
    user: Annotated[str, Meta(description="Name to log in with; empty = no login.")] = ""
    password_file: Annotated[
        str,
        Meta(description="File whose first line is the password; relative to the workspace."),
    ] = ""
    sender: Annotated[
        str, Meta(description="The address that letters come from, as sayso@ai.example.")
    ] = ""
    url: Annotated[
        str,
        Meta(
            description="The address of these pages for links in letters and answers to programs, "
            "as https://ai.example."
        ),
    ] = ""


class Webhooks(Struct, forbid_unknown_fields=True, frozen=True):
    """[webhooks] Calls that tell programs of an objection's steps; see docs/letters.md."""

    allow: Annotated[
        tuple[str, ...],
        Meta(
            description="Hosts (with the port, if it is not 443) that may also have a private "
            "address, and on this machine speak plain HTTP. All others: HTTPS, public addresses."
        ),
    ] = ()


class Agents(Struct, forbid_unknown_fields=True, frozen=True):
    """[agents] Programs that object for people: Data Rights Protocol, OpenDSR."""

    business_id: Annotated[
        str,
        Meta(description="What this community is called in the Data Rights Protocol's directory."),
    ] = "SAYSO"
    requests_per_minute: Annotated[
        int, Meta(ge=0, description="Requests of one agent in a minute; 0 = any number.")
    ] = 600
    certificate_file: Annotated[
        str,
        Meta(
            description="The certificate (PEM) for the host of [mail] url, from a trusted "
            "authority, that signs OpenDSR's answers; relative to the workspace. Empty = one that "
            "is made here, which the specification does not allow."
        ),
    ] = ""
    certificate_key_file: Annotated[
        str, Meta(description="Its private key (PEM, RSA or ECDSA, no password).")
    ] = ""
