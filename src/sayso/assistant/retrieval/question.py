"""What a question asks for: its words in all the forms that a post may have, whom, and when."""

import re
from collections.abc import Sequence
from importlib import resources
from typing import Final

from msgspec import Struct

from sayso.corpus import terms
from sayso.corpus.language import identify

MOST_WORDS: Final = 24  # of a question; whoever asks at more length is understood by the sense

# Words that say nothing of what is asked; German and English.
_FILLERS: Final = frozenset(
    terms.words(resources.files("sayso.assistant").joinpath("fillers.txt").read_text("utf-8"))
)
_NOW: Final = frozenset(
    "heute gerade jetzt aktuell aktuelle aktuellen aktueller aktuelles derzeit neulich kürzlich "
    "neueste neuesten neuester neuestes neuste neusten gestern morgen "
    "today now latest newest current currently recent recently tonight yesterday tomorrow".split()
)
_THIS: Final = re.compile(
    r"\bthis (?:week|month|morning|evening|afternoon|weekend)\b|\bright now\b|\bat the moment\b"
    r"|\bdiese[rsnm]? (?:woche|monats?|tage?n?|wochenende)\b|\bim moment\b|\bzur ?zeit\b"
)
_NAMED: Final = re.compile(r"@(\w(?:[\w.-]*\w)?)")
_HIRAGANA: Final = re.compile("[\u3040-\u309f]{2}")
_SHORTEST_SAME_BEGINNING: Final = 5
_MOST_FURTHER: Final = 4  # letters that one form may have more than the other

# How sure it is that a post has a word of the question.
_EXACT: Final = 1.0
_COMPOUND: Final = 0.8  # the word is the beginning or the end of one in the post
_HALVES: Final = 0.8  # the post has both halves of the word apart
_HALF: Final = 0.4
_BEGINNING: Final = 0.6
_OF_ASKING: Final = 1.6


class Terms(Struct, frozen=True):
    """The terms of a text, as a set and as one line with a space before and after each."""

    all: frozenset[str]
    line: str

    @classmethod
    def of(cls, line: str) -> "Terms":
        """Read what `corpus/terms` made."""
        return cls(frozenset(line.split(" ")), f" {line} ")


class Word(Struct, frozen=True):
    """One word of a question.

    `forms` are the terms that it may be in a post, one for each language that it may be in; of a
    script without spaces all its pairs, which must come together. `halves` are the two parts that
    it may be made of, each in some form.
    """

    forms: tuple[str, ...]
    together: bool = False
    halves: tuple[tuple[str, str], ...] = ()

    def asked(self) -> list[str]:
        """Return all terms to look up."""
        if self.together:
            return list(self.forms)
        ends = [
            end
            for form in self.forms
            if terms.SHORTEST_PART <= len(form) <= terms.LONGEST_PART
            for end in (f"{form}-", f"-{form}")
        ]
        return [*self.forms, *ends, *(half for pair in self.halves for half in pair)]

    def found_in(self, text: Terms) -> float:
        """Return how surely a text with these terms has this word, from 0 to 1."""
        there = text.all
        if self.together:
            # Much of a question in such a script is the asking; no word of it stands apart.
            share = sum(form in there for form in self.forms) / len(self.forms)
            return min(1.0, _OF_ASKING * share)
        if any(form in there for form in self.forms):
            return _EXACT
        if any(f"{form}-" in there or f"-{form}" in there for form in self.forms):
            return _COMPOUND
        halves = max(((head in there) + (tail in there) for head, tail in self.halves), default=0)
        if halves:
            return _HALVES if halves > 1 else _HALF
        return _BEGINNING if any(self._begins(form, text) for form in self.forms) else 0.0

    def _begins(self, form: str, there: Terms) -> bool:
        if len(form) < _SHORTEST_SAME_BEGINNING:
            return False
        shortest = max(_SHORTEST_SAME_BEGINNING, len(form) - _MOST_FURTHER)
        if any(form[:length] in there.all for length in range(shortest, len(form))):
            return True
        longer = rf" {re.escape(form)}[^ -]{{1,{_MOST_FURTHER}}} "
        return f" {form}" in there.line and re.search(longer, there.line) is not None


class Question(Struct, frozen=True):
    """A question as it is looked up.

    `language` is a guess, 'und' if there is none; `named` are handles with an @ before them.
    """

    words: tuple[Word, ...]
    language: str
    wants_now: bool
    named: frozenset[str]

    @property
    def terms(self) -> str:
        """All terms to look up, with spaces between."""
        return " ".join(dict.fromkeys(term for word in self.words for term in word.asked()))


def read(text: str, spoken: Sequence[str] = ()) -> Question:
    """Take a question apart; nothing in it is syntax.

    Args:
        text: the question.
        spoken: the languages that posts are in.
    """
    folded = text.casefold()
    # A short question's language is a guess; posts may be in another one anyway.
    languages = tuple(dict.fromkeys([identify(text).code, "de", "en", *spoken]))
    found = list(dict.fromkeys(terms.words(_THIS.sub(" ", _NAMED.sub(" ", folded)))))
    content = [word for word in found if word not in _FILLERS]
    # Who asks only for what is new means these very words, for want of others.
    words = [word for word in content if word not in _NOW] or content
    return Question(
        words=tuple(_word(word, languages) for word in words[:MOST_WORDS]),
        language=languages[0],
        wants_now=not _NOW.isdisjoint(found) or _THIS.search(folded) is not None,
        named=frozenset(_NAMED.findall(folded)),
    )


def _word(word: str, languages: Sequence[str]) -> Word:
    if terms.is_unspaced(word):
        pairs = terms.pairs(word)
        # Two hiragana are grammar, mostly; kanji and katakana say what is asked.
        telling = [pair for pair in pairs if not _HIRAGANA.match(pair)]
        return Word(tuple(dict.fromkeys(telling or pairs)), together=True)
    forms = dict.fromkeys([terms.plain(word), *(terms.stem(word, one) for one in languages)])
    halves: dict[tuple[str, str], None] = {}
    if languages[0] in terms.COMPOUNDING:
        for form in forms:
            if len(form) > terms.SHORTEST_COMPOUND and form.isalpha():
                halves |= dict.fromkeys(_halves(form))
    return Word(tuple(forms), halves=tuple(halves))


def _halves(form: str) -> list[tuple[str, str]]:
    """Cut a word wherever it may be a seam, with and without the s that German puts there."""
    seams = range(terms.SHORTEST_PART, len(form) - terms.SHORTEST_PART + 1)
    cut = [(form[:seam], form[seam:]) for seam in seams]
    return cut + [(head[:-1], tail) for head, tail in cut if head.endswith("s") and len(head) > 4]
