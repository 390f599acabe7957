"""'What did I miss?' over the sample community."""

from datetime import UTC, datetime, timedelta
from time import process_time

import polars as pl
import pytest

from sayso.assistant import summary
from sayso.assistant.permission import people_of, permitted
from sayso.corpus import admission
from sayso.corpus.ingest import import_paths
from sayso.corpus.prepare import prepare
from sayso.corpus.store import Store
from sayso.rights import objections
from sayso.rights.database import Rights
from sayso.settings import Settings
from sayso.workspace import Workspace
from tests.conftest import KEY, SAMPLE

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def harbour(tmp_path_factory):
    home = tmp_path_factory.mktemp("summary") / "home"
    workspace = Workspace.create(home, Settings(community="Muschelhaven"), KEY)
    import_paths(workspace, [SAMPLE / "accounts.jsonl", SAMPLE / "quay.jsonl"])
    prepare(workspace, admission.judge_all(workspace, NOW))
    return workspace


def posts(workspace):
    return Store(workspace).retrieval.read()


@pytest.mark.parametrize("period", ["today", "yesterday", "week", "month"])
def test_a_time_is_summed_up_by_its_own_posts(harbour, period):
    everything = posts(harbour)
    now = everything["written"].max()
    days = {"today": 0, "yesterday": 1, "week": 7, "month": 30}[period]
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    end = midnight if period == "yesterday" else now + timedelta(seconds=1)
    inside = everything.filter(
        (pl.col("written") >= midnight - timedelta(days)) & (pl.col("written") < end)
    )
    digest = summary.of_time(harbour, period, "", now)
    assert digest.posts == len(inside)
    assert digest.people == len(set(people_of(harbour, inside.to_dicts()).values()))
    assert {source.id for source in digest.chosen} <= set(inside["id"])
    handles = [source.handle for source in digest.chosen]
    assert len(set(handles)) == len(handles) <= summary.MOST_SHOWN
    assert bool(handles) == bool(len(inside))
    for language in ("en", "de"):
        told = summary.markdown(digest, language, period, "")
        assert len(told.splitlines()) == (len(handles) + 2 if handles else 1)


def test_a_topic_keeps_to_the_topic(harbour):
    now = posts(harbour)["written"].max()
    digest = summary.of_time(harbour, "month", "Gerda", now)
    assert digest.chosen
    assert all("gerda" in source.excerpt.lower() or source.excerpt for source in digest.chosen)
    texts = dict(posts(harbour).select("id", "text").iter_rows())
    assert all("gerda" in texts[source.id].lower() for source in digest.chosen)
    none = summary.of_time(harbour, "month", "Vulkanologie", now)
    assert (none.posts, none.chosen) == (0, [])
    assert "Vulkanologie" in summary.markdown(none, "de", "month", "Vulkanologie")
    assert summary.markdown(none, "de", "month", "Vulkanologie").startswith("In den letzten 30")


def test_what_others_cannot_write_into_a_summary():
    source = summary.Source("1", "@a", "s", "2026-01-01", "[x](javascript:1) `c` <b> # h", "en")
    line = summary.markdown(summary.Digest(1, 1, [source]), "en", "week", "").splitlines()[-1]
    assert "\\[x](javascript:1) \\`c\\` \\<b>" in line
    named = summary.Source("1", "@a\n\n# [x](http://e.example)", "s", "2026-01-01", "Hello", "en")
    told = summary.markdown(summary.Digest(1, 1, [named]), "en", "week", "")
    assert told.splitlines()[-1] == "- Hello — *@a # \\[x](http://e.example), s, 2026-01-01*"


def test_of_many_posts_the_newest_are_told_as_such(harbour, monkeypatch):
    now = posts(harbour)["written"].max()
    monkeypatch.setattr(summary, "MOST_READ", 3)
    digest = summary.of_time(harbour, "month", "", now)
    assert (digest.posts, digest.is_part) == (3, True)
    newest = set(posts(harbour).filter(pl.col("written") <= now).sort("written")["id"].tail(3))
    assert {source.id for source in digest.chosen} <= newest
    assert "**Die neuesten 3 Beiträge in den letzten" in summary.markdown(digest, "de", "month", "")


def test_long_posts_and_topics_cost_little(harbour):
    texts = [" ".join(f"w{n % 97}x{n * m}" for n in range(9000)) for m in range(1, 60)]
    row = posts(harbour).to_dicts()[0]
    rows = [row | {"key": n, "account_key": n, "text": text} for n, text in enumerate(texts)]
    begun = process_time()
    summary._digest(harbour, rows, is_part=False, topic=" ".join(f"w{n}x" for n in range(4000)))
    assert process_time() - begun < 3


def test_a_thread_is_told_in_its_order(harbour):
    records = Store(harbour).records.read(["key", "id", "reply_key", "created_at"])
    answered = records.filter(pl.col("key").is_in(records["reply_key"].unique().to_list()))
    readable = set(posts(harbour)["id"])
    root = next(i for i in answered.sort("created_at")["id"] if i in readable)
    digest = summary.of_thread(harbour, root)
    assert digest is not None
    assert digest.posts >= 2
    dates = [source.date for source in digest.chosen]
    assert dates == sorted(dates)
    for unknown in ("https://nowhere.example/1", "' OR '1' = '1", "x" * 10_000, "\\'"):
        assert summary.of_thread(harbour, unknown) is None


def test_who_objects_is_out_of_summaries_at_once(harbour):
    now = posts(harbour)["written"].max()
    gone = summary.of_time(harbour, "month", "", now).chosen[0]
    author = Store(harbour).records.read(["id", "author"]).filter(pl.col("id") == gone.id)
    objections.receive(Rights(harbour), author["author"][0])
    after = summary.of_time(harbour, "month", "", now)
    assert gone.handle not in {source.handle for source in after.chosen}
    assert gone.id not in {row["id"] for row in permitted(harbour, posts(harbour).to_dicts())}
    assert summary.of_thread(harbour, gone.id) is None
