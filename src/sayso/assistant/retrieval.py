"""Finding the community's posts that bear on a question: full text, the newest first among equals.

Permission is checked again at the moment of reading, so an objection or a deletion is out of the
answers before its record is out of the tables.
"""

import re
from datetime import UTC, datetime
from importlib import resources
from typing import Final

from lance.query import MatchQuery
from msgspec import Struct

from sayso.assistant import passages
from sayso.assistant.permission import permitted
from sayso.corpus.store import Store
from sayso.workspace import Workspace

HALF_LIFE_DAYS: Final = 180.0
CANDIDATES: Final = 40
NEAR: Final = 0.35  # of the best score; what scores less does not bear on the question

# Words that say nothing of what is asked; German and English.
_FILLERS: Final = frozenset(
    resources.files("sayso.assistant").joinpath("fillers.txt").read_text("utf-8").split()
)


_COLUMNS: Final = "key account_key id handle service written language text".split()


class Source(Struct, frozen=True):
    """A post that an answer draws on."""

    id: str
    handle: str
    service: str
    date: str
    excerpt: str
    language: str
    score: float = 0.0
    covered: float = 0.0  # share of the question that the passage covers


def search(
    workspace: Workspace, question: str, limit: int, now: datetime | None = None
) -> list[Source]:
    """Return the posts that bear on a question, best first.

    The score is BM25 (Robertson & Zaragoza 2009, as Lance computes it), times the share of the
    question that one passage covers, weighted by age: of two posts that fit alike the newer wins.
    """
    words = [w for w in re.findall(r"\w+", question.lower()) if w not in _FILLERS]
    dataset = Store(workspace).retrieval.open()
    if not words or not limit or not dataset.count_rows():
        return []
    hits = dataset.scanner(
        # One letter more or less finds other forms of a word in any language.
        full_text_query=MatchQuery(" ".join(words), "text", fuzziness=1, prefix_length=3),
        limit=CANDIDATES,
        columns=[*_COLUMNS, "_score"],
    ).to_table()
    rows = permitted(workspace, hits.to_pylist())
    weighed = passages.weights(words, [row["text"] for row in rows])
    moment = now or datetime.now(UTC)
    for row in rows:
        age = max(0.0, (moment - row["written"]).total_seconds() / 86400)
        row["passage"], row["covered"] = passages.best_passage(row["text"], weighed)
        row["rank"] = row["_score"] * (0.7 + 0.3 * 0.5 ** (age / HALF_LIFE_DAYS)) * row["covered"]
    rows.sort(key=lambda row: -row["rank"])
    floor = rows[0]["rank"] * NEAR if rows else 0.0
    return [
        Source(
            id=row["id"],
            handle=row["handle"],
            service=row["service"],
            date=f"{row['written']:%Y-%m-%d}",
            excerpt=row["passage"],
            language=row["language"],
            score=round(row["rank"], 3),
            covered=round(row["covered"], 3),
        )
        for row in rows[:limit]
        if row["rank"] > 0 and row["rank"] >= floor
    ]
