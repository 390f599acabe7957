"""The pages in a real browser: keyboard, streaming, narrow screens, nothing from elsewhere."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from sayso.rights import objections
from tests.web.conftest import Running, gate_entry, poll, release_entry

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def context(chromium: Browser, site: Running, language: str = "en", **options) -> BrowserContext:
    made = chromium.new_context(
        base_url=site.address, locale=language, timezone_id="Europe/Berlin", **options
    )
    made.set_default_timeout(15000)
    return made


@pytest.fixture
def page(chromium: Browser, site: Running) -> Iterator[Page]:
    """A page that fails its test on errors of scripts or policy, or a request to another host."""
    with context(chromium, site) as made:
        page = made.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda message: (
                faults.append(message.text)
                if message.type == "error" and "Failed to load resource" not in message.text
                else None
            ),
        )
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(site.address) else faults.append(request.url)
            ),
        )
        yield page
    assert not faults


def test_object_in_german_with_the_keyboard_only(
    chromium: Browser, site: Running, tmp_path: Path
) -> None:
    with context(chromium, site, "de-DE") as made:
        page = made.new_page()
        page.goto("/")
        keys = page.keyboard

        def tab_to(text: str) -> None:
            """Tab until the element in focus (or its label) says this."""
            for _ in range(40):
                keys.press("Tab")
                said = page.evaluate(
                    "() => { const e = document.activeElement;"
                    " return (e.labels?.[0] ?? e).textContent.trim() }"
                )
                if said.startswith(text):
                    return
            raise AssertionError(f"the keyboard does not reach {text!r}")

        keys.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        tab_to("Widerspruch")
        keys.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(
            "Halte deine Beiträge aus der KI heraus"
        )
        tab_to("Dein Konto")
        keys.type("member-1@forum")
        tab_to("Auf allen Diensten")
        keys.press("ArrowDown")
        tab_to("forum")
        keys.press("Space")
        tab_to("Kein Grund")
        keys.press("ArrowDown")
        tab_to("In deinen Worten")
        keys.type("Danke.")
        tab_to("Das Konto gehört mir")
        keys.press("Space")
        tab_to("Jetzt widersprechen")
        keys.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Dein Widerspruch gilt")
        (stored,) = objections.list_all(site.rights)
        assert stored.service == "forum"
        assert stored.reason.startswith("Ich bin kreativ tätig")
        assert stored.reason.endswith("Danke.")
        expect(page.locator(".number")).to_have_text(stored.number)
        expect(page.locator(".timeline .done")).to_have_count(2)
        # The page follows the ledger by itself.
        site.note("release", release_entry("sayso-1", "interim", 1, [stored.number]))
        expect(page.locator(".timeline .done")).to_have_count(3)
        expect(page.locator(".timeline .done").nth(2)).to_contain_text("MEZ")
        tab_to("Quittung herunterladen")
        with page.expect_download() as download:
            keys.press("Enter")
        assert download.value.suggested_filename == f"{stored.number}.jws"
        assert Path(download.value.path()).read_text().strip() == stored.receipt
        page.screenshot(path=tmp_path / "status.png", full_page=True)
        assert (tmp_path / "status.png").stat().st_size > 10_000


def test_chat_streams_and_unfolds_its_sources(page: Page, site: Running) -> None:
    site.assistant.go.clear()
    page.goto("/")
    page.get_by_label("Your question").fill("When does the ferry leave?")
    page.keyboard.press("Enter")
    # The sources are there before the first word.
    expect(page.locator(".answered .count")).to_have_text("2")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("The answer is being written.")
    site.assistant.go.set()
    expect(page.locator(".answered strong")).to_have_text("ferry")
    expect(page.locator(".answered li").first).to_have_text("on workdays")
    expect(page.get_by_role("status")).to_contain_text("leaves at 07:15")
    expect(page.locator(".answered .words")).not_to_contain_text("Sources:")
    page.locator(".answered summary").press("Enter")
    expect(page.locator(".answered blockquote").nth(1)).to_have_text(
        "Die Fähre fährt auch sonntags."
    )
    assert page.locator(".answered blockquote").nth(1).get_attribute("lang") == "de"
    # Asked again, the assistant knows what was said before; a reload keeps the talk in this tab.
    page.get_by_label("Your question").fill("And back?")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator(".answered")).to_have_count(2)
    poll(lambda: len(site.assistant.asked) == 2)
    assert [m["role"] for m in site.assistant.asked[1]] == ["user", "assistant", "user"]
    expect(page.locator(".retry").last).to_be_visible()
    page.reload()
    expect(page.locator(".turn")).to_have_count(4)
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.get_by_role("heading", name="Ask Test harbour")).to_be_visible()
    page.reload()
    expect(page.locator(".turn")).to_have_count(0)


def test_chat_stops_and_tries_again(page: Page, site: Running) -> None:
    site.assistant.endless = True
    page.goto("/")
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
    expect(page.locator(".answered")).to_have_count(1)
    expect(page.locator(".answered li").first).to_have_text("on workdays")
    assert [m["content"] for m in site.assistant.asked[-1]] == ["What is on this week?"]


def test_markup_in_answers_and_posts_stays_text(page: Page, site: Running) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    site.assistant.pieces = [
        f"{hostile} [link](javascript:alert(3)) **{hostile}**\n\n",
        f"# {hostile}\n> {hostile}\n- {hostile}\n3. third\n\n```html\n{hostile}\n**no**\n```\n",
        "a * b * c, snake_case_name, `**code**` and *it* __strong__ ***both***\n```\nopen",
    ]
    page.goto("/")
    page.get_by_label("Your question").fill(hostile)
    page.keyboard.press("Enter")
    expect(page.locator(".retry")).to_be_visible()
    words = page.locator(".answered .words")
    assert words.locator("img, script, a").count() == 0
    expect(words.locator("h3")).to_have_text(hostile)
    expect(words.locator("pre").first).to_have_text(f"{hostile}\n**no**")
    expect(words.locator("pre").last).to_have_text("open")
    expect(words.locator("p code")).to_have_text("**code**")
    assert words.locator("ol").get_attribute("start") == "3"
    last = words.locator("p").last
    expect(last).to_contain_text("a * b * c, snake_case_name,")
    assert last.locator("em").first.text_content() == "it"
    expect(page.locator(".asked .words")).to_have_text(hostile)


def test_everything_works_without_scripts(chromium: Browser, site: Running) -> None:
    with context(chromium, site, java_script_enabled=False) as made:
        page = made.new_page()
        page.goto("/")
        page.get_by_role("button", name="What is on this week?").click()
        expect(page.locator(".asked .words")).to_have_text("What is on this week?")
        expect(page.locator(".answered .words")).to_contain_text("The **ferry** leaves")
        page.locator("summary").click()
        expect(page.locator(".answered blockquote").first).to_be_visible()
        page.get_by_label("Your question").fill("And back?")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.locator(".asked .words")).to_have_text("And back?")
        page.get_by_role("link", name="Objection").click()
        page.get_by_label("Your account").fill("member-1@forum")
        page.get_by_label("The account is mine").check()
        page.get_by_role("button", name="Object now").click()
        expect(page.locator(".timeline .done").first).to_contain_text("UTC")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the receipt").click()
        (stored,) = objections.list_all(site.rights)
        assert Path(download.value.path()).read_text().strip() == stored.receipt


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "de"])
def test_narrow_screens_never_scroll_sideways(
    chromium: Browser, site: Running, tmp_path: Path, scheme: str, language: str
) -> None:
    site.assistant.pieces = ["W" * 300, "\n\n```\n", "code " * 60, "\n```\n"]
    site.note("gate", gate_entry(123456, {"minor": 78901}, {"waiting": 2345}))
    site.note("release", release_entry("sayso-0123456789ab", "interim", 1))
    (made,) = objections.receive(site.rights, "member-1@forum")
    options = {"viewport": {"width": 320, "height": 640}, "color_scheme": scheme}
    with context(chromium, site, language, **options) as narrow:
        page = narrow.new_page()
        for path in ("/", "/object", f"/object/{made.number}", "/transparency", "/nothing"):
            page.goto(path)
            if path == "/":
                page.locator("#question").fill("?" * 200)
                page.keyboard.press("Enter")
                expect(page.locator(".retry")).to_be_visible()
                page.locator("summary").click()
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= 320, f"{path} is {width} wide"
            name = path.strip("/").partition("/")[0] or "chat"
            page.screenshot(path=tmp_path / f"{name}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(chromium: Browser, site: Running, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1 for each text, against the nearest ground that is painted."""
    site.note("gate", gate_entry(5, {"minor": 3}, {"waiting": 2}))
    (made,) = objections.receive(site.rights, "member-1@forum")
    with context(chromium, site, color_scheme=scheme) as made_context:
        page = made_context.new_page()
        for path in ("/", "/object", f"/object/{made.number}", "/transparency"):
            page.goto(path)
            if path == "/":
                page.locator("#question").fill("When?")
                page.keyboard.press("Enter")
                expect(page.locator(".retry")).to_be_visible()
                page.locator("summary").click()
            poor = page.evaluate(CONTRAST)
            assert poor == [], path


CONTRAST = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const linear = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const colour = numbers(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !e.checkVisibility()) continue;
    const pair = [light(numbers(getComputedStyle(e).color)), light(ground(e))];
    pair.sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${e.tagName} ${texts.currentNode.data.trim()}`);
  }
  return poor;
}"""
