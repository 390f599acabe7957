"""A question's way to its sources: two rankings, fused, permitted, chosen, cut to a passage."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final

from sayso.assistant import minilm, passages
from sayso.assistant.embedding import MINILM, OFF, Embedder
from sayso.assistant.permission import people_of, permitted
from sayso.assistant.retrieval import question as questions
from sayso.assistant.retrieval import ranking, tables, vectors
from sayso.assistant.retrieval.question import Question, Terms
from sayso.assistant.retrieval.ranking import Candidate
from sayso.assistant.retrieval.source import Source
from sayso.corpus.store import Store
from sayso.corpus.terms import terms
from sayso.errors import SaysoError
from sayso.workspace import Workspace

CANDIDATES: Final = 40  # of each ranking
READ: Final = 48  # of both together, best first

_COLUMNS: Final = "key account_key id handle service written language text url terms".split()
# The sense of a question is worked out while its words are looked up.
_beside: Final = ThreadPoolExecutor(4, thread_name_prefix="embedding")
log = logging.getLogger("sayso.retrieval")


def search(
    workspace: Workspace, question: str, limit: int, now: datetime | None = None
) -> list[Source]:
    """Return the posts that bear on a question, best first; none if nothing does.

    Full text (BM25) and vectors are joined by reciprocal rank fusion (Cormack et al. 2009). Where
    the question asks for now, age counts. Permission is checked again as it is answered.

    Args:
        workspace: where.
        question: any text; nothing in it is syntax.
        limit: how many at most.
        now: the moment that age is counted to.
    """
    store = Store(workspace)
    asked = questions.read(question, tables.languages(store.retrieval))
    if not asked.words or limit < 1:
        return []
    thinking = _beside.submit(_by_sense, workspace, store, question)
    words = tables.by_words(store.retrieval, asked.terms, CANDIDATES)
    sense = thinking.result()
    sure = _knows(workspace, asked.language)
    fused = ranking.fuse((words, 1.0), (sense, 1.0 if sure else ranking.TRUST_UNSURE))
    rows = tables.by_key(store.retrieval, list(fused)[:READ], _COLUMNS)
    candidates = []
    for row in permitted(workspace, list(rows.values())):
        there = Terms.of(row["terms"])
        found = tuple(word.found_in(there) for word in asked.words)
        cosine, piece = sense.get(row["key"], (0.0, None))
        candidates.append(Candidate(row, there.all, found, cosine, piece))
    ranked = ranking.rank(candidates, fused, asked, now or datetime.now(UTC), sure=sure)
    people = people_of(workspace, [one.row for one in ranked])
    chosen = ranking.choose(ranked, people, asked, limit)
    weighed = ranking.weights(candidates, len(asked.words))
    return [_source(one, asked, weighed) for one in chosen]


def _knows(workspace: Workspace, language: str) -> bool:
    """Whether the embedding model knows a language; of the operator's own that is taken so."""
    return workspace.settings.knowledge.embedding != MINILM or language in minilm.LANGUAGES


def _by_sense(workspace: Workspace, store: Store, question: str) -> dict[int, tuple[float, int]]:
    """Look up by sense; by words alone, if there are no vectors or nothing makes them."""
    off = workspace.settings.knowledge.embedding == OFF
    if off or not tables.reading(store.vectors, lambda dataset: dataset.count_rows()):
        return {}
    try:
        embedder = Embedder.start(workspace)
        vector = embedder.embed([question])[0]
    except SaysoError as error:
        log.warning("answering by words alone: %s", error.problem)
        return {}
    return tables.by_sense(store.vectors, vector, embedder.name, CANDIDATES)


def _source(one: Candidate, asked: Question, weighed: Sequence[float]) -> Source:
    row = one.row
    text: str = row["text"]
    if one.piece is not None and not any(one.found):
        found = vectors.pieces(text)  # no word tells which sentence it is
        text = found[one.piece] if one.piece < len(found) else text
    parts = passages.sentences(text)
    scores = [_covered(part, row["language"], asked, weighed) for part in parts]
    passage = passages.around_best(parts, scores)
    return Source.of(
        row,
        passage,
        score=round(one.rank * ranking.RANK_CONSTANT, 3),
        covered=round(_covered(passage, row["language"], asked, weighed), 3),
    )


def _covered(text: str, language: str, asked: Question, weighed: Sequence[float]) -> float:
    there = Terms.of(terms(text, language))
    found = sum(
        word.found_in(there) * weight for word, weight in zip(asked.words, weighed, strict=True)
    )
    return found / (sum(weighed) or 1.0)
