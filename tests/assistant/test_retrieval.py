"""Posts are found by their words and their sense, by who may read them, and not otherwise."""

import os
import re
import unicodedata
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lance.file import LanceFileReader

from sayso.assistant import minilm
from sayso.assistant.embedding import Embedder
from sayso.assistant.retrieval import question as questions
from sayso.assistant.retrieval import ranking, search, tables, vectors
from sayso.audit.erasure import _codes_without_row, raw_rows
from sayso.corpus import admission, columns, store
from sayso.corpus.erase import erase
from sayso.corpus.prepare import prepare, tidy
from sayso.corpus.store import Store, Table
from sayso.corpus.terms import terms
from sayso.rights import objections
from sayso.rights.database import Rights
from sayso.settings import Settings
from sayso.workspace import Workspace
from tests.conftest import AT, KEY
from tests.corpus.world import event, post, take

POSTS = {
    1: ("de", "Unsere Fahrradwerkstätten haben montags bis 18 Uhr auf."),
    2: ("de", "Beim Straßenfest spielt die Kapelle; Häuser an der Mole werden geschmückt."),
    3: ("en", "The libraries of our town lend umbrellas to anybody who is running late."),
    4: ("ja", "港の灯台は毎日開いています。"),
    5: ("th", "ตลาดน้ำเปิดทุกวันเสาร์"),
    6: ("zh", "图书馆星期三关门。"),
    7: ("sv", "Båthamnens bryggor målades i våras."),
    8: ("en", "A physician looks after sick children on Tuesdays without appointment."),
    9: ("en", "The slipway crane lifts boats up to nine tonnes."),
}
needs_model = pytest.mark.skipif(minilm.find() is None, reason="the model is not installed")


def refresh(workspace: Workspace) -> None:
    judged = admission.judge_all(workspace, AT)
    prepare(workspace, judged)
    tidy(workspace, judged)


def ids(workspace: Workspace, question: str, limit: int = 9) -> list[str]:
    return [source.id for source in search(workspace, question, limit, AT)]


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """The posts above, by nine people, without vectors."""
    workspace = Workspace.create(tmp_path_factory.mktemp("town") / "home", Settings(), KEY)
    take(
        workspace,
        *(
            post(
                number, text, language=language,
                author={"id": f"m{number}@square", "age_band": "adult"},
                url=f"https://square.example/{number}" if number % 2 else "javascript:alert(1)",
            )
            for number, (language, text) in POSTS.items()
        ),
    )  # fmt: skip
    refresh(workspace)
    return workspace


@pytest.fixture(scope="module")
def sensed(town):
    """The same with vectors."""
    while vectors.fill(town):
        pass
    yield town
    Embedder.start(town).close()


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("Wann hat die Werkstatt auf?", 1),
        ("Fahrrad", 1),
        ("fahrräder reparieren: welche werkstatt?", 1),
        ("Wo ist das Fest?", 2),
        ("ein Haus an der Mole", 2),
        ("Strassenfest", 2),
        ("library", 3),
        ("who runs late?", 3),
        ("灯台はいつ開いていますか", 4),
        ("ตลาดน้ำ", 5),
        ("图书馆什么时候关门", 6),
        ("brygga", 7),
        ("hamn", 7),
        ("CRANE!!!", 9),
    ],
)
def test_words_are_found_in_their_other_forms(town, question, number):
    assert ids(town, question)[:1] == [f"post-{number}"]


@pytest.mark.parametrize(
    "question",
    ["Was gibt es denn?", "", "   ", "?!", "Where is the pharmacy?", "Wer backt Kuchen?", "駅"],
)
def test_nothing_is_found_where_nothing_bears_on_the_question(town, question):
    assert ids(town, question) == []


@pytest.mark.parametrize(
    "question",
    ['crane AND "', "text:crane", "crane~2^9", "(crane", "crane' OR 1=1 --", "+crane -boats *"],
)
def test_a_question_has_no_syntax(town, question):
    assert ids(town, question) == ids(town, " ".join(re.findall(r"\w+", question)))
    assert ids(town, question + " lifts boats to nine tonnes")[:1] == ["post-9"]


@given(st.text(max_size=60), st.sampled_from(["de", "en", "th", "und"]))
def test_terms_hold_nothing_but_letters_digits_marks_and_our_own_hyphen(text, language):
    for term in [*terms(text, language).split(" "), *questions.read(text).terms.split(" ")]:
        bare = term.removeprefix("-").removesuffix("-")
        assert all(unicodedata.category(letter)[0] in "LNM" for letter in bare), term


def test_a_source_says_where_it_stands_and_links_nowhere_else(town):
    assert [s.link for s in search(town, "crane", 9, AT)] == ["https://square.example/9"]
    assert [s.link for s in search(town, "Straßenfest", 9, AT)] == [""]


@needs_model
def test_sense_finds_what_no_word_does(sensed):
    question = "Where is a doctor for my ill kids?"
    assert ids(sensed, question)[:1] == ["post-8"]
    assert ids(sensed, "What is the wifi password of the yacht club?") == []
    (source,) = search(sensed, question, 1, AT)
    assert source.excerpt == POSTS[8][1]


@needs_model
def test_vectors_go_with_their_record(sensed, tmp_path):
    workspace = sensed
    number = workspace.pseudonyms.number
    table = Store(workspace).vectors
    assert set(table.read(["key"])["key"]) == {number("record", f"post-{n}") for n in POSTS}
    take(workspace, post(3, "The museum lends telescopes.", rev=2, author={"id": "m3@square"}))
    take(workspace, event("content.delete", id="post-9"))
    objections.receive(Rights(workspace), "m8@square")
    assert ids(workspace, "Where is a doctor for my ill kids?") == []  # before anything is erased
    erase(workspace)
    refresh(workspace)
    gone = {number("record", f"post-{n}") for n in (3, 8, 9)}
    files = list((table.path / "data").glob("*.lance"))
    assert files
    assert not gone & {key for file in files for key in raw_rows(file)["key"]}
    assert vectors.fill(workspace) == 1
    assert vectors.fill(workspace) == 0
    edited = table.read(["key", "rev"]).filter(key=number("record", "post-3"))
    assert edited["rev"].to_list() == [2]


@needs_model
def test_what_goes_while_its_vector_is_made_stays_away(town, tmp_path, monkeypatch):
    workspace = Workspace.create(tmp_path / "home", Settings(), KEY)
    model = minilm.gguf_file(town)
    os.link(model, workspace.models / model.name)  # making it takes a second
    take(workspace, post(1), post(2, "high water"))
    refresh(workspace)
    embed = Embedder.embed

    def slow(self, texts):
        objections.receive(Rights(workspace), "member-1@square")
        erase(workspace)
        return embed(self, texts)

    monkeypatch.setattr(Embedder, "embed", slow)
    vectors.fill(workspace)
    kept = Store(workspace).vectors.read(["key"])["key"].to_list()
    assert kept == [workspace.pseudonyms.number("record", "post-2")]
    Embedder.start(workspace).close()


def test_the_index_of_vectors_loses_the_codes_of_what_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "MANY_ROWS", 300)
    table = Table(tmp_path / "vectors.lance", columns.vectors(16), nearest="vector")
    unit = np.random.default_rng(1).normal(size=(400, 16)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    import pyarrow as pa

    whole = np.arange(400)
    flat = pa.array(unit.astype(np.float16).ravel())
    parts = {
        name: pa.array(whole, table.schema.field(name).type) for name in table.schema.names[:5]
    }
    parts |= {
        "model": pa.array(["m"] * 400),
        "vector": pa.FixedSizeListArray.from_arrays(flat, 16),
    }
    table.append(pa.table(parts, schema=table.schema))
    table.index_vectors()
    assert coded(table) == 400
    assert next(iter(tables.by_sense(table, unit[7], "m", 3))) == 7
    table.delete(list(range(50)))
    assert _codes_without_row(table) == 50  # a control: only marked, the codes are still there
    table.erase()
    assert (coded(table), _codes_without_row(table)) == (350, 0)
    assert next(iter(tables.by_sense(table, unit[77], "m", 3))) == 77
    assert 7 not in tables.by_sense(table, unit[7], "m", 350)


def coded(table: Table) -> int:
    """Rows in the files of its vectors' index."""
    files = table.path.glob("_indices/*/auxiliary.idx")
    return sum(LanceFileReader(str(file)).read_all().to_table().num_rows for file in files)


def test_fresh_posts_come_first_where_now_is_asked_for(tmp_path):
    workspace = Workspace.create(tmp_path / "home", Settings(), KEY)
    told = {1: "The ferry leaves at seven from pier three", 2: "Ferry: leaving at nine, pier two"}
    take(
        workspace,
        post(1, told[1], created_at=f"{AT - timedelta(60):%Y-%m-%d}"),
        post(2, told[2], created_at=f"{AT - timedelta(1):%Y-%m-%d}"),
    )
    refresh(workspace)
    assert ids(workspace, "When does the ferry leave from pier three?")[0] == "post-1"
    for asked in ("Does the ferry leave today?", "ferry heute?", "ferry right now"):
        assert ids(workspace, asked)[0] == "post-2", asked


def test_nobody_comes_more_than_twice_and_no_words_again(tmp_path):
    workspace = Workspace.create(tmp_path / "home", Settings(), KEY)
    said = ["opens early", "closes for repairs", "sells fresh mussels", "has a new roof"]
    mine = [post(3 * n, f"The kiosk {what} this spring.") for n, what in enumerate(said)]
    take(workspace, *mine, post(13, "A kiosk is being built."), post(15, mine[0]["text"]))
    refresh(workspace)
    number = [int(name.removeprefix("post-")) for name in ids(workspace, "kiosk")]
    assert sorted(n % 3 for n in number) == [0, 0, 1]
    assert len(ids(workspace, "What does @member-0 say of the kiosk?")) == 5


@given(st.lists(st.lists(st.integers(0, 9), unique=True), max_size=3))
def test_fusing_keeps_all_and_prefers_what_is_better_everywhere(rankings):
    fused = ranking.fuse(*((ranking_, 1.0) for ranking_ in rankings))
    assert fused.keys() == {key for ranking_ in rankings for key in ranking_}
    assert list(fused.values()) == sorted(fused.values(), reverse=True)
    for one in fused:
        for other in fused:
            if all(
                one in r and (other not in r or r.index(one) < r.index(other)) for r in rankings
            ):
                assert fused[one] > fused[other] or one == other
