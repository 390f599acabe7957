"""A member's own data in a real browser: on every screen, by keyboard, without scripts."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from sayso.rights import objections
from sayso.settings import Settings
from sayso.training.train import train
from sayso.workspace import Workspace
from tests.conftest import AT, KEY
from tests.corpus.world import event, take
from tests.web.browsing import BROWSER, context, faults, signed_in, tab_to
from tests.web.conftest import KnownAssistant, Running, serving
from tests.web.test_my_data import by

pytestmark = BROWSER
MINE = {"person": "p:1"}
LONG = "W" * 90 + " " + "the harbour is full of boats and ropes and gulls again " * 12
POSTS = [
    by(1, "member-1@forum", "The ferry leaves in the morning from the old pier.", language="en"),
    by(2, "member-1@net", "Only for those who follow me.", audience="followers"),
    by(3, "member-1@net", LONG, url="https://net.example/" + "x" * 120, content_warning="boats"),
    by(4, "member-1@net", "write to me at one@harbour.example", created_at="2026-11-22"),
]


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory, tiny_settings: Settings) -> Iterator[Running]:
    """A server with a release that was really trained on the member's posts."""
    place = Workspace.create(tmp_path_factory.mktemp("mine") / "home", tiny_settings, KEY)
    names = ("member-1@forum", "member-1@net")
    linked = [event("account.update", account=name, person="p:1") for name in names]
    like = {"actor": "member-1@net", "verb": "like", "object": "post-1", "at": "2026-03-03"}
    no = event("account.update", account="member-1@net", policy={"train": "allow"}, statement="s")
    take(place, *POSTS, *linked, event("interaction", **like), no)
    train(place, AT, in_process=True)
    with serving(place, KnownAssistant()) as address:
        yield Running(address, KnownAssistant(), place)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "de"])
def test_pages_are_for_everybody_on_every_screen(
    chromium: Browser, harbour: Running, tmp_path: Path, scheme: str, language: str
) -> None:
    options = {"viewport": {"width": 320, "height": 640}, "color_scheme": scheme}
    with context(chromium, harbour, language, **options) as made:
        signed_in(made, harbour, "one", **MINE)
        page = made.new_page()
        for path in ("/my-data", "/my-data/reactions", "/my-data/about", "/my-data?verdict=held"):
            page.goto(path)
            for fold in page.locator("details > summary").all():
                fold.click()
            assert faults(page) == [], path
            name = path.strip("/").replace("/", "-").replace("?", "-")
            page.screenshot(path=tmp_path / f"{name}.png", full_page=True)


def test_one_is_taken_out_and_put_back_by_keyboard_without_scripts(
    chromium: Browser, harbour: Running
) -> None:
    with context(chromium, harbour, "de-DE", java_script_enabled=False) as made:
        signed_in(made, harbour, "one", **MINE)
        page = made.new_page()
        page.goto("/")
        page.get_by_role("link", name="Meine Daten").click()
        served = page.locator("li", has_text="The ferry leaves").first
        expect(served).to_contain_text("Im Modell, das jetzt antwortet:")
        expect(served).to_contain_text("text/")
        page.get_by_label("Dienst").select_option("forum")
        page.get_by_role("button", name="Zeigen").press("Enter")
        expect(page.locator(".held > li")).to_have_count(1)
        page.get_by_role("button", name="Aus dem Training nehmen").press("Enter")
        expect(page.get_by_role("status")).to_contain_text("aus dem Training genommen")
        expect(page.locator(".decided")).to_contain_text("Du hast ihn aus dem Training genommen")
        expect(page.locator(".held > li")).to_have_count(1)
        assert "service=forum" in page.url
        (made_one,) = objections.list_all(harbour.rights)
        assert made_one.about == "items"
        page.get_by_role("button", name="Zurück ins Training").press("Enter")
        expect(page.locator(".decided")).to_contain_text("Keine Regel spricht dagegen.")
        with page.expect_download() as download:
            page.get_by_role("link", name="Alles, als JSON Lines").click()
        assert download.value.suggested_filename == "my-data.jsonl"
        lines = Path(download.value.path()).read_text().splitlines()
        assert sum("text" in json.loads(line) for line in lines) == len(POSTS)


def test_the_keyboard_reaches_what_can_be_done(chromium: Browser, harbour: Running) -> None:
    with context(chromium, harbour) as made:
        signed_in(made, harbour, "one", **MINE)
        page = made.new_page()
        page.goto("/my-data")
        for words in ("Posts", "Reactions", "Show", "WWW", "Take out of training"):
            tab_to(page, words)
