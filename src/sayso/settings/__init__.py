"""`sayso.toml` as one typed object; every field says what it does.

The sections lie in modules by what they are about; all are imported from here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from sayso.errors import UsageError
from sayso.settings.assistant import (
    Analysis,
    Api,
    Conversations,
    Knowledge,
    Safety,
    Sandbox,
    Serving,
    Uploads,
)
from sayso.settings.channels import (
    Channels,
    Instagram,
    MastodonBot,
    Messenger,
    OtherApp,
    TelegramBot,
    WhatsApp,
)
from sayso.settings.intake import Inbox, Ingest
from sayso.settings.model import Cells, Corpus, Training
from sayso.settings.rights import Agents, Asking, Claims, Keeping, Mail, Objecting, Webhooks
from sayso.settings.web import Oidc, SignIn, Web

__all__ = [
    "Agents",
    "Analysis",
    "Api",
    "Asking",
    "Cells",
    "Channels",
    "Claims",
    "Conversations",
    "Corpus",
    "Inbox",
    "Ingest",
    "Instagram",
    "Keeping",
    "Knowledge",
    "Mail",
    "MastodonBot",
    "Messenger",
    "Objecting",
    "Oidc",
    "OtherApp",
    "Safety",
    "Sandbox",
    "Serving",
    "Settings",
    "SignIn",
    "TelegramBot",
    "Training",
    "Uploads",
    "Web",
    "Webhooks",
    "WhatsApp",
    "dump",
    "load",
]


class Settings(Struct, forbid_unknown_fields=True, frozen=True):
    """All of `sayso.toml`."""

    policy: Annotated[
        str,
        Meta(description="The gate's policy: 'strict', 'article', or the path of a TOML file."),
    ] = "strict"
    community: Annotated[str, Meta(description="The community's name, shown on the pages.")] = (
        "our community"
    )
    database: Annotated[
        str,
        Meta(
            description="Where rights and ledger lie, as postgresql://user@host/name; "
            "empty = rights.db (SQLite) beside this."
        ),
    ] = ""
    corpus: Corpus = Corpus()
    cells: Cells = Cells()
    training: Training = Training()
    serving: Serving = Serving()
    api: Api = Api()
    knowledge: Knowledge = Knowledge()
    ingest: Ingest = Ingest()
    inbox: Inbox = Inbox()
    mail: Mail = Mail()
    webhooks: Webhooks = Webhooks()
    agents: Agents = Agents()
    claims: Claims = Claims()
    asking: Asking = Asking()
    objecting: Objecting = Objecting()
    rights: Keeping = Keeping()
    web: Web = Web()
    sign_in: SignIn = SignIn()
    oidc: Oidc = Oidc()
    channels: Channels = Channels()
    conversations: Conversations = Conversations()
    uploads: Uploads = Uploads()
    analysis: Analysis = Analysis()
    sandbox: Sandbox = Sandbox()
    safety: Safety = Safety()


def load(path: Path) -> Settings:
    """Read settings from a TOML file.

    Raises:
        UsageError: the file is not TOML, or a field is unknown or out of range.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Settings)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} is not a valid settings file: {error}", "see docs/settings.md"
        ) from error


def dump(settings: Settings) -> bytes:
    """Write settings as TOML, every field included."""
    return ("\n".join(_lines("", msgspec.to_builtins(settings))) + "\n").encode()


def _lines(section: str, fields: dict[str, object]) -> Iterator[str]:
    if section:
        yield from ("", f"[{section}]")
    yield from (f"{name} = {_toml(value)}" for name, value in fields.items() if _flat(value))
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from _lines(f"{section}.{name}" if section else name, value)


def _flat(value: object) -> bool:
    return not isinstance(value, dict)


def _toml(value: object) -> str:
    # JSON strings and numbers are valid TOML values.
    return msgspec.json.encode(value).decode()
