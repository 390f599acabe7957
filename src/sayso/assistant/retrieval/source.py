"""What an answer draws on."""

from typing import Any, Final, Self

from msgspec import Struct

_WEB: Final = ("https://", "http://")


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
    link: str = ""  # the post's public address, if it has one

    @classmethod
    def of(
        cls, row: dict[str, Any], excerpt: str, score: float = 0.0, covered: float = 0.0
    ) -> Self:
        """Make it of a row of the retrieval table and what is cited of its text."""
        return cls(
            id=row["id"],
            handle=row["handle"],
            service=row["service"],
            date=f"{row['written']:%Y-%m-%d}",
            excerpt=excerpt,
            language=row["language"],
            score=score,
            covered=covered,
            link=row["url"] if row["url"].startswith(_WEB) else "",
        )
