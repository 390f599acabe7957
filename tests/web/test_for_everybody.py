"""Objecting in a real browser: by keyboard, in few clicks, for everybody, on every screen."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from sayso.rights import objections, steps, tickets
from sayso.rights.database import now
from sayso.rights.objection import SUGGESTED_REASONS, Given
from sayso.rights.requests import Contact
from tests.web.browsing import BROWSER, context, faults, signed_in, tab_to
from tests.web.conftest import Running, gate_entry, release_entry

pytestmark = BROWSER


def test_object_in_german_with_the_keyboard_only(chromium: Browser, site: Running) -> None:
    with context(chromium, site, "de-DE") as made:
        page = made.new_page()
        page.goto("/")
        keys = page.keyboard
        keys.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        tab_to(page, "Widerspruch")
        keys.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(
            "Halte deine Beiträge aus der KI heraus"
        )
        tab_to(page, "Deine Konten")
        keys.type("member-1@forum")
        tab_to(page, "Nur auf einzelnen Diensten?")
        keys.press("Enter")
        tab_to(page, "Auf allen Diensten")
        keys.press("ArrowDown")
        tab_to(page, "forum")
        keys.press("Space")
        tab_to(page, "Einen Grund nennen?")
        keys.press("Enter")
        tab_to(page, "Kein Grund")
        keys.press("ArrowDown")
        tab_to(page, "In deinen Worten")
        keys.type("Danke.")
        tab_to(page, "Die Konten gehören mir")
        keys.press("Space")
        tab_to(page, "Jetzt widersprechen")
        keys.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Für neues Training eingefroren")
        (stored,) = objections.list_all(site.rights)
        assert (stored.service, stored.state) == ("forum", "pending")
        assert stored.reason == f"{SUGGESTED_REASONS['de'][0]} Danke."
        expect(page.locator(".number").first).to_have_text(stored.number)
        expect(page.locator(".timeline .done")).to_have_count(3)
        # The page follows the steps by itself.
        with site.rights.writing() as connection:
            steps.note(connection, site.rights, stored, "data_removed", now())
        expect(page.locator(".timeline .done")).to_have_count(4)
        expect(page.locator(".timeline .done").nth(3)).to_contain_text("MEZ")
        tab_to(page, "Quittung herunterladen")
        with page.expect_download() as download:
            keys.press("Enter")
        assert download.value.suggested_filename == f"{stored.number}.jws"
        assert Path(download.value.path()).read_text().strip() == stored.receipt


@pytest.mark.parametrize("scripts", [True, False])
def test_a_member_objects_in_four_clicks(chromium: Browser, site: Running, scripts: bool) -> None:
    with context(chromium, site, "de-DE", java_script_enabled=scripts) as made:
        signed_in(made, site, "one", person="p:1")
        page = made.new_page()
        page.goto("/")
        for link in ("Einstellungen", "Privatsphäre", "KI und Datenverarbeitung"):
            page.get_by_role("main" if link != "Einstellungen" else "banner").get_by_role(
                "link", name=link
            ).click()
        page.get_by_role("button", name="Jetzt widersprechen").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Dein Widerspruch gilt")
    (stored,) = objections.list_all(site.rights)
    assert (stored.service, stored.state, stored.confirmed_by) == ("*", "confirmed", "member")


# The widest words on the narrowest screen, and the other colours.
@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("de-DE", "light", 320), ("en", "dark", 1280)]
)
def test_every_page_is_for_everybody(
    chromium: Browser, site: Running, tmp_path: Path, language: str, scheme: str, width: int
) -> None:
    site.note("gate", gate_entry(123456, {"minor": 78901}, {"waiting": 2345}))
    site.note("release", release_entry("sayso-0123456789ab", "interim", 1))
    member = objections.receive(site.rights, "p:2", services=["forum", "net"], reason="R" * 300)
    claim = Given(name="member-1@forum", confirmed_by="", contact=Contact(email="one@example.org"))
    ((claimed,),) = objections.receive_all(site.rights, [claim])
    ticket = tickets.issue(site.rights, "forum", "member-1@forum", "forum", "object")
    cleared = ("models_cleared", now(), "sayso-0123456789ab", "a1" * 32)
    with site.rights.writing() as connection:
        for state in (("data_removed", now()), cleared, ("closed", now())):
            steps.note(connection, site.rights, member[0], *state)
    nobody = [
        "/object",
        "/object/depicted",
        "/object/confirm",
        f"/object/{claimed.number}",
        f"/embed/object?ticket={ticket}",
        "/transparency",
        "/am-i-in-it",
        "/sign-in",
        "/nothing",
    ]
    both = f"/object/{member[0].number}"
    own = [both, f"{both}/receipt/print", f"{both}/withdraw"]
    signed = [*own, "/settings", "/settings/privacy", "/settings/privacy/ai", "/account"]
    options = {"viewport": {"width": width, "height": 640}, "color_scheme": scheme}
    with context(chromium, site, language, **options) as made:
        page = made.new_page()
        wrong = {path: look(page, path, tmp_path) for path in nobody}
        wrong["the form, sent empty"] = empty(page, tmp_path)
        signed_in(made, site, "two", person="p:2")
        wrong |= {path: look(page, path, tmp_path) for path in signed}
    assert {path: found for path, found in wrong.items() if found} == {}


def look(page: Page, path: str, folder: Path) -> list[str]:
    """Open a page, unfold what can be unfolded, and return its faults."""
    page.goto(path)
    return unfolded(page, path, folder)


def empty(page: Page, folder: Path) -> list[str]:
    page.goto("/object")
    page.locator("form.steps button").last.click()
    expect(page.get_by_role("alert")).to_be_visible()
    return unfolded(page, "empty", folder)


def unfolded(page: Page, name: str, folder: Path) -> list[str]:
    page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true })")
    plain = name.partition("?")[0].strip("/").replace("/", "-")
    page.screenshot(path=folder / f"{plain}.png", full_page=True)
    return faults(page)
