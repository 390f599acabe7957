"""Members' words within Markdown have no power over the page; read back by a real parser."""

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sayso.assistant.markdown import escaped, quoted

PARSER = MarkdownIt("commonmark")
PARTS = ["![", "[", "](", "http://e.example/x.png", ")", "<img src=x>", "<", "`", "```\n"]
PARTS += ["\n", "\\", "# ", "> ", "- ", "1. ", "word ", "*b* ", "<http://e.example>"]
PARTS += [
    "[x]: http://e.example\n",
    "## ",
    ">x",
    "===\n",
    "---\n",
    "~~~\n",
    "* ",
    "+ ",
    "12) ",
    "\r",
]
ACTIVE = {"link_open", "image", "html_inline", "html_block", "code_inline", "fence"}


def kinds(markdown):
    found = set()
    for token in PARSER.parse(markdown):
        found.add(token.type)
        found.update(child.type for child in token.children or ())
    return found


@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
@example("![\r# ")
@example("word\r\n===\r")
def test_no_link_picture_code_or_html_comes_of_it(text):
    assert not kinds(escaped(text)) & (ACTIVE | {"heading_open", "bullet_list_open"})
    assert not kinds(quoted(text)) & ACTIVE
    outside = [token for token in PARSER.parse(quoted(text)) if token.level == 0]
    assert {token.type for token in outside} <= {"blockquote_open", "blockquote_close"}


def test_plain_words_stay_as_they_are():
    text = "Die Gerda fährt um 7:15 – komm mit! Kostet 3 €, siehe https://quay.example/a_b"
    assert escaped(text) == text
    assert quoted("a\nb") == "> a\n> b"
