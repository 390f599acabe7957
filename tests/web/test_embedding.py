"""Objecting within the page of a service, on an origin of its own, without a cookie."""

import re
import secrets
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from sayso.rights import api_keys, objections, receipts, users
from sayso.rights.database import Rights
from sayso.settings import Settings, Web
from sayso.workspace import Workspace
from tests.conftest import ROOT
from tests.web.browsing import CHROMIUM
from tests.web.conftest import KnownAssistant, Running, add_account, serving

SNIPPET = re.search(r"```html\n(.*?)```", (ROOT / "docs/embedding.md").read_text(), re.DOTALL)[1]


class Service(BaseHTTPRequestHandler):
    """The settings page of a forum: the snippet of the docs, as it stands there."""

    def __init__(self, page: dict[str, str], *rest: object) -> None:
        self.page = page
        super().__init__(*rest)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(f"<!doctype html><h1>Forum</h1>{self.page['html']}".encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def forum() -> Iterator[tuple[str, dict[str, str]]]:
    page = {"html": ""}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Service, page))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    # Another host than Sayso's: to a browser another site, whose cookies are not ours.
    yield f"http://localhost:{server.server_port}", page
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def embedded(tmp_path: Path, forum: tuple[str, dict[str, str]]) -> Iterator[Running]:
    settings = Settings(community="Test harbour", web=Web(embed_origins=(forum[0],)))
    workspace = Workspace.create(tmp_path / "home", settings)
    for account in ("member-1@forum", "member-1@net"):
        add_account(Rights(workspace), account, "p:1")
    assistant = KnownAssistant()
    with serving(workspace, assistant) as address:
        yield Running(address, assistant, workspace)


def ticket(site: Running, account: str = "member-1@forum", purpose: str = "object") -> str:
    key = api_keys.add(site.rights, f"forum-{secrets.token_hex(4)}", ("forum",))
    headers = {"Authorization": f"Bearer {key}"}
    with site.browser(**headers) as service:
        body = {"account": account, "purpose": purpose}
        return str(service.post("/api/tickets", json=body).json()["url"])


def form_of(page: str) -> str:
    return re.search(r'name="form" value="([^"]+)"', page)[1]


def test_a_ticket_is_a_form_for_one_member(embedded: Running) -> None:
    path = ticket(embedded)
    with embedded.browser() as browser:
        page = browser.get(path)
        assert "set-cookie" not in page.headers
        assert "p:1" not in page.text
        assert "<nav" not in page.text
        form = form_of(page.text)
        done = browser.post("/embed/object", data={"form": form, "scope": "here"})
        (made,) = objections.list_all(embedded.rights)
        assert (made.person, made.service) == ("p:1", "forum")
        assert (made.state, made.confirmed_by, made.channel, made.reason) == (
            "confirmed", "member", "embedded page", "",
        )  # fmt: skip
        assert made.number in done.text
        # What was sent twice, by the form as it stands now, is still one.
        again = browser.post("/embed/object", data={"form": form_of(done.text)})
        assert made.number in again.text
        assert len(objections.list_all(embedded.rights)) == 1
        own = {"form": form_of(done.text), "number": made.number}
        assert browser.post("/embed/receipt", data=own).text.strip() == made.receipt
        assert browser.post("/embed/receipt", data=own | {"form": form}).status_code == 403
        key = embedded.workspace.keys / "receipts.pub.jwk"
        assert receipts.verify(made.receipt, key)["number"] == made.number


def test_a_ticket_leads_to_ones_data_after_a_click(embedded: Running) -> None:
    path = ticket(embedded, purpose="my-data")
    with embedded.browser() as browser:
        page = browser.get(path).text
        assert "member-1@forum" in page
        assert browser.get("/my-data", follow_redirects=False).status_code == 303
        form = {"ticket": re.search(r'name="ticket" value="([^"]+)"', page)[1]}
        arrived = browser.post("/embed/my-data", data=form)
        assert arrived.url.path == "/my-data"
        assert arrived.status_code == 200
    with embedded.browser() as other:
        # Once, for this purpose alone, and never as staff.
        assert other.post("/embed/my-data", data=form).status_code == 403
        for wrong in ("", "x", ticket(embedded).partition("=")[2]):
            assert other.get("/embed/my-data", params={"ticket": wrong}).status_code == 403
            assert other.post("/embed/my-data", data={"ticket": wrong}).status_code == 403
        users.set_role(embedded.rights, "member-1@forum", "operator")
        again = ticket(embedded, purpose="my-data").partition("=")[2]
        assert other.post("/embed/my-data", data={"ticket": again}).status_code == 403
        assert other.get("/my-data", follow_redirects=False).status_code == 303


def test_what_is_no_ticket_of_ours_shows_no_form(embedded: Running) -> None:
    used, other = ticket(embedded), ticket(embedded, purpose="my-data")
    with embedded.browser() as browser:
        browser.get(used)
        for path in (
            used,
            other.replace("my-data", "object"),
            "/embed/object?ticket=x",
            "/embed/object",
        ):
            page = browser.get(path)
            assert page.status_code == 403
            assert "Please open this once more" in page.text
            assert "<form" not in page.text
        for form in ("", "x", "e30.x.y"):
            assert browser.post("/embed/object", data={"form": form}).status_code == 403
    assert objections.list_all(embedded.rights) == []


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_the_snippet_of_the_docs_on_another_origin(
    embedded: Running, forum: tuple[str, dict[str, str]], chromium: Browser
) -> None:
    address, page_of = forum
    shown = SNIPPET.replace("/embed/object?ticket=TICKET", ticket(embedded))
    page_of["html"] = shown.replace("https://ai.example", embedded.address)
    with chromium.new_context(locale="de-DE") as context:
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.goto(address)
        frame = page.frame_locator("#sayso")
        expect(frame.get_by_role("heading", level=1)).to_have_text(
            "Halte deine Beiträge aus der KI heraus"
        )
        page.wait_for_function("document.getElementById('sayso').offsetHeight > 400")
        frame.get_by_text("Ich bin kreativ tätig").click()
        with page.expect_console_message(lambda message: message.type == "log") as told:
            frame.get_by_role("button", name="Jetzt widersprechen").click()
        expect(frame.get_by_role("heading", level=1)).to_have_text("Dein Widerspruch gilt")
        (made,) = objections.list_all(embedded.rights)
        assert made.confirmed_by == "member"
        assert told.value.text == f"objection {made.number}"
        assert not [line for line in said if line.startswith("error")]
        with page.expect_download() as download:
            frame.get_by_role("button", name="Quittung herunterladen").click()
        assert Path(download.value.path()).read_text().strip() == made.receipt
        assert context.cookies() == []
        # Nobody else may show it, and no other page may be shown by anybody.
        for target in (ticket(embedded), "/object"):
            page_of["html"] = f'<iframe src="{embedded.address}{target}"></iframe>'
            host = address if target == "/object" else address.replace("localhost", "127.0.0.1")
            with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
                page.goto(host)
