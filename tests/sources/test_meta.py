"""What Meta's exports share: damaged text, labels, roots, subtitles."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sayso.content.record import normalise_text
from sayso.sources import facebook, instagram, meta, threads
from sayso.sources.meta_files import Picture, exports
from tests.sources.meta_exports import (
    INSTAGRAM_PROFILE,
    POSTS,
    damaged,
    facebook_post,
    items_of,
    only,
    picture,
    tree_of,
    zipped,
)

READERS = (facebook, instagram, threads)
LARGE = 50_000_000


@given(st.text())
@example("café")
@example("Ã©")
@example("\u200d👩‍👩‍👧 \x85")
def test_text_comes_back_as_it_was_written(text):
    assert meta.repaired(damaged(text)) == text
    assert meta.words(damaged(text)) == normalise_text(text)


@given(st.text(st.characters(min_codepoint=0x100, codec="utf-8"), min_size=1), st.text())
def test_text_with_anything_beyond_latin_1_was_never_damaged(beyond, rest):
    assert meta.repaired(rest + beyond) == rest + beyond
    assert meta.repaired(beyond + rest) == beyond + rest


ASCII = st.text(st.characters(max_codepoint=0x7F), min_size=1)
LATIN = st.characters(min_codepoint=0x80, max_codepoint=0xFF)


@given(st.lists(st.tuples(ASCII, LATIN)))
def test_single_letters_of_latin_1_are_left_alone(pairs):
    text = "".join(plain + letter for plain, letter in pairs)
    assert meta.repaired(text) == text


def test_text_that_is_cut_within_a_letter_is_left_as_it_is():
    assert meta.repaired("caf\u00c3") == "caf\u00c3"


def test_values_keys_and_paths_are_repaired_once(tmp_path):
    profile = {"profile_user": [{"string_map_data": {"Privéaccount": {"value": "Onwaar"}}}]}
    row = {"media": [picture("media/été.jpg", "Ã© is what Meta writes for é")]}
    for name in ("media/été.jpg", damaged("media/été.jpg"), "media/e\u0301te\u0301.jpg"):
        record = only(items_of(zipped(
            tmp_path, {"content/posts_1.json": [row], INSTAGRAM_PROFILE: profile, name: b"x"}
        )))  # fmt: skip
        if name.isascii() or "\u0301" not in name:
            assert [medium.path for medium in record.media] == [name]
        assert record.text == "Ã© is what Meta writes for é"
        assert record.audience == "public"


def test_documents_in_proper_utf_8_are_read_as_they_are(tmp_path):
    rows = json.dumps([facebook_post("Straße, naïve, 生日")], ensure_ascii=False).encode()
    assert only(items_of(zipped(tmp_path, {POSTS: b"\xef\xbb\xbf" + rows}))).text == (
        "Straße, naïve, 生日"
    )


def test_labels_of_all_dialects():
    found = meta.labels({
        "string_map_data": {"Zeit": {"timestamp": 5}, "bad": 1},
        "string_list_data": [{"href": "https://x.example/1", "value": "v"}, None],
        "label_values": [
            {"label": "A", "value": "a", "ent_field_name": "Text"},
            {"dict": [{"label": "B", "value": "b", "timestamp_value": 7}], "title": "T"},
            {"label": "C", "vec": [{"value": "c"}, {"dict": [{"value": "d"}]}]},
            {"media": {"uri": "m.jpg"}},
        ],
    })  # fmt: skip
    assert [(each.name, each.text, each.link, each.at, each.nested) for each in found] == [
        ("Zeit", "", "", 5, False), ("", "v", "https://x.example/1", None, False),
        ("Text", "a", "", None, False), ("T", "", "", None, False), ("B", "b", "", 7, True),
        ("C", "", "", None, False), ("", "c", "", None, True), ("", "", "", None, True),
        ("", "d", "", None, True), ("", "", "", None, False),
    ]  # fmt: skip
    assert found[-1].media == ({"uri": "m.jpg"},)


def test_labels_nested_without_end_are_not_followed_without_end():
    value: dict = {"label": "x", "value": "x"}
    for _ in range(500):
        value = {"dict": [value]}
    assert len(meta.labels({"label_values": [value]})) < 20


@pytest.mark.parametrize(
    ("name", "folders"),
    [
        ("posts_1.json", [""]),
        ("posts/your_posts_1.json", ["", "posts/"]),
        ("A/posts/album/0.json", ["A/", "A/posts/", "A/posts/album/"]),
        ("media/A/content/posts_1.json", ["media/A/", "media/A/content/"]),
        ("A/your_facebook_activity/new/posts_1.json",
         ["A/", "A/your_facebook_activity/", "A/your_facebook_activity/new/"]),
    ],
)  # fmt: skip
def test_where_an_export_begins(name, folders):
    (export,) = exports(tree_of({name: b""}, "x.zip"), lambda member: "post", "facebook")
    assert list(export.folders) == folders


@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("facebook-member.1-2026-11-01-AbCd.zip", "member.1"),
        ("Facebook-100012345-01_11_2026-AbCd.zip", "100012345"),
        ("facebook-Member1-27.08.2026-BuQQ", "member1"),
        ("facebook-member.1-2026-11-01", "member.1"),
        ("instagram-member_1-2026-11-01-AbCd.zip", ""),
        ("facebook-export.zip", ""),
        ("facebook-2026-11-01.zip", ""),
        ("my-facebook-member-2026-11-01.zip", ""),
    ],
)
def test_whom_an_archive_is_called_after(name, user):
    (export,) = exports(tree_of({"a.json": b""}, name), lambda member: "post", "facebook")
    assert export.user == user
    (export,) = exports(tree_of({f"{name}/a.json": b""}, "x"), lambda member: "post", "facebook")
    assert export.user == user


def test_an_archive_of_two_members_is_called_after_neither():
    files = {"A/a.json": b"", "B/a.json": b""}
    found = exports(tree_of(files), lambda member: "post", "facebook")
    assert [export.user for export in found] == ["", ""]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"1\n00:00:00,000 --> 00:00:01,000\nOne\n\n2\n00:00:01,0 --> 00:00:02\nTwo", "One\nTwo"),
        (b"\xef\xbb\xbf1\r\n0:0:0.0 --> 0:0:1.0\r\n{\\an8}<b>Bold</b>  \r\n", "Bold"),
        ("WEBVTT - x\n\n00:00.000 --> 00:01.000\nÇa va".encode(), "Ça va"),
        (damaged("1\n00:00:00,000 --> 00:00:01,000\nÇa va").encode(), "Ça va"),
        (b"1\n00:00:00,000 --> 00:00:01,000\nbroken \xff byte\n", "broken  byte"),
        (b"", ""),
    ],
)  # fmt: skip
def test_subtitles(data, words):
    tree = tree_of({"posts_1.json": b"", "r.srt": data})
    (export,) = exports(tree, lambda m: "post" if m.name == "posts_1.json" else "", "facebook")
    medium = export.medium(Picture("r.mp4", "", "r.srt"), "")
    assert (medium.transcript if medium else "") == words
    assert tree.members[1].used


@pytest.mark.parametrize(
    "uri", ["../x.jpg", "/posts/1.jpg", "https://x.example/1.jpg", "", "posts/"]
)
def test_paths_lead_nowhere_else(uri):
    tree = tree_of({"A/posts/your_posts_1.json": b"", "x.jpg": b"", "A/posts/1.jpg": b""})
    (export,) = exports(tree, lambda m: "post" if m.name.endswith("json") else "", "facebook")
    medium = export.medium(Picture(uri), "")
    assert (medium.path if medium else "") == ("A/posts/1.jpg" if uri == "/posts/1.jpg" else "")
