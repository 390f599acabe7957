"""What an answer passes before it is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.assistant.engine import Chunk
from sayso.assistant.filters import judged, load_hook, masked, unlooped
from sayso.corpus.clean import mask
from sayso.errors import UsageError


def pieces(text, sizes):
    """Cut a text into chunks of these sizes, the last of them with the end of the answer."""
    at, chunks = 0, []
    for size in sizes:
        chunks.append(Chunk(text[at : at + size]))
        at += size
    return [*chunks, Chunk(text[at:]), Chunk("", "stop", 3, 5, "r")]


def shown(chunks):
    return "".join(chunk.text for chunk in chunks)


SECRETS = {
    "Write to otter@harbour.example today.": "Write to [E-MAIL] today.",
    "Call +49 431 123 45 67 or come by.": "Call [PHONE] or come by.",
    "It is DE89 3704 0044 0532 0130 00.": "It is [IBAN].",
    "name (at) harbour (dot) example, he said": "[E-MAIL], he said",
    "The one called @mussel-3 knows.": "The one called [MENTION] knows.",
}


@given(st.sampled_from(sorted(SECRETS)), st.lists(st.integers(0, 9), max_size=20))
def test_contact_data_is_masked_however_the_answer_is_cut(text, sizes):
    assert shown(masked(iter(pieces(text, sizes)), "en", "")) == SECRETS[text]
    assert shown(masked(iter(pieces(text, sizes)), "en", f"They asked: {text}")) == text


def test_code_and_plain_words_stay_and_the_end_is_told():
    text = "See:\n```python\nx = 'otter@harbour.example'\n```\nor otter@harbour.example"
    chunks = list(masked(iter(pieces(text, [3, 9, 14])), "en", ""))
    assert shown(chunks) == text.removesuffix("otter@harbour.example") + "[E-MAIL]"
    assert (chunks[-1].text, chunks[-1].finish_reason) == ("", "stop")
    assert (chunks[-1].prompt_tokens, chunks[-1].completion_tokens, chunks[-1].release) == (
        3,
        5,
        "r",
    )


def test_remote_pictures_become_links():
    text = "See ![a boat](https://tracker.example/x.png?q=1) there"
    assert shown(masked(iter(pieces(text, [5, 1, 3])), "en", "")) == text.replace("!", "")


@given(st.text(max_size=200), st.lists(st.integers(0, 30), max_size=10))
def test_what_has_no_mask_is_shown_as_it_is(text, sizes):
    if "```" not in text and "![" not in text and mask(text, "en", "") == text:
        assert shown(masked(iter(pieces(text, sizes)), "en", "")) == text


def test_leaving_closes_what_generates():
    closed = []

    def generating():
        try:
            yield Chunk("a ")
            yield Chunk("b ")
        finally:
            closed.append(True)

    for wrap in (lambda c: masked(c, "en", ""), lambda c: judged(c, lambda t, _: t, "")):
        stream = wrap(generating())
        next(stream)
        stream.close()
    assert closed == [True, True]


def test_an_answer_that_goes_in_a_circle_ends():
    circle = "Hello.\n\nGerman:\n\n" + "English:\n\nGerman:\n\n" * 60
    chunks = list(unlooped(iter(pieces(circle, [4] * 250))))
    assert chunks[-1].finish_reason == "stop"
    assert shown(chunks) == circle[: len(shown(chunks))]
    assert len(shown(chunks)) < 160
    table = "| a | b |\n| --- | --- |\n" + "".join(f"| {n} | {n * n} |\n" for n in range(40))
    rule = "-" * 60 + "\n" + "ha " * 10
    for fine in (table, rule, "very " * 4 + "well"):
        assert shown(unlooped(iter(pieces(fine, [5] * 30)))) == fine


def no_gulls(text, kind):
    return None if "gull" in text else text.upper()


def test_the_hook_sees_sentences_and_ends_an_answer():
    told = "One boat. Two boats.\nA gull came. And more."
    chunks = list(judged(iter(pieces(told, [4] * 8)), no_gulls, "[withheld]"))
    assert shown(chunks) == "ONE BOAT. TWO BOATS.\n[withheld]"
    assert chunks[-1].finish_reason == "content_filter"
    fine = list(judged(iter(pieces("One boat", [2])), no_gulls, "[withheld]"))
    assert shown(fine) == "ONE BOAT"
    assert fine[-1].finish_reason == "stop"


def test_the_hook_sees_an_answer_that_breaks_off_and_calls_of_functions():
    for text, shown_of_it in (("One boat", "ONE BOAT"), ("A gull", "[withheld]")):
        assert shown(judged(iter([Chunk(text)]), no_gulls, "[withheld]")) == shown_of_it

    def calling(*arguments):
        for part in arguments:
            yield Chunk("", tool_calls=({"index": 0, "function": {"arguments": part}},))
        yield Chunk("", "tool_calls")

    def as_it_is(text, kind):
        return None if "gull" in text else text

    fine = list(judged(calling('{"a": ', "1}"), as_it_is, "[withheld]"))
    said = [call["function"]["arguments"] for chunk in fine for call in chunk.tool_calls]
    assert ("".join(said), fine[-1].finish_reason) == ('{"a": 1}', "tool_calls")
    held = list(judged(calling('{"a": "gu', 'll"}'), as_it_is, "[withheld]"))
    assert (shown(held), held[-1].finish_reason) == ("[withheld]", "content_filter")
    assert not any(chunk.tool_calls for chunk in held)


def test_a_hook_that_fails_shows_nothing_more():
    def broken(text, kind):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        list(judged(iter(pieces("One boat.", [])), broken, ""))


def test_hooks_are_found_or_refused():
    assert load_hook("") is None
    assert load_hook(f"{__name__}:no_gulls") is no_gulls
    for place in ("nowhere:x", f"{__name__}:nothing", __name__, ":"):
        with pytest.raises(UsageError, match="cannot be imported"):
            load_hook(place)
