"""Questions about tables: what members upload, and the community's own public numbers.

A plain question is read by rules (`question`), so that its answer is right without any model; what
they do not understand a large model may put as a query, if there is one. Every query runs in a
process of its own that can reach nothing (`session`). `docs/analysis.md` says what can be asked.
"""

import html
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Final

from sayso.assistant.analysis import plans, showing
from sayso.assistant.analysis.chart import chart, shape
from sayso.assistant.analysis.community import community_tables
from sayso.assistant.analysis.question import understand
from sayso.assistant.analysis.session import Session, session
from sayso.assistant.analysis.showing import Analysis, markdown
from sayso.assistant.analysis.tables import Rows, Table, quoted
from sayso.assistant.uploads import Upload
from sayso.errors import InputError
from sayso.settings import Analysis as Limits

__all__ = ["Analysis", "analyse", "ask", "community_tables", "markdown", "session"]

_FENCE: Final = re.compile(r"(?<!`)`{3,}+[^\S\n]*sql\b[^\n]*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_COMMAND: Final = re.compile(r"\s*/sql\b\s*(.+)", re.DOTALL | re.IGNORECASE)
_PROMPT: Final = (
    "Write one DuckDB SELECT that answers the question. Answer with the query alone, in a ```sql "
    "block. If these tables cannot answer it, answer with NONE.\n\nTables:\n{schema}\n\n"
    "Today is {today}.\n\nQuestion: {question}"
)


def analyse(
    question: str,
    tables: Sequence[Upload],
    *,
    language: str = "en",
    write_sql: Callable[[str], str] | None = None,
    limits: Limits | None = None,
    today: date | None = None,
) -> Analysis:
    """Answer a question about tables.

    Args:
        question: in plain words, or a query: after /sql or in a ```sql block.
        tables: uploads that are tables, or `community_tables`.
        language: 'de' or 'en', of the answer and for 1.000 and 1,000.
        write_sql: asks a large model (prompt to answer); it is told the names and types of columns
            and nothing of what is in them.
        limits: the section [analysis] of the settings.
        today: what 'last week' goes by; the day in UTC if None.

    Raises:
        InputError: the tables cannot be read, or the query that was given cannot be run.
        MissingPartError: DuckDB is not installed.
    """
    limits = limits or Limits()
    with session(tables, limits) as opened:
        return ask(
            opened, question, language=language, write_sql=write_sql, limits=limits, today=today
        )


def ask(
    opened: Session,
    question: str,
    *,
    language: str = "en",
    write_sql: Callable[[str], str] | None = None,
    limits: Limits | None = None,
    today: date | None = None,
) -> Analysis:
    """Answer a question about tables that are open; as `analyse`, which opens them for one.

    Raises:
        InputError: the query that was given cannot be run, or the session has ended.
    """
    limits = limits or Limits()
    language = "de" if language == "de" else "en"
    today = today or datetime.now(UTC).date()
    if given := _given(question):
        return _written(opened, given, language, limits)
    if plan := understand(question, opened.tables, language, today):
        return _planned(opened, plan, language, limits)
    if write_sql:
        prompt = _PROMPT.format(
            schema=_schema(opened.tables), today=today, question=question.strip()
        )
        if written := _by_model(write_sql(prompt)):
            try:
                return _written(opened, written, language, limits)
            except InputError:
                if opened.has_ended:
                    raise
    return showing.profile(opened.tables, language, limits.shown_rows)


def _given(question: str) -> str:
    found = _COMMAND.match(question) or _FENCE.search(question)
    inner = found.group(1) if found else ""
    fenced = _FENCE.search(inner)
    return (fenced.group(1) if fenced else inner).strip()


def _by_model(answer: str) -> str:
    """Return the query in a model's answer; '' where there is none."""
    found = _FENCE.search(answer)
    text = found.group(1) if found else answer
    return text.strip() if re.match(r"\s*(select|with|from)\b", text, re.IGNORECASE) else ""


def _schema(tables: Sequence[Table]) -> str:
    """Return names and types. A name is quoted and of one line, so that it says nothing else."""
    types = {"whole": "BIGINT", "number": "DOUBLE", "text": "VARCHAR", "date": "DATE",
             "moment": "TIMESTAMP", "truth": "BOOLEAN", "other": "VARCHAR"}  # fmt: skip
    return "\n".join(
        f"{quoted(table.name)}("
        + ", ".join(f"{quoted(column.name)} {types[column.kind]}" for column in table.columns)
        + ")"
        for table in tables
    )


def _planned(opened: Session, plan: plans.Plan, language: str, limits: Limits) -> Analysis:
    sql = plans.query(plan)
    rows = opened.query(sql, max(limits.shown_rows, limits.charted_rows))
    left_out = None
    if rest := plans.undated(plan):
        left_out = opened.query(rest, 1).rows[0][0]
    said = showing.sentence(plan, rows, left_out, language)
    title = html.unescape(showing.title(plan, language)).replace("\\", "")
    drawn = chart(rows, len(plan.groups), title) if len(plan.measures) == 1 else None
    return _answer(sql, rows, drawn, said, language, limits)


def _written(opened: Session, sql: str, language: str, limits: Limits) -> Analysis:
    rows = opened.query(sql, max(limits.shown_rows, limits.charted_rows))
    drawn = chart(rows, groups, rows.columns[-1]) if (groups := shape(rows)) else None
    return _answer(sql, rows, drawn, showing.told(rows, language), language, limits)


def _answer(
    sql: str,
    rows: Rows,
    drawn: dict[str, object] | None,
    said: str,
    language: str,
    limits: Limits,
) -> Analysis:
    shown = rows.rows[: limits.shown_rows]
    return Analysis(sql, rows.columns, shown, rows.total - len(shown), drawn, said, language)
