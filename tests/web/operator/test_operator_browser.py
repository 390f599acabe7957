"""The staff's pages in a real browser: on every screen, in both languages, by keyboard alone."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import update

from sayso.rights import deadlines, items, objections
from sayso.rights.database import now
from sayso.rights.tables import objections as table
from tests.web.browsing import BROWSER, context, faults, signed_in, tab_to
from tests.web.operator.conftest import Desk

pytestmark = BROWSER
PLACES = ("", "/objections", "/review", "/enter", "/import", "/suppressions", "/policy")


@pytest.fixture(scope="module")
def busy(desk: Desk) -> list[str]:
    """Pages of a desk with a claim that is overdue, one that can be put off, and doubtful records.

    Returns:
        Their paths.
    """
    for _ in range(5):  # so many that times are told
        desk.claim()
    late, claim, third = desk.claim(), desk.claim(reason="W" * 200), desk.doubtful()
    with desk.rights.writing() as connection:
        at = {"due_at": now() - timedelta(days=1)}
        connection.execute(update(table).where(table.c.number == late.number).values(at))
        deadlines.remark(connection, claim.number, "note", "They called.", "0" * 16)
        key = items.of_objection(connection, third.number)[0].record_key
    one = [f"/objections/{made.number}" for made in (late, claim, third)]
    return [*PLACES, *one, f"/review/{third.number}/{key:016x}"]


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("de", "dark")])
def test_pages_are_for_everybody_on_every_screen(
    chromium: Browser, desk: Desk, busy: list[str], tmp_path: Path, language: str, scheme: str
) -> None:
    options = {"viewport": {"width": 320, "height": 640}, "color_scheme": scheme}
    with context(chromium, desk.site, language, **options) as made:
        signed_in(made, desk.site, "captain", role="operator")
        page = made.new_page()
        for path in (*(f"/operator{place}" for place in busy), "/transparency"):
            page.goto(path)
            for fold in page.locator("details > summary").all():
                fold.click()
            assert faults(page) == [], path
            name = path.strip("/").replace("/", "-")
            page.screenshot(path=tmp_path / f"{name}.png", full_page=True)


def test_a_claim_is_found_and_confirmed_by_keyboard_without_scripts(
    chromium: Browser, desk: Desk
) -> None:
    claim = desk.claim(channel="phone")
    with context(chromium, desk.site, java_script_enabled=False) as made:
        signed_in(made, desk.site, "captain", role="operator")
        page = made.new_page()
        page.goto("/operator")
        page.get_by_role("link", name="wait to be confirmed").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Objections")
        page.get_by_label("How it came").select_option("phone")
        page.get_by_role("button", name="Show").press("Enter")
        page.get_by_role("link", name=claim.number).press("Enter")
        page.get_by_text("Note something").press("Enter")
        page.get_by_label("For whoever goes on with it").fill("They called back.")
        page.get_by_role("button", name="Keep the note").press("Enter")
        expect(page.get_by_role("status")).to_have_text("The note is kept.")
        expect(page.locator(".remarks").first).to_contain_text("They called back.")
        page.get_by_role("button", name="Confirm: it is theirs").press("Enter")
        expect(page.get_by_role("status")).to_contain_text("It is confirmed now")
    confirmed = objections.find(desk.rights, claim.number)
    assert confirmed is not None
    assert (confirmed.state, confirmed.confirmed_by) == ("confirmed", "operator")


def test_a_letter_is_entered_with_the_keyboard_only(chromium: Browser, desk: Desk) -> None:
    with context(chromium, desk.site, "de-DE") as made:
        signed_in(made, desk.site, "captain", role="operator")
        page = made.new_page()
        page.goto("/operator/enter")
        keys = page.keyboard
        keys.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        tab_to(page, "per Brief")
        keys.press("ArrowRight")
        tab_to(page, "Die Konten der Person")
        keys.type("keyboard@square")
        tab_to(page, "Der Grund, in den Worten der Person")
        keys.type("Weil ich es so will.")
        tab_to(page, "Widerspruch eintragen")
        keys.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("Er ist eingetragen und gilt.")
    (entered,) = objections.of_person(desk.rights, "keyboard@square")
    assert (entered.channel, entered.reason) == ("e-mail", "Weil ich es so will.")
