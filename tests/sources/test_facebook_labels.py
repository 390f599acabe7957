"""Facebook's rows of labelled values, as of 2025, in the member's language."""

import pytest

from tests.sources.facebook_exports import ACTIVITY, BEACH, read
from tests.sources.meta_exports import (
    AT,
    POSTS,
    facebook_post,
    only,
    photo,
    rejected,
    skipped,
    texts,
)


def test_a_document_of_one_row_is_the_row(tmp_path):
    label = {"label": "Bericht", "value": "Proficiat"}
    items = read(tmp_path, {
        POSTS: facebook_post("The only one"),
        f"{ACTIVITY}/posts/posts_on_other_pages_and_profiles.json":
            {"timestamp": AT, "media": [], "label_values": [label], "fbid": "5"},
    })  # fmt: skip
    assert texts(items) == ["The only one", "Proficiat"]


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ([("Message", "Happy birthday")], "Happy birthday"),
        ([("Bericht", "Gefeliciteerd"), ("Doel", "Member Two")], "Gefeliciteerd"),
        ([("Nachricht", "Alles Gute"), ("URL", "https://www.facebook.com/9")], "Alles Gute"),
        ([("消息", "生日快乐"), ("目标", "Member Two")], "生日快乐"),
        ([("Skilaboð", "Til hamingju")], "Til hamingju"),
        ([("Skilaboð", "Til hamingju"), ("Viðtakandi", "Member Two")], None),
        ([("URL", "https://www.facebook.com/9")], ""),
    ],
)
def test_posts_on_other_profiles_in_several_languages(tmp_path, labels, text):
    target = {"dict": [{"label": "Name", "value": "Member Three"}], "title": "Target"}
    row = {
        "timestamp": AT,
        "label_values": [{"label": name, "value": value} for name, value in labels] + [target],
        "fbid": "9",
    }
    path = f"{ACTIVITY}/posts/posts_on_other_pages_and_profiles.json"
    items = read(tmp_path, {path: [row]})
    if text is None:
        assert [(r.file, r.where) for r in rejected(items)] == [(path, "item 1")]
    elif text == "":
        assert skipped(items) == {"nothing in it": 1}
    else:
        assert (only(items).text, only(items).audience) == (text, "unknown")


@pytest.mark.parametrize(
    ("name", "value", "audience"),
    [
        ("Privacy", "Public", "public"),
        ("Audience", "Only me", "only_me"),
        ("Zielgruppe", "Öffentlich", "custom"),
        ("隐私", "公开", "custom"),
    ],
)
def test_an_audience_among_the_labels(tmp_path, name, value, audience):
    told = [{"label": "Skilaboð", "value": "Halló"}, {"label": name, "value": value}]
    record = only(read(tmp_path, {POSTS: [{"timestamp": AT, "label_values": told}]}))
    assert (record.text, record.audience) == ("Halló", audience)


def test_media_of_labelled_posts(tmp_path):
    row = {
        "timestamp": AT,
        "label_values": [
            {"label": "Text", "value": "Look"},
            {"label": "Media", "media": [photo(BEACH, "Look")]},
        ],
    }
    record = only(read(tmp_path, {POSTS: [row], BEACH: b"x"}))
    assert (record.text, [m.path for m in record.media]) == ("Look", [BEACH])
