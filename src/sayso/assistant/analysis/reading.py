"""Uploads as data frames; runs only in the process that is locked (`process`)."""

import io
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

import polars as pl

from sayso.assistant import uploads
from sayso.assistant.uploads import Upload
from sayso.errors import InputError
from sayso.settings import Analysis

_SEPARATORS: Final = (";", "\t", ",", "|")
_LONGEST_NAME: Final = 100
# What stands around a number: currencies, per cent, blanks of all widths.
_AROUND: Final = r"[\s\u00a0\u202f€$£%]|EUR|USD|CHF|GBP"
_PLAIN: Final = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_GERMAN: Final = r"^[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?$"
_ENGLISH: Final = r"^[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?$"
_DAYS: Final = ("%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d", "%d.%m.%y")
_MOMENTS: Final = (
    *("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"),
    *("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M"),
)
_TRUTHS: Final = {"true": True, "false": False, "wahr": True, "falsch": False}


def frames(upload: Upload, limits: Analysis) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the tables of a file: a name (not yet unique) and its rows.

    Raises:
        InputError: it cannot be read, or holds more than the limits.
    """
    stem = PurePosixPath(upload.name).stem
    try:
        for name, frame in _read(upload, stem, limits):
            yield name, _tidied(_checked(frame, limits))
    except (pl.exceptions.PolarsError, ValueError, OverflowError, RecursionError) as error:
        raise InputError("the table cannot be read", "save it anew, with one head line") from error


def _read(upload: Upload, stem: str, limits: Analysis) -> Iterator[tuple[str, pl.DataFrame]]:
    data = io.BytesIO(upload.data)
    kind = upload.media_type
    if kind == uploads.PARQUET:
        if pl.scan_parquet(data).select(pl.len()).collect().item() > limits.max_rows:
            raise _too_long(limits)
        data.seek(0)
        yield stem, pl.read_parquet(data)
    elif kind in (uploads.CSV, uploads.TSV):
        yield stem, _separated(upload.data, "\t" if kind == uploads.TSV else "", limits)
    elif kind == uploads.NDJSON:
        yield stem, pl.read_ndjson(data, infer_schema_length=None)
    elif kind == uploads.JSON:
        yield stem, pl.read_json(data, infer_schema_length=None)
    elif kind == uploads.XLSX:
        yield from _sheets(upload.data, stem)
    else:
        raise InputError("the file holds no table", "hand in CSV, XLSX, Parquet or JSON")


def _sheets(data: bytes, stem: str) -> Iterator[tuple[str, pl.DataFrame]]:
    import fastexcel

    workbook = fastexcel.read_excel(data)
    names = workbook.sheet_names
    for name in names:
        # Cells are read as they are stored: nothing is calculated, and no link is followed.
        frame = workbook.load_sheet(name, schema_sample_rows=None).to_polars()
        if frame.width:
            yield (name if len(names) > 1 else stem), frame


def _separated(data: bytes, separator: str, limits: Analysis) -> pl.DataFrame:
    """Read a table of lines: all as text, then each column as what all of it can be."""
    text = uploads.text_of(data) or ""
    mark = separator or _separator(text)
    table = pl.read_csv(
        io.BytesIO(text.encode()),
        separator=mark,
        infer_schema=False,
        n_rows=limits.max_rows + 1,
        truncate_ragged_lines=False,
    )
    return table.with_columns(_typed(column, mark) for column in table.iter_columns())


def _separator(text: str) -> str:
    """Return the mark that cuts the first lines into the same number of parts, more than one."""
    lines = [re.sub(r'"[^"]*"', "", line) for line in text.splitlines()[:20] if line.strip()]
    counts = {mark: {line.count(mark) for line in lines} for mark in _SEPARATORS}
    even = [mark for mark, found in counts.items() if len(found) == 1 and found != {0}]
    if even:
        return max(even, key=lambda mark: max(counts[mark]))
    return max(_SEPARATORS, key=lambda mark: lines[0].count(mark) if lines else 0)


def _typed(column: pl.Series, separator: str) -> pl.Series:
    """Return a column of text as numbers, days, moments or truths, if all of it is."""
    text = column.str.strip_chars().replace("", None)
    filled = text.drop_nulls()
    if not len(filled):
        return text
    if (numbers := _numbers(text, filled, separator)) is not None:
        return numbers
    for pattern in _DAYS:
        days = text.str.to_date(pattern, strict=False, exact=True)
        if days.null_count() == text.null_count():
            return days
    zoneless = text.str.replace(r"(Z|[+-]00:?00)$", "")
    for pattern in _MOMENTS:
        moments = zoneless.str.to_datetime(pattern, strict=False, exact=True, time_unit="us")
        if moments.null_count() == text.null_count():
            return moments
    lower = filled.str.to_lowercase()
    if lower.is_in(list(_TRUTHS)).all():
        return text.str.to_lowercase().replace_strict(_TRUTHS, return_dtype=pl.Boolean)
    return text


def _numbers(text: pl.Series, filled: pl.Series, separator: str) -> pl.Series | None:
    bare = text.str.replace_all(_AROUND, "")
    some = bare.drop_nulls()
    # What begins with 0 is a postal code or a number of an article, and never to be summed.
    if len(some) != len(filled) or some.str.contains(r"^[+-]?0\d").any():
        return None
    if _reads_as_german(some, separator):
        bare = bare.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    elif some.str.contains(_ENGLISH).all():
        bare = bare.str.replace_all(",", "", literal=True)
    elif not some.str.contains(_PLAIN).all():
        return None
    whole = bare.cast(pl.Int64, strict=False)
    if whole.null_count() == text.null_count():
        return whole
    number = bare.cast(pl.Float64, strict=False)
    # Numbers of more digits than that hold are names of things.
    long = some.str.len_chars().max()
    enough = isinstance(long, int) and long <= 18
    return number if enough and number.null_count() == text.null_count() else None


def _reads_as_german(some: pl.Series, separator: str) -> bool:
    """Whether the comma is before the fraction; what could be both goes by the separator."""
    if not some.str.contains(_GERMAN).all():
        return False
    if not some.str.contains(r"[.,]").any():
        return False
    both = some.str.contains(_ENGLISH).all() or some.str.contains(_PLAIN).all()
    return separator == ";" if both else True


def _checked(frame: pl.DataFrame, limits: Analysis) -> pl.DataFrame:
    if frame.height > limits.max_rows:
        raise _too_long(limits)
    if frame.width > limits.max_columns:
        raise InputError(
            f"the table has more than {limits.max_columns} columns", "hand in those that matter"
        )
    if not frame.width:
        raise InputError("the table has no columns", "its first line must name them")
    return frame


def _too_long(limits: Analysis) -> InputError:
    return InputError(f"the table has more than {limits.max_rows} rows", "hand in a part of it")


def _tidied(frame: pl.DataFrame) -> pl.DataFrame:
    """Give every column a name that can be shown, and values that a query can read."""
    frame = frame.rename(dict(zip(frame.columns, _names(frame.columns), strict=True)))
    return frame.with_columns(_plain(column) for column in frame.iter_columns())


def _names(names: list[str]) -> list[str]:
    made: list[str] = []
    taken: set[str] = set()
    for number, name in enumerate(names, 1):
        clean = "".join(letter if letter.isprintable() else " " for letter in name)
        clean = " ".join(clean.split())[:_LONGEST_NAME]
        if not clean or clean.startswith("__UNNAMED__"):
            clean = f"column_{number}"
        unique, again = clean, 2
        while unique.lower() in taken:  # SQL knows no case
            unique, again = f"{clean}_{again}", again + 1
        taken.add(unique.lower())
        made.append(unique)
    return made


def _plain(column: pl.Series) -> pl.Series:
    kind = column.dtype
    if isinstance(kind, pl.Datetime):
        moments = column.dt.convert_time_zone("UTC") if kind.time_zone else column
        return moments.dt.replace_time_zone(None).cast(pl.Datetime("us"))
    if isinstance(kind, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    if kind.is_nested() or kind in (pl.Binary, pl.Object, pl.Null):
        return column.map_elements(lambda value: str(value)[:500], return_dtype=pl.String)
    if kind == pl.Time or isinstance(kind, pl.Duration):
        return column.cast(pl.String)
    return column
