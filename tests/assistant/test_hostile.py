"""Texts made to keep a pattern busy: each is read in time linear in its length."""

from time import process_time

import pytest

from sayso.assistant import abilities, analysis, markdown, prompt, uploads, wishes
from sayso.assistant.analysis import words

N = 300_000


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (wishes.from_wish, "translate x" + " " * N + "!"),
        (wishes.from_wish, "translate " + "x to " * (N // 5)),
        (abilities.from_command, "/run " + "```\n" * (N // 4)),
        (markdown.escaped, "\n" * N),
        (markdown.quoted, "\n \t" * (N // 3)),
        (prompt.plain, "![" * (N // 2)),
        (prompt.plain, "![x](data:" * (N // 10)),
        (prompt.plain, "x```vega-lite\n" * (N // 14)),
        (prompt.plain, "<|a" * (N // 6) + "|>" * (N // 6)),
        (uploads._MARKUP.match, " " * N + "<"),
        (uploads._MARKUP.match, "<!---->" * (N // 7)),
        (uploads._points_outside, b"<Relationship " * (N // 14)),
        (uploads._points_outside, b'<Relationship a="' * (N // 17)),
        (analysis._given, "`" * N),
        (analysis._given, "```sql\n" + "\n " * (N // 2)),
        (words.tokens, "„" * N),
        (words.tokens, "»" * N),
    ],
)
def test_it_is_read_at_once(read, text):
    begun = process_time()
    read(text)
    assert process_time() - begun < 3
