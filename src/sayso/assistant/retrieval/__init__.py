"""Finding the community's posts that bear on a question: by their words, and by what they mean."""

from sayso.assistant.retrieval.search import search
from sayso.assistant.retrieval.source import Source

__all__ = ["Source", "search"]
