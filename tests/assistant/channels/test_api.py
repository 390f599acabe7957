"""Calls of platforms: again where they are busy, never where it would say something twice."""

import asyncio

import pytest

from sayso.assistant.channels.api import ATTEMPTS, Api, RefusedCallError
from sayso.assistant.channels.meta import explained
from sayso.errors import SaysoError, UsageError
from tests.web.channels.platforms import TOKEN, running


@pytest.fixture(scope="module")
def platform():
    with running() as made:
        yield made


def post(address, paused, path="/graph/1/messages"):
    async def pause(seconds):
        paused.append(seconds)

    async def call():
        api = Api(address, {"Authorization": f"Bearer {TOKEN}"}, explained, pause)
        try:
            return await api.post(path, {"text": "x"})
        finally:
            await api.close()

    return asyncio.run(call())


def test_it_waits_as_long_as_it_is_told_else_longer_each_time(platform):
    platform.clear()
    platform.fail(429, retry_after="7")
    platform.fail(503)
    platform.fail(400, {"error": {"code": 131056}})
    paused = []
    post(platform.address, paused)
    assert paused[0] == 7 and 1 <= paused[1] <= 2 and 2 <= paused[2] <= 4
    assert len(platform.sent) == 1


def test_it_gives_up(platform):
    platform.clear()
    for _ in range(ATTEMPTS):
        platform.fail(500, {"error": {"code": 2, "message": "who said what"}})
    paused = []
    with pytest.raises(RefusedCallError, match="HTTP 500, code 2") as raised:
        post(platform.address, paused)
    assert len(paused) == ATTEMPTS - 1 and "who said" not in str(raised.value)
    platform.fail(429, retry_after="3600")
    with pytest.raises(RefusedCallError):
        post(platform.address, paused)
    platform.fail(400, {"error": {"code": 100}})
    with pytest.raises(RefusedCallError, match="code 100"):
        post(platform.address, paused)
    assert len(paused) == ATTEMPTS - 1 and platform.sent == []


def test_who_is_not_there_is_asked_again():
    paused = []
    with pytest.raises(SaysoError, match="cannot be reached"):
        post("http://127.0.0.1:9", paused)
    assert len(paused) == ATTEMPTS - 1


@pytest.mark.parametrize(
    "address", ["", "x", "http://graph.example", "ftp://x", "https://u@x.example", "http://[::2]"]
)
def test_secrets_go_nowhere_without_encryption(address):
    with pytest.raises(UsageError):
        Api(address)
