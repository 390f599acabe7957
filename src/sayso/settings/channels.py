"""[channels]: the assistant in messengers."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class GraphApp(Struct, forbid_unknown_fields=True, frozen=True):
    """What every app on Meta's Graph API needs."""

    enabled: Annotated[bool, Meta(description="Whether it answers there.")] = False
    token_file: Annotated[
        str, Meta(description="File with the access token; relative to the workspace.")
    ] = ""
    app_secret_file: Annotated[
        str, Meta(description="File with the app's secret, which signs deliveries.")
    ] = ""
    verify_token_file: Annotated[
        str, Meta(description="File with the token that the webhook's handshake must tell.")
    ] = ""
    api: Annotated[str, Meta(description="The Graph API's address, with its version.")] = (
        "https://graph.facebook.com/v25.0"
    )


class WhatsApp(GraphApp, forbid_unknown_fields=True, frozen=True):
    """[channels.whatsapp] The assistant on WhatsApp; see docs/channels.md for who may do so."""

    number_id: Annotated[str, Meta(description="The phone number's id (not the number).")] = ""


class Messenger(GraphApp, forbid_unknown_fields=True, frozen=True):
    """[channels.messenger] The assistant as a Facebook page on Messenger."""

    page_id: Annotated[str, Meta(description="The page's id.")] = ""


class Instagram(GraphApp, forbid_unknown_fields=True, frozen=True):
    """[channels.instagram] The assistant in an Instagram account's messages."""

    account_id: Annotated[str, Meta(description="The professional account's id.")] = ""
    api: Annotated[str, Meta(description="The Graph API's address, with its version.")] = (
        "https://graph.instagram.com/v25.0"
    )


class MastodonBot(Struct, forbid_unknown_fields=True, frozen=True):
    """[channels.mastodon] The assistant as a bot's account that answers who mentions it."""

    enabled: Annotated[bool, Meta(description="Whether it answers there.")] = False
    url: Annotated[str, Meta(description="The instance, as https://social.example.")] = ""
    token_file: Annotated[
        str,
        Meta(
            description="File with the bot's token (scopes read, write:statuses, write:media); "
            "relative to the workspace."
        ),
    ] = ""
    visibility: Annotated[
        Literal["public", "unlisted", "direct"],
        Meta(description="The most that a reply may be seen; never more than the question."),
    ] = "unlisted"
    characters: Annotated[
        int, Meta(ge=200, description="The instance's longest post; more becomes several replies.")
    ] = 500


class TelegramBot(Struct, forbid_unknown_fields=True, frozen=True):
    """[channels.telegram] The assistant as a bot on Telegram."""

    enabled: Annotated[bool, Meta(description="Whether it answers there.")] = False
    name: Annotated[str, Meta(description="The bot's name, without @; groups call it by that.")] = (
        ""
    )
    token_file: Annotated[
        str, Meta(description="File with the bot's token; relative to the workspace.")
    ] = ""
    updates: Annotated[
        Literal["polling", "webhook"],
        Meta(description="Whether messages are asked for, or come to /channels/telegram."),
    ] = "polling"
    secret_file: Annotated[
        str, Meta(description="File with the secret_token that the webhook was set with.")
    ] = ""
    api: Annotated[str, Meta(description="The Bot API's address.")] = "https://api.telegram.org"


class OtherApp(Struct, forbid_unknown_fields=True, frozen=True):
    """[channels.webhook] The assistant in any other app, by signed JSON; see docs/channels.md."""

    enabled: Annotated[bool, Meta(description="Whether it answers there.")] = False
    url: Annotated[str, Meta(description="Where the app takes answers, by HTTPS.")] = ""
    secret_file: Annotated[
        str,
        Meta(description="File with the secret (whsec_…) of both; relative to the workspace."),
    ] = ""


class Channels(Struct, forbid_unknown_fields=True, frozen=True):
    """[channels] The assistant inside messengers; each is off until it is enabled."""

    messages_per_minute: Annotated[
        int,
        Meta(ge=0, description="Messages of one person on one channel; 0 = any number."),
    ] = 10
    language: Annotated[
        Literal["en", "de"],
        Meta(description="Of what is not an answer, where a platform tells no language we speak."),
    ] = "en"
    whatsapp: WhatsApp = WhatsApp()
    messenger: Messenger = Messenger()
    instagram: Instagram = Instagram()
    mastodon: MastodonBot = MastodonBot()
    telegram: TelegramBot = TelegramBot()
    webhook: OtherApp = OtherApp()
