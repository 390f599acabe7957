"""A question over one table while it is read: each of its words is used once."""

from datetime import date

from sayso.assistant.analysis import words
from sayso.assistant.analysis.columns import Names, Values
from sayso.assistant.analysis.plans import Filter, Group
from sayso.assistant.analysis.tables import Column, Table, Value
from sayso.assistant.analysis.words import Token, fold, stem


class Unclear(Exception):  # noqa: N818  it is no error, but an end of understanding
    """The question could mean several things, or something that is not known here."""


class Asked:
    """Words of a question, which of them are used, and what they were found to ask.

    Args:
        question: in German or English.
        table: over which it is read.
        language: 'de' or 'en', for 1.000 and 1,000.
        today: what 'last week' goes by.
    """

    def __init__(self, question: str, table: Table, language: str, today: date) -> None:
        self.table, self.german, self.today = table, language == "de", today
        self.title = {stem(part) for part in fold(table.name).split("_")}
        self.names, self.values = Names(table), Values(table)
        self.tokens = self._split(words.tokens(question))
        self.used = [False] * len(self.tokens)
        self.operations: list[tuple[int, str]] = []
        self.groups: list[Group] = []
        self.filters: list[Filter] = []
        self.columns: list[tuple[int, Column]] = []
        self.ranked: list[Column] = []  # 'top 5 by revenue'
        self.top, self.lowest, self.superlative = 0, False, False
        self.mentioned = 0

    def _split(self, found: list[Token]) -> list[Token]:
        """Take 'Gesamtumsatz' as 'Summe Umsatz', where there is such a column."""
        made = []
        for token in found:
            for prefix, word in words.PREFIXES.items():
                rest = token.key.removeprefix(prefix)
                is_prefixed = token.kind == "word" and rest != token.key and len(rest) > 2
                if is_prefixed and not self.names.named(token.key) and self.names.resembling(rest):
                    made += [Token(word, word, "word"), Token(rest, rest, "word")]
                    break
            else:
                made.append(token)
        return made

    def free(self, at: int, length: int = 1) -> bool:
        """Whether these words are there and unused."""
        return at + length <= len(self.tokens) and not any(self.used[at : at + length])

    def use(self, at: int, length: int = 1) -> None:
        """Mark words as used."""
        self.used[at : at + length] = [True] * length

    def key(self, at: int) -> str:
        """Return a word's one spelling; '' beyond the ends."""
        return self.tokens[at].key if 0 <= at < len(self.tokens) else ""

    def keys(self, at: int, length: int) -> tuple[str, ...]:
        """Return the spellings of words from a place on."""
        return tuple(token.key for token in self.tokens[at : at + length])

    def skip(self, at: int, small: frozenset[str] = words.ARTICLES) -> int:
        """Return the next place that holds none of the small words."""
        while self.free(at) and self.key(at) in small:
            at += 1
        return at

    def end(self, at: int) -> int:
        """Return the next place that is not used."""
        while at < len(self.tokens) and self.used[at]:
            at += 1
        return at

    def number(self, at: int) -> Value:
        """Return the number at a token; 1.000 and 1,000 as its language writes them."""
        if at >= len(self.tokens) or self.tokens[at].kind != "number":
            return None
        text = self.tokens[at].text
        mark, grouping = (",", ".") if self.german else (".", ",")
        if (
            text.count(grouping) == 1
            and mark not in text
            and len(text.rpartition(grouping)[2]) != 3
        ):
            mark, grouping = grouping, mark
        plain = text.replace(grouping, "").replace(mark, ".")
        try:
            return float(plain) if "." in plain else int(plain)
        except ValueError:
            return None

    def is_number(self, at: int) -> bool:
        """Whether a number stands there."""
        return self.tokens[at].kind == "number"

    def time_column(self, unit: str) -> Column | None:
        """Return the table's column of time; of several the one that is called like the unit."""
        columns = [column for column in self.table.columns if column.is_time]
        if len(columns) == 1:
            return columns[0]
        named = [c for c in columns if unit and words.UNITS.get(fold(c.name)) == unit]
        if unit == "quarter":
            named = [c for c in columns if words.UNITS.get(fold(c.name)) == "month"]
        named = named or [c for c in columns if words.UNITS.get(fold(c.name)) == "day"]
        asked = [c for c in columns if any(self.names.named(t.key) is c for t in self.tokens)]
        return named[0] if len(named) == 1 else asked[0] if len(asked) == 1 else None

    def group_by(self, at: int, column: Column, length: int, unit: str = "") -> None:
        """Take a column as a group."""
        self.use(at, length)
        self.mentioned += 1
        self.groups.append(Group(column, unit))
