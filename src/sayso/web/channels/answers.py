"""From a question in a messenger to what is said there."""

import asyncio
import logging
from typing import Final

from anyio import to_thread
from msgspec import Struct

from sayso.assistant.channels.api import Pause
from sayso.assistant.channels.attachments import take_out
from sayso.assistant.conversation import Picture
from sayso.assistant.engine import Options, PromptTooLongError
from sayso.assistant.uploads import Upload
from sayso.errors import SaysoError
from sayso.web.answering import Answering, BusyError
from sayso.web.channels.wording import Words

LONGEST_QUESTION: Final = 16_000  # characters
PAUSES: Final = (2.0, 5.0, 10.0)  # while too many others wait
log = logging.getLogger("sayso.channels")


class Answer(Struct, frozen=True):
    """What to say.

    `text` is Markdown, sources included; `said` what the assistant itself said, '' if it could not.
    """

    text: str
    said: str = ""
    pictures: tuple[Picture, ...] = ()


class Answers:
    """Asks the assistant.

    Args:
        answering: its turns.
        words: what is said besides.
        parallel: how many questions of messengers are asked at once; the others wait here, so that
            they do not take the places of those who wait before the pages.
        pause: waits some seconds.
    """

    def __init__(
        self, answering: Answering, words: Words, parallel: int, pause: Pause = asyncio.sleep
    ) -> None:
        self.words = words
        self._turns = asyncio.Semaphore(parallel)
        self._answering = answering
        self._pause = pause

    async def answer(
        self,
        question: str,
        before: list[dict[str, str]],
        language: str,
        files: tuple[Upload, ...] = (),
    ) -> Answer:
        """Return what to say to a question.

        Args:
            question: the message's text.
            before: what was said before, as `role` and `content`.
            language: of what is not the assistant's own.
            files: what the question is about.
        """
        if len(question) > LONGEST_QUESTION:
            return Answer(self.words.too_long(language))
        messages = [*before, {"role": "user", "content": question}]
        for pause in (*PAUSES, None):
            try:
                return await self._asked(messages, language, files)
            except BusyError:
                if pause is not None:
                    await self._pause(pause)
            except PromptTooLongError:
                return Answer(self.words.too_long(language))
            except SaysoError as error:
                log.error("no answer: %s", error.problem)  # noqa: TRY400
                break
            except Exception as error:
                # Not with the exception itself, whose text may quote what was said.
                log.error("no answer: %s", type(error).__name__)  # noqa: TRY400
                break
        return Answer(self.words.failed(language))

    async def _asked(
        self, messages: list[dict[str, str]], language: str, files: tuple[Upload, ...]
    ) -> Answer:
        async with self._turns:
            async with self._answering.answer(messages, Options(), files, language) as reply:
                said = "".join([piece async for piece in reply])
                cited = self.words.sources(reply.sources, language)
            # Within the turn: each chart is drawn in a process of its own.
            text, pictures = await to_thread.run_sync(take_out, said)
        if not text and not pictures:
            return Answer(self.words.failed(language))
        return Answer("\n\n".join(filter(None, (text, cited))), text, pictures)
