"""Records of every kind, as hypothesis makes them: all that a source may hand in."""

import string
from datetime import UTC, datetime

from hypothesis import strategies as st

from sayso.content.record import (
    AGE_BANDS,
    AUDIENCES,
    HIGHEST_REV,
    LONGEST_ID,
    Medium,
    Record,
    normalise_text,
)

PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
texts = st.text(st.characters(codec="utf-8"), max_size=40)
ids = st.one_of(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
    st.text(string.ascii_lowercase, min_size=1, max_size=3).map("https://square.example/".__add__),
    st.just("x" * LONGEST_ID),
)
names = st.one_of(
    st.just(""),
    st.sampled_from(
        ["acct:member-1@square.example", "did:plc:abc", "member-1@square", "https://a.example/u/b"]
    ),
    texts,
)
words = st.one_of(
    texts.map(normalise_text),
    st.sampled_from(["a\n\nb\nc", "<b> & </b>", "\n\n\n", " a ", "\t", "<p>x</p>"]),
)
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
media = st.builds(
    Medium,
    path=names,
    kind=st.sampled_from(["image", "video", "audio", "file", ""]),
    alt=words,
    alt_language=st.sampled_from(["", "de"]),
    caption=words,
    transcript=words,
    license=texts,
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Any valid record that is no private message."""
    audience = draw(st.sampled_from([each for each in AUDIENCES if each != "direct"]))
    public = audience in ("public", "unlisted")
    created_at = draw(st.none() | moments)
    return Record(
        id=draw(ids),
        rev=draw(st.integers(1, HIGHEST_REV - 1)),
        service=draw(texts.filter(bool)),
        surface=draw(st.sampled_from(["post", "comment", "bio", *(["message"] if public else [])])),
        author=draw(names),
        co_authors=draw(st.integers(0, 3)),
        age_band=draw(st.sampled_from(["", *AGE_BANDS])),
        age_source=draw(texts),
        kind=draw(st.sampled_from(["", "person", "bot", "page"])),
        audience=audience,
        audience_source=draw(
            st.sampled_from(["asserted", "derived", "operator"] + [""] * (audience == "unknown"))
        ),
        created_at=created_at,
        date_state="given" if created_at else draw(st.sampled_from(["absent", "unreadable"])),
        edited_at=draw(st.none() | moments),
        language=draw(st.sampled_from(["", "en", "pt-BR", "und", "not a language"])),
        text=draw(words),
        content_warning=draw(words),
        sensitive=draw(st.booleans()),
        media=tuple(draw(st.lists(media, max_size=3))),
        reply_to=draw(names),
        quote_of=draw(names),
        container=draw(names),
        mentions=tuple(draw(st.lists(names, max_size=3))),
        tags=tuple(draw(st.lists(texts, max_size=3))),
        url=draw(names),
        train_signal=draw(st.sampled_from(["", "allow", "deny", "unreadable"])),
        license=draw(texts),
        source=draw(texts),
    )
