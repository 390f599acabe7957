"""The assistant: from what a member writes to an answer, with the posts it draws on."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import structs

from sayso.assistant import doing
from sayso.assistant.abilities import (
    Analyse,
    Call,
    from_command,
    from_function,
    functions,
    is_german,
)
from sayso.assistant.answer import Answer, Asked, spoken, written
from sayso.assistant.engine import Engine, Message, Options
from sayso.assistant.engines import choose
from sayso.assistant.filters import judged, load_hook
from sayso.assistant.markdown import quoted, signed
from sayso.assistant.phrases import say
from sayso.assistant.prompt import READ, WITH_POSTS, WITHOUT_POSTS, plain, with_posts
from sayso.assistant.retrieval import Source, search
from sayso.assistant.wishes import from_wish
from sayso.corpus.language import identify
from sayso.training import releases
from sayso.workspace import Workspace

QUOTED_FROM: Final = 0.6  # of the question, by weight of its words
FOLLOWS_UP: Final = 4  # a question with fewer words is about what was asked before it

CHOOSE: Final = (
    "Decide whether one of the functions does what the member asks for. If so, call it; if the "
    "member just asks or talks, answer with the word none."
)
# What only the community can know; a small model makes it up.
_FACT: Final = re.compile(
    r"\s*(?:who|whose|when|where|is there|are there|wer|wessen|wem|wann|wo|wohin|woher|gibt es)\b",
    re.IGNORECASE,
)


class Assistant:
    """Answers from the served release and the community's newest allowed posts.

    Args:
        workspace: where posts and releases are.
        engine: generates; `follow` loads the newest release into it.

    Raises:
        UsageError: the operator's hook cannot be imported.
    """

    def __init__(self, workspace: Workspace, engine: Engine) -> None:
        self.workspace = workspace
        self.engine = engine
        self._hook = load_hook(workspace.settings.safety.hook)

    @classmethod
    def start(cls, workspace: Workspace) -> "Assistant":
        """Load the current release (or the bare base before the first) and be ready.

        Raises:
            MissingPartError: what the engine needs is not installed, or the base has no such form.
            UsageError: a setting of the engine is missing.
        """
        assistant = cls(workspace, choose.start(workspace))
        assistant.follow()
        return assistant

    @property
    def release(self) -> str:
        """Name of the release that answers."""
        return self.engine.release

    def follow(self) -> bool:
        """Load the current release if it is not the one served; return whether it changed."""
        current = releases.current(self.workspace)
        name = current.name if current else "base"
        if name == self.engine.release:
            return False
        self.engine.load(name, self.workspace.releases / name if current else None)
        return True

    def answer(
        self,
        messages: list[Message],
        options: Options,
        *,
        uploads: tuple[Any, ...] = (),
        language: str = "",
    ) -> Answer:
        """Answer the last message of a conversation.

        Args:
            messages: roles system, developer, user, assistant, tool.
            options: how to generate.
            uploads: files of the conversation (`sayso.assistant.uploads.Upload`).
            language: of the page or app, for messages too short to tell theirs.

        Raises:
            NotLoadedError: no release is being served.
        """
        words = _last_words(messages)
        spoken_language = "de" if is_german(words) or _speaks(words, language) == "de" else "en"
        asked = Asked(
            self.workspace, self.engine, messages, words, options, spoken_language, uploads
        )
        return self._allowed(asked, self._answer)

    def pass_on(self, messages: list[Message], options: Options) -> Answer:
        """Let the bare model answer: no posts, no abilities, but functions if it is brought any.

        Args:
            messages: as for `answer`; the caller leads, so nothing is added.
            options: how to generate.

        Raises:
            NotLoadedError: no release is being served.
        """
        clean = [m | {"content": plain(m.get("content") or "")} for m in messages]
        words = _last_words(clean)
        language = "de" if _speaks(words, "") == "de" else "en"
        asked = Asked(self.workspace, self.engine, clean, words, options, language)
        return self._allowed(
            asked,
            lambda asked: Answer(
                [], self.engine.release, self.engine.stream(asked.messages, asked.options)
            ),
        )

    def _allowed(self, asked: Asked, answer: Callable[[Asked], Answer]) -> Answer:
        """Answer as far as the operator's hook allows."""
        hook = self._hook
        if hook is None:
            return answer(asked)
        if hook(asked.words, "question") is None:
            return self._say(asked, "refused")
        made = answer(asked)
        shown = [(source, hook(source.excerpt, "answer")) for source in made.sources]
        made.sources = [structs.replace(s, excerpt=text) for s, text in shown if text is not None]
        withheld = say(asked.language, "withheld")
        made.chunks = judged(made.chunks, hook, f"\n\n{withheld}")
        return made

    def _answer(self, asked: Asked) -> Answer:
        call = self._wanted(asked)
        return doing.carry_out(call, asked) if call is not None else self._from_posts(asked)

    def _wanted(self, asked: Asked) -> Call | None:
        """Tell what is to be done from the member's own words; no post is looked at before."""
        if call := from_command(asked.words):
            return call
        if any(not upload.media_type.startswith("image/") for upload in asked.uploads):
            return Analyse(asked.words)
        return from_wish(asked.words) or self._chosen_by_model(asked)

    def _chosen_by_model(self, asked: Asked) -> Call | None:
        if not self.workspace.settings.serving.tools:
            return None
        messages = [
            {"role": "system", "content": CHOOSE},
            {"role": "user", "content": plain(asked.words)},
        ]
        options = structs.replace(asked.options, tools=functions(), temperature=0.0)
        name = arguments = ""
        for chunk in self.engine.stream(messages, options):
            for call in chunk.tool_calls:
                if call.get("index", 0) == 0:  # one thing at a time
                    function = call.get("function", {})
                    name += function.get("name") or ""
                    arguments += function.get("arguments") or ""
        return from_function(name, arguments)

    def _from_posts(self, asked: Asked) -> Answer:
        serving = self.workspace.settings.serving
        sources = search(self.workspace, _question(asked.messages), serving.sources)
        if serving.quote and sources and sources[0].covered >= QUOTED_FROM:
            return self._quotation(sources)
        if serving.quote and not sources and _FACT.match(asked.words):
            return self._say(asked, "unknown")
        system = (WITH_POSTS if sources else WITHOUT_POSTS).format(
            community=self.workspace.settings.community, today=f"{datetime.now(UTC):%Y-%m-%d}"
        )
        return written(asked, with_posts(asked.messages, sources[:READ], system), sources)

    def _quotation(self, sources: list[Source]) -> Answer:
        best, release = sources[0], self.engine.release
        text = f"{quoted(best.excerpt)}\n>\n> {signed(best.handle, best.service, best.date)}"
        return Answer(sources, release, spoken([text], self.engine.count_tokens, release))

    def _say(self, asked: Asked, phrase: str) -> Answer:
        text, release = say(asked.language, phrase), self.engine.release
        return Answer([], release, spoken([text], self.engine.count_tokens, release))


def _last_words(messages: list[Message]) -> str:
    return next((m.get("content") or "" for m in reversed(messages) if m["role"] == "user"), "")


def _speaks(words: str, otherwise: str) -> str:
    found = identify(words, "").code
    return otherwise.partition("-")[0] if found == "und" else found


def _question(messages: list[Message]) -> str:
    """Return what to look for: the last question, with the one before if it only follows it up."""
    asked = [m.get("content") or "" for m in messages if m["role"] == "user"]
    if len(asked) > 1 and len(asked[-1].split()) < FOLLOWS_UP:
        return f"{asked[-2]} {asked[-1]}"
    return asked[-1] if asked else ""
