"""The chat in a real browser: streaming, Markdown, charts, files, commands, what is kept where."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from sayso.settings import Serving, Settings
from sayso.workspace import Workspace
from tests.web.browsing import BROWSER, context, faults, signed_in, watched
from tests.web.conftest import KnownAssistant, Running, poll, serving

pytestmark = BROWSER
# A green square.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FABJADveWkH6oAAAA"
    "AElFTkSuQmCC"
)
PICTURE = f"![A green square](data:image/png;base64,{PNG})"
ROWS = [{"month": f"2026-0{month}", "posts": 1000 * month} for month in range(1, 7)]
SPEC = {
    "title": "Posts by month",
    "data": {"values": ROWS},
    "transform": [{"calculate": "datum.posts / 2", "as": "half"}],
    "mark": "bar",
    "encoding": {"x": {"field": "month"}, "y": {"field": "half", "type": "quantitative"}},
}
CHART = f"```vega-lite\n{json.dumps(SPEC)}\n```"
# Writes into the field of the question, sends the form, and adds a button of its own to it.
BOUND = [
    {"name": "a", "expr": "width ? '/run' : ''", "bind": {"element": "#question"}},
    {"name": "b", "expr": "width ? a : ''", "bind": {"element": "#ask", "event": "submit"}},
    {"name": "c", "value": 0, "bind": {"input": "submit", "formaction": "/object"}},
]
REFUSED = (
    {"params": BOUND},
    {"transform": [{"calculate": "length(sequence(1e9))", "as": "n"}]},
    {"transform": [{"density": "posts", "steps": 1e9}]},
)
PYTHON = "def rides(path: str) -> int:\n    return 42  # one a line"

# A file that is dropped or pasted.
BROUGHT = """(field, [kind, size]) => {
  const data = new DataTransfer();
  data.items.add(new File(['[{"a": 1}]'.padEnd(size)], `${kind}.json`));
  const init = { bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data };
  field.dispatchEvent(kind === "drop" ? new DragEvent(kind, init) : new ClipboardEvent(kind, init));
}"""


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = Settings(community="Test harbour", serving=Serving(parallel=1))
    workspace = Workspace.create(tmp_path_factory.mktemp("chat") / "home", settings)
    assistant = KnownAssistant()
    with serving(workspace, assistant) as address:
        yield Running(address, assistant, workspace)
        assistant.go.set()


@pytest.fixture
def site(harbour: Running) -> Iterator[Running]:
    harbour.assistant.__dict__.update(KnownAssistant().__dict__)
    yield harbour
    harbour.assistant.endless = False
    harbour.assistant.go.set()


@pytest.fixture
def page(chromium: Browser, site: Running) -> Iterator[Page]:
    with context(chromium, site) as made, watched(made, site) as page:
        page.goto("/")
        yield page


def ask(page: Page, words: str = "When does the ferry leave?") -> Locator:
    """Ask, wait for the whole answer, and return its words."""
    page.locator("#question").fill(words)
    page.keyboard.press("Enter")
    expect(page.locator(".retry:visible")).to_have_count(1)
    return page.locator(".answered").last.locator(".words")


def said(site: Running) -> list[str]:
    return [message["content"] for message in site.assistant.asked[-1]]


def test_chat_streams_and_unfolds_its_sources(page: Page, site: Running) -> None:
    site.assistant.go.clear()
    links = ("https://forum.example/1", "javascript:alert(1)")
    site.assistant.sources = [
        msgspec.structs.replace(source, link=link)
        for source, link in zip(site.assistant.sources, links, strict=True)
    ]
    page.get_by_label("Your question").fill("When does the ferry leave?")
    page.keyboard.press("Enter")
    # The sources are there before the first word.
    expect(page.locator(".answered .count")).to_have_text("2")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("The answer is being written.")
    expect(page.get_by_role("log")).to_have_attribute("aria-busy", "true")
    site.assistant.go.set()
    expect(page.locator(".answered strong")).to_have_text("ferry")
    expect(page.locator(".answered .words li").first).to_have_text("on workdays")
    # Once and whole, not word by word.
    expect(page.get_by_role("status")).to_contain_text("leaves at 07:15")
    expect(page.get_by_role("log")).to_have_attribute("aria-live", "off")
    expect(page.locator(".answered .words")).not_to_contain_text("Sources:")
    page.locator(".answered summary").press("Enter")
    expect(page.locator(".answered blockquote").nth(1)).to_have_text(
        "Die Fähre fährt auch sonntags."
    )
    assert page.locator(".answered blockquote").nth(1).get_attribute("lang") == "de"
    expect(page.locator(".cite").first).to_have_text(re.compile("@member-1.*forum.*Sep 11, 2026"))
    (shown,) = page.locator(".cite a").all()
    assert shown.get_attribute("href") == links[0]
    # Asked again, the assistant knows what was said before; a reload keeps the talk in this tab.
    ask(page, "And back?")
    assert [m["role"] for m in site.assistant.asked[1]] == ["user", "assistant", "user"]
    page.reload()
    expect(page.locator(".turn")).to_have_count(4)
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.get_by_role("heading", name="Ask Test harbour")).to_be_visible()
    page.reload()
    expect(page.locator(".turn")).to_have_count(0)
    assert page.evaluate("localStorage.length") == 0


def test_chat_stops_and_tries_again_and_edits(page: Page, site: Running) -> None:
    site.assistant.endless = True
    page.get_by_role("button", name="What is on this week?").click()
    expect(page.locator(".answered .words")).to_contain_text("ferry")
    page.keyboard.press("Escape")
    expect(page.locator(".answered .note")).to_have_text("Stopped.")
    poll(site.assistant.closed.is_set)
    site.assistant.endless = False
    site.assistant.error = RuntimeError("x")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".answered .note")).to_have_text("No answer came. Please try again.")
    site.assistant.error = None
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".answered .note")).to_be_hidden()
    expect(page.locator(".retry:visible")).to_have_count(1)
    expect(page.locator(".answered")).to_have_count(1)
    assert said(site) == ["What is on this week?"]
    # The last question comes back into the empty field, and another answer takes the place.
    page.locator("#question").press("ArrowUp")
    expect(page.locator("#question")).to_have_value("What is on this week?")
    expect(page.locator("#editing")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#question")).to_have_value("")
    page.get_by_role("button", name="Edit").click()
    ask(page, "And next week?")
    expect(page.locator(".asked .words")).to_have_text("And next week?")
    expect(page.locator(".turn")).to_have_count(2)
    assert said(site) == ["And next week?"]


def test_markdown_is_shown(page: Page, site: Running) -> None:
    site.assistant.pieces = [
        "### First\n\n# Second\n\na **b** *c* ~~d~~ `e` [f](https://example.org/x) https://example.org\n",
        "\n3. third\n   - inner\n\n> quoted\n> still\n\n| a | b |\n|:--|--:|\n| 1 | `2` |\n\n---\n",
        f"```python\n{PYTHON}\n```\n\nمرحبا\n\n```\nopen",
    ]
    words = ask(page)
    # No level is skipped, whatever the answer says.
    assert words.locator("h3").all_inner_texts() == ["First", "Second"]
    for element, text in (("strong", "b"), ("em", "c"), ("s", "d"), ("p > code", "e")):
        expect(words.locator(element).first).to_have_text(text)
    link = words.locator("a").first
    assert link.get_attribute("href") == "https://example.org/x"
    assert link.get_attribute("rel") == "noopener noreferrer nofollow"
    expect(words.locator("a")).to_have_count(2)
    assert words.locator("ol").get_attribute("start") == "3"
    expect(words.locator("ol ul li")).to_have_text("inner")
    expect(words.locator("blockquote")).to_have_text("quoted\nstill")
    assert words.locator("td").nth(1).evaluate("e => getComputedStyle(e).textAlign") == "right"
    expect(words.locator("hr")).to_have_count(1)
    assert words.locator("p").last.evaluate("e => getComputedStyle(e).direction") == "rtl"
    expect(words.locator("pre").last).to_have_text("open")
    expect(words.locator(".language")).to_have_text(["Python", "Code"])
    expect(words.locator(".hl-keyword").first).to_have_text("def")
    assert words.locator("pre").first.text_content() == PYTHON
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    words.get_by_role("button", name="Copy").first.click()
    expect(words.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == PYTHON
    words.get_by_role("button", name="Run").click()
    expect(page.locator(".asked")).to_have_count(2)
    expect(page.locator(".retry:visible")).to_have_count(1)
    assert said(site)[-1] == f"/run\n```python\n{PYTHON}\n```"


def test_hostile_answers_and_posts_stay_text(page: Page, site: Running) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    site.assistant.pieces = [
        f"{hostile} **{hostile}**\n\n# {hostile}\n> {hostile}\n\n- {hostile}\n\n",
        f"```html\n{hostile}\n**no**\n```\n\n```<img src=x onerror=alert(1)>\nx\n```\n\n",
        "[a](javascript:alert(3)) [b](JaVaScRiPt:alert(3)) [c](data:text/html,x) [d](vbscript:x) ",
        "[e](java\tscript:x) [f](\x01javascript:x) <javascript:alert(1)> [g](//evil.example/x) ",
        "![remote](https://evil.example/x.png) ![svg](data:image/svg+xml;base64,PHN2Zz4=) ",
        "[x]: javascript:alert(4)\n\n[x] [h](file:///etc/passwd) [i](blob:x)\n\n",
        '```vega-lite\n{"data":{"url":"https://evil.example/d.json"},"mark":"bar"}\n```\n\n',
        '```vega-lite\n{"data":{"values":[{"u":"https://evil.example"}]},"mark":"point",',
        '"encoding":{"href":{"field":"u"}}}\n```\n\n```vega-lite\n{"data":{"sequence":',
        '{"start":0,"stop":1e9}},"mark":"bar"}\n```\n\n```vega-lite\nno\n```\n',
        *(f"```vega-lite\n{json.dumps(SPEC | part)}\n```\n\n" for part in REFUSED),
        "> " * 500 + "deep\n\n" + "*a **b " * 3000,
    ]
    words = ask(page, hostile)
    expect(words.get_by_text("This chart cannot be drawn here.")).to_have_count(7)
    assert len(site.assistant.asked) == 1
    assert words.locator("img, script, iframe, svg, object, form, style").count() == 0
    links = words.locator("a").evaluate_all("all => all.map((a) => a.href)")
    assert links == [f"{page.url[:5]}//evil.example/x", "https://evil.example/x.png"]
    expect(words.locator("h3").first).to_have_text(hostile)
    expect(words.locator("pre").first).to_have_text(f"{hostile}\n**no**")
    expect(page.locator(".asked .words")).to_have_text(hostile)
    handlers = "e => [...e.querySelectorAll('*')].flatMap((x) => x.getAttributeNames())"
    assert not [name for name in words.evaluate(handlers) if name.startswith("on")]


def test_charts_and_pictures_are_shown_and_stored(page: Page, site: Running) -> None:
    site.assistant.pieces = [f"Look:\n\n{CHART}\n\n", *re.findall(".{1,40}", PICTURE), "\n\nEnd."]
    words = ask(page)
    drawing = words.locator(".drawing")
    expect(drawing.locator("svg path[aria-label]")).to_have_count(
        6
    )  # expressions ran, without eval
    expect(page.get_by_role("img", name="Chart: Posts by month")).to_be_visible()
    words.locator(".data summary").click()
    expect(words.locator(".data td").nth(1)).to_have_text("1000")
    for name, start in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        with page.expect_download() as download:
            words.get_by_role("button", name=f"Save as {name}").click()
        assert download.value.suggested_filename == f"posts-by-month.{name.lower()}"
        assert Path(download.value.path()).read_bytes().startswith(start)
    picture = page.get_by_role("img", name="A green square")
    assert picture.evaluate("e => e.decode().then(() => e.naturalWidth)") == 10
    with page.expect_download() as download:
        words.get_by_role("link", name="Save picture").click()
    assert Path(download.value.path()).read_bytes() == base64.b64decode(PNG)
    expect(page.get_by_role("status")).to_have_text("Look: A green square End.")
    # Of no use to the model, so they do not go back to it.
    ask(page, "And?")
    assert said(site)[1] == "Look:\n\n[chart]\n\n[A green square]\n\nEnd."


def test_who_comes_after_another_does_not_see_their_conversation(page: Page, site: Running) -> None:
    def sign_in(name: str) -> None:
        signed_in(page.context, site, name)
        page.goto("/")

    sign_in("member-1@forum")
    ask(page)
    page.reload()
    expect(page.locator(".turn")).to_have_count(2)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("/")
    expect(page.get_by_role("heading", name="Ask Test harbour")).to_be_visible()
    expect(page.locator(".turn")).to_have_count(0)
    sign_in("member-2@forum")
    expect(page.locator(".turn")).to_have_count(0)


def test_a_command_is_chosen_with_the_keyboard(page: Page, site: Running) -> None:
    field = page.locator("#question")
    field.press_sequentially("/")
    expect(page.get_by_role("option")).to_have_count(6)
    expect(page.get_by_role("status")).to_contain_text("6 commands")
    field.press("ArrowDown")
    chosen = page.locator(f"#{field.get_attribute('aria-activedescendant')}")
    expect(chosen).to_contain_text("/translate")
    assert faults(page) == []
    field.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    field.press_sequentially("su")
    expect(page.get_by_role("option")).to_have_count(1)
    field.press("Enter")
    expect(field).to_have_value("/summary ")
    field.press_sequentially("last week")
    field.press("Enter")
    expect(page.locator(".retry:visible")).to_have_count(1)
    assert said(site) == ["/summary last week"]
    # What is written out is sent at once.
    field.press_sequentially("/help")
    field.press("Enter")
    expect(page.locator(".asked")).to_have_count(2)


def file(name: str, content: bytes) -> dict[str, object]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def test_files_go_with_a_question(page: Page, site: Running) -> None:
    page.locator("#picker").set_input_files(
        [
            file("rides.csv", b"day,rides\n1,2\n"),
            file("notes.TXT", "Fähre".encode()),
            file("run.exe", b"MZ"),
            file("empty.json", b""),
        ]
    )
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text("run.exe cannot be read here. These can: CSV, Parquet")
    expect(problem).to_contain_text("empty.json is empty.")
    chips = page.locator("#chips li")
    expect(chips).to_have_text(
        [re.compile("rides.csv.*0.01.?kB|rides.csv"), re.compile("notes.TXT")]
    )
    assert faults(page) == []
    page.get_by_role("button", name="Remove notes.TXT").press("Enter")
    expect(chips).to_have_count(1)
    # Dropped and pasted ones are taken, too.
    for event in ("drop", "paste"):
        page.locator("#question").evaluate(BROUGHT, [event, 20])
    expect(chips).to_have_count(3)
    page.locator("#question").evaluate(BROUGHT, ["drop", 6_000_000])
    expect(problem).to_have_text("drop.json has 6 MB, and at most 5.5 MB can be read.")
    page.locator("#question").fill("/analyse rides")
    with page.expect_request("**/v1/chat/completions") as sent:
        page.keyboard.press("Enter")
    (message,) = sent.value.post_data_json["messages"]
    encoded = base64.b64encode(b"day,rides\n1,2\n").decode()
    assert message["content"][0] == {
        "type": "file",
        "file": {"filename": "rides.csv", "file_data": f"data:text/csv;base64,{encoded}"},
    }
    assert [part["type"] for part in message["content"]] == ["file", "file", "file", "text"]
    assert message["content"][3]["text"] == "/analyse rides"
    expect(page.locator(".asked .chips li")).to_have_count(3)
    expect(page.locator("#chips")).to_be_hidden()
    expect(page.locator(".retry:visible")).to_have_count(1)
    expect(page.locator(".answered .words")).to_contain_text("ferry")
    # They are there for the next question, and nowhere but in this page's memory.
    page.locator("#question").fill("And?")
    with page.expect_request("**/v1/chat/completions") as sent:
        page.keyboard.press("Enter")
    assert len(sent.value.post_data_json["messages"][0]["content"]) == 4
    assert encoded not in page.evaluate("JSON.stringify(sessionStorage)")
    expect(page.locator(".retry:visible")).to_have_count(1)
    # What only the server can tell is told as it says it.
    page.locator("#picker").set_input_files([file("no.xlsx", b"no")])
    ask(page, "And this?")
    expect(page.locator(".answered .note").last).to_contain_text("This was not taken.")
    expect(page.locator(".answered .note").last).to_contain_text("save it anew as what it is")
    # A refused question is no part of the conversation.
    ask(page, "And now?")
    expect(page.locator(".answered").last).to_contain_text("ferry")
    assert len(said(site)) == 5


def test_conversations_are_kept_only_on_a_wish(page: Page, site: Running) -> None:
    ask(page, "First question")
    assert page.evaluate("localStorage.length") == 0
    page.get_by_role("button", name="Conversations").click()
    page.get_by_label("Keep my conversations in this browser").check()
    expect(page.locator("#kept li")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("#privacy")).to_contain_text("It stays in this browser, is not kept on")
    page.get_by_role("button", name="New conversation").click()
    ask(page, "Second question")
    with page.context.new_page() as other:
        other.goto("/")
        other.get_by_role("button", name="Conversations").click()
        kept = other.locator("#kept li")
        expect(kept).to_have_count(2)
        expect(kept.first).to_contain_text("Second question")
        assert faults(other) == []
        kept.nth(1).get_by_role("button", name="Rename").click()
        other.get_by_label("New name").fill("Ferries")
        other.keyboard.press("Enter")
        expect(kept.nth(1).locator("b")).to_have_text("Ferries")
        with other.expect_download() as download:
            kept.nth(1).get_by_role("button", name="Save as Markdown").click()
        assert download.value.suggested_filename == "ferries.md"
        stored = Path(download.value.path()).read_text()
        assert stored.startswith(
            "# Ferries\n\n## You\n\nFirst question\n\n## Assistant\n\nThe **ferry**"
        )
        assert "- @member-1, forum, 2026-09-11" in stored
        kept.nth(1).locator("b").click()
        expect(other.locator(".asked .words")).to_have_text("First question")
        other.get_by_role("button", name="Conversations").click()
        delete = kept.first.get_by_role("button", name="Delete")
        delete.click()
        expect(kept).to_have_count(2)
        kept.first.get_by_role("button", name="Really delete?").click()
        expect(kept).to_have_count(1)
        other.get_by_label("Keep my conversations in this browser").uncheck()
        expect(kept).to_have_count(0)
        assert "Second" not in other.evaluate("JSON.stringify(localStorage)")


@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("de-DE", "light", 320), ("en", "dark", 1280)]
)
def test_the_chat_is_for_everybody(
    chromium: Browser, site: Running, tmp_path: Path, language: str, scheme: str, width: int
) -> None:
    wide = " ".join(f"column{n}" for n in range(30)).replace(" ", "|")
    site.assistant.pieces = [
        f"# Head\n\n{'W' * 300}\n\n{CHART}\n\n{PICTURE}\n\n```python\n{PYTHON * 3}\n```\n\n",
        f"|{wide}|\n|{'-|' * 30}\n|{wide}|\n\n- a\n- b\n\n`{'c' * 99}`\n\n> {'Q' * 200}\n",
    ]
    options = {"viewport": {"width": width, "height": 640}, "color_scheme": scheme}
    with context(chromium, site, language, **options) as made, watched(made, site) as page:
        page.goto("/")
        page.locator(".abilities summary").click()
        page.locator("#picker").set_input_files(
            [file("n" * 99 + ".csv", b"1"), file("x.exe", b"1")]
        )
        page.locator("#question").fill("?" * 200)
        expect(page.locator("#chips li")).to_have_count(1)
        assert faults(page) == []
        page.locator("#chips button").click()
        ask(page, "?" * 200)
        expect(page.locator(".drawing svg")).to_be_visible()
        page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true })")
        page.screenshot(path=tmp_path / "answer.png", full_page=True)
        assert faults(page) == []
        page.locator("#show-keys").click()
        assert faults(page) == []
