"""Plain wishes in German and English, read without a model: small ones cannot choose a tool."""

import re
from typing import Final

from sayso.assistant.abilities import (
    FENCE,
    Analyse,
    Call,
    Help,
    Imagine,
    Run,
    Summarise,
    Translate,
    period_in,
)

LONGEST: Final = 200  # characters; who writes more hands over a text, or tells a story


def from_wish(words: str) -> Call | None:
    """Read a plain wish; None = nothing of the kind is wished."""
    words = words.strip()
    if (fence := FENCE.search(words)) and _RUN.search(words.replace(fence[0], " ")):
        return Run(fence[1])
    if found := _TRANSLATE.match(words) or _TRANSLATE_TO.match(words):
        return Translate(found["text"].strip(" \t\n\"'„“”‚‘»«"), found["language"])
    return _short_wish(words) if len(words) <= LONGEST else None


def _short_wish(words: str) -> Call | None:
    if _MISSED.search(words):
        about = _ABOUT.search(words)
        return Summarise(period_in(words) or "week", about["topic"] if about else "")
    if found := _DRAW.match(words):
        return Imagine(found["what"].strip(" .!"))
    if _HELP.fullmatch(words):
        return Help()
    return Analyse(words) if _COUNT.search(words) else None


def _pattern(text: str, flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile(text, re.VERBOSE | flags)


_RUN: Final = _pattern(
    r"""\b(?: run | execute | ausführen | führe?n?\b.{0,40}\baus | lass\b.{0,40}\blaufen )\b"""
)
_PLEASE: Final = r"(?:please\s|bitte\s|can\ you\s|kannst\ du\s)?"
_TRANSLATE: Final = _pattern(
    rf"""{_PLEASE}(?:translate|übersetze?) (?:\ bitte|\ mir|\ this|\ das)?
    \s+ (?:in|into|to|ins|nach|auf) \s+ (?P<language>[^\W\d]+) \s*:\s* (?P<text>.+) \Z""",
    re.IGNORECASE | re.DOTALL,
)
_TRANSLATE_TO: Final = _pattern(
    rf"""{_PLEASE}(?:translate|übersetze?) (?:\ bitte|\ mir)?
    \s+ (?P<text>\S.*) (?<=\s) (?:into|to|ins|nach|auf) \s+ (?P<language>[^\W\d]+) [.!?]?\Z""",
    re.IGNORECASE | re.DOTALL,
)
_MISSED: Final = _pattern(
    r"""
    what\ (?:did|have|had)\ i\ miss | catch\ me\ up
    | what(?:['’]?s|\ is|\ was)\ (?:new|going\ on|happening)\b
    | what\ happened\ (?:here|today|yesterday|this|last)
    | what\ are\ (?:people|members|they)\ talking\ about
    | (?:summari[sz]e|sum\ up)\ (?:(?:the|this|last|today['’]?s)\ )?
        (?:day|today|yesterday|week|month|posts)
    | was\ habe?\ ich\ (?:\w+\ ){0,3}verpasst | was\ gibt(?:['’]?s|\ es)\ neues
    | was\ ist\ (?:hier\ |gerade\ |heute\ )?los
    | was\ ist\ (?:heute|gestern|hier|diese|letzte)\b.{0,20}passiert
    | wor(?:über|um)\ (?:wird|reden|sprechen)
    | fass\w*\ (?:\w+\ ){0,4}(?:tag|heute|gestern|woche|monat|beiträge)\ (?:\w+\ ){0,2}zusammen
    | zusammenfassung\ (?:der|des|von)\ (?:\w+\ )?(?:woche|tages|monats|heute|gestern)
    """
)
_ABOUT: Final = _pattern(
    r"""\b(?:about|on|über|zum\ thema|zu)\s+
    (?!at\b|it\b|das\b|the\ moment|moment\b) (?:(?:the|a|der|die|den|dem|das|eine?n?)\ )?
    (?P<topic>[^\W\d_][\w\ -]{2,40}) \s*[?.!]*\Z"""
)
_PICTURE: Final = r"(?:bild|zeichnung|gemälde|foto)"
_DRAW: Final = _pattern(
    rf"""{_PLEASE}(?:
    (?:draw|paint|sketch) (?:\ me|\ us)?\ (?=(?:an?|some|two|three)\b)
        (?!an?\ (?:conclusion|comparison|line|distinction|parallel)\b)
    | (?:create|generate|make|draw|paint) (?:\ me)?\ (?:an?\ )?
        (?:image|picture|drawing|painting)\ (?:of|with)\s
    | (?:erzeuge?|erstelle?|mach\w?|zeichne|male?) (?:\ mir|\ uns)?\ (?:bitte\ )?
        (?:ein(?:e|en)?\ )?{_PICTURE}\ (?:von|mit)\s
    | (?:zeichne|male?) (?:\ mir|\ uns)?\ (?=eine?[nms]?\b|zwei\b|drei\b) (?!eine?\ {_PICTURE}\b)
    ) (?P<what>.+) \Z"""
)
_HELP: Final = _pattern(
    r"""(?: help | hilfe | what\ can\ you\ do (?:\ for\ me)?
    | was\ kannst\ du (?:\ alles|\ für\ mich\ tun)? ) \s*[?!.]*"""
)
_COUNTED: Final = r"(?:posts|comments|records|beiträge|kommentare)"
_COUNT: Final = _pattern(
    rf"""\b (?:how\ many|wie\ ?viele) \ (?:\w+\ ){{0,2}} {_COUNTED} \b
    | \b {_COUNTED} \ (?:per|by|pro|je) \s
        (?:day|week|month|service|language|tag|woche|monat|dienst|sprache)\b"""
)
