"""What is known of a table before anything is asked, and how its names are written in SQL."""

from typing import Literal

from msgspec import Struct

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
        """Whether it can be summed."""
        return self.kind in ("whole", "number")

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
