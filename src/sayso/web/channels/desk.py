"""The desk: messages of all channels, answered in order within each thread, side by side else.

Everything is in memory: what waits, and keyed pseudonyms of what was there before.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import msgspec
from anyio import CancelScope

from sayso.assistant.channels.api import LateError
from sayso.assistant.conversation import Inbound, Outbound, Talks
from sayso.errors import SaysoError
from sayso.settings import Settings
from sayso.web.channels.answers import Answer, Answers
from sayso.web.channels.files import Fetching, taken
from sayso.web.rates import Rates
from sayso.workspace import Pseudonyms

MOST_WAITING: Final = 200
MOST_WAITING_OF_THREAD: Final = 20
MOST_REMEMBERED: Final = 20_000
A_TICK: Final = 0.1  # seconds
# An answer takes a while: it should not come too late.
MARGIN: Final = timedelta(minutes=5)
log = logging.getLogger("sayso.channels")


class FullError(Exception):
    """Too many messages wait; none of these was taken."""


class Speaker(Fetching, Protocol):
    """How answers go out by a channel."""

    window: timedelta | None  # for so long after a message it may be answered
    typing_seconds: float  # how often the sign that an answer comes is renewed; 0 = there is none

    def working(self, to: Inbound) -> Awaitable[None]:
        """Show that an answer is being written."""

    def send(self, outbound: Outbound) -> Awaitable[None]:
        """Send an answer."""

    def close(self) -> Awaitable[None]:
        """Let go of the connections."""


class _Job:
    """A message that waits or is being answered."""

    def __init__(self, inbound: Inbound, *, too_fast: bool) -> None:
        self.inbound = inbound
        self.too_fast = too_fast
        self.scope = CancelScope()


class Desk:
    """Takes messages and answers them; to be used in one event loop.

    Args:
        speakers: of each channel.
        answers: finds what to say.
        settings: limits, and how long talks are remembered.
        pseudonyms: for ids: none is kept as it is.
    """

    def __init__(
        self,
        speakers: Mapping[str, Speaker],
        answers: Answers,
        settings: Settings,
        pseudonyms: Pseudonyms,
    ) -> None:
        self._speakers = speakers
        self._answers = answers
        self._pseudonyms = pseudonyms
        self._limits = settings.uploads
        self._talks = Talks(settings.conversations.remember_minutes)
        self._rates = Rates(settings.channels.messages_per_minute)
        self._hints = Rates(1)
        self._seen = _Recent()
        self._gone = _Recent()
        self._edited = _Recent()
        self._greeted = _Recent()
        self._told = _Recent()
        self._lines: dict[str, deque[_Job]] = {}
        self._workers: set[asyncio.Task[None]] = set()

    def take(self, messages: Sequence[Inbound]) -> None:
        """Take messages in; each is answered after those before it in its thread.

        Raises:
            FullError: too many wait.
        """
        waiting = sum(len(line) for line in self._lines.values())
        coming = sum(message.revokes is None for message in messages)  # revoking needs no room
        if waiting and coming and waiting + coming > MOST_WAITING:
            raise FullError
        for message in messages:
            self._take(message)

    async def end(self) -> None:
        """Stop all answers, and let go of the connections."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        for speaker in self._speakers.values():
            await speaker.close()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits."""
        return not self._lines

    def _take(self, message: Inbound) -> None:
        about = self._key("message", message, message.about)
        if message.revokes is not None:
            revoked = self._key("message", message, message.revokes)
            self._gone.add(revoked)
            self._withdraw(message, message.revokes)
            self._talks.forget_message(revoked)
            return
        if not self._seen.add(self._key("message", message, message.id)) or about in self._gone:
            return
        moment = message.at.timestamp()
        if message.edits is None and about in self._edited:
            return  # it was edited before it came
        if message.edits is not None:
            if self._edited.get(about) > moment:
                return
            self._edited.add(about, moment)
            self._withdraw(message, message.edits)
            self._talks.forget_message(about)
        sender = self._key("sender", message, message.sender)
        too_fast = self._rates.wait(sender) > 0
        if too_fast and self._hints.wait(sender):
            return
        line = self._lines.setdefault(self._key("thread", message, message.thread), deque())
        if len(line) >= MOST_WAITING_OF_THREAD:
            log.warning("a message of %s is not answered: too many wait", message.channel)
            return
        line.append(_Job(message, too_fast=too_fast))
        if len(line) == 1:
            worker = asyncio.get_running_loop().create_task(self._serve(message, line))
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    def _withdraw(self, message: Inbound, gone: str) -> None:
        """Stop the answers to a message that was taken back or edited."""
        for line in self._lines.values():
            for job in line:
                inbound = job.inbound
                if (inbound.channel, inbound.about) == (message.channel, gone):
                    job.scope.cancel()

    async def _serve(self, first: Inbound, line: deque[_Job]) -> None:
        """Answer the messages of a thread, one after the other; no error ends it."""
        while line:
            job = line[0]
            try:
                if not job.scope.cancel_called:
                    with job.scope:
                        await self._handle(job)
            except LateError:
                log.info("an answer on %s came too late to be sent", first.channel)
            except SaysoError as error:
                log.warning("an answer on %s was not sent: %s", first.channel, error.problem)
            except Exception as error:
                # Not with the exception itself, whose text may quote what was said.
                log.error("%s while answering on %s", type(error).__name__, first.channel)  # noqa: TRY400
            line.popleft()
        del self._lines[self._key("thread", first, first.thread)]

    async def _handle(self, job: _Job) -> None:
        message, speaker = job.inbound, self._speakers[job.inbound.channel]
        if speaker.window is not None and datetime.now(UTC) - message.at > speaker.window - MARGIN:
            raise LateError("the question is too long ago")
        words, language = self._answers.words, self._answers.words.language(message.language)
        talk = self._talk(message)
        if job.too_fast:
            await self._say(message, words.slow_down(language))
            return
        match _command(message.text):
            case "/help" | "/start":
                await self._say(message, words.help(language))
            case "/object":
                await self._say(message, words.objecting(language))
            case "/new":
                self._talks.forget(talk)
                await self._say(message, words.anew(language))
            case "":
                await self._say_once(message, words.unreadable(language))
            case _:
                await self._answer(message, speaker, talk, language)

    async def _answer(self, message: Inbound, speaker: Speaker, talk: str, language: str) -> None:
        async with _typing(speaker, message):
            files = await taken(message, speaker, self._limits)
            before = self._talks.messages(talk)
            answer = await self._answers.answer(message.text, before, language, files)
        text = answer.text
        if len(files) < len(message.uploads) and self._is_first_told(message):
            text = f"{text}\n\n{self._answers.words.unreadable(language)}"
        await self._say(message, text, answer)
        if answer.said:
            about = self._key("message", message, message.about)
            self._talks.add(talk, about, message.text, answer.said)
            # Let go in time, even if nobody writes any more; the loop's clock ticks coarsely.
            later = self._talks.seconds + A_TICK
            asyncio.get_running_loop().call_later(later, self._talks.let_go)

    async def _say_once(self, message: Inbound, text: str) -> None:
        # Who sends ten pictures gets no ten answers.
        if self._is_first_told(message):
            await self._say(message, text)

    def _is_first_told(self, message: Inbound) -> bool:
        return self._told.add(self._key("sender", message, message.sender))

    async def _say(self, message: Inbound, text: str, answer: Answer | None = None) -> None:
        sender = self._key("sender", message, message.sender)
        if sender not in self._greeted:
            language = self._answers.words.language(message.language)
            text = f"{self._answers.words.greeting(language)}\n\n{text}"
        pictures = answer.pictures if answer else ()
        outbound = Outbound(message.thread, text, message, pictures)
        await self._speakers[message.channel].send(outbound)
        self._greeted.add(sender)

    def _talk(self, message: Inbound) -> str:
        # What somebody says in a group, or in private, is a talk of its own.
        parts = (message.thread, message.sender, message.visibility)
        # As JSON: joined otherwise, two talks could have one name.
        return self._key("talk", message, msgspec.json.encode(parts).decode())

    def _key(self, kind: str, message: Inbound, name: str) -> str:
        return self._pseudonyms.name(f"ch-{kind}", f"{message.channel}\n{name}")


class _Recent:
    """Pseudonyms of what was there, the newest so many, each with a moment."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, float] = OrderedDict()

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def get(self, name: str) -> float:
        return self._known.get(name, 0.0)

    def add(self, name: str, moment: float = 0.0) -> bool:
        """Note it; return whether it is new."""
        is_new = name not in self._known
        self._known[name] = moment
        self._known.move_to_end(name)
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return is_new


def _command(text: str) -> str:
    words = text.split(maxsplit=1)
    return words[0].lower() if words else ""


@contextlib.asynccontextmanager
async def _typing(speaker: Speaker, message: Inbound) -> AsyncIterator[None]:
    """Show that an answer is being written, until it is; that this fails stops no answer."""

    async def show() -> None:
        while True:
            try:
                await speaker.working(message)
            except SaysoError as error:
                log.info("no sign of writing on %s: %s", message.channel, error.problem)
            await asyncio.sleep(speaker.typing_seconds)

    showing = asyncio.get_running_loop().create_task(show()) if speaker.typing_seconds else None
    try:
        yield
    finally:
        if showing is not None:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
