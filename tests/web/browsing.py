"""A real browser for tests of pages, and what every page has to pass in it."""

import contextlib
import shutil
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    sync_playwright,
)

from tests.web.conftest import Running
from tests.web.signing import token

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]
# WCAG 2.2 at level AA, and what axe's authors recommend besides.
RULES = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """Run the browser until the block ends."""
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


@contextlib.contextmanager
def watched(made: BrowserContext, site: Running) -> Iterator[Page]:
    """A page that fails its test on errors of scripts or policy, or a request to another host."""
    page = made.new_page()
    wrong: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            wrong.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith((site.address, "data:", "blob:")):
            wrong.append(request.url)

    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", said)
    page.on("request", asked)
    yield page
    assert not wrong


def signed_in(made: BrowserContext, site: Running, name: str, **who: str) -> None:
    """Give a context the session of a user; `who` is `role` and `person` as `signing.token` has."""
    session = {"name": "sayso_session", "value": token(site, name, **who), "url": site.address}
    made.add_cookies([session])


def tab_to(page: Page, text: str) -> None:
    """Tab until the element in focus (or its label) says this."""
    for _ in range(60):
        page.keyboard.press("Tab")
        said = page.evaluate(
            "() => { const e = document.activeElement;"
            " return (e.labels?.[0] ?? e).textContent.trim() }"
        )
        if said.startswith(text):
            return
    raise AssertionError(f"the keyboard does not reach {text!r}")


def faults(page: Page) -> list[str]:
    """What is wrong with a page for people who do not see it as its author did; [] if nothing.

    axe's rules of WCAG 2.2 AA, the contrast of every text (1.4.3, with what axe leaves undecided),
    and nothing that is wider than the screen (1.4.10).
    """
    found = [
        f"{rule['id']}: {node['html'][:200]}"
        for rule in Axe().run(page, options=RULES).response["violations"]
        for node in rule["nodes"]
    ]
    width, room = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    if width > room:
        found.append(f"{width} wide on a screen of {room}")
    return found + page.evaluate(CONTRAST)


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
