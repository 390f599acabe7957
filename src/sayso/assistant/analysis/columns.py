"""Finding the columns and values of a table in a question's words."""

from collections.abc import Sequence
from typing import Final

from sayso.assistant.analysis.tables import Column, Table
from sayso.assistant.analysis.words import LANGUAGES, Token, fold, parts, same, stem, tokens

_LONGEST: Final = 6  # tokens of a name or value


class Names:
    """The columns of a table by all that they may be called."""

    def __init__(self, table: Table) -> None:
        self._columns = table.columns
        self._words = {c.name: [stem(word) for word in parts(c.name)] for c in table.columns}
        self._exact = {"".join(parts(c.name)): c for c in reversed(table.columns)}
        self._stemmed: dict[str, Column | None] = {}
        for column in table.columns:
            for key in {"".join(self._words[column.name]), _without_unit(column.name)}:
                known = self._stemmed.get(key, column)
                self._stemmed[key] = column if known is column else None

    def find(self, found: Sequence[Token], at: int) -> tuple[Column, int] | None:
        """Return the column that is named at a token, and by how many tokens."""
        for length in range(min(_LONGEST, len(found) - at), 0, -1):
            piece = found[at : at + length]
            if any(token.kind not in ("word", "quoted", "number") for token in piece):
                continue
            keys = [part for token in piece for part in parts(token.text)]
            if not keys or not any(key.isalpha() or len(key) > 2 for key in keys):
                continue
            column = self._exact.get("".join(keys)) or self._stemmed.get("".join(map(stem, keys)))
            if column:
                return column, length
        token = found[at]
        if token.kind != "word":
            return None
        column = self.resembling(token.key)
        return (column, 1) if column else None

    def named(self, key: str) -> Column | None:
        """Return the column of just this name."""
        return self._exact.get(key) or self._stemmed.get(stem(key))

    def resembling(self, key: str) -> Column | None:
        """Return the one column that a word means by another word for it, a part, or a slip."""
        root = stem(key)
        groups = same([root])
        ways = (
            [c for c in self._columns if "".join(self._words[c.name]) in _all(groups)],
            [c for c in self._columns if root in self._words[c.name]],
            [c for c in self._columns if _all(groups).intersection(self._words[c.name])],
            [c for c in self._columns if _is_slip(key, "".join(parts(c.name)))],
        )
        for columns in ways:
            if columns:
                return columns[0] if len(columns) == 1 else None
        return None


class Values:
    """The values of a table's columns of text, where there are few."""

    def __init__(self, table: Table) -> None:
        self._known: dict[tuple[str, ...], list[tuple[Column, str]]] = {}
        for column in table.columns:
            for value in column.values:
                key = tuple(token.key for token in tokens(value) if token.key)
                if key:
                    self._known.setdefault(key, []).append((column, value))
            if set(map(stem, parts(column.name))) & _all(same([stem("language")])):
                for code in column.values:
                    for word in LANGUAGES.get(code.lower(), ()):
                        self._known.setdefault((word,), []).append((column, code))

    def find(
        self, found: Sequence[Token], at: int, column: Column | None = None
    ) -> tuple[Column, list[str], int] | None:
        """Return the one column that has the words from a token on as a value, and how many."""
        for length in range(min(_LONGEST, len(found) - at), 0, -1):
            known = self._known.get(tuple(token.key for token in found[at : at + length]), [])
            fitting = [pair for pair in known if column is None or pair[0] is column]
            owners = {pair[0].name for pair in fitting}
            if len(owners) == 1:
                # The same word in two spellings is two values; both are meant.
                return fitting[0][0], [value for _, value in fitting], length
            if owners:
                return None
        return None


def _without_unit(name: str) -> str:
    return "".join(stem(word) for word in parts(name.partition("(")[0].partition("[")[0]))


def _all(groups: Sequence[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*groups)


def _is_slip(key: str, name: str) -> bool:
    """Whether two longer words differ by one letter."""
    if min(len(key), len(name)) < 5 or abs(len(key) - len(name)) > 1 or key[0] != name[0]:
        return False
    short, long = sorted((key, name), key=len)
    place = next(
        (n for n, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short)
    )
    if len(short) == len(long) and sorted(short) == sorted(long):  # two that changed places
        return short[place + 2 :] == long[place + 2 :]
    rest = place + (len(short) == len(long))
    return short[rest:] == long[place + 1 :]


def folded(text: str) -> str:
    """Return a text as values are compared."""
    return " ".join(fold(text).split())
