"""Requests on a stranger's word: not into our own network, not for long, not for much."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.sources.claims import Request
from sayso.sources.outbound import Answer, Outbound, UnreachableError, is_public


def ask(url: str, *allow: str) -> Answer:
    request = Request("GET", url, (("Host", "other.example"),))
    return asyncio.run(Outbound(allow, deadline=0.5).send(request))


@contextmanager
def answering(raw: bytes) -> Iterator[str]:
    """A server that says just this, and keeps the line open; gives its host and port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(raw)
                over.wait(20)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


def test_a_named_host_on_this_machine():
    with answering(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 2\r\n\r\nok"
    ) as host:
        assert ask(f"http://{host}/a?b#c", host) == Answer(200, "text/x", b"ok")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "https://example.org:8443/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://localhost/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://user@127.0.0.1/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "https:///",
        "https://[/",
        "https://127.0.0.1:x/",
        "",
    ],
)
def test_what_nobody_may_make_us_ask(url):
    with pytest.raises(UnreachableError):
        ask(url, "harbour.example")


def test_plain_http_is_for_this_machine_alone():
    with pytest.raises(UnreachableError, match="HTTPS"):
        ask("http://10.0.0.1/", "10.0.0.1")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n" + b"x" * 600_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"fffff\r\n" + b"x" * 0xFFFFF,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nonly",
    ],
)
def test_answers_that_are_none(raw):
    with answering(raw) as host, pytest.raises(UnreachableError):
        ask(f"http://{host}/", host)


def test_tls_is_checked():
    # A server without a certificate that anybody vouches for.
    with answering(b"") as host, pytest.raises(UnreachableError):
        ask(f"https://{host}/", host)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("0.0.0.0", False),
        ("100.64.0.1", False),
        ("192.0.2.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("::ffff:8.8.8.8", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2001:db8::1", False),
    ],
)
def test_public_addresses(address, public):
    assert is_public(ipaddress.ip_address(address)) is public


PRIVATE = ("127.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16", "fd00::/8")


@given(st.one_of(*(st.ip_addresses(network=network) for network in PRIVATE)))
def test_no_private_address_is_public_however_it_is_written(address):
    forms = [address]
    if isinstance(address, ipaddress.IPv4Address):
        forms += [
            ipaddress.IPv6Address(prefix | int(address) << shift)
            for prefix, shift in ((0xFFFF << 32, 0), (0x64FF9B << 96, 0), (0x2002 << 112, 80))
        ]
    assert not any(is_public(form) for form in forms)
