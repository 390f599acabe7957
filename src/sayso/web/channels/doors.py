"""Which channels there are, by the settings: how each is read, and how it answers."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final

from anyio import CapacityLimiter, to_thread
from msgspec import Struct

from sayso.assistant.channels import messenger, telegram, webhook, whatsapp
from sayso.assistant.channels.mastodon import Account as MastodonAccount
from sayso.assistant.channels.mastodon import Mastodon
from sayso.assistant.conversation import Inbound, Outbound, Upload
from sayso.errors import InputError, UsageError
from sayso.settings import Instagram, Messenger, WhatsApp
from sayso.web.channels.desk import Speaker
from sayso.workspace import Workspace

SHORTEST_SECRET: Final = 8
Reading = Callable[[Mapping[str, str], bytes], list[Inbound]]


class Door(Struct, frozen=True):
    """A channel: how what it is sent is read (None if it is not by webhook), and its answers.

    `verify_token` is that of Meta's handshake, '' where there is none.
    """

    speaker: Speaker
    read: Reading | None = None
    verify_token: str = ""


class Threaded:
    """Lets a speaker that blocks answer from a thread."""

    window: timedelta | None = None
    typing_seconds = 0.0

    def __init__(self, blocking: Mastodon) -> None:
        self.blocking = blocking
        # Of its own: an instance that takes long takes no threads from the pages.
        self._threads = CapacityLimiter(2)

    async def close(self) -> None:
        """Do nothing: there are no connections to let go of."""

    async def fetch(self, upload: Upload, most: int) -> bytes:
        """Refuse: posts there have pictures, sounds and films alone.

        Raises:
            InputError: always.
        """
        raise InputError("files of this channel are not read")

    async def working(self, to: Inbound) -> None:
        """Do nothing: there is no sign for it."""

    async def send(self, outbound: Outbound) -> None:
        """Send an answer."""
        await to_thread.run_sync(self.blocking.send, outbound, limiter=self._threads)


def telegram_account(workspace: Workspace) -> telegram.Account:
    """Return the bot of the settings."""
    bot = workspace.settings.channels.telegram
    secret = secret_of(workspace, bot.secret_file) if bot.updates == "webhook" else ""
    token = secret_of(workspace, bot.token_file)
    return telegram.Account(bot.name.removeprefix("@"), token, secret, bot.api)


def doors(workspace: Workspace) -> dict[str, Door]:
    """Return the channels that are enabled.

    Raises:
        UsageError: the settings of one are incomplete, or there is no address to object at.
        MissingPartError: a library is not installed.
    """
    channels, found = workspace.settings.channels, dict[str, Door]()
    if channels.whatsapp.enabled:
        account = whatsapp.Account(
            _told(channels.whatsapp.number_id, "number_id"), *_meta(workspace, channels.whatsapp)
        )
        speaker = whatsapp.WhatsApp(account)
        read = partial(whatsapp.read, account=account)
        found[whatsapp.NAME] = Door(speaker, read, account.verify_token)
    for name, settings, number in (
        (messenger.MESSENGER, channels.messenger, channels.messenger.page_id),
        (messenger.INSTAGRAM, channels.instagram, channels.instagram.account_id),
    ):
        if settings.enabled:
            page = messenger.Account(name, _told(number, "id"), *_meta(workspace, settings))
            found[name] = Door(
                messenger.Messenger(page), partial(messenger.read, account=page), page.verify_token
            )
    if channels.mastodon.enabled:
        bot = channels.mastodon
        token = secret_of(workspace, bot.token_file)
        at = MastodonAccount(bot.url, token, bot.visibility, bot.characters)
        found["mastodon"] = Door(Threaded(Mastodon(at)))
    if channels.telegram.enabled:
        own = telegram_account(workspace)
        by_webhook = channels.telegram.updates == "webhook"
        found[telegram.NAME] = Door(
            telegram.Telegram(own), partial(telegram.read, account=own) if by_webhook else None
        )
    if channels.webhook.enabled:
        secret = secret_of(workspace, channels.webhook.secret_file)
        app = webhook.Account(channels.webhook.url, secret)
        found[webhook.NAME] = Door(webhook.Webhook(app), partial(webhook.read, account=app))
    if found and not workspace.settings.mail.url:
        raise UsageError(
            "messengers are enabled, but there is no address to object at",
            "set [mail] url to the address of these pages",
        )
    return found


def _meta(
    workspace: Workspace, settings: WhatsApp | Messenger | Instagram
) -> tuple[str, str, str, str]:
    return (
        secret_of(workspace, settings.token_file),
        secret_of(workspace, settings.app_secret_file),
        secret_of(workspace, settings.verify_token_file),
        settings.api,
    )


def _told(value: str, name: str) -> str:
    if not value:
        raise UsageError(f"a channel is enabled, but its {name} is not set", "see docs/channels.md")
    return value


def secret_of(workspace: Workspace, name: str) -> str:
    """Return a secret: the first line of a file of the workspace.

    Raises:
        UsageError: there is none, or it is so short that it could be guessed.
    """
    try:
        secret = (workspace.home / name).read_text("utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "a channel is enabled, but the file of one of its secrets cannot be read",
            "see docs/channels.md",
        ) from error
    if len(secret) < SHORTEST_SECRET:
        raise UsageError(f"a secret of a channel has less than {SHORTEST_SECRET} characters")
    return secret
