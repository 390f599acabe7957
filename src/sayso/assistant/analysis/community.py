"""The community's own public numbers as tables: counts of posts and objections, and of nobody.

Every row of `posts` stands for at least five people, and no post is in two rows. So whatever is
asked of it is a sum over groups of five people or more, and what two answers differ by is, too.
"""

import io
from typing import Final

import numpy as np
import polars as pl

from sayso.assistant import uploads
from sayso.assistant.uploads import Upload
from sayso.corpus.store import Store
from sayso.gate.keyset import KeySet
from sayso.rights import items, objections, people, statistics, tombstones
from sayso.rights.database import Rights, now
from sayso.rights.statistics import FEWEST, Cell
from sayso.workspace import Workspace

OTHER: Final = "other"
_TIMES: Final = ("day", "week", "month", "year")
_KINDS: Final = ("service", "language", "surface")
# What is told of a group that is too small, step by step: when, then what. A week that lies in
# two months is told by parts, or else without its month.
_STEPS: Final = [
    (times, kinds)
    for times in (_TIMES, _TIMES[1:], ("week", "year"), _TIMES[2:], _TIMES[3:], ())
    for kinds in (_KINDS, _KINDS[:2])
] + [((), _KINDS[:1]), ((), ())]


def community_tables(workspace: Workspace) -> list[Upload]:
    """Return the public numbers as tables to ask (`analyse`); they hold no person and no handle.

    `posts` (day, week, month, year, service, language, surface, posts) counts posts that answers
    may draw on at this moment.
    """
    rights = Rights(workspace)
    with rights.reading() as connection:
        objected = statistics.collect(connection, now())
    tables = {
        "posts": protected(_posts(workspace, rights)),
        "objections_by_month": _counted("month", objected.by_month),
        "objections_by_channel": _counted("channel", objected.by_channel),
        "objections_by_service": _counted("service", objected.by_service),
    }
    return [
        _upload(name, frame) for name, frame in tables.items() if frame.height or name == "posts"
    ]


def _posts(workspace: Workspace, rights: Rights) -> pl.DataFrame:
    """Return a row for each post that may be answered from: who, when, where, in what language."""
    store = Store(workspace)
    posts = store.retrieval.read(["key", "account_key", "service", "written", "language"])
    with rights.reading() as connection:
        out = KeySet(np.concatenate([items.out_keys(connection), items.frozen_keys(connection)]))
    gone = KeySet(tombstones.frame(rights)["key"].to_numpy())
    silent = KeySet(np.concatenate([objections.objectors(rights), objections.claimed(rights)]))
    keys, authors = posts["key"].to_numpy(), posts["account_key"].to_numpy()
    allowed = posts.filter(~(out.contains(keys) | gone.contains(keys) | silent.contains(authors)))
    accounts = people.frame(rights).select("account_key", "person_key")
    day = pl.col("written").dt.date()
    return (
        allowed.join(accounts, on="account_key", how="left")
        .join(store.records.read(["key", "surface"]), on="key", how="left")
        .select(
            person=pl.coalesce("person_key", "account_key"),
            day=day,
            week=day.dt.truncate("1w"),
            month=day.dt.truncate("1mo"),
            year=day.dt.truncate("1y"),
            service="service",
            language=pl.col("language").replace("", None).fill_null("unknown"),
            surface=pl.col("surface").replace("", None).fill_null(OTHER),
        )
    )


def protected(posts: pl.DataFrame) -> pl.DataFrame:
    """Return counts of posts in which every row stands for at least five people.

    Args:
        posts: a row for each post: `person` and the columns of `posts` but its count.

    Returns:
        `posts`, without posts of the last few people, fewer than five, who fit into no group.
    """
    told: list[pl.DataFrame] = []
    rest = posts
    for times, kinds in _STEPS:
        names = [*times, *kinds]
        sizes = rest.with_columns(people=pl.col("person").n_unique().over(names) if names else
                                  pl.lit(rest["person"].n_unique()))  # fmt: skip
        is_told = pl.col("people") >= FEWEST
        told.append(_blurred(sizes.filter(is_told), times, kinds))
        rest = sizes.filter(~is_told).drop("people")
    rows = pl.concat(told)
    groups = [*_TIMES, *_KINDS]
    return rows.group_by(groups).agg(posts=pl.len()).sort(groups, nulls_last=True)


def _blurred(posts: pl.DataFrame, times: tuple[str, ...], kinds: tuple[str, ...]) -> pl.DataFrame:
    """Leave out of a part of the posts what is not told of it."""
    days = [pl.col(n) if n in times else pl.lit(None, pl.Date).alias(n) for n in _TIMES]
    words = [pl.col(n) if n in kinds else pl.lit(OTHER).alias(n) for n in _KINDS]
    return posts.select("person", *days, *words)


def _counted(name: str, cells: tuple[Cell, ...]) -> pl.DataFrame:
    return pl.DataFrame(
        {name: [cell.name for cell in cells], "objections": [cell.count for cell in cells]},
        schema={name: pl.String, "objections": pl.Int64},
    )


def _upload(name: str, frame: pl.DataFrame) -> Upload:
    data = io.BytesIO()
    frame.write_parquet(data)
    return Upload(f"{name}.parquet", uploads.PARQUET, data.getvalue())
