"""What runs beside the webhooks: Telegram is asked for updates, Mastodon's stream is followed."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from sayso.assistant.channels import telegram
from sayso.assistant.channels.api import Pause
from sayso.assistant.channels.mastodon import Mastodon
from sayso.assistant.conversation import Inbound
from sayso.corpus.listen import Backoff
from sayso.errors import SaysoError
from sayso.web.channels.answers import Answers
from sayso.web.channels.desk import Desk, FullError
from sayso.web.channels.doors import Door, Threaded, doors, telegram_account
from sayso.web.channels.wording import Words
from sayso.web.site import Site

ASK_SECONDS: Final = 25  # Telegram holds an answer back for so long, until there is an update
FULL_SECONDS: Final = 1.0
log = logging.getLogger("sayso.channels")


class Channels:
    """The channels of one application.

    Args:
        site: whose assistant answers.
        pause: waits some seconds.
    """

    def __init__(self, site: Site, pause: Pause = asyncio.sleep) -> None:
        workspace = site.workspace
        settings = workspace.settings
        words = Words(site.community, settings.mail.url, settings.channels.language)
        answers = Answers(site.answering, words, settings.serving.parallel, pause)
        self.doors: dict[str, Door] = doors(workspace)
        speakers = {name: door.speaker for name, door in self.doors.items()}
        self.desk = Desk(speakers, answers, settings, workspace.pseudonyms)
        self._workspace = workspace
        self._pause = pause

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ask and follow while the block runs; what is being answered at its end is stopped."""
        stop = threading.Event()
        tasks = [asyncio.get_running_loop().create_task(work) for work in self._works(stop)]
        try:
            yield
        finally:
            stop.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.desk.end()

    def _works(self, stop: threading.Event) -> list[Coroutine[Any, Any, None]]:
        works: list[Coroutine[Any, Any, None]] = []
        door = self.doors.get(telegram.NAME)
        if door and door.read is None and isinstance(door.speaker, telegram.Telegram):
            works.append(self._poll(door.speaker))
        door = self.doors.get("mastodon")
        if door and isinstance(door.speaker, Threaded):
            works.append(self._stream(door.speaker.blocking, stop))
        return works

    async def _poll(self, bot: telegram.Telegram) -> None:
        """Ask Telegram for updates; one is done with when the next is asked for."""
        account, offset, backoff = telegram_account(self._workspace), 0, Backoff()
        while True:
            try:
                updates = await bot.updates(offset, ASK_SECONDS)
            except SaysoError as error:
                log.warning("telegram: %s; asking again", error.problem)
                await self._pause(backoff.after(0))
                continue
            backoff = Backoff()
            for update in updates:
                number = update.get("update_id")
                if isinstance(number, int):
                    await self._take(list(telegram.of_update(update, account)))
                    offset = max(offset, number + 1)

    async def _take(self, messages: list[Inbound]) -> None:
        while True:
            try:
                self.desk.take(messages)
            except FullError:
                await self._pause(FULL_SECONDS)
            else:
                return

    async def _stream(self, bot: Mastodon, stop: threading.Event) -> None:
        """Follow Mastodon's stream in a thread of its own, again when it is lost."""
        loop, backoff = asyncio.get_running_loop(), Backoff()

        def take(message: Inbound) -> None:
            asyncio.run_coroutine_threadsafe(self._take([message]), loop).result()

        while not stop.is_set():
            begun, ended = loop.time(), loop.create_future()

            def follow(ended: asyncio.Future[str] = ended) -> None:
                problem = ""
                try:
                    bot.follow(take, stop)
                except SaysoError as error:
                    problem = error.problem
                except Exception as error:  # whatever it was, the stream is followed again
                    problem = type(error).__name__
                if not stop.is_set():
                    loop.call_soon_threadsafe(ended.set_result, problem)

            # A daemon: it may wait for the server's next word when everything else has ended.
            threading.Thread(target=follow, name="mastodon", daemon=True).start()
            log.warning("mastodon: %s; following again", await ended)
            await self._pause(backoff.after(loop.time() - begun))
