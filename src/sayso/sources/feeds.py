"""Live sources by their address, which says what they are."""

import io
import os
import queue
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from sayso.errors import MissingPartError, SaysoError, UsageError
from sayso.sources import lines
from sayso.sources.items import Item
from sayso.sources.live import Arrived, Feed

TICK_SECONDS: Final = 0.5
LINES_AHEAD: Final = 5000
STDIN: Final = "-"
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
_HINT: Final = "see docs/listening.md for the addresses of live sources"


class LinesFeed:
    """Lines that are read until they end: a file, a pipe; they have no place to go back to.

    Args:
        stream: where they come from; it is closed behind the last.
        name: what to call it.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name = name
        self._stream = stream

    def follow(self, cursor: str, stop: threading.Event) -> Iterator[Arrived | None]:
        """Yield the lines' items to the end of the stream (see `live.Feed`)."""
        ahead: queue.Queue[Item | Exception | None] = queue.Queue(LINES_AHEAD)

        def read() -> None:
            try:
                with self._stream as stream:
                    for item in lines.read_stream(stream, self.name):
                        ahead.put(item)
            except (SaysoError, OSError, ValueError) as error:
                ahead.put(error)
            finally:
                ahead.put(None)

        # Reading cannot be interrupted, so it is not waited for at the end.
        threading.Thread(target=read, daemon=True).start()
        while not stop.is_set():
            try:
                item = ahead.get(timeout=TICK_SECONDS)
            except queue.Empty:
                yield None
                continue
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield Arrived((item,))


def open_feed(address: str, token: str = "") -> Feed:
    """Return the live source at an address; nothing is connected yet.

    Args:
        address: see docs/listening.md; '-' is stdin, what is no URL a file.
        token: what the source wants to see; never part of an address.

    Raises:
        UsageError: the address is of no kind that is known, or lacks something.
        MissingPartError: the package for this kind of source is not installed.
    """
    if address == STDIN:
        return LinesFeed(_own(sys.stdin.buffer), "stdin")
    if not _SCHEME.match(address):
        return _file(Path(address))
    if token and not _TOKEN.fullmatch(token):
        raise UsageError("the token has characters that no token has", "check SAYSO_TOKEN")
    parts = _parts(address)
    try:
        return _remote(address, parts, token)
    except ImportError as error:
        raise MissingPartError(
            f"following {parts.scheme}:// needs the package {error.name}",
            "pip install 'sayso[live]'",
        ) from error


def _remote(address: str, parts: SplitResult, token: str) -> Feed:
    match parts.scheme.lower():
        case "wss" | "ws":
            from sayso.sources.jetstream_feed import JetstreamFeed

            return JetstreamFeed(address)
        case "mastodon+https" | "mastodon+http" as scheme:
            return _mastodon(scheme.removeprefix("mastodon+"), parts, token)
        case "nats" | "tls" as scheme:
            from sayso.sources.nats_stream import NatsFeed

            options = _options(parts, "durable", "subject")
            if not re.fullmatch(r"/[^/.*>\s]+", parts.path):
                raise UsageError("the address names no stream: nats://HOST:PORT/STREAM", _HINT)
            durable = options.get("durable", "sayso")
            subject = options.get("subject", "")
            server = f"{scheme}://{parts.netloc}"
            return NatsFeed(server, parts.path[1:], durable, subject, token)
        case "kafka":
            from sayso.sources.kafka_stream import KafkaFeed

            options = _options(parts, "group", "config")
            topics = [topic for topic in parts.path[1:].split(",") if topic]
            if not topics:
                raise UsageError("the address names no topic: kafka://HOST:PORT/TOPIC", _HINT)
            settings = _settings(options.get("config", ""))
            return KafkaFeed(parts.netloc, topics, options.get("group", "sayso"), settings)
        case _:
            raise UsageError("the address is of no known kind of live source", _HINT)


def _mastodon(scheme: str, parts: SplitResult, token: str) -> Feed:
    from sayso.sources.mastodon_rest import is_safe
    from sayso.sources.mastodon_stream import MastodonFeed

    base = f"{scheme}://{parts.netloc}"
    if parts.path not in ("", "/"):
        raise UsageError("a Mastodon address has no path: mastodon+https://HOST", _HINT)
    if not is_safe(base):
        raise UsageError(
            "the token would be sent without encryption", "use mastodon+https:// instead of http"
        )
    if not token:
        raise UsageError(
            "Mastodon streams only to its users, so a user token is needed",
            "set SAYSO_TOKEN or use --token-file; docs/listening.md says how to get one",
        )
    begin = _options(parts, "from").get("from", "now")
    if begin not in ("now", "start"):
        raise UsageError("unknown ?from=: expected now or start", _HINT)
    return MastodonFeed(base, token, from_start=begin == "start")


def _parts(address: str) -> SplitResult:
    """Take an address apart; several brokers are several hosts."""
    try:
        parts = urlsplit(address)
        hosts = [urlsplit(f"//{host}") for host in parts.netloc.split(",")]
        is_whole = all(host.hostname and host.port != 0 for host in hosts)
    except ValueError:
        is_whole = False
    if not is_whole:
        raise UsageError("the address is no URL with a host (and a port, if any)", _HINT)
    if "@" in parts.netloc:
        raise UsageError(
            "the address holds a name or password, which others can see on the command line",
            "leave it out; set SAYSO_TOKEN or use --token-file",
        )
    return parts


def _options(parts: SplitResult, *known: str) -> dict[str, str]:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not options.keys() <= set(known) or not all(options.values()):
        raise UsageError(
            f"unknown or empty options after the ?; expected {' or '.join(known)}", _HINT
        )
    return options


def _settings(path: str) -> dict[str, str]:
    """Read a file of Kafka settings, `key=value` lines."""
    if not path:
        return {}
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("the file of Kafka settings cannot be read", "check ?config=") from error
    pairs = (line.partition("=") for line in map(str.strip, text.splitlines()) if line[:1] != "#")
    return {key.strip(): value.strip() for key, _, value in pairs if key.strip()}


def _file(path: Path) -> Feed:
    try:
        return LinesFeed(path.open("rb"), str(path))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror})", "give a file, '-' for stdin, or a URL"
        ) from error


def _own(stream: BinaryIO) -> BinaryIO:
    """Read through a buffer of our own: Python cannot end while a thread waits on stdin's."""
    try:
        return os.fdopen(os.dup(stream.fileno()), "rb")
    except (io.UnsupportedOperation, AttributeError):
        return stream
