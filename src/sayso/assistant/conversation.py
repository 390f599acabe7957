"""What is said to the assistant and by it: private, so that no source and no store takes these.

None of these types is a record or an event, and none of them has a table. What the assistant is to
remember of a talk lies in memory alone, and ends with the process.
"""

import time
from collections import OrderedDict, deque
from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

Visibility = Literal["public", "unlisted", "private", "direct"]
MOST_TALKS: Final = 1000
MOST_TURNS: Final = 10


class Upload(Struct, frozen=True):
    """Something that was sent along: what it is, and what the platform calls it.

    `name` is a file's own name, '' if it has none; `data` what came with the message itself.
    """

    media_type: str
    reference: str
    name: str = ""
    data: bytes = b""


class Inbound(Struct, frozen=True, kw_only=True):
    """A message to the assistant, or the news that one was edited or taken back.

    Args:
        channel: the platform it came over, as 'whatsapp'.
        thread: where the answer goes: one person's chat, a group, a thread of posts.
        sender: the platform's id of who wrote it.
        id: the platform's id of this message or edit; the same one never counts twice.
        text: what it says; may be empty.
        uploads: what was sent along.
        language: of the sender, as the platform tells it ('de', 'pt-br'); '' if it does not.
        visibility: who can read it.
        at: when it was sent.
        edits: the message that this one replaces.
        revokes: the message that was taken back; nothing else is then said here.
        warning: what stands before it, as a content warning.
        address: how the sender is called there, as '@member-1@net'; '' where that is not needed.
    """

    channel: str
    thread: str
    sender: str
    id: str
    at: datetime
    text: str = ""
    uploads: tuple[Upload, ...] = ()
    language: str = ""
    visibility: Visibility = "direct"
    edits: str | None = None
    revokes: str | None = None
    warning: str = ""
    address: str = ""

    @property
    def about(self) -> str:
        """The message that this is, or replaces."""
        return self.edits or self.id


class Picture(Struct, frozen=True):
    """A picture of an answer, and what it shows in words."""

    data: bytes
    media_type: str
    alt: str


class Outbound(Struct, frozen=True):
    """An answer: Markdown, its pictures taken out.

    Args:
        thread: where it goes.
        text: Markdown.
        to: the message that it answers.
        pictures: in the order in which they are shown.
    """

    thread: str
    text: str
    to: Inbound
    pictures: tuple[Picture, ...] = ()


class _Turn(Struct, frozen=True):
    id: str
    at: float
    question: str
    answer: str


class Talks:
    """What was said in talks not long ago; in memory, and by default nothing at all.

    Args:
        minutes: for how long; 0 = nothing is kept.
    """

    def __init__(self, minutes: float) -> None:
        self.seconds = 60 * minutes
        self._talks: OrderedDict[str, deque[_Turn]] = OrderedDict()

    def messages(self, talk: str) -> list[dict[str, str]]:
        """Return what was said, oldest first, as `role` and `content`."""
        self.let_go()
        return [
            {"role": role, "content": content}
            for turn in self._talks.get(talk, ())
            for role, content in (("user", turn.question), ("assistant", turn.answer))
        ]

    def add(self, talk: str, message: str, question: str, answer: str) -> None:
        """Remember a question (the message of this id) and its answer."""
        if not self.seconds:
            return
        turns = self._talks.setdefault(talk, deque(maxlen=MOST_TURNS))
        turns.append(_Turn(message, time.monotonic(), question, answer))
        self._talks.move_to_end(talk)
        self.let_go()

    def forget(self, talk: str) -> None:
        """Forget a talk."""
        self._talks.pop(talk, None)

    def forget_message(self, message: str) -> None:
        """Forget a message and its answer, in whichever talk they are."""
        for turns in self._talks.values():
            for turn in [turn for turn in turns if turn.id == message]:
                turns.remove(turn)

    def let_go(self) -> None:
        """Forget what is older than may be remembered."""
        since = time.monotonic() - self.seconds
        for talk, turns in list(self._talks.items()):
            while turns and turns[0].at <= since:
                turns.popleft()
            if not turns or len(self._talks) > MOST_TALKS:
                del self._talks[talk]
