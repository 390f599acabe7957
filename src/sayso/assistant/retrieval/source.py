"""What an answer draws on."""

from msgspec import Struct


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
