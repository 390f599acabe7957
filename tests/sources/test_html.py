"""HTML to text: what a reader sees, whatever the markup; and never a hang or a crash."""

import contextlib
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sayso.sources import html
from sayso.sources.html import TangledError, to_text

LINK = (
    '<a href="https://docs.example/2026/11/a-long-way-down" target="_blank" rel="nofollow" '
    'translate="no"><span class="invisible">https://</span><span class="ellipsis">docs.example/'
    '2026/11/a-long</span><span class="invisible">-way-down</span></a>'
)
MENTION = (
    '<span class="h-card" translate="no"><a href="https://square.example/@member-2" '
    'class="u-url mention">@<span>member-2</span></a></span>'
)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("", ""),
        ("no markup", "no markup"),
        ("fish &amp; chips", "fish & chips"),
        ("<p>low tide</p>", "low tide"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<p>one<br>two<br/>three<br />four</p>", "one\ntwo\nthree\nfour"),
        ("<p>one<br><br>two</p>", "one\n\ntwo"),
        ("<p>one<br></p><p>two</p>", "one\n\ntwo"),
        ("<p>I&#39;m &lt;here&gt; &amp;amp; &quot;there&quot;</p>", "I'm <here> &amp; \"there\""),
        ("<p>&hearts; &eacute; &#9731; AT&T</p>", "♥ é ☃ AT&T"),
        (f"<p>see {LINK} now</p>", "see https://docs.example/2026/11/a-long-way-down now"),
        (f"<p>{MENTION} hello</p>", "@member-2 hello"),
        ('<p><a href="#" class="mention hashtag" rel="tag">#<span>tide</span></a>!</p>', "#tide!"),
        ('<a href="https://docs.example">the docs</a>', "the docs"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("<p>a</p><ol><li>one<ul><li>deep</li></ul></li><li></li></ol><p>b</p>",
         "a\n\n- one\n- deep\n\nb"),
        ("<blockquote><p>theirs</p><p>more</p></blockquote><p>mine</p>",
         "> theirs\n>\n> more\n\nmine"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>", "> a\n>\n>> b"),
        ("<pre><code>def f():\n    return 1\n</code></pre>", "def f():\n    return 1"),
        ("<p>runs   of\n spaces \t</p>", "runs of spaces"),
        ("<p>a <b> b</b> <i>c</i></p>", "a b c"),
        ("<h1>Title</h1><div>line</div><div>line</div>", "Title\n\nline\nline"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 2\n3"),
        ("<p>cut <b>off", "cut off"),
        ("<p>a<p>b", "a\n\nb"),
        ("<b>a<i>b</b>c</i>", "abc"),
        ("a < b and b > c", "a < b and b > c"),
    ],
)  # fmt: skip
def test_what_is_read(markup, text):
    assert to_text(markup) == text


def test_what_is_not_for_reading_is_left_out():
    for tag in ("script", "style", "template", "iframe", "noscript", "svg", "textarea"):
        assert to_text(f"<p>a</p><{tag}>secret</{tag}><p>b</p>") == "a\n\nb"
    assert to_text("<p>a<!-- <p>secret</p> -->b</p>") == "ab"
    assert to_text('<p onclick="secret()">a</p>') == "a"
    fallback = '<p class="quote-inline">RE: <a href="https://x.example">x</a></p><p>mine</p>'
    assert to_text(fallback) == "mine"


def test_emoji_keep_their_shortcodes():
    markup = '<p>:tide: <img class="emoji" alt=":boat:" title=":boat:" src="/boat.png" /> out</p>'
    assert to_text(markup) == ":tide: :boat: out"


def test_it_is_not_read_twice():
    assert to_text("<p>&lt;script&gt;x&lt;/script&gt;</p>") == "<script>x</script>"


HOSTILE = {
    "deep": "<div>" * 300_000,
    "reopened": "<p>" + "".join(f"<b x={i}>" for i in range(5000)) + "</p>" + "<p>x" * 5000,
    "attributes": "<p " + " ".join(f"a{i}=1" for i in range(60_000)) + ">x",
    "unclosed": "<" * 200_000,
    "quotes": '<a href="' * 50_000,
    "references": "&" * 300_000 + "<p>",
    "comments": "<!--" * 100_000,
    "spaces": "<p " + " " * 300_000,
    "lists": "<ul><li>" * 50_000,
    "letters": "<" + "a" * 300_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_markup_is_refused_or_read_at_once(kind):
    began = time.process_time()
    with contextlib.suppress(TangledError):
        to_text(HOSTILE[kind])
    assert time.process_time() - began < 2


@pytest.mark.parametrize("size", [html.DEEPEST - 1, html.DEEPEST + 50, 490])
def test_deep_nesting_that_is_small_is_read(size):
    assert to_text("<div>" * size + "here" + "</div>" * size) == "here"


def test_a_long_article_that_is_well_formed_is_read():
    markup = "<p>one <b>two</b> <a href='#'>three</a></p>".replace("'", '"') * 20_000
    assert to_text(markup).count("one two three") == 20_000


PIECES = st.sampled_from(
    "<p> </p> <b> </b> <i> </i> <a> </a> <br> <br/> <ul> </ul> <ol> </ol> <li> </li> <pre> </pre> "
    "<div> </div> <blockquote> </blockquote> <span> </span> <h1> </h1> <h2> </h2> <dl> </dl> <dt> "
    "</dt> <dd> </dd> <code> </code> <q> </q> <section> </section> <summary> </summary> <em> </em> "
    "<details> </details> <small> </small> <figure> </figure> <center> </center> <table> "
    "</table> <tr> <td> <caption> <form> </form>".split()
)  # fmt: skip
WORDS = st.one_of(st.text("ab \n\t", max_size=4), st.sampled_from(["&amp;", "&#39;", "&lt;p&gt;"]))


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    tags = st.sampled_from("p b i a ul li ol pre div blockquote span h1 code dl dd section".split())
    return st.tuples(tags, st.lists(inner, max_size=3)).map(
        lambda made: f"<{made[0]}>{''.join(made[1])}</{made[0]}>"
    )


def check_quick_ways(markup: str) -> None:
    for way in (html._flat, html._well_formed):
        quick = way(markup)
        assert quick is None or quick == html._any(markup)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(st.one_of(PIECES, WORDS)).map("".join), st.recursive(WORDS, nested)))
@example("<p>a<p>b</p>c</p>d")
@example("<pre>\n\n a</pre>")
@example("<<b>p>a<br")
@example("a</p<b>>")
@example("<li>a<li>b</li></li>")
def test_the_quick_way_reads_what_browsers_read(markup):
    check_quick_ways(markup)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.text("<>/&;=\"'!-ab \n#x0\0\r")))
def test_any_text_at_all_is_read(markup):
    text = to_text(markup)
    assert text == text.strip(" \n")
    lines = markup.replace("\r", "\n")
    check_quick_ways(lines)
