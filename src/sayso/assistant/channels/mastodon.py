"""A bot's account on Mastodon: mentions by the streaming API, answers as replies.

A reply is seen by no more people than what it answers, bears its content warning, and mentions
nobody but who asked. Everything here blocks, as Mastodon.py does. Source: docs.joinmastodon.org;
platform-formats F.
"""

import io
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from sayso.assistant.channels import rich
from sayso.assistant.channels.api import check_address
from sayso.assistant.channels.rich import Rich
from sayso.assistant.channels.splitting import pieces
from sayso.assistant.conversation import Inbound, Outbound, Upload, Visibility
from sayso.errors import MissingPartError, SaysoError, UsageError
from sayso.sources.html import to_text

NAME: Final = "mastodon"
MOST_PICTURES: Final = 4
MOST_REPLIES: Final = 8  # to one question; who reads along did not ask
LONGEST_ALT: Final = 1500
TIMEOUT_SECONDS: Final = 20
SILENCE_SECONDS: Final = 120  # the stream says something each 15 s, if only that it lives
# The narrowest last.
WIDTHS: Final[tuple[Visibility, ...]] = ("public", "unlisted", "private", "direct")


log = logging.getLogger("sayso.channels")


class Account(Struct, frozen=True):
    """The bot: its instance, its token (read, write:statuses, write:media), who may see replies."""

    url: str
    token: str
    widest: Visibility = "unlisted"
    longest: int = 500


def of_status(status: Mapping[str, Any], own: str, *, edited: bool = False) -> Inbound | None:
    """Return a status that mentions the bot as a message; None for one that gets no answer.

    Bots get none, nor does the bot itself.

    Args:
        status: as the API gives it.
        own: the bot's account id.
        edited: whether it was edited since it was told of.
    """
    author = status["account"]
    mentioned = {str(mention["id"]) for mention in status.get("mentions") or ()}
    if author.get("bot") or str(author["id"]) == own or own not in mentioned:
        return None
    name = str(status["id"])
    at = status.get("edited_at") if edited else status.get("created_at")
    if not isinstance(at, datetime):
        at = datetime.now(UTC)
    visibility = status.get("visibility")
    return Inbound(
        channel=NAME,
        thread=str(author["id"]),
        sender=str(author["id"]),
        id=f"{name}#{at.timestamp()}" if edited else name,
        at=at,
        text=_said(status, own),
        uploads=tuple(
            Upload(str(media.get("type")), str(media.get("id")))
            for media in status.get("media_attachments") or ()
        ),
        language=str(status.get("language") or "").lower(),
        # What is not known is as narrow as can be.
        visibility=visibility if visibility in WIDTHS else "direct",
        edits=name if edited else None,
        warning=str(status.get("spoiler_text") or ""),
        address=f"@{author['acct']}",
    )


def _said(status: Mapping[str, Any], own: str) -> str:
    """Return a status' text without the name by which it calls the bot."""
    said = to_text(str(status.get("content") or ""))
    for mention in status.get("mentions") or ():
        if str(mention["id"]) == own:
            for name in (f"@{mention.get('acct')}", f"@{mention.get('username')}"):
                said = said.replace(name, "", 1)
    return said.strip()


def narrowed(asked: Visibility, widest: Visibility) -> Visibility:
    """Return who may see a reply: no more people than see the question.

    Followers of the asker are not followers of the bot, so what is for followers only is answered
    to the asker alone.
    """
    found = WIDTHS[max(WIDTHS.index(asked), WIDTHS.index(widest))]
    return "direct" if found == "private" else found


class Mastodon:
    """A bot's account.

    Args:
        account: which.

    Raises:
        MissingPartError: Mastodon.py is not installed.
        UsageError: the instance's address is none of HTTPS.
    """

    def __init__(self, account: Account) -> None:
        check_address(account.url)
        try:
            import mastodon
        except ModuleNotFoundError as error:
            raise MissingPartError(
                "Mastodon.py is not installed", "pip install 'sayso[channels]'"
            ) from error
        self._library = mastodon
        self._account = account
        self._client = mastodon.Mastodon(
            access_token=account.token,
            api_base_url=account.url,
            version_check_mode="none",
            ratelimit_method="throw",  # waiting would take up to half an hour
            request_timeout=TIMEOUT_SECONDS,
        )
        self._own = ""
        self._newest = ""

    def follow(self, take: Callable[[Inbound], None], stop: threading.Event) -> None:
        """Hand over what is said to the bot, until the connection is lost.

        What came while there was none is handed over first; before the first, nothing.

        Raises:
            UsageError: the instance refuses the token.
            SaysoError: the connection is lost.
        """
        try:
            self._begin(take)
            self._client.stream_user(self._listener(take, stop), timeout=SILENCE_SECONDS)
        except _Ended:
            return
        except self._library.MastodonUnauthorizedError as error:
            raise UsageError(
                "the Mastodon instance refuses the token", "check [channels.mastodon] token_file"
            ) from error
        except (self._library.MastodonError, OSError) as error:
            # Not with the error's text, which may quote an answer.
            raise SaysoError(
                f"the Mastodon instance cannot be followed ({type(error).__name__})"
            ) from None
        raise SaysoError("the Mastodon instance closed the stream")

    def send(self, outbound: Outbound) -> None:
        """Reply: a long answer as one reply after the other, pictures with the last.

        Raises:
            SaysoError: it was refused, or the instance cannot be reached.
        """
        to = outbound.to
        said = rich.read(outbound.text, spelled_links=True).without_calls()
        call = f"{to.address} "
        # A warning counts, too; a long one must not leave room for single letters only.
        warning = to.warning[: self._account.longest // 4]
        room = max(self._account.longest - len(call) - len(warning), self._account.longest // 4)
        cuts = pieces(said, room - 3, _characters)
        # Once more: where it was cut a name may begin.
        parts = [piece.without_calls().text for piece in cuts] or [""]
        if len(parts) > MOST_REPLIES:
            parts = [*parts[: MOST_REPLIES - 1], f"{parts[MOST_REPLIES - 1]} …"]
        try:
            media = [self._upload(p.data, p.media_type, p.alt) for p in
                     outbound.pictures[:MOST_PICTURES]]  # fmt: skip
            before = to.about
            for number, part in enumerate(parts, 1):
                posted = self._client.status_post(
                    call + part,
                    in_reply_to_id=before,
                    visibility=narrowed(to.visibility, self._account.widest),
                    spoiler_text=warning or None,
                    sensitive=bool(warning),
                    language=to.language.partition("-")[0] or None,
                    media_ids=media if number == len(parts) and media else None,
                    # The same once more, if the first answer got lost, is one status.
                    idempotency_key=f"sayso-{to.id}-{number}",
                )
                before = str(posted["id"])
        except (self._library.MastodonError, OSError) as error:
            raise SaysoError(
                f"the Mastodon instance did not take a reply ({type(error).__name__})"
            ) from None

    def _upload(self, data: bytes, media_type: str, alt: str) -> Any:
        return self._client.media_post(
            io.BytesIO(data),
            media_type,
            description=alt[:LONGEST_ALT] or None,
            file_name=f"picture.{media_type[6:]}",
            synchronous=True,
        )

    def _begin(self, take: Callable[[Inbound], None]) -> None:
        """Ask who we are, and what was missed since the last connection."""
        self._own = str(self._client.account_verify_credentials()["id"])
        if not self._newest:
            newest = self._client.notifications(limit=1, types=["mention"])
            self._newest = str(newest[0]["id"]) if newest else "0"
            return
        before = ""
        while before != self._newest:
            before = self._newest
            for notification in reversed(
                self._client.notifications(min_id=before, types=["mention"])
            ):
                self._take(notification, take)

    def _take(self, notification: Mapping[str, Any], take: Callable[[Inbound], None]) -> None:
        # First: what cannot be read must not come again and again.
        number = str(notification.get("id"))
        if number.isdigit():
            self._newest = max(self._newest, number, key=lambda n: (len(n), n))
        if notification.get("type") == "mention":
            self._read(notification.get("status"), take)

    def _read(self, status: Any, take: Callable[[Inbound], None], *, edited: bool = False) -> None:
        try:
            found = of_status(status, self._own, edited=edited)
        except (KeyError, TypeError, AttributeError):
            log.warning("a status could not be read")
            return
        if found:
            take(found)

    def _listener(self, take: Callable[[Inbound], None], stop: threading.Event) -> Any:
        follower = self

        class Listener(self._library.StreamListener):  # type: ignore[name-defined, misc]
            def on_notification(self, notification: Mapping[str, Any]) -> None:
                follower._take(notification, take)

            def on_status_update(self, status: Mapping[str, Any]) -> None:
                follower._read(status, take, edited=True)

            def on_delete(self, status_id: object) -> None:
                gone = str(status_id)
                take(
                    Inbound(
                        channel=NAME,
                        thread="",
                        sender="",
                        id=f"{gone}#deleted",
                        at=datetime.now(UTC),
                        revokes=gone,
                    )
                )

            def handle_heartbeat(self) -> None:
                if stop.is_set():
                    raise _Ended

        return Listener()


class _Ended(Exception):  # noqa: N818  # no error: it ends the stream
    pass


def _characters(piece: Rich) -> int:
    return len(piece.text)
