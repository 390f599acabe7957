"""'What did I miss?': the posts that stand for a time, a topic or a thread.

Extractive, so that it holds without a large model: posts are ranked by how much of what the others
say they cover (centroid ranking, Radev et al. 2004), and by how many replied or reacted, and chosen
so that none repeats another (maximal marginal relevance, Carbonell & Goldstein 1998), one a person.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl
from msgspec import Struct, structs

from sayso.assistant import passages
from sayso.assistant.abilities import Period
from sayso.assistant.markdown import escaped, signed
from sayso.assistant.permission import people_of, permitted
from sayso.assistant.phrases import counted, say
from sayso.assistant.retrieval import Source
from sayso.corpus.store import Store
from sayso.workspace import Workspace

MOST_READ: Final = 1000  # the newest; sums over more would take more than a moment
LONGEST_READ: Final = 2000  # characters of a post; by its beginning it is ranked
MOST_WORDS: Final = 8  # of a topic
LONGEST_LINK: Final = 2000
MOST_SHOWN: Final = 6
LONGEST_LINE: Final = 220
NOVELTY: Final = 0.5  # what repeating what is chosen already costs, against standing for the rest
ABOUT: Final = 0.5  # of a topic's words, by weight, that a post must have
DEEPEST: Final = 50  # replies to replies of a thread

_COLUMNS: Final = "key account_key id url handle service written language text".split()
_WORD: Final = re.compile(r"\w{3,}")
_DAYS: Final[dict[Period, int]] = {"today": 0, "yesterday": 1, "week": 7, "month": 30}
Row = dict[str, Any]


class Digest(Struct, frozen=True):
    """What was posted: how much, by how many, and the posts that stand for it, best first."""

    posts: int
    people: int
    chosen: list[Source]
    is_part: bool = False  # there are more; these are the newest


def of_time(workspace: Workspace, period: Period, topic: str, now: datetime) -> Digest:
    """Sum up a time: today and yesterday are days of UTC, week and month the last 7 and 30 days."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    since = midnight - timedelta(_DAYS[period])
    until = midnight if period == "yesterday" else now + timedelta(minutes=1)
    retrieval = Store(workspace).retrieval
    moments = [f"timestamp '{moment:%Y-%m-%d %H:%M:%S}'" for moment in (since, until)]
    times = retrieval.read(
        ["key", "written"], f"written >= {moments[0]} AND written < {moments[1]}"
    )
    return _digest(workspace, *_newest(workspace, times), topic)


def of_thread(workspace: Workspace, link: str) -> Digest | None:
    """Sum up the thread that a post is in; None if the link is unknown or may not be read."""
    store, named = Store(workspace), link.replace("'", "''")
    if len(link) > LONGEST_LINK:
        return None
    linked = store.records.read(["key"], f"url = '{named}' OR id = '{named}'", few=True)
    if not len(linked) or not permitted(workspace, _rows(store, linked["key"].to_list())):
        return None
    times = store.retrieval.find(_thread(store, linked["key"][0]), ["key", "written"])
    rows, is_part = _newest(workspace, times)
    order = {row["id"]: place for place, row in enumerate(rows)}
    digest = _digest(workspace, rows, is_part)
    return structs.replace(digest, chosen=sorted(digest.chosen, key=lambda s: order[s.id]))


def _thread(store: Store, post: int) -> list[int]:
    """Return the keys of all posts of the thread that a post is in."""
    whole = store.records.read(["key", "reply_key"])
    root = post
    for _ in range(DEEPEST):
        above = whole.filter(pl.col("key") == root)["reply_key"].to_list()
        if not any(above) or not (whole["key"] == above[0]).any():
            break
        root = above[0]
    keys = level = {root}
    for _ in range(DEEPEST):
        level = set(whole.filter(pl.col("reply_key").is_in(list(level)))["key"]) - keys
        if not level:
            break
        keys = keys | level
    return list(keys)


def _newest(workspace: Workspace, times: pl.DataFrame) -> tuple[list[Row], bool]:
    """Return the newest posts of those with these times that may be read, oldest first.

    And whether there are more. Of the others, which may be very many, no text is read.
    """
    keys = times.sort("written", "key")["key"].tail(MOST_READ).to_list()
    return permitted(workspace, _rows(Store(workspace), keys)), len(times) > MOST_READ


def _rows(store: Store, keys: list[int]) -> list[Row]:
    return store.retrieval.find(keys, _COLUMNS).sort("written", "key").to_dicts()


def markdown(digest: Digest, language: str, when: str, topic: str) -> str:
    """Write a digest out: how much there was, and a line for each chosen post."""
    named = say(language, when)
    if not digest.posts and topic:
        return say(language, "nothing_about", topic=topic, when=named)
    if not digest.posts:
        return say(language, "nothing_posted", when=named)
    posts = counted(language, "newest" if digest.is_part else "posts", digest.posts)
    people = counted(language, "people", digest.people)
    lines = [f"- {escaped(source.excerpt)} — {_signed(source)}" for source in digest.chosen]
    return "\n".join([say(language, "posted", posts=posts, when=named, people=people), "", *lines])


def _signed(source: Source) -> str:
    return f"*{signed(source.handle, source.service, source.date)}*"


def _about(topic: str, rows: list[Row]) -> list[Row]:
    lower = topic.lower()
    words = [word for word in _WORD.findall(lower) if len(word) > 3 or lower == word]
    if not words:
        return rows
    shares = passages.shares(
        list(dict.fromkeys(words))[:MOST_WORDS], [row["text"][:LONGEST_READ] for row in rows]
    )
    return [row for row, share in zip(rows, shares, strict=True) if share >= ABOUT]


def _digest(workspace: Workspace, rows: list[Row], is_part: bool, topic: str = "") -> Digest:
    rows = _about(topic, rows)
    bags = _weighed([Counter(_WORD.findall(row["text"][:LONGEST_READ].lower())) for row in rows])
    total: dict[str, float] = {}
    for bag in bags:
        for word, weight in bag.items():
            total[word] = total.get(word, 0.0) + weight
    length = math.sqrt(sum(weight * weight for weight in total.values())) or 1.0
    centre = {word: weight / length for word, weight in total.items()}
    echo = _echo(workspace, [row["key"] for row in rows])
    worth = [
        _product(bag, centre) * (1 + math.log1p(echo.get(row["key"], 0)))
        for row, bag in zip(rows, bags, strict=True)
    ]
    people = people_of(workspace, rows)
    whose = [people.get(row["account_key"], str(row["account_key"])) for row in rows]
    chosen: list[int] = []
    left = [place for place, row in enumerate(rows) if len(_line(row["text"])) > 20]
    near = [0.0] * len(rows)  # to the nearest that is chosen
    while left and len(chosen) < MOST_SHOWN:
        best = max(left, key=lambda place: (worth[place] * (1 - NOVELTY * near[place]), place))
        chosen.append(best)
        left = [place for place in left if whose[place] != whose[best]]
        for place in left:
            near[place] = max(near[place], _product(bags[place], bags[best]))
    return Digest(
        len(rows),
        len(set(whose)),
        [Source.of(rows[place], _line(rows[place]["text"])) for place in chosen],
        is_part,
    )


def _weighed(bags: Sequence[Counter[str]]) -> list[dict[str, float]]:
    """Weigh words by tf-idf, each text's vector of length one."""
    spread = Counter(word for bag in bags for word in bag)
    weighed = []
    for bag in bags:
        raw = {
            word: (1 + math.log(n)) * math.log(1 + len(bags) / spread[word])
            for word, n in bag.items()
        }
        length = math.sqrt(sum(weight * weight for weight in raw.values())) or 1.0
        weighed.append({word: weight / length for word, weight in raw.items()})
    return weighed


def _product(one: dict[str, float], other: dict[str, float]) -> float:
    short, long = sorted((one, other), key=len)
    return sum(weight * long.get(word, 0.0) for word, weight in short.items())


def _echo(workspace: Workspace, keys: list[int]) -> Counter[int]:
    """Count replies and reactions to posts; who they are from is not looked at."""
    store, found = Store(workspace), Counter[int]()
    for table, column in ((store.records, "reply_key"), (store.interactions, "object_key")):
        column_rows = table.read([column])[column]
        found.update(column_rows.filter(column_rows.is_in(keys)).to_list())
    return found


def _line(text: str) -> str:
    """Return a post's beginning: whole sentences as far as they fit."""
    line = ""
    for sentence in passages.sentences(text[:LONGEST_READ]):
        if line and len(line) + len(sentence) >= LONGEST_LINE:
            break
        line = f"{line} {sentence}".strip()
    return line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE].rsplit(" ", 1)[0] + " …"
