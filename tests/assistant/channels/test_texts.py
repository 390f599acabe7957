"""Markdown for messengers: marks, pieces, pictures and charts."""

import base64
import importlib.util
import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.assistant.channels import drawing, rich, telegram, whatsapp
from sayso.assistant.channels.attachments import MOST_PICTURES, take_out
from sayso.assistant.channels.rich import Mark, Rich
from sayso.assistant.channels.splitting import cut, is_within, pieces

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PICTURE = f"![A ferry](data:image/png;base64,{base64.b64encode(PNG).decode()})"
CHART = {
    "title": "Ferries",
    "data": {"values": [{"day": "Mon", "ferries": 7}, {"day": "Tue", "ferries": 9}]},
    "mark": "bar",
    "encoding": {"x": {"field": "day"}, "y": {"field": "ferries", "type": "quantitative"}},
}
FENCED = f"```vega-lite\n{msgspec.json.encode(CHART).decode()}\n```"
MARKDOWN = """\
# Ferries

The **ferry *to* town** leaves at `07:15`, [says the plan](https://plan.example/@line/1) ~~no~~.

> Quoted by @member-1
> over two lines

- on workdays
  - early
- on Sundays

| day | time |
|---|---|
| Mon | 07:15 |

```python
leave("07:15")
```
"""


def test_marks_become_each_platforms_own():
    said = rich.read(MARKDOWN, spelled_links=True).wrapped(whatsapp.SIGNS)
    assert (
        said
        == """\
*Ferries*

The *ferry _to_ town* leaves at `07:15`, says the plan (https://plan.example/@line/1) ~no~.

> Quoted by @member-1
> over two lines

• on workdays
  • early
• on Sundays

```day | time
Mon | 07:15```

```leave("07:15")```"""
    )
    marked = rich.read(MARKDOWN, spelled_links=False)
    told = {
        (entity["type"], telegram_part(marked.text, entity), entity.get("url"))
        for entity in telegram.entities(marked)
    }
    assert {
        ("bold", "Ferries", None),
        ("bold", "ferry to town", None),
        ("italic", "to", None),
        ("text_link", "says the plan", "https://plan.example/@line/1"),
        ("pre", 'leave("07:15")', None),
    } <= told


def telegram_part(text: str, entity: dict[str, int]) -> str:
    units = text.encode("utf-16-le")
    return units[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode(
        "utf-16-le"
    )


def test_no_words_become_markup_or_links_of_their_own():
    said = rich.read(
        "<b>x</b> <script>y</script> [z](javascript:alert(1)) &lt;i&gt;", spelled_links=False
    )
    assert "<b>x</b> <script>y</script>" in said.text
    assert not said.marks and "<i>" in said.text


def test_names_in_an_answer_call_nobody_and_links_stay_whole():
    for said in ("@member-1@net", r"\@member-1", "&#64;member-1", "**@**member-1", "(@member-1)"):
        text = rich.read(said, spelled_links=True).without_calls().text
        assert not re.search(r"(?<![=/\w])@\w", text), said
    for said in ("x²@member-1", "ö@member-1", "Ⅷ@member-1", "/@member-1", "https://x,@member-1"):
        text = rich.read(said, spelled_links=True).without_calls().text
        assert not re.search(r"@\w", text), said
    link = "[a](https://x.example/@name?q=@b) mail@x.example"
    assert (
        "https://x.example/@name?q=@b" in rich.read(link, spelled_links=True).without_calls().text
    )
    moved = Rich("@a @b c", (Mark(3, 5, "bold"), Mark(6, 7, "code"))).without_calls()
    assert [moved.text[m.start : m.end] for m in moved.marks] == ["@\u2060b", "c"]


signs = [
    *"ab .!?\n",
    "\n\n",
    "é",
    "e\u0301",
    "\u200d",
    "👩\u200d👧",
    "🇩",
    "🇪",
    "界",
    "🏽",
    "\ufe0f",
]
characters = st.lists(st.sampled_from(signs), max_size=100).map("".join)
sizes = st.sampled_from([len, lambda t: len(t.encode()), lambda t: len(t.encode("utf-16-le")) // 2])


@given(
    characters,
    st.integers(8, 40),
    sizes,
    st.lists(st.tuples(st.integers(0, 120), st.integers(1, 30)), max_size=3),
)
@settings(max_examples=100, deadline=None)
def test_pieces_joined_are_the_text_and_each_fits(text, limit, size, spans):
    whole = [(start, start + length) for start, length in spans if start + length <= len(text)]
    found = list(cut(text, limit, lambda a, b: size(text[a:b]), whole))
    assert "".join(text[a:b] for a, b in found) == text
    assert all(a < b and size(text[a:b]) <= limit for a, b in found)
    assert [b for _, b in found[:-1]] == [a for a, _ in found[1:]]


@given(
    st.lists(
        st.sampled_from(["é", "e\u0301", "👩\u200d👧\u200d👦", "🇩🇪", "👍🏽", "界", "a"]),
        max_size=60,
    )
)
@settings(max_examples=60, deadline=None)
def test_no_cut_is_within_a_character(characters):
    text = "".join(characters)
    ends = {0}
    for character in characters:
        ends.add(max(ends) + len(character))
    cuts = [b for _, b in cut(text, 30, lambda a, b: len(text[a:b].encode()))]
    assert set(cuts) <= ends
    assert not any(is_within(text, end) for end in ends)


@given(
    st.lists(
        st.sampled_from(
            ["word ", "**bold** ", "`code` ", "\n\n", "\n```\na b\nc\n```\n", "Ende. "]
        ),
        max_size=40,
    )
)
@settings(max_examples=60, deadline=None)
def test_pieces_with_their_signs_fit_and_are_whole(parts):
    said = rich.read("".join(parts), spelled_links=True)
    found = pieces(said, 60, lambda piece: len(piece.wrapped(whatsapp.SIGNS)))
    written = [piece.wrapped(whatsapp.SIGNS) for piece in found]
    assert all(0 < len(text) <= 60 and text.count("```") % 2 == 0 for text in written)
    assert "".join("".join(p.text.split()) for p in found) == "".join(said.text.split())


def test_no_cell_makes_a_table_endless():
    table = "\n".join(["|a|b|", "|---|---|", f"|{'x' * 5000}|1|", *["|y|2|"] * 300])
    assert len(rich.read(table, spelled_links=True).text) < 25_000
    wide = "\n".join([f"|{'a|' * 150}", f"|{'-|' * 150}", *["|x|"] * 100])
    found = rich.read(f"**b**\n\n{wide}", spelled_links=True)
    assert len(found.text) == rich.LONGEST and found.text.endswith(" …")
    assert all(mark.end <= len(found.text) for mark in found.marks)


def test_it_is_cut_where_a_reader_would_pause():
    text = "One sentence. Another one.\n\nA new paragraph begins here. And ends."
    assert [text[a:b] for a, b in cut(text, 40)] == [
        "One sentence. Another one.\n\n",
        "A new paragraph begins here. And ends.",
    ]
    code = "Look:\n\n```\nline one\nline two\n```"
    said = rich.read(code, spelled_links=True)
    assert [piece.text for piece in pieces(said, 18, lambda p: len(p.text))] == [
        "Look:",
        "line one\nline two",
    ]


def test_pictures_and_charts_are_taken_out_of_the_text():
    drawn = []
    text, pictures = take_out(
        f"Here:\n\n{PICTURE}\n\n{FENCED}\n\nDone.", lambda s: drawn.append(s) or b"PNG"
    )
    assert text == "Here:\n\n\n\n\n\nDone." and drawn == [CHART]
    assert [(p.data, p.media_type, p.alt) for p in pictures] == [
        (PNG, "image/png", "A ferry"),
        (b"PNG", "image/png", "Ferries"),
    ]


def test_a_chart_that_cannot_be_drawn_is_a_table():
    def fails(spec):
        raise ValueError("External data url not allowed")

    text, pictures = take_out(FENCED, fails)
    assert not pictures and "| Mon | 7 |" in text and "vega" not in text
    table = "| a | b |\n|---|---|\n| 1 | 2 |"
    assert take_out(f"{table}\n\n{FENCED}", fails) == (table, ())
    assert take_out("```vega-lite\nnot json\n```\nX", fails) == ("X", ())


def test_what_is_no_picture_is_told_in_words():
    for data in ("", "A", "====", base64.b64encode(bytes(5 * 1024 * 1024 + 1)).decode()):
        assert take_out(f"![A ferry](data:image/png;base64,{data})") == ("A ferry", ())
    # Others stay links: nothing is fetched.
    assert take_out("![x](https://x.example/y.png)")[1] == ()


@pytest.mark.skipif(not importlib.util.find_spec("vl_convert"), reason="the extra `channels`")
def test_vega_lite_is_drawn():
    _, (picture,) = take_out(FENCED)
    assert picture.data.startswith(b"\x89PNG") and picture.alt == "Ferries"


@pytest.mark.skipif(not importlib.util.find_spec("vl_convert"), reason="the extra `channels`")
def test_a_chart_cannot_stop_the_server(monkeypatch):
    monkeypatch.setattr(drawing, "MEMORY_MB", 400)
    monkeypatch.setattr(drawing, "SECONDS", 2.0)
    endless = {"transform": [{"calculate": "length(sequence(1e9))", "as": "n"}]}
    for spec in (CHART | endless, CHART | {"width": 60_000, "height": 60_000}, {"mark": "x"}):
        with pytest.raises(ValueError, match="cannot be drawn"):
            drawing.draw(spec)


@pytest.mark.parametrize(
    "part",
    [
        {"data": {"url": "http://127.0.0.1:9/x.csv"}},
        {"mark": {"type": "image", "url": "file:///etc/logo.png"}},
        {"encoding": {"url": {"field": "day"}}},
        {"layer": [{"data": {"sequence": {"start": 0, "stop": 1e9}}}]},
    ],
)
def test_a_chart_reads_no_address_and_no_file(part):
    with pytest.raises(ValueError, match="not drawn here"):
        drawing.draw(CHART | part)


def test_an_answer_has_few_pictures():
    text, pictures = take_out("\n\n".join([PICTURE] * 30))
    assert len(pictures) == MOST_PICTURES and text.count("A ferry") == 30 - MOST_PICTURES
