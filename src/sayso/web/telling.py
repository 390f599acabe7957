"""What messages about objections say: letters in their reader's language, calls by their protocol.

Letters are templates of plain text: the first line is the subject, the rest the text.
"""

import textwrap
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from babel.dates import format_date
from jinja2 import Environment

from sayso.errors import UsageError
from sayso.rights.calls import Call
from sayso.rights.database import Rights
from sayso.rights.mails import Mail
from sayso.rights.objection import OWN
from sayso.rights.outbox import Letter
from sayso.web.agents import calls
from sayso.web.languages import DEFAULT, LANGUAGES
from sayso.web.rendering import environment

LETTERS: Final = ("confirm", "step", "extended")
WIDTH: Final = 72


class Telling:
    """Writes the messages of an installation (`post.Writer`).

    Args:
        rights: whose objections they are about.
    """

    def __init__(self, rights: Rights) -> None:
        self._rights = rights
        settings = rights.workspace.settings
        self._community, self._url = settings.community, settings.mail.url.rstrip("/")

    def mail(self, letter: Letter) -> Mail:
        """Return what a letter says.

        Raises:
            UsageError: it is of no known kind.
        """
        said = letter.payload
        kind, language = str(said.get("letter")), str(said.get("language"))
        if kind not in LETTERS:
            raise UsageError("a letter of no known kind waits in the outbox")
        language = language if language in LANGUAGES else DEFAULT
        number = said["number"]
        fields: dict[str, Any] = {
            "community": self._community,
            "number": number,
            "about": said.get("about", OWN),
            "state": said.get("state", ""),
            "release": said.get("release", ""),
            "release_hash": said.get("release_hash", ""),
            "because": said.get("because", ""),
            "due": _day(said.get("due_at", ""), language),
            "link": f"{self._url}/object/confirm?{urlencode({'code': said['code']})}"
            if kind == "confirm"
            else f"{self._url}/object/{number}",
        }
        rendered = _plain(language).get_template(f"letters/{kind}.txt").render(fields)
        subject, *paragraphs = [part for part in rendered.split("\n\n") if part.strip()]
        text = "\n\n".join(_wrapped(part) for part in paragraphs)
        return Mail(" ".join(subject.split()), text + "\n")

    def call(self, letter: Letter) -> Call:
        """Return what a call says: the step, as JSON; to an agent, in its protocol's own words."""
        to_agent = calls.written(self._rights, letter)
        return to_agent or Call(msgspec.json.encode(letter.payload))


def _day(moment: str, language: str) -> str:
    return format_date(datetime.fromisoformat(moment), "long", locale=language) if moment else ""


def _wrapped(paragraph: str) -> str:
    """Return a paragraph in short lines; links and hashes stay whole."""
    return textwrap.fill(
        " ".join(paragraph.split()), WIDTH, break_long_words=False, break_on_hyphens=False
    )


@lru_cache
def _plain(language: str) -> Environment:
    return environment(language).overlay(autoescape=False)
