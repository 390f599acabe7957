"""What the assistant can do besides answering, and how a member asks for it.

Each ability is one type of call. A command (`/summary week`), a plain wish ("what did I miss?") and
a large model's function call all become the same typed call, or nothing: what is malformed is never
carried out. All are read from the member's own words alone (plain wishes in `wishes`).
"""

import re
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

Period = Literal["today", "yesterday", "week", "month"]


class Summarise(Struct, frozen=True, forbid_unknown_fields=True):
    """Sum up what members posted in a time, or one conversation."""

    period: Annotated[Period, Meta(description="The time to sum up.")] = "week"
    topic: Annotated[str, Meta(description="Only posts about this; empty = all.")] = ""
    link: Annotated[str, Meta(description="Address of a post: sum up its thread instead.")] = ""


class Translate(Struct, frozen=True, forbid_unknown_fields=True):
    """Translate a text."""

    text: Annotated[str, Meta(description="The text, word for word.")]
    language: Annotated[str, Meta(description="Name of the language to translate into.")] = ""


class Analyse(Struct, frozen=True, forbid_unknown_fields=True):
    """Count and compute over the member's files, or over the community's public statistics."""

    question: Annotated[str, Meta(description="The question, in the member's words, or SQL.")]


class Imagine(Struct, frozen=True, forbid_unknown_fields=True):
    """Draw a picture."""

    prompt: Annotated[str, Meta(description="What is to be seen.")]


class Run(Struct, frozen=True, forbid_unknown_fields=True):
    """Run a Python program in a sandbox without a network and show what it prints."""

    code: Annotated[str, Meta(description="The program.")]


class Help(Struct, frozen=True, forbid_unknown_fields=True):
    """Tell what the assistant can do."""


Call = Summarise | Translate | Analyse | Imagine | Run | Help


class Offer(Struct, frozen=True):
    """A command as shown to members: its names, what follows it, what it does."""

    call: type[Call]
    english: str
    german: str
    takes_en: str
    takes_de: str
    about_en: str
    about_de: str


OFFERS: Final = (
    Offer(
        Summarise,
        "summary",
        "zusammenfassung",
        "[today|week|month] [topic]",
        "[heute|woche|monat] [Thema]",
        "What you missed, from members' posts",
        "Was du verpasst hast, aus den Beiträgen",
    ),
    Offer(
        Translate,
        "translate",
        "übersetze",
        "<language>: <text>",
        "<Sprache>: <Text>",
        "Translate a text",
        "Einen Text übersetzen",
    ),
    Offer(
        Analyse,
        "analyse",
        "auswerten",
        "<question or SQL>",
        "<Frage oder SQL>",
        "Count and compute over your files or the public statistics",
        "Zählen und rechnen über deine Dateien oder die öffentliche Statistik",
    ),
    Offer(
        Imagine,
        "imagine",
        "bild",
        "<what is to be seen>",
        "<was zu sehen sein soll>",
        "Draw a picture",
        "Ein Bild zeichnen",
    ),
    Offer(
        Run,
        "run",
        "ausführen",
        "<Python>",
        "<Python>",
        "Run a program in a sandbox",
        "Ein Programm abgeschirmt ausführen",
    ),
    Offer(Help, "help", "hilfe", "", "", "What I can do", "Was ich kann"),
)
_OTHER_NAMES: Final[dict[str, type[Call]]] = {
    "sql": Analyse,
    "analyze": Analyse,
    "summarise": Summarise,
    "draw": Imagine,
}
_BY_COMMAND: Final[dict[str, type[Call]]] = _OTHER_NAMES | {
    name: offer.call for offer in OFFERS for name in (offer.english, offer.german)
}
_BY_FUNCTION: Final[dict[str, type[Call]]] = {
    offer.english: offer.call for offer in OFFERS if offer.call is not Help
}


def offered(language: str) -> list[dict[str, str]]:
    """Return the commands for a list to choose from: `command`, `takes`, `about`."""
    german = language.startswith("de")
    return [
        {
            "command": f"/{offer.german if german else offer.english}",
            "takes": offer.takes_de if german else offer.takes_en,
            "about": offer.about_de if german else offer.about_en,
        }
        for offer in OFFERS
    ]


def functions() -> tuple[dict[str, Any], ...]:
    """Describe the abilities as functions for a large model, in OpenAI's shape."""
    described = []
    for name, call in _BY_FUNCTION.items():
        (_,), parts = msgspec.json.schema_components([call])
        schema = parts[call.__name__]
        about = schema.pop("description")
        schema.pop("title")
        function = {"name": name, "description": about, "parameters": schema}
        described.append({"type": "function", "function": function})
    return tuple(described)


def from_function(name: str, arguments: str) -> Call | None:
    """Read a model's function call; None = no such function, or not its arguments."""
    try:
        call: Call = msgspec.json.decode(arguments or "{}", type=_BY_FUNCTION[name])
    except (KeyError, msgspec.MsgspecError):
        return None
    return call


def is_german(words: str) -> bool:
    """Tell whether a command is written by its German name."""
    found = _COMMAND.match(words.strip())
    return found is not None and found[1].lower() in {offer.german for offer in OFFERS}


def from_command(words: str) -> Call | None:
    """Read a command, such as `/translate German: good morning`; None = it is none."""
    found = _COMMAND.match(words.strip())
    kind = _BY_COMMAND.get(found[1].lower()) if found else None
    if found is None or kind is None:
        return None
    rest = found[2].strip()
    if kind is Summarise:
        return _summary(rest)
    if kind is Translate:
        language, colon, text = rest.partition(":")
        named = bool(colon) and len(language.split()) <= 2
        return Translate(text.strip(), language.strip()) if named else Translate(rest)
    if kind is Analyse:
        return Analyse(f"```sql\n{rest}\n```" if found[1].lower() == "sql" else rest)
    if kind is Imagine:
        return Imagine(rest)
    return Run(_code(rest)) if kind is Run else Help()


def period_in(words: str) -> Period | None:
    """Return the time that words name, None where they name none."""
    return next((name for name, pattern in _PERIODS.items() if pattern.search(words)), None)


def _summary(words: str) -> Summarise:
    """Take time, topic or link out of what follows the command."""
    period = period_in(words) or "week"
    if link := re.search(r"https?://\S+", words):
        return Summarise(period, link=link[0])
    topic = _PERIODS[period].sub(" ", words)
    return Summarise(period, " ".join(topic.split()))


def _code(text: str) -> str:
    fence = FENCE.search(text)
    return fence[1] if fence else text


FENCE: Final = re.compile(r"```(?:python|py)?[^\S\n]*\n(.*?)\n?```", re.DOTALL)
_COMMAND: Final = re.compile(r"/([^\W\d]+)\b(.*)\Z", re.DOTALL)
_THIS: Final = r"(?:(?:this|last|past|the|letzte[nrm]?|diese[nrms]?)\s+)?"
_PERIODS: Final[dict[Period, re.Pattern[str]]] = {
    "today": re.compile(r"\b(?:today|tonight|heute)\b", re.IGNORECASE),
    "yesterday": re.compile(r"\b(?:yesterday|gestern)\b", re.IGNORECASE),
    "week": re.compile(rf"\b{_THIS}(?:weeks?|wochen?)\b", re.IGNORECASE),
    "month": re.compile(rf"\b{_THIS}(?:months?|monate?[ns]?)\b", re.IGNORECASE),
}
