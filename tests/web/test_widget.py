"""The chat within a page of another origin: one line, and no cookie."""

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from sayso.settings import Serving, Settings, Web
from sayso.workspace import Workspace
from tests.conftest import ROOT
from tests.web.browsing import BROWSER, context, faults
from tests.web.conftest import KnownAssistant, Running, serving

pytestmark = BROWSER
SNIPPET = re.search(r"```html\n(.*?)```", (ROOT / "docs/widget.md").read_text(), re.DOTALL)[1]
# The strictest policy that docs/widget.md says is enough.
POLICY = "default-src 'none'; script-src {ai}; frame-src {ai}; connect-src 'none'"


class Forum(BaseHTTPRequestHandler):
    """A page of a forum, with the line of the docs."""

    def __init__(self, page: dict[str, str], *rest: object) -> None:
        self.page = page
        super().__init__(*rest)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", self.page["policy"])
        self.end_headers()
        self.wfile.write(self.page["html"].encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def forum() -> Iterator[tuple[str, dict[str, str]]]:
    page = {"html": "", "policy": ""}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Forum, page))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    # Another host than Sayso's: to a browser another site.
    yield f"http://localhost:{server.server_port}", page
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, forum: tuple[str, dict[str, str]]
) -> Iterator[Running]:
    settings = Settings(
        community="Test harbour", serving=Serving(parallel=1), web=Web(embed_origins=(forum[0],))
    )
    workspace = Workspace.create(tmp_path_factory.mktemp("widget") / "home", settings)
    assistant = KnownAssistant()
    with serving(workspace, assistant) as address:
        forum[1]["policy"] = POLICY.format(ai=address)
        yield Running(address, assistant, workspace)


def page_with(site: Running, attributes: str = "") -> str:
    line = SNIPPET.replace("https://ai.example", site.address).replace(
        " defer", f" {attributes} defer"
    )
    return (
        '<!doctype html><html lang="de"><title>Forum</title><main><h1>Forum</h1>'
        f'<a href="#x">Beiträge</a></main>{line}'
    )


def test_the_line_of_the_docs_on_another_origin(
    chromium: Browser, site: Running, forum: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    address, shown = forum
    shown["html"] = page_with(site, 'data-accent="#ffd400" data-theme="dark"')
    with context(chromium, site, "en", viewport={"width": 1000, "height": 760}) as made:
        page = made.new_page()
        wrong: list[str] = []
        asked: list[str] = []
        page.on(
            "console", lambda message: wrong.append(message.text) if message.type == "error" else 0
        )
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        opener = page.get_by_role("button", name="Frag die Community")
        expect(opener).to_have_attribute("aria-expanded", "false")
        # Nothing of the chat is loaded before somebody opens it.
        assert [url for url in asked if site.address in url] == [f"{site.address}/static/widget.js"]
        assert faults(page) == []
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        frame = page.frame_locator("iframe")
        # The field has the focus by itself.
        field = frame.locator("#question:focus")
        expect(field).to_have_count(1)
        page.keyboard.type("Wann fährt die Fähre?")
        expect(field).to_have_value("Wann fährt die Fähre?")
        page.keyboard.press("Enter")
        expect(frame.locator(".retry:visible")).to_have_count(1)
        expect(frame.locator(".answered strong")).to_have_text("ferry")
        ground = frame.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
        assert ground == "rgb(18, 25, 26)"  # the dark one, whatever the device prefers
        inside = next(each for each in page.frames if "/widget" in each.url)
        assert faults_within(inside) == []
        page.screenshot(path=tmp_path / "widget.png")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(opener).to_be_focused()
        opener.click()
        expect(frame.locator(".asked .words")).to_have_text("Wann fährt die Fähre?")
        page.get_by_role("button", name="Schließen").click()
        expect(opener).to_be_focused()
        assert made.cookies() == []
        assert {url.split("/")[2] for url in asked} == {
            address.split("/")[2],
            site.address.split("/")[2],
        }
        assert wrong == []


def faults_within(frame) -> list[str]:
    """Texts of the frame that have too little contrast, or its width if it is too wide."""
    from tests.web.browsing import CONTRAST

    return frame.evaluate(CONTRAST) + frame.evaluate(
        "[document.documentElement.scrollWidth].filter((width) => width > innerWidth)"
    )


def test_nobody_else_may_show_it_and_nothing_else_is_shown(
    chromium: Browser, site: Running, forum: tuple[str, dict[str, str]]
) -> None:
    address, shown = forum
    with context(chromium, site, "en") as made:
        page = made.new_page()
        for host, path in (
            (address.replace("localhost", "127.0.0.1"), "/widget"),
            (address, "/"),
            (address, "/object"),
        ):
            shown["html"] = f'<iframe src="{site.address}{path}"></iframe>'
            with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
                page.goto(host)


def test_it_is_a_page_without_scripts_and_cookies(chromium: Browser, site: Running) -> None:
    with site.browser() as browser:
        got = browser.get("/widget?lang=de")
        asked = browser.post("/widget?lang=de", data={"question": "/help"})
        script = browser.get("/static/widget.js")
    for page in (got, asked):
        assert "set-cookie" not in page.headers
        assert "<header" not in page.text
        assert 'action="/widget?lang=de"' in page.text
    assert "The **ferry** leaves" in asked.text
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"
    options = {"viewport": {"width": 320, "height": 640}}
    with context(chromium, site, "de-DE", **options) as made:
        page = made.new_page()
        page.goto("/widget?accent=ffd400")
        expect(page.get_by_role("button", name="Tasten")).to_be_visible()
        assert faults(page) == []
