"""What is known of a table before anything is asked, and how its names are written in SQL."""

import re
from typing import Final, Literal

from msgspec import Struct

_NO_AMOUNTS: Final = frozenset(
    "id ids nr no number nummer kundennummer bestellnummer artikelnummer key code plz zip "
    "postleitzahl postcode jahr year monat month uuid".split()
)
Kind = Literal["whole", "number", "text", "date", "moment", "truth", "other"]
Value = str | int | float | bool | None


class Column(Struct, frozen=True):
    """A column: its name, what it holds, and the range of that.

    `values` are all values of a text column that has few of them, else none.
    """

    name: str
    kind: Kind
    missing: int = 0
    different: int = 0
    lowest: Value = None
    highest: Value = None
    values: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether it holds amounts: no names of things, years or codes that are numbers."""
        words = re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.name).lower())
        return self.kind in ("whole", "number") and not (words and words[-1] in _NO_AMOUNTS)

    @property
    def is_time(self) -> bool:
        """Whether it holds days or moments."""
        return self.kind in ("date", "moment")


class Table(Struct, frozen=True):
    """A table: the name it has in queries, its rows and columns."""

    name: str
    rows: int
    columns: tuple[Column, ...]


class Rows(Struct, frozen=True):
    """What a query gave: the first rows, and how many there are in all."""

    columns: tuple[str, ...]
    kinds: tuple[Kind, ...]
    rows: tuple[tuple[Value, ...], ...]
    total: int


def quoted(name: str) -> str:
    """Return an identifier as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Value) -> str:
    """Return a constant as SQL writes it."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''").replace("\0", "") + "'"
    return (
        "NULL" if value is None else str(value).upper() if isinstance(value, bool) else repr(value)
    )
