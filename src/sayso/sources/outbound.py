"""Requests to other servers on a stranger's word: never into our own network, never for long."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import SplitResult, urlsplit

import h11
from msgspec import Struct

from sayso.errors import SaysoError
from sayso.sources.claims import Request

DEADLINE_SECONDS: Final = 10.0
LONGEST_ANSWER: Final = 512 * 1024
_PIECE: Final = 64 * 1024
# Addresses of these lead to an IPv4 address that they contain, whichever it is (RFC 6052).
_TRANSLATED: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))


class UnreachableError(SaysoError):
    """Another server cannot be asked, or may not be, or answers nothing that we understand."""


class Answer(Struct, frozen=True):
    """What another server answered."""

    status: int
    media_type: str
    body: bytes


class Outbound:
    """Sends requests to other servers; redirects are not followed.

    Args:
        allow: hosts (with a port, if it is not the usual one) that may have private addresses and
            other ports, and speak plain HTTP on this machine. All others: HTTPS on port 443 of
            public addresses alone.
        deadline: seconds within which all of it must be over.
    """

    def __init__(self, allow: Iterable[str], deadline: float = DEADLINE_SECONDS) -> None:
        self._deadline = deadline
        self._named = frozenset(host.lower() for host in allow)
        self._tls = ssl.create_default_context()

    async def send(self, request: Request) -> Answer:
        """Send a request, all its headers but Content-Length and Connection given.

        Raises:
            UnreachableError: the address may not be asked, cannot be reached in time, or
                its answer is longer than 512 KiB or no HTTP.
        """
        try:
            parts = urlsplit(request.url)
            async with asyncio.timeout(self._deadline):
                reader, writer = await self._connect(parts)
                try:
                    return await _exchange(request, parts, reader, writer)
                finally:
                    writer.transport.abort()
        except (OSError, ValueError, h11.ProtocolError) as error:  # of a timeout, too
            raise UnreachableError("the other server cannot be asked") from error

    async def _connect(
        self, parts: SplitResult
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        is_named = parts.netloc.lower() in self._named
        host, port = parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
        if not host or not port or "@" in parts.netloc:
            raise UnreachableError("the other server's address is no address of a web server")
        if not is_named and (parts.scheme != "https" or port != 443):
            raise UnreachableError(
                "the other server's address is not one of HTTPS on its usual port"
            )
        # Checked and connected to are the same addresses: the name is looked up once.
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(address[4][0])) for address in found]
        if not is_named and not all(is_public(address) for address in addresses):
            raise UnreachableError("the other server's address is not a public one")
        if parts.scheme == "http" and not all(address.is_loopback for address in addresses):
            raise UnreachableError("the other server's address is not one of HTTPS")
        tls = self._tls if parts.scheme == "https" else None
        name = host if tls else None
        while True:
            address = str(addresses.pop(0))
            try:
                return await asyncio.open_connection(
                    address, port, ssl=tls, server_hostname=name, limit=_PIECE
                )
            except OSError:
                if not addresses:
                    raise


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the public internet, and no way around to one that is not."""
    if isinstance(address, IPv6Address) and (
        address.ipv4_mapped or address.sixtofour or address.teredo
    ):
        return False
    translated = any(address in network for network in _TRANSLATED)
    return address.is_global and not (address.is_multicast or address.is_reserved or translated)


async def _exchange(
    request: Request,
    parts: SplitResult,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> Answer:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_PIECE)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = [*request.headers, ("Connection", "close")]
    if request.body:
        headers.append(("Content-Length", str(len(request.body))))
    for sent in (
        h11.Request(method=request.method, target=target, headers=headers),
        h11.Data(data=request.body),
        h11.EndOfMessage(),
    ):
        writer.write(connection.send(sent) or b"")
    await writer.drain()
    status, media_type, body = 0, "", b""
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        match event:
            case h11.NEED_DATA:
                connection.receive_data(await reader.read(_PIECE))
            case h11.Response():
                status = event.status_code
                media_type = dict(event.headers).get(b"content-type", b"").decode("latin-1")
            case h11.Data():
                body += event.data
                if len(body) > LONGEST_ANSWER:
                    raise UnreachableError(
                        f"the other server says more than {LONGEST_ANSWER} bytes"
                    )
            case h11.ConnectionClosed() | h11.PAUSED:
                raise UnreachableError("the other server does not answer in HTTP")
    return Answer(status, media_type, body)
