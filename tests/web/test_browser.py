"""The pages in a real browser: keyboard, streaming, narrow screens, nothing from elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from sayso.rights import objections
from tests.web.browsing import BROWSER, context
from tests.web.conftest import Running, poll

pytestmark = BROWSER


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
        page.get_by_label("Your accounts").fill("member-1@forum")
        page.get_by_label("The accounts are mine").check()
        page.get_by_role("button", name="Object now").click()
        expect(page.locator(".timeline .done").first).to_contain_text("UTC")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the receipt").click()
        (stored,) = objections.list_all(site.rights)
        assert Path(download.value.path()).read_text().strip() == stored.receipt
